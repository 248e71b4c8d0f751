// RUN: linnet-opt %s | linnet-opt | FileCheck %s
// RUN: linnet-opt %s --mlir-print-op-generic | linnet-opt | FileCheck %s

// CHECK-LABEL: func @route
func.func @route(%l: tensor<?x?x8xf32>, %b: tensor<8xf32>) {
  // CHECK: linnet.route softmax %{{.*}} {k = 2 : i64, normalize} : (tensor<?x?x8xf32>) -> (tensor<?x?x2xi32>, tensor<?x?x2xf32>)
  %i, %w = linnet.route softmax %l {k = 2 : i64, normalize} : (tensor<?x?x8xf32>) -> (tensor<?x?x2xi32>, tensor<?x?x2xf32>)
  // CHECK: linnet.route sigmoid %{{.*}} bias(%{{.*}}) {eps = {{.*}}, group_rule = #linnet.group_rule<best_two>, groups = 4 : i64, k = 3 : i64, normalize, scale = 2.5{{.*}}, top_groups = 2 : i64}
  %j, %v = linnet.route sigmoid %l bias(%b) {k = 3 : i64, groups = 4 : i64, top_groups = 2 : i64, group_rule = #linnet.group_rule<best_two>, normalize, eps = 1.0e-20 : f64, scale = 2.5 : f64} : (tensor<?x?x8xf32>, tensor<8xf32>) -> (tensor<?x?x3xi32>, tensor<?x?x3xf32>)
  // CHECK: linnet.route softmax_chosen %{{.*}} {k = 8 : i64}
  %m, %u = linnet.route softmax_chosen %l {k = 8 : i64} : (tensor<?x?x8xf32>) -> (tensor<?x?x8xi32>, tensor<?x?x8xf32>)
  return
}

// CHECK-LABEL: func @experts
func.func @experts(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %g: tensor<8x3x4xbf16>, %f: tensor<8x6x4xf32>, %d: tensor<8x4x3xf32>) {
  // CHECK: linnet.experts silu %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x3x4xbf16>, tensor<8x3x4xbf16>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  %0 = linnet.experts silu %x, %i, %w, %g, %g, %d : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x3x4xbf16>, tensor<8x3x4xbf16>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  // CHECK: linnet.experts gelu {{.*}}, tensor<8x6x4xf32>, tensor<8x4x3xf32>)
  %1 = linnet.experts gelu %x, %i, %w, %f, %d : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x6x4xf32>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  // CHECK: linnet.experts relu2 {{.*}}, tensor<8x3x4xbf16>, tensor<8x4x3xf32>)
  %2 = linnet.experts relu2 %x, %i, %w, %g, %d : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x3x4xbf16>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  return
}

// CHECK-LABEL: func @stacked
func.func @stacked(%layer: index) {
  // CHECK: linnet.weight "l.{}.experts.{*}.up"[%{{.*}}] : tensor<8x3x4xbf16>
  %0 = linnet.weight "l.{}.experts.{*}.up"[%layer] : tensor<8x3x4xbf16>
  // CHECK: linnet.weight "experts.{*}.up" : tensor<8x3x4xbf16>
  %1 = linnet.weight "experts.{*}.up" : tensor<8x3x4xbf16>
  return
}
