// RUN: linnet-opt %s | linnet-opt | FileCheck %s
// RUN: linnet-opt %s --mlir-print-op-generic | linnet-opt | FileCheck %s

// CHECK-LABEL: func.func @linear(
func.func @linear(%x: tensor<2x5x32xf32>, %w: tensor<40x32xf32>, %t: tensor<32x40xbf16>, %u: tensor<40x4xf32>, %v: tensor<4x32xf32>, %b: tensor<40xf32>, %row: tensor<32xf32>, %open: tensor<?x?x32xf32>) {
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} : (tensor<2x5x32xf32>, tensor<40x32xf32>) -> tensor<2x5x40xf32>
  %0 = linnet.linear #linnet.dense %x, %w : (tensor<2x5x32xf32>, tensor<40x32xf32>) -> tensor<2x5x40xf32>
  // CHECK: linnet.linear #linnet.dense<in_out> %{{.*}}, %{{.*}} bias(%{{.*}}) : (tensor<2x5x32xf32>, tensor<32x40xbf16>, tensor<40xf32>) -> tensor<2x5x40xf32>
  %1 = linnet.linear #linnet.dense<in_out> %x, %t bias(%b) : (tensor<2x5x32xf32>, tensor<32x40xbf16>, tensor<40xf32>) -> tensor<2x5x40xf32>
  // CHECK: linnet.linear #linnet.low_rank %{{.*}}, %{{.*}}, %{{.*}} bias(%{{.*}}) : (tensor<2x5x32xf32>, tensor<40x4xf32>, tensor<4x32xf32>, tensor<40xf32>) -> tensor<2x5x40xf32>
  %2 = linnet.linear #linnet.low_rank %x, %u, %v bias(%b) : (tensor<2x5x32xf32>, tensor<40x4xf32>, tensor<4x32xf32>, tensor<40xf32>) -> tensor<2x5x40xf32>
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} : (tensor<32xf32>, tensor<40x32xf32>) -> tensor<40xf32>
  %3 = linnet.linear #linnet.dense %row, %w : (tensor<32xf32>, tensor<40x32xf32>) -> tensor<40xf32>
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<40x32xf32>) -> tensor<?x?x40xf32>
  %4 = linnet.linear #linnet.dense %open, %w : (tensor<?x?x32xf32>, tensor<40x32xf32>) -> tensor<?x?x40xf32>
  return
}

// CHECK-LABEL: func.func @permutations(
func.func @permutations(%x: tensor<?x?x32xf32>, %o: tensor<32xi32>, %w: tensor<40x4xbf16>, %c: tensor<4x28xf32>, %b: tensor<40xf32>) {
  // CHECK: linnet.linear #linnet.permutation %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<32xi32>) -> tensor<?x?x32xf32>
  %0 = linnet.linear #linnet.permutation %x, %o : (tensor<?x?x32xf32>, tensor<32xi32>) -> tensor<?x?x32xf32>
  // CHECK: linnet.linear #linnet.pivoted_low_rank %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} bias(%{{.*}}) : (tensor<?x?x32xf32>, tensor<40x4xbf16>, tensor<4x28xf32>, tensor<32xi32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  %1 = linnet.linear #linnet.pivoted_low_rank %x, %w, %c, %o bias(%b) : (tensor<?x?x32xf32>, tensor<40x4xbf16>, tensor<4x28xf32>, tensor<32xi32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  return
}

// CHECK-LABEL: func.func @quantized(
func.func @quantized(%x: tensor<?x?x32xf32>, %c: tensor<40x16xi8>, %s: tensor<40x2xbf16>) {
  // CHECK: linnet.linear #linnet.quantized<4, 24> %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<40x16xi8>, tensor<40x2xbf16>) -> tensor<?x?x40xf32>
  %0 = linnet.linear #linnet.quantized<4, 24> %x, %c, %s : (tensor<?x?x32xf32>, tensor<40x16xi8>, tensor<40x2xbf16>) -> tensor<?x?x40xf32>
  return
}

// CHECK-LABEL: func.func @quantized_with_zeros(
func.func @quantized_with_zeros(%x: tensor<?x?x32xf32>, %c: tensor<40x16xi8>, %s: tensor<40x2xbf16>, %z: tensor<40x2xi8>) {
  // CHECK: linnet.linear #linnet.quantized<4, 24, zeros> %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<40x16xi8>, tensor<40x2xbf16>, tensor<40x2xi8>) -> tensor<?x?x40xf32>
  %0 = linnet.linear #linnet.quantized<4, 24, zeros> %x, %c, %s, %z : (tensor<?x?x32xf32>, tensor<40x16xi8>, tensor<40x2xbf16>, tensor<40x2xi8>) -> tensor<?x?x40xf32>
  return
}

// CHECK-LABEL: func.func @block_sparse(
func.func @block_sparse(%x: tensor<?x?x32xf32>, %w: tensor<40x12xbf16>, %c: tensor<3x3xi32>, %s: tensor<3x3xi16>, %b: tensor<40xf32>) {
  // CHECK: linnet.linear #linnet.block_sparse<16, 4, 32> %{{.*}}, %{{.*}}, %{{.*}} bias(%{{.*}}) : (tensor<?x?x32xf32>, tensor<40x12xbf16>, tensor<3x3xi32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  %0 = linnet.linear #linnet.block_sparse<16, 4, 32> %x, %w, %c bias(%b) : (tensor<?x?x32xf32>, tensor<40x12xbf16>, tensor<3x3xi32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  // CHECK: linnet.linear #linnet.block_sparse<16, 4, 32> %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<40x12xbf16>, tensor<3x3xi16>) -> tensor<?x?x40xf32>
  %1 = linnet.linear #linnet.block_sparse<16, 4, 32> %x, %w, %s : (tensor<?x?x32xf32>, tensor<40x12xbf16>, tensor<3x3xi16>) -> tensor<?x?x40xf32>
  return
}

// CHECK-LABEL: func.func @nm_sparse(
func.func @nm_sparse(%x: tensor<?x?x32xf32>, %w: tensor<40x16xbf16>, %p: tensor<40x4xi8>, %q: tensor<40x8xi8>, %b: tensor<40xf32>) {
  // CHECK: linnet.linear #linnet.nm_sparse<2, 4> %{{.*}}, %{{.*}}, %{{.*}} bias(%{{.*}}) : (tensor<?x?x32xf32>, tensor<40x16xbf16>, tensor<40x4xi8>, tensor<40xf32>) -> tensor<?x?x40xf32>
  %0 = linnet.linear #linnet.nm_sparse<2, 4> %x, %w, %p bias(%b) : (tensor<?x?x32xf32>, tensor<40x16xbf16>, tensor<40x4xi8>, tensor<40xf32>) -> tensor<?x?x40xf32>
  // CHECK: linnet.linear #linnet.nm_sparse<4, 8> %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<40x16xbf16>, tensor<40x8xi8>) -> tensor<?x?x40xf32>
  %1 = linnet.linear #linnet.nm_sparse<4, 8> %x, %w, %q : (tensor<?x?x32xf32>, tensor<40x16xbf16>, tensor<40x8xi8>) -> tensor<?x?x40xf32>
  return
}

// CHECK-LABEL: func.func @vectors(
func.func @vectors(%x: tensor<?x?x32xf32>, %d: tensor<32xbf16>, %t: tensor<71xf16>, %c: tensor<32xf32>, %b: tensor<40xf32>) {
  // CHECK: linnet.linear #linnet.diag<40, 32> %{{.*}}, %{{.*}} bias(%{{.*}}) : (tensor<?x?x32xf32>, tensor<32xbf16>, tensor<40xf32>) -> tensor<?x?x40xf32>
  %0 = linnet.linear #linnet.diag<40, 32> %x, %d bias(%b) : (tensor<?x?x32xf32>, tensor<32xbf16>, tensor<40xf32>) -> tensor<?x?x40xf32>
  // CHECK: linnet.linear #linnet.toeplitz<40> %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<71xf16>) -> tensor<?x?x40xf32>
  %1 = linnet.linear #linnet.toeplitz<40> %x, %t : (tensor<?x?x32xf32>, tensor<71xf16>) -> tensor<?x?x40xf32>
  // CHECK: linnet.linear #linnet.circulant %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>
  %2 = linnet.linear #linnet.circulant %x, %c : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>
  return
}

// CHECK-LABEL: func.func @seeded(
func.func @seeded(%x: tensor<?x?x32xf32>, %c: tensor<40x16xbf16>, %r: tensor<40x8xf32>, %b: tensor<40xf32>) {
  // CHECK: linnet.linear #linnet.seeded<4, 8, 12345> %{{.*}}, %{{.*}} bias(%{{.*}}) : (tensor<?x?x32xf32>, tensor<40x16xbf16>, tensor<40xf32>) -> tensor<?x?x40xf32>
  %0 = linnet.linear #linnet.seeded<4, 8, 12345> %x, %c bias(%b) : (tensor<?x?x32xf32>, tensor<40x16xbf16>, tensor<40xf32>) -> tensor<?x?x40xf32>
  // One block, the largest seed.
  // CHECK: linnet.linear #linnet.seeded<8, 32, 9223372036854775807> %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<40x8xf32>) -> tensor<?x?x40xf32>
  %1 = linnet.linear #linnet.seeded<8, 32, 9223372036854775807> %x, %r : (tensor<?x?x32xf32>, tensor<40x8xf32>) -> tensor<?x?x40xf32>
  return
}

// CHECK-LABEL: func.func @composites(
func.func @composites(%x: tensor<?x?x32xf32>, %w: tensor<40x32xf32>, %o: tensor<32xi32>, %u: tensor<40x4xf32>, %v: tensor<4x32xf32>, %c: tensor<40x16xi8>, %s: tensor<40x2xbf16>, %b: tensor<40xf32>) {
  // CHECK: linnet.linear #linnet.product<[#linnet.dense, #linnet.permutation]> %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<40x32xf32>, tensor<32xi32>) -> tensor<?x?x40xf32>
  %0 = linnet.linear #linnet.product<[#linnet.dense, #linnet.permutation]> %x, %w, %o : (tensor<?x?x32xf32>, tensor<40x32xf32>, tensor<32xi32>) -> tensor<?x?x40xf32>
  // CHECK: linnet.linear #linnet.sum<[#linnet.quantized<4, 24>, #linnet.product<[#linnet.dense, #linnet.dense]>]> {{.*}} bias(%{{.*}}) : {{.*}} -> tensor<?x?x40xf32>
  %1 = linnet.linear #linnet.sum<[#linnet.quantized<4, 24>, #linnet.product<[#linnet.dense, #linnet.dense]>]> %x, %c, %s, %u, %v bias(%b) : (tensor<?x?x32xf32>, tensor<40x16xi8>, tensor<40x2xbf16>, tensor<40x4xf32>, tensor<4x32xf32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  return
}

// CHECK-LABEL: func.func @block_diagonal(
func.func @block_diagonal(%x: tensor<?x?x32xf32>, %w: tensor<4x10x8xf32>, %t: tensor<4x8x10xbf16>, %b: tensor<40xf32>) {
  // CHECK: linnet.linear #linnet.block_diagonal %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>, tensor<4x10x8xf32>) -> tensor<?x?x40xf32>
  %0 = linnet.linear #linnet.block_diagonal %x, %w : (tensor<?x?x32xf32>, tensor<4x10x8xf32>) -> tensor<?x?x40xf32>
  // CHECK: linnet.linear #linnet.block_diagonal<in_out> %{{.*}}, %{{.*}} bias(%{{.*}}) : (tensor<?x?x32xf32>, tensor<4x8x10xbf16>, tensor<40xf32>) -> tensor<?x?x40xf32>
  %1 = linnet.linear #linnet.block_diagonal<in_out> %x, %t bias(%b) : (tensor<?x?x32xf32>, tensor<4x8x10xbf16>, tensor<40xf32>) -> tensor<?x?x40xf32>
  return
}

// The default storage is not printed.
// CHECK-LABEL: func.func @default_storage(
func.func @default_storage(%x: tensor<3xf32>, %w: tensor<4x3xf32>) {
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} :
  %0 = linnet.linear #linnet.dense<out_in> %x, %w : (tensor<3xf32>, tensor<4x3xf32>) -> tensor<4xf32>
  return
}

// CHECK-LABEL: func.func @lookups(
func.func @lookups(%tokens: tensor<?x?xi32>, %wide: tensor<2xi64>, %table: tensor<96x32xbf16>, %position: index) {
  // CHECK: linnet.embedding %{{.*}}, %{{.*}} : (tensor<?x?xi32>, tensor<96x32xbf16>) -> tensor<?x?x32xf32>
  %x = linnet.embedding %tokens, %table : (tensor<?x?xi32>, tensor<96x32xbf16>) -> tensor<?x?x32xf32>
  // CHECK: linnet.embedding %{{.*}}, %{{.*}} : (tensor<2xi64>, tensor<96x32xbf16>) -> tensor<2x32xf32>
  %y = linnet.embedding %wide, %table : (tensor<2xi64>, tensor<96x32xbf16>) -> tensor<2x32xf32>
  // CHECK: linnet.positions %{{.*}}, %{{.*}} : (tensor<?x?xi32>, index) -> tensor<?x?xi32>
  %p = linnet.positions %tokens, %position : (tensor<?x?xi32>, index) -> tensor<?x?xi32>
  return
}
