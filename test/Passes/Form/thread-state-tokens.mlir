// Where tokens meet outside of an operation with state, the operation and the
// reason are named.
// RUN: linnet-opt %s --split-input-file --linnet-thread-state=function=f --verify-diagnostics

func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
  %e = tensor.empty(%b) : tensor<?x8xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  // expected-error @below {{'linalg.reduce' op cannot run token by token: it reduces along the tokens}}
  %s = linalg.reduce { arith.addf } ins(%x : tensor<?x?x8xf32>) outs(%i : tensor<?x8xf32>) dimensions = [1]
  return %s : tensor<?x8xf32>
}

// -----

func.func @f(%x: tensor<?x?x2x8xf32>) -> tensor<?x?x2x8xf32> {
  %zero = arith.constant 0 : index
  // expected-error @below {{'linnet.rotary' op cannot run token by token: its position is not the number of tokens before}}
  %y = linnet.rotary %x, %zero {inverse_frequencies = array<f32: 1.0>} : (tensor<?x?x2x8xf32>, index) -> tensor<?x?x2x8xf32>
  return %y : tensor<?x?x2x8xf32>
}

// -----

func.func @f(%x: tensor<?x?x2x8xf32>, %position: index, %other: index) -> tensor<?x?x2x8xf32> {
  %y = linnet.rotary %x, %position {inverse_frequencies = array<f32: 1.0>} : (tensor<?x?x2x8xf32>, index) -> tensor<?x?x2x8xf32>
  %z = call @g(%y, %other) : (tensor<?x?x2x8xf32>, index) -> tensor<?x?x2x8xf32>
  return %z : tensor<?x?x2x8xf32>
}
func.func private @g(%x: tensor<?x?x2x8xf32>, %position: index) -> tensor<?x?x2x8xf32> {
  // expected-error @below {{'linnet.rotary' op cannot run token by token: its position is not the number of tokens before}}
  %y = linnet.rotary %x, %position {inverse_frequencies = array<f32: 1.0>} : (tensor<?x?x2x8xf32>, index) -> tensor<?x?x2x8xf32>
  return %y : tensor<?x?x2x8xf32>
}

// -----

func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
  // expected-error @below {{'tensor.extract_slice' op cannot run token by token: it takes some of the tokens}}
  %s = tensor.extract_slice %x[0, 0, 0] [%b, 1, 8] [1, 1, 1] : tensor<?x?x8xf32> to tensor<?x8xf32>
  return %s : tensor<?x8xf32>
}

// -----

func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  // expected-error @below {{'tensor.concat' op cannot run token by token: it joins sequences along time}}
  %s = tensor.concat dim(1) %x, %x : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return %s : tensor<?x?x8xf32>
}

// -----

func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x?xf32> {
  // expected-error @below {{'tensor.collapse_shape' op cannot run token by token: it joins tokens with other entries}}
  %s = tensor.collapse_shape %x [[0], [1, 2]] : tensor<?x?x8xf32> into tensor<?x?xf32>
  return %s : tensor<?x?xf32>
}

// -----

func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x?x2x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
  // expected-error @below {{'tensor.dim' op cannot run token by token: the number of tokens is used by 'arith.divui'}}
  %t = tensor.dim %x, %c1 : tensor<?x?x8xf32>
  %half = arith.divui %t, %c2 : index
  %s = tensor.expand_shape %x [[0], [1, 2], [3]] output_shape [%b, %half, 2, 8] : tensor<?x?x8xf32> into tensor<?x?x2x8xf32>
  return %s : tensor<?x?x2x8xf32>
}

// -----

func.func @f(%x: tensor<?x?x8xf32>, %half: index) -> tensor<?x?x2x8xf32> {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
  // expected-error @below {{'tensor.expand_shape' op cannot run token by token: it takes tokens apart}}
  %s = tensor.expand_shape %x [[0], [1, 2], [3]] output_shape [%b, %half, 2, 8] : tensor<?x?x8xf32> into tensor<?x?x2x8xf32>
  return %s : tensor<?x?x2x8xf32>
}

// -----

#same = affine_map<(b, t, d) -> (b, t, d)>
func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  // expected-error @below {{'linalg.generic' op cannot run token by token: it reads a token's number}}
  %y = linalg.generic {indexing_maps = [#same], iterator_types = ["parallel", "parallel", "parallel"]} outs(%x : tensor<?x?x8xf32>) {
  ^bb0(%in: f32):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %s = arith.mulf %in, %k : f32
    linalg.yield %s : f32
  } -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

#same = affine_map<(b, t, d) -> (b, t, d)>
#row = affine_map<(b, t, d) -> (t, d)>
func.func @f(%x: tensor<?x?x8xf32>, %table: tensor<9x8xf32>) -> tensor<?x?x8xf32> {
  // expected-error @below {{'linalg.generic' op cannot run token by token: operand 0 without tokens is read by a token's number}}
  %y = linalg.generic {indexing_maps = [#row, #same], iterator_types = ["parallel", "parallel", "parallel"]} ins(%table : tensor<9x8xf32>) outs(%x : tensor<?x?x8xf32>) {
  ^bb0(%r: f32, %in: f32):
    %s = arith.mulf %in, %r : f32
    linalg.yield %s : f32
  } -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

#same = affine_map<(b, t, s) -> (b, t, s)>
#row = affine_map<(b, t, s) -> (b, t)>
#column = affine_map<(b, t, s) -> (b, s)>
func.func @f(%x: tensor<?x?xf32>) -> tensor<?x?x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?xf32>
  %e = tensor.empty(%b, %t, %t) : tensor<?x?x?xf32>
  // expected-error @below {{'linalg.generic' op cannot run token by token: its operands have tokens along different dimensions}}
  %y = linalg.generic {indexing_maps = [#row, #column, #same], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %x : tensor<?x?xf32>, tensor<?x?xf32>) outs(%e : tensor<?x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %out: f32):
    %s = arith.mulf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

#window = affine_map<(b, t, j) -> (b, t + j)>
#taps = affine_map<(b, t, j) -> (j)>
#out = affine_map<(b, t, j) -> (b, t)>
func.func @f(%x: tensor<?x?xf32>, %w: tensor<3xf32>, %e: tensor<?x?xf32>) -> tensor<?x?xf32> {
  // expected-error @below {{'linalg.generic' op cannot run token by token: it reads tokens around the one it computes}}
  %y = linalg.generic {indexing_maps = [#window, #taps, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<?x?xf32>, tensor<3xf32>) outs(%e : tensor<?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %out: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %p, %out : f32
    linalg.yield %s : f32
  } -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{'tensor.pad' op cannot run token by token: what it does with tokens is not known}}
  %y = tensor.pad %x low[0, 1, 0] high[0, 0, 0] {
  ^bb0(%b: index, %t: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<?x?x8xf32> to tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

func.func @f(%q: tensor<?x?x2x4xf32>) -> tensor<?x2x4x4xf32> {
  // expected-error @below {{'linnet.scan' op cannot run token by token: its final state is used by 'math.exp'}}
  %o, %s = linnet.scan #linnet.none %q, %q, %q : (tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>) -> (tensor<?x?x2x4xf32>, tensor<?x2x4x4xf32>)
  %e = math.exp %s : tensor<?x2x4x4xf32>
  return %e : tensor<?x2x4x4xf32>
}

// -----

func.func @f(%q: tensor<2x5x2x4xf32>) -> tensor<2x5x2x4xf32> {
  // expected-error @below {{'linnet.scan' op cannot run token by token: none of its operands has tokens}}
  %o, %s = linnet.scan #linnet.none %q, %q, %q : (tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>) -> (tensor<2x5x2x4xf32>, tensor<2x2x4x4xf32>)
  return %o : tensor<2x5x2x4xf32>
}

// -----

func.func @f(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  // expected-error @below {{'linnet.attention' op expected max-context, the tokens that its cache holds}}
  %o = linnet.attention %q, %q, %q {causal, scale = 1.0 : f64} : (tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32>
  return %o : tensor<?x?x2x4xf32>
}

// -----

func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  // expected-error @below {{'func.call' op cannot run token by token: the function it calls has no body}}
  %y = call @g(%x) : (tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}
func.func private @g(tensor<?x?x8xf32>) -> tensor<?x?x8xf32>

// -----

func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  %y = call @g(%x) : (tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}
func.func private @g(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  // expected-error @below {{'tensor.concat' op cannot run token by token: it joins sequences along time}}
  %s = tensor.concat dim(1) %x, %x : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return %s : tensor<?x?x8xf32>
}

// -----

func.func @f(%x: tensor<?x?x8xf32>, %c: i1) -> tensor<?x?x8xf32> {
  // expected-error @below {{'scf.if' op cannot run token by token: its body reads tokens beside its operands}}
  %y = scf.if %c -> tensor<?x?x8xf32> {
    scf.yield %x : tensor<?x?x8xf32>
  } else {
    %e = math.exp %x : tensor<?x?x8xf32>
    scf.yield %e : tensor<?x?x8xf32>
  }
  return %y : tensor<?x?x8xf32>
}
