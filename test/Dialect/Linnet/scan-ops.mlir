// RUN: linnet-opt %s | linnet-opt | FileCheck %s
// RUN: linnet-opt %s --mlir-print-op-generic | linnet-opt | FileCheck %s

// CHECK-LABEL: func.func @transitions(
func.func @transitions(%q: tensor<?x?x1x3xf32>, %v: tensor<?x?x4x5xf32>, %h: tensor<?x?x4xf32>, %shared: tensor<?x?x2x3xf32>, %d: tensor<?x?x4x5xf32>, %a: tensor<1x1x4x3x5xf32>) {
  // CHECK: linnet.scan #linnet.none %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  %0, %s0 = linnet.scan #linnet.none %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  // CHECK: linnet.scan #linnet.scalar(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %1, %s1 = linnet.scan #linnet.scalar(%h) %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>, tensor<?x?x4xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  // CHECK: linnet.scan #linnet.diagonal(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %2, %s2 = linnet.scan #linnet.diagonal(%shared) %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>, tensor<?x?x2x3xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  // CHECK: linnet.scan #linnet.full(%{{.*}}, %{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %3, %s3 = linnet.scan #linnet.full(%d, %a) %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>, tensor<?x?x4x5xf32>, tensor<1x1x4x3x5xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  // CHECK: linnet.scan #linnet.delta<none>(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %4, %s4 = linnet.scan #linnet.delta<none>(%h) %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>, tensor<?x?x4xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  // CHECK: linnet.scan #linnet.delta<scalar>(%{{.*}}, %{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %5, %s5 = linnet.scan #linnet.delta<scalar>(%h, %h) %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  // CHECK: linnet.scan #linnet.delta<diagonal>(%{{.*}}, %{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %6, %s6 = linnet.scan #linnet.delta<diagonal>(%h, %shared) %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>, tensor<?x?x4xf32>, tensor<?x?x2x3xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  // CHECK: linnet.scan #linnet.value_diagonal(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %7, %s7 = linnet.scan #linnet.value_diagonal(%d) %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>, tensor<?x?x4x5xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  // CHECK: linnet.scan #linnet.two_sided(%{{.*}}, %{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %8, %s8 = linnet.scan #linnet.two_sided(%shared, %d) %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>, tensor<?x?x2x3xf32>, tensor<?x?x4x5xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  // CHECK: linnet.scan #linnet.rank_one<scalar>(%{{.*}}, %{{.*}}, %{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %9, %s9 = linnet.scan #linnet.rank_one<scalar>(%shared, %shared, %h) %q, %q, %v : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x4x5xf32>, tensor<?x?x2x3xf32>, tensor<?x?x2x3xf32>, tensor<?x?x4xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x3x5xf32>)
  return
}

// CHECK-LABEL: func.func @block(
func.func @block(%q: tensor<?x?x4x6xf32>, %v: tensor<?x?x4x5xf32>, %m: tensor<?x?x4x6x2xf32>) {
  // CHECK: linnet.scan #linnet.block(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %0, %s0 = linnet.scan #linnet.block(%m) %q, %q, %v : (tensor<?x?x4x6xf32>, tensor<?x?x4x6xf32>, tensor<?x?x4x5xf32>, tensor<?x?x4x6x2xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x6x5xf32>)
  return
}

// CHECK-LABEL: func.func @complex(
func.func @complex(%q: tensor<?x?x1x6xf32>, %v: tensor<?x?x4x5xf32>, %g: tensor<1x1x4x3xf32>, %h: tensor<1x1x4x5xf32>) {
  // CHECK: linnet.scan #linnet.complex(%{{.*}}, %{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %0, %s0 = linnet.scan #linnet.complex(%g, %g) %q, %q, %v : (tensor<?x?x1x6xf32>, tensor<?x?x1x6xf32>, tensor<?x?x4x5xf32>, tensor<1x1x4x3xf32>, tensor<1x1x4x3xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x6x5xf32>)
  // CHECK: linnet.scan #linnet.complex_value(%{{.*}}, %{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} :
  %1, %s1 = linnet.scan #linnet.complex_value(%h, %h) %q, %q, %v : (tensor<?x?x1x6xf32>, tensor<?x?x1x6xf32>, tensor<?x?x4x5xf32>, tensor<1x1x4x5xf32>, tensor<1x1x4x5xf32>) -> (tensor<?x?x4x5xf32>, tensor<?x4x6x5xf32>)
  return
}

// CHECK-LABEL: func.func @scan_options(
func.func @scan_options(%q: tensor<2x7x4x3xf32>, %v: tensor<2x7x4x5xf32>, %g: tensor<2x7x4x3xf32>, %u: tensor<1x1x4x3xf32>, %s: tensor<2x4x3x5xf32>) {
  // CHECK: linnet.scan #linnet.diagonal(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} bonus(%{{.*}}) initial(%{{.*}}) {readout = #linnet.readout<pre>, reverse, scale = 5.000000e-01 : f64}
  // CHECK-SAME: : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x4x5xf32>, tensor<2x7x4x3xf32>, tensor<1x1x4x3xf32>, tensor<2x4x3x5xf32>) -> (tensor<2x7x4x5xf32>, tensor<2x4x3x5xf32>)
  %0, %t = linnet.scan #linnet.diagonal(%g) %q, %q, %v bonus(%u) initial(%s) {scale = 0.5 : f64, readout = #linnet.readout<pre>, reverse}
    : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x4x5xf32>, tensor<2x7x4x3xf32>, tensor<1x1x4x3xf32>, tensor<2x4x3x5xf32>) -> (tensor<2x7x4x5xf32>, tensor<2x4x3x5xf32>)
  return
}

// CHECK-LABEL: func.func @resets(
func.func @resets(%q: tensor<2x7x4x3xf32>, %v: tensor<2x7x4x5xf32>, %s: tensor<2x4x3x5xf32>, %r: tensor<2x7xi32>) {
  // CHECK: linnet.scan #linnet.none %{{.*}}, %{{.*}}, %{{.*}} initial(%{{.*}}) resets(%{{.*}}) :
  %0, %s0 = linnet.scan #linnet.none %q, %q, %v initial(%s) resets(%r) : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x4x5xf32>, tensor<2x4x3x5xf32>, tensor<2x7xi32>) -> (tensor<2x7x4x5xf32>, tensor<2x4x3x5xf32>)
  return
}

// CHECK-LABEL: func.func @micro_steps(
func.func @micro_steps(%q: tensor<2x7x1x3xf32>, %k: tensor<2x7x4x3xf32>, %v: tensor<2x7x8x5xf32>, %beta: tensor<2x7x8xf32>, %s: tensor<2x4x3x5xf32>) {
  // CHECK: linnet.scan #linnet.delta<none>(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} initial(%{{.*}}) {micro_steps = 2 : i64} :
  %0, %s0 = linnet.scan #linnet.delta<none>(%beta) %q, %k, %v initial(%s) {micro_steps = 2 : i64} : (tensor<2x7x1x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x8x5xf32>, tensor<2x7x8xf32>, tensor<2x4x3x5xf32>) -> (tensor<2x7x4x5xf32>, tensor<2x4x3x5xf32>)
  return
}

// CHECK-LABEL: func.func @micro_steps_of_a_step(
func.func @micro_steps_of_a_step(%q: tensor<2x4x3xf32>, %v: tensor<2x8x3xf32>, %s: tensor<2x4x3x3xf32>) {
  // CHECK: linnet.step #linnet.none %{{.*}}, %{{.*}}, %{{.*}} initial(%{{.*}}) {micro_steps = 2 : i64} :
  %o, %t = linnet.step #linnet.none %q, %v, %v initial(%s) {micro_steps = 2 : i64} : (tensor<2x4x3xf32>, tensor<2x8x3xf32>, tensor<2x8x3xf32>, tensor<2x4x3x3xf32>) -> (tensor<2x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// CHECK-LABEL: func.func @step(
func.func @step(%q: tensor<2x1x12xf32>, %v: tensor<2x5x12xf32>, %g: tensor<2x5xf32>, %s: tensor<2x5x12x12xf32>) {
  // CHECK: linnet.step #linnet.scalar(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}} initial(%{{.*}}) :
  // CHECK-SAME: (tensor<2x1x12xf32>, tensor<2x1x12xf32>, tensor<2x5x12xf32>, tensor<2x5xf32>, tensor<2x5x12x12xf32>) -> (tensor<2x5x12xf32>, tensor<2x5x12x12xf32>)
  %o, %t = linnet.step #linnet.scalar(%g) %q, %q, %v initial(%s)
    : (tensor<2x1x12xf32>, tensor<2x1x12xf32>, tensor<2x5x12xf32>, tensor<2x5xf32>, tensor<2x5x12x12xf32>) -> (tensor<2x5x12xf32>, tensor<2x5x12x12xf32>)
  return
}

// CHECK-LABEL: func.func @short_conv(
func.func @short_conv(%x: tensor<?x?x68xf32>, %w: tensor<68x1x4xf32>, %b: tensor<68xf32>, %s: tensor<?x3x68xf32>) {
  // CHECK: linnet.short_conv %{{.*}}, %{{.*}} bias(%{{.*}}) {activation = #linnet.activation<silu>} : (tensor<?x?x68xf32>, tensor<68x1x4xf32>, tensor<68xf32>) -> (tensor<?x?x68xf32>, tensor<?x3x68xf32>)
  %0, %t0 = linnet.short_conv %x, %w bias(%b) {activation = #linnet.activation<silu>} : (tensor<?x?x68xf32>, tensor<68x1x4xf32>, tensor<68xf32>) -> (tensor<?x?x68xf32>, tensor<?x3x68xf32>)
  // CHECK: linnet.short_conv %{{.*}}, %{{.*}} tail(%{{.*}}) : (tensor<?x?x68xf32>, tensor<68x1x4xf32>, tensor<?x3x68xf32>) -> (tensor<?x?x68xf32>, tensor<?x3x68xf32>)
  %1, %t1 = linnet.short_conv %x, %w tail(%s) : (tensor<?x?x68xf32>, tensor<68x1x4xf32>, tensor<?x3x68xf32>) -> (tensor<?x?x68xf32>, tensor<?x3x68xf32>)
  return
}
