// RUN: linnet-opt %s | linnet-opt | FileCheck %s
// RUN: linnet-opt %s --mlir-print-op-generic | linnet-opt | FileCheck %s

func.func private @sum(%x: tensor<?x4xf32>, %h: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>)
func.func private @two(%x: tensor<2x4xf32>, %id: tensor<2xi32>, %layer: index, %w: tensor<4xf32>, %h: tensor<2x4xf32>, %n: tensor<2xf32>)
    -> (tensor<2x4x5xf32>, tensor<2xi32>, tensor<2x4xf32>, tensor<2xf32>)

// CHECK-LABEL: func.func @recurrence(
func.func @recurrence(%x: tensor<?x?x4xf32>, %a: tensor<2x9x4xf32>, %i: tensor<2x9xi32>, %l: index, %w: tensor<4xf32>, %h: tensor<2x4xf32>, %n: tensor<2xf32>) {
  // CHECK: linnet.recurrence @sum(%{{.*}}) {reverse} : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32> state(tensor<?x4xf32>)
  %y, %s = linnet.recurrence @sum(%x) {reverse} : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32> state(tensor<?x4xf32>)
  // CHECK: linnet.recurrence @two(%{{.*}}, %{{.*}}) invariant(%{{.*}}, %{{.*}}) initial(%{{.*}}, %{{.*}}) : (tensor<2x9x4xf32>, tensor<2x9xi32>, index, tensor<4xf32>, tensor<2x4xf32>, tensor<2xf32>) -> (tensor<2x9x4x5xf32>, tensor<2x9xi32>) state(tensor<2x4xf32>, tensor<2xf32>)
  %b, %j, %h1, %n1 = linnet.recurrence @two(%a, %i) invariant(%l, %w) initial(%h, %n)
    : (tensor<2x9x4xf32>, tensor<2x9xi32>, index, tensor<4xf32>, tensor<2x4xf32>, tensor<2xf32>)
      -> (tensor<2x9x4x5xf32>, tensor<2x9xi32>) state(tensor<2x4xf32>, tensor<2xf32>)
  return
}
