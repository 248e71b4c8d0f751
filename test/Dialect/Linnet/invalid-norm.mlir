// RUN: linnet-opt %s --split-input-file --verify-diagnostics

func.func @norm_c1(%x: tensor<2x6xf32>) {
  // expected-error @+1 {{expected groups to divide 6, but got 4}}
  %y = linnet.norm rms %x {eps = 1.0e-5 : f64, groups = 4 : i64} : (tensor<2x6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @norm_c1_zero(%x: tensor<2x6xf32>) {
  // expected-error @+1 {{attribute 'groups' failed to satisfy constraint}}
  %y = linnet.norm rms %x {eps = 1.0e-5 : f64, groups = 0 : i64} : (tensor<2x6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @norm_c2_weight(%x: tensor<2x6xf32>, %w: tensor<5xf32>) {
  // expected-error @+1 {{expected weight and bias of shape [6], but got 'tensor<5xf32>'}}
  %y = linnet.norm rms %x weight(%w) {eps = 1.0e-5 : f64} : (tensor<2x6xf32>, tensor<5xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @norm_c2_bias(%x: tensor<2x6xf32>, %b: tensor<?xf32>) {
  // expected-error @+1 {{expected weight and bias of shape [6], but got 'tensor<?xf32>'}}
  %y = linnet.norm layer %x bias(%b) {eps = 1.0e-5 : f64} : (tensor<2x6xf32>, tensor<?xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @norm_c3(%x: tensor<2x6xf32>, %g: tensor<1x6xf32>) {
  // expected-error @+1 {{expected a gate of type 'tensor<2x6xf32>', but got 'tensor<1x6xf32>'}}
  %y = linnet.norm rms %x gate(%g) {eps = 1.0e-5 : f64} : (tensor<2x6xf32>, tensor<1x6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @norm_c4(%x: tensor<2x6xf32>) {
  // expected-error @+1 {{expected a weight with unit_offset}}
  %y = linnet.norm rms %x {eps = 1.0e-5 : f64, unit_offset} : (tensor<2x6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @norm_eps(%x: tensor<2x6xf32>) {
  // expected-error @+1 {{attribute 'eps' failed to satisfy constraint: 64-bit float attribute positive}}
  %y = linnet.norm rms %x {eps = 0.0 : f64} : (tensor<2x6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @norm_dynamic_width(%x: tensor<2x?xf32>) {
  // expected-error @+1 {{expected a static last dimension, but got 'tensor<2x?xf32>'}}
  %y = linnet.norm rms %x {eps = 1.0e-5 : f64} : (tensor<2x?xf32>) -> tensor<2x?xf32>
  return
}

// -----

func.func @norm_scalar(%x: tensor<f32>) {
  // expected-error @+1 {{expected a static last dimension, but got 'tensor<f32>'}}
  %y = linnet.norm rms %x {eps = 1.0e-5 : f64} : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @norm_unknown(%x: tensor<2x6xf32>) {
  // expected-error @+1 {{unknown norm 'batch'}}
  %y = linnet.norm batch %x {eps = 1.0e-5 : f64} : (tensor<2x6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @activation_unknown(%x: tensor<2x6xf32>) {
  // expected-error @+1 {{unknown activation 'swish'}}
  %y = linnet.activation swish %x : tensor<2x6xf32>
  return
}

// -----

func.func @activation_scalar(%x: f32) {
  // expected-error @+1 {{invalid kind of type specified: expected builtin.tensor, but found 'f32'}}
  %y = linnet.activation silu %x : f32
  return
}

// -----

func.func @glu_types(%x: tensor<2x6xf32>, %u: tensor<2x5xf32>) {
  // expected-error @+1 {{requires all operands to have the same type}}
  %y = "linnet.glu"(%x, %u) {kind = #linnet.activation<silu>} : (tensor<2x6xf32>, tensor<2x5xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @threshold_c1(%x: tensor<2x6xf32>, %t: tensor<5xf32>) {
  // expected-error @+1 {{expected as many thresholds as the input has columns, but got 'tensor<5xf32>' for 'tensor<2x6xf32>'}}
  %y = linnet.threshold %x, %t : (tensor<2x6xf32>, tensor<5xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @threshold_scalar(%x: tensor<f32>, %t: tensor<1xf32>) {
  // expected-error @+1 {{expected as many thresholds as the input has columns}}
  %y = linnet.threshold %x, %t : (tensor<f32>, tensor<1xf32>) -> tensor<f32>
  return
}

// -----

func.func @threshold_dynamic(%x: tensor<2x?xf32>, %t: tensor<?xf32>) {
  // expected-error @+1 {{expected as many thresholds as the input has columns}}
  %y = linnet.threshold %x, %t : (tensor<2x?xf32>, tensor<?xf32>) -> tensor<2x?xf32>
  return
}

// -----

func.func @rotary_c1(%x: tensor<2x3x10xf32>, %p: index) {
  // expected-error @+1 {{expected an input [B, T, H, D] of static D, but got 'tensor<2x3x10xf32>'}}
  %y = linnet.rotary %x, %p {inverse_frequencies = array<f32: 1.0>} : (tensor<2x3x10xf32>, index) -> tensor<2x3x10xf32>
  return
}

// -----

func.func @rotary_c1_dynamic(%x: tensor<2x3x4x?xf32>, %p: index) {
  // expected-error @+1 {{expected an input [B, T, H, D] of static D, but got 'tensor<2x3x4x?xf32>'}}
  %y = linnet.rotary %x, %p {inverse_frequencies = array<f32: 1.0>} : (tensor<2x3x4x?xf32>, index) -> tensor<2x3x4x?xf32>
  return
}

// -----

func.func @rotary_c2(%x: tensor<2x3x4x5xf32>, %p: index) {
  // expected-error @+1 {{expected at most 2 inverse frequencies, but got 3}}
  %y = linnet.rotary %x, %p {inverse_frequencies = array<f32: 1.0, 0.5, 0.25>} : (tensor<2x3x4x5xf32>, index) -> tensor<2x3x4x5xf32>
  return
}
