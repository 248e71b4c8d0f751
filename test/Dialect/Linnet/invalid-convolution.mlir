// RUN: linnet-opt %s --split-input-file --verify-diagnostics

func.func @long_conv_c1(%x: tensor<2x5x6xf32>, %h: tensor<4x9xf32>) {
  // expected-error @+1 {{expected a filter [G, L] where G divides 6, but got 'tensor<4x9xf32>'}}
  %y, %t = linnet.long_conv %x, %h : (tensor<2x5x6xf32>, tensor<4x9xf32>) -> (tensor<2x5x6xf32>, tensor<2x8x6xf32>)
  return
}

// -----

func.func @long_conv_c1_rank(%x: tensor<2x5x6xf32>, %h: tensor<9xf32>) {
  // expected-error @+1 {{operand #1 must be 2D tensor of floating-point values, but got 'tensor<9xf32>'}}
  %y, %t = linnet.long_conv %x, %h : (tensor<2x5x6xf32>, tensor<9xf32>) -> (tensor<2x5x6xf32>, tensor<2x8x6xf32>)
  return
}

// -----

func.func @long_conv_c1_empty(%x: tensor<2x5x6xf32>, %h: tensor<6x0xf32>) {
  // expected-error @below {{expected a filter [G, L], L >= 1}}
  // expected-error @below {{failed to infer returned types}}
  %y, %t = linnet.long_conv %x, %h : (tensor<2x5x6xf32>, tensor<6x0xf32>) -> (tensor<2x5x6xf32>, tensor<2x8x6xf32>)
  return
}

// -----

func.func @long_conv_c2(%x: tensor<2x5x6xf32>, %h: tensor<6x9xf32>, %d: tensor<5xf32>) {
  // expected-error @+1 {{expected a skip [6], but got 'tensor<5xf32>'}}
  %y, %t = linnet.long_conv %x, %h skip(%d) : (tensor<2x5x6xf32>, tensor<6x9xf32>, tensor<5xf32>) -> (tensor<2x5x6xf32>, tensor<2x8x6xf32>)
  return
}

// -----

func.func @long_conv_c3(%x: tensor<2x5x6xf32>, %h: tensor<6x9xf32>, %s: tensor<2x9x6xf32>) {
  // expected-error @+1 {{expected a tail 'tensor<2x8x6xf32>', but got 'tensor<2x9x6xf32>'}}
  %y, %t = linnet.long_conv %x, %h tail(%s) : (tensor<2x5x6xf32>, tensor<6x9xf32>, tensor<2x9x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x8x6xf32>)
  return
}

// -----

func.func @ssm_kernel_c1(%q: tensor<6x8xf32>, %k: tensor<4x8xf32>) {
  // expected-error @+1 {{expected the key of shape [H, K] (or a size that broadcasts), but got 'tensor<4x8xf32>'}}
  %0 = linnet.ssm_kernel #linnet.none %q, %k : (tensor<6x8xf32>, tensor<4x8xf32>) -> tensor<6x50xf32>
  return
}

// -----

func.func @ssm_kernel_c2(%q: tensor<6x8xf32>, %k: tensor<6x8xf32>, %g: tensor<6x7xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [H, K] (or a size that broadcasts), but got 'tensor<6x7xf32>'}}
  %0 = linnet.ssm_kernel #linnet.diagonal(%g) %q, %k : (tensor<6x8xf32>, tensor<6x8xf32>, tensor<6x7xf32>) -> tensor<6x50xf32>
  return
}

// -----

func.func @ssm_kernel_c2_rank(%q: tensor<6x8xf32>, %k: tensor<6x8xf32>, %g: tensor<1x1x6x8xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [H, K] (or a size that broadcasts), but got 'tensor<1x1x6x8xf32>'}}
  %0 = linnet.ssm_kernel #linnet.diagonal(%g) %q, %k : (tensor<6x8xf32>, tensor<6x8xf32>, tensor<1x1x6x8xf32>) -> tensor<6x50xf32>
  return
}

// -----

func.func @ssm_kernel_c2_dynamic(%q: tensor<?x8xf32>, %k: tensor<6x8xf32>) {
  // expected-error @+1 {{expected static shapes, but got 'tensor<?x8xf32>'}}
  %0 = linnet.ssm_kernel #linnet.none %q, %k : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<6x50xf32>
  return
}

// -----

func.func @ssm_kernel_c3(%q: tensor<6x8xf32>, %k: tensor<6x8xf32>) {
  // expected-error @+1 {{expected 1 transition operands, but got 0}}
  %0 = linnet.ssm_kernel #linnet.diagonal %q, %k : (tensor<6x8xf32>, tensor<6x8xf32>) -> tensor<6x50xf32>
  return
}

// -----

func.func @ssm_kernel_c4(%q: tensor<3x8xf32>, %k: tensor<3x8xf32>, %g: tensor<3x2xf32>) {
  // expected-error @+1 {{expected a filter [H 2, L], L >= 1, but got 'tensor<5x50xf32>'}}
  %0 = linnet.ssm_kernel #linnet.value_diagonal(%g) %q, %k : (tensor<3x8xf32>, tensor<3x8xf32>, tensor<3x2xf32>) -> tensor<5x50xf32>
  return
}

// -----

func.func @ssm_kernel_c4_length(%q: tensor<3x8xf32>, %k: tensor<3x8xf32>) {
  // expected-error @+1 {{expected a filter [H 1, L], L >= 1, but got 'tensor<3x0xf32>'}}
  %0 = linnet.ssm_kernel #linnet.none %q, %k : (tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<3x0xf32>
  return
}

// -----

func.func @ssm_kernel_c5(%q: tensor<3x7xf32>, %k: tensor<3x7xf32>, %g: tensor<3x3xf32>) {
  // expected-error @+1 {{expected an even key width for a complex state, but got 7}}
  %0 = linnet.ssm_kernel #linnet.complex(%g, %g) %q, %k : (tensor<3x7xf32>, tensor<3x7xf32>, tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x50xf32>
  return
}

// -----

func.func @ssm_kernel_c1_query(%q: tensor<6x7xf32>, %k: tensor<6x8xf32>) {
  // expected-error @+1 {{expected the query of shape [H, K] (or a size that broadcasts), but got 'tensor<6x7xf32>'}}
  %0 = linnet.ssm_kernel #linnet.none %q, %k : (tensor<6x7xf32>, tensor<6x8xf32>) -> tensor<6x50xf32>
  return
}

// -----

func.func @ssm_kernel_c4_dynamic(%q: tensor<6x8xf32>) {
  // expected-error @+1 {{expected a filter [H 1, L], L >= 1, but got 'tensor<6x?xf32>'}}
  %0 = linnet.ssm_kernel #linnet.none %q, %q : (tensor<6x8xf32>, tensor<6x8xf32>) -> tensor<6x?xf32>
  return
}

// -----

func.func @ssm_kernel_c4_width(%q: tensor<3x8xf32>, %g: tensor<3x0xf32>) {
  // expected-error @+1 {{expected transition operand 0 of shape [H, V] (or a size that broadcasts), but got 'tensor<3x0xf32>'}}
  %0 = linnet.ssm_kernel #linnet.value_diagonal(%g) %q, %q : (tensor<3x8xf32>, tensor<3x8xf32>, tensor<3x0xf32>) -> tensor<3x50xf32>
  return
}
