// RUN: rm -rf %t && mkdir %t
// DEFINE: %{llama} = %oracle/hf/llama
// RUN: linnet-import %{llama} -o %t/model.mlir
//
// The checkpoint that linnet-compress writes, and its import.
// RUN: linnet-opt %t/model.mlir --linnet-reduce-vocabulary="text=@%{llama}/tokens.npy output=%t/few" --remarks-filter="linnet-reduce-vocabulary" --remark-format=emitRemark -o %t/few.mlir 2> %t/remarks.txt
// RUN: FileCheck %s < %t/remarks.txt
// CHECK: vocabulary: 51 of 96 tokens kept
// RUN: linnet-compress %{llama} -o %t/whole --keep-vocabulary=@%{llama}/tokens.npy > /dev/null
// RUN: cmp %t/whole/model.safetensors %t/few/model.safetensors
// RUN: FileCheck %s --check-prefix=MODEL < %t/few.mlir
// MODEL: vocab_size = 51
// MODEL: linnet.weight "model.embed_tokens.weight" : tensor<51x32xf32>
//
// RUN: not linnet-opt %t/model.mlir --linnet-reduce-vocabulary="text=@%t/nowhere.npy output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NOWHERE
// NOWHERE: error: {{.*}}nowhere.npy
// RUN: not linnet-opt %t/model.mlir --linnet-reduce-vocabulary="output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: error: expected a text whose tokens stay
// RUN: not ls %t/bad
