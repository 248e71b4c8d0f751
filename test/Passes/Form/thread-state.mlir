// RUN: linnet-opt %s --split-input-file --linnet-thread-state | FileCheck %s
// RUN: linnet-opt %s --split-input-file --linnet-thread-state="max-context=100" | FileCheck %s --check-prefix=LONG
// RUN: linnet-opt %s --split-input-file --linnet-thread-state --remarks-filter-passed=linnet-thread-state --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK: [Passed] state threaded {{.*}} Function=layer | {{.*}}2 states of linnet.attention
// REMARK: [Passed] state threaded {{.*}} Function=layer | {{.*}}1 states of linnet.short_conv

// The cache and the tail become arguments and results of the layer, stacked
// over the two layers in @forward.

// LONG-LABEL: max_context = 100
module attributes {linnet.model = {kind = "causal-lm", max_context = 64 : i64}} {
  // CHECK: func.func @forward(%{{.*}}: tensor<?x?x8xf32>, %[[POS:.*]]: index,
  // CHECK-SAME: %[[K:[a-z0-9]+]]: tensor<2x?x64x1x8xf32> {linnet.append, linnet.state = "layer.keys"}
  // CHECK-SAME: %[[V:[a-z0-9]+]]: tensor<2x?x64x1x8xf32> {linnet.append, linnet.state = "layer.values"}
  // CHECK-SAME: %[[T:[a-z0-9]+]]: tensor<2x?x3x8xf32> {linnet.state = "layer.tail"}
  // LONG: tensor<2x?x100x1x8xf32>
  func.func @forward(%x: tensor<?x?x8xf32>, %position: index) -> tensor<?x?x8xf32> {
    // CHECK: %[[R:.*]]:4 = linnet.stack [@layer] order [0, 0] carry(%{{.*}}) invariant(%[[POS]]) states(%[[K]], %[[V]], %[[T]])
    %y = linnet.stack [@layer] order [0, 0] carry(%x) invariant(%position)
      : (tensor<?x?x8xf32>, index) -> tensor<?x?x8xf32>
    // CHECK: return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3
    return %y : tensor<?x?x8xf32>
  }
  // CHECK: func.func private @layer({{.*}}, %[[POS:[a-z0-9]+]]: index, %[[K:[a-z0-9]+]]: tensor<?x64x1x8xf32> {{.*}}, %[[V:[a-z0-9]+]]: tensor<?x64x1x8xf32> {{.*}}, %[[T:[a-z0-9]+]]: tensor<?x3x8xf32>
  func.func private @layer(%x: tensor<?x?x8xf32>, %layer: index, %position: index) -> tensor<?x?x8xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
    %t0 = tensor.dim %x, %c1 : tensor<?x?x8xf32>
    %q = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%b, %t0, 1, 8] : tensor<?x?x8xf32> into tensor<?x?x1x8xf32>
    // CHECK: %{{.*}}, %[[CACHE:.*]]:2 = linnet.attention {{.*}} cache(%[[K]], %[[V]]) at %[[POS]]
    %o = linnet.attention %q, %q, %q {causal, scale = 1.0 : f64}
      : (tensor<?x?x1x8xf32>, tensor<?x?x1x8xf32>, tensor<?x?x1x8xf32>) -> tensor<?x?x1x8xf32>
    %c = tensor.collapse_shape %o [[0], [1], [2, 3]] : tensor<?x?x1x8xf32> into tensor<?x?x8xf32>
    %w = linnet.weight "conv.{}"[%layer] : tensor<8x1x4xf32>
    // CHECK: %{{.*}}, %[[TAIL:.*]] = linnet.short_conv {{.*}} tail(%[[T]])
    %y, %t = linnet.short_conv %c, %w : (tensor<?x?x8xf32>, tensor<8x1x4xf32>) -> (tensor<?x?x8xf32>, tensor<?x3x8xf32>)
    // CHECK: return %{{.*}}, %[[CACHE]]#0, %[[CACHE]]#1, %[[TAIL]]
    return %y : tensor<?x?x8xf32>
  }
}

// -----

// States pass through plain calls as well.

// CHECK-LABEL: max_context = 7
module attributes {linnet.model = {max_context = 7 : i64}} {
  // CHECK: func.func @forward({{.*}}, %[[S:[a-z0-9]+]]: tensor<?x2x3x4xf32> {linnet.state = "mixer.state"}
  func.func @forward(%q: tensor<?x?x2x3xf32>, %v: tensor<?x?x2x4xf32>, %position: index) -> tensor<?x?x2x4xf32> {
    // CHECK: %[[R:.*]]:2 = call @mixer(%{{.*}}, %{{.*}}, %{{.*}}, %[[S]])
    // CHECK: return %[[R]]#0, %[[R]]#1
    %o = call @mixer(%q, %v, %position) : (tensor<?x?x2x3xf32>, tensor<?x?x2x4xf32>, index) -> tensor<?x?x2x4xf32>
    return %o : tensor<?x?x2x4xf32>
  }
  func.func private @mixer(%q: tensor<?x?x2x3xf32>, %v: tensor<?x?x2x4xf32>, %position: index) -> tensor<?x?x2x4xf32> {
    // CHECK: linnet.scan #linnet.none %{{.*}}, %{{.*}}, %{{.*}} initial(
    %o, %s = linnet.scan #linnet.none %q, %q, %v
      : (tensor<?x?x2x3xf32>, tensor<?x?x2x3xf32>, tensor<?x?x2x4xf32>) -> (tensor<?x?x2x4xf32>, tensor<?x2x3x4xf32>)
    return %o : tensor<?x?x2x4xf32>
  }
}

// -----

// The states of a recurrence; its cell is called per token and has none.

// CHECK-LABEL: max_context = 9
module attributes {linnet.model = {max_context = 9 : i64}} {
  // CHECK: func.func @forward({{.*}}, %[[H:[a-z0-9]+]]: tensor<?x4xf32> {linnet.state = "forward.cell.0"}, %[[N:[a-z0-9]+]]: tensor<?xf32> {linnet.state = "forward.cell.1"})
  func.func @forward(%x: tensor<?x?x4xf32>, %position: index) -> tensor<?x?x4xf32> {
    // CHECK: %{{.*}}, %[[F:.*]]:2 = linnet.recurrence @cell(%{{.*}}) initial(%[[H]], %[[N]])
    // CHECK: return %{{.*}}, %[[F]]#0, %[[F]]#1
    %y, %h, %n = linnet.recurrence @cell(%x) : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32> state(tensor<?x4xf32>, tensor<?xf32>)
    return %y : tensor<?x?x4xf32>
  }
  // CHECK: func.func private @cell(%{{[a-z0-9]+}}: tensor<?x4xf32>, %{{[a-z0-9]+}}: tensor<?x4xf32>, %{{[a-z0-9]+}}: tensor<?xf32>) ->
  func.func private @cell(%x: tensor<?x4xf32>, %h: tensor<?x4xf32>, %n: tensor<?xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf32>) {
    %s = arith.addf %x, %h : tensor<?x4xf32>
    return %h, %s, %n : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf32>
  }
}
