// RUN: linnet-opt %s | linnet-opt | FileCheck %s
// RUN: linnet-opt %s --mlir-print-op-generic | linnet-opt | FileCheck %s

// CHECK-LABEL: func.func @log_cumsum_exp(
func.func @log_cumsum_exp(%x: tensor<?x?x12xf32>, %d: tensor<1x1x12xf32>, %s: tensor<?x2x12xf32>) {
  // CHECK: linnet.log_cumsum_exp %{{.*}} : (tensor<?x?x12xf32>) -> (tensor<?x?x12xf32>, tensor<?x?x12xf32>, tensor<?x2x12xf32>)
  %z, %before, %t = linnet.log_cumsum_exp %x : (tensor<?x?x12xf32>) -> (tensor<?x?x12xf32>, tensor<?x?x12xf32>, tensor<?x2x12xf32>)
  // CHECK: linnet.log_cumsum_exp %{{.*}} decay(%{{.*}}) initial(%{{.*}}) {maximum} :
  %z2, %before2, %t2 = linnet.log_cumsum_exp %x decay(%d) initial(%s) {maximum}
    : (tensor<?x?x12xf32>, tensor<1x1x12xf32>, tensor<?x2x12xf32>) -> (tensor<?x?x12xf32>, tensor<?x?x12xf32>, tensor<?x2x12xf32>)
  return
}
