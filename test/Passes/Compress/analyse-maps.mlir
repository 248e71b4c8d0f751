// RUN: rm -rf %t && mkdir %t
// DEFINE: %{llama} = %oracle/hf/llama
// DEFINE: %{text} = calibration=@%{llama}/tokens.npy window=4
//
// The file that linnet-compress writes, without a text and with one; the model
// stays as it is.
// RUN: linnet-import %{llama} -o %t/model.mlir
// RUN: linnet-opt %t/model.mlir --linnet-analyse-maps="structure=low_rank,int8 output=%t/analysis.json" --remarks-filter="linnet-analyse-maps" --remark-format=emitRemark -o %t/after.mlir
// RUN: linnet-opt %t/model.mlir -o %t/before.mlir
// RUN: diff %t/before.mlir %t/after.mlir
// RUN: linnet-compress %{llama} -o %t/whole --structure=low_rank,int8 --budget=bytes:0.5 > /dev/null
// RUN: cmp %t/analysis.json %t/whole/analysis.json
// RUN: linnet-opt %t/model.mlir --linnet-analyse-maps="%{text} rank-multiple=1 sensitivity-tokens=64 output=%t/text.json" -o /dev/null
// RUN: linnet-compress %{llama} -o %t/fitted --budget=params:0.5 --calibration=@%{llama}/tokens.npy --window=4 --rank-multiple=1 --sensitivity-tokens=64 > /dev/null
// RUN: cmp %t/text.json %t/fitted/analysis.json
//
// Weights beside IR that no importer wrote, with keys of their own.
// RUN: sed 's|linnet.archive = "[^"]*"|linnet.archive = "%{llama}/model.safetensors"|' %t/model.mlir > %t/beside.mlir
// RUN: linnet-opt %t/beside.mlir --linnet-analyse-maps="structure=low_rank,int8 output=%t/beside.json" -o /dev/null
// RUN: cmp %t/analysis.json %t/beside.json
// RUN: linnet-opt %t/beside.mlir --mlir-print-debuginfo=false --linnet-analyse-maps="structure=low_rank,int8 output=%t/bare.json" -o /dev/null
// RUN: cmp %t/analysis.json %t/bare.json
//
// What cannot be replaced is said.
// RUN: linnet-import %oracle/hf/mixtral -o %t/mixtral.mlir
// RUN: linnet-opt %t/mixtral.mlir --linnet-analyse-maps="structure=low_rank output=%t/mixtral.json" --remarks-filter="linnet-analyse-maps" --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=LEFT
// LEFT: left alone{{.*}}a stack of matrices
//
// RUN: not linnet-opt %t/model.mlir --linnet-analyse-maps="structure=low_rang output=%t/bad.json" -o /dev/null 2>&1 | FileCheck %s --check-prefix=STRUCTURE
// STRUCTURE: error: --structure: expected {{.*}}, but got 'low_rang'
// RUN: not linnet-opt %t/model.mlir --linnet-analyse-maps="calibration=@%{llama}/tokens.npy window=64 output=%t/bad.json" -o /dev/null 2>&1 | FileCheck %s --check-prefix=SHORT
// SHORT: error: {{.*}}expected at least 8 windows of 64 tokens to calibrate with
// RUN: sed 's|linnet.archive = "[^"]*"|linnet.archive = "%t/nowhere"|' %t/model.mlir > %t/lost.mlir
// RUN: not linnet-opt %t/lost.mlir --linnet-analyse-maps="output=%t/bad.json" -o /dev/null 2>&1 | FileCheck %s --check-prefix=LOST
// LOST: error: {{.*}}expected the weights at '{{.*}}nowhere' (linnet.archive), but there is no such file or directory
// RUN: not linnet-opt %s --linnet-analyse-maps="output=%t/bad.json" -o /dev/null 2>&1 | FileCheck %s --check-prefix=BARE
// BARE: error: expected a module with weights (attribute linnet.archive)
// RUN: not linnet-opt %t/model.mlir --linnet-analyse-maps -o /dev/null 2>&1 | FileCheck %s --check-prefix=OUTPUT
// OUTPUT: error: option output: expected a path, but got none
// RUN: not ls %t/bad.json
