// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu="vector-bits=256" --canonicalize | FileCheck %s

// In a model: from the table, a row per absolute position. The entries that
// do not rotate are copied.
// CHECK-LABEL: module
// CHECK-SAME: kind = "rotary", rows = 32 : i64
// CHECK: func private @kernel_rotary_0
// CHECK: memref<32x2x8xf32>
// CHECK-NOT: math.cos
// CHECK: vector.fma
// CHECK: return
module attributes {linnet.model = {max_context = 32 : i64}} {
  func.func @half(%x: tensor<1x?x3x20xf32>, %p: index) -> tensor<1x?x3x20xf32>
      attributes {linnet.phase = "function", linnet.max_tokens = 16 : i64} {
    %y = linnet.rotary %x, %p {inverse_frequencies = array<f32: 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125>}
      : (tensor<1x?x3x20xf32>, index) -> tensor<1x?x3x20xf32>
    return %y : tensor<1x?x3x20xf32>
  }
}

// -----

// Without a context: on the spot. Pairs that lie side by side are parted.
// CHECK-LABEL: func private @kernel_rotary_computed_0
// CHECK-DAG: math.cos %{{.*}} : vector<8xf32>
// CHECK-DAG: math.sin %{{.*}} : vector<8xf32>
// CHECK: vector.deinterleave
// CHECK: vector.interleave
// CHECK: return
func.func @interleaved(%x: tensor<1x4x3x4xf32>, %p: index) -> tensor<1x4x3x4xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %y = linnet.rotary %x, %p {inverse_frequencies = array<f32: 1.0, 0.01>, interleaved}
    : (tensor<1x4x3x4xf32>, index) -> tensor<1x4x3x4xf32>
  return %y : tensor<1x4x3x4xf32>
}

// -----

// Arithmetic on positions is index arithmetic.
// CHECK-LABEL: func.func @offset
// CHECK: %[[AT:.*]] = arith.addi %{{.*}}, %c3 : index
// CHECK: call @kernel_positions_0(%{{.*}}, %[[AT]],
func.func @offset(%ids: tensor<1x4xi32>, %p: index) -> tensor<1x4xi32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %c3 = arith.constant 3 : index
  %q = arith.addi %p, %c3 : index
  %y = linnet.positions %ids, %q : (tensor<1x4xi32>, index) -> tensor<1x4xi32>
  return %y : tensor<1x4xi32>
}
