// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu="vector-bits=256" --canonicalize | FileCheck %s

// Whole vectors only: nothing is masked, four sums run side by side.
// CHECK-LABEL: func private @kernel_norm_0
// CHECK: scf.for {{.*}} iter_args(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: vector.reduction <add>
// CHECK: math.sqrt
// CHECK-NOT: vector.maskedload
// CHECK: return
func.func @rms(%x: tensor<1x?x64xf32>, %w: tensor<64xf32>) -> tensor<1x?x64xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 16 : i64} {
  %y = linnet.norm rms %x weight(%w) {eps = 1.0e-5 : f64} : (tensor<1x?x64xf32>, tensor<64xf32>) -> tensor<1x?x64xf32>
  return %y : tensor<1x?x64xf32>
}

// -----

// Two sums (mean, then squares of what is centred); entries beyond the row do
// not count as zero minus the mean.
// CHECK-LABEL: func private @kernel_norm_0
// CHECK: vector.maskedload
// CHECK: vector.reduction <add>
// CHECK: arith.subf
// CHECK: arith.select
// CHECK: vector.reduction <add>
// CHECK: vector.maskedstore
// CHECK: return
func.func @layer(%x: tensor<2x3x13xf32>, %w: tensor<13xf32>, %b: tensor<13xf32>) -> tensor<2x3x13xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %y = linnet.norm layer %x weight(%w) bias(%b) {eps = 1.0e-5 : f64}
    : (tensor<2x3x13xf32>, tensor<13xf32>, tensor<13xf32>) -> tensor<2x3x13xf32>
  return %y : tensor<2x3x13xf32>
}

// -----

// A gate before the norm is applied once: the gated row is kept in the result.
// CHECK-LABEL: func private @kernel_norm_0
// CHECK-COUNT-1: math.exp
// CHECK-NOT: math.exp
// CHECK: vector.reduction <add>
// CHECK-NOT: math.exp
// CHECK: return
func.func @gated(%x: tensor<1x4x8xf32>, %g: tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %y = linnet.norm rms %x gate(%g) {eps = 1.0e-5 : f64, gate_order = #linnet.gate_order<before>}
    : (tensor<1x4x8xf32>, tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return %y : tensor<1x4x8xf32>
}

// -----

// Equal norms share one kernel; another eps is another kernel.
// CHECK: call @kernel_norm_0
// CHECK: call @kernel_norm_0
// CHECK: call @kernel_norm_1
// CHECK-NOT: func private @kernel_norm_2
func.func @shared(%x: tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %0 = linnet.norm l2 %x {eps = 1.0e-5 : f64} : (tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  %1 = linnet.norm l2 %0 {eps = 1.0e-5 : f64} : (tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  %2 = linnet.norm l2 %1 {eps = 1.0e-6 : f64} : (tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return %2 : tensor<1x4x8xf32>
}
