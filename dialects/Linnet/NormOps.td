//===- NormOps.td - norms, activations, rotary ----------------------------===//

#ifndef LINNET_NORM_OPS_TD
#define LINNET_NORM_OPS_TD

include "dialects/Linnet/LinearOps.td"

def Linnet_NormOp : Linnet_InferredOp<"norm", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<TokenwiseOpInterface>]> {
  let summary = "RMS, layer, group or L2 normalisation of the last dimension";
  let description = [{
    With `u = x`, or `u = x act(gate)` for `gate_order = before`, over each of
    `groups` equal parts of the last dimension (n entries each):

    | kind | y |
    |-|-|
    | rms | u / sqrt(mean(u^2) + eps) |
    | layer | (u - mean(u)) / sqrt(mean((u - mean(u))^2) + eps) |
    | l2 | u / sqrt(sum(u^2) + eps) |

    then `y * w` (or `y * (1 + w)` with `unit_offset`), `+ bias`, and for
    `gate_order = after` `* act(gate)`. `act` is `gate_activation`.

    Shapes: `x`, `gate`, `y` `[..., D]`; `weight`, `bias` `[D]`.

    Corner cases: an all-zero row gives zeros (layer and rms: eps > 0).
    Statistics are taken in f32.

    Constraints: C1: groups divides D. C2: weight and bias are [D]. C3: the
    gate has x's shape. C4: unit_offset needs a weight.

    Lifespan: created by import; gone after `linnet-lower-cpu`.

    ```mlir
    %y = linnet.norm rms %x weight(%w) {eps = 1.0e-5 : f64}
           : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>
    %z = linnet.norm rms %x weight(%w) gate(%g) {eps = 1.0e-5 : f64, groups = 2 : i64, gate_order = #linnet.gate_order<before>}
           : (tensor<?x?x32xf32>, tensor<32xf32>, tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
    ```
  }];
  let arguments = (ins Linnet_NormKindAttr:$kind, AnyRankedTensor:$input,
                       Optional<1DTensorOf<[AnyFloat]>>:$weight,
                       Optional<1DTensorOf<[AnyFloat]>>:$bias,
                       Optional<AnyRankedTensor>:$gate,
                       ConfinedAttr<F64Attr, [AttrConstraint<CPred<"::llvm::cast<::mlir::FloatAttr>($_self).getValueAsDouble() > 0">, "positive">]>:$eps,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$groups,
                       UnitAttr:$unit_offset,
                       DefaultValuedAttr<Linnet_GateOrderAttr, "GateOrder::After">:$gate_order,
                       DefaultValuedAttr<Linnet_ActivationAttr, "Activation::Silu">:$gate_activation);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    custom<Keyword>($kind) $input (`weight` `(` $weight^ `)`)? (`bias` `(` $bias^ `)`)?
    (`gate` `(` $gate^ `)`)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Linnet_ActivationOp : Linnet_InferredOp<"activation", [
    SameOperandsAndResultShape, DeclareOpInterfaceMethods<TokenwiseOpInterface>,
    DeclareOpInterfaceMethods<ZerosOpInterface>]> {
  let summary = "A pointwise activation";
  let description = [{
    | kind | y |
    |-|-|
    | identity | x |
    | silu | x / (1 + e^-x) |
    | gelu | x (1 + erf(x / sqrt 2)) / 2 |
    | gelu_tanh | x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 |
    | relu | max(x, 0) |
    | relu2 | max(x, 0)^2 |
    | sigmoid | 1 / (1 + e^-x) |
    | tanh | tanh x |
    | softplus | ln(1 + e^x) |

    Shapes: `y` as `x`. Corner cases: softplus and silu do not overflow.

    Lifespan: created by import; gone after `linnet-lower-cpu`.

    ```mlir
    %y = linnet.activation softplus %x : tensor<2x5xf32>
    ```
  }];
  let arguments = (ins Linnet_ActivationAttr:$kind, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "custom<Keyword>($kind) $input attr-dict `:` type($input)";
}

def Linnet_GluOp : Linnet_InferredOp<"glu", [
    SameTypeOperands, DeclareOpInterfaceMethods<TokenwiseOpInterface>,
    DeclareOpInterfaceMethods<ZerosOpInterface>]> {
  let summary = "A gated activation: act(gate) * up";
  let description = [{
    `y = act(gate) * up`, elementwise; activations as in `linnet.activation`.

    Shapes: all alike. Source: Shazeer 2020, "GLU variants".

    Lifespan: created by import; gone after `linnet-lower-cpu`.

    ```mlir
    %y = linnet.glu silu %gate, %up : tensor<2x5x40xf32>
    ```
  }];
  let arguments = (ins Linnet_ActivationAttr:$kind, AnyRankedTensor:$gate,
                       AnyRankedTensor:$up);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "custom<Keyword>($kind) $gate `,` $up attr-dict `:` type($gate)";
}

def Linnet_ThresholdOp : Linnet_InferredOp<"threshold", [
    DeclareOpInterfaceMethods<TokenwiseOpInterface>,
    DeclareOpInterfaceMethods<ZerosOpInterface>]> {
  let summary = "Small entries become zero";
  let description = [{
    `y[..., j] = 0` where `|x[..., j]| <= thresholds[j]`, else `x[..., j]`.

    In front of a linear map W, `thresholds[j] = t` leaves out small inputs
    (TEAL, Liu et al. 2024), and `thresholds[j] = t / |W[:, j]|`, with the norm
    of column j, inputs that add little to the output: those for which
    `|x_j| |W[:, j]| <= t` (CETT, Zhang et al. 2024, "ReLU^2 wins"). Kernels of
    few rows then read the columns that are left.

    Shapes: `x`, `y` `[..., D]`; `thresholds` `[D]`.

    Corner cases: a threshold of 0 changes nothing, nor does one that is
    negative or NaN. NaN stays NaN. It is a step: entries that rounding moves
    across their threshold differ by as much.

    Constraints: C1: x's last dimension has the thresholds' size.

    Lifespan: created by import; gone after `linnet-lower-cpu`.

    ```mlir
    %y = linnet.threshold %x, %thresholds
           : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, 1DTensorOf<[AnyFloat]>:$thresholds);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $thresholds attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Linnet_RotaryOp : Linnet_InferredOp<"rotary", [
    DeclareOpInterfaceMethods<TokenwiseOpInterface>]> {
  let summary = "Rotary position embedding";
  let description = [{
    With R inverse frequencies f, token t rotates the pairs (a_m, b_m),
    m < R, of the first 2R entries of every head by the angle
    `(position + t) f_m` and multiplies them by `scaling`:

        (a cos - b sin, b cos + a sin)

    Half layout (default): `a = x[0:R]`, `b = x[R:2R]`. `interleaved`:
    `a = x[0::2]`, `b = x[1::2]` of the first 2R. The entries from 2R on pass.
    Frequency scaling (linear, llama3, yarn) is folded into f by the
    importer. The angle is the f32 product of the f32 position and the f32
    frequency by definition: that is how every published checkpoint was
    trained.

    Shapes: `x`, `y` `[B, T, H, D]`; `position` the tokens before the first.

    Constraints: C1: x has rank 4. C2: 2R <= D.

    Lifespan: created by import; gone after `linnet-lower-cpu`. Source: Su et
    al. 2021.

    ```mlir
    %y = linnet.rotary %x, %position {inverse_frequencies = array<f32: 1.0, 0.01>}
           : (tensor<?x?x3x10xf32>, index) -> tensor<?x?x3x10xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Index:$position,
                       DenseF32ArrayAttr:$inverse_frequencies,
                       DefaultValuedAttr<F32Attr, "1.0f">:$scaling,
                       UnitAttr:$interleaved);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $position attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // LINNET_NORM_OPS_TD
