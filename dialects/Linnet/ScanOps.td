//===- ScanOps.td - the recurrence and the short convolution --------------===//

#ifndef LINNET_SCAN_OPS_TD
#define LINNET_SCAN_OPS_TD

include "dialects/Linnet/LinearOps.td"

def Linnet_ScanOp : Linnet_InferredOp<"scan", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<StatefulOpInterface>]> {
  let summary = "The one linear recurrence";
  let description = [{
    Per batch row and head, with a state S of K x V:

        S_t = T_t(S_{t-1}) + k_t v_t^T
        o_t = scale S_t^T q_t                                  (readout post)
        o_t = scale (S_{t-1} + (u (.) k_t) v_t^T)^T q_t        (readout pre)

    T_t is the transition attribute; a tied (delta) transition writes
    `beta k` instead of `k`. `u` is the optional `bonus` of `pre` (without it
    the term is absent).

    Shapes: `q`, `k` `[B, T, Hq, K]`, `v` `[B, T, H, V]`, transition operands
    as the attribute says, `bonus` `[B, T, H, K]`; `o` `[B, T, H, V]`,
    `state` `[B, H, K, V]`. H, K and V are v's heads, k's and v's widths.
    Indexing is by shape: in every operand but v a time, batch, key or value
    dimension of size 1 broadcasts, and a head dimension of Hx entries (Hx
    divides H) serves head j with entry `j / (H / Hx)`. Grouped queries,
    shared values and time-invariant parameters therefore need no attribute.

    `reverse` runs from the last token to the first.

    `micro_steps = n` takes n steps of the recurrence per token, and reads the
    state after the last: `v` and what depends on the head in `k` and in the
    transition operands has n groups of heads, one per step and in their order
    (`[B, T, n H, V]`); `q`, `o` and `state` have H. A decay of the first step
    alone is one whose other groups are zero. Products of n delta steps are
    the gated DeltaProduct (Siems et al. 2025).

    `resets` `[B, T]`, integers: before a token whose entry is not 0 the state
    is zero, whatever it was: sequences of several lengths packed one behind
    the other stay apart. `initial` is before the first token, so an entry of
    1 there drops it.

    `form` is how a target shall compute it; `linnet-select-form` chooses one
    where it is `auto`. It never changes the result but by rounding. Tokens that
    fill no chunk go one by one.

    Corner cases: a log decay of -inf, or one whose exponential is zero in the
    target's precision, erases exactly, whatever stood there, as a reset does;
    NaN and infinities too. In a product of operands 0 times -inf is NaN. A
    positive log decay grows (the factor exp(g) exceeds one). beta may be any
    number: with unit keys the eigenvalue along k is 1 - beta, so that values
    outside [0, 2] are unstable. A NaN in an operand makes what it meets NaN
    from its token on (a query only that token), in its head and row of the
    batch only, until a reset or, where nothing read it before, an erasing
    decay; an entry of zero in a block reads nothing. An infinity makes results
    infinite or NaN, which may differ between forms. In the convolution form
    both may reach earlier tokens of their channel. B, T, H, K and V may be 0:
    T = 0 returns the initial state, K = 0 gives zeros; a block has at least one
    row (M >= 1).

    Constraints: C1: q and k agree. C2: each operand fits by the rule above.
    C3: the state is [B, H, K, V]. C4: bonus only with readout pre. C5: the
    number of transition operands. C6: an even K for a complex state. C7: a form
    that is legal for the transition. C8: resets are integers [B, T].
    C9: micro-steps divide the heads of `v`, and of `k` and the transition
    operands where they have more than one; several are read post.

    Streamable unless reverse. Lifespan: created by import; gone after
    `linnet-lower-cpu`. Source: the normal form of the linear-attention
    literature (Yang et al. 2024; Dao and Gu 2024).

    ```mlir
    %o, %s = linnet.scan #linnet.scalar(%g) %q, %k, %v
           : (tensor<?x?x1x12xf32>, tensor<?x?x1x12xf32>, tensor<?x?x5x12xf32>, tensor<?x?x5xf32>)
             -> (tensor<?x?x5x12xf32>, tensor<?x5x12x12xf32>)
    ```
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key,
                       AnyRankedTensor:$value,
                       Variadic<AnyRankedTensor>:$parameters,
                       Optional<AnyRankedTensor>:$bonus,
                       Optional<AnyRankedTensor>:$initial,
                       Optional<2DTensorOf<[AnySignlessInteger]>>:$resets,
                       TransitionAttrInterface:$transition,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale,
                       DefaultValuedAttr<Linnet_ReadoutAttr, "Readout::Post">:$readout,
                       UnitAttr:$reverse,
                       DefaultValuedAttr<Linnet_ScanFormAttr, "ScanForm::Auto">:$form,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$micro_steps);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$state);
  let assemblyFormat = [{
    $transition (`(` $parameters^ `)`)? $query `,` $key `,` $value
    (`bonus` `(` $bonus^ `)`)? (`initial` `(` $initial^ `)`)?
    (`resets` `(` $resets^ `)`)? attr-dict `:` functional-type(operands, results)
  }];
  let builders = [
    // Without resets.
    OpBuilder<(ins "Value":$query, "Value":$key, "Value":$value, "ValueRange":$parameters, "Value":$bonus,
                   "Value":$initial, "TransitionAttrInterface":$transition, "APFloat":$scale,
                   CArg<"Readout", "Readout::Post">:$readout, CArg<"bool", "false">:$reverse,
                   CArg<"ScanForm", "ScanForm::Auto">:$form, CArg<"int64_t", "1">:$microSteps), [{
      build($_builder, $_state, query, key, value, parameters, bonus, initial, /*resets=*/Value(), transition, scale,
            readout, reverse, form, microSteps);
    }]>];
  let hasVerifier = 1;
}

def Linnet_StepOp : Linnet_InferredOp<"step", [AttrSizedOperandSegments]> {
  let summary = "One token of the recurrence";
  let description = [{
    `linnet.scan` for exactly one token: the same operands without the time
    dimension, the state explicit.

    Shapes: `q`, `k` `[B, Hq, K]`, `v` `[B, H, V]`, parameters without `T`,
    `initial`, `state` `[B, H, K, V]`; `o` `[B, H, V]`.

    Corner cases: those of `linnet.scan`.

    Constraints: those of `linnet.scan`.

    Lifespan: written by hand; becomes a scan over one token in
    `linnet-expand-step`.

    ```mlir
    %o, %s = linnet.step #linnet.scalar(%g) %q, %k, %v initial(%s0)
           : (tensor<2x1x12xf32>, tensor<2x1x12xf32>, tensor<2x5x12xf32>, tensor<2x5xf32>, tensor<2x5x12x12xf32>)
             -> (tensor<2x5x12xf32>, tensor<2x5x12x12xf32>)
    ```
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key,
                       AnyRankedTensor:$value,
                       Variadic<AnyRankedTensor>:$parameters,
                       Optional<AnyRankedTensor>:$bonus,
                       AnyRankedTensor:$initial,
                       TransitionAttrInterface:$transition,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale,
                       DefaultValuedAttr<Linnet_ReadoutAttr, "Readout::Post">:$readout,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$micro_steps);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$state);
  let assemblyFormat = [{
    $transition (`(` $parameters^ `)`)? $query `,` $key `,` $value
    (`bonus` `(` $bonus^ `)`)? `initial` `(` $initial `)` attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Linnet_ShortConvOp : Linnet_InferredOp<"short_conv", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<StatefulOpInterface>]> {
  let summary = "Causal depthwise convolution over time";
  let description = [{
    `y[b, t, c] = act(bias[c] + sum_j w[c, 0, j] x[b, t - W + 1 + j, c])`: the
    last tap multiplies the current token; tokens before the first are the
    state, zeros without one.

    Shapes: `x`, `y` `[B, T, C]`, `weight` `[C, 1, W]`, `bias` `[C]`.

    State: `tail` `[B, W - 1, C]`, the last W - 1 inputs.

    Constraints: C1: weight is [C, 1, W], W >= 1. C2: bias is [C]. C3: the
    tail is [B, W - 1, C].

    Streamable. Lifespan: created by import; gone after `linnet-lower-cpu`.
    Matches ONNX's CausalConvWithState.

    ```mlir
    %y, %t = linnet.short_conv %x, %w bias(%b) {activation = #linnet.activation<silu>}
           : (tensor<?x?x68xf32>, tensor<68x1x4xf32>, tensor<68xf32>) -> (tensor<?x?x68xf32>, tensor<?x3x68xf32>)
    ```
  }];
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$input, 3DTensorOf<[AnyFloat]>:$weight,
                       Optional<1DTensorOf<[AnyFloat]>>:$bias,
                       Optional<3DTensorOf<[AnyFloat]>>:$tail,
                       DefaultValuedAttr<Linnet_ActivationAttr, "Activation::Identity">:$activation);
  let results = (outs 3DTensorOf<[AnyFloat]>:$result, 3DTensorOf<[AnyFloat]>:$new_tail);
  let assemblyFormat = [{
    $input `,` $weight (`bias` `(` $bias^ `)`)? (`tail` `(` $tail^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // LINNET_SCAN_OPS_TD
