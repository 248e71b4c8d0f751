// RUN: linnet-opt %s --split-input-file --verify-diagnostics

func.func private @c(%h: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
func.func @recurrence_c1_inputs(%h: tensor<2x4xf32>) {
  // expected-error @+1 {{expected inputs, outputs and states, but got 0, 1 and 1}}
  %y, %s = linnet.recurrence @c() initial(%h) : (tensor<2x4xf32>) -> tensor<2x5x4xf32> state(tensor<2x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %h: tensor<2x4xf32>) -> tensor<2x4xf32>
func.func @recurrence_c1_outputs(%x: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected inputs, outputs and states, but got 1, 0 and 1}}
  %s = linnet.recurrence @c(%x) : (tensor<2x5x4xf32>) -> () state(tensor<2x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>) -> tensor<2x4xf32>
func.func @recurrence_c1_states(%x: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected inputs, outputs and states, but got 1, 1 and 0}}
  %y = "linnet.recurrence"(%x) <{cell = @c, operandSegmentSizes = array<i32: 1, 0, 0>, resultSegmentSizes = array<i32: 1, 0>}>
       : (tensor<2x5x4xf32>) -> tensor<2x5x4xf32>
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %h: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
func.func @recurrence_c2_tokens(%x: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected inputs and outputs [B, T, ...], open in these two only, of the B and T of 'tensor<2x5x4xf32>', but got 'tensor<2x6x4xf32>'}}
  %y, %s = linnet.recurrence @c(%x) : (tensor<2x5x4xf32>) -> tensor<2x6x4xf32> state(tensor<2x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %z: tensor<3x4xf32>, %h: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
func.func @recurrence_c2_batch(%x: tensor<2x5x4xf32>, %z: tensor<3x5x4xf32>) {
  // expected-error @+1 {{of the B and T of 'tensor<2x5x4xf32>', but got 'tensor<3x5x4xf32>'}}
  %y, %s = linnet.recurrence @c(%x, %z) : (tensor<2x5x4xf32>, tensor<3x5x4xf32>) -> tensor<2x5x4xf32> state(tensor<2x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2xf32>, %h: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
func.func @recurrence_c2_rank(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected inputs and outputs [B, T, ...], open in these two only, of the B and T of 'tensor<2xf32>', but got 'tensor<2xf32>'}}
  %y, %s = linnet.recurrence @c(%x) : (tensor<2xf32>) -> tensor<2x5x4xf32> state(tensor<2x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<?x?xf32>, %h: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>)
func.func @recurrence_c2_open(%x: tensor<?x?x?xf32>) {
  // expected-error @+1 {{but got 'tensor<?x?x?xf32>'}}
  %y, %s = linnet.recurrence @c(%x) : (tensor<?x?x?xf32>) -> tensor<?x?x4xf32> state(tensor<?x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %h: tensor<3x4xf32>) -> (tensor<2x4xf32>, tensor<3x4xf32>)
func.func @recurrence_c3_batch(%x: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected states [B, ...], open in B only, of the B of 'tensor<2x5x4xf32>', but got 'tensor<3x4xf32>'}}
  %y, %s = linnet.recurrence @c(%x) : (tensor<2x5x4xf32>) -> tensor<2x5x4xf32> state(tensor<3x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %h: tensor<2x?xf32>) -> (tensor<2x4xf32>, tensor<2x?xf32>)
func.func @recurrence_c3_open(%x: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected states [B, ...], open in B only, of the B of 'tensor<2x5x4xf32>', but got 'tensor<2x?xf32>'}}
  %y, %s = linnet.recurrence @c(%x) : (tensor<2x5x4xf32>) -> tensor<2x5x4xf32> state(tensor<2x?xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %h: tensor<f32>) -> (tensor<2x4xf32>, tensor<f32>)
func.func @recurrence_c3_rank(%x: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected states [B, ...], open in B only, of the B of 'tensor<2x5x4xf32>', but got 'tensor<f32>'}}
  %y, %s = linnet.recurrence @c(%x) : (tensor<2x5x4xf32>) -> tensor<2x5x4xf32> state(tensor<f32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %h: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
func.func @recurrence_c3_initial(%x: tensor<2x5x4xf32>, %h: tensor<2x3xf32>) {
  // expected-error @+1 {{expected initial states of types 'tensor<2x4xf32>', but got 'tensor<2x3xf32>'}}
  %y, %s = linnet.recurrence @c(%x) initial(%h) : (tensor<2x5x4xf32>, tensor<2x3xf32>) -> tensor<2x5x4xf32> state(tensor<2x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %h: tensor<2x4xi32>) -> (tensor<2x4xf32>, tensor<2x4xi32>)
func.func @recurrence_c3_integers(%x: tensor<2x5x4xf32>) {
  // expected-error @+1 {{result #1 must be variadic of ranked tensor of floating-point values, but got 'tensor<2x4xi32>'}}
  %y, %s = linnet.recurrence @c(%x) : (tensor<2x5x4xf32>) -> tensor<2x5x4xf32> state(tensor<2x4xi32>)
  return
}

// -----

func.func @recurrence_c4_missing(%x: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected a function, but found no @c}}
  %y, %s = linnet.recurrence @c(%x) : (tensor<2x5x4xf32>) -> tensor<2x5x4xf32> state(tensor<2x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %h: tensor<2x4xf32>) -> tensor<2x4xf32>
func.func @recurrence_c4_results(%x: tensor<2x5x4xf32>) {
  // expected-error @+1 {{expected @c to have type '(tensor<2x4xf32>, tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)', but got '(tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>'}}
  %y, %s = linnet.recurrence @c(%x) : (tensor<2x5x4xf32>) -> tensor<2x5x4xf32> state(tensor<2x4xf32>)
  return
}

// -----

func.func private @c(%x: tensor<2x4xf32>, %h: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
func.func @recurrence_c4_invariant(%x: tensor<2x5x4xf32>, %l: index) {
  // expected-error @+1 {{expected @c to have type '(tensor<2x4xf32>, index, tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)', but got}}
  %y, %s = linnet.recurrence @c(%x) invariant(%l) : (tensor<2x5x4xf32>, index) -> tensor<2x5x4xf32> state(tensor<2x4xf32>)
  return
}
