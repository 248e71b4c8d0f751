// A causal graph of every kind of operation as a step of one token.
// RUN: linnet-opt %s --linnet-stream="function=graph max-context=16 batch=2" | FileCheck %s

!x = tensor<?x?x8xf32>
!h = tensor<?x?x2x4xf32>

// States in the order of their operations; the position, which the function has
// not, in front of them.
// CHECK-LABEL: func.func @linnet_step(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x1x8xf32>, %{{[a-z0-9]+}}: tensor<8x1x3xf32>, %[[AT:[a-z0-9]+]]: index,
// CHECK-SAME: %[[TAIL:[a-z0-9]+]]: tensor<2x2x8xf32> {linnet.state = "graph.tail"},
// CHECK-SAME: %[[S:[a-z0-9]+]]: tensor<2x2x4x4xf32> {linnet.state = "mixer.state"},
// CHECK-SAME: %[[K:[a-z0-9]+]]: tensor<2x16x2x4xf32> {linnet.append, linnet.state = "graph.keys"},
// CHECK-SAME: %[[V:[a-z0-9]+]]: tensor<2x16x2x4xf32> {linnet.append, linnet.state = "graph.values"})
// CHECK: linnet.short_conv %[[X]], %{{.*}} tail(%[[TAIL]])
// CHECK: call @mixer_step(%{{.*}}, %[[AT]], %[[S]])
// CHECK: linnet.attention {{.*}} cache(%[[K]], %[[V]]) at %[[AT]]
func.func @graph(%x: !x, %w: tensor<8x1x3xf32>) -> !x {
  %c, %tail = linnet.short_conv %x, %w : (!x, tensor<8x1x3xf32>) -> (!x, tensor<?x2x8xf32>)
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %b = tensor.dim %c, %zero : !x
  %t = tensor.dim %c, %one : !x
  %h = tensor.expand_shape %c [[0], [1], [2, 3]] output_shape [%b, %t, 2, 4] : !x into !h
  %o = call @mixer(%h) : (!h) -> !h
  %a = linnet.attention %o, %o, %h {causal, scale = 0.5 : f64} : (!h, !h, !h) -> !h
  %m = tensor.collapse_shape %a [[0], [1], [2, 3]] : !h into !x
  %e = tensor.empty(%b, %t) : !x
  %g = linalg.generic {indexing_maps = [affine_map<(b, t, d) -> (b, t, d)>, affine_map<(b, t, d) -> (b, t, 0)>, affine_map<(b, t, d) -> (b, t, d)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%m, %x : !x, !x) outs(%e : !x) {
    ^bb0(%l: f32, %r: f32, %out: f32):
      %p = arith.mulf %l, %r : f32
      linalg.yield %p : f32
  } -> !x
  %y = arith.addf %g, %x : !x
  return %y : !x
}

func.func private @mixer(%h: !h) -> !h {
  %o, %s = linnet.scan #linnet.none %h, %h, %h : (!h, !h, !h) -> (!h, tensor<?x2x4x4xf32>)
  return %o : !h
}
