// RUN: rm -rf %t && mkdir %t
// DEFINE: %{bert} = %oracle/hf/bert
// RUN: linnet-import %{bert} -o %t/model.mlir
//
// The checkpoint that linnet-compress writes, and its import.
// RUN: linnet-opt %t/model.mlir --linnet-cut-embeddings="width=7 output=%t/cut" -o %t/cut.mlir
// RUN: linnet-compress %{bert} -o %t/whole --embedding-width=7 > /dev/null
// RUN: cmp %t/whole/model.safetensors %t/cut/model.safetensors
// RUN: FileCheck %s < %t/cut.mlir
// CHECK: func.func @forward({{.*}} -> (tensor<?x?x7xf32>
//
// RUN: not linnet-opt %t/model.mlir --linnet-cut-embeddings="width=1000 output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=WIDTH
// WIDTH: error: {{.*}}1000
// RUN: not linnet-opt %t/model.mlir --linnet-cut-embeddings="output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: error: expected a width of at least 1, but got 0
// RUN: not ls %t/bad
