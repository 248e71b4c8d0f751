// RUN: rm -rf %t && mkdir %t
// DEFINE: %{llama} = %oracle/hf/llama
// RUN: linnet-import %{llama} -o %t/model.mlir
//
// A task vector of nothing at all: the same weights in another place.
// RUN: linnet-opt %t/model.mlir --linnet-merge-adapters="adapters=%{llama}:2 output=%t/merged" -o %t/merged.mlir
// RUN: linnet-compress %{llama} -o %t/whole --merge=%{llama}:2
// RUN: cmp %t/whole/model.safetensors %t/merged/model.safetensors
// RUN: FileCheck %s < %t/merged.mlir
// CHECK: module attributes {linnet.archive = "{{[^"]*}}merged"
//
// RUN: not linnet-opt %t/model.mlir --linnet-merge-adapters="adapters=%t/nowhere output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NOWHERE
// NOWHERE: error: {{.*}}nowhere
// RUN: not linnet-opt %t/model.mlir --linnet-merge-adapters="output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: error: expected adapters to add
// RUN: not ls %t/bad
