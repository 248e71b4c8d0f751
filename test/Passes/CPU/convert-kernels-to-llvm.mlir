// RUN: linnet-opt %s --linnet-convert-kernels-to-llvm -split-input-file -verify-diagnostics | FileCheck %s

// Every dialect of a kernel in one conversion; memrefs are bare pointers.

// CHECK-LABEL: llvm.func @kernel(
// CHECK-SAME: !llvm.ptr
// CHECK-SAME: i64
// CHECK-NOT: arith.
// CHECK-NOT: cf.
// CHECK-NOT: memref.
// CHECK: llvm.getelementptr
// CHECK: llvm.load
// CHECK: llvm.intr.sqrt
// CHECK: llvm.fmul
// CHECK: llvm.store
// CHECK: llvm.cond_br
// CHECK: llvm.return
func.func @kernel(%m: memref<16xf32>, %from: index) {
  %one = index.constant 1
  %end = index.constant 16
  cf.br ^body(%from : index)
^body(%i: index):
  %x = memref.load %m[%i] : memref<16xf32>
  %root = math.sqrt %x : f32
  %y = arith.mulf %x, %root : f32
  memref.store %y, %m[%i] : memref<16xf32>
  %next = index.add %i, %one
  %more = arith.cmpi ult, %next, %end : index
  cf.cond_br %more, ^body(%next : index), ^done
^done:
  return
}

// -----

// What is not of a kernel is named.

func.func @unknown(%x: f32) -> f32 {
  // expected-error@+1 {{failed to legalize operation 'math.erf'}}
  %y = math.erf %x : f32
  return %y : f32
}
