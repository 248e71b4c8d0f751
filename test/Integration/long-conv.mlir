// The long convolution against the f64 evaluator: direct and in transformed
// blocks, tails given and returned, one filter for all channels.
//
// RUN: linnet-run run %s --function=conv --compare-reference --threads=3 --input=random:2x700x37:1 --input=random:37x700:2 --input=random:1x90:3 --input=random:37:4 --input=random:2x89x37:5 | FileCheck %s

// CHECK-COUNT-3: relative RMS error

!x = tensor<2x700x37xf32>
!t = tensor<2x89x37xf32>
func.func @conv(%x: !x, %h: tensor<37x700xf32>, %one: tensor<1x90xf32>, %d: tensor<37xf32>, %t: !t) -> (!x, !x, !t) {
  %0, %1 = linnet.long_conv %x, %h skip(%d) : (!x, tensor<37x700xf32>, tensor<37xf32>) -> (!x, tensor<2x699x37xf32>)
  %2, %3 = linnet.long_conv %x, %one tail(%t) : (!x, tensor<1x90xf32>, !t) -> (!x, !t)
  return %0, %2, %3 : !x, !x, !t
}
