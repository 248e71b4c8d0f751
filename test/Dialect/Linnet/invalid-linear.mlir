// RUN: linnet-opt %s --split-input-file --verify-diagnostics

func.func @linear_c1_factor_count(%x: tensor<5x3xf32>, %w: tensor<4x3xf32>) {
  // expected-error @+1 {{expected 2 factors, but got 1}}
  %y = linnet.linear #linnet.low_rank %x, %w : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_factor_rank(%x: tensor<5x3xf32>, %w: tensor<4x3x1xf32>) {
  // expected-error @+1 {{expected factor 0 to be a static matrix of floats, but got 'tensor<4x3x1xf32>'}}
  %y = linnet.linear #linnet.dense %x, %w : (tensor<5x3xf32>, tensor<4x3x1xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_factor_dynamic(%x: tensor<5x3xf32>, %w: tensor<?x3xf32>) {
  // expected-error @+1 {{expected factor 0 to be a static matrix of floats, but got 'tensor<?x3xf32>'}}
  %y = linnet.linear #linnet.dense %x, %w : (tensor<5x3xf32>, tensor<?x3xf32>) -> tensor<5x?xf32>
  return
}

// -----

func.func @linear_c1_low_rank(%x: tensor<5x3xf32>, %u: tensor<4x2xf32>, %v: tensor<1x3xf32>) {
  // expected-error @+1 {{expected both factors to have the same rank, but got 2 and 1}}
  %y = linnet.linear #linnet.low_rank %x, %u, %v : (tensor<5x3xf32>, tensor<4x2xf32>, tensor<1x3xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_blocks_rank(%x: tensor<5x6xf32>, %w: tensor<4x6xf32>) {
  // expected-error @+1 {{expected factor 0 to be static matrices [n, out / n, in / n], but got 'tensor<4x6xf32>'}}
  %y = linnet.linear #linnet.block_diagonal %x, %w : (tensor<5x6xf32>, tensor<4x6xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_no_blocks(%x: tensor<5x0xf32>, %w: tensor<0x2x3xf32>) {
  // expected-error @+1 {{expected factor 0 to be static matrices [n, out / n, in / n], but got 'tensor<0x2x3xf32>'}}
  %y = linnet.linear #linnet.block_diagonal %x, %w : (tensor<5x0xf32>, tensor<0x2x3xf32>) -> tensor<5x0xf32>
  return
}

// -----

func.func @linear_c2_blocks(%x: tensor<5x3xf32>, %w: tensor<2x4x3xf32>) {
  // expected-error @+1 {{expected the input's last dimension to be 6, but got 'tensor<5x3xf32>'}}
  %y = linnet.linear #linnet.block_diagonal %x, %w : (tensor<5x3xf32>, tensor<2x4x3xf32>) -> tensor<5x8xf32>
  return
}

// -----

func.func @linear_c2(%x: tensor<5x3xf32>, %w: tensor<3x4xf32>) {
  // expected-error @+1 {{expected the input's last dimension to be 4, but got 'tensor<5x3xf32>'}}
  %y = linnet.linear #linnet.dense %x, %w : (tensor<5x3xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @linear_c2_dynamic(%x: tensor<5x?xf32>, %w: tensor<3x4xf32>) {
  // expected-error @+1 {{expected the input's last dimension to be 4, but got 'tensor<5x?xf32>'}}
  %y = linnet.linear #linnet.dense %x, %w : (tensor<5x?xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @linear_c2_scalar(%x: tensor<f32>, %w: tensor<3x4xf32>) {
  // expected-error @+1 {{expected the input's last dimension to be 4, but got 'tensor<f32>'}}
  %y = linnet.linear #linnet.dense %x, %w : (tensor<f32>, tensor<3x4xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @linear_c3(%x: tensor<5x3xf32>, %w: tensor<4x3xf32>, %b: tensor<3xf32>) {
  // expected-error @+1 {{expected the bias to have shape [4], but got 'tensor<3xf32>'}}
  %y = linnet.linear #linnet.dense %x, %w bias(%b) : (tensor<5x3xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_result(%x: tensor<5x3xf32>, %w: tensor<4x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{inferred type(s) 'tensor<5x4xf32>' are incompatible with return type(s) of operation 'tensor<5x5xf32>'}}
  %y = linnet.linear #linnet.dense %x, %w : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x5xf32>
  return
}

// -----

func.func @linear_unknown_structure(%x: tensor<5x3xf32>, %w: tensor<4x3xf32>) {
  // expected-error @+1 {{invalid kind of attribute specified}}
  %y = linnet.linear #linnet.none %x, %w : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @embedding_ids(%ids: tensor<2xf32>, %table: tensor<4x3xf32>) {
  // expected-error @+1 {{operand #0 must be ranked tensor of integer values, but got 'tensor<2xf32>'}}
  %y = linnet.embedding %ids, %table : (tensor<2xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @embedding_table(%ids: tensor<2xi32>, %table: tensor<4xf32>) {
  // expected-error @+1 {{operand #1 must be 2D tensor of floating-point values, but got 'tensor<4xf32>'}}
  %y = linnet.embedding %ids, %table : (tensor<2xi32>, tensor<4xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @positions_rank(%ids: tensor<2xi32>, %p: index) {
  // expected-error @+1 {{operand #0 must be 2D tensor of integer values, but got 'tensor<2xi32>'}}
  %y = linnet.positions %ids, %p : (tensor<2xi32>, index) -> tensor<2xi32>
  return
}

// -----

func.func @linear_c1_integers(%x: tensor<5x3xf32>, %w: tensor<4x3xi32>) {
  // expected-error @+1 {{expected factor 0 to be a static matrix of floats, but got 'tensor<4x3xi32>'}}
  %y = linnet.linear #linnet.dense %x, %w : (tensor<5x3xf32>, tensor<4x3xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_order(%x: tensor<5x3xf32>, %o: tensor<3xf32>) {
  // expected-error @+1 {{expected factor 0 to be a static vector of i32, but got 'tensor<3xf32>'}}
  %y = linnet.linear #linnet.permutation %x, %o : (tensor<5x3xf32>, tensor<3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @linear_c2_order(%x: tensor<5x3xf32>, %o: tensor<4xi32>) {
  // expected-error @+1 {{expected the input's last dimension to be 4, but got 'tensor<5x3xf32>'}}
  %y = linnet.linear #linnet.permutation %x, %o : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_pivoted_count(%x: tensor<5x7xf32>, %w: tensor<4x2xf32>, %c: tensor<2x5xf32>) {
  // expected-error @+1 {{expected 3 factors, but got 2}}
  %y = linnet.linear #linnet.pivoted_low_rank %x, %w, %c : (tensor<5x7xf32>, tensor<4x2xf32>, tensor<2x5xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_pivoted_rank(%x: tensor<5x7xf32>, %w: tensor<4x2xf32>, %c: tensor<3x5xf32>, %o: tensor<7xi32>) {
  // expected-error @+1 {{expected both factors to have the same rank, but got 2 and 3}}
  %y = linnet.linear #linnet.pivoted_low_rank %x, %w, %c, %o : (tensor<5x7xf32>, tensor<4x2xf32>, tensor<3x5xf32>, tensor<7xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_pivoted_order(%x: tensor<5x7xf32>, %w: tensor<4x2xf32>, %c: tensor<2x5xf32>, %o: tensor<6xi32>) {
  // expected-error @+1 {{expected an order of 2 + 5 inputs, but got 6}}
  %y = linnet.linear #linnet.pivoted_low_rank %x, %w, %c, %o : (tensor<5x7xf32>, tensor<4x2xf32>, tensor<2x5xf32>, tensor<6xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_codes(%x: tensor<5x6xf32>, %w: tensor<4x6xf32>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{expected factor 0 to be a static matrix of i8, but got 'tensor<4x6xf32>'}}
  %y = linnet.linear #linnet.quantized<8, 6> %x, %w, %s : (tensor<5x6xf32>, tensor<4x6xf32>, tensor<4x1xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_scales(%x: tensor<5x6xf32>, %w: tensor<4x6xi8>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{expected scales of shape [4, 2], but got 'tensor<4x1xf32>'}}
  %y = linnet.linear #linnet.quantized<8, 4> %x, %w, %s : (tensor<5x6xf32>, tensor<4x6xi8>, tensor<4x1xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @quantized_bits(%x: tensor<5x6xf32>, %w: tensor<4x6xi8>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{expected 4 or 8 bits, but got 3}}
  %y = linnet.linear #linnet.quantized<3, 6> %x, %w, %s : (tensor<5x6xf32>, tensor<4x6xi8>, tensor<4x1xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @quantized_group(%x: tensor<5x6xf32>, %w: tensor<4x6xi8>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{expected a group of at least 1, but got 0}}
  %y = linnet.linear #linnet.quantized<8, 0> %x, %w, %s : (tensor<5x6xf32>, tensor<4x6xi8>, tensor<4x1xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_zeros_count(%x: tensor<5x6xf32>, %w: tensor<4x6xi8>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{expected 3 factors, but got 2}}
  %y = linnet.linear #linnet.quantized<8, 6, zeros> %x, %w, %s : (tensor<5x6xf32>, tensor<4x6xi8>, tensor<4x1xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_no_zeros_count(%x: tensor<5x6xf32>, %w: tensor<4x6xi8>, %s: tensor<4x1xf32>, %z: tensor<4x1xi8>) {
  // expected-error @+1 {{expected 2 factors, but got 3}}
  %y = linnet.linear #linnet.quantized<8, 6> %x, %w, %s, %z : (tensor<5x6xf32>, tensor<4x6xi8>, tensor<4x1xf32>, tensor<4x1xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_zeros_type(%x: tensor<5x6xf32>, %w: tensor<4x6xi8>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{expected factor 2 to be a static matrix of i8, but got 'tensor<4x1xf32>'}}
  %y = linnet.linear #linnet.quantized<8, 6, zeros> %x, %w, %s, %s : (tensor<5x6xf32>, tensor<4x6xi8>, tensor<4x1xf32>, tensor<4x1xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_zeros_shape(%x: tensor<5x6xf32>, %w: tensor<4x6xi8>, %s: tensor<4x2xf32>, %z: tensor<4x1xi8>) {
  // expected-error @+1 {{expected zeros of shape [4, 2], but got 'tensor<4x1xi8>'}}
  %y = linnet.linear #linnet.quantized<8, 4, zeros> %x, %w, %s, %z : (tensor<5x6xf32>, tensor<4x6xi8>, tensor<4x2xf32>, tensor<4x1xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @quantized_keyword(%x: tensor<5x6xf32>, %w: tensor<4x6xi8>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{expected 'zeros'}}
  %y = linnet.linear #linnet.quantized<8, 6, offsets> %x, %w, %s : (tensor<5x6xf32>, tensor<4x6xi8>, tensor<4x1xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_product_count(%x: tensor<5x6xf32>, %w: tensor<4x6xf32>) {
  // expected-error @+1 {{expected 3 factors, but got 1}}
  %y = linnet.linear #linnet.product<[#linnet.dense, #linnet.low_rank]> %x, %w : (tensor<5x6xf32>, tensor<4x6xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_product_widths(%x: tensor<5x6xf32>, %w: tensor<4x3xf32>, %v: tensor<2x6xf32>) {
  // expected-error @+1 {{expected part 1 to give the 3 features that part 0 takes, but got 2}}
  %y = linnet.linear #linnet.product<[#linnet.dense, #linnet.dense]> %x, %w, %v : (tensor<5x6xf32>, tensor<4x3xf32>, tensor<2x6xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_product_part(%x: tensor<5x6xf32>, %w: tensor<4x3xf32>, %v: tensor<3x6xi8>) {
  // expected-error @+1 {{part 1: expected factor 0 to be a static matrix of floats, but got 'tensor<3x6xi8>'}}
  %y = linnet.linear #linnet.product<[#linnet.dense, #linnet.dense]> %x, %w, %v : (tensor<5x6xf32>, tensor<4x3xf32>, tensor<3x6xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_sum_widths(%x: tensor<5x6xf32>, %w: tensor<4x6xf32>, %v: tensor<3x6xf32>) {
  // expected-error @+1 {{expected part 1 to map 6 features to 4, as part 0 does, but got 6 to 3}}
  %y = linnet.linear #linnet.sum<[#linnet.dense, #linnet.dense]> %x, %w, %v : (tensor<5x6xf32>, tensor<4x6xf32>, tensor<3x6xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_no_parts(%x: tensor<5x6xf32>) {
  // expected-error @+2 {{expected attribute value}}
  // expected-error @+1 {{failed to parse}}
  %y = linnet.linear #linnet.sum<[]> %x : (tensor<5x6xf32>) -> tensor<5x6xf32>
  return
}

// -----

func.func @linear_other_parts(%x: tensor<5x6xf32>, %w: tensor<4x6xf32>) {
  // expected-error @+2 {{invalid kind of attribute specified}}
  // expected-error @+1 {{failed to parse}}
  %y = linnet.linear #linnet.product<[#linnet.scalar]> %x, %w : (tensor<5x6xf32>, tensor<4x6xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_nm_sparse_positions(%x: tensor<5x8xf32>, %w: tensor<4x4xf32>, %p: tensor<4x1xi16>) {
  // expected-error @+1 {{expected factor 1 to be a static matrix of i8, but got 'tensor<4x1xi16>'}}
  %y = linnet.linear #linnet.nm_sparse<2, 4> %x, %w, %p : (tensor<5x8xf32>, tensor<4x4xf32>, tensor<4x1xi16>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_nm_sparse_groups(%x: tensor<5x8xf32>, %w: tensor<4x4xf32>, %p: tensor<4x1xi8>) {
  // expected-error @+1 {{expected values of whole groups of 3, whose positions fill bytes, but got 'tensor<4x4xf32>'}}
  %y = linnet.linear #linnet.nm_sparse<3, 4> %x, %w, %p : (tensor<5x8xf32>, tensor<4x4xf32>, tensor<4x1xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_nm_sparse_bytes(%x: tensor<5x4xf32>, %w: tensor<4x2xf32>, %p: tensor<4x1xi8>) {
  // expected-error @+1 {{expected values of whole groups of 2, whose positions fill bytes, but got 'tensor<4x2xf32>'}}
  %y = linnet.linear #linnet.nm_sparse<2, 4> %x, %w, %p : (tensor<5x4xf32>, tensor<4x2xf32>, tensor<4x1xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_nm_sparse_rows(%x: tensor<5x8xf32>, %w: tensor<4x4xf32>, %p: tensor<3x1xi8>) {
  // expected-error @+1 {{expected positions of shape [4, 1], but got 'tensor<3x1xi8>'}}
  %y = linnet.linear #linnet.nm_sparse<2, 4> %x, %w, %p : (tensor<5x8xf32>, tensor<4x4xf32>, tensor<3x1xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @nm_sparse_of(%x: tensor<5x8xf32>, %w: tensor<4x4xf32>, %p: tensor<4x1xi8>) {
  // expected-error @+1 {{expected 1 to 16 inputs in a group, but got 17}}
  %y = linnet.linear #linnet.nm_sparse<2, 17> %x, %w, %p : (tensor<5x8xf32>, tensor<4x4xf32>, tensor<4x1xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @nm_sparse_kept(%x: tensor<5x8xf32>, %w: tensor<4x4xf32>, %p: tensor<4x1xi8>) {
  // expected-error @+1 {{expected 1 to 4 kept inputs of a group, but got 5}}
  %y = linnet.linear #linnet.nm_sparse<5, 4> %x, %w, %p : (tensor<5x8xf32>, tensor<4x4xf32>, tensor<4x1xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @nm_sparse_none_kept(%x: tensor<5x8xf32>, %w: tensor<4x4xf32>, %p: tensor<4x1xi8>) {
  // expected-error @+1 {{expected 1 to 4 kept inputs of a group, but got 0}}
  %y = linnet.linear #linnet.nm_sparse<0, 4> %x, %w, %p : (tensor<5x8xf32>, tensor<4x4xf32>, tensor<4x1xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_block_sparse_values(%x: tensor<5x6xf32>, %w: tensor<4x4xi8>, %c: tensor<1x2xi32>) {
  // expected-error @+1 {{expected factor 0 to be a static matrix of floats, but got 'tensor<4x4xi8>'}}
  %y = linnet.linear #linnet.block_sparse<16, 2, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<4x4xi8>, tensor<1x2xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_block_sparse_columns(%x: tensor<5x6xf32>, %w: tensor<4x4xf32>, %c: tensor<1x2xf32>) {
  // expected-error @+1 {{expected factor 1 to be a static matrix of i16 or i32, but got 'tensor<1x2xf32>'}}
  %y = linnet.linear #linnet.block_sparse<16, 2, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<4x4xf32>, tensor<1x2xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_block_sparse_none(%x: tensor<5x6xf32>, %w: tensor<4x0xf32>, %c: tensor<1x0xi32>) {
  // expected-error @+1 {{expected 1 to 3 blocks in a row of blocks, but got 0}}
  %y = linnet.linear #linnet.block_sparse<16, 2, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<4x0xf32>, tensor<1x0xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_block_sparse_many(%x: tensor<5x6xf32>, %w: tensor<4x8xf32>, %c: tensor<1x4xi32>) {
  // expected-error @+1 {{expected 1 to 3 blocks in a row of blocks, but got 4}}
  %y = linnet.linear #linnet.block_sparse<16, 2, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<4x8xf32>, tensor<1x4xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_block_sparse_width(%x: tensor<5x6xf32>, %w: tensor<4x5xf32>, %c: tensor<1x2xi32>) {
  // expected-error @+1 {{expected values of 2 x 2 inputs, but got 'tensor<4x5xf32>'}}
  %y = linnet.linear #linnet.block_sparse<16, 2, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<4x5xf32>, tensor<1x2xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_block_sparse_rows(%x: tensor<5x6xf32>, %w: tensor<17x4xf32>, %c: tensor<1x2xi32>) {
  // expected-error @+1 {{expected columns of 2 rows of blocks, but got 'tensor<1x2xi32>'}}
  %y = linnet.linear #linnet.block_sparse<16, 2, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<17x4xf32>, tensor<1x2xi32>) -> tensor<5x17xf32>
  return
}

// -----

func.func @block_sparse_height(%x: tensor<5x6xf32>, %w: tensor<4x4xf32>, %c: tensor<1x2xi32>) {
  // expected-error @+1 {{expected a height that is a multiple of 16, but got 24}}
  %y = linnet.linear #linnet.block_sparse<24, 2, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<4x4xf32>, tensor<1x2xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @block_sparse_no_height(%x: tensor<5x6xf32>, %w: tensor<4x4xf32>, %c: tensor<1x2xi32>) {
  // expected-error @+1 {{expected a height that is a multiple of 16, but got 0}}
  %y = linnet.linear #linnet.block_sparse<0, 2, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<4x4xf32>, tensor<1x2xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @block_sparse_width(%x: tensor<5x6xf32>, %w: tensor<4x4xf32>, %c: tensor<1x2xi32>) {
  // expected-error @+1 {{expected a width that divides 6 inputs, but got 4}}
  %y = linnet.linear #linnet.block_sparse<16, 4, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<4x4xf32>, tensor<1x2xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @block_sparse_no_width(%x: tensor<5x6xf32>, %w: tensor<4x4xf32>, %c: tensor<1x2xi32>) {
  // expected-error @+1 {{expected a width that divides 6 inputs, but got 0}}
  %y = linnet.linear #linnet.block_sparse<16, 0, 6> %x, %w, %c : (tensor<5x6xf32>, tensor<4x4xf32>, tensor<1x2xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_block_sparse_count(%x: tensor<5x6xf32>, %w: tensor<4x4xf32>) {
  // expected-error @+1 {{expected 2 factors, but got 1}}
  %y = linnet.linear #linnet.block_sparse<16, 2, 6> %x, %w : (tensor<5x6xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c2_block_sparse(%x: tensor<5x8xf32>, %w: tensor<4x4xf32>, %c: tensor<1x2xi32>) {
  // expected-error @+1 {{expected the input's last dimension to be 6, but got 'tensor<5x8xf32>'}}
  %y = linnet.linear #linnet.block_sparse<16, 2, 6> %x, %w, %c : (tensor<5x8xf32>, tensor<4x4xf32>, tensor<1x2xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_diag_factors(%x: tensor<5x6xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{expected 1 factors, but got 2}}
  %y = linnet.linear #linnet.diag<4, 6> %x, %w, %w : (tensor<5x6xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_diag_matrix(%x: tensor<5x6xf32>, %w: tensor<4x1xf32>) {
  // expected-error @+1 {{expected factor 0 to be a static vector of floats, but got 'tensor<4x1xf32>'}}
  %y = linnet.linear #linnet.diag<4, 6> %x, %w : (tensor<5x6xf32>, tensor<4x1xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_diag_integers(%x: tensor<5x6xf32>, %w: tensor<4xi32>) {
  // expected-error @+1 {{expected factor 0 to be a static vector of floats, but got 'tensor<4xi32>'}}
  %y = linnet.linear #linnet.diag<4, 6> %x, %w : (tensor<5x6xf32>, tensor<4xi32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_diag_length(%x: tensor<5x6xf32>, %w: tensor<6xf32>) {
  // expected-error @+1 {{expected 4 values on the diagonal, but got 'tensor<6xf32>'}}
  %y = linnet.linear #linnet.diag<4, 6> %x, %w : (tensor<5x6xf32>, tensor<6xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @diag_outputs(%x: tensor<5x6xf32>, %w: tensor<0xf32>) {
  // expected-error @+1 {{expected at least 1 output and 1 input, but got 0 and 6}}
  %y = linnet.linear #linnet.diag<0, 6> %x, %w : (tensor<5x6xf32>, tensor<0xf32>) -> tensor<5x0xf32>
  return
}

// -----

func.func @linear_c1_toeplitz_dynamic(%x: tensor<5x6xf32>, %w: tensor<?xf32>) {
  // expected-error @+1 {{expected factor 0 to be a static vector of floats, but got 'tensor<?xf32>'}}
  %y = linnet.linear #linnet.toeplitz<4> %x, %w : (tensor<5x6xf32>, tensor<?xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_toeplitz_length(%x: tensor<5x6xf32>, %w: tensor<3xf32>) {
  // expected-error @+1 {{expected at least 4 values for 4 outputs, but got 'tensor<3xf32>'}}
  %y = linnet.linear #linnet.toeplitz<4> %x, %w : (tensor<5x6xf32>, tensor<3xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c2_toeplitz(%x: tensor<5x6xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{expected the input's last dimension to be 5, but got 'tensor<5x6xf32>'}}
  %y = linnet.linear #linnet.toeplitz<4> %x, %w : (tensor<5x6xf32>, tensor<8xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @toeplitz_outputs(%x: tensor<5x6xf32>, %w: tensor<5xf32>) {
  // expected-error @+1 {{expected at least 1 output, but got 0}}
  %y = linnet.linear #linnet.toeplitz<0> %x, %w : (tensor<5x6xf32>, tensor<5xf32>) -> tensor<5x0xf32>
  return
}

// -----

func.func @linear_c1_circulant_empty(%x: tensor<5x0xf32>, %w: tensor<0xf32>) {
  // expected-error @+1 {{expected at least 1 value, but got 'tensor<0xf32>'}}
  %y = linnet.linear #linnet.circulant %x, %w : (tensor<5x0xf32>, tensor<0xf32>) -> tensor<5x0xf32>
  return
}

// -----

func.func @linear_c1_circulant_factors(%x: tensor<5x6xf32>, %w: tensor<6xf32>) {
  // expected-error @+1 {{expected 1 factors, but got 2}}
  %y = linnet.linear #linnet.circulant %x, %w, %w : (tensor<5x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<5x6xf32>
  return
}

// -----

func.func @linear_c1_seeded_coefficients(%x: tensor<5x6xf32>, %c: tensor<4x5xf32>) {
  // expected-error @+1 {{expected 2 coefficients for each block of inputs, but got 'tensor<4x5xf32>'}}
  %y = linnet.linear #linnet.seeded<2, 3, 1> %x, %c : (tensor<5x6xf32>, tensor<4x5xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_seeded_none(%x: tensor<5x0xf32>, %c: tensor<4x0xf32>) {
  // expected-error @+1 {{expected 2 coefficients for each block of inputs, but got 'tensor<4x0xf32>'}}
  %y = linnet.linear #linnet.seeded<2, 3, 1> %x, %c : (tensor<5x0xf32>, tensor<4x0xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_seeded_factor(%x: tensor<5x6xf32>, %c: tensor<4x4xi8>) {
  // expected-error @+1 {{expected factor 0 to be a static matrix of floats, but got 'tensor<4x4xi8>'}}
  %y = linnet.linear #linnet.seeded<2, 3, 1> %x, %c : (tensor<5x6xf32>, tensor<4x4xi8>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_seeded_factors(%x: tensor<5x6xf32>, %c: tensor<4x4xf32>) {
  // expected-error @+1 {{expected 1 factors, but got 2}}
  %y = linnet.linear #linnet.seeded<2, 3, 1> %x, %c, %c : (tensor<5x6xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @linear_c2_seeded(%x: tensor<5x7xf32>, %c: tensor<4x4xf32>) {
  // expected-error @+1 {{expected the input's last dimension to be 6, but got 'tensor<5x7xf32>'}}
  %y = linnet.linear #linnet.seeded<2, 3, 1> %x, %c : (tensor<5x7xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @seeded_terms(%x: tensor<5x6xf32>, %c: tensor<4x4xf32>) {
  // expected-error @+1 {{expected terms of 1 to 2147483647, but got 0}}
  %y = linnet.linear #linnet.seeded<0, 3, 1> %x, %c : (tensor<5x6xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @seeded_block(%x: tensor<5x6xf32>, %c: tensor<4x4xf32>) {
  // expected-error @+1 {{expected block of 1 to 2147483647, but got 2147483648}}
  %y = linnet.linear #linnet.seeded<2, 2147483648, 1> %x, %c : (tensor<5x6xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @seeded_seed(%x: tensor<5x6xf32>, %c: tensor<4x4xf32>) {
  // expected-error @+1 {{expected a seed of 0 or more, but got -1}}
  %y = linnet.linear #linnet.seeded<2, 3, -1> %x, %c : (tensor<5x6xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  return
}
