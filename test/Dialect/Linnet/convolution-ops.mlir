// RUN: linnet-opt %s | linnet-opt | FileCheck %s
// RUN: linnet-opt %s --mlir-print-op-generic | linnet-opt | FileCheck %s

// CHECK-LABEL: func.func @long_conv(
func.func @long_conv(%x: tensor<?x?x12xf32>, %h: tensor<12x50xf32>, %one: tensor<1x50xf32>, %d: tensor<12xf32>, %s: tensor<?x49x12xf32>) {
  // CHECK: linnet.long_conv %{{.*}}, %{{.*}} : (tensor<?x?x12xf32>, tensor<12x50xf32>) -> (tensor<?x?x12xf32>, tensor<?x49x12xf32>)
  %y, %t = linnet.long_conv %x, %h : (tensor<?x?x12xf32>, tensor<12x50xf32>) -> (tensor<?x?x12xf32>, tensor<?x49x12xf32>)
  // CHECK: linnet.long_conv %{{.*}}, %{{.*}} skip(%{{.*}}) tail(%{{.*}}) :
  %y2, %t2 = linnet.long_conv %x, %one skip(%d) tail(%s)
    : (tensor<?x?x12xf32>, tensor<1x50xf32>, tensor<12xf32>, tensor<?x49x12xf32>) -> (tensor<?x?x12xf32>, tensor<?x49x12xf32>)
  return
}
