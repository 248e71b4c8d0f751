// RUN: linnet-opt %s --split-input-file --verify-diagnostics

func.func @route_c1_rank(%l: tensor<?x8xf32>) {
  // expected-error @+1 {{expected logits [B, T, E] of static E, but got 'tensor<?x8xf32>'}}
  %i, %w = linnet.route softmax %l {k = 2 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_c1_dynamic(%l: tensor<?x?x?xf32>) {
  // expected-error @+1 {{expected logits [B, T, E] of static E, but got 'tensor<?x?x?xf32>'}}
  %i, %w = linnet.route softmax %l {k = 2 : i64} : (tensor<?x?x?xf32>) -> (tensor<?x?x2xi32>, tensor<?x?x2xf32>)
  return
}

// -----

func.func @route_c2(%l: tensor<?x?x8xf32>, %b: tensor<7xf32>) {
  // expected-error @+1 {{expected a bias of shape [8], but got 'tensor<7xf32>'}}
  %i, %w = linnet.route softmax %l bias(%b) {k = 2 : i64} : (tensor<?x?x8xf32>, tensor<7xf32>) -> (tensor<?x?x2xi32>, tensor<?x?x2xf32>)
  return
}

// -----

func.func @route_c3(%l: tensor<?x?x8xf32>) {
  // expected-error @+1 {{expected groups to divide 8, but got 3}}
  %i, %w = linnet.route softmax %l {k = 2 : i64, groups = 3 : i64} : (tensor<?x?x8xf32>) -> (tensor<?x?x2xi32>, tensor<?x?x2xf32>)
  return
}

// -----

func.func @route_c3_two(%l: tensor<?x?x8xf32>) {
  // expected-error @+1 {{expected groups of 2 experts or more, but got 1}}
  %i, %w = linnet.route softmax %l {k = 1 : i64, groups = 8 : i64, group_rule = #linnet.group_rule<best_two>} : (tensor<?x?x8xf32>) -> (tensor<?x?x1xi32>, tensor<?x?x1xf32>)
  return
}

// -----

func.func @route_c4(%l: tensor<?x?x8xf32>) {
  // expected-error @+1 {{expected at most 2 top_groups, but got 3}}
  %i, %w = linnet.route softmax %l {k = 2 : i64, groups = 2 : i64, top_groups = 3 : i64} : (tensor<?x?x8xf32>) -> (tensor<?x?x2xi32>, tensor<?x?x2xf32>)
  return
}

// -----

func.func @route_c5(%l: tensor<?x?x8xf32>) {
  // expected-error @+1 {{expected k of at most 4, but got 5}}
  %i, %w = linnet.route softmax %l {k = 5 : i64, groups = 2 : i64} : (tensor<?x?x8xf32>) -> (tensor<?x?x5xi32>, tensor<?x?x5xf32>)
  return
}

// -----

func.func @route_c6(%l: tensor<?x?x8xf32>) {
  // expected-error @+1 {{expected eps of at least 0, but got -1}}
  %i, %w = linnet.route softmax %l {k = 2 : i64, normalize, eps = -1.0 : f64} : (tensor<?x?x8xf32>) -> (tensor<?x?x2xi32>, tensor<?x?x2xf32>)
  return
}

// -----

func.func @route_k(%l: tensor<?x?x8xf32>) {
  // expected-error @+1 {{attribute 'k' failed to satisfy constraint}}
  %i, %w = linnet.route softmax %l {k = 0 : i64} : (tensor<?x?x8xf32>) -> (tensor<?x?x0xi32>, tensor<?x?x0xf32>)
  return
}

// -----

func.func @experts_c1(%x: tensor<?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %f0: tensor<8x3x4xf32>, %f1: tensor<8x3x4xf32>, %f2: tensor<8x4x3xf32>) {
  // expected-error @+1 {{expected an input [B, T, D] of static D, but got 'tensor<?x4xf32>'}}
  %y = linnet.experts silu %x, %i, %w, %f0, %f1, %f2 : (tensor<?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x3x4xf32>, tensor<8x3x4xf32>, tensor<8x4x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @experts_c2(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x3xf32>, %f0: tensor<8x3x4xf32>, %f1: tensor<8x3x4xf32>, %f2: tensor<8x4x3xf32>) {
  // expected-error @+1 {{expected indices and weights [B, T, k], but got 'tensor<?x?x2xi32>' and 'tensor<?x?x3xf32>'}}
  %y = linnet.experts silu %x, %i, %w, %f0, %f1, %f2 : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x3xf32>, tensor<8x3x4xf32>, tensor<8x3x4xf32>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  return
}

// -----

func.func @experts_c2_tokens(%x: tensor<1x6x4xf32>, %i: tensor<1x5x2xi32>, %w: tensor<?x?x2xf32>, %f0: tensor<8x3x4xf32>, %f1: tensor<8x3x4xf32>, %f2: tensor<8x4x3xf32>) {
  // expected-error @+1 {{expected indices and weights [B, T, k], but got 'tensor<1x5x2xi32>' and 'tensor<?x?x2xf32>'}}
  %y = linnet.experts silu %x, %i, %w, %f0, %f1, %f2 : (tensor<1x6x4xf32>, tensor<1x5x2xi32>, tensor<?x?x2xf32>, tensor<8x3x4xf32>, tensor<8x3x4xf32>, tensor<8x4x3xf32>) -> tensor<1x6x4xf32>
  return
}

// -----

func.func @experts_c3_count(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %f0: tensor<8x4x3xf32>) {
  // expected-error @+1 {{expected 2 or 3 factors, but got 1}}
  %y = linnet.experts silu %x, %i, %w, %f0 : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  return
}

// -----

func.func @experts_c3_inner(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %f0: tensor<8x3x4xf32>, %f1: tensor<8x2x4xf32>, %f2: tensor<8x4x3xf32>) {
  // expected-error @+1 {{expected factors of shape [8, 3, 4], but got 'tensor<8x2x4xf32>'}}
  %y = linnet.experts silu %x, %i, %w, %f0, %f1, %f2 : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x3x4xf32>, tensor<8x2x4xf32>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  return
}

// -----

func.func @experts_c3_fused(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %f0: tensor<8x6x4xf32>, %f1: tensor<8x3x4xf32>, %f2: tensor<8x4x3xf32>) {
  // expected-error @+1 {{expected factors of shape [8, 3, 4], but got 'tensor<8x6x4xf32>'}}
  %y = linnet.experts silu %x, %i, %w, %f0, %f1, %f2 : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x6x4xf32>, tensor<8x3x4xf32>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  return
}

// -----

func.func @experts_c3_experts(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %f0: tensor<7x3x4xf32>, %f1: tensor<8x4x3xf32>) {
  // expected-error @+1 {{expected factors of shape [8, 3, 4], but got 'tensor<7x3x4xf32>'}}
  %y = linnet.experts silu %x, %i, %w, %f0, %f1 : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<7x3x4xf32>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  return
}

// -----

func.func @experts_c3_dynamic(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %f0: tensor<8x3x4xf32>, %f1: tensor<8x4x?xf32>) {
  // expected-error @+1 {{expected down of shape [E, 4, I], but got 'tensor<8x4x?xf32>'}}
  %y = linnet.experts silu %x, %i, %w, %f0, %f1 : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x3x4xf32>, tensor<8x4x?xf32>) -> tensor<?x?x4xf32>
  return
}

// -----

func.func @experts_c4_down(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %f0: tensor<8x3x4xf32>, %f1: tensor<8x3x4xf32>, %f2: tensor<8x5x3xf32>) {
  // expected-error @+1 {{expected down of shape [E, 4, I], but got 'tensor<8x5x3xf32>'}}
  %y = linnet.experts silu %x, %i, %w, %f0, %f1, %f2 : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x3x4xf32>, tensor<8x3x4xf32>, tensor<8x5x3xf32>) -> tensor<?x?x4xf32>
  return
}

// -----

func.func @experts_c4_up(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %f0: tensor<8x3x5xf32>, %f1: tensor<8x3x4xf32>, %f2: tensor<8x4x3xf32>) {
  // expected-error @+1 {{expected factors of shape [8, 3, 4], but got 'tensor<8x3x5xf32>'}}
  %y = linnet.experts silu %x, %i, %w, %f0, %f1, %f2 : (tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x3x5xf32>, tensor<8x3x4xf32>, tensor<8x4x3xf32>) -> tensor<?x?x4xf32>
  return
}
