// Log-linear attention (Guo et al. 2025): o_i = sum_j l_i[level(i, j)]
// exp(G_i - G_j) (q_i . k_j) v_j. The tokens before i fall into one bucket of
// 2^b tokens per bit b of i that is set, and level b + 1 is that bucket; level 0
// is the token itself. Levels are blocks of key rows of one recurrence: level
// b + 1 is erased at multiples of 2^(b + 1), written where bit b is clear and
// read where it is set. So the state is log T states, and 8 levels reach 128
// tokens.

#level = affine_map<(t, l) -> (t, l)>
#period = affine_map<(t, l) -> (l)>
#all = affine_map<(b, t, h, l, d) -> (b, t, h, l, d)>
#key = affine_map<(b, t, h, l, d) -> (b, t, h, d)>
#scale = affine_map<(b, t, h, l, d) -> (b, t, h, l)>
#head = affine_map<(b, t, h, l, d) -> (b, t, h)>
#mask = affine_map<(b, t, h, l, d) -> (t, l)>
!q = tensor<2x67x2x8xf32>
!v = tensor<2x67x2x12xf32>
!g = tensor<2x67x2xf32>
!levels = tensor<67x8xf32>
!rows = tensor<2x67x2x8x8xf32>
!wide = tensor<2x67x2x64xf32>

func.func private @log_linear_attn(%q: !q, %k: !q, %v: !v, %g: !g, %scales: !q) -> !v {
  %emptyLevels = tensor.empty() : !levels
  %periods = arith.constant dense<[1, 2, 4, 8, 16, 32, 64, 128]> : tensor<8xi32>
  %erase, %write, %read = linalg.generic {indexing_maps = [#period, #level, #level, #level], iterator_types = ["parallel", "parallel"]}
      ins(%periods : tensor<8xi32>) outs(%emptyLevels, %emptyLevels, %emptyLevels : !levels, !levels, !levels) {
  ^bb0(%size: i32, %unused0: f32, %unused1: f32, %unused2: f32):
    %none = arith.constant 0 : index
    %two = arith.constant 2 : index
    %zerof = arith.constant 0.0 : f32
    %onef = arith.constant 1.0 : f32
    %gone = arith.constant 0xFF800000 : f32
    %t = linalg.index 0 : index
    %l = linalg.index 1 : index
    %period = arith.index_cast %size : i32 to index
    %within = arith.remsi %t, %period : index
    %first = arith.cmpi eq, %within, %none : index
    %half = arith.divsi %period, %two : index
    // Half of level 0's one token is none: it is read, and written as well.
    %isWritten = arith.cmpi slt, %within, %half : index
    %isRead = arith.cmpi sge, %within, %half : index
    %self = arith.cmpi eq, %l, %none : index
    %decay = arith.select %first, %gone, %zerof : f32
    %later = arith.select %isWritten, %onef, %zerof : f32
    %write = arith.select %self, %onef, %later : f32
    %read = arith.select %isRead, %onef, %zerof : f32
    linalg.yield %decay, %write, %read : f32, f32, f32
  } -> (!levels, !levels, !levels)
  %empty = tensor.empty() : !rows
  %queries = linalg.generic {indexing_maps = [#key, #scale, #mask, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%q, %scales, %read : !q, !q, !levels) outs(%empty : !rows) {
  ^bb0(%x: f32, %scale: f32, %mask: f32, %unused: f32):
    %scaled = arith.mulf %x, %scale : f32
    %entry = arith.mulf %scaled, %mask : f32
    linalg.yield %entry : f32
  } -> !rows
  %keys = linalg.generic {indexing_maps = [#key, #mask, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%k, %write : !q, !levels) outs(%empty : !rows) {
  ^bb0(%x: f32, %mask: f32, %unused: f32):
    %entry = arith.mulf %x, %mask : f32
    linalg.yield %entry : f32
  } -> !rows
  %decays = linalg.generic {indexing_maps = [#head, #mask, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%g, %erase : !g, !levels) outs(%empty : !rows) {
  ^bb0(%x: f32, %mask: f32, %unused: f32):
    %entry = arith.addf %x, %mask : f32
    linalg.yield %entry : f32
  } -> !rows
  %q1 = tensor.collapse_shape %queries [[0], [1], [2], [3, 4]] : !rows into !wide
  %k1 = tensor.collapse_shape %keys [[0], [1], [2], [3, 4]] : !rows into !wide
  %g1 = tensor.collapse_shape %decays [[0], [1], [2], [3, 4]] : !rows into !wide
  %o, %state = linnet.scan #linnet.diagonal(%g1) %q1, %k1, %v : (!wide, !wide, !v, !wide) -> (!v, tensor<2x2x64x12xf32>)
  return %o : !v
}
