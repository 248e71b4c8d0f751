// RUN: linnet-opt %s --linnet-expand-structures | FileCheck %s
// RUN: linnet-opt %s --linnet-expand-structures --remarks-filter-passed=linnet-expand-structures --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK-COUNT-2: [Passed] structure expanded {{.*}}FlopsPerRow=576
// REMARK-NOT: remark


// CHECK-LABEL: func @low_rank_becomes_two_dense_maps
// CHECK-SAME: %[[X:.*]]: tensor<2x5x32xf32>, %[[U:.*]]: tensor<40x4xf32>, %[[V:.*]]: tensor<4x32xf32>
func.func @low_rank_becomes_two_dense_maps(%x: tensor<2x5x32xf32>, %u: tensor<40x4xf32>, %v: tensor<4x32xf32>) -> tensor<2x5x40xf32> {
  // CHECK: %[[M:.*]] = linnet.linear #linnet.dense %[[X]], %[[V]] : {{.*}} -> tensor<2x5x4xf32>
  // CHECK: %[[Y:.*]] = linnet.linear #linnet.dense %[[M]], %[[U]] :
  // CHECK: return %[[Y]]
  %y = linnet.linear #linnet.low_rank %x, %u, %v : (tensor<2x5x32xf32>, tensor<40x4xf32>, tensor<4x32xf32>) -> tensor<2x5x40xf32>
  return %y : tensor<2x5x40xf32>
}

// CHECK-LABEL: func @the_last_map_takes_the_bias
// CHECK-SAME: %[[B:[a-z0-9]+]]: tensor<40xf32>)
func.func @the_last_map_takes_the_bias(%x: tensor<?x?x32xf32>, %u: tensor<40x4xf32>, %v: tensor<4x32xf32>, %b: tensor<40xf32>) -> tensor<?x?x40xf32> {
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} bias(%[[B]])
  %y = linnet.linear #linnet.low_rank %x, %u, %v bias(%b) : (tensor<?x?x32xf32>, tensor<40x4xf32>, tensor<4x32xf32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  return %y : tensor<?x?x40xf32>
}

// CHECK-LABEL: func @declines_dense
func.func @declines_dense(%x: tensor<2x32xf32>, %w: tensor<40x32xf32>) -> tensor<2x40xf32> {
  // CHECK-COUNT-1: linnet.linear #linnet.dense
  %y = linnet.linear #linnet.dense %x, %w : (tensor<2x32xf32>, tensor<40x32xf32>) -> tensor<2x40xf32>
  return %y : tensor<2x40xf32>
}
