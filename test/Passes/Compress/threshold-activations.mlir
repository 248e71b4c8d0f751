// RUN: rm -rf %t && mkdir %t
// DEFINE: %{llama} = %oracle/hf/llama
// DEFINE: %{text} = calibration=@%{llama}/tokens.npy window=4
// RUN: linnet-import %{llama} -o %t/model.mlir
//
// The checkpoint that linnet-compress writes, and its import.
// RUN: linnet-opt %t/model.mlir --linnet-threshold-activations="thresholds=share:0.5 %{text} output=%t/half" -o %t/half.mlir
// RUN: linnet-compress %{llama} -o %t/whole --threshold-activations=share:0.5 --calibration=@%{llama}/tokens.npy --window=4 > /dev/null
// RUN: cmp %t/whole/model.safetensors %t/half/model.safetensors
// RUN: FileCheck %s < %t/half.mlir
// CHECK: linnet.threshold
//
// RUN: not linnet-opt %t/model.mlir --linnet-threshold-activations="thresholds=half %{text} output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=HALF
// HALF: error: {{.*}}'half'
// RUN: not linnet-opt %t/model.mlir --linnet-threshold-activations="%{text} output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: error: expected thresholds, share:F or error:E
// RUN: not ls %t/bad
