// Forgetting attention (Lin et al. 2025): softmax over j of
// scale q_i . k_j + G_i - G_j with G the running sum of a log gate per query
// head, which is a recurrence of one key row.

#row = affine_map<(b, t, h, d) -> (b, t, h, d)>
#from = affine_map<(b, h, i, j) -> (b, i, h)>
#to = affine_map<(b, h, i, j) -> (b, j, h)>
!q = tensor<2x67x4x8xf32>
!k = tensor<2x67x2x8xf32>
!v = tensor<2x67x2x12xf32>
!g = tensor<2x67x4xf32>
!o = tensor<2x67x4x12xf32>
!one = tensor<1x1x1x1xf32>
!group = tensor<2x67x2x2xf32>
!choice = tensor<2x67x4x2xf32>
!gates = tensor<2x67x1x4xf32>
!bias = tensor<2x4x67x67xf32>
!qw = tensor<2x67x4x10xf32>
!kw = tensor<2x67x2x10xf32>

// The gates of a group's query heads are channels of its key, and a query
// head picks its own. A softmax does not see G_i.
func.func private @forgetting_attn(%q: !q, %k: !k, %v: !v, %g: !g) -> !o {
  %one = arith.constant dense<1.0> : !one
  %gates = tensor.expand_shape %g [[0], [1], [2, 3]] output_shape [2, 67, 2, 2] : !g into !group
  %sums, %state = linnet.scan #linnet.none %one, %one, %gates : (!one, !one, !group) -> (!group, tensor<2x2x1x2xf32>)
  %negated = arith.negf %sums : !group
  %keys = tensor.concat dim(3) %k, %negated : (!k, !group) -> !kw
  %empty = tensor.empty() : !choice
  // The scores are scaled, the gates are not.
  %choice = linalg.generic {indexing_maps = [#row], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%empty : !choice) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0.0 : f32
    %width = arith.constant 8.0 : f32
    %two = arith.constant 2 : index
    %inverse = math.sqrt %width : f32
    %h = linalg.index 2 : index
    %d = linalg.index 3 : index
    %own = arith.remsi %h, %two : index
    %is = arith.cmpi eq, %own, %d : index
    %entry = arith.select %is, %inverse, %zero : f32
    linalg.yield %entry : f32
  } -> !choice
  %queries = tensor.concat dim(3) %q, %choice : (!q, !choice) -> !qw
  %o = linnet.attention %queries, %keys, %v {causal, scale = 0.35355339059327379 : f64} : (!qw, !kw, !v) -> !o
  return %o : !o
}

// The same with a bias: tokens squared in memory, no sums that cancel.
func.func private @forgetting_attn_bias(%q: !q, %k: !k, %v: !v, %g: !g) -> !o {
  %one = arith.constant dense<1.0> : !one
  %gates = tensor.expand_shape %g [[0], [1], [2, 3]] output_shape [2, 67, 1, 4] : !g into !gates
  %sums, %state = linnet.scan #linnet.none %one, %one, %gates : (!one, !one, !gates) -> (!gates, tensor<2x1x1x4xf32>)
  %G = tensor.collapse_shape %sums [[0], [1], [2, 3]] : !gates into !g
  %empty = tensor.empty() : !bias
  %bias = linalg.generic {indexing_maps = [#from, #to, #row], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%G, %G : !g, !g) outs(%empty : !bias) {
  ^bb0(%i: f32, %j: f32, %unused: f32):
    %difference = arith.subf %i, %j : f32
    linalg.yield %difference : f32
  } -> !bias
  %o = linnet.attention %q, %k, %v bias(%bias) {causal, scale = 0.35355339059327379 : f64} : (!q, !k, !v, !bias) -> !o
  return %o : !o
}
