// Attention without a cache against the f64 evaluator: grouped heads, windows,
// caps, biases, masks, widths and lengths that are no multiple of any block.
//
// RUN: linnet-run run %s --function=causal --compare-reference --threads=3 --input=random:2x37x6x20:1 --input=random:2x37x2x20:2 --input=random:2x37x2x11:3 | FileCheck %s
// RUN: linnet-run run %s --function=cross --compare-reference --threads=2 --input=random:2x5x4x16:1 --input=random:2x70x4x16:2 --input=random:2x70x4x16:3 --input=random:1x4x5x70:4 --input=random:2x70:2:5 | FileCheck %s --check-prefix=CROSS
// RUN: linnet-run run %s --function=cross --compare-reference --input=random:2x5x4x16:1 --input=random:2x70x4x16:2 --input=random:2x70x4x16:3 --input=0 --input=0 | FileCheck %s --check-prefix=MASKED

// CHECK-COUNT-3: relative RMS error
// CROSS-COUNT-2: relative RMS error
// A row of which no key is seen is zero, exactly.
// MASKED: relative RMS error 0, max abs 0
// MASKED: relative RMS error {{[0-9.]+}}e-{{[0-9]+}}

!q = tensor<2x37x6x20xf32>
!k = tensor<2x37x2x20xf32>
!v = tensor<2x37x2x11xf32>
!o = tensor<2x37x6x11xf32>
func.func @causal(%q: !q, %k: !k, %v: !v) -> (!o, !o, !o) {
  %0 = linnet.attention %q, %k, %v {causal, scale = 0.22 : f64} : (!q, !k, !v) -> !o
  %1 = linnet.attention %q, %k, %v {causal, window = 5 : i64, scale = 0.22 : f64} : (!q, !k, !v) -> !o
  %2 = linnet.attention %q, %k, %v {causal, soft_cap = 2.0 : f64, scale = 0.22 : f64} : (!q, !k, !v) -> !o
  return %0, %1, %2 : !o, !o, !o
}

!x = tensor<2x5x4x16xf32>
!y = tensor<2x70x4x16xf32>
func.func @cross(%q: !x, %k: !y, %v: !y, %bias: tensor<1x4x5x70xf32>, %mask: tensor<2x70xi32>) -> (!x, !x) {
  %0 = linnet.attention %q, %k, %v bias(%bias) key_mask(%mask) {scale = 0.25 : f64} : (!x, !y, !y, tensor<1x4x5x70xf32>, tensor<2x70xi32>) -> !x
  %1 = linnet.attention %q, %k, %v {window = 3 : i64, scale = 0.25 : f64} : (!x, !y, !y) -> !x
  return %0, %1 : !x, !x
}
