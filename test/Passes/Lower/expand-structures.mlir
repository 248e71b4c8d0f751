// RUN: linnet-opt %s --linnet-expand-structures | FileCheck %s
// RUN: linnet-opt %s --linnet-expand-structures --cse | FileCheck %s --check-prefix=CSE
// RUN: linnet-opt %s --linnet-expand-structures --remarks-filter-passed=linnet-expand-structures --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK: [Passed] structure expanded {{.*}}FlopsPerRow=1536
// REMARK: [Passed] structure expanded {{.*}}FlopsPerRow=1152
// REMARK-COUNT-3: [Passed] structure expanded {{.*}}FlopsPerRow=1536
// REMARK: [Passed] structure expanded {{.*}}FlopsPerRow=3136
// REMARK: [Passed] structure expanded {{.*}}FlopsPerRow=576
// REMARK: [Passed] structure expanded {{.*}}FlopsPerRow=1152
// REMARK: [Passed] structure expanded {{.*}}FlopsPerRow=2560
// REMARK: [Passed] structure expanded {{.*}}FlopsPerRow=544
// REMARK-COUNT-2: [Passed] structure expanded {{.*}}FlopsPerRow=576
// REMARK-NOT: remark


// CHECK-LABEL: func @low_rank_becomes_two_dense_maps
// CHECK-SAME: %[[X:.*]]: tensor<2x5x32xf32>, %[[U:.*]]: tensor<40x4xf32>, %[[V:.*]]: tensor<4x32xf32>
func.func @low_rank_becomes_two_dense_maps(%x: tensor<2x5x32xf32>, %u: tensor<40x4xf32>, %v: tensor<4x32xf32>) -> tensor<2x5x40xf32> {
  // CHECK: %[[M:.*]] = linnet.linear #linnet.dense %[[X]], %[[V]] : {{.*}} -> tensor<2x5x4xf32>
  // CHECK: %[[Y:.*]] = linnet.linear #linnet.dense %[[M]], %[[U]] :
  // CHECK: return %[[Y]]
  %y = linnet.linear #linnet.low_rank %x, %u, %v : (tensor<2x5x32xf32>, tensor<40x4xf32>, tensor<4x32xf32>) -> tensor<2x5x40xf32>
  return %y : tensor<2x5x40xf32>
}

// CHECK-LABEL: func @the_last_map_takes_the_bias
// CHECK-SAME: %[[B:[a-z0-9]+]]: tensor<40xf32>)
func.func @the_last_map_takes_the_bias(%x: tensor<?x?x32xf32>, %u: tensor<40x4xf32>, %v: tensor<4x32xf32>, %b: tensor<40xf32>) -> tensor<?x?x40xf32> {
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} : (tensor<?x?x32xf32>
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} bias(%[[B]])
  %y = linnet.linear #linnet.low_rank %x, %u, %v bias(%b) : (tensor<?x?x32xf32>, tensor<40x4xf32>, tensor<4x32xf32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  return %y : tensor<?x?x40xf32>
}

// CHECK-LABEL: func @pivoted_low_rank_combines_the_columns_it_keeps
// CHECK-SAME: %[[X:.*]]: tensor<?x?x32xf32>, %[[W:.*]]: tensor<40x4xf32>, %[[C:.*]]: tensor<4x28xf32>, %[[O:.*]]: tensor<32xi32>, %[[B:.*]]: tensor<40xf32>
func.func @pivoted_low_rank_combines_the_columns_it_keeps(%x: tensor<?x?x32xf32>, %w: tensor<40x4xf32>, %c: tensor<4x28xf32>, %o: tensor<32xi32>, %b: tensor<40xf32>) -> tensor<?x?x40xf32> {
  // CHECK: %[[Z:.*]] = linnet.linear #linnet.permutation %[[X]], %[[O]]
  // CHECK: %[[K:.*]] = tensor.extract_slice %[[Z]][0, 0, 0] [%{{.*}}, %{{.*}}, 4]
  // CHECK: %[[R:.*]] = tensor.extract_slice %[[Z]][0, 0, 4] [%{{.*}}, %{{.*}}, 28]
  // CHECK: %[[S:.*]] = linnet.linear #linnet.dense %[[R]], %[[C]] :
  // CHECK: %[[M:.*]] = arith.addf %[[K]], %[[S]]
  // CHECK: linnet.linear #linnet.dense %[[M]], %[[W]] bias(%[[B]])
  %y = linnet.linear #linnet.pivoted_low_rank %x, %w, %c, %o bias(%b) : (tensor<?x?x32xf32>, tensor<40x4xf32>, tensor<4x28xf32>, tensor<32xi32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  return %y : tensor<?x?x40xf32>
}

// CHECK-LABEL: func @all_columns_kept_need_no_combination
func.func @all_columns_kept_need_no_combination(%x: tensor<5x32xf32>, %w: tensor<40x32xf32>, %c: tensor<32x0xf32>, %o: tensor<32xi32>) -> tensor<5x40xf32> {
  // CHECK: linnet.linear #linnet.permutation
  // CHECK-NOT: addf
  // CHECK: linnet.linear #linnet.dense
  %y = linnet.linear #linnet.pivoted_low_rank %x, %w, %c, %o : (tensor<5x32xf32>, tensor<40x32xf32>, tensor<32x0xf32>, tensor<32xi32>) -> tensor<5x40xf32>
  return %y : tensor<5x40xf32>
}

// CHECK-LABEL: func @products_are_applied_from_the_right
// CHECK-SAME: %[[X:.*]]: tensor<?x?x32xf32>, %[[W:.*]]: tensor<4x10x8xf32>, %[[O:.*]]: tensor<32xi32>, %[[V:.*]]: tensor<4x8x8xf32>, %[[B:.*]]: tensor<40xf32>
func.func @products_are_applied_from_the_right(%x: tensor<?x?x32xf32>, %w: tensor<4x10x8xf32>, %o: tensor<32xi32>, %v: tensor<4x8x8xf32>, %b: tensor<40xf32>) -> tensor<?x?x40xf32> {
  // CHECK: %[[FIRST:.*]] = linnet.linear #linnet.block_diagonal %[[X]], %[[V]] :
  // CHECK: %[[SHUFFLED:.*]] = linnet.linear #linnet.permutation %[[FIRST]], %[[O]] :
  // CHECK: linnet.linear #linnet.block_diagonal %[[SHUFFLED]], %[[W]] bias(%[[B]])
  %y = linnet.linear #linnet.product<[#linnet.block_diagonal, #linnet.permutation, #linnet.block_diagonal]> %x, %w, %o, %v bias(%b) : (tensor<?x?x32xf32>, tensor<4x10x8xf32>, tensor<32xi32>, tensor<4x8x8xf32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  return %y : tensor<?x?x40xf32>
}

// CHECK-LABEL: func @the_first_term_of_a_sum_takes_the_bias
// CHECK-SAME: %[[X:.*]]: tensor<?x?x32xf32>, %[[C:.*]]: tensor<40x16xi8>, %[[S:.*]]: tensor<40x2xf32>, %[[U:.*]]: tensor<40x4xf32>, %[[V:.*]]: tensor<4x32xf32>, %[[B:.*]]: tensor<40xf32>
func.func @the_first_term_of_a_sum_takes_the_bias(%x: tensor<?x?x32xf32>, %c: tensor<40x16xi8>, %s: tensor<40x2xf32>, %u: tensor<40x4xf32>, %v: tensor<4x32xf32>, %b: tensor<40xf32>) -> tensor<?x?x40xf32> {
  // CHECK: %[[FIRST:.*]] = linnet.linear #linnet.quantized<4, 24> %[[X]], %[[C]], %[[S]] bias(%[[B]])
  // CHECK: %[[M:.*]] = linnet.linear #linnet.dense %[[X]], %[[V]] :
  // CHECK: %[[SECOND:.*]] = linnet.linear #linnet.dense %[[M]], %[[U]] :
  // CHECK: arith.addf %[[FIRST]], %[[SECOND]]
  %y = linnet.linear #linnet.sum<[#linnet.quantized<4, 24>, #linnet.low_rank]> %x, %c, %s, %u, %v bias(%b) : (tensor<?x?x32xf32>, tensor<40x16xi8>, tensor<40x2xf32>, tensor<40x4xf32>, tensor<4x32xf32>, tensor<40xf32>) -> tensor<?x?x40xf32>
  return %y : tensor<?x?x40xf32>
}

// CHECK-LABEL: func @zeros_of_codes_go_with_them
// CHECK-SAME: %[[X:.*]]: tensor<?x?x32xf32>, %[[C:.*]]: tensor<40x16xi8>, %[[S:.*]]: tensor<40x2xf32>, %[[Z:.*]]: tensor<40x2xi8>, %[[U:.*]]: tensor<40x4xf32>, %[[V:.*]]: tensor<4x32xf32>
func.func @zeros_of_codes_go_with_them(%x: tensor<?x?x32xf32>, %c: tensor<40x16xi8>, %s: tensor<40x2xf32>, %z: tensor<40x2xi8>, %u: tensor<40x4xf32>, %v: tensor<4x32xf32>) -> tensor<?x?x40xf32> {
  // CHECK: %[[FIRST:.*]] = linnet.linear #linnet.quantized<4, 24, zeros> %[[X]], %[[C]], %[[S]], %[[Z]] :
  // CHECK: %[[M:.*]] = linnet.linear #linnet.dense %[[X]], %[[V]] :
  // CHECK: %[[SECOND:.*]] = linnet.linear #linnet.dense %[[M]], %[[U]] :
  // CHECK: arith.addf %[[FIRST]], %[[SECOND]]
  %y = linnet.linear #linnet.sum<[#linnet.quantized<4, 24, zeros>, #linnet.low_rank]> %x, %c, %s, %z, %u, %v : (tensor<?x?x32xf32>, tensor<40x16xi8>, tensor<40x2xf32>, tensor<40x2xi8>, tensor<40x4xf32>, tensor<4x32xf32>) -> tensor<?x?x40xf32>
  return %y : tensor<?x?x40xf32>
}

// CHECK-LABEL: func @a_circulant_is_the_toeplitz_matrix_of_its_values_again
// CHECK-SAME: %[[X:.*]]: tensor<?x?x32xf32>, %[[V:.*]]: tensor<32xbf16>, %[[B:.*]]: tensor<32xf32>
func.func @a_circulant_is_the_toeplitz_matrix_of_its_values_again(%x: tensor<?x?x32xf32>, %v: tensor<32xbf16>, %b: tensor<32xf32>) -> tensor<?x?x32xf32> {
  // CHECK: %[[F:.*]] = arith.extf %[[V]]
  // CHECK: %[[L:.*]] = tensor.extract_slice %[[F]][1] [31] [1]
  // CHECK: %[[T:.*]] = tensor.concat dim(0) %[[L]], %[[F]] : {{.*}} -> tensor<63xf32>
  // CHECK: linnet.linear #linnet.toeplitz<32> %[[X]], %[[T]] bias(%[[B]])
  %y = linnet.linear #linnet.circulant %x, %v bias(%b) : (tensor<?x?x32xf32>, tensor<32xbf16>, tensor<32xf32>) -> tensor<?x?x32xf32>
  return %y : tensor<?x?x32xf32>
}

// CHECK-LABEL: func @a_circulant_of_one_value_has_nothing_to_repeat
func.func @a_circulant_of_one_value_has_nothing_to_repeat(%x: tensor<5x1xf32>, %v: tensor<1xf32>) -> tensor<5x1xf32> {
  // CHECK-NOT: concat
  // CHECK: linnet.linear #linnet.toeplitz<1>
  %y = linnet.linear #linnet.circulant %x, %v : (tensor<5x1xf32>, tensor<1xf32>) -> tensor<5x1xf32>
  return %y : tensor<5x1xf32>
}

// CHECK-LABEL: func @seeded_blocks_share_their_basis
// CHECK-SAME: %[[X:.*]]: tensor<?x?x32xf32>, %[[C:.*]]: tensor<40x16xbf16>, %[[B:.*]]: tensor<40xf32>
func.func @seeded_blocks_share_their_basis(%x: tensor<?x?x32xf32>, %c: tensor<40x16xbf16>, %b: tensor<40xf32>) -> tensor<?x?x40xf32> {
  // CHECK: %[[P:.*]] = linnet.seeded_basis 7 : tensor<4x8xf32>
  // CHECK: %[[S:.*]] = tensor.expand_shape %[[X]] {{\[}}[0], [1], [2, 3]] {{.*}} : tensor<?x?x32xf32> into tensor<?x?x4x8xf32>
  // CHECK: %[[Z:.*]] = linnet.linear #linnet.dense %[[S]], %[[P]] : {{.*}} -> tensor<?x?x4x4xf32>
  // CHECK: %[[R:.*]] = tensor.collapse_shape %[[Z]] {{\[}}[0], [1], [2, 3]] : {{.*}} into tensor<?x?x16xf32>
  // CHECK: linnet.linear #linnet.dense %[[R]], %[[C]] bias(%[[B]])
  %y = linnet.linear #linnet.seeded<4, 8, 7> %x, %c bias(%b) : (tensor<?x?x32xf32>, tensor<40x16xbf16>, tensor<40xf32>) -> tensor<?x?x40xf32>
  return %y : tensor<?x?x40xf32>
}

// Two maps of one input need one product with the basis.
// CHECK-LABEL: func @maps_of_one_seed_share_its_products
// CHECK-SAME: %[[X:.*]]: tensor<1x5x32xf32>, %[[C:.*]]: tensor<40x16xf32>, %[[D:.*]]: tensor<40x16xf32>
// CSE-LABEL: func @maps_of_one_seed_share_its_products
func.func @maps_of_one_seed_share_its_products(%x: tensor<1x5x32xf32>, %c: tensor<40x16xf32>, %d: tensor<40x16xf32>) -> (tensor<1x5x40xf32>, tensor<1x5x40xf32>) {
  // CSE-COUNT-1: linnet.seeded_basis
  // CSE-NOT: linnet.seeded_basis
  // CSE: %[[P:.*]] = linnet.linear #linnet.dense {{.*}} -> tensor<1x5x4x4xf32>
  // CSE: %[[Z:.*]] = tensor.collapse_shape %[[P]]
  // CSE-COUNT-2: linnet.linear #linnet.dense %[[Z]],
  // CSE-NOT: linnet.linear
  // CSE: return
  %y = linnet.linear #linnet.seeded<4, 8, 7> %x, %c : (tensor<1x5x32xf32>, tensor<40x16xf32>) -> tensor<1x5x40xf32>
  %z = linnet.linear #linnet.seeded<4, 8, 7> %x, %d : (tensor<1x5x32xf32>, tensor<40x16xf32>) -> tensor<1x5x40xf32>
  return %y, %z : tensor<1x5x40xf32>, tensor<1x5x40xf32>
}

// CHECK-LABEL: func @one_seeded_block_needs_no_shapes
func.func @one_seeded_block_needs_no_shapes(%x: tensor<32xf32>, %c: tensor<40x8xf32>) -> tensor<40xf32> {
  // CHECK-NOT: tensor.
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} : (tensor<32xf32>, tensor<8x32xf32>) -> tensor<8xf32>
  // CHECK: linnet.linear #linnet.dense %{{.*}}, %{{.*}} : (tensor<8xf32>, tensor<40x8xf32>) -> tensor<40xf32>
  // CHECK: return
  %y = linnet.linear #linnet.seeded<8, 32, 7> %x, %c : (tensor<32xf32>, tensor<40x8xf32>) -> tensor<40xf32>
  return %y : tensor<40xf32>
}

// The blocks of heads lie side by side: no tensor has more than four dimensions.
// CHECK-LABEL: func @seeded_blocks_of_heads
func.func @seeded_blocks_of_heads(%x: tensor<?x?x3x32xf32>, %c: tensor<40x16xf32>) -> tensor<?x?x3x40xf32> {
  // CHECK: tensor.collapse_shape {{.*}} into tensor<?x?x96xf32>
  // CHECK: tensor.expand_shape {{.*}} into tensor<?x?x12x8xf32>
  // CHECK: linnet.linear #linnet.dense {{.*}} -> tensor<?x?x12x4xf32>
  // CHECK: tensor.collapse_shape {{.*}} into tensor<?x?x48xf32>
  // CHECK: tensor.expand_shape {{.*}} into tensor<?x?x3x16xf32>
  // CHECK: linnet.linear #linnet.dense {{.*}} -> tensor<?x?x3x40xf32>
  %y = linnet.linear #linnet.seeded<4, 8, 7> %x, %c : (tensor<?x?x3x32xf32>, tensor<40x16xf32>) -> tensor<?x?x3x40xf32>
  return %y : tensor<?x?x3x40xf32>
}

// CHECK-LABEL: func @declines_diag_and_toeplitz
func.func @declines_diag_and_toeplitz(%x: tensor<2x32xf32>, %d: tensor<32xf32>, %t: tensor<71xf32>) -> (tensor<2x40xf32>, tensor<2x40xf32>) {
  // CHECK-COUNT-1: linnet.linear #linnet.diag<40, 32>
  %y = linnet.linear #linnet.diag<40, 32> %x, %d : (tensor<2x32xf32>, tensor<32xf32>) -> tensor<2x40xf32>
  // CHECK-COUNT-1: linnet.linear #linnet.toeplitz<40>
  %z = linnet.linear #linnet.toeplitz<40> %x, %t : (tensor<2x32xf32>, tensor<71xf32>) -> tensor<2x40xf32>
  return %y, %z : tensor<2x40xf32>, tensor<2x40xf32>
}

// CHECK-LABEL: func @declines_block_sparse
func.func @declines_block_sparse(%x: tensor<2x32xf32>, %w: tensor<40x12xf32>, %c: tensor<3x3xi16>) -> tensor<2x40xf32> {
  // CHECK-COUNT-1: linnet.linear #linnet.block_sparse<16, 4, 32>
  %y = linnet.linear #linnet.block_sparse<16, 4, 32> %x, %w, %c : (tensor<2x32xf32>, tensor<40x12xf32>, tensor<3x3xi16>) -> tensor<2x40xf32>
  return %y : tensor<2x40xf32>
}

// CHECK-LABEL: func @declines_nm_sparse
func.func @declines_nm_sparse(%x: tensor<2x32xf32>, %w: tensor<40x16xf32>, %p: tensor<40x4xi8>) -> tensor<2x40xf32> {
  // CHECK-COUNT-1: linnet.linear #linnet.nm_sparse<2, 4>
  %y = linnet.linear #linnet.nm_sparse<2, 4> %x, %w, %p : (tensor<2x32xf32>, tensor<40x16xf32>, tensor<40x4xi8>) -> tensor<2x40xf32>
  return %y : tensor<2x40xf32>
}

// CHECK-LABEL: func @declines_dense
func.func @declines_dense(%x: tensor<2x32xf32>, %w: tensor<40x32xf32>) -> tensor<2x40xf32> {
  // CHECK-COUNT-1: linnet.linear #linnet.dense
  %y = linnet.linear #linnet.dense %x, %w : (tensor<2x32xf32>, tensor<40x32xf32>) -> tensor<2x40xf32>
  return %y : tensor<2x40xf32>
}
