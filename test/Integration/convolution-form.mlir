// Scans that the compiler computes as convolutions, against the recurrence
// itself in f64: S4D (complex, one column per head), one decay per column, a
// dense matrix for several columns, a delta rule with a constant key.
//
// RUN: linnet-run run %s --function=s4d --compare-reference --threads=3 --input=random:1x1x20x16:1 --input=random:1x1x20x16:2 --input=random:2x700x20x1:3 --input=-0.01 --input=0.9 | FileCheck %s
// RUN: linnet-run run %s --function=columns --compare-reference --threads=2 --input=random:1x1x2x16:1 --input=random:1x1x2x16:2 --input=random:1x600x2x5:3 --input=-0.02 | FileCheck %s
// RUN: linnet-run run %s --function=dense --compare-reference --threads=2 --input=random:1x1x2x4:1 --input=random:1x1x2x4:2 --input=random:2x513x2x3:3 --input=0.2 | FileCheck %s
// RUN: linnet-run run %s --function=delta --compare-reference --threads=1 --input=0.3 --input=0.4 --input=random:1x515x2x3:3 --input=0.5 | FileCheck %s
// CHECK: relative RMS error

// RUN: linnet-opt %s --linnet-select-form | FileCheck %s --check-prefix=FORM
// FORM-COUNT-4: linnet.long_conv
// FORM-NOT: linnet.scan

func.func @s4d(%q: tensor<1x1x20x16xf32>, %k: tensor<1x1x20x16xf32>, %v: tensor<2x700x20x1xf32>, %g: tensor<1x1x20x8xf32>, %p: tensor<1x1x1x8xf32>) -> tensor<2x700x20x1xf32> {
  %o, %s = linnet.scan #linnet.complex(%g, %p) %q, %k, %v {scale = 2.0} : (tensor<1x1x20x16xf32>, tensor<1x1x20x16xf32>, tensor<2x700x20x1xf32>, tensor<1x1x20x8xf32>, tensor<1x1x1x8xf32>) -> (tensor<2x700x20x1xf32>, tensor<2x20x16x1xf32>)
  return %o : tensor<2x700x20x1xf32>
}

func.func @columns(%q: tensor<1x1x2x16xf32>, %k: tensor<1x1x2x16xf32>, %v: tensor<1x600x2x5xf32>, %g: tensor<1x1x2x5xf32>) -> tensor<1x600x2x5xf32> {
  %o, %s = linnet.scan #linnet.value_diagonal(%g) %q, %k, %v : (tensor<1x1x2x16xf32>, tensor<1x1x2x16xf32>, tensor<1x600x2x5xf32>, tensor<1x1x2x5xf32>) -> (tensor<1x600x2x5xf32>, tensor<1x2x16x5xf32>)
  return %o : tensor<1x600x2x5xf32>
}

func.func @dense(%q: tensor<1x1x2x4xf32>, %k: tensor<1x1x2x4xf32>, %v: tensor<2x513x2x3xf32>, %a: tensor<1x1x2x4x4xf32>) -> tensor<2x513x2x3xf32> {
  %o, %s = linnet.scan #linnet.block(%a) %q, %k, %v : (tensor<1x1x2x4xf32>, tensor<1x1x2x4xf32>, tensor<2x513x2x3xf32>, tensor<1x1x2x4x4xf32>) -> (tensor<2x513x2x3xf32>, tensor<2x2x4x3xf32>)
  return %o : tensor<2x513x2x3xf32>
}

func.func @delta(%q: tensor<1x1x2x4xf32>, %k: tensor<1x1x2x4xf32>, %v: tensor<1x515x2x3xf32>, %b: tensor<1x1x2xf32>) -> tensor<1x515x2x3xf32> {
  %o, %s = linnet.scan #linnet.delta<none>(%b) %q, %k, %v : (tensor<1x1x2x4xf32>, tensor<1x1x2x4xf32>, tensor<1x515x2x3xf32>, tensor<1x1x2xf32>) -> (tensor<1x515x2x3xf32>, tensor<1x2x4x3xf32>)
  return %o : tensor<1x515x2x3xf32>
}
