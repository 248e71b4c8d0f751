// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu="vector-bits=256" --canonicalize | FileCheck %s

// Powers of decays from exponentials, angles reduced in f64, then a product of
// anchors and readers in register tiles.
// CHECK-LABEL: func private @kernel_ssm_kernel_0
// CHECK: math.exp
// CHECK: arith.extf {{.*}} : vector<8xf32> to vector<8xf64>
// CHECK: math.cos
// CHECK: math.sin
// CHECK: scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: return
func.func @complex(%q: tensor<6x8xf32>, %k: tensor<6x8xf32>, %g: tensor<6x4xf32>, %p: tensor<6x4xf32>) -> tensor<6x1000xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %h = linnet.ssm_kernel #linnet.complex(%g, %p) %q, %k : (tensor<6x8xf32>, tensor<6x8xf32>, tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x1000xf32>
  return %h : tensor<6x1000xf32>
}

// -----

// A matrix has its powers by squaring, in f64; no exponential but of decays.
// CHECK-LABEL: func private @kernel_ssm_kernel_0
// CHECK-NOT: math.exp
// CHECK: vector.fma {{.*}} : vector<8xf64>
// CHECK: arith.truncf {{.*}} : f64 to f32
// CHECK: vector.fma {{.*}} : vector<8xf32>
// CHECK: return
func.func @dense(%q: tensor<6x8xf32>, %k: tensor<6x8xf32>, %a: tensor<6x8x8xf32>) -> tensor<6x1000xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %h = linnet.ssm_kernel #linnet.block(%a) %q, %k : (tensor<6x8xf32>, tensor<6x8xf32>, tensor<6x8x8xf32>) -> tensor<6x1000xf32>
  return %h : tensor<6x1000xf32>
}
