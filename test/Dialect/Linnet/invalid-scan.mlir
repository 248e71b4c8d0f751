// RUN: linnet-opt %s --split-input-file --verify-diagnostics

func.func @scan_c1_width(%q: tensor<2x5x2x4xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>) {
  // expected-error @+1 {{expected the query of shape [B, T, H, K] (or a size that broadcasts), but got 'tensor<2x5x2x4xf32>'}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v : (tensor<2x5x2x4xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c1_rank(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x3xf32>, %v: tensor<2x5x4x6xf32>) {
  // expected-error @+1 {{expected key and value of rank 4}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x5x3xf32>, tensor<2x5x4x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x5x4x6xf32>)
  return
}

// -----

func.func @scan_c1_query_rank(%q: tensor<2x5x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>) {
  // expected-error @+1 {{expected the query of shape [B, T, H, K]}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v : (tensor<2x5x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c2_time(%q: tensor<2x5x2x3xf32>, %k: tensor<2x4x2x3xf32>, %v: tensor<2x5x4x6xf32>) {
  // expected-error @+1 {{expected the key of shape [B, T, H, K] (or a size that broadcasts), but got 'tensor<2x4x2x3xf32>'}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x4x2x3xf32>, tensor<2x5x4x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c2_heads(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x3x3xf32>, %v: tensor<2x5x4x6xf32>) {
  // expected-error @+1 {{expected the key of shape [B, T, H, K] (or a size that broadcasts), but got 'tensor<2x5x3x3xf32>'}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x5x3x3xf32>, tensor<2x5x4x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c2_batch(%q: tensor<3x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>) {
  // expected-error @+1 {{expected the query of shape [B, T, H, K] (or a size that broadcasts), but got 'tensor<3x5x2x3xf32>'}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v : (tensor<3x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c2_parameter(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<2x5x3xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [B, T, H] (or a size that broadcasts), but got 'tensor<2x5x3xf32>'}}
  %o, %s = linnet.scan #linnet.scalar(%a) %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<2x5x3xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c2_parameter_rank(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [B, T, H, K] (or a size that broadcasts), but got 'tensor<2x5x4xf32>'}}
  %o, %s = linnet.scan #linnet.diagonal(%a) %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<2x5x4xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c2_full_rate(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<2x5x4x6xf32>, %b: tensor<1x1x4x6x3xf32>) {
  // expected-error @+1 {{expected transition operand 1 of shape [B, T, H, K, V] (or a size that broadcasts), but got 'tensor<1x1x4x6x3xf32>'}}
  %o, %s = linnet.scan #linnet.full(%a, %b) %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<2x5x4x6xf32>, tensor<1x1x4x6x3xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c3_initial(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<2x4x6x3xf32>) {
  // expected-error @+1 {{expected a state [B, 4, 3, 6], but got 'tensor<2x4x6x3xf32>'}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v initial(%a) : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<2x4x6x3xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c3_initial_rank(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<4x3x6xf32>) {
  // expected-error @+1 {{expected a state [B, 4, 3, 6], but got 'tensor<4x3x6xf32>'}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v initial(%a) : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<4x3x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c3_result(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>) {
  // expected-error @+1 {{expected a state [B, 4, 3, 6], but got 'tensor<2x4x6x3xf32>'}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x6x3xf32>)
  return
}

// -----

func.func @scan_c4(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<1x1x4x3xf32>) {
  // expected-error @+1 {{expected readout pre with a bonus}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v bonus(%a) : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<1x1x4x3xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c4_shape(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<4x3xf32>) {
  // expected-error @+1 {{expected the bonus of shape [B, T, H, K] (or a size that broadcasts), but got 'tensor<4x3xf32>'}}
  %o, %s = linnet.scan #linnet.none %q, %k, %v bonus(%a) {readout = #linnet.readout<pre>} : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<4x3xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c5_missing(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>) {
  // expected-error @+1 {{expected 1 transition operands, but got 0}}
  %o, %s = linnet.scan #linnet.scalar %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c5_extra(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected 0 transition operands, but got 1}}
  %o, %s = linnet.scan #linnet.none(%a) %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<2x5x4xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_c5_delta(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected 2 transition operands, but got 1}}
  %o, %s = linnet.scan #linnet.delta<scalar>(%a) %q, %k, %v : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<2x5x4xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @step_c1_rank(%q: tensor<2x5x2x3xf32>, %k: tensor<2x5x2x3xf32>, %v: tensor<2x5x4x6xf32>, %a: tensor<2x4x3x6xf32>) {
  // expected-error @+1 {{expected key and value of rank 3}}
  %o, %s = linnet.step #linnet.none %q, %k, %v initial(%a) : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @step_c2_heads(%q: tensor<2x2x3xf32>, %k: tensor<2x3x3xf32>, %v: tensor<2x4x6xf32>, %a: tensor<2x4x3x6xf32>) {
  // expected-error @+1 {{expected the key of shape [B, H, K] (or a size that broadcasts), but got 'tensor<2x3x3xf32>'}}
  %o, %s = linnet.step #linnet.none %q, %k, %v initial(%a) : (tensor<2x2x3xf32>, tensor<2x3x3xf32>, tensor<2x4x6xf32>, tensor<2x4x3x6xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @step_c3(%q: tensor<2x2x3xf32>, %k: tensor<2x2x3xf32>, %v: tensor<2x4x6xf32>, %a: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{expected a state [B, 4, 3, 6], but got 'tensor<2x4x3x5xf32>'}}
  %o, %s = linnet.step #linnet.none %q, %k, %v initial(%a) : (tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x4x6xf32>, tensor<2x4x3x5xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @step_c5(%q: tensor<2x2x3xf32>, %k: tensor<2x2x3xf32>, %v: tensor<2x4x6xf32>, %a: tensor<2x4x3x6xf32>) {
  // expected-error @+1 {{expected 1 transition operands, but got 0}}
  %o, %s = linnet.step #linnet.diagonal %q, %k, %v initial(%a) : (tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x4x6xf32>, tensor<2x4x3x6xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @scan_low_rank(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected key and value of rank 4, but got 'tensor<2xf32>' and 'tensor<2xf32>'}}
  %o, %s = linnet.scan #linnet.none %x, %x, %x : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @rank_one_decay(%q: tensor<2x5x2x3xf32>) {
  // expected-error @+1 {{expected the rank_one transition's decay to be one of none, scalar, diagonal, block, but got full}}
  %o, %s = linnet.scan #linnet.rank_one<full>(%q, %q) %q, %q, %q : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>) -> (tensor<2x5x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @scan_c7_form(%q: tensor<2x5x2x3xf32>) {
  // expected-error @+1 {{expected a form out of step, sequential, associative for its transition, but got chunkwise}}
  %o, %s = linnet.scan #linnet.value_diagonal(%q) %q, %q, %q {form = #linnet.form<chunkwise>} : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>) -> (tensor<2x5x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @scan_c6_complex(%q: tensor<2x5x2x3xf32>, %g: tensor<2x5x2x1xf32>) {
  // expected-error @+1 {{expected an even key width for a complex state, but got 3}}
  %o, %s = linnet.scan #linnet.complex(%g, %g) %q, %q, %q : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x1xf32>, tensor<2x5x2x1xf32>) -> (tensor<2x5x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @complex_pairs(%q: tensor<2x5x2x6xf32>, %g: tensor<2x5x2x6xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [B, T, H, P] (or a size that broadcasts), but got 'tensor<2x5x2x6xf32>'}}
  %o, %s = linnet.scan #linnet.complex(%g, %g) %q, %q, %q : (tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>) -> (tensor<2x5x2x6xf32>, tensor<2x2x6x6xf32>)
  return
}

// -----

func.func @value_diagonal_width(%q: tensor<2x5x2x3xf32>, %v: tensor<2x5x2x4xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [B, T, H, V] (or a size that broadcasts), but got 'tensor<2x5x2x3xf32>'}}
  %o, %s = linnet.scan #linnet.value_diagonal(%q) %q, %q, %v : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x3xf32>) -> (tensor<2x5x2x4xf32>, tensor<2x2x3x4xf32>)
  return
}

// -----

func.func @delta_decay(%q: tensor<2x5x2x3xf32>, %b: tensor<2x5x2xf32>) {
  // expected-error @+1 {{expected the delta transition's decay to be one of none, scalar, diagonal, but got full}}
  %o, %s = linnet.scan #linnet.delta<full>(%b) %q, %q, %q : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2xf32>) -> (tensor<2x5x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @short_conv_c1_channels(%x: tensor<2x5x3xf32>, %w: tensor<4x1x4xf32>) {
  // expected-error @+1 {{expected a weight [3, 1, W], but got 'tensor<4x1x4xf32>'}}
  %y, %t = linnet.short_conv %x, %w : (tensor<2x5x3xf32>, tensor<4x1x4xf32>) -> (tensor<2x5x3xf32>, tensor<2x3x3xf32>)
  return
}

// -----

func.func @short_conv_c1_depthwise(%x: tensor<2x5x3xf32>, %w: tensor<3x3x4xf32>) {
  // expected-error @+1 {{expected a weight [3, 1, W], but got 'tensor<3x3x4xf32>'}}
  %y, %t = linnet.short_conv %x, %w : (tensor<2x5x3xf32>, tensor<3x3x4xf32>) -> (tensor<2x5x3xf32>, tensor<2x3x3xf32>)
  return
}

// -----

func.func @short_conv_c1_width(%x: tensor<2x5x3xf32>, %w: tensor<3x1x0xf32>) {
  // expected-error @+1 {{expected a weight [3, 1, W], but got 'tensor<3x1x0xf32>'}}
  %y, %t = linnet.short_conv %x, %w : (tensor<2x5x3xf32>, tensor<3x1x0xf32>) -> (tensor<2x5x3xf32>, tensor<2x0x3xf32>)
  return
}

// -----

func.func @short_conv_c1_dynamic(%x: tensor<2x5x3xf32>, %w: tensor<3x1x?xf32>) {
  // expected-error @+1 {{expected a weight [3, 1, W], but got 'tensor<3x1x?xf32>'}}
  %y, %t = linnet.short_conv %x, %w : (tensor<2x5x3xf32>, tensor<3x1x?xf32>) -> (tensor<2x5x3xf32>, tensor<2x?x3xf32>)
  return
}

// -----

func.func @short_conv_c2(%x: tensor<2x5x3xf32>, %w: tensor<3x1x4xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{expected a bias [3], but got 'tensor<4xf32>'}}
  %y, %t = linnet.short_conv %x, %w bias(%b) : (tensor<2x5x3xf32>, tensor<3x1x4xf32>, tensor<4xf32>) -> (tensor<2x5x3xf32>, tensor<2x3x3xf32>)
  return
}

// -----

func.func @short_conv_c3(%x: tensor<2x5x3xf32>, %w: tensor<3x1x4xf32>, %s: tensor<2x4x3xf32>) {
  // expected-error @+1 {{expected a tail 'tensor<2x3x3xf32>', but got 'tensor<2x4x3xf32>'}}
  %y, %t = linnet.short_conv %x, %w tail(%s) : (tensor<2x5x3xf32>, tensor<3x1x4xf32>, tensor<2x4x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x3x3xf32>)
  return
}

// -----

func.func @scan_c2_block(%q: tensor<2x7x3x6xf32>, %v: tensor<2x7x3x5xf32>, %a: tensor<2x7x3x6x4xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [B, T, H, K, M] (or a size that broadcasts), but got 'tensor<2x7x3x6x4xf32>'}}
  %o, %s = linnet.scan #linnet.block(%a) %q, %q, %v : (tensor<2x7x3x6xf32>, tensor<2x7x3x6xf32>, tensor<2x7x3x5xf32>, tensor<2x7x3x6x4xf32>) -> (tensor<2x7x3x5xf32>, tensor<2x3x6x5xf32>)
  return
}

// -----

func.func @resets(%q: tensor<2x7x4x3xf32>, %r: tensor<2x6xi32>) {
  // expected-error @below {{expected resets [B, T] of the value's 'tensor<2x7x4x3xf32>', but got 'tensor<2x6xi32>'}}
  %0, %s0 = linnet.scan #linnet.none %q, %q, %q resets(%r) : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x6xi32>) -> (tensor<2x7x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// -----

func.func @resets_of_floats(%q: tensor<2x7x4x3xf32>, %r: tensor<2x7xf32>) {
  // expected-error @below {{2D tensor of signless integer values, but got 'tensor<2x7xf32>'}}
  %0, %s0 = linnet.scan #linnet.none %q, %q, %q resets(%r) : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7xf32>) -> (tensor<2x7x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// -----

func.func @micro_steps_heads(%q: tensor<2x7x4x3xf32>, %v: tensor<2x7x7x3xf32>) {
  // expected-error @below {{expected heads of the value that 2 micro-steps divide, but got 'tensor<2x7x7x3xf32>'}}
  %0, %s0 = linnet.scan #linnet.none %q, %q, %v {micro_steps = 2 : i64} : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x7x3xf32>) -> (tensor<2x7x3x3xf32>, tensor<2x3x3x3xf32>)
  return
}

// -----

func.func @micro_steps_open_heads(%q: tensor<2x7x4x3xf32>, %v: tensor<2x7x?x3xf32>) {
  // expected-error @below {{expected heads of the value that 2 micro-steps divide, but got 'tensor<2x7x?x3xf32>'}}
  %0, %s0 = linnet.scan #linnet.none %q, %q, %v {micro_steps = 2 : i64} : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x?x3xf32>) -> (tensor<2x7x?x3xf32>, tensor<2x?x3x3xf32>)
  return
}

// -----

func.func @micro_steps_key(%q: tensor<2x7x4x3xf32>, %k: tensor<2x7x4x3xf32>, %v: tensor<2x7x12x3xf32>) {
  // expected-error @below {{expected the key of shape [B, T, H, K] (or a size that broadcasts) with 3 groups of heads, but got 'tensor<2x7x4x3xf32>'}}
  %0, %s0 = linnet.scan #linnet.none %q, %k, %v {micro_steps = 3 : i64} : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x12x3xf32>) -> (tensor<2x7x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// -----

func.func @micro_steps_parameter(%q: tensor<2x7x4x3xf32>, %v: tensor<2x7x8x3xf32>, %g: tensor<2x7x6xf32>) {
  // expected-error @below {{expected transition operand 0 of shape [B, T, H] (or a size that broadcasts) with 2 groups of heads, but got 'tensor<2x7x6xf32>'}}
  %0, %s0 = linnet.scan #linnet.scalar(%g) %q, %v, %v {micro_steps = 2 : i64} : (tensor<2x7x4x3xf32>, tensor<2x7x8x3xf32>, tensor<2x7x8x3xf32>, tensor<2x7x6xf32>) -> (tensor<2x7x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// -----

func.func @micro_steps_query(%q: tensor<2x7x8x3xf32>) {
  // expected-error @below {{expected the query of shape [B, T, H, K] (or a size that broadcasts), but got 'tensor<2x7x8x3xf32>'}}
  %0, %s0 = linnet.scan #linnet.none %q, %q, %q {micro_steps = 2 : i64} : (tensor<2x7x8x3xf32>, tensor<2x7x8x3xf32>, tensor<2x7x8x3xf32>) -> (tensor<2x7x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// -----

func.func @micro_steps_pre(%q: tensor<2x7x4x3xf32>, %v: tensor<2x7x8x3xf32>) {
  // expected-error @below {{expected readout post with micro-steps}}
  %0, %s0 = linnet.scan #linnet.none %q, %v, %v {micro_steps = 2 : i64, readout = #linnet.readout<pre>} : (tensor<2x7x4x3xf32>, tensor<2x7x8x3xf32>, tensor<2x7x8x3xf32>) -> (tensor<2x7x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// -----

func.func @micro_steps_none(%q: tensor<2x7x4x3xf32>) {
  // expected-error @below {{attribute 'micro_steps' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  %0, %s0 = linnet.scan #linnet.none %q, %q, %q {micro_steps = 0 : i64} : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>) -> (tensor<2x7x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// -----

func.func @micro_steps_state(%q: tensor<2x7x4x3xf32>, %v: tensor<2x7x8x3xf32>, %s: tensor<2x8x3x3xf32>) {
  // expected-error @below {{expected a state [B, 4, 3, 3], but got 'tensor<2x8x3x3xf32>'}}
  %0, %s0 = linnet.scan #linnet.none %q, %v, %v initial(%s) {micro_steps = 2 : i64} : (tensor<2x7x4x3xf32>, tensor<2x7x8x3xf32>, tensor<2x7x8x3xf32>, tensor<2x8x3x3xf32>) -> (tensor<2x7x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// -----

func.func @resets_rank(%q: tensor<2x7x4x3xf32>, %r: tensor<7xi32>) {
  // expected-error @below {{2D tensor of signless integer values, but got 'tensor<7xi32>'}}
  %0, %s0 = linnet.scan #linnet.none %q, %q, %q resets(%r) : (tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<2x7x4x3xf32>, tensor<7xi32>) -> (tensor<2x7x4x3xf32>, tensor<2x4x3x3xf32>)
  return
}

// -----

func.func @block_of_no_rows(%q: tensor<2x7x3x0xf32>, %v: tensor<2x7x3x5xf32>, %a: tensor<2x7x3x0x0xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [B, T, H, K, M] (or a size that broadcasts), but got 'tensor<2x7x3x0x0xf32>'}}
  %o, %s = linnet.scan #linnet.block(%a) %q, %q, %v : (tensor<2x7x3x0xf32>, tensor<2x7x3x0xf32>, tensor<2x7x3x5xf32>, tensor<2x7x3x0x0xf32>) -> (tensor<2x7x3x5xf32>, tensor<2x3x0x5xf32>)
  return
}

// -----

func.func @scan_c2_rate(%q: tensor<2x5x2x3xf32>, %b: tensor<2x5x3xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [B, T, H] (or a size that broadcasts), but got 'tensor<2x5x3xf32>'}}
  %o, %s = linnet.scan #linnet.delta<none>(%b) %q, %q, %q : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x3xf32>) -> (tensor<2x5x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @scan_c2_writer(%q: tensor<2x5x2x3xf32>, %b: tensor<2x5x2x4xf32>) {
  // expected-error @+1 {{expected transition operand 1 of shape [B, T, H, K] (or a size that broadcasts), but got 'tensor<2x5x2x4xf32>'}}
  %o, %s = linnet.scan #linnet.rank_one<none>(%q, %b) %q, %q, %q : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x4xf32>) -> (tensor<2x5x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @scan_c7_quadratic(%q: tensor<2x5x2x3xf32>) {
  // expected-error @+1 {{expected a form out of step, sequential, associative for its transition, but got quadratic}}
  %o, %s = linnet.scan #linnet.value_diagonal(%q) %q, %q, %q {form = #linnet.form<quadratic>} : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>) -> (tensor<2x5x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @scan_c7_block(%q: tensor<2x5x2x3xf32>, %a: tensor<2x5x2x3x3xf32>) {
  // expected-error @+1 {{expected a form out of step, sequential, associative for its transition, but got chunkwise}}
  %o, %s = linnet.scan #linnet.block(%a) %q, %q, %q {form = #linnet.form<chunkwise>} : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3x3xf32>) -> (tensor<2x5x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @scan_c7_turned_columns(%q: tensor<2x5x2x4xf32>) {
  // expected-error @+1 {{expected a form out of step, sequential for its transition, but got associative}}
  %o, %s = linnet.scan #linnet.complex_value(%q, %q) %q, %q, %q {form = #linnet.form<associative>} : (tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>) -> (tensor<2x5x2x4xf32>, tensor<2x2x4x4xf32>)
  return
}

// -----

// A convolution is other operations, not a form that a scan keeps.
func.func @scan_c7_convolution(%q: tensor<2x5x2x3xf32>) {
  // expected-error @+1 {{expected a form out of step, sequential, associative, chunkwise, quadratic for its transition, but got convolution}}
  %o, %s = linnet.scan #linnet.none %q, %q, %q {form = #linnet.form<convolution>} : (tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>, tensor<2x5x2x3xf32>) -> (tensor<2x5x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @step_c1_width(%q: tensor<2x2x4xf32>, %k: tensor<2x2x3xf32>, %v: tensor<2x4x6xf32>, %a: tensor<2x4x3x6xf32>) {
  // expected-error @+1 {{expected the query of shape [B, H, K] (or a size that broadcasts), but got 'tensor<2x2x4xf32>'}}
  %o, %s = linnet.step #linnet.none %q, %k, %v initial(%a) : (tensor<2x2x4xf32>, tensor<2x2x3xf32>, tensor<2x4x6xf32>, tensor<2x4x3x6xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

// A parameter of a scan, with its dimension of time.
func.func @step_c2_parameter(%q: tensor<2x2x3xf32>, %v: tensor<2x4x6xf32>, %g: tensor<2x1x4xf32>, %a: tensor<2x4x3x6xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [B, H] (or a size that broadcasts), but got 'tensor<2x1x4xf32>'}}
  %o, %s = linnet.step #linnet.scalar(%g) %q, %q, %v initial(%a) : (tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x4x6xf32>, tensor<2x1x4xf32>, tensor<2x4x3x6xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @step_c3_batch(%q: tensor<2x2x3xf32>, %v: tensor<2x4x6xf32>, %a: tensor<3x4x3x6xf32>) {
  // expected-error @+1 {{expected a state [B, 4, 3, 6], but got 'tensor<3x4x3x6xf32>'}}
  %o, %s = linnet.step #linnet.none %q, %q, %v initial(%a) : (tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x4x6xf32>, tensor<3x4x3x6xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @step_c3_result(%q: tensor<2x2x3xf32>, %v: tensor<2x4x6xf32>, %a: tensor<2x4x3x6xf32>) {
  // expected-error @+1 {{expected a state [B, 4, 3, 6], but got 'tensor<2x4x6x3xf32>'}}
  %o, %s = linnet.step #linnet.none %q, %q, %v initial(%a) : (tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x4x6xf32>, tensor<2x4x3x6xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x6x3xf32>)
  return
}

// -----

func.func @step_c4(%q: tensor<2x2x3xf32>, %v: tensor<2x4x6xf32>, %u: tensor<1x4x3xf32>, %a: tensor<2x4x3x6xf32>) {
  // expected-error @+1 {{expected readout pre with a bonus}}
  %o, %s = linnet.step #linnet.none %q, %q, %v bonus(%u) initial(%a) : (tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x4x6xf32>, tensor<1x4x3xf32>, tensor<2x4x3x6xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @step_c4_shape(%q: tensor<2x2x3xf32>, %v: tensor<2x4x6xf32>, %u: tensor<1x4x6xf32>, %a: tensor<2x4x3x6xf32>) {
  // expected-error @+1 {{expected the bonus of shape [B, H, K] (or a size that broadcasts), but got 'tensor<1x4x6xf32>'}}
  %o, %s = linnet.step #linnet.none %q, %q, %v bonus(%u) initial(%a) {readout = #linnet.readout<pre>} : (tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x4x6xf32>, tensor<1x4x6xf32>, tensor<2x4x3x6xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x3x6xf32>)
  return
}

// -----

func.func @step_c6_complex(%q: tensor<2x2x3xf32>, %g: tensor<2x2x1xf32>, %a: tensor<2x2x3x3xf32>) {
  // expected-error @+1 {{expected an even key width for a complex state, but got 3}}
  %o, %s = linnet.step #linnet.complex(%g, %g) %q, %q, %q initial(%a) : (tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x2x1xf32>, tensor<2x2x1xf32>, tensor<2x2x3x3xf32>) -> (tensor<2x2x3xf32>, tensor<2x2x3x3xf32>)
  return
}

// -----

func.func @short_conv_c3_batch(%x: tensor<2x5x3xf32>, %w: tensor<3x1x4xf32>, %s: tensor<1x3x3xf32>) {
  // expected-error @+1 {{expected a tail 'tensor<2x3x3xf32>', but got 'tensor<1x3x3xf32>'}}
  %y, %t = linnet.short_conv %x, %w tail(%s) : (tensor<2x5x3xf32>, tensor<3x1x4xf32>, tensor<1x3x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x3x3xf32>)
  return
}
