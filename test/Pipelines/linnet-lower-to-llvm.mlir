// RUN: linnet-opt %s --linnet-lower-to-llvm | FileCheck %s

// Everything ends in the LLVM dialect, memrefs are bare pointers, and no
// library function is called.

// CHECK-LABEL: llvm.func @kernel(
// CHECK-SAME: !llvm.ptr
// CHECK-SAME: i64
// CHECK-NOT: unrealized_conversion_cast
// CHECK-NOT: llvm.call
// CHECK-NOT: llvm.intr.exp
// CHECK: llvm.return
func.func @kernel(%m: memref<8x16xbf16>, %out: memref<16xf32>, %row: index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %start = arith.constant dense<0.0> : vector<8xf32>
  scf.for %i = %zero to %two step %one {
    %column = affine.apply affine_map<(d0) -> (8 * d0)>(%i)
    %v = vector.load %m[%row, %column] : memref<8x16xbf16>, vector<8xbf16>
    %w = arith.extf %v : vector<8xbf16> to vector<8xf32>
    %e = math.exp %w : vector<8xf32>
    %s = vector.fma %e, %e, %start : vector<8xf32>
    %view = memref.subview %out[%column] [8] [1] : memref<16xf32> to memref<8xf32, strided<[1], offset: ?>>
    vector.store %s, %view[%zero] : memref<8xf32, strided<[1], offset: ?>>, vector<8xf32>
  }
  return
}
