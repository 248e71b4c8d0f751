// RUN: linnet-opt %s --linnet-simplify-transitions | FileCheck %s
// RUN: linnet-opt %s --linnet-simplify-transitions --remarks-filter-passed=linnet-simplify-transitions --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// A log decay of zero, also behind a reshape.
// CHECK-LABEL: func.func @no_decay(
// CHECK: linnet.scan #linnet.none %{{.*}}, %{{.*}}, %{{.*}} : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>) ->
// REMARK-DAG: #linnet.diagonal became #linnet.none: decay of one
func.func @no_decay(%q: tensor<1x9x2x3xf32>, %v: tensor<1x9x2x5xf32>) -> tensor<1x9x2x5xf32> {
  %z = arith.constant dense<0.0> : tensor<18x3xf32>
  %g = tensor.expand_shape %z [[0, 1, 2], [3]] output_shape [1, 9, 2, 3] : tensor<18x3xf32> into tensor<1x9x2x3xf32>
  %o, %s = linnet.scan #linnet.diagonal(%g) %q, %q, %v : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x3xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x3x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}

// One of two decays.
// CHECK-LABEL: func.func @one_side(
// CHECK-SAME: %{{.*}}: tensor<1x9x2x3xf32>, %{{.*}}: tensor<1x9x2x5xf32>, %[[H:.*]]: tensor<1x9x2x5xf32>)
// CHECK: linnet.scan #linnet.value_diagonal(%[[H]])
// REMARK-DAG: #linnet.two_sided became #linnet.value_diagonal: decay of one
func.func @one_side(%q: tensor<1x9x2x3xf32>, %v: tensor<1x9x2x5xf32>, %h: tensor<1x9x2x5xf32>) -> tensor<1x9x2x5xf32> {
  %e = tensor.empty() : tensor<1x9x2x3xf32>
  %c = arith.constant 0.0 : f32
  %g = linalg.fill ins(%c : f32) outs(%e : tensor<1x9x2x3xf32>) -> tensor<1x9x2x3xf32>
  %o, %s = linnet.scan #linnet.two_sided(%g, %h) %q, %q, %v : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x3x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}

// A decay that is not trivial stays.
// CHECK-LABEL: func.func @decay(
// CHECK: linnet.scan #linnet.diagonal(
func.func @decay(%q: tensor<1x9x2x3xf32>, %v: tensor<1x9x2x5xf32>) -> tensor<1x9x2x5xf32> {
  %g = arith.constant dense<-0.5> : tensor<1x9x2x3xf32>
  %o, %s = linnet.scan #linnet.diagonal(%g) %q, %q, %v : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x3xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x3x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}

// The same decay for all rows.
// CHECK-LABEL: func.func @all_rows(
// CHECK: %[[G:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0], [1], [2, 3]] : tensor<?x?x2x1xf32> into tensor<?x?x2xf32>
// CHECK: linnet.scan #linnet.scalar(%[[G]])
// REMARK-DAG: #linnet.diagonal became #linnet.scalar: one decay for all rows or columns
func.func @all_rows(%q: tensor<?x?x2x3xf32>, %v: tensor<?x?x2x5xf32>, %g: tensor<?x?x2x1xf32>) -> tensor<?x?x2x5xf32> {
  %o, %s = linnet.scan #linnet.diagonal(%g) %q, %q, %v : (tensor<?x?x2x3xf32>, tensor<?x?x2x3xf32>, tensor<?x?x2x5xf32>, tensor<?x?x2x1xf32>) -> (tensor<?x?x2x5xf32>, tensor<?x2x3x5xf32>)
  return %o : tensor<?x?x2x5xf32>
}

// The same decay for all columns: now it has a chunk form.
// CHECK-LABEL: func.func @all_columns(
// CHECK: linnet.scan #linnet.scalar(
func.func @all_columns(%q: tensor<1x9x2x3xf32>, %v: tensor<1x9x2x5xf32>, %g: tensor<1x9x2x1xf32>) -> tensor<1x9x2x5xf32> {
  %o, %s = linnet.scan #linnet.value_diagonal(%g) %q, %q, %v : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x1xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x3x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}

// A rate with entries of its own stays a product of two operands.
// CHECK-LABEL: func.func @product(
// CHECK: linnet.scan #linnet.full(
func.func @product(%q: tensor<1x9x2x3xf32>, %v: tensor<1x9x2x5xf32>, %d: tensor<1x9x2x1xf32>, %a: tensor<1x1x2x3x5xf32>) -> tensor<1x9x2x5xf32> {
  %o, %s = linnet.scan #linnet.full(%d, %a) %q, %q, %v : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x1xf32>, tensor<1x1x2x3x5xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x3x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}

// A writer of zeros, with a decay.
// CHECK-LABEL: func.func @rank_zero(
// CHECK-SAME: %[[G:[a-z0-9]*]]: tensor<1x9x2xf32>)
// CHECK: linnet.scan #linnet.scalar(%[[G]])
// REMARK-DAG: #linnet.rank_one<scalar> became #linnet.scalar: perturbation of rank zero
func.func @rank_zero(%q: tensor<1x9x2x3xf32>, %v: tensor<1x9x2x5xf32>, %g: tensor<1x9x2xf32>) -> tensor<1x9x2x5xf32> {
  %b = arith.constant dense<0.0> : tensor<1x9x2x3xf32>
  %o, %s = linnet.scan #linnet.rank_one<scalar>(%q, %b, %g) %q, %q, %v : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x3x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}

// No turn: one decay per pair becomes one per row.
// CHECK-LABEL: func.func @no_turn(
// CHECK-SAME: %[[G:[a-z0-9]*]]: tensor<1x9x2x3xf32>)
// CHECK: %[[BOTH:.*]] = tensor.concat dim(3) %[[G]], %[[G]]
// CHECK: linnet.scan #linnet.diagonal(%[[BOTH]])
// REMARK-DAG: #linnet.complex became #linnet.diagonal: angle of zero
func.func @no_turn(%q: tensor<1x9x2x6xf32>, %v: tensor<1x9x2x5xf32>, %g: tensor<1x9x2x3xf32>) -> tensor<1x9x2x5xf32> {
  %p = arith.constant dense<0.0> : tensor<1x1x2x3xf32>
  %o, %s = linnet.scan #linnet.complex(%g, %p) %q, %q, %v : (tensor<1x9x2x6xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x3xf32>, tensor<1x1x2x3xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x6x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}

// Tied keys: the delta rule.
// CHECK-LABEL: func.func @tied(
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<1x9x2x3xf32>, %[[V:[a-z0-9]*]]: tensor<1x9x2x5xf32>, %[[BETA:[a-z0-9]*]]: tensor<1x9x2xf32>)
// CHECK: linnet.scan #linnet.delta<none>(%[[BETA]]) %[[X]], %[[X]], %[[V]]
// REMARK-DAG: #linnet.rank_one<none> became #linnet.delta<none>: perturbation tied to the key
func.func @tied(%x: tensor<1x9x2x3xf32>, %v: tensor<1x9x2x5xf32>, %beta: tensor<1x9x2xf32>) -> tensor<1x9x2x5xf32> {
  %e = tensor.empty() : tensor<1x9x2x3xf32>
  %w = linalg.broadcast ins(%beta : tensor<1x9x2xf32>) outs(%e : tensor<1x9x2x3xf32>) dimensions = [3]
  %k = arith.mulf %x, %w : tensor<1x9x2x3xf32>
  %b = arith.negf %k : tensor<1x9x2x3xf32>
  %o, %s = linnet.scan #linnet.rank_one<none>(%x, %b) %x, %k, %v : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x3x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}

// Tied behind a decay: its reader is e^g x.
// CHECK-LABEL: func.func @tied_decayed(
// CHECK-SAME: %[[BETA:[a-z0-9]*]]: tensor<1x9x2xf32>, %[[G:[a-z0-9]*]]: tensor<1x9x2x3xf32>)
// CHECK: linnet.scan #linnet.delta<diagonal>(%[[BETA]], %[[G]])
func.func @tied_decayed(%x: tensor<1x9x2x3xf32>, %v: tensor<1x9x2x5xf32>, %beta: tensor<1x9x2xf32>, %g: tensor<1x9x2x3xf32>) -> tensor<1x9x2x5xf32> {
  %e = tensor.empty() : tensor<1x9x2x3xf32>
  %w = linalg.broadcast ins(%beta : tensor<1x9x2xf32>) outs(%e : tensor<1x9x2x3xf32>) dimensions = [3]
  %k = arith.mulf %w, %x : tensor<1x9x2x3xf32>
  %b = arith.negf %k : tensor<1x9x2x3xf32>
  %d = math.exp %g : tensor<1x9x2x3xf32>
  %a = arith.mulf %d, %x : tensor<1x9x2x3xf32>
  %o, %s = linnet.scan #linnet.rank_one<diagonal>(%a, %b, %g) %x, %k, %v : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x3x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}

// The reader sees the state before its decay: not the delta rule.
// CHECK-LABEL: func.func @not_tied(
// CHECK: linnet.scan #linnet.rank_one<diagonal>(
func.func @not_tied(%x: tensor<1x9x2x3xf32>, %v: tensor<1x9x2x5xf32>, %beta: tensor<1x9x2xf32>, %g: tensor<1x9x2x3xf32>) -> tensor<1x9x2x5xf32> {
  %e = tensor.empty() : tensor<1x9x2x3xf32>
  %w = linalg.broadcast ins(%beta : tensor<1x9x2xf32>) outs(%e : tensor<1x9x2x3xf32>) dimensions = [3]
  %k = arith.mulf %w, %x : tensor<1x9x2x3xf32>
  %b = arith.negf %k : tensor<1x9x2x3xf32>
  %o, %s = linnet.scan #linnet.rank_one<diagonal>(%x, %b, %g) %x, %k, %v : (tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x5xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>, tensor<1x9x2x3xf32>) -> (tensor<1x9x2x5xf32>, tensor<1x2x3x5xf32>)
  return %o : tensor<1x9x2x5xf32>
}
