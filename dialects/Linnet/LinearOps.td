//===- LinearOps.td - linear maps and lookups -----------------------------===//

#ifndef LINNET_LINEAR_OPS_TD
#define LINNET_LINEAR_OPS_TD

include "dialects/Linnet/LinnetAttributes.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Linnet_PureOp<string mnemonic, list<Trait> traits = []>
    : Linnet_Op<mnemonic, !listconcat([Pure], traits)>;

/// Result types follow from the operands: passes that change an operand's
/// shape refresh the result by asking the operation.
class Linnet_InferredOp<string mnemonic, list<Trait> traits = []>
    : Linnet_PureOp<mnemonic, !listconcat(
        [InferTypeOpAdaptor], traits)>;

def Linnet_LinearOp : Linnet_InferredOp<"linear", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<TokenwiseOpInterface>]> {
  let summary = "A structured linear map: y = W x + bias";
  let description = [{
    `y[..., o] = sum_i W[o, i] x[..., i] + bias[o]`, where `W` follows from
    the factors by the structure attribute (its `toDense`). Accumulates in
    f32.

    Shapes: `x` `[..., in]`, factors as the structure says, `bias` `[out]`;
    `y` `[..., out]` with x's element type.

    With `skips_zeros`, which `linnet-skip-zeros` sets, kernels of few rows leave
    out the weights of inputs that are zero in all rows. Exact where the weights
    are finite: 0 times an infinity or NaN is 0 then.

    Corner cases: no leading dimensions (a vector) is allowed.

    Constraints: C1: the factors fit the structure. C2: x's last dimension is
    the structure's input width. C3: the bias has the output width.

    Lifespan: created by import and the compression passes; structures
    without a kernel of their own (all but `dense`, `block_diagonal`,
    `block_sparse`, `diag`, `nm_sparse`, `permutation`, `quantized` and
    `toeplitz`) become such maps in `linnet-expand-structures`; gone after
    `linnet-lower-cpu`.

    ```mlir
    %y = linnet.linear #linnet.dense %x, %w
           : (tensor<2x5x32xf32>, tensor<40x32xf32>) -> tensor<2x5x40xf32>
    %z = linnet.linear #linnet.low_rank %x, %u, %v bias(%b)
           : (tensor<2x5x32xf32>, tensor<40x4xf32>, tensor<4x32xf32>, tensor<40xf32>) -> tensor<2x5x40xf32>
    %h = linnet.linear #linnet.block_diagonal %x, %blocks
           : (tensor<2x5x32xf32>, tensor<4x10x8xf32>) -> tensor<2x5x40xf32>
    %p = linnet.linear #linnet.pivoted_low_rank %x, %columns, %coefficients, %order
           : (tensor<2x5x32xf32>, tensor<40x4xf32>, tensor<4x28xf32>, tensor<32xi32>) -> tensor<2x5x40xf32>
    %q = linnet.linear #linnet.quantized<4, 16> %x, %codes, %scales
           : (tensor<2x5x32xf32>, tensor<40x16xi8>, tensor<40x2xbf16>) -> tensor<2x5x40xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Variadic<AnyRankedTensor>:$factors,
                       Optional<AnyRankedTensor>:$bias,
                       StructureAttrInterface:$structure,
                       UnitAttr:$skips_zeros);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $structure $input `,` $factors (`bias` `(` $bias^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Linnet_EmbeddingOp : Linnet_InferredOp<"embedding", [
    DeclareOpInterfaceMethods<TokenwiseOpInterface>]> {
  let summary = "Rows of a table, by number";
  let description = [{
    `y[b, t, :] = table[ids[b, t], :]`, widened to f32.

    Shapes: `ids` `[...]` of integers, `table` `[rows, D]`; `y` `[..., D]`.

    Corner cases: a number outside `[0, rows)` is the caller's error: the
    runtime and the reference evaluator check tokens before they run.

    Lifespan: created by import; gone after `linnet-lower-cpu`.

    ```mlir
    %x = linnet.embedding %tokens, %table
           : (tensor<?x?xi32>, tensor<96x32xbf16>) -> tensor<?x?x32xf32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[AnyInteger]>:$ids, 2DTensorOf<[AnyFloat]>:$table);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $ids `,` $table attr-dict `:` functional-type(operands, results)
  }];
}

def Linnet_PositionsOp : Linnet_InferredOp<"positions", [
    DeclareOpInterfaceMethods<TokenwiseOpInterface>]> {
  let summary = "Absolute positions of the tokens";
  let description = [{
    `y[b, t] = position + t`: what a learned position table is read with.

    Shapes: `ids` `[B, T]` (only its shape is used), `position` the number of
    tokens before the first; `y` `[B, T]` of i32.

    Lifespan: created by import; gone after `linnet-lower-cpu`.

    ```mlir
    %p = linnet.positions %tokens, %position : (tensor<?x?xi32>, index) -> tensor<?x?xi32>
    ```
  }];
  let arguments = (ins 2DTensorOf<[AnyInteger]>:$ids, Index:$position);
  let results = (outs 2DTensorOf<[I32]>:$result);
  let assemblyFormat = [{
    $ids `,` $position attr-dict `:` functional-type(operands, results)
  }];
}

#endif // LINNET_LINEAR_OPS_TD
