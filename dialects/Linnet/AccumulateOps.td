//===- AccumulateOps.td - running sums in the log domain ------------------===//

#ifndef LINNET_ACCUMULATE_OPS_TD
#define LINNET_ACCUMULATE_OPS_TD

include "dialects/Linnet/ScanOps.td"

def Linnet_LogCumsumExpOp : Linnet_InferredOp<"log_cumsum_exp", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<StatefulOpInterface>]> {
  let summary = "Running logarithm of a sum of exponentials over time";
  let description = [{
    `z[b, t, c] = log(exp(z[b, t - 1, c] + d[b, t, c]) + exp(x[b, t, c]))`,
    or with `maximum` the running maximum
    `z[b, t, c] = max(z[b, t - 1, c] + d[b, t, c], x[b, t, c])`; z before the
    first token is -inf. `decay` d is 0 where it is absent. `before[b, t, c]`
    is `z[b, t - 1, c]`.

    This is how a recurrence is normalised or stabilised whose keys are
    exponentials: a scan with the key `e^{x - z}` and the log decay
    `before + d - z` holds the exact state divided by e^z, all of whose
    factors are at most one.

    Shapes: `x`, `z`, `before` `[B, T, C]`; `decay` `[B, T, C]`, where a size
    of 1 broadcasts.

    State: `state` `[B, 2, C]`: row 0 is 1 if z is above -inf, else 0; row 1 is
    z, or 0. Zeros are therefore the start.

    Corner cases: the first token's `before` is -inf, so that the log decay
    erases. While all x so far are -inf, z is -inf and `before - z` NaN.
    T = 0 returns the state.

    Constraints: C1: the decay fits x. C2: the state is [B, 2, C].

    Streamable. Lifespan: created by import; gone after `linnet-lower-cpu`.
    Source: Milakov and Gimelshein 2018 (online softmax); its use in LightNet
    (Qin et al. 2024), RWKV-4 (Peng et al. 2023) and, with the maximum, xLSTM
    (Beck et al. 2024).

    ```mlir
    %z, %before, %s = linnet.log_cumsum_exp %x
           : (tensor<?x?x12xf32>) -> (tensor<?x?x12xf32>, tensor<?x?x12xf32>, tensor<?x2x12xf32>)
    ```
  }];
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$input,
                       Optional<3DTensorOf<[AnyFloat]>>:$decay,
                       Optional<3DTensorOf<[AnyFloat]>>:$initial,
                       UnitAttr:$maximum);
  let results = (outs 3DTensorOf<[AnyFloat]>:$result, 3DTensorOf<[AnyFloat]>:$before,
                      3DTensorOf<[AnyFloat]>:$state);
  let assemblyFormat = [{
    $input (`decay` `(` $decay^ `)`)? (`initial` `(` $initial^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // LINNET_ACCUMULATE_OPS_TD
