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

// CHECK-LABEL: func.func @ssm_kernel(
func.func @ssm_kernel(%q: tensor<6x8xf32>, %k: tensor<1x8xf32>, %g: tensor<6x4xf32>, %p: tensor<1x4xf32>, %a: tensor<2x8x8xf32>,
                      %gv: tensor<6x2xf32>, %pv: tensor<6x2xf32>) {
  // CHECK: linnet.ssm_kernel #linnet.complex(%{{.*}}, %{{.*}}) %{{.*}}, %{{.*}} {scale = 2.000000e+00 : f64} :
  %0 = linnet.ssm_kernel #linnet.complex(%g, %p) %q, %k {scale = 2.0} : (tensor<6x8xf32>, tensor<1x8xf32>, tensor<6x4xf32>, tensor<1x4xf32>) -> tensor<6x50xf32>
  // CHECK: linnet.ssm_kernel #linnet.block(%{{.*}}) %{{.*}}, %{{.*}} :
  %1 = linnet.ssm_kernel #linnet.block(%a) %q, %k : (tensor<6x8xf32>, tensor<1x8xf32>, tensor<2x8x8xf32>) -> tensor<6x50xf32>
  // CHECK: linnet.ssm_kernel #linnet.none %{{.*}}, %{{.*}} :
  %2 = linnet.ssm_kernel #linnet.none %q, %k : (tensor<6x8xf32>, tensor<1x8xf32>) -> tensor<6x50xf32>
  // Two columns per head: twelve channels.
  // CHECK: linnet.ssm_kernel #linnet.complex_value(%{{.*}}, %{{.*}}) %{{.*}}, %{{.*}} :
  %3 = linnet.ssm_kernel #linnet.complex_value(%gv, %pv) %q, %k : (tensor<6x8xf32>, tensor<1x8xf32>, tensor<6x2xf32>, tensor<6x2xf32>) -> tensor<12x50xf32>
  return
}
