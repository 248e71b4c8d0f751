//===- AttentionOps.td - the quadratic mixer ------------------------------===//

#ifndef LINNET_ATTENTION_OPS_TD
#define LINNET_ATTENTION_OPS_TD

include "dialects/Linnet/LinearOps.td"

def Linnet_AttentionOp : Linnet_InferredOp<"attention", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<StatefulOpInterface>]> {
  let summary = "Softmax attention over all, past, or recent tokens";
  let description = [{
    Head h reads key/value head `h / (H / Hk)`. With query token i at absolute
    index `position + i` and keys at absolute indices j:

        s_ij = scale q_i . k_j,  then cap tanh(s / cap) with soft_cap,
        s_ij += bias[b, h, i, j],
        s_ij = -inf where masked,  p = softmax_j(s),  o_i = sum_j p_ij v_j

    Masked: with `causal`, j later than i; with `window = w`, `i - j >= w`
    (and, without causal, `j - i >= w`); with `key_mask`, `key_mask[b, j] = 0`.

    Shapes: `q` `[B, T, H, D]`, `k` `[B, S, Hk, D]`, `v` `[B, S, Hk, Dv]`,
    `key_mask` `[B, S]` of integers, `bias` `[B or 1, H or 1, T, S]`;
    `o` `[B, T, H, Dv]`. Without a cache the absolute indices start at 0.
    Without `v` the values are the first Dv = `value_width` entries of the
    keys, as in latent attention (DeepSeek-AI 2024), whose keys are a latent
    that is also the value, and positions.

    State: `keys` `[B, C, Hk, D]` and, with `v`, `values` `[B, C, Hk, Dv]` for
    a context of C tokens. With a cache, `k` and `v` (then S = T) are written
    at `position` and the queries see the first `position + T` cached tokens.

    Corner cases: a row with every key masked gives zeros. NaN in q or k of a
    visible pair gives NaN.

    Constraints: C1: ranks are 4. C2: Hk divides H and widths agree. C3: cache
    and position come together; the cache fits k and v. C4: window and
    soft_cap are positive. C5: bias and key_mask have their shapes, and not
    with a cache. C6: there is either `v` or a `value_width` of 1 to D.

    Streamable if causal. Lifespan: created by import; gone after
    `linnet-lower-cpu`. Source: Vaswani et al. 2017; Ainslie et al. 2023.

    ```mlir
    %o = linnet.attention %q, %k, %v {causal, scale = 0.25 : f64}
           : (tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>) -> tensor<?x?x4x16xf32>
    %l = linnet.attention %r, %c {causal, scale = 0.25 : f64, value_width = 16 : i64}
           : (tensor<?x?x4x24xf32>, tensor<?x?x1x24xf32>) -> tensor<?x?x4x16xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key,
                       Optional<AnyRankedTensor>:$value,
                       Optional<AnyRankedTensor>:$bias,
                       Optional<AnyRankedTensor>:$key_mask,
                       Variadic<AnyRankedTensor>:$cache,
                       Optional<Index>:$position, F64Attr:$scale,
                       UnitAttr:$causal, OptionalAttr<I64Attr>:$window,
                       OptionalAttr<F64Attr>:$soft_cap,
                       OptionalAttr<I64Attr>:$value_width);
  let results = (outs AnyRankedTensor:$result, Variadic<AnyRankedTensor>:$new_cache);
  let assemblyFormat = [{
    $query `,` $key (`,` $value^)? (`bias` `(` $bias^ `)`)?
    (`key_mask` `(` $key_mask^ `)`)? (`cache` `(` $cache^ `)`)?
    (`at` $position^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether the values are a part of the keys.
    bool valuesAreKeys() { return !getValue(); }
    /// Dv.
    int64_t getWidthOfValues() {
      if (valuesAreKeys())
        return *getValueWidth();
      return ::llvm::cast<::mlir::RankedTensorType>(getValue().getType())
          .getDimSize(3);
    }
    /// What goes into the cache: keys, and values if they are not the keys.
    ::llvm::SmallVector<::mlir::Value> getCached() {
      if (valuesAreKeys())
        return {getKey()};
      return {getKey(), getValue()};
    }
  }];
}

#endif // LINNET_ATTENTION_OPS_TD
