// RUN: linnet-opt %s | linnet-opt | FileCheck %s
// RUN: linnet-opt %s --mlir-print-op-generic | linnet-opt | FileCheck %s

// CHECK-LABEL: func.func @norm(
func.func @norm(%x: tensor<?x?x32xf32>, %w: tensor<32xf32>, %b: tensor<32xbf16>, %g: tensor<?x?x32xf32>) {
  // CHECK: linnet.norm rms %{{.*}} weight(%{{.*}}) {eps = 1.000000e-05 : f64} : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>
  %0 = linnet.norm rms %x weight(%w) {eps = 1.0e-5 : f64} : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>
  // CHECK: linnet.norm layer %{{.*}} weight(%{{.*}}) bias(%{{.*}}) {eps = {{.*}} : f64} : (tensor<?x?x32xf32>, tensor<32xf32>, tensor<32xbf16>) -> tensor<?x?x32xf32>
  %1 = linnet.norm layer %x weight(%w) bias(%b) {eps = 1.0e-12 : f64} : (tensor<?x?x32xf32>, tensor<32xf32>, tensor<32xbf16>) -> tensor<?x?x32xf32>
  // CHECK: linnet.norm l2 %{{.*}} {eps = {{.*}} : f64} : (tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  %2 = linnet.norm l2 %x {eps = 1.0e-6 : f64} : (tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  // CHECK: linnet.norm rms %{{.*}} weight(%{{.*}}) gate(%{{.*}}) {
  // CHECK-SAME: gate_activation = #linnet.activation<sigmoid>, gate_order = #linnet.gate_order<before>, groups = 2 : i64, unit_offset}
  // CHECK-SAME: : (tensor<?x?x32xf32>, tensor<32xf32>, tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  %3 = linnet.norm rms %x weight(%w) gate(%g) {eps = 1.0e-5 : f64, groups = 2 : i64, unit_offset, gate_order = #linnet.gate_order<before>, gate_activation = #linnet.activation<sigmoid>}
    : (tensor<?x?x32xf32>, tensor<32xf32>, tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  return
}

// CHECK-LABEL: func.func @activations(
func.func @activations(%x: tensor<2x5xf32>, %u: tensor<2x5xf32>) {
  // CHECK: linnet.activation identity %{{.*}} : tensor<2x5xf32>
  %0 = linnet.activation identity %x : tensor<2x5xf32>
  // CHECK: linnet.activation silu %{{.*}} : tensor<2x5xf32>
  %1 = linnet.activation silu %x : tensor<2x5xf32>
  // CHECK: linnet.activation gelu %{{.*}} : tensor<2x5xf32>
  %2 = linnet.activation gelu %x : tensor<2x5xf32>
  // CHECK: linnet.activation gelu_tanh %{{.*}} : tensor<2x5xf32>
  %3 = linnet.activation gelu_tanh %x : tensor<2x5xf32>
  // CHECK: linnet.activation relu %{{.*}} : tensor<2x5xf32>
  %4 = linnet.activation relu %x : tensor<2x5xf32>
  // CHECK: linnet.activation relu2 %{{.*}} : tensor<2x5xf32>
  %5 = linnet.activation relu2 %x : tensor<2x5xf32>
  // CHECK: linnet.activation sigmoid %{{.*}} : tensor<2x5xf32>
  %6 = linnet.activation sigmoid %x : tensor<2x5xf32>
  // CHECK: linnet.activation tanh %{{.*}} : tensor<2x5xf32>
  %7 = linnet.activation tanh %x : tensor<2x5xf32>
  // CHECK: linnet.activation softplus %{{.*}} : tensor<2x5xf32>
  %8 = linnet.activation softplus %x : tensor<2x5xf32>
  // CHECK: linnet.glu gelu_tanh %{{.*}}, %{{.*}} : tensor<2x5xf32>
  %9 = linnet.glu gelu_tanh %x, %u : tensor<2x5xf32>
  return
}

// CHECK-LABEL: func.func @threshold(
func.func @threshold(%x: tensor<?x?x32xf32>, %t: tensor<32xf32>, %v: tensor<8xbf16>, %s: tensor<8xf16>) {
  // CHECK: linnet.threshold %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>
  %0 = linnet.threshold %x, %t : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>
  // CHECK: linnet.threshold %{{.*}}, %{{.*}} : (tensor<8xbf16>, tensor<8xf16>) -> tensor<8xbf16>
  %1 = linnet.threshold %v, %s : (tensor<8xbf16>, tensor<8xf16>) -> tensor<8xbf16>
  return
}

// CHECK-LABEL: func.func @rotary(
func.func @rotary(%x: tensor<?x?x3x10xf32>, %position: index) {
  // CHECK: linnet.rotary %{{.*}}, %{{.*}} {inverse_frequencies = array<f32: 1.000000e+00, 0.00999999977>} : (tensor<?x?x3x10xf32>, index) -> tensor<?x?x3x10xf32>
  %0 = linnet.rotary %x, %position {inverse_frequencies = array<f32: 1.0, 0.01>} : (tensor<?x?x3x10xf32>, index) -> tensor<?x?x3x10xf32>
  // CHECK: linnet.rotary %{{.*}}, %{{.*}} {interleaved, inverse_frequencies = array<f32: 1.000000e+00>, scaling = 1.500000e+00 : f32} :
  %1 = linnet.rotary %x, %position {inverse_frequencies = array<f32: 1.0>, interleaved, scaling = 1.5 : f32} : (tensor<?x?x3x10xf32>, index) -> tensor<?x?x3x10xf32>
  return
}
