// RUN: linnet-opt %s --linnet-expand-step | FileCheck %s

// CHECK-LABEL: func @step_of_a_scalar_decay
// CHECK-SAME: %[[Q:.*]]: tensor<2x1x3xf32>, %[[V:.*]]: tensor<2x5x4xf32>, %[[G:.*]]: tensor<2x5xf32>, %[[S:.*]]: tensor<2x5x3x4xf32>
func.func @step_of_a_scalar_decay(%q: tensor<2x1x3xf32>, %v: tensor<2x5x4xf32>, %g: tensor<2x5xf32>,
                                  %s: tensor<2x5x3x4xf32>) -> (tensor<2x5x4xf32>, tensor<2x5x3x4xf32>) {
  // CHECK-DAG: %[[QT:.*]] = tensor.expand_shape %[[Q]] {{.*}} into tensor<2x1x1x3xf32>
  // CHECK-DAG: %[[VT:.*]] = tensor.expand_shape %[[V]] {{.*}} into tensor<2x1x5x4xf32>
  // CHECK-DAG: %[[GT:.*]] = tensor.expand_shape %[[G]] {{.*}} into tensor<2x1x5xf32>
  // CHECK: %[[O:.*]], %[[NEXT:.*]] = linnet.scan #linnet.scalar(%[[GT]]) %{{.*}}, %{{.*}}, %[[VT]] initial(%[[S]]) {scale = 5.000000e-01 : f64}
  // CHECK: %[[R:.*]] = tensor.collapse_shape %[[O]] {{.*}} into tensor<2x5x4xf32>
  // CHECK: return %[[R]], %[[NEXT]]
  %o, %n = linnet.step #linnet.scalar(%g) %q, %q, %v initial(%s) {scale = 0.5 : f64}
    : (tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<2x5x4xf32>, tensor<2x5xf32>, tensor<2x5x3x4xf32>)
      -> (tensor<2x5x4xf32>, tensor<2x5x3x4xf32>)
  return %o, %n : tensor<2x5x4xf32>, tensor<2x5x3x4xf32>
}

// CHECK-LABEL: func @micro_steps
func.func @micro_steps(%q: tensor<2x1x3xf32>, %v: tensor<2x10x3xf32>, %s: tensor<2x5x3x3xf32>) -> tensor<2x5x3xf32> {
  // CHECK: linnet.scan #linnet.none %{{.*}}, %{{.*}}, %{{.*}} initial(%{{.*}}) {micro_steps = 2 : i64} : (tensor<2x1x1x3xf32>, tensor<2x1x10x3xf32>, tensor<2x1x10x3xf32>, tensor<2x5x3x3xf32>) -> (tensor<2x1x5x3xf32>, tensor<2x5x3x3xf32>)
  %o, %n = linnet.step #linnet.none %q, %v, %v initial(%s) {micro_steps = 2 : i64}
    : (tensor<2x1x3xf32>, tensor<2x10x3xf32>, tensor<2x10x3xf32>, tensor<2x5x3x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3x3xf32>)
  return %o : tensor<2x5x3xf32>
}

// CHECK-LABEL: func @scan_is_left_alone
func.func @scan_is_left_alone(%q: tensor<2x7x1x3xf32>) -> tensor<2x7x1x3xf32> {
  // CHECK-NOT: tensor.expand_shape
  // CHECK: linnet.scan #linnet.none
  %o, %s = linnet.scan #linnet.none %q, %q, %q
    : (tensor<2x7x1x3xf32>, tensor<2x7x1x3xf32>, tensor<2x7x1x3xf32>) -> (tensor<2x7x1x3xf32>, tensor<2x1x3x3xf32>)
  return %o : tensor<2x7x1x3xf32>
}
