//===- LinnetAttributes.td - transitions, structures, enums ---------------===//

#ifndef LINNET_ATTRIBUTES_TD
#define LINNET_ATTRIBUTES_TD

include "dialects/Linnet/LinnetDialect.td"
include "dialects/Linnet/LinnetInterfaces.td"
include "mlir/IR/EnumAttr.td"

//===----------------------------------------------------------------------===//
// Enums
//===----------------------------------------------------------------------===//

class Linnet_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::mlir::linnet";
  let genSpecializedAttr = 0;
}
class Linnet_EnumAttr<EnumAttrInfo info, string mnemonic>
    : EnumAttr<Linnet_Dialect, info, mnemonic> {
  let assemblyFormat = "`<` $value `>`";
}

def Linnet_ActivationKind : Linnet_Enum<"Activation", "pointwise activation", [
  I32EnumAttrCase<"Identity", 0, "identity">, I32EnumAttrCase<"Silu", 1, "silu">,
  I32EnumAttrCase<"Gelu", 2, "gelu">, I32EnumAttrCase<"GeluTanh", 3, "gelu_tanh">,
  I32EnumAttrCase<"Relu", 4, "relu">, I32EnumAttrCase<"Relu2", 5, "relu2">,
  I32EnumAttrCase<"Sigmoid", 6, "sigmoid">, I32EnumAttrCase<"Tanh", 7, "tanh">,
  I32EnumAttrCase<"Softplus", 8, "softplus">]>;
def Linnet_ActivationAttr : Linnet_EnumAttr<Linnet_ActivationKind, "activation">;

def Linnet_NormKind : Linnet_Enum<"NormKind", "normalisation", [
  I32EnumAttrCase<"Rms", 0, "rms">, I32EnumAttrCase<"Layer", 1, "layer">,
  I32EnumAttrCase<"L2", 2, "l2">]>;
def Linnet_NormKindAttr : Linnet_EnumAttr<Linnet_NormKind, "norm_kind">;

def Linnet_GateOrder : Linnet_Enum<"GateOrder", "when a norm's gate applies", [
  I32EnumAttrCase<"Before", 0, "before">, I32EnumAttrCase<"After", 1, "after">]>;
def Linnet_GateOrderAttr : Linnet_EnumAttr<Linnet_GateOrder, "gate_order">;

def Linnet_Readout : Linnet_Enum<"Readout", "which state a query reads", [
  I32EnumAttrCase<"Post", 0, "post">, I32EnumAttrCase<"Pre", 1, "pre">]>;
def Linnet_ReadoutAttr : Linnet_EnumAttr<Linnet_Readout, "readout">;

def Linnet_ScanForm : Linnet_Enum<"ScanForm", "execution form of a recurrence", [
  I32EnumAttrCase<"Auto", 0, "auto">, I32EnumAttrCase<"Step", 1, "step">,
  I32EnumAttrCase<"Sequential", 2, "sequential">, I32EnumAttrCase<"Chunkwise", 3, "chunkwise">,
  I32EnumAttrCase<"Quadratic", 4, "quadratic">, I32EnumAttrCase<"Convolution", 5, "convolution">,
  I32EnumAttrCase<"Associative", 6, "associative">]>;
def Linnet_ScanFormAttr : Linnet_EnumAttr<Linnet_ScanForm, "form">;

def Linnet_Storage : Linnet_Enum<"Storage", "order of a stored matrix", [
  I32EnumAttrCase<"OutIn", 0, "out_in">, I32EnumAttrCase<"InOut", 1, "in_out">]>;

def Linnet_RouteScore : Linnet_Enum<"RouteScore", "how logits become scores", [
  I32EnumAttrCase<"Softmax", 0, "softmax">, I32EnumAttrCase<"Sigmoid", 1, "sigmoid">,
  I32EnumAttrCase<"SoftmaxChosen", 2, "softmax_chosen">]>;
def Linnet_RouteScoreAttr : Linnet_EnumAttr<Linnet_RouteScore, "route_score">;

def Linnet_GroupRule : Linnet_Enum<"GroupRule", "what a group of experts is worth", [
  I32EnumAttrCase<"Best", 0, "best">, I32EnumAttrCase<"BestTwo", 1, "best_two">]>;
def Linnet_GroupRuleAttr : Linnet_EnumAttr<Linnet_GroupRule, "group_rule">;

//===----------------------------------------------------------------------===//
// Transitions
//===----------------------------------------------------------------------===//

class Linnet_Attr<string name, string mnemo, list<Trait> traits>
    : AttrDef<Linnet_Dialect, name, traits> {
  let mnemonic = mnemo;
}

class Linnet_Transition<string name, string mnemo>
    : Linnet_Attr<name, mnemo, [DeclareAttrInterfaceMethods<
        TransitionAttrInterface, ["getOperandDims", "getNormalForm"]>]>;

def Linnet_NoneAttr : Linnet_Transition<"NoneTransition", "none"> {
  let summary = "no decay: S_t = S_{t-1} + k_t v_t^T";
  let description = [{
    Plain linear attention (Katharopoulos et al. 2020). No operands.
  }];
}

def Linnet_ScalarAttr : Linnet_Transition<"ScalarTransition", "scalar"> {
  let summary = "one decay per head: S_t = e^{g_t} S_{t-1} + k_t v_t^T";
  let description = [{
    Operand: `g` `[B, T, H]`, the log decay (<= 0). RetNet, Lightning,
    Mamba-2 (Dao and Gu 2024).
  }];
}

def Linnet_DiagonalAttr : Linnet_Transition<"DiagonalTransition", "diagonal"> {
  let summary = "one decay per key channel: S_t = diag(e^{g_t}) S_{t-1} + k_t v_t^T";
  let description = [{
    Operand: `g` `[B, T, H, K]`, the log decay (<= 0). GLA (Yang et al. 2023),
    HGRN2.
  }];
}

def Linnet_ValueDiagonalAttr : Linnet_Transition<"ValueDiagonalTransition", "value_diagonal"> {
  let summary = "one decay per value channel: S_t = S_{t-1} diag(e^{g_t}) + k_t v_t^T";
  let description = [{
    Operand: `g` `[B, T, H, V]`, the log decay (<= 0). With K = 1 a vector
    state (HGRN, RG-LRU); slots as values in gated slot attention.
  }];
}

def Linnet_TwoSidedAttr : Linnet_Transition<"TwoSidedTransition", "two_sided"> {
  let summary = "decays of key and value channels: S_t = diag(e^{g_t}) S_{t-1} diag(e^{h_t}) + k_t v_t^T";
  let description = [{
    Operands: `g` `[B, T, H, K]` and `h` `[B, T, H, V]`, log decays (<= 0).
  }];
}

def Linnet_FullAttr : Linnet_Transition<"FullTransition", "full"> {
  let summary = "one decay per state entry: S_t = e^{d_t A} (.) S_{t-1} + k_t v_t^T";
  let description = [{
    Operands: `d` `[B, T, H, V]`, the step (>= 0), and `A` `[B, T, H, K, V]`,
    the rate (<= 0), usually time-invariant (`[1, 1, H, K, V]`). The log decay
    of entry (k, v) is d[v] A[k, v]. Mamba-1 (Gu and Dao 2023).
  }];
}

def Linnet_BlockAttr : Linnet_Transition<"BlockTransition", "block"> {
  let summary = "one matrix per block of key channels: S_t = A_t S_{t-1} + k_t v_t^T";
  let description = [{
    Operand: `A` `[B, T, H, K, M]`; M divides K. Rows nM .. nM + M - 1 of A are
    the square matrix of block n: row r of the state becomes the sum over j of
    A[r, j] times row nM + j, where n = floor(r / M). M = K is a dense
    transition, M = 1 a diagonal one that may be negative. Not bounded; no
    token costs less than 2 K M V operations. Linear RNNs and CDEs
    (Walker et al. 2025, "Structured linear CDEs"), state tracking (Merrill et
    al. 2024).
  }];
}

def Linnet_DeltaAttr : Linnet_Transition<"DeltaTransition", "delta"> {
  let summary = "decay, then the delta rule: S_t = S' + beta_t k_t (v_t - S'^T k_t)^T, S' = D_t S_{t-1}";
  let description = [{
    `decay` is `none`, `scalar` or `diagonal`. Operands: `beta` `[B, T, H]`,
    then for a decay its log `g`, `[B, T, H]` or `[B, T, H, K]`. DeltaNet
    (Yang et al. 2024), Gated DeltaNet, KDA.
  }];
  let parameters = (ins StringRefParameter<"none, scalar or diagonal">:$decay);
  let assemblyFormat = "`<` custom<Keyword>($decay) `>`";
  let genVerifyDecl = 1;
}

def Linnet_RankOneAttr : Linnet_Transition<"RankOneTransition", "rank_one"> {
  let summary = "decay plus a rank-1 term: S_t = D_t S_{t-1} + b_t (a_t^T S_{t-1}) + k_t v_t^T";
  let description = [{
    `decay` is `none`, `scalar`, `diagonal` or `block`. Operands: `a` and `b`
    `[B, T, H, K]`, then for a decay its log `g`, `[B, T, H]` or
    `[B, T, H, K]`, or for `block` the matrices `[B, T, H, K, M]` of the
    transition of that name: D_t is then their product with the state. `a` reads the state before its decay. Stable if the
    eigenvalues of diag(e^g) + b a^T stay within the unit circle, as they do
    for b = -beta a, |a| = 1 and beta in [0, 2]; not checked. RWKV-7 (Peng et
    al. 2025), DPLR and IPLR, Comba, gated delta nets with separate erase
    gates; with `block` the delta rule with momentum, whose pairs of state and
    momentum are blocks of two rows.
  }];
  let parameters = (ins StringRefParameter<"none, scalar, diagonal or block">:$decay);
  let assemblyFormat = "`<` custom<Keyword>($decay) `>`";
  let genVerifyDecl = 1;
}

class Linnet_ComplexTransition<string name, string mnemo> : Linnet_Transition<name, mnemo> {
  string rows = [{
    The state's rows r and K/2 + r are the real and the imaginary part of
    complex row r; K is even. Keys and queries are written out in the same
    way: the real part of C^T x is read by the query (Re C, -Im C).
  }];
}

def Linnet_ComplexAttr : Linnet_ComplexTransition<"ComplexTransition", "complex"> {
  let summary = "one complex decay per key channel: S_t = diag(e^{g_t + i p_t}) S_{t-1} + k_t v_t^T";
  let description = rows # [{
    Operands: `g` `[B, T, H, K/2]`, the log of the magnitude (<= 0), and `p`
    of the same shape, the angle in radians. GateLoop (Katsch 2023), S4D (Gu
    et al. 2022).
  }];
}

def Linnet_ComplexValueAttr : Linnet_ComplexTransition<"ComplexValueTransition", "complex_value"> {
  let summary = "one complex decay per value channel: S_t = S_{t-1} diag(e^{g_t + i p_t}) + k_t v_t^T";
  let description = rows # [{
    Operands: `g` `[B, T, H, V]`, the log of the magnitude (<= 0), and `p` of
    the same shape, the angle in radians. With K = 2 a complex vector state:
    LRU (Orvieto et al. 2023), S5 (Smith et al. 2023).
  }];
}

//===----------------------------------------------------------------------===//
// Structures
//===----------------------------------------------------------------------===//

/// A structure of `numFactors` factors; by default what the attribute says.
class Linnet_Structure<string name, string mnemo, string numFactors,
                       list<string> more = []>
    : Linnet_Attr<name, mnemo, [DeclareAttrInterfaceMethods<
        StructureAttrInterface,
        !listconcat(["inferShape", "toDense", "buildApply", "getFlops"], more)>]> {
  let extraClassDefinition = "unsigned $cppClass::getNumFactors() const { return " # numFactors # "; }";
}

def Linnet_DenseAttr : Linnet_Structure<"DenseStructure", "dense", "1",
    ["canSkipInputs"]> {
  let summary = "one stored matrix";
  let description = [{
    One factor: `W` `[out, in]`, or with `<in_out>` its transpose as GPT-2
    stores it.
  }];
  let parameters = (ins DefaultValuedParameter<"Storage", "Storage::OutIn">:$storage);
  let assemblyFormat = "(`<` $storage^ `>`)?";
}

def Linnet_LowRankAttr : Linnet_Structure<"LowRankStructure", "low_rank", "2"> {
  let summary = "W = U V with a small middle";
  let description = [{
    Two factors: `U` `[out, rank]` and `V` `[rank, in]`; y = U (V x).
  }];
}

def Linnet_PermutationAttr : Linnet_Structure<"PermutationStructure", "permutation", "1",
    ["findObstacle"]> {
  let summary = "y_i = x_order[i]";
  let description = [{
    One factor: `order` `[n]` of i32, every number from 0 to n - 1 once. What
    lies between the factors of a product whose blocks are shuffled (Monarch,
    Dao et al. 2022), and what sorts the inputs of `pivoted_low_rank`.
  }];
}

def Linnet_PivotedLowRankAttr : Linnet_Structure<"PivotedLowRankStructure", "pivoted_low_rank", "3",
    ["findObstacle"]> {
  let summary = "W of rank r in r (out + in - r) numbers";
  let description = [{
    r of W's columns as they are, and the others as combinations of them (an
    interpolative decomposition; Zhao et al. 2025, PIFA):
    `W[:, order] = columns [I | coefficients]`.

    Three factors: `columns` `[out, r]`, `coefficients` `[r, in - r]` and
    `order` `[in]` of i32, a permutation whose first r entries are the columns
    kept. With z = x[order], y = columns (z[: r] + coefficients z[r :]).
  }];
}

def Linnet_QuantizedAttr : Linnet_Structure<"QuantizedStructure", "quantized",
    "getHasZeros() ? 3 : 2"> {
  let summary = "W of small integers and a scale per group of inputs";
  let description = [{
    `W[o, i] = scales[o, g] (code[o, i] - zeros[o, g])`, g = i / group, with
    codes of `bits` = 4 or 8 bits in two's complement. Without `zeros` these are
    0: codes are symmetric, else asymmetric (Jacob et al. 2018), and cover
    weights that do not lie around 0.

    Factors: `codes` of i8, `[out, in]` for 8 bits and `[out, in / 2]` for 4,
    where the lower half of byte j holds input 2j and the upper half 2j + 1;
    `scales` `[out, ceil(in / group)]` of floats; and, where the attribute says
    `zeros`, `zeros` of i8 of the same shape, from -128 to 127 whatever `bits`
    are. The last group of a row may have fewer inputs; `group` >= `in` is a
    scale per row.

    Products are of floats: x times a code, less its zero, times a scale. Where
    the processor multiplies bytes (VNNI), one token's product with codes of 4
    bits rounds x first: to 2^-22 of the largest entry among at most 128 of a
    group; the sums are exact then, and a row with an entry that is not finite
    gives NaN. `linnet.exact_decode` on the module keeps it to floats.

    ```mlir
    %y = linnet.linear #linnet.quantized<4, 16> %x, %codes, %scales
      : (tensor<?x?x32xf32>, tensor<40x16xi8>, tensor<40x2xbf16>) -> tensor<?x?x40xf32>
    %z = linnet.linear #linnet.quantized<4, 16, zeros> %x, %codes, %scales, %zeros
      : (tensor<?x?x32xf32>, tensor<40x16xi8>, tensor<40x2xbf16>, tensor<40x2xi8>) -> tensor<?x?x40xf32>
    ```
  }];
  let parameters = (ins "int64_t":$bits, "int64_t":$group, "bool":$hasZeros);
  let assemblyFormat = "`<` $bits `,` $group `` custom<HasZeros>($hasZeros) `>`";
  let builders = [AttrBuilder<(ins "int64_t":$bits, "int64_t":$group), [{
    return $_get($_ctxt, bits, group, /*hasZeros=*/false);
  }]>];
  let genVerifyDecl = 1;
}

def Linnet_NmSparseAttr : Linnet_Structure<"NmSparseStructure", "nm_sparse", "2",
    ["findObstacle"]> {
  let summary = "W with `kept` of each `of` inputs";
  let description = [{
    In each row, of every `of` inputs that follow each other at most `kept` have
    a weight: with g = j / kept,

    `W[o, of g + positions[o, j]] = values[o, j]`, all other entries are zero.

    Two factors: `values` `[out, n]` of floats, n = kept times the number of
    groups, and `positions` `[out, n b / 8]` of i8: b = 2 bits for each value if
    `of` is at most 4, else 4 bits, the first in the lowest bits of a byte.
    Positions are numbers below `of`, ascending in each group; n b is a multiple
    of 8. `kept` is 1 to `of`, `of` at most 16. 2 of 4: Mishra et al. 2021.

    ```mlir
    %y = linnet.linear #linnet.nm_sparse<2, 4> %x, %values, %positions
      : (tensor<?x?x32xf32>, tensor<40x16xbf16>, tensor<40x4xi8>) -> tensor<?x?x40xf32>
    ```
  }];
  let parameters = (ins "int64_t":$kept, "int64_t":$of);
  let assemblyFormat = "`<` $kept `,` $of `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bits of a position.
    int64_t getPositionBits() const { return getOf() <= 4 ? 2 : 4; }
  }];
}

def Linnet_BlockDiagonalAttr : Linnet_Structure<"BlockDiagonalStructure", "block_diagonal", "1"> {
  let summary = "W = diag(W_1, ..., W_n), blocks of one size";
  let description = [{
    One factor: the blocks `[n, out / n, in / n]`, or with `<in_out>` their
    transposes `[n, in / n, out / n]`. A matrix per head: input entries
    `h in / n, ...` give output entries `h out / n, ...`.
  }];
  let parameters = (ins DefaultValuedParameter<"Storage", "Storage::OutIn">:$storage);
  let assemblyFormat = "(`<` $storage^ `>`)?";
}

def Linnet_BlockSparseAttr : Linnet_Structure<"BlockSparseStructure", "block_sparse", "2",
    ["findObstacle"]> {
  let summary = "W of blocks, most of them zero, as many stored in every row of blocks";
  let description = [{
    W `[out, inputs]` in blocks of `height` outputs by `width` inputs (the last
    row of blocks may be lower), of which every row of blocks has `kept`:

    `W[o, width c + i] = values[o, width j + i]` where c = `columns[o / height, j]`,
    for j < kept and i < width; all other entries are zero.

    Two factors: `values` `[out, kept width]` of floats, the blocks of a row
    side by side, and `columns` `[ceil(out / height), kept]` of i16 or i32,
    where they stand: numbers from 0 to `inputs / width` - 1, ascending in each
    row.

    `height` is a multiple of 16, so that whole vectors of outputs read the same
    inputs; `width` divides `inputs`. At least one block is kept. Blocks of
    trained matrices: Gray et al. 2017, Narang et al. 2017 (as many in every
    row).

    ```mlir
    %y = linnet.linear #linnet.block_sparse<16, 4, 32> %x, %values, %columns
      : (tensor<?x?x32xf32>, tensor<40x12xbf16>, tensor<3x3xi16>) -> tensor<?x?x40xf32>
    ```
  }];
  let parameters = (ins "int64_t":$height, "int64_t":$width, "int64_t":$inputs);
  let assemblyFormat = "`<` $height `,` $width `,` $inputs `>`";
  let genVerifyDecl = 1;
}

def Linnet_DiagAttr : Linnet_Structure<"DiagStructure", "diag", "1"> {
  let summary = "W with numbers on its diagonal, of `outputs` by `inputs`";
  let description = [{
    `W[i, i] = values[i]`, all other entries are zero: y_i = values_i x_i, and
    0 for outputs that have no input. What a matrix of low rank lacks most is
    often its diagonal: `sum<[#linnet.diag<40, 32>, #linnet.low_rank]>`.

    One factor: `values` `[min(outputs, inputs)]` of floats. Both widths are at
    least 1.

    ```mlir
    %y = linnet.linear #linnet.diag<40, 32> %x, %values
      : (tensor<?x?x32xf32>, tensor<32xbf16>) -> tensor<?x?x40xf32>
    ```
  }];
  let parameters = (ins "int64_t":$outputs, "int64_t":$inputs);
  let assemblyFormat = "`<` $outputs `,` $inputs `>`";
  let genVerifyDecl = 1;
}

def Linnet_ToeplitzAttr : Linnet_Structure<"ToeplitzStructure", "toeplitz", "1"> {
  let summary = "W[o, i] = values[o - i + in - 1]: equal along diagonals";
  let description = [{
    `W[o, i] = values[o - i + in - 1]`. The first row is the first `in` values
    from the last to the first, the first column the last `outputs`.

    One factor: `values` `[outputs + in - 1]` of floats; `outputs` stands in the
    attribute and is at least 1, as is `in`. Sindhwani et al. 2015 make layers
    of such matrices.

    ```mlir
    %y = linnet.linear #linnet.toeplitz<40> %x, %values
      : (tensor<?x?x32xf32>, tensor<71xbf16>) -> tensor<?x?x40xf32>
    ```
  }];
  let parameters = (ins "int64_t":$outputs);
  let assemblyFormat = "`<` $outputs `>`";
  let genVerifyDecl = 1;
}

def Linnet_CirculantAttr : Linnet_Structure<"CirculantStructure", "circulant", "1"> {
  let summary = "W[o, i] = values[(o - i) mod n]: each column the one before, turned by one";
  let description = [{
    `W[o, i] = values[(o - i) mod n]`, a cyclic convolution: the `toeplitz`
    matrix whose values repeat. `values` is the first column.

    One factor: `values` `[n]` of floats, n >= 1; as many outputs as inputs.
    Cheng et al. 2015.

    ```mlir
    %y = linnet.linear #linnet.circulant %x, %values
      : (tensor<?x?x32xf32>, tensor<32xbf16>) -> tensor<?x?x32xf32>
    ```
  }];
}

def Linnet_SeededAttr : Linnet_Structure<"SeededStructure", "seeded", "1"> {
  let summary = "W of `terms` seeded rows for each `block` of inputs";
  let description = [{
    W is stored as a seed and coefficients (PRANC, Nooralinejad et al. 2023):

    `W[o, block c + i] = sum_{j < terms} coefficients[o, terms c + j] B[j, i]`

    for i < block, where B is what `linnet.seeded_basis` of `seed` gives, the
    same for every output and block.

    One factor: `coefficients` `[out, terms in / block]` of floats; the inputs
    are those of whole blocks. More terms than `block` are allowed and say no
    more than `block` do. `terms` and `block` are 1 to 2147483647, `seed` is 0 or
    more.

    ```mlir
    %y = linnet.linear #linnet.seeded<4, 8, 12345> %x, %coefficients
      : (tensor<?x?x32xf32>, tensor<40x16xbf16>) -> tensor<?x?x40xf32>
    ```
  }];
  let parameters = (ins "int64_t":$terms, "int64_t":$block, "int64_t":$seed);
  let assemblyFormat = "`<` $terms `,` $block `,` $seed `>`";
  let genVerifyDecl = 1;
}

class Linnet_Composite<string name, string mnemo>
    : Linnet_Structure<name, mnemo, "countFactors(getParts())", ["findObstacle"]> {
  let parameters = (ins ArrayRefParameter<"StructureAttrInterface">:$parts);
  let assemblyFormat = "`<` `[` $parts `]` `>`";
  let genVerifyDecl = 1;
}

def Linnet_ProductAttr : Linnet_Composite<"ProductStructure", "product"> {
  let summary = "W = W_1 W_2 ... W_n, each of a structure of its own";
  let description = [{
    y = W_1 (W_2 (... (W_n x))). Factors: those of W_1, then those of W_2, and
    so on. What is written with other structures:

    - two factors of few bits: `product<[#linnet.quantized<8, 64>,
      #linnet.quantized<8, 64>]>`;
    - Monarch (Dao et al. 2022): `block_diagonal`, `permutation`,
      `block_diagonal`;
    - BLAST (Lee et al. 2024), b x b blocks that share r directions per row of
      blocks and column of blocks, W_ij = B_i diag(s_ij) C_j^T:
      `block_diagonal` (the B_i, b blocks `[out / b, r]`), `permutation`,
      `block_diagonal` (r blocks `[b, b]` of s), `permutation`,
      `block_diagonal` (the C_j^T, b blocks `[r, in / b]`).

    At least one part. Example:

    ```mlir
    %y = linnet.linear #linnet.product<[#linnet.dense, #linnet.permutation]> %x, %w, %order
      : (tensor<?x?x32xf32>, tensor<40x32xf32>, tensor<32xi32>) -> tensor<?x?x40xf32>
    ```
  }];
}

def Linnet_SumAttr : Linnet_Composite<"SumStructure", "sum"> {
  let summary = "W = W_1 + ... + W_n, each of a structure of its own";
  let description = [{
    y = W_1 x + ... + W_n x. Factors as of `product`. What is written with other
    structures:

    - codes of few bits and a correction of low rank:
      `sum<[#linnet.quantized<4, 64>, #linnet.low_rank]>`;
    - low rank and the blocks that it lacks most: `sum<[#linnet.low_rank,
      #linnet.block_sparse<16, 1, 32>]>`;
    - low rank and a diagonal: `sum<[#linnet.low_rank, #linnet.diag<40, 32>]>`.

    At least one part, all of the same input and output width. Example:

    ```mlir
    %y = linnet.linear #linnet.sum<[#linnet.dense, #linnet.low_rank]> %x, %w, %u, %v
      : (tensor<?x?x32xf32>, tensor<40x32xf32>, tensor<40x4xf32>, tensor<4x32xf32>) -> tensor<?x?x40xf32>
    ```
  }];
}

#endif // LINNET_ATTRIBUTES_TD
