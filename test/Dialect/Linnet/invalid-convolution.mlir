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
