// RUN: linnet-opt %s --split-input-file --verify-diagnostics

func.func @log_cumsum_exp_c1(%x: tensor<2x5x3xf32>, %d: tensor<2x5x2xf32>) {
  // expected-error @+1 {{expected a decay that fits 'tensor<2x5x3xf32>' (or a size that broadcasts), but got 'tensor<2x5x2xf32>'}}
  %z, %b, %s = linnet.log_cumsum_exp %x decay(%d) : (tensor<2x5x3xf32>, tensor<2x5x2xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x2x3xf32>)
  return
}

// -----

func.func @log_cumsum_exp_c2(%x: tensor<2x5x3xf32>, %i: tensor<2x3xf32>) {
  // expected-error @+1 {{operand #1 must be 3D tensor of floating-point values, but got 'tensor<2x3xf32>'}}
  %z, %b, %s = linnet.log_cumsum_exp %x initial(%i) : (tensor<2x5x3xf32>, tensor<2x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x2x3xf32>)
  return
}

// -----

func.func @log_cumsum_exp_c2_rows(%x: tensor<2x5x3xf32>, %i: tensor<2x1x3xf32>) {
  // expected-error @+1 {{expected a state 'tensor<2x2x3xf32>', but got 'tensor<2x1x3xf32>'}}
  %z, %b, %s = linnet.log_cumsum_exp %x initial(%i) : (tensor<2x5x3xf32>, tensor<2x1x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x2x3xf32>)
  return
}

// -----

func.func @log_cumsum_exp_c1_time(%x: tensor<2x5x3xf32>, %d: tensor<2x4x3xf32>) {
  // expected-error @+1 {{expected a decay that fits 'tensor<2x5x3xf32>' (or a size that broadcasts), but got 'tensor<2x4x3xf32>'}}
  %z, %b, %s = linnet.log_cumsum_exp %x decay(%d) : (tensor<2x5x3xf32>, tensor<2x4x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x2x3xf32>)
  return
}

// -----

func.func @log_cumsum_exp_c1_rank(%x: tensor<2x5x3xf32>, %d: tensor<5x3xf32>) {
  // expected-error @+1 {{3D tensor of floating-point values, but got 'tensor<5x3xf32>'}}
  %z, %b, %s = linnet.log_cumsum_exp %x decay(%d) : (tensor<2x5x3xf32>, tensor<5x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x2x3xf32>)
  return
}

// -----

func.func @log_cumsum_exp_c2_channels(%x: tensor<2x5x3xf32>, %i: tensor<2x2x4xf32>) {
  // expected-error @+1 {{expected a state 'tensor<2x2x3xf32>', but got 'tensor<2x2x4xf32>'}}
  %z, %b, %s = linnet.log_cumsum_exp %x initial(%i) : (tensor<2x5x3xf32>, tensor<2x2x4xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x2x3xf32>)
  return
}
