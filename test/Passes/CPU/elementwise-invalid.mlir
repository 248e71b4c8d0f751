// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu --verify-diagnostics

#sum = affine_map<(i, j) -> (i + j)>
#out = affine_map<(i, j) -> (i, j)>
func.func @window(%x: tensor<9xf32>) -> tensor<2x8xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %e = tensor.empty() : tensor<2x8xf32>
  // expected-error@+1 {{expected indexing maps of dimensions and constants}}
  %y = linalg.generic {indexing_maps = [#sum, #out], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<9xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<2x8xf32>
  return %y : tensor<2x8xf32>
}

// -----

#id = affine_map<(i) -> (i)>
func.func @inside(%x: tensor<8xf32>) -> tensor<8xf32>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  %e = tensor.empty() : tensor<8xf32>
  // expected-error@+1 {{expected elementwise operations inside, but got tensor.extract}}
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %i = linalg.index 0 : index
    %0 = tensor.extract %x[%i] : tensor<8xf32>
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

func.func @wide(%x: tensor<8xf64>) -> tensor<8xf64>
    attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
  // expected-error@+1 {{expected entries of at most 32 bits, but got 'tensor<8xf64>'}}
  %y = arith.addf %x, %x : tensor<8xf64>
  return %y : tensor<8xf64>
}
