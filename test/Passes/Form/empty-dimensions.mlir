// Dimensions of zero: defined, never a division by zero or a form that does not pay.
// RUN: linnet-opt %s --linnet-select-form | FileCheck %s
// RUN: linnet-opt %s --linnet-select-form=form=associative 2>&1 | FileCheck %s --check-prefix=ASSOCIATIVE
// RUN: linnet-opt %s --linnet-select-form=form=convolution 2>&1 | FileCheck %s --check-prefix=CONVOLUTION
// RUN: linnet-opt %s --linnet-simplify-transitions | FileCheck %s --check-prefix=SIMPLE

// ASSOCIATIVE-COUNT-9: not computed associative: a dimension is zero
// ASSOCIATIVE: not computed associative: its number of tokens has no divisor up to 16
// CONVOLUTION: not computed convolution: a dimension is zero

// CHECK-LABEL: func.func @k(
// CHECK: form = #linnet.form<sequential>
func.func @k(%q: tensor<1x512x2x0xf32>, %v: tensor<1x512x2x64xf32>) -> tensor<1x512x2x64xf32> {
  %o, %s = linnet.scan #linnet.none %q, %q, %v : (tensor<1x512x2x0xf32>, tensor<1x512x2x0xf32>, tensor<1x512x2x64xf32>) -> (tensor<1x512x2x64xf32>, tensor<1x2x0x64xf32>)
  return %o : tensor<1x512x2x64xf32>
}
// CHECK-LABEL: func.func @v(
// CHECK: form = #linnet.form<sequential>
func.func @v(%q: tensor<1x512x2x64xf32>, %v: tensor<1x512x2x0xf32>) -> tensor<1x512x2x0xf32> {
  %o, %s = linnet.scan #linnet.none %q, %q, %v : (tensor<1x512x2x64xf32>, tensor<1x512x2x64xf32>, tensor<1x512x2x0xf32>) -> (tensor<1x512x2x0xf32>, tensor<1x2x64x0xf32>)
  return %o : tensor<1x512x2x0xf32>
}
// CHECK-LABEL: func.func @b(
// CHECK: form = #linnet.form<chunkwise>
func.func @b(%q: tensor<0x512x2x64xf32>) -> tensor<0x512x2x64xf32> {
  %o, %s = linnet.scan #linnet.none %q, %q, %q : (tensor<0x512x2x64xf32>, tensor<0x512x2x64xf32>, tensor<0x512x2x64xf32>) -> (tensor<0x512x2x64xf32>, tensor<0x2x64x64xf32>)
  return %o : tensor<0x512x2x64xf32>
}
// CHECK-LABEL: func.func @t(
// CHECK-NOT: form =
func.func @t(%q: tensor<2x0x2x64xf32>) -> tensor<2x0x2x64xf32> {
  %o, %s = linnet.scan #linnet.none %q, %q, %q : (tensor<2x0x2x64xf32>, tensor<2x0x2x64xf32>, tensor<2x0x2x64xf32>) -> (tensor<2x0x2x64xf32>, tensor<2x2x64x64xf32>)
  return %o : tensor<2x0x2x64xf32>
}
// CHECK-LABEL: func.func @h(
// CHECK: form = #linnet.form<chunkwise>
func.func @h(%q: tensor<2x512x0x64xf32>, %k: tensor<2x512x2x64xf32>) -> tensor<2x512x0x64xf32> {
  %o, %s = linnet.scan #linnet.none %k, %q, %q : (tensor<2x512x2x64xf32>, tensor<2x512x0x64xf32>, tensor<2x512x0x64xf32>) -> (tensor<2x512x0x64xf32>, tensor<2x0x64x64xf32>)
  return %o : tensor<2x512x0x64xf32>
}
// CHECK-LABEL: func.func @invariant(
// CHECK: form = #linnet.form<sequential>
func.func @invariant(%q: tensor<1x1x2x0xf32>, %v: tensor<1x512x2x5xf32>) -> tensor<1x512x2x5xf32> {
  %o, %s = linnet.scan #linnet.none %q, %q, %v : (tensor<1x1x2x0xf32>, tensor<1x1x2x0xf32>, tensor<1x512x2x5xf32>) -> (tensor<1x512x2x5xf32>, tensor<1x2x0x5xf32>)
  return %o : tensor<1x512x2x5xf32>
}
// SIMPLE-LABEL: func.func @complex(
// SIMPLE: linnet.scan #linnet.diagonal
// CHECK-LABEL: func.func @complex(
// CHECK: form = #linnet.form<sequential>
func.func @complex(%q: tensor<1x512x2x0xf32>, %v: tensor<1x512x2x4xf32>, %g: tensor<1x512x2x0xf32>) -> tensor<1x512x2x4xf32> {
  %z = arith.constant dense<0.0> : tensor<1x512x2x0xf32>
  %o, %s = linnet.scan #linnet.complex(%g, %z) %q, %q, %v : (tensor<1x512x2x0xf32>, tensor<1x512x2x0xf32>, tensor<1x512x2x4xf32>, tensor<1x512x2x0xf32>, tensor<1x512x2x0xf32>) -> (tensor<1x512x2x4xf32>, tensor<1x2x0x4xf32>)
  return %o : tensor<1x512x2x4xf32>
}
// CHECK-LABEL: func.func @diagonal(
// CHECK: form = #linnet.form<sequential>
func.func @diagonal(%q: tensor<1x512x2x0xf32>, %v: tensor<1x512x2x4xf32>, %g: tensor<1x512x2x0xf32>) -> tensor<1x512x2x4xf32> {
  %o, %s = linnet.scan #linnet.diagonal(%g) %q, %q, %v : (tensor<1x512x2x0xf32>, tensor<1x512x2x0xf32>, tensor<1x512x2x4xf32>, tensor<1x512x2x0xf32>) -> (tensor<1x512x2x4xf32>, tensor<1x2x0x4xf32>)
  return %o : tensor<1x512x2x4xf32>
}
// CHECK-LABEL: func.func @block(
// CHECK: form = #linnet.form<sequential>
func.func @block(%q: tensor<1x512x2x0xf32>, %v: tensor<1x512x2x4xf32>, %g: tensor<1x512x2x0x1xf32>) -> tensor<1x512x2x4xf32> {
  %o, %s = linnet.scan #linnet.block(%g) %q, %q, %v : (tensor<1x512x2x0xf32>, tensor<1x512x2x0xf32>, tensor<1x512x2x4xf32>, tensor<1x512x2x0x1xf32>) -> (tensor<1x512x2x4xf32>, tensor<1x2x0x4xf32>)
  return %o : tensor<1x512x2x4xf32>
}
// One token makes no segments.
func.func @one(%q: tensor<1x1x2x4xf32>) -> tensor<1x1x2x4xf32> {
  %o, %s = linnet.scan #linnet.none %q, %q, %q : (tensor<1x1x2x4xf32>, tensor<1x1x2x4xf32>, tensor<1x1x2x4xf32>) -> (tensor<1x1x2x4xf32>, tensor<1x2x4x4xf32>)
  return %o : tensor<1x1x2x4xf32>
}
