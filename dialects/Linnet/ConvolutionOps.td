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

def Linnet_SsmKernelOp : Linnet_PureOp<"ssm_kernel"> {
  let summary = "The filter of a time-invariant recurrence";
  let description = [{
    What `linnet.scan` with these time-invariant operands answers to one impulse:

        h[c, l] = scale q^T T^l(k)                       (k: what is written)

    Convolving with it equals running the scan from a zero state.

    Shapes: query, key and transition operands are those of `linnet.scan`
    without batch and time: `q`, `k` `[Hq, K]`, ... ; `h` `[H V, L]`, where V is
    1 unless a transition operand has a dimension `v`. Entry `(h, v)` of the
    recurrence is channel `h V + v`. Broadcasting is that of `linnet.scan`.

    By the transition this is the kernel of S4D, S5 or LRU (`complex`,
    `complex_value`: a Vandermonde product), of LSSL and S4 (`block` with the
    discretised matrix, `rank_one`: a Krylov product). Discretisation is glue.

    Corner cases: a log decay of -inf gives h[c, l] = 0 for l > 0.

    Constraints: C1: q and k are [H, K]. C2: each operand fits. C3: the number
    of transition operands. C4: h is [H V, L]. C5: an even K for a complex
    state.

    Lifespan: created by import or `linnet-select-form`; gone after
    `linnet-lower-cpu`. Source: Gu et al. 2021 (LSSL, S4), 2022 (S4D).

    ```mlir
    %h = linnet.ssm_kernel #linnet.complex(%g, %p) %q, %k
       : (tensor<12x8xf32>, tensor<12x8xf32>, tensor<12x4xf32>, tensor<12x4xf32>) -> tensor<12x1024xf32>
    ```
  }];
  let arguments = (ins 2DTensorOf<[AnyFloat]>:$query, 2DTensorOf<[AnyFloat]>:$key,
                       Variadic<AnyRankedTensor>:$parameters,
                       TransitionAttrInterface:$transition,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs 2DTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = [{
    $transition (`(` $parameters^ `)`)? $query `,` $key attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Columns of the recurrence's state, and its heads.
    int64_t getValueWidth();
    int64_t getHeads();
  }];
}

#endif // LINNET_CONVOLUTION_OPS_TD
