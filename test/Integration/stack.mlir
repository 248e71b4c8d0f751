// Part of a checkpoint's layers as a stack: weights by name and number, from an
// archive that is given on the command line.
//
// RUN: linnet-run run %s --function=mlps --archive=%oracle/hf/llama --compare-reference --threads=2 --input=random:2x13x32:1 | FileCheck %s
// RUN: not linnet-run run %s --function=mlps --archive=%oracle/hf/mamba --compare-reference --input=random:2x13x32:1 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not linnet-run run %s --function=mlps --compare-reference --input=random:2x13x32:1 2>&1 | FileCheck %s --check-prefix=NONE

// CHECK: relative RMS error
// OTHER: linnet-run: error: {{.*}}model.layers.{{[01{}]+}}.mlp
// NONE: linnet-run: error: {{.*}}archive

!x = tensor<?x?x32xf32>
!h = tensor<?x?x40xf32>
func.func private @mlp(%x: !x, %layer: index) -> !x {
  %g = linnet.weight "model.layers.{}.mlp.gate_proj.weight"[%layer] : tensor<40x32xf32>
  %u = linnet.weight "model.layers.{}.mlp.up_proj.weight"[%layer] : tensor<40x32xf32>
  %d = linnet.weight "model.layers.{}.mlp.down_proj.weight"[%layer] : tensor<32x40xf32>
  %0 = linnet.linear #linnet.dense %x, %g : (!x, tensor<40x32xf32>) -> !h
  %1 = linnet.linear #linnet.dense %x, %u : (!x, tensor<40x32xf32>) -> !h
  %2 = linnet.glu silu %0, %1 : !h
  %3 = linnet.linear #linnet.dense %2, %d : (!h, tensor<32x40xf32>) -> !x
  %4 = arith.addf %x, %3 : !x
  return %4 : !x
}

func.func @mlps(%x: !x) -> !x {
  %0 = linnet.stack [@mlp] order [0, 0] carry(%x) : (!x) -> !x
  return %0 : !x
}
