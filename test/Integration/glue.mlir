// arith, math, linalg and tensor operations against the f64 evaluator.
//
// RUN: linnet-run run %s --function=pointwise --compare-reference --threads=2 --input=random:2x5x33:1 --input=random:2x5x33:2 | FileCheck %s
// RUN: linnet-run run %s --function=structured --compare-reference --threads=2 --input=random:2x5x3x11:1 --input=random:3:2 --input=random:11x2:3 | FileCheck %s --check-prefix=STRUCT

// CHECK-COUNT-3: relative RMS error
// STRUCT-COUNT-6: relative RMS error

!x = tensor<2x5x33xf32>
func.func @pointwise(%a: !x, %b: !x) -> (!x, !x, !x) {
  %two = arith.constant dense<2.0> : !x
  %0 = math.absf %a : !x
  %1 = arith.addf %0, %two : !x
  %2 = math.log %1 : !x
  %3 = arith.divf %b, %1 : !x
  %4 = arith.subf %2, %3 : !x
  %5 = math.rsqrt %1 : !x
  %6 = arith.mulf %4, %5 : !x
  %7 = math.tanh %6 : !x
  %8 = math.erf %b : !x
  %9 = arith.maximumf %7, %8 : !x
  %10 = arith.minimumf %9, %a : !x
  %11 = math.exp %10 : !x
  %12 = math.log1p %11 : !x
  %13 = math.sqrt %12 : !x
  %14 = math.sin %a : !x
  %15 = math.cos %b : !x
  %16 = arith.addf %14, %15 : !x
  %17 = arith.cmpf ogt, %a, %b : !x
  %18 = arith.select %17, %13, %16 : tensor<2x5x33xi1>, !x
  %19 = arith.negf %18 : !x
  return %13, %16, %19 : !x, !x, !x
}

!h = tensor<2x5x3x11xf32>
#id = affine_map<(b, t, h, d) -> (b, t, h, d)>
#head = affine_map<(b, t, h, d) -> (h)>
#column = affine_map<(b, t, h, d) -> (d, 1)>
#first = affine_map<(b, t, h, d) -> (b, t, 0, d)>
#sum = affine_map<(b, t, h, d) -> (b, h)>
func.func @structured(%x: !h, %w: tensor<3xf32>, %m: tensor<11x2xf32>)
    -> (!h, tensor<2x11xf32>, tensor<2x3xf32>, tensor<2x5x44xf32>, tensor<2x3x11xf32>, tensor<7xf32>) {
  %e = tensor.empty() : !h
  %half = arith.constant 0.5 : f32
  %0 = linalg.generic {indexing_maps = [#id, #head, #column, #first, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %w, %m, %x : !h, tensor<3xf32>, tensor<11x2xf32>, !h) outs(%e : !h) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %o: f32):
    %three = arith.constant 3.0 : f32
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %p, %c : f32
    %r = arith.mulf %q, %half : f32
    %s = arith.divf %d, %three : f32
    %t = arith.addf %r, %s : f32
    linalg.yield %t : f32
  } -> !h
  %et = tensor.empty() : tensor<2x11xf32>
  %1 = linalg.transpose ins(%m : tensor<11x2xf32>) outs(%et : tensor<2x11xf32>) permutation = [1, 0]
  %zero = arith.constant 0.0 : f32
  %es = tensor.empty() : tensor<2x3xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = linalg.generic {indexing_maps = [#id, #sum], iterator_types = ["parallel", "reduction", "parallel", "reduction"]}
      ins(%x : !h) outs(%fs : tensor<2x3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  %flat = tensor.collapse_shape %x [[0], [1], [2, 3]] : !h into tensor<2x5x33xf32>
  %part = tensor.extract_slice %flat[0, 0, 7] [2, 5, 11] [1, 1, 1] : tensor<2x5x33xf32> to tensor<2x5x11xf32>
  %3 = tensor.concat dim(2) %flat, %part : (tensor<2x5x33xf32>, tensor<2x5x11xf32>) -> tensor<2x5x44xf32>
  %eb = tensor.empty() : tensor<2x3x11xf32>
  %4 = linalg.broadcast ins(%1 : tensor<2x11xf32>) outs(%eb : tensor<2x3x11xf32>) dimensions = [1]
  %c = arith.constant dense<[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]> : tensor<7xf32>
  %5 = arith.negf %c : tensor<7xf32>
  return %0, %1, %2, %3, %4, %5 : !h, tensor<2x11xf32>, tensor<2x3xf32>, tensor<2x5x44xf32>, tensor<2x3x11xf32>, tensor<7xf32>
}
