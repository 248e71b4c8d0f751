// RUN: rm -rf %t && mkdir %t
// DEFINE: %{llama} = %oracle/hf/llama
// RUN: linnet-import %{llama} -o %t/model.mlir
//
// The checkpoint that linnet-compress writes, and its import.
// RUN: linnet-opt %t/model.mlir --linnet-fold-weights="folds=norms output=%t/folded" --remarks-filter="linnet-fold-weights" --remark-format=emitRemark -o %t/folded.mlir 2> %t/remarks.txt
// RUN: FileCheck %s < %t/remarks.txt
// CHECK: norms folded into the next maps: 5
// RUN: linnet-compress %{llama} -o %t/whole --fold=norms > /dev/null
// RUN: cmp %t/whole/model.safetensors %t/folded/model.safetensors
// RUN: linnet-import %t/folded -o %t/imported.mlir
// RUN: linnet-opt %t/imported.mlir -o %t/plain.mlir
// RUN: diff %t/folded.mlir %t/plain.mlir
//
// RUN: not linnet-opt %t/model.mlir --linnet-fold-weights="folds=biases output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: --fold: expected 'norms' or 'dead', but got 'biases'
// RUN: not linnet-opt %t/model.mlir --linnet-fold-weights="output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: error: expected something to fold (norms, dead)
// RUN: not ls %t/bad
