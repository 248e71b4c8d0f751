//===- ConvolutionOps.td - time-invariant recurrences as convolutions -----===//

#ifndef LINNET_CONVOLUTION_OPS_TD
#define LINNET_CONVOLUTION_OPS_TD

include "dialects/Linnet/AccumulateOps.td"

def Linnet_LongConvOp : Linnet_InferredOp<"long_conv", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<StatefulOpInterface>]> {
  let summary = "Causal convolution over time with a filter as long as the text";
  let description = [{
    `y[b, t, c] = skip[c] x[b, t, c] + sum over j of h[g, j] x[b, t - j, c]`:
    tap 0 multiplies the current token, and tokens before the first are the
    state, zeros without one. Filter g serves the channels
    `g D / G .. (g + 1) D / G - 1`: one filter for all, one per head, or one per
    channel.

    Unlike `linnet.short_conv`, whose taps are few and a weight, the filter is
    usually computed (`linnet.ssm_kernel`, an implicit filter), and a target
    may transform it: the cost per token grows with the logarithm of the
    length.

    Shapes: `x`, `y` `[B, T, D]`, `filter` `[G, L]` (G divides D), `skip`
    `[D]`.

    State: `tail` `[B, L - 1, D]`, the last L - 1 inputs.

    Corner cases: taps beyond the tokens there are have no effect. T = 0
    returns the tail. A NaN or an infinity may spread to other tokens of its
    channel.

    Constraints: C1: G divides D and L >= 1. C2: skip is [D]. C3: the tail is
    [B, L - 1, D].

    Streamable. Lifespan: created by import or `linnet-select-form`; gone after
    `linnet-lower-cpu`. Source: S4 (Gu et al. 2021), Hyena (Poli et al. 2023).

    ```mlir
    %y, %t = linnet.long_conv %x, %h skip(%d)
           : (tensor<?x?x68xf32>, tensor<68x1024xf32>, tensor<68xf32>) -> (tensor<?x?x68xf32>, tensor<?x1023x68xf32>)
    ```
  }];
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$input, 2DTensorOf<[AnyFloat]>:$filter,
                       Optional<1DTensorOf<[AnyFloat]>>:$skip,
                       Optional<3DTensorOf<[AnyFloat]>>:$tail);
  let results = (outs 3DTensorOf<[AnyFloat]>:$result, 3DTensorOf<[AnyFloat]>:$new_tail);
  let assemblyFormat = [{
    $input `,` $filter (`skip` `(` $skip^ `)`)? (`tail` `(` $tail^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // LINNET_CONVOLUTION_OPS_TD
