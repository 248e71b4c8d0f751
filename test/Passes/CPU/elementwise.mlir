// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu="vector-bits=256" --canonicalize | FileCheck %s

// A vector along the features: one entry per head is a broadcast. Constants
// from outside are part of the kernel.
// CHECK-LABEL: func private @kernel_generic_0
// CHECK: memref.load
// CHECK: vector.broadcast
// CHECK: arith.mulf %{{.*}}, %{{.*}} : vector<8xf32>
// CHECK: arith.addf %{{.*}}, %{{.*}} : vector<8xf32>
// CHECK: return
#x = affine_map<(b, t, h, d) -> (b, t, h, d)>
#h = affine_map<(b, t, h, d) -> (h)>
func.func @along(%x: tensor<1x?x3x8xf32>, %w: tensor<3xf32>) -> tensor<1x?x3x8xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 16 : i64} {
  %c1 = arith.constant 1 : index
  %half = arith.constant 0.5 : f32
  %t = tensor.dim %x, %c1 : tensor<1x?x3x8xf32>
  %e = tensor.empty(%t) : tensor<1x?x3x8xf32>
  %y = linalg.generic {indexing_maps = [#x, #h, #x], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %w : tensor<1x?x3x8xf32>, tensor<3xf32>) outs(%e : tensor<1x?x3x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %0, %half : f32
    linalg.yield %1 : f32
  } -> tensor<1x?x3x8xf32>
  return %y : tensor<1x?x3x8xf32>
}

// -----

// Kernels that differ only in a constant from outside are two.
// CHECK-DAG: func private @kernel_mulf_0
// CHECK-DAG: func private @kernel_mulf_1
func.func @constants(%x: tensor<2x8xf32>) -> tensor<2x8xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %two = arith.constant dense<2.0> : tensor<2x8xf32>
  %three = arith.constant dense<3.0> : tensor<2x8xf32>
  %0 = arith.mulf %x, %two : tensor<2x8xf32>
  %1 = arith.mulf %0, %three : tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// -----

// A transposed operand cannot be read in vectors; a bf16 weight arrives as
// f32, so that widening it is no kernel.
// CHECK-NOT: func private @kernel_extf
// CHECK-LABEL: func private @kernel_generic_0
// CHECK: memref<4x8xf32>
// CHECK: memref.load
// CHECK: memref.store
// CHECK: return
#in = affine_map<(i, j) -> (j, i)>
#out = affine_map<(i, j) -> (i, j)>
func.func @transpose() -> tensor<8x4xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %w = linnet.weight "w" : tensor<4x8xbf16>
  %x = arith.extf %w : tensor<4x8xbf16> to tensor<4x8xf32>
  %e = tensor.empty() : tensor<8x4xf32>
  %y = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// A sum: the result so far is carried.
// CHECK-LABEL: func private @kernel_generic_0
// CHECK: scf.for {{.*}} iter_args(%{{.*}}) -> (f32)
// CHECK: return
#m = affine_map<(i, j) -> (i, j)>
#r = affine_map<(i, j) -> (i)>
func.func @sum(%x: tensor<2x8xf32>) -> tensor<2xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  %y = linalg.generic {indexing_maps = [#m, #r], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<2x8xf32>) outs(%zero : tensor<2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// Parts of a concatenation go straight to their columns.
// CHECK-LABEL: func private @kernel_concat_0
// CHECK: vector.load
// CHECK: vector.store
// CHECK: vector.maskedload
// CHECK: vector.maskedstore
// CHECK: return
func.func @concat(%x: tensor<1x?x8xf32>, %y: tensor<1x?x5xf32>) -> tensor<1x?x13xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 16 : i64} {
  %z = tensor.concat dim(2) %x, %y : (tensor<1x?x8xf32>, tensor<1x?x5xf32>) -> tensor<1x?x13xf32>
  return %z : tensor<1x?x13xf32>
}
