// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu="vector-bits=256" --canonicalize | FileCheck %s

// One row is split among the threads by blocks of columns; the tail is masked.
// CHECK-LABEL: func private @kernel_glu_0
// CHECK: arith.divui
// CHECK: scf.for
// CHECK: scf.for
// CHECK: math.exp %{{.*}} : vector<8xf32>
// CHECK: scf.if
// CHECK: vector.maskedstore
// CHECK: return
func.func @glu(%g: tensor<1x1x1003xf32>, %u: tensor<1x1x1003xf32>) -> tensor<1x1x1003xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %y = linnet.glu silu %g, %u : tensor<1x1x1003xf32>
  return %y : tensor<1x1x1003xf32>
}

// -----

// e^-|x| does not overflow.
// CHECK-LABEL: func private @kernel_activation_0
// CHECK: math.absf
// CHECK: arith.negf
// CHECK: math.exp
// CHECK: math.log1p
// CHECK: return
func.func @softplus(%x: tensor<1x?x8xf32>) -> tensor<1x?x8xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 16 : i64} {
  %y = linnet.activation softplus %x : tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

// A part of wider rows is read where it is.
// CHECK-LABEL: func private @kernel_activation_0
// CHECK: memref<1x4x8xf32, strided<[96, 24, 1]>>
// CHECK: math.erf
// CHECK: return
func.func @slice(%x: tensor<1x4x24xf32>) -> tensor<1x4x8xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %s = tensor.extract_slice %x[0, 0, 8] [1, 4, 8] [1, 1, 1] : tensor<1x4x24xf32> to tensor<1x4x8xf32>
  %y = linnet.activation gelu %s : tensor<1x4x8xf32>
  return %y : tensor<1x4x8xf32>
}
