// RUN: linnet-opt %s --linnet-expand-half | FileCheck %s --check-prefixes=CHECK,HARD
// RUN: linnet-opt %s --linnet-expand-half=f16=true | FileCheck %s --check-prefixes=CHECK,SOFT

// CHECK-LABEL: func @bf16
// CHECK-NOT: truncf
// CHECK: arith.shrui
// CHECK: return
func.func @bf16(%x: vector<8xf32>) -> vector<8xbf16> {
  %y = arith.truncf %x : vector<8xf32> to vector<8xbf16>
  return %y : vector<8xbf16>
}

// CHECK-LABEL: func @f16
// HARD: arith.truncf
// HARD: arith.extf
// SOFT-NOT: arith.truncf
// SOFT-NOT: arith.extf
// SOFT: arith.bitcast %{{.*}} : vector<8xi32> to vector<8xf32>
// CHECK: return
func.func @f16(%x: vector<8xf32>) -> vector<8xf32> {
  %y = arith.truncf %x : vector<8xf32> to vector<8xf16>
  %z = arith.extf %y : vector<8xf16> to vector<8xf32>
  return %z : vector<8xf32>
}

// CHECK-LABEL: func @f64
// CHECK: arith.truncf %{{.*}} : f64 to f32
func.func @f64(%x: f64) -> f32 {
  %y = arith.truncf %x : f64 to f32
  return %y : f32
}
