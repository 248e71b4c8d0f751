// PaTH attention (Yang et al. 2025, "PaTH attention: position encoding via
// accumulating Householder transformations"): softmax over j of
// scale (q_i^T H_i ... H_{j+1} k_j + G_i - G_j), H = 1 - beta w w^T.

#row = affine_map<(b, t, h, d) -> (b, t, h, d)>
#head = affine_map<(b, t, h, d) -> (b, t, h)>
#entry = affine_map<(i, j) -> (i, j)>
!q = tensor<2x67x4x8xf32>
!k = tensor<2x67x2x8xf32>
!rate = tensor<2x67x2xf32>
!g = tensor<2x67x4xf32>
!one = tensor<1x1x1x1xf32>
!none = tensor<1x1x1x8xf32>
!group = tensor<2x67x2x2xf32>
!choice = tensor<2x67x4x2xf32>
!qw = tensor<2x67x4x10xf32>
!kw = tensor<2x67x2x10xf32>
!rows = tensor<8x8xf32>
!qs = tensor<2x4x8x8xf32>
!ks = tensor<2x2x8x8xf32>
!scores = tensor<2x67x4x67xf32>
!bias = tensor<2x4x67x67xf32>

// 1 where indices 2 modulo 2 and 3 agree: a query head picks its gate among
// those of its group.
func.func private @path_choice() -> !choice {
  %empty = tensor.empty() : !choice
  %choice = linalg.generic {indexing_maps = [#row], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%empty : !choice) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %two = arith.constant 2 : index
    %h = linalg.index 2 : index
    %d = linalg.index 3 : index
    %own = arith.remsi %h, %two : index
    %is = arith.cmpi eq, %own, %d : index
    %entry = arith.select %is, %one, %zero : f32
    linalg.yield %entry : f32
  } -> !choice
  return %choice : !choice
}

// -G, the gates of a group's query heads as channels of its key.
func.func private @path_gates(%g: !g) -> !group {
  %one = arith.constant dense<1.0> : !one
  %gates = tensor.expand_shape %g [[0], [1], [2, 3]] output_shape [2, 67, 2, 2] : !g into !group
  %sums, %state = linnet.scan #linnet.none %one, %one, %gates : (!one, !one, !group) -> (!group, tensor<2x2x1x2xf32>)
  %negated = arith.negf %sums : !group
  return %negated : !group
}

// %factor w per head.
func.func private @path_writer(%w: !k, %factor: !rate) -> !k {
  %empty = tensor.empty() : !k
  %writer = linalg.generic {indexing_maps = [#row, #head, #row], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%w, %factor : !k, !rate) outs(%empty : !k) {
  ^bb0(%x: f32, %y: f32, %unused: f32):
    %entry = arith.mulf %x, %y : f32
    linalg.yield %entry : f32
  } -> !k
  return %writer : !k
}

// beta / (1 - beta w . w): the inverse of a Householder factor is one.
func.func private @path_inverse(%w: !k, %beta: !rate) -> !rate {
  %zero = arith.constant dense<0.0> : !rate
  %squares = linalg.generic {indexing_maps = [#row, #head], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%w : !k) outs(%zero : !rate) {
  ^bb0(%x: f32, %sum: f32):
    %square = arith.mulf %x, %x : f32
    %next = arith.addf %sum, %square : f32
    linalg.yield %next : f32
  } -> !rate
  %one = arith.constant dense<1.0> : !rate
  %shrink = arith.mulf %beta, %squares : !rate
  %rest = arith.subf %one, %shrink : !rate
  %rate = arith.divf %beta, %rest : !rate
  return %rate : !rate
}

// With P_t = H_t ... H_1 the score is (P_i^T q_i) . (P_j^{-1} k_j): two
// recurrences that start at the identity and write nothing. Their values only
// say how wide the state is.
func.func private @path_attn(%q: !q, %k: !k, %v: !k, %w: !k, %beta: !rate, %g: !g) -> !q {
  %emptyRows = tensor.empty() : !rows
  %rows = linalg.generic {indexing_maps = [#entry], iterator_types = ["parallel", "parallel"]} outs(%emptyRows : !rows) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %row = linalg.index 0 : index
    %column = linalg.index 1 : index
    %is = arith.cmpi eq, %row, %column : index
    %entry = arith.select %is, %one, %zero : f32
    linalg.yield %entry : f32
  } -> !rows
  %emptyQs = tensor.empty() : !qs
  %emptyKs = tensor.empty() : !ks
  %qs = linalg.broadcast ins(%rows : !rows) outs(%emptyQs : !qs) dimensions = [0, 1]
  %ks = linalg.broadcast ins(%rows : !rows) outs(%emptyKs : !ks) dimensions = [0, 1]
  %none = arith.constant dense<0.0> : !none
  %negated = arith.negf %beta : !rate
  %forward = call @path_writer(%w, %negated) : (!k, !rate) -> !k
  %moved, %p = linnet.scan #linnet.rank_one<none>(%w, %forward) %q, %none, %q initial(%qs)
      : (!q, !none, !q, !k, !k, !qs) -> (!q, !qs)
  %rate = call @path_inverse(%w, %beta) : (!k, !rate) -> !rate
  %backward = call @path_writer(%w, %rate) : (!k, !rate) -> !k
  %anchored, %i = linnet.scan #linnet.rank_one<none>(%w, %backward) %k, %none, %k initial(%ks)
      : (!k, !none, !k, !k, !k, !ks) -> (!k, !ks)
  %choice = call @path_choice() : () -> !choice
  %gates = call @path_gates(%g) : (!g) -> !group
  %queries = tensor.concat dim(3) %moved, %choice : (!q, !choice) -> !qw
  %keys = tensor.concat dim(3) %anchored, %gates : (!k, !group) -> !kw
  %o = linnet.attention %queries, %keys, %v {causal, scale = 0.35355339059327379 : f64} : (!qw, !kw, !k) -> !q
  return %o : !q
}

// The scores are a recurrence that writes token j's key into column j: no
// inverses, whatever the factors.
func.func private @path_attn_scores(%q: !q, %k: !k, %v: !k, %w: !k, %beta: !rate, %g: !g) -> !q {
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
  %negated = arith.negf %beta : !rate
  %writer = call @path_writer(%w, %negated) : (!k, !rate) -> !k
  %scores, %state = linnet.scan #linnet.rank_one<none>(%w, %writer) %q, %k, %columns {scale = 0.35355339059327379 : f64}
      : (!q, !k, !scores, !k, !k) -> (!scores, tensor<2x4x8x67xf32>)
  %emptyBias = tensor.empty() : !bias
  %bias = linalg.transpose ins(%scores : !scores) outs(%emptyBias : !bias) permutation = [0, 2, 1, 3]
  %choice = call @path_choice() : () -> !choice
  %gates = call @path_gates(%g) : (!g) -> !group
  %o = linnet.attention %choice, %gates, %v bias(%bias) {causal, scale = 0.35355339059327379 : f64}
      : (!choice, !group, !k, !bias) -> !q
  return %o : !q
}
