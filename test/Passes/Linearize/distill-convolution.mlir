// RUN: linnet-opt %s --linnet-distill-convolution | FileCheck %s
// RUN: linnet-opt %s --linnet-distill-convolution --remarks-filter="linnet-distill-convolution" --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: linnet-opt %s --linnet-distill-convolution="max-error=0.9" --remarks-filter-passed="linnet-distill-convolution" --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=LOOSE
// RUN: not linnet-opt %s --linnet-distill-convolution="order=0" -o /dev/null 2>&1 | FileCheck %s --check-prefix=ORDER
// RUN: not linnet-opt %s --linnet-distill-convolution="max-error=nan" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NAN
//
// The recurrence gives what the convolution gives: the filter of @ones is an
// argument there and stays one.
// RUN: linnet-opt %s --linnet-distill-convolution -o %t.mlir
// RUN: linnet-run run %t.mlir --function=ones --input=random:2x64x6:1 --input=1 --input=random:6:2 | FileCheck %s --check-prefix=SAME
// SAME: result 0 [2, 64, 6]: min {{(-?0|-?[0-9.]+e-0[5-9])}}, max {{(0|[0-9.]+e-0[5-9])}},
// ORDER: error: expected an order of at least 1 and a positive max-error, but got 0 and 1.000000e-03
// NAN: error: expected an order of at least 1 and a positive max-error, but got 64 and nan

!x = tensor<2x64x6xf32>
!t = tensor<2x63x6xf32>

// One pole at 1 for each of the filters, shared by two channels.
// REMARK: distilled{{.*}}64 taps as 1 complex modes{{.*}}RelativeError
// CHECK-LABEL: func.func @ones(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x64x6xf32>
// CHECK: %[[V:.*]] = tensor.expand_shape %[[X]] {{.*}} into tensor<2x64x3x2xf32>
// CHECK: %[[O:.*]], %{{.*}} = linnet.scan #linnet.complex({{.*}}) {{.*}}, %[[V]]
// CHECK-SAME: (tensor<1x1x3x2xf32>, tensor<1x1x1x2xf32>, tensor<2x64x3x2xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>)
// CHECK: tensor.collapse_shape %[[O]]
// CHECK: linalg.generic
// CHECK: linnet.long_conv
func.func @ones(%x: !x, %h: tensor<3x64xf32>, %d: tensor<6xf32>) -> !x {
  %c = arith.constant dense<1.0> : tensor<3x64xf32>
  %0, %t0 = linnet.long_conv %x, %c skip(%d) : (!x, tensor<3x64xf32>, tensor<6xf32>) -> (!x, !t)
  %1, %t1 = linnet.long_conv %x, %h skip(%d) : (!x, tensor<3x64xf32>, tensor<6xf32>) -> (!x, !t)
  %2 = arith.subf %0, %1 : !x
  return %2 : !x
}

// REMARK: not distilled{{.*}}its filter is computed
// CHECK-LABEL: func.func @computed(
// CHECK: linnet.long_conv
func.func @computed(%x: !x, %h: tensor<1x64xf32>) -> !x {
  %0, %t0 = linnet.long_conv %x, %h : (!x, tensor<1x64xf32>) -> (!x, !t)
  return %0 : !x
}

// Not near a recurrence of few states.
// REMARK: not distilled{{.*}}expected a relative error of at most 1.000000e-03 with 64 states, but got
// LOOSE: distilled{{.*}}64 taps
// LOOSE: distilled{{.*}}12 taps
// CHECK-LABEL: func.func @noise(
// CHECK: linnet.long_conv
func.func @noise(%x: !x) -> tensor<2x64x6xf32> {
  %c = arith.constant dense<[[0.0, 1.0, 0.9, 0.3, -0.2, 0.4, 0.1, -0.3, 0.2, 0.5, -0.1, 0.1]]> : tensor<1x12xf32>
  %0, %t0 = linnet.long_conv %x, %c : (!x, tensor<1x12xf32>) -> (!x, tensor<2x11x6xf32>)
  return %0 : !x
}

// REMARK: not distilled{{.*}}its state is explicit; run before linnet-thread-state
// CHECK-LABEL: func.func @stateful(
// CHECK: linnet.long_conv
func.func @stateful(%x: !x) -> !t {
  %c = arith.constant dense<1.0> : tensor<1x64xf32>
  %0, %t0 = linnet.long_conv %x, %c : (!x, tensor<1x64xf32>) -> (!x, !t)
  return %t0 : !t
}

// REMARK: not distilled{{.*}}its filter is a weight of no archive
// CHECK-LABEL: func.func @weight(
// CHECK: linnet.long_conv
func.func @weight(%x: !x) -> !x {
  %w = linnet.weight "filter" : tensor<1x64xf32>
  %0, %t0 = linnet.long_conv %x, %w : (!x, tensor<1x64xf32>) -> (!x, !t)
  return %0 : !x
}
