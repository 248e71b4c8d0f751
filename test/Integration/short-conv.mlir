// The short convolution against the f64 evaluator: more and fewer tokens than
// taps, tails given and returned, whole groups of channels and a rest.
//
// RUN: linnet-run run %s --function=conv --compare-reference --threads=3 --input=random:2x70x77:1 --input=random:77x1x4:2 --input=random:77:3 --input=random:2x3x77:4 | FileCheck %s
// RUN: linnet-run run %s --function=few --compare-reference --threads=2 --input=random:1x2x64:1 --input=random:64x1x9:2 --input=random:1x8x64:3 --input=random:64x1x1:4 | FileCheck %s --check-prefix=FEW

// CHECK-COUNT-4: relative RMS error
// FEW-COUNT-3: relative RMS error

!x = tensor<2x70x77xf32>
!w = tensor<77x1x4xf32>
!t = tensor<2x3x77xf32>
func.func @conv(%x: !x, %w: !w, %b: tensor<77xf32>, %t: !t) -> (!x, !t, !x, !t) {
  %0, %1 = linnet.short_conv %x, %w bias(%b) tail(%t) {activation = #linnet.activation<silu>} : (!x, !w, tensor<77xf32>, !t) -> (!x, !t)
  %2, %3 = linnet.short_conv %x, %w : (!x, !w) -> (!x, !t)
  return %0, %1, %2, %3 : !x, !t, !x, !t
}

!y = tensor<1x2x64xf32>
func.func @few(%x: !y, %w: tensor<64x1x9xf32>, %t: tensor<1x8x64xf32>, %one: tensor<64x1x1xf32>) -> (!y, tensor<1x8x64xf32>, !y) {
  %0, %1 = linnet.short_conv %x, %w tail(%t) : (!y, tensor<64x1x9xf32>, tensor<1x8x64xf32>) -> (!y, tensor<1x8x64xf32>)
  %2, %3 = linnet.short_conv %x, %one : (!y, tensor<64x1x1xf32>) -> (!y, tensor<1x0x64xf32>)
  return %0, %1, %2 : !y, tensor<1x8x64xf32>, !y
}
