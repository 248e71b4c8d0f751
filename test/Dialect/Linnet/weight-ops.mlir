// RUN: linnet-opt %s | linnet-opt | FileCheck %s
// RUN: linnet-opt %s --mlir-print-op-generic | linnet-opt | FileCheck %s

// CHECK-LABEL: func.func @weights(
// CHECK-SAME: %[[LAYER:.*]]: index
func.func @weights(%layer: index) -> (tensor<96x32xf32>, tensor<40x32xbf16>) {
  // CHECK: linnet.weight "lm_head.weight" : tensor<96x32xf32>
  %w = linnet.weight "lm_head.weight" : tensor<96x32xf32>
  // CHECK: linnet.weight "model.layers.{}.mlp.up_proj.weight"[%[[LAYER]]] : tensor<40x32xbf16>
  %u = linnet.weight "model.layers.{}.mlp.up_proj.weight"[%layer] : tensor<40x32xbf16>
  return %w, %u : tensor<96x32xf32>, tensor<40x32xbf16>
}

// CHECK-LABEL: func.func @seeded_basis(
func.func @seeded_basis() -> tensor<4x8xf32> {
  // CHECK: linnet.seeded_basis 12345 : tensor<4x8xf32>
  %b = linnet.seeded_basis 12345 : tensor<4x8xf32>
  return %b : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @stacks(
// CHECK-SAME: %[[X:.*]]: tensor<?x?x32xf32>, %[[P:.*]]: index
func.func @stacks(%x: tensor<?x?x32xf32>, %position: index) -> tensor<?x?x32xf32> {
  // CHECK: linnet.stack [@layer] order [0, 0] carry(%[[X]]) invariant(%[[P]]) : (tensor<?x?x32xf32>, index) -> tensor<?x?x32xf32>
  %y = linnet.stack [@layer] order [0, 0] carry(%x) invariant(%position) : (tensor<?x?x32xf32>, index) -> tensor<?x?x32xf32>
  // CHECK: linnet.stack [] order [] carry(%{{.*}}) : (tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  %z = linnet.stack [] order [] carry(%y) : (tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  return %z : tensor<?x?x32xf32>
}
func.func private @layer(%x: tensor<?x?x32xf32>, %layer: index, %position: index) -> tensor<?x?x32xf32> {
  return %x : tensor<?x?x32xf32>
}

// Two functions in turn, the second with a state: it occurs twice.
// CHECK-LABEL: func.func @stateful_stack(
// CHECK-SAME: %[[X:.*]]: tensor<?x?x32xf32>, %[[S:.*]]: tensor<2x?x3x32xf32>
func.func @stateful_stack(%x: tensor<?x?x32xf32>, %s: tensor<2x?x3x32xf32>) -> (tensor<?x?x32xf32>, tensor<2x?x3x32xf32>) {
  // CHECK: linnet.stack [@plain, @stateful] order [1, 0, 1] carry(%[[X]]) states(%[[S]]) :
  // CHECK-SAME: (tensor<?x?x32xf32>, tensor<2x?x3x32xf32>) -> (tensor<?x?x32xf32>, tensor<2x?x3x32xf32>)
  %y, %t = linnet.stack [@plain, @stateful] order [1, 0, 1] carry(%x) states(%s)
    : (tensor<?x?x32xf32>, tensor<2x?x3x32xf32>) -> (tensor<?x?x32xf32>, tensor<2x?x3x32xf32>)
  return %y, %t : tensor<?x?x32xf32>, tensor<2x?x3x32xf32>
}
func.func private @plain(%x: tensor<?x?x32xf32>, %layer: index) -> tensor<?x?x32xf32> {
  return %x : tensor<?x?x32xf32>
}
func.func private @stateful(%x: tensor<?x?x32xf32>, %layer: index, %s: tensor<?x3x32xf32>) -> (tensor<?x?x32xf32>, tensor<?x3x32xf32>) {
  return %x, %s : tensor<?x?x32xf32>, tensor<?x3x32xf32>
}
