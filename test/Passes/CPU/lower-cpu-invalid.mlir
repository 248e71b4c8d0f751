// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu --verify-diagnostics

// expected-error@+1 {{expected a function with linnet.phase (run linnet-specialize-phases)}}
module {
}

// -----

// expected-error@+1 {{expected linnet.max_tokens on a phase}}
func.func @linnet_function(%x: tensor<1x40xf32>) -> tensor<1x40xf32> attributes {linnet.phase = "function"} {
  return %x : tensor<1x40xf32>
}

// -----

func.func @linnet_function(%x: tensor<40x1xf32>) -> tensor<1xf32> attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  // expected-error@+1 {{expected an operation with a CPU kernel}}
  %y = tensor.generate {
  ^bb0(%i: index):
    %z = arith.constant 0.0 : f32
    tensor.yield %z : f32
  } : tensor<1xf32>
  return %y : tensor<1xf32>
}

// -----

func.func @linnet_function(%x: tensor<1x32xf32>, %u: tensor<40x4xf32>, %v: tensor<4x32xf32>) -> tensor<1x40xf32> attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  // expected-error@+1 {{expected a dense structure (run linnet-expand-structures), but got #linnet.low_rank}}
  %y = linnet.linear #linnet.low_rank %x, %u, %v : (tensor<1x32xf32>, tensor<40x4xf32>, tensor<4x32xf32>) -> tensor<1x40xf32>
  return %y : tensor<1x40xf32>
}

// -----

func.func @linnet_function(%q: tensor<1x1x2x16xf32>, %k: tensor<1x8x2x16xf32>, %p: index) -> tensor<1x1x2x16xf32> attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  // expected-error@+1 {{expected the cache to be a state of the model}}
  %o, %c:2 = linnet.attention %q, %q, %q cache(%k, %k) at %p {causal, scale = 0.25 : f64}
    : (tensor<1x1x2x16xf32>, tensor<1x1x2x16xf32>, tensor<1x1x2x16xf32>, tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>, index)
      -> (tensor<1x1x2x16xf32>, tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>)
  return %o : tensor<1x1x2x16xf32>
}

// -----

func.func private @cell(%x: tensor<1x4xf32>, %w: tensor<4xbf16>, %h: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>) {
  return %x, %h : tensor<1x4xf32>, tensor<1x4xf32>
}
func.func @linnet_function(%x: tensor<1x5x4xf32>) -> tensor<1x5x4xf32> attributes {linnet.phase = "function", linnet.max_tokens = 5 : i64} {
  %w = linnet.weight "w" : tensor<4xbf16>
  // expected-error@+1 {{expected weights of f32 as operands (others are read inside the cell)}}
  %y, %s = linnet.recurrence @cell(%x) invariant(%w) : (tensor<1x5x4xf32>, tensor<4xbf16>) -> tensor<1x5x4xf32> state(tensor<1x4xf32>)
  return %y : tensor<1x5x4xf32>
}

// -----

func.func private @cell(%x: tensor<1x4xf32>, %h: tensor<1x4xf32>, %c: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>) {
  return %x, %c, %h : tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>
}
func.func @linnet_function(%x: tensor<1x5x4xf32>, %h: tensor<1x4xf32> {linnet.state = "h"}) -> (tensor<1x5x4xf32>, tensor<1x4xf32> {linnet.state = "h"})
    attributes {linnet.phase = "function", linnet.max_tokens = 5 : i64} {
  // expected-error@+1 {{expected initial states that differ}}
  %y, %s, %t = linnet.recurrence @cell(%x) initial(%h, %h) : (tensor<1x5x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x5x4xf32> state(tensor<1x4xf32>, tensor<1x4xf32>)
  return %y, %s : tensor<1x5x4xf32>, tensor<1x4xf32>
}

// -----

// expected-error@+1 {{expected functions that do not apply themselves, but got @cell}}
func.func private @cell(%x: tensor<1x4xf32>, %h: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>) {
  %e = tensor.expand_shape %x [[0, 1], [2]] output_shape [1, 1, 4] : tensor<1x4xf32> into tensor<1x1x4xf32>
  %y, %s = linnet.recurrence @cell(%e) : (tensor<1x1x4xf32>) -> tensor<1x1x4xf32> state(tensor<1x4xf32>)
  return %x, %s : tensor<1x4xf32>, tensor<1x4xf32>
}
func.func @linnet_function(%x: tensor<1x3x4xf32>) -> tensor<1x4xf32> attributes {linnet.phase = "function", linnet.max_tokens = 3 : i64} {
  %y, %s = linnet.recurrence @cell(%x) : (tensor<1x3x4xf32>) -> tensor<1x3x4xf32> state(tensor<1x4xf32>)
  return %s : tensor<1x4xf32>
}
