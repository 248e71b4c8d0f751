// RUN: linnet-opt %s --split-input-file --verify-diagnostics

func.func @weight_c1() {
  // expected-error @+1 {{'linnet.weight' op expected a non-empty key}}
  %w = linnet.weight "" : tensor<2xf32>
  return
}

// -----

func.func @weight_c2_layer_missing() {
  // expected-error @+1 {{expected a layer operand for key 'layers.{}.weight'}}
  %w = linnet.weight "layers.{}.weight" : tensor<2xf32>
  return
}

// -----

func.func @weight_c2_layer_unused(%layer: index) {
  // expected-error @+1 {{expected '{}' in the key of a weight with a layer, but got 'norm.weight'}}
  %w = linnet.weight "norm.weight"[%layer] : tensor<2xf32>
  return
}

// -----

func.func @weight_is_static() {
  // expected-error @+1 {{must be statically shaped tensor of any type values, but got 'tensor<?xf32>'}}
  %w = linnet.weight "w" : tensor<?xf32>
  return
}

// -----

func.func @stack_c1_no_function(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected a function, but found no @layer}}
  %y = linnet.stack [@layer] order [0] carry(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func private @layer(tensor<2xf32>, index, index) -> tensor<2xf32>
func.func @stack_c1_arguments(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected @layer to take the carried values, a layer number and the invariant values}}
  %y = linnet.stack [@layer] order [0] carry(%x) invariant(%x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func private @layer(tensor<2xf32>, index)
func.func @stack_c1_results(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected @layer to return the carried values and its states, but got '(tensor<2xf32>, index) -> ()'}}
  %y = linnet.stack [@layer] order [0] carry(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func private @layer(tensor<2xf32>, index, tensor<3xf32>) -> (tensor<2xf32>, tensor<3xf32>)
func.func @stack_c1_state_missing(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected a state operand for each state of @layer}}
  %y = linnet.stack [@layer] order [0] carry(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func private @layer(tensor<2xf32>, index, tensor<3xf32>) -> (tensor<2xf32>, tensor<3xf32>)
func.func @stack_c1_state_depth(%x: tensor<2xf32>, %s: tensor<1x3xf32>) {
  // expected-error @+1 {{expected state 0 to be 2 times 'tensor<3xf32>', but got 'tensor<1x3xf32>'}}
  %y, %t = linnet.stack [@layer] order [0, 0] carry(%x) states(%s) : (tensor<2xf32>, tensor<1x3xf32>) -> (tensor<2xf32>, tensor<1x3xf32>)
  return
}

// -----

func.func private @layer(tensor<2xf32>, index, tensor<3xf32>) -> (tensor<2xf32>, tensor<3xf32>)
func.func @stack_c1_state_type(%x: tensor<2xf32>, %s: tensor<1x3xf16>) {
  // expected-error @+1 {{expected state 0 to be 1 times 'tensor<3xf32>', but got 'tensor<1x3xf16>'}}
  %y, %t = linnet.stack [@layer] order [0] carry(%x) states(%s) : (tensor<2xf32>, tensor<1x3xf16>) -> (tensor<2xf32>, tensor<1x3xf16>)
  return
}

// -----

func.func private @layer(tensor<2xf32>, index, tensor<3xf32>) -> (tensor<2xf32>, tensor<3xf32>)
func.func @stack_c1_state_scalar(%x: tensor<2xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{expected state 0 to be 1 times 'tensor<3xf32>', but got 'tensor<f32>'}}
  %y, %t = linnet.stack [@layer] order [0] carry(%x) states(%s) : (tensor<2xf32>, tensor<f32>) -> (tensor<2xf32>, tensor<f32>)
  return
}

// -----

func.func private @layer(tensor<2xf32>, index) -> tensor<2xf32>
func.func @stack_c1_state_extra(%x: tensor<2xf32>, %s: tensor<1x3xf32>) {
  // expected-error @+1 {{expected 0 states, but got 1}}
  %y, %t = linnet.stack [@layer] order [0] carry(%x) states(%s) : (tensor<2xf32>, tensor<1x3xf32>) -> (tensor<2xf32>, tensor<1x3xf32>)
  return
}

// -----

func.func private @layer(tensor<2xf32>, index) -> tensor<2xf32>
func.func @stack_c2_high(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected entries of order below 1, but got 1}}
  %y = linnet.stack [@layer] order [0, 1] carry(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func private @layer(tensor<2xf32>, index) -> tensor<2xf32>
func.func @stack_c2_negative(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected entries of order below 1, but got -1}}
  %y = linnet.stack [@layer] order [-1] carry(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @stack_result_count(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected 1 results, one per carried value and state, but got 2}}
  %y:2 = linnet.stack [] order [] carry(%x) : (tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @stack_result_type(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected result 0 to have type 'tensor<2xf32>', but got 'tensor<3xf32>'}}
  %y = linnet.stack [] order [] carry(%x) : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @weight_c3() {
  // expected-error @+1 {{expected a first dimension of members for key 'experts.{*}.up', but got 'tensor<0x3xf32>'}}
  %w = linnet.weight "experts.{*}.up" : tensor<0x3xf32>
  return
}

// -----

func.func @seeded_basis_c1() {
  // expected-error @+1 {{expected a seed of 0 or more, but got -1}}
  %b = linnet.seeded_basis -1 : tensor<4x8xf32>
  return
}

// -----

func.func @seeded_basis_c2() {
  // expected-error @+1 {{expected a static shape, but got 'tensor<4x?xf32>'}}
  %b = linnet.seeded_basis 1 : tensor<4x?xf32>
  return
}
