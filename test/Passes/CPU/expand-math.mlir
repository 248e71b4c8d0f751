// RUN: linnet-opt %s --linnet-expand-math --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @softmax_terms
// CHECK-NOT: math.
// CHECK: arith.bitcast %{{.*}} : vector<8xf32> to vector<8xi32>
// CHECK: arith.shli
// CHECK: return %{{.*}} : vector<8xf32>
func.func @softmax_terms(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.exp %x : vector<8xf32>
  return %y : vector<8xf32>
}

// -----

// A scalar stays a scalar.
// CHECK-LABEL: func @gelu
// CHECK-NOT: math.
// CHECK-NOT: vector
// CHECK: return
func.func @gelu(%x: f32) -> f32 {
  %e = math.erf %x : f32
  %t = math.tanh %e : f32
  %l = math.log1p %t : f32
  %m = math.expm1 %l : f32
  %s = math.sin %m : f32
  %f = math.floor %s : f32
  return %f : f32
}

// -----

// bf16 is computed in f32.
// CHECK-LABEL: func @narrow
// CHECK: arith.extf %{{.*}} : vector<4xbf16> to vector<4xf32>
// CHECK: arith.truncf %{{.*}} : vector<4xf32> to vector<4xbf16>
func.func @narrow(%x: vector<4xbf16>) -> vector<4xbf16> {
  %y = math.exp %x : vector<4xbf16>
  return %y : vector<4xbf16>
}

// -----

// A fused operation may be a library call where the processor has none; a
// product and a sum never are.
// CHECK-LABEL: func @fma
// CHECK: %[[P:.*]] = arith.mulf %{{.*}}, %{{.*}} fastmath<contract>
// CHECK: arith.addf %[[P]], %{{.*}} fastmath<contract>
func.func @fma(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.fma %x, %x, %x : vector<8xf32>
  return %y : vector<8xf32>
}

// -----

// What is an instruction stays; constant powers are products.
// CHECK-LABEL: func @instructions
// CHECK: math.sqrt
// CHECK: math.absf
// CHECK-NOT: math.
// CHECK: arith.mulf
func.func @instructions(%x: f32) -> f32 {
  %three = arith.constant 3.0 : f32
  %a = math.sqrt %x : f32
  %b = math.absf %a : f32
  %c = math.powf %b, %three : f32
  return %c : f32
}

// -----

func.func @variable_power(%x: f32) -> f32 {
  // expected-error @+1 {{'math.powf' op has no expansion into arithmetic}}
  %y = math.powf %x, %x : f32
  return %y : f32
}

// -----

func.func @wide(%x: f64) -> f64 {
  // expected-error @+1 {{expected f32, bf16 or f16 scalars or vectors to expand, but got 'f64'}}
  %y = math.exp %x : f64
  return %y : f64
}
