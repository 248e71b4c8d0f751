// RUN: linnet-opt %s --linnet-select-form | FileCheck %s
// RUN: linnet-opt %s --linnet-select-form --remarks-filter-passed=linnet-select-form --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: linnet-opt %s --linnet-select-form="form=chunkwise" 2>&1 | FileCheck %s --check-prefix=FORCE
// RUN: not linnet-opt %s --linnet-select-form="form=fast" 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: expected form to be sequential, chunkwise, quadratic, associative or convolution, but got fast

// RUN: linnet-opt %s --linnet-select-form="form=quadratic" 2>&1 | FileCheck %s --check-prefix=QUADRATIC
// QUADRATIC: remark: not computed quadratic: it has 1 steps, fewer than the chunk's 8
// QUADRATIC: remark: not computed quadratic: the form is illegal for #linnet.value_diagonal
// QUADRATIC: remark: not computed quadratic: a row is the same for all keys
// RUN: linnet-opt %s --linnet-select-form="exact-decode=true" | FileCheck %s --check-prefix=EXACT
// EXACT: module attributes {linnet.exact_decode}
// EXACT-NOT: form = #linnet.form<chunkwise>
// RUN: sed 's/form<sequential>/form<chunkwise>/' %s | not linnet-opt --linnet-select-form="exact-decode=true" 2>&1 | FileCheck %s --check-prefix=INEXACT
// INEXACT: error: expected form sequential for exact-decode, but got chunkwise

// FORCE: remark: not computed chunkwise: it has 1 steps, fewer than the chunk's 8
// FORCE: remark: not computed chunkwise: the form is illegal for #linnet.value_diagonal
// FORCE: remark: not computed chunkwise: a row is the same for all keys

// Many tokens of wide heads: chunks.
// CHECK-LABEL: func.func @wide(
// CHECK: form = #linnet.form<chunkwise>
// REMARK: took chunkwise for 512 tokens; multiply-adds per token: sequential {{[0-9]+}}, chunkwise {{[0-9]+}}
// FORCE-LABEL: func.func @wide(
// FORCE: form = #linnet.form<chunkwise>
// QUADRATIC-LABEL: func.func @wide(
// QUADRATIC: form = #linnet.form<quadratic>
func.func @wide(%q: tensor<1x512x2x64xf32>, %g: tensor<1x512x2xf32>) -> tensor<1x512x2x64xf32> {
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %q : (tensor<1x512x2x64xf32>, tensor<1x512x2x64xf32>, tensor<1x512x2x64xf32>, tensor<1x512x2xf32>) -> (tensor<1x512x2x64xf32>, tensor<1x2x64x64xf32>)
  return %o : tensor<1x512x2x64xf32>
}

// One token: nothing to share.
// CHECK-LABEL: func.func @one_token(
// CHECK: form = #linnet.form<sequential>
// FORCE-LABEL: func.func @one_token(
// FORCE-NOT: form =
// FORCE: return
// QUADRATIC-LABEL: func.func @one_token(
// QUADRATIC-NOT: form =
// QUADRATIC: return
func.func @one_token(%q: tensor<1x1x2x64xf32>, %g: tensor<1x1x2xf32>) -> tensor<1x1x2x64xf32> {
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %q : (tensor<1x1x2x64xf32>, tensor<1x1x2x64xf32>, tensor<1x1x2x64xf32>, tensor<1x1x2xf32>) -> (tensor<1x1x2x64xf32>, tensor<1x2x64x64xf32>)
  return %o : tensor<1x1x2x64xf32>
}

// No chunk form is legal.
// CHECK-LABEL: func.func @columns(
// CHECK: form = #linnet.form<sequential>
// FORCE-LABEL: func.func @columns(
// FORCE-NOT: form =
// FORCE: return
// QUADRATIC-LABEL: func.func @columns(
// QUADRATIC-NOT: form =
// QUADRATIC: return
func.func @columns(%q: tensor<1x512x2x64xf32>) -> tensor<1x512x2x64xf32> {
  %o, %s = linnet.scan #linnet.value_diagonal(%q) %q, %q, %q : (tensor<1x512x2x64xf32>, tensor<1x512x2x64xf32>, tensor<1x512x2x64xf32>, tensor<1x512x2x64xf32>) -> (tensor<1x512x2x64xf32>, tensor<1x2x64x64xf32>)
  return %o : tensor<1x512x2x64xf32>
}

// A phase's tokens bound those of the functions it calls.
// CHECK-LABEL: func.func private @layer(
// CHECK: form = #linnet.form<chunkwise>
func.func private @layer(%q: tensor<1x?x2x64xf32>) -> tensor<1x?x2x64xf32> {
  %o, %s = linnet.scan #linnet.none %q, %q, %q : (tensor<1x?x2x64xf32>, tensor<1x?x2x64xf32>, tensor<1x?x2x64xf32>) -> (tensor<1x?x2x64xf32>, tensor<1x2x64x64xf32>)
  return %o : tensor<1x?x2x64xf32>
}
func.func @prefill(%q: tensor<1x?x2x64xf32>) -> tensor<1x?x2x64xf32> attributes {linnet.phase = "prefill", linnet.max_tokens = 256 : i64} {
  %0 = call @layer(%q) : (tensor<1x?x2x64xf32>) -> tensor<1x?x2x64xf32>
  return %0 : tensor<1x?x2x64xf32>
}

// A form that is set stays.
// CHECK-LABEL: func.func @set(
// CHECK: form = #linnet.form<sequential>
// FORCE-LABEL: func.func @set(
// FORCE: form = #linnet.form<sequential>
func.func @set(%q: tensor<1x512x2x64xf32>) -> tensor<1x512x2x64xf32> {
  %o, %s = linnet.scan #linnet.none %q, %q, %q {form = #linnet.form<sequential>} : (tensor<1x512x2x64xf32>, tensor<1x512x2x64xf32>, tensor<1x512x2x64xf32>) -> (tensor<1x512x2x64xf32>, tensor<1x2x64x64xf32>)
  return %o : tensor<1x512x2x64xf32>
}

// Few tokens without a state: all by all.
// CHECK-LABEL: func.func @few(
// CHECK: form = #linnet.form<quadratic>
// REMARK: took quadratic for 32 tokens; multiply-adds per token: sequential {{[0-9]+}}, chunkwise {{[0-9]+}}, quadratic {{[0-9]+}}
func.func @few(%q: tensor<1x32x2x64xf32>, %g: tensor<1x32x2xf32>) -> tensor<1x32x2x64xf32> {
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %q : (tensor<1x32x2x64xf32>, tensor<1x32x2x64xf32>, tensor<1x32x2x64xf32>, tensor<1x32x2xf32>) -> (tensor<1x32x2x64xf32>, tensor<1x2x64x64xf32>)
  return %o : tensor<1x32x2x64xf32>
}

// The same with a state before and after: chunks.
// CHECK-LABEL: func.func @few_stateful(
// CHECK: form = #linnet.form<chunkwise>
func.func @few_stateful(%q: tensor<1x32x2x64xf32>, %g: tensor<1x32x2xf32>, %s0: tensor<1x2x64x64xf32>) -> (tensor<1x32x2x64xf32>, tensor<1x2x64x64xf32>) {
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %q initial(%s0) : (tensor<1x32x2x64xf32>, tensor<1x32x2x64xf32>, tensor<1x32x2x64xf32>, tensor<1x32x2xf32>, tensor<1x2x64x64xf32>) -> (tensor<1x32x2x64xf32>, tensor<1x2x64x64xf32>)
  return %o, %s : tensor<1x32x2x64xf32>, tensor<1x2x64x64xf32>
}

// A row that is the same for all keys is not worth a vector.
// CHECK-LABEL: func.func @narrow_row(
// CHECK: form = #linnet.form<{{.*}}>
// FORCE-LABEL: func.func @narrow_row(
// FORCE-NOT: form =
// FORCE: return
// QUADRATIC-LABEL: func.func @narrow_row(
// QUADRATIC-NOT: form =
// QUADRATIC: return
func.func @narrow_row(%q: tensor<1x32x2x1xf32>, %k: tensor<1x32x2x64xf32>, %g: tensor<1x32x2xf32>) -> tensor<1x32x2x64xf32> {
  %o, %s = linnet.scan #linnet.scalar(%g) %q, %k, %k : (tensor<1x32x2x1xf32>, tensor<1x32x2x64xf32>, tensor<1x32x2x64xf32>, tensor<1x32x2xf32>) -> (tensor<1x32x2x64xf32>, tensor<1x2x64x64xf32>)
  return %o : tensor<1x32x2x64xf32>
}
