// Norms, activations and rotary embeddings against the f64 evaluator; the
// width is no multiple of any vector.
//
// RUN: linnet-run run %s --function=norms --compare-reference --threads=3 --input=random:2x5x3x39:1 --input=random:39:2 --input=random:39:3 --input=random:2x5x3x39:4 | FileCheck %s
// RUN: linnet-run run %s --function=activations --compare-reference --threads=2 --input=random:2x5x300:1 --input=random:2x5x300:2 | FileCheck %s --check-prefix=ACT
// RUN: linnet-run run %s --function=positions --compare-reference --input=random:2x5x3x26:1 --input=1000 --input=random:2x5:9:2 --input=random:9x17:3 | FileCheck %s --check-prefix=POS

// CHECK-COUNT-6: relative RMS error
// ACT-COUNT-10: relative RMS error
// POS-COUNT-3: relative RMS error

!x = tensor<2x5x3x39xf32>
!w = tensor<39xf32>
func.func @norms(%x: !x, %w: !w, %b: !w, %g: !x) -> (!x, !x, !x, !x, !x, !x) {
  %0 = linnet.norm rms %x weight(%w) {eps = 1.0e-5 : f64, unit_offset} : (!x, !w) -> !x
  %1 = linnet.norm layer %x weight(%w) bias(%b) {eps = 1.0e-5 : f64} : (!x, !w, !w) -> !x
  %2 = linnet.norm l2 %x {eps = 1.0e-6 : f64, groups = 3 : i64} : (!x) -> !x
  %3 = linnet.norm rms %x weight(%w) gate(%g) {eps = 1.0e-5 : f64, groups = 13 : i64, gate_order = #linnet.gate_order<before>} : (!x, !w, !x) -> !x
  %4 = linnet.norm layer %x gate(%g) {eps = 1.0e-5 : f64, gate_activation = #linnet.activation<sigmoid>} : (!x, !x) -> !x
  %5 = linnet.norm layer %x bias(%b) gate(%g) {eps = 1.0e-5 : f64, groups = 3 : i64, gate_order = #linnet.gate_order<before>, gate_activation = #linnet.activation<tanh>} : (!x, !w, !x) -> !x
  return %0, %1, %2, %3, %4, %5 : !x, !x, !x, !x, !x, !x
}

!y = tensor<2x5x300xf32>
func.func @activations(%x0: !y, %u: !y) -> (!y, !y, !y, !y, !y, !y, !y, !y, !y, !y) {
  // Far into both tails.
  %c = arith.constant dense<20.0> : !y
  %x = arith.mulf %x0, %c : !y
  %0 = linnet.activation identity %x : !y
  %1 = linnet.activation silu %x : !y
  %2 = linnet.activation gelu %x : !y
  %3 = linnet.activation gelu_tanh %x : !y
  %4 = linnet.activation relu %x : !y
  %5 = linnet.activation relu2 %x : !y
  %6 = linnet.activation sigmoid %x : !y
  %7 = linnet.activation tanh %x0 : !y
  %8 = linnet.activation softplus %x : !y
  %9 = linnet.glu gelu %x0, %u : !y
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9 : !y, !y, !y, !y, !y, !y, !y, !y, !y, !y
}

!h = tensor<2x5x3x26xf32>
func.func @positions(%x: !h, %p: index, %ids: tensor<2x5xi32>, %table: tensor<9x17xf32>) -> (!h, !h, tensor<2x5x17xf32>) {
  %0 = linnet.rotary %x, %p {inverse_frequencies = array<f32: 1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01>, scaling = 1.5 : f32} : (!h, index) -> !h
  %1 = linnet.rotary %x, %p {inverse_frequencies = array<f32: 1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01>, interleaved} : (!h, index) -> !h
  %2 = linnet.embedding %ids, %table : (tensor<2x5xi32>, tensor<9x17xf32>) -> tensor<2x5x17xf32>
  return %0, %1, %2 : !h, !h, tensor<2x5x17xf32>
}
