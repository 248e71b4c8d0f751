// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu="vector-bits=256" --canonicalize --verify-diagnostics | FileCheck %s

// Long: filter and inputs are transformed block by block; with no state asked
// for there is no tail.
// CHECK-LABEL: func.func @long
// CHECK-LABEL: func private @kernel_long_conv_0(
// CHECK-SAME: %{{[a-z0-9]+}}: !llvm.ptr, %{{[a-z0-9]+}}: !llvm.ptr, %{{[a-z0-9]+}}: !llvm.ptr, %{{[a-z0-9]+}}: index
// CHECK: memref.get_global @negacyclic_roots_[[SIZE:[0-9]+]]
// CHECK: return
// CHECK: memref.global "private" constant @negacyclic_roots_[[SIZE]]
func.func @long(%x: tensor<1x1000x64xf32>, %h: tensor<64x1000xf32>) -> tensor<1x1000x64xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1000 : i64} {
  %y, %t = linnet.long_conv %x, %h : (tensor<1x1000x64xf32>, tensor<64x1000xf32>) -> (tensor<1x1000x64xf32>, tensor<1x999x64xf32>)
  return %y : tensor<1x1000x64xf32>
}

// -----

// One token is a sum over the taps, however long the filter.
// CHECK-LABEL: func private @kernel_long_conv_0
// CHECK-NOT: memref.get_global
// CHECK: scf.for {{.*}} iter_args(%{{.*}}) -> (vector<8xf32>)
// CHECK: return
func.func @step(%x: tensor<1x?x64xf32>, %h: tensor<64x1000xf32>, %t: tensor<1x999x64xf32> {linnet.state = "tail"})
    -> (tensor<1x?x64xf32>, tensor<1x999x64xf32>)
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %y, %n = linnet.long_conv %x, %h tail(%t) : (tensor<1x?x64xf32>, tensor<64x1000xf32>, tensor<1x999x64xf32>) -> (tensor<1x?x64xf32>, tensor<1x999x64xf32>)
  return %y, %n : tensor<1x?x64xf32>, tensor<1x999x64xf32>
}

// -----

func.func @unknown(%x: tensor<1x?x64xf32>, %h: tensor<64x?xf32>) -> tensor<1x?x64xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 16 : i64} {
  // expected-error@+1 {{expected a filter of known length, but got 'tensor<64x?xf32>'}}
  %y, %n = linnet.long_conv %x, %h : (tensor<1x?x64xf32>, tensor<64x?xf32>) -> (tensor<1x?x64xf32>, tensor<1x?x64xf32>)
  return %y : tensor<1x?x64xf32>
}
