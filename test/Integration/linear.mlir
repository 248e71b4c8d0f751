// Linear maps against the f64 evaluator: ranks, storages, structures, matrices
// that are arguments, and one token of several sequences.
//
// RUN: linnet-run run %s --function=maps --compare-reference --threads=3 --input=random:2x9x33:1 --input=random:70x33:2 --input=random:33x70:3 --input=random:70:4 --input=random:70x5:5 --input=random:5x33:6 | FileCheck %s
// RUN: linnet-run run %s --function=maps --compare-reference --input=random:5x1x33:1 --input=random:70x33:2 --input=random:33x70:3 --input=random:70:4 --input=random:70x5:5 --input=random:5x33:6 | FileCheck %s
// RUN: linnet-run run %s --function=vector --compare-reference --input=random:33:1 --input=random:70x33:2 | FileCheck %s --check-prefix=ONE

// CHECK-COUNT-3: relative RMS error
// ONE: relative RMS error

!x = tensor<?x?x33xf32>
!y = tensor<?x?x70xf32>
!w = tensor<70x33xf32>
func.func @maps(%x: !x, %w: !w, %t: tensor<33x70xf32>, %b: tensor<70xf32>, %u: tensor<70x5xf32>, %v: tensor<5x33xf32>) -> (!y, !y, !y) {
  %0 = linnet.linear #linnet.dense %x, %w : (!x, !w) -> !y
  %1 = linnet.linear #linnet.dense<in_out> %x, %t bias(%b) : (!x, tensor<33x70xf32>, tensor<70xf32>) -> !y
  %2 = linnet.linear #linnet.low_rank %x, %u, %v bias(%b) : (!x, tensor<70x5xf32>, tensor<5x33xf32>, tensor<70xf32>) -> !y
  return %0, %1, %2 : !y, !y, !y
}

func.func @vector(%x: tensor<33xf32>, %w: !w) -> tensor<70xf32> {
  %0 = linnet.linear #linnet.dense %x, %w : (tensor<33xf32>, !w) -> tensor<70xf32>
  return %0 : tensor<70xf32>
}
