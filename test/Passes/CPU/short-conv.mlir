// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu="vector-bits=256" --canonicalize --verify-diagnostics | FileCheck %s

// Several tokens: the window is carried from token to token in registers, the
// activation fused.
// CHECK-LABEL: func private @kernel_short_conv_0
// CHECK: vector.shuffle
// CHECK: scf.for {{.*}} iter_args(%{{.*}}, %{{.*}}, %{{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK-COUNT-4: vector.fma
// CHECK: math.exp
// CHECK: return
func.func @prefill(%x: tensor<1x?x64xf32>, %w: tensor<64x1x4xf32>, %b: tensor<64xf32>, %t: tensor<1x3x64xf32> {linnet.state = "tail"})
    -> (tensor<1x?x64xf32>, tensor<1x3x64xf32>)
    attributes {linnet.phase = "function", linnet.max_tokens = 16 : i64} {
  %y, %n = linnet.short_conv %x, %w bias(%b) tail(%t) {activation = #linnet.activation<silu>}
    : (tensor<1x?x64xf32>, tensor<64x1x4xf32>, tensor<64xf32>, tensor<1x3x64xf32>) -> (tensor<1x?x64xf32>, tensor<1x3x64xf32>)
  return %y, %n : tensor<1x?x64xf32>, tensor<1x3x64xf32>
}

// -----

// One token: no loop over tokens; a thread reads all of its tail before it
// writes any.
// CHECK-LABEL: func private @kernel_short_conv_0
// CHECK: vector.load %[[TAIL:[0-9a-z_]+]][
// CHECK: vector.load %[[TAIL]][
// CHECK: vector.load %[[TAIL]][
// CHECK: vector.store %{{.*}}, %[[TAIL]][
// CHECK-NOT: iter_args
// CHECK: return
func.func @step(%x: tensor<1x?x64xf32>, %w: tensor<64x1x4xf32>, %t: tensor<1x3x64xf32> {linnet.state = "tail"})
    -> (tensor<1x?x64xf32>, tensor<1x3x64xf32>)
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %y, %n = linnet.short_conv %x, %w tail(%t)
    : (tensor<1x?x64xf32>, tensor<64x1x4xf32>, tensor<1x3x64xf32>) -> (tensor<1x?x64xf32>, tensor<1x3x64xf32>)
  return %y, %n : tensor<1x?x64xf32>, tensor<1x3x64xf32>
}

// -----

func.func @long(%x: tensor<1x4x8xf32>, %w: tensor<8x1x65xf32>) -> tensor<1x4x8xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  // expected-error@+1 {{expected at most 64 taps, but got 65}}
  %y, %n = linnet.short_conv %x, %w : (tensor<1x4x8xf32>, tensor<8x1x65xf32>) -> (tensor<1x4x8xf32>, tensor<1x64x8xf32>)
  return %y : tensor<1x4x8xf32>
}
