// RUN: linnet-opt %s --linnet-select-form | FileCheck %s
// RUN: linnet-opt %s --linnet-select-form --remarks-filter-passed=linnet-select-form --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: linnet-opt %s --linnet-select-form="form=convolution" -o /dev/null 2>&1 | FileCheck %s --check-prefix=DECLINED --implicit-check-not="not computed"

!x = tensor<2x4096x3x5xf32>
!s = tensor<2x3x64x5xf32>
!row = tensor<1x1x3x64xf32>
!pair = tensor<1x1x3x32xf32>

// Long and time-invariant: one filter per head serves its five columns.
// REMARK: took convolution for 4096 tokens; multiply-adds per token: sequential {{[0-9]+}}, chunkwise {{[0-9]+}}, quadratic {{[0-9]+}}, convolution {{[0-9]+}}
// CHECK-LABEL: func.func @complex(
// CHECK-DAG: %[[G:.*]] = tensor.collapse_shape %arg2 {{\[\[}}0, 1, 2], [3]]
// CHECK-DAG: %[[Q:.*]] = tensor.collapse_shape %arg0
// CHECK: %[[H:.*]] = linnet.ssm_kernel #linnet.complex(%{{.*}}, %{{.*}}) %[[Q]], %{{.*}} {scale = 5.000000e-01 : f64}
// CHECK-SAME: -> tensor<3x4096xf32>
// CHECK: %[[X:.*]] = tensor.collapse_shape %arg1 {{\[\[}}0], [1], [2, 3]]
// CHECK: %[[Y:.*]], %{{.*}} = linnet.long_conv %[[X]], %[[H]]
// CHECK: tensor.expand_shape %[[Y]]
// CHECK-NOT: linnet.scan
// CHECK: return
func.func @complex(%q: !row, %v: !x, %g: !pair, %p: !pair) -> !x {
  %o, %s = linnet.scan #linnet.complex(%g, %p) %q, %q, %v {scale = 0.5} : (!row, !row, !x, !pair, !pair) -> (!x, !s)
  return %o : !x
}

// A decay per value column: a filter per column.
// CHECK-LABEL: func.func @columns(
// CHECK: linnet.ssm_kernel #linnet.value_diagonal(%{{.*}}) {{.*}} -> tensor<15x4096xf32>
func.func @columns(%q: !row, %v: !x, %g: tensor<1x1x3x5xf32>) -> !x {
  %o, %s = linnet.scan #linnet.value_diagonal(%g) %q, %q, %v : (!row, !row, !x, tensor<1x1x3x5xf32>) -> (!x, !s)
  return %o : !x
}

// A dense matrix, the tokens bounded by the phase.
// CHECK-LABEL: func.func @bounded(
// CHECK: linnet.ssm_kernel #linnet.block(%{{.*}}) {{.*}} -> tensor<3x1000xf32>
// CHECK: linnet.long_conv {{.*}} : (tensor<2x?x15xf32>, tensor<3x1000xf32>)
// CHECK: tensor.expand_shape {{.*}} : tensor<2x?x15xf32> into tensor<2x?x3x5xf32>
func.func @bounded(%q: !row, %v: tensor<2x?x3x5xf32>, %a: tensor<1x1x3x64x64xf32>) -> tensor<2x?x3x5xf32> attributes {linnet.phase = "encode", linnet.max_tokens = 1000 : i64} {
  %o, %s = linnet.scan #linnet.block(%a) %q, %q, %v : (!row, !row, tensor<2x?x3x5xf32>, tensor<1x1x3x64x64xf32>) -> (tensor<2x?x3x5xf32>, !s)
  return %o : tensor<2x?x3x5xf32>
}

// Few tokens: the transforms would not pay.
// CHECK-LABEL: func.func @short(
// CHECK: form = #linnet.form<sequential>
func.func @short(%q: tensor<1x1x3x2xf32>, %v: tensor<2x4x3x64xf32>, %g: tensor<1x1x3xf32>) -> tensor<2x4x3x64xf32> {
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %v : (tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<2x4x3x64xf32>, tensor<1x1x3xf32>) -> (tensor<2x4x3x64xf32>, tensor<2x3x2x64xf32>)
  return %o : tensor<2x4x3x64xf32>
}

// What is no convolution stays a scan, with the reason where it was asked for.
// CHECK-LABEL: func.func @declined(
// CHECK-NOT: linnet.long_conv
// CHECK: return
func.func @declined(%q: !row, %qt: tensor<2x4096x3x64xf32>, %qb: tensor<2x1x3x64xf32>, %v: !x, %g: tensor<1x1x3xf32>, %gt: tensor<1x4096x3xf32>, %s0: !s) -> (!x, !x, !x, !x, !x, !x, !s) {
  // DECLINED: not computed convolution: its transition varies along the batch or time
  %0, %s1 = linnet.scan #linnet.scalar(%gt) %q, %q, %v : (!row, !row, !x, tensor<1x4096x3xf32>) -> (!x, !s)
  // DECLINED: not computed convolution: its key varies along the batch or time
  %1, %s2 = linnet.scan #linnet.scalar(%g) %q, %qt, %v : (!row, tensor<2x4096x3x64xf32>, !x, tensor<1x1x3xf32>) -> (!x, !s)
  // DECLINED: not computed convolution: its query varies along the batch or time
  %2, %s3 = linnet.scan #linnet.scalar(%g) %qb, %q, %v : (tensor<2x1x3x64xf32>, !row, !x, tensor<1x1x3xf32>) -> (!x, !s)
  // DECLINED: not computed convolution: it runs from the last token to the first
  %3, %s4 = linnet.scan #linnet.scalar(%g) %q, %q, %v {reverse} : (!row, !row, !x, tensor<1x1x3xf32>) -> (!x, !s)
  // DECLINED: not computed convolution: it reads the state before the token
  %4, %s5 = linnet.scan #linnet.scalar(%g) %q, %q, %v {readout = #linnet.readout<pre>} : (!row, !row, !x, tensor<1x1x3xf32>) -> (!x, !s)
  // DECLINED: not computed convolution: it starts from a state
  %5, %s6 = linnet.scan #linnet.scalar(%g) %q, %q, %v initial(%s0) : (!row, !row, !x, tensor<1x1x3xf32>, !s) -> (!x, !s)
  // DECLINED: not computed convolution: its state is used
  %6, %s7 = linnet.scan #linnet.scalar(%g) %q, %q, %v : (!row, !row, !x, tensor<1x1x3xf32>) -> (!x, !s)
  return %0, %1, %2, %3, %4, %5, %s7 : !x, !x, !x, !x, !x, !x, !s
}

// DECLINED: not computed convolution: the number of its tokens has no bound
func.func @unbounded(%q: !row, %v: tensor<2x?x3x5xf32>, %g: tensor<1x1x3xf32>) -> tensor<2x?x3x5xf32> {
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %v : (!row, !row, tensor<2x?x3x5xf32>, tensor<1x1x3xf32>) -> (tensor<2x?x3x5xf32>, !s)
  return %o : tensor<2x?x3x5xf32>
}

// DECLINED: not computed convolution: it has one token
func.func @one_token(%q: !row, %v: tensor<2x1x3x5xf32>, %g: tensor<1x1x3xf32>) -> tensor<2x1x3x5xf32> {
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %v : (!row, !row, tensor<2x1x3x5xf32>, tensor<1x1x3xf32>) -> (tensor<2x1x3x5xf32>, !s)
  return %o : tensor<2x1x3x5xf32>
}

// DECLINED: not computed convolution: it takes several steps per token
func.func @micro_steps(%q: !row, %k: tensor<1x1x6x64xf32>, %v: tensor<2x4096x6x5xf32>) -> !x {
  %o, %s = linnet.scan #linnet.none %q, %k, %v {micro_steps = 2 : i64} : (!row, tensor<1x1x6x64xf32>, tensor<2x4096x6x5xf32>) -> (!x, !s)
  return %o : !x
}
