// RUN: linnet-opt %s --linnet-skip-zeros | FileCheck %s
// RUN: linnet-opt %s --linnet-skip-zeros --remarks-filter=linnet-skip-zeros --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:

// REMARK: remark: [Passed] zeros skipped {{.*}}Inputs=40, Source=linnet.activation
// CHECK-LABEL: func.func @a_squared_relu
func.func @a_squared_relu(%x: tensor<?x?x40xf32>, %w: tensor<16x40xbf16>) -> tensor<?x?x16xf32> {
  // CHECK: linnet.linear {{.*}} {skips_zeros} :
  %h = linnet.activation relu2 %x : tensor<?x?x40xf32>
  %y = linnet.linear #linnet.dense %h, %w : (tensor<?x?x40xf32>, tensor<16x40xbf16>) -> tensor<?x?x16xf32>
  return %y : tensor<?x?x16xf32>
}

// REMARK: remark: [Passed] zeros skipped {{.*}}Inputs=40, Source=linnet.glu
// CHECK-LABEL: func.func @a_gate
func.func @a_gate(%g: tensor<2x1x40xf32>, %u: tensor<2x1x40xf32>, %w: tensor<40x16xf32>, %b: tensor<16xf32>) -> tensor<2x1x16xf32> {
  // CHECK: linnet.linear #linnet.dense<in_out> {{.*}} bias({{.*}}) {skips_zeros} :
  %h = linnet.glu relu %g, %u : tensor<2x1x40xf32>
  %y = linnet.linear #linnet.dense<in_out> %h, %w bias(%b) : (tensor<2x1x40xf32>, tensor<40x16xf32>, tensor<16xf32>) -> tensor<2x1x16xf32>
  return %y : tensor<2x1x16xf32>
}

// REMARK: remark: [Passed] zeros skipped {{.*}}Inputs=40, Source=linnet.threshold
// CHECK-LABEL: func.func @a_threshold
func.func @a_threshold(%x: tensor<?x?x40xf32>, %t: tensor<40xf32>, %w: tensor<16x40xf32>) -> tensor<?x?x16xf32> {
  // CHECK: linnet.linear {{.*}} {skips_zeros} :
  %h = linnet.threshold %x, %t : (tensor<?x?x40xf32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  %y = linnet.linear #linnet.dense %h, %w : (tensor<?x?x40xf32>, tensor<16x40xf32>) -> tensor<?x?x16xf32>
  return %y : tensor<?x?x16xf32>
}

// Other frontends write relu as a maximum. Zeros pass products, other types and
// shapes, and activations that keep zero.
// REMARK: remark: [Passed] zeros skipped {{.*}}Inputs=40, Source=arith.maximumf
// CHECK-LABEL: func.func @zeros_pass
func.func @zeros_pass(%x: tensor<2x5x8xf32>, %u: tensor<2x5x8xf32>, %w: tensor<16x40xf32>) -> tensor<2x16xf32> {
  // CHECK: linnet.linear {{.*}} {skips_zeros} :
  %zero = arith.constant dense<0.0> : tensor<2x5x8xf32>
  %r = arith.maximumf %x, %zero : tensor<2x5x8xf32>
  %s = linnet.activation silu %r : tensor<2x5x8xf32>
  %m = arith.mulf %u, %s : tensor<2x5x8xf32>
  %n = arith.negf %m : tensor<2x5x8xf32>
  %t = arith.truncf %n : tensor<2x5x8xf32> to tensor<2x5x8xbf16>
  %e = arith.extf %t : tensor<2x5x8xbf16> to tensor<2x5x8xf32>
  %h = tensor.collapse_shape %e [[0], [1, 2]] : tensor<2x5x8xf32> into tensor<2x40xf32>
  %y = linnet.linear #linnet.dense %h, %w : (tensor<2x40xf32>, tensor<16x40xf32>) -> tensor<2x16xf32>
  return %y : tensor<2x16xf32>
}

// The inner map of a structure that is expanded has the input; the outer one
// has what the inner one makes.
// CHECK-LABEL: func.func @two_maps
func.func @two_maps(%x: tensor<2x40xf32>, %v: tensor<4x40xf32>, %u: tensor<16x4xf32>) -> tensor<2x16xf32> {
  // REMARK: remark: [Passed] zeros skipped
  // CHECK: linnet.linear {{.*}} {skips_zeros} :
  // CHECK: linnet.linear #linnet.dense %{{[a-z0-9]+}}, %{{[a-z0-9]+}} : (tensor<2x4xf32>
  %h = linnet.activation relu %x : tensor<2x40xf32>
  %m = linnet.linear #linnet.dense %h, %v : (tensor<2x40xf32>, tensor<4x40xf32>) -> tensor<2x4xf32>
  %y = linnet.linear #linnet.dense %m, %u : (tensor<2x4xf32>, tensor<16x4xf32>) -> tensor<2x16xf32>
  return %y : tensor<2x16xf32>
}

// REMARK: remark: [Missed] zeros read {{.*}}Reason="its input holds zeros of linnet.activation, but the kernel of #linnet.quantized<8, 40> reads weights of several inputs together"
// CHECK-LABEL: func.func @declines_codes
func.func @declines_codes(%x: tensor<2x40xf32>, %w: tensor<16x40xi8>, %s: tensor<16x1xf32>) -> tensor<2x16xf32> {
  // CHECK: linnet.linear
  // CHECK-NOT: skips_zeros
  %h = linnet.activation relu %x : tensor<2x40xf32>
  %y = linnet.linear #linnet.quantized<8, 40> %h, %w, %s : (tensor<2x40xf32>, tensor<16x40xi8>, tensor<16x1xf32>) -> tensor<2x16xf32>
  return %y : tensor<2x16xf32>
}

// CHECK-LABEL: func.func @declines_inputs_without_zeros
func.func @declines_inputs_without_zeros(%x: tensor<2x40xf32>, %u: tensor<2x40xf32>, %w: tensor<16x40xf32>, %b: tensor<2x40xf32>) -> (tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>) {
  // CHECK-NOT: skips_zeros
  %silu = linnet.glu silu %x, %u : tensor<2x40xf32>
  %y0 = linnet.linear #linnet.dense %silu, %w : (tensor<2x40xf32>, tensor<16x40xf32>) -> tensor<2x16xf32>
  // A sum with something else, and an activation of zero that is not zero.
  %relu = linnet.activation relu %x : tensor<2x40xf32>
  %sum = arith.addf %relu, %b : tensor<2x40xf32>
  %y1 = linnet.linear #linnet.dense %sum, %w : (tensor<2x40xf32>, tensor<16x40xf32>) -> tensor<2x16xf32>
  %half = linnet.activation sigmoid %relu : tensor<2x40xf32>
  %y2 = linnet.linear #linnet.dense %half, %w : (tensor<2x40xf32>, tensor<16x40xf32>) -> tensor<2x16xf32>
  // A maximum with something else.
  %larger = arith.maximumf %x, %u : tensor<2x40xf32>
  %y3 = linnet.linear #linnet.dense %larger, %w : (tensor<2x40xf32>, tensor<16x40xf32>) -> tensor<2x16xf32>
  return %y0, %y1, %y2, %y3 : tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>
}
