// RUN: linnet-opt %s | linnet-opt | FileCheck %s
// RUN: linnet-opt %s --mlir-print-op-generic | linnet-opt | FileCheck %s

// CHECK-LABEL: func.func @attention(
func.func @attention(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x2x8xf32>, %mask: tensor<?x?xi32>, %bias: tensor<1x4x?x?xf32>) {
  // CHECK: linnet.attention %{{.*}}, %{{.*}}, %{{.*}} {causal, scale = 2.500000e-01 : f64}
  // CHECK-SAME: : (tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>) -> tensor<?x?x4x8xf32>
  %0 = linnet.attention %q, %k, %v {causal, scale = 0.25 : f64}
    : (tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>) -> tensor<?x?x4x8xf32>
  // CHECK: linnet.attention %{{.*}}, %{{.*}}, %{{.*}} bias(%{{.*}}) key_mask(%{{.*}}) {scale = 1.000000e+00 : f64, soft_cap = 5.000000e+01 : f64, window = 7 : i64}
  // CHECK-SAME: : (tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>, tensor<1x4x?x?xf32>, tensor<?x?xi32>) -> tensor<?x?x4x8xf32>
  %1 = linnet.attention %q, %k, %v bias(%bias) key_mask(%mask) {scale = 1.0 : f64, soft_cap = 50.0 : f64, window = 7 : i64}
    : (tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>, tensor<1x4x?x?xf32>, tensor<?x?xi32>) -> tensor<?x?x4x8xf32>
  return
}

// CHECK-LABEL: func.func @values_in_keys(
func.func @values_in_keys(%q: tensor<?x?x4x24xf32>, %k: tensor<?x?x1x24xf32>, %keys: tensor<?x64x1x24xf32>, %position: index) {
  // CHECK: linnet.attention %{{.*}}, %{{[a-z0-9]+}} {causal, scale = 2.500000e-01 : f64, value_width = 16 : i64}
  // CHECK-SAME: : (tensor<?x?x4x24xf32>, tensor<?x?x1x24xf32>) -> tensor<?x?x4x16xf32>
  %0 = linnet.attention %q, %k {causal, scale = 0.25 : f64, value_width = 16 : i64}
    : (tensor<?x?x4x24xf32>, tensor<?x?x1x24xf32>) -> tensor<?x?x4x16xf32>
  // CHECK: %{{.*}}, %{{.*}} = linnet.attention %{{.*}}, %{{[a-z0-9]+}} cache(%{{[a-z0-9]+}}) at %{{.*}} {causal, scale = 2.500000e-01 : f64, value_width = 24 : i64}
  // CHECK-SAME: -> (tensor<?x?x4x24xf32>, tensor<?x64x1x24xf32>)
  %1, %2 = linnet.attention %q, %k cache(%keys) at %position {causal, scale = 0.25 : f64, value_width = 24 : i64}
    : (tensor<?x?x4x24xf32>, tensor<?x?x1x24xf32>, tensor<?x64x1x24xf32>, index)
      -> (tensor<?x?x4x24xf32>, tensor<?x64x1x24xf32>)
  return
}

// CHECK-LABEL: func.func @cache(
func.func @cache(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x2x8xf32>, %keys: tensor<?x64x2x16xf32>, %values: tensor<?x64x2x8xf32>, %position: index) {
  // CHECK: %{{.*}}, %{{.*}}:2 = linnet.attention %{{.*}}, %{{.*}}, %{{.*}} cache(%{{.*}}, %{{.*}}) at %{{.*}} {causal, scale = 2.500000e-01 : f64}
  // CHECK-SAME: -> (tensor<?x?x4x8xf32>, tensor<?x64x2x16xf32>, tensor<?x64x2x8xf32>)
  %0, %1:2 = linnet.attention %q, %k, %v cache(%keys, %values) at %position {causal, scale = 0.25 : f64}
    : (tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>, tensor<?x64x2x16xf32>, tensor<?x64x2x8xf32>, index)
      -> (tensor<?x?x4x8xf32>, tensor<?x64x2x16xf32>, tensor<?x64x2x8xf32>)
  return
}
