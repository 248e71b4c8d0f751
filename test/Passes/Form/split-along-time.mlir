// RUN: linnet-opt %s --linnet-split-along-time="at=2" --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @scan_in_two_parts
func.func @scan_in_two_parts(%q: tensor<1x5x1x3xf32>, %v: tensor<1x5x2x4xf32>, %g: tensor<1x1x2xf32>)
    -> (tensor<1x5x2x4xf32>, tensor<1x2x3x4xf32>) {
  // The time-invariant decay is not sliced.
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : tensor<1x2x3x4xf32>
  // CHECK: %[[A:.*]], %[[S:.*]] = linnet.scan #linnet.scalar(%arg2) {{.*}} initial(%[[ZERO]]) : {{.*}} -> (tensor<1x2x2x4xf32>
  // CHECK: %[[B:.*]], %[[LAST:.*]] = linnet.scan #linnet.scalar(%arg2) {{.*}} initial(%[[S]]) : {{.*}} -> (tensor<1x3x2x4xf32>
  // CHECK: %[[R:.*]] = tensor.concat dim(1) %[[A]], %[[B]]
  // CHECK: return %[[R]], %[[LAST]]
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %v
    : (tensor<1x5x1x3xf32>, tensor<1x5x1x3xf32>, tensor<1x5x2x4xf32>, tensor<1x1x2xf32>)
      -> (tensor<1x5x2x4xf32>, tensor<1x2x3x4xf32>)
  return %o, %s : tensor<1x5x2x4xf32>, tensor<1x2x3x4xf32>
}

// CHECK-LABEL: func @attention_in_two_parts
func.func @attention_in_two_parts(%q: tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32> {
  // CHECK: %[[A:.*]], %[[CACHE:.*]]:2 = linnet.attention {{.*}} at %[[P0:.*]] {causal
  // CHECK: linnet.attention {{.*}} cache(%[[CACHE]]#0, %[[CACHE]]#1) at %{{.*}} {causal
  // CHECK: tensor.concat dim(1)
  %o = linnet.attention %q, %q, %q {causal, scale = 1.0 : f64}
    : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32>
  return %o : tensor<1x5x2x4xf32>
}

// Keys that are values as well are one state.
// CHECK-LABEL: func @latent_attention_in_two_parts
func.func @latent_attention_in_two_parts(%q: tensor<1x5x2x4xf32>, %k: tensor<1x5x1x4xf32>) -> tensor<1x5x2x3xf32> {
  // CHECK: %[[A:.*]], %[[CACHE:.*]] = linnet.attention %{{.*}}, %{{[a-z_0-9]+}} cache(%{{[a-z_0-9]+}}) at %{{.*}} {causal, {{.*}}value_width = 3
  // CHECK-SAME: -> (tensor<1x2x2x3xf32>, tensor<1x5x1x4xf32>)
  // CHECK: linnet.attention {{.*}} cache(%[[CACHE]]) at %{{.*}} {causal
  // CHECK-SAME: -> (tensor<1x3x2x3xf32>, tensor<1x5x1x4xf32>)
  // CHECK: tensor.concat dim(1)
  %o = linnet.attention %q, %k {causal, scale = 1.0 : f64, value_width = 3 : i64}
    : (tensor<1x5x2x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x2x3xf32>
  return %o : tensor<1x5x2x3xf32>
}

// CHECK-LABEL: func @convolution_in_two_parts
func.func @convolution_in_two_parts(%x: tensor<1x5x2xf32>, %w: tensor<2x1x4xf32>) -> tensor<1x5x2xf32> {
  // CHECK-COUNT-2: linnet.short_conv {{.*}} tail(
  %o, %t = linnet.short_conv %x, %w : (tensor<1x5x2xf32>, tensor<2x1x4xf32>) -> (tensor<1x5x2xf32>, tensor<1x3x2xf32>)
  return %o : tensor<1x5x2xf32>
}

// CHECK-LABEL: func @declines_bidirectional_attention
func.func @declines_bidirectional_attention(%q: tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32> {
  // CHECK-NOT: tensor.concat
  // expected-remark@+1 {{not split along time: attention without causal mask reads later tokens}}
  %o = linnet.attention %q, %q, %q {scale = 1.0 : f64}
    : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32>
  return %o : tensor<1x5x2x4xf32>
}

// CHECK-LABEL: func @declines_short_sequences
func.func @declines_short_sequences(%q: tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32> {
  // CHECK-NOT: tensor.concat
  // expected-remark@+1 {{not split along time: it has no tokens after the split}}
  %o = linnet.attention %q, %q, %q {causal, scale = 1.0 : f64}
    : (tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  return %o : tensor<1x2x2x4xf32>
}

// CHECK-LABEL: func @declines_dynamic_shapes
func.func @declines_dynamic_shapes(%q: tensor<1x?x2x4xf32>) -> tensor<1x?x2x4xf32> {
  // CHECK-NOT: tensor.concat
  // expected-remark@+1 {{not split along time: its shapes are dynamic}}
  %o = linnet.attention %q, %q, %q {causal, scale = 1.0 : f64}
    : (tensor<1x?x2x4xf32>, tensor<1x?x2x4xf32>, tensor<1x?x2x4xf32>) -> tensor<1x?x2x4xf32>
  return %o : tensor<1x?x2x4xf32>
}
