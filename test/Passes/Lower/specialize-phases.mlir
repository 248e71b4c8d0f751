// RUN: linnet-opt %s --split-input-file --linnet-specialize-phases="batch=3 block-tokens=16" --canonicalize --verify-diagnostics | FileCheck %s

// CHECK-LABEL: module attributes {linnet.model = {kind = "causal-lm"
module attributes {linnet.model = {kind = "causal-lm", max_context = 64 : i64}} {
  // CHECK: func.func @linnet_prefill(%{{.*}}: tensor<3x?x8xf32>, %{{.*}}: tensor<2x3x5xf32> {linnet.state = "s"})
  // CHECK-SAME: linnet.max_tokens = 16 : i64, linnet.phase = "prefill"
  // CHECK: linnet.stack [@layer_prefill] order [0, 0]
  // CHECK: func.func private @layer_prefill(%{{.*}}: tensor<3x?x8xf32>, %{{.*}}: index, %{{.*}}: tensor<3x5xf32>
  // CHECK: tensor.expand_shape {{.*}} into tensor<3x?x2x4xf32>
  // CHECK: func.func @linnet_decode(%{{.*}}: tensor<3x1x8xf32>
  // CHECK-SAME: linnet.max_tokens = 1 : i64, linnet.phase = "decode"
  // CHECK: linnet.stack [@layer_decode]
  // CHECK: func.func private @layer_decode(%{{.*}}: tensor<3x1x8xf32>
  // CHECK: tensor.expand_shape {{.*}} into tensor<3x1x2x4xf32>
  // CHECK: tensor.extract_slice {{.*}}[0, 0, 0, 1] [3, 1, 2, 2]
  // CHECK-NOT: @forward
  func.func @forward(%x: tensor<?x?x8xf32>, %s: tensor<2x?x5xf32> {linnet.state = "s"}) -> (tensor<?x?x8xf32>, tensor<2x?x5xf32>) {
    %y:2 = linnet.stack [@layer] order [0, 0] carry(%x) states(%s)
      : (tensor<?x?x8xf32>, tensor<2x?x5xf32>) -> (tensor<?x?x8xf32>, tensor<2x?x5xf32>)
    return %y#0, %y#1 : tensor<?x?x8xf32>, tensor<2x?x5xf32>
  }
  func.func private @layer(%x: tensor<?x?x8xf32>, %layer: index, %s: tensor<?x5xf32> {linnet.state = "s"}) -> (tensor<?x?x8xf32>, tensor<?x5xf32>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
    %t = tensor.dim %x, %c1 : tensor<?x?x8xf32>
    %e = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%b, %t, 2, 4] : tensor<?x?x8xf32> into tensor<?x?x2x4xf32>
    %h = tensor.extract_slice %e[0, 0, 0, 1] [%b, %t, 2, 2] [1, 1, 1, 1] : tensor<?x?x2x4xf32> to tensor<?x?x2x2xf32>
    %f = tensor.concat dim(3) %h, %h : (tensor<?x?x2x2xf32>, tensor<?x?x2x2xf32>) -> tensor<?x?x2x4xf32>
    %y = tensor.collapse_shape %f [[0], [1], [2, 3]] : tensor<?x?x2x4xf32> into tensor<?x?x8xf32>
    return %y, %s : tensor<?x?x8xf32>, tensor<?x5xf32>
  }
}

// -----

// CHECK-LABEL: kind = "encoder"
module attributes {linnet.model = {kind = "encoder", max_context = 64 : i64}} {
  // CHECK: func.func @linnet_encode(%{{.*}}: tensor<3x?x8xf32>
  // CHECK-SAME: linnet.max_tokens = 64 : i64, linnet.phase = "encode"
  func.func @forward(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
    return %x : tensor<?x?x8xf32>
  }
}

// -----

// The cell of a recurrence is cloned for each phase and takes one token.

// CHECK-LABEL: kind = "recurrent"
module attributes {linnet.model = {kind = "recurrent", max_context = 64 : i64}} {
  // CHECK: func.func @linnet_prefill(
  // CHECK: linnet.recurrence @cell_prefill(%{{.*}}) initial(%{{.*}}) : (tensor<3x?x4xf32>, tensor<3x4xf32>) -> tensor<3x?x4xf32> state(tensor<3x4xf32>)
  // CHECK: func.func private @cell_prefill(%{{.*}}: tensor<3x4xf32>, %{{.*}}: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>)
  // CHECK: func.func @linnet_decode(
  // CHECK: linnet.recurrence @cell_decode(%{{.*}}) initial(%{{.*}}) : (tensor<3x1x4xf32>, tensor<3x4xf32>) -> tensor<3x1x4xf32> state(tensor<3x4xf32>)
  // CHECK: func.func private @cell_decode(
  // CHECK-NOT: @cell(
  func.func @forward(%x: tensor<?x?x4xf32>, %s: tensor<?x4xf32> {linnet.state = "s"}) -> (tensor<?x?x4xf32>, tensor<?x4xf32> {linnet.state = "s"}) {
    %y, %t = linnet.recurrence @cell(%x) initial(%s) : (tensor<?x?x4xf32>, tensor<?x4xf32>) -> tensor<?x?x4xf32> state(tensor<?x4xf32>)
    return %y, %t : tensor<?x?x4xf32>, tensor<?x4xf32>
  }
  func.func private @cell(%x: tensor<?x4xf32>, %h: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
    %s = arith.addf %x, %h : tensor<?x4xf32>
    return %h, %s : tensor<?x4xf32>, tensor<?x4xf32>
  }
}

// -----

// expected-error@+1 {{expected a function @forward}}
module {
}

// -----

// expected-error@+1 {{expected functions that do not apply themselves, but got @forward}}
func.func @forward(%x: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
  %y = call @forward(%x) : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

// expected-error@+1 {{expected a body of one block}}
func.func private @cell(%x: tensor<?x4xf32>, %h: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>)
func.func @forward(%x: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
  %y, %s = linnet.recurrence @cell(%x) : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32> state(tensor<?x4xf32>)
  return %y : tensor<?x?x4xf32>
}
