// Truth values as arguments, results, and parts of tensors: one byte each.
//
// RUN: linnet-run run %s --function=compare --compare-reference --threads=2 --input=random:2x3x21:1 --input=random:2x3x21:2 | FileCheck %s
// RUN: linnet-run run %s --function=choose --compare-reference --input=random:2x3x21:2:1 --input=random:2x3x7:2 --input=random:2x3x7:3 | FileCheck %s --check-prefix=CHOOSE

// CHECK: result 0: relative RMS error 0,
// CHECK: result 1: relative RMS error 0,
// CHOOSE: result 0: relative RMS error 0,
// CHOOSE: result 1: relative RMS error 0,

!x = tensor<2x3x21xf32>
!y = tensor<2x3x7xf32>
func.func @compare(%x: !x, %y: !x) -> (tensor<2x3x21xi1>, tensor<2x3x7xi1>) {
  %0 = arith.cmpf olt, %x, %y : !x
  %1 = tensor.extract_slice %0[0, 0, 9] [2, 3, 7] [1, 1, 1] : tensor<2x3x21xi1> to tensor<2x3x7xi1>
  return %0, %1 : tensor<2x3x21xi1>, tensor<2x3x7xi1>
}

func.func @choose(%c: tensor<2x3x21xi1>, %x: !y, %y: !y) -> (!y, tensor<2x3x21xi1>) {
  %0 = tensor.extract_slice %c[0, 0, 5] [2, 3, 7] [1, 1, 1] : tensor<2x3x21xi1> to tensor<2x3x7xi1>
  %1 = arith.select %0, %x, %y : tensor<2x3x7xi1>, !y
  return %1, %c : !y, tensor<2x3x21xi1>
}
