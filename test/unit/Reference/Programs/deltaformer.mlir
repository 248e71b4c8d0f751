// DeltaFormer (Zhong et al. 2025): u_t = v_t - beta_t sum over j < t of
// softmax(scale q_t . k_j) u_j, and attention over u. The state's rows are
// tokens: what is read at token t are its probabilities.

#row = affine_map<(b, t, h, d) -> (b, t, h, d)>
#head = affine_map<(b, t, h, d) -> (b, t, h)>
!q = tensor<2x67x2x8xf32>
!beta = tensor<2x67x2xf32>
!tokens = tensor<2x67x2x67xf32>
!strict = tensor<1x1x67x67xf32>

func.func private @deltaformer(%q: !q, %k: !q, %v: !q, %beta: !beta) -> !q {
  %empty = tensor.empty() : !tokens
  %key = linalg.generic {indexing_maps = [#row], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%empty : !tokens) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %t = linalg.index 1 : index
    %j = linalg.index 3 : index
    %is = arith.cmpi eq, %t, %j : index
    %entry = arith.select %is, %one, %zero : f32
    linalg.yield %entry : f32
  } -> !tokens
  %writer = linalg.generic {indexing_maps = [#row, #head, #row], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%key, %beta : !tokens, !beta) outs(%empty : !tokens) {
  ^bb0(%x: f32, %y: f32, %unused: f32):
    %product = arith.mulf %x, %y : f32
    %entry = arith.negf %product : f32
    linalg.yield %entry : f32
  } -> !tokens
  %emptyBias = tensor.empty() : !strict
  %strict = linalg.generic {indexing_maps = [#row], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%emptyBias : !strict) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0.0 : f32
    %masked = arith.constant 0xFF800000 : f32
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %is = arith.cmpi eq, %i, %j : index
    %entry = arith.select %is, %masked, %zero : f32
    linalg.yield %entry : f32
  } -> !strict
  // Values of one column per token show the probabilities.
  %before = linnet.attention %q, %k, %key bias(%strict) {causal, scale = 0.35355339059327379 : f64}
      : (!q, !q, !tokens, !strict) -> !tokens
  %upto = linnet.attention %q, %k, %key {causal, scale = 0.35355339059327379 : f64} : (!q, !q, !tokens) -> !tokens
  %o, %state = linnet.scan #linnet.rank_one<none>(%before, %writer) %upto, %key, %v
      : (!tokens, !tokens, !q, !tokens, !tokens) -> (!q, tensor<2x2x67x8xf32>)
  return %o : !q
}
