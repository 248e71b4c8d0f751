// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu="vector-bits=256" --canonicalize | FileCheck %s

// One decay per head: computed once per token, as a scalar; zero erases.
// CHECK-LABEL: func private @kernel_scan_0
// CHECK: math.exp %{{.*}} : f32
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %{{.*}} iter_args
// CHECK: arith.cmpf oeq
// CHECK: arith.select
// CHECK-NOT: math.exp
// CHECK: return
func.func @scalar(%q: tensor<1x?x1x12xf32>, %v: tensor<1x?x5x32xf32>, %g: tensor<1x?x5xf32>)
    -> (tensor<1x?x5x32xf32>, tensor<1x5x12x32xf32>)
    attributes {linnet.phase = "function", linnet.max_tokens = 16 : i64} {
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %v
    : (tensor<1x?x1x12xf32>, tensor<1x?x1x12xf32>, tensor<1x?x5x32xf32>, tensor<1x?x5xf32>)
      -> (tensor<1x?x5x32xf32>, tensor<1x5x12x32xf32>)
  return %o, %s : tensor<1x?x5x32xf32>, tensor<1x5x12x32xf32>
}

// -----

// One decay per key channel: a vector of channels at a time, before the rows.
// CHECK-LABEL: func private @kernel_scan_0
// CHECK: math.exp %{{.*}} : vector<8xf32>
// CHECK: vector.store
// CHECK: scf.for {{.*}} iter_args
// CHECK-NOT: math.exp
// CHECK: return
func.func @diagonal(%q: tensor<1x?x2x16xf32>, %v: tensor<1x?x2x8xf32>, %g: tensor<1x?x2x16xf32>)
    -> (tensor<1x?x2x8xf32>, tensor<1x2x16x8xf32>)
    attributes {linnet.phase = "function", linnet.max_tokens = 15 : i64} {
  %o, %s = linnet.scan #linnet.diagonal(%g) %q, %q, %v
    : (tensor<1x?x2x16xf32>, tensor<1x?x2x16xf32>, tensor<1x?x2x8xf32>, tensor<1x?x2x16xf32>)
      -> (tensor<1x?x2x8xf32>, tensor<1x2x16x8xf32>)
  return %o, %s : tensor<1x?x2x8xf32>, tensor<1x2x16x8xf32>
}

// -----

// One decay per entry: within the rows.
// CHECK-LABEL: func private @kernel_scan_0
// CHECK: scf.for {{.*}} iter_args
// CHECK: math.exp %{{.*}} : vector<8xf32>
// CHECK: return
func.func @full(%q: tensor<1x?x1x4xf32>, %v: tensor<1x?x1x8xf32>, %d: tensor<1x?x1x8xf32>, %a: tensor<1x1x1x4x8xf32>)
    -> (tensor<1x?x1x8xf32>, tensor<1x1x4x8xf32>)
    attributes {linnet.phase = "function", linnet.max_tokens = 16 : i64} {
  %o, %s = linnet.scan #linnet.full(%d, %a) %q, %q, %v
    : (tensor<1x?x1x4xf32>, tensor<1x?x1x4xf32>, tensor<1x?x1x8xf32>, tensor<1x?x1x8xf32>, tensor<1x1x1x4x8xf32>)
      -> (tensor<1x?x1x8xf32>, tensor<1x1x4x8xf32>)
  return %o, %s : tensor<1x?x1x8xf32>, tensor<1x1x4x8xf32>
}

// -----

// A delta rule reads the decayed state before it writes. One token works on
// the state where it is: the kernel wants no scratch.
// CHECK-LABEL: func @step
// CHECK-SAME: linnet.scratch_bytes = 0
// CHECK-LABEL: func private @kernel_scan_0
// CHECK: scf.for {{.*}} iter_args
// CHECK-NOT: vector.store
// CHECK: scf.for {{.*}} iter_args
// CHECK: vector.store
// CHECK: return
func.func @step(%q: tensor<1x?x2x16xf32>, %v: tensor<1x?x2x8xf32>, %b: tensor<1x?x2xf32>, %s0: tensor<1x2x16x8xf32> {linnet.state = "s"})
    -> (tensor<1x?x2x8xf32>, tensor<1x2x16x8xf32>)
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %o, %s = linnet.scan #linnet.delta<none>(%b) %q, %q, %v initial(%s0)
    : (tensor<1x?x2x16xf32>, tensor<1x?x2x16xf32>, tensor<1x?x2x8xf32>, tensor<1x?x2xf32>, tensor<1x2x16x8xf32>)
      -> (tensor<1x?x2x8xf32>, tensor<1x2x16x8xf32>)
  return %o, %s : tensor<1x?x2x8xf32>, tensor<1x2x16x8xf32>
}

// -----

// Enough tokens and channels: chunks of eight tokens read the state by one
// product and update it by another; decays are multiplied, never divided. The
// tokens left follow one by one.
// CHECK-LABEL: func private @kernel_scan_0
// CHECK-NOT: divf
// CHECK: arith.remui %{{.*}}, %c8
// CHECK: scf.for %{{.*}} step %c8
// CHECK: math.exp %{{.*}} : f32
// CHECK: vector.reduction <add>
// CHECK: scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK-COUNT-16: vector.fma
// CHECK-COUNT-64: vector.fma
// CHECK: math.exp %{{.*}} : f32
// CHECK: return
func.func @chunkwise(%q: tensor<1x?x2x16xf32>, %v: tensor<1x?x2x32xf32>, %b: tensor<1x?x2xf32>, %g: tensor<1x?x2xf32>)
    -> (tensor<1x?x2x32xf32>, tensor<1x2x16x32xf32>)
    attributes {linnet.phase = "function", linnet.max_tokens = 64 : i64} {
  %o, %s = linnet.scan #linnet.delta<scalar>(%b, %g) %q, %q, %v
    : (tensor<1x?x2x16xf32>, tensor<1x?x2x16xf32>, tensor<1x?x2x32xf32>, tensor<1x?x2xf32>, tensor<1x?x2xf32>)
      -> (tensor<1x?x2x32xf32>, tensor<1x2x16x32xf32>)
  return %o, %s : tensor<1x?x2x32xf32>, tensor<1x2x16x32xf32>
}
