// RUN: linnet-opt %s --linnet-lower-cpu="vector-bits=256" --canonicalize | FileCheck %s

// The table stays as stored, rows are widened when read.
// CHECK-LABEL: module
// CHECK-SAME: key = "wte", layout = {kind = "raw"}
// CHECK: func private @kernel_positions_0
// CHECK: func private @kernel_embedding_0
// CHECK: memref<10x16xbf16>
// CHECK: arith.index_cast %{{.*}} : i32 to index
// CHECK: vector.load {{.*}} vector<8xbf16>
// CHECK: arith.shli
// CHECK: return
func.func @embed(%ids: tensor<1x?xi32>, %p: index) -> (tensor<1x?x16xf32>, tensor<1x?xi32>)
    attributes {linnet.phase = "function", linnet.max_tokens = 8 : i64} {
  %w = linnet.weight "wte" : tensor<10x16xbf16>
  %n = linnet.positions %ids, %p : (tensor<1x?xi32>, index) -> tensor<1x?xi32>
  %x = linnet.embedding %n, %w : (tensor<1x?xi32>, tensor<10x16xbf16>) -> tensor<1x?x16xf32>
  return %x, %n : tensor<1x?x16xf32>, tensor<1x?xi32>
}
