// Routers and mixtures of experts against the f64 evaluator: every score and
// group rule, the three forms of experts, idle experts, and one token.
//
// RUN: linnet-run run %s --function=scores --compare-reference --threads=3 --input=random:2x9x12:1 --input=random:12:2 | FileCheck %s
// RUN: linnet-run run %s --function=scores --compare-reference --input=random:3x1x12:3 --input=random:12:4 | FileCheck %s
// RUN: linnet-run run %s --function=gated --compare-reference --threads=3 --input=random:2x37x33:1 --input=random:2x37x5:2 --input=random:5x70x33:3 --input=random:5x70x33:4 --input=random:5x33x70:5 | FileCheck %s --check-prefix=ONE
// RUN: linnet-run run %s --function=gated --compare-reference --threads=3 --input=random:1x1x33:1 --input=random:1x1x5:2 --input=random:5x70x33:3 --input=random:5x70x33:4 --input=random:5x33x70:5 | FileCheck %s --check-prefix=ONE
// RUN: linnet-run run %s --function=others --compare-reference --threads=2 --input=random:2x7x20:1 --input=random:2x7x4:2 --input=random:4x24x20:3 --input=random:4x20x12:4 --input=random:4x20x24:5 | FileCheck %s --check-prefix=TWO

// CHECK-COUNT-8: relative RMS error
// ONE: relative RMS error
// TWO-COUNT-2: relative RMS error

!l = tensor<?x?x12xf32>
!i3 = tensor<?x?x3xi32>
!w3 = tensor<?x?x3xf32>
func.func @scores(%l: !l, %b: tensor<12xf32>) -> (!i3, !w3, !i3, !w3, !i3, !w3, !i3, !w3) {
  %0, %1 = linnet.route softmax %l {k = 3 : i64} : (!l) -> (!i3, !w3)
  %2, %3 = linnet.route softmax %l {k = 3 : i64, groups = 4 : i64, top_groups = 2 : i64, scale = 16.0 : f64} : (!l) -> (!i3, !w3)
  %4, %5 = linnet.route sigmoid %l bias(%b) {k = 3 : i64, groups = 4 : i64, top_groups = 2 : i64, group_rule = #linnet.group_rule<best_two>, normalize, eps = 1.0e-20 : f64, scale = 2.5 : f64} : (!l, tensor<12xf32>) -> (!i3, !w3)
  %6, %7 = linnet.route softmax_chosen %l bias(%b) {k = 3 : i64} : (!l, tensor<12xf32>) -> (!i3, !w3)
  return %0, %1, %2, %3, %4, %5, %6, %7 : !i3, !w3, !i3, !w3, !i3, !w3, !i3, !w3
}

!x = tensor<?x?x33xf32>
!i2 = tensor<?x?x2xi32>
!w2 = tensor<?x?x2xf32>
func.func @gated(%x: !x, %l: tensor<?x?x5xf32>, %g: tensor<5x70x33xf32>, %u: tensor<5x70x33xf32>, %d: tensor<5x33x70xf32>) -> !x {
  %i, %w = linnet.route softmax %l {k = 2 : i64, normalize} : (tensor<?x?x5xf32>) -> (!i2, !w2)
  %y = linnet.experts silu %x, %i, %w, %g, %u, %d : (!x, !i2, !w2, tensor<5x70x33xf32>, tensor<5x70x33xf32>, tensor<5x33x70xf32>) -> !x
  return %y : !x
}

!z = tensor<?x?x20xf32>
!i1 = tensor<?x?x1xi32>
!w1 = tensor<?x?x1xf32>
func.func @others(%x: !z, %l: tensor<?x?x4xf32>, %u: tensor<4x24x20xf32>, %d: tensor<4x20x12xf32>, %e: tensor<4x20x24xf32>) -> (!z, !z) {
  %i, %w = linnet.route sigmoid %l {k = 1 : i64} : (tensor<?x?x4xf32>) -> (!i1, !w1)
  %0 = linnet.experts gelu %x, %i, %w, %u, %d : (!z, !i1, !w1, tensor<4x24x20xf32>, tensor<4x20x12xf32>) -> !z
  %1 = linnet.experts relu2 %x, %i, %w, %u, %e : (!z, !i1, !w1, tensor<4x24x20xf32>, tensor<4x20x24xf32>) -> !z
  return %0, %1 : !z, !z
}
