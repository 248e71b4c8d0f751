// Attention whose scores decay per channel:
// softmax over j of scale sum_d q_id k_jd exp(G_id - G_jd), G the running sum
// of a log gate per query head and channel.

#row = affine_map<(b, t, h, d) -> (b, t, h, d)>
#grouped = affine_map<(b, t, h, r, d) -> (b, t, h, r, d)>
#shared = affine_map<(b, t, h, r, d) -> (b, t, h, d)>
!q = tensor<2x67x4x8xf32>
!k = tensor<2x67x2x8xf32>
!v = tensor<2x67x2x12xf32>
!o = tensor<2x67x4x12xf32>
!one = tensor<1x1x1x1xf32>
!groups = tensor<2x67x2x2x8xf32>
!values = tensor<2x67x2x2x12xf32>
!scores = tensor<2x67x4x67xf32>
!bias = tensor<2x4x67x67xf32>
!noq = tensor<2x67x4x1xf32>
!nok = tensor<2x67x2x1xf32>

// The decay taken apart into factors of query and key: bounded sums only.
func.func private @wall_attn(%q: !q, %k: !k, %v: !v, %g: !q) -> !o {
  %one = arith.constant dense<1.0> : !one
  %G, %state = linnet.scan #linnet.none %one, %one, %g : (!one, !one, !q) -> (!q, tensor<2x4x1x8xf32>)
  %decay = math.exp %G : !q
  %queries = arith.mulf %q, %decay : !q
  %grouped = tensor.expand_shape %G [[0], [1], [2, 3], [4]] output_shape [2, 67, 2, 2, 8] : !q into !groups
  %empty = tensor.empty() : !groups
  %scaled = linalg.generic {indexing_maps = [#shared, #grouped, #grouped], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%k, %grouped : !k, !groups) outs(%empty : !groups) {
  ^bb0(%key: f32, %sum: f32, %unused: f32):
    %negated = arith.negf %sum : f32
    %growth = math.exp %negated : f32
    %entry = arith.mulf %key, %growth : f32
    linalg.yield %entry : f32
  } -> !groups
  %keys = tensor.collapse_shape %scaled [[0], [1], [2, 3], [4]] : !groups into !q
  %emptyValues = tensor.empty() : !values
  %repeated = linalg.broadcast ins(%v : !v) outs(%emptyValues : !values) dimensions = [3]
  %values = tensor.collapse_shape %repeated [[0], [1], [2, 3], [4]] : !values into !o
  %o = linnet.attention %queries, %keys, %values {causal, scale = 0.35355339059327379 : f64} : (!q, !q, !o) -> !o
  return %o : !o
}

// The scores are a recurrence that writes token j's key into column j:
// exponentials of nothing above 0, at any length.
func.func private @wall_attn_scores(%q: !q, %k: !k, %v: !v, %g: !q) -> !o {
  %empty = tensor.empty() : !scores
  %columns = linalg.generic {indexing_maps = [#row], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%empty : !scores) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %t = linalg.index 1 : index
    %j = linalg.index 3 : index
    %is = arith.cmpi eq, %t, %j : index
    %entry = arith.select %is, %one, %zero : f32
    linalg.yield %entry : f32
  } -> !scores
  %scores, %state = linnet.scan #linnet.diagonal(%g) %q, %k, %columns {scale = 0.35355339059327379 : f64}
      : (!q, !k, !scores, !q) -> (!scores, tensor<2x4x8x67xf32>)
  %emptyBias = tensor.empty() : !bias
  %bias = linalg.transpose ins(%scores : !scores) outs(%emptyBias : !bias) permutation = [0, 2, 1, 3]
  %noq = arith.constant dense<0.0> : !noq
  %nok = arith.constant dense<0.0> : !nok
  %o = linnet.attention %noq, %nok, %v bias(%bias) {causal, scale = 1.0 : f64} : (!noq, !nok, !v, !bias) -> !o
  return %o : !o
}
