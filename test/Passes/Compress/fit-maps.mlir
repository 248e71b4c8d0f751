// RUN: rm -rf %t && mkdir %t
// DEFINE: %{llama} = %oracle/hf/llama
// DEFINE: %{text} = calibration=@%{llama}/tokens.npy window=4
// RUN: linnet-import %{llama} -o %t/model.mlir
//
// The three stages in one command, on a text: the bytes and the module that
// linnet-compress and an import of what it wrote give.
// RUN: linnet-opt %t/model.mlir --linnet-analyse-maps="%{text} sensitivity-tokens=0 rank-multiple=1 structure=low_rank,int8 output=%t/analysis.json" --linnet-plan-maps="analysis=%t/analysis.json budget=bytes:0.25 output=%t/plan.json" --linnet-fit-maps="plan=%t/plan.json %{text} output=%t/fitted" --remarks-filter="linnet-fit-maps" --remark-format=emitRemark -o %t/fitted.mlir 2> %t/remarks.txt
// RUN: FileCheck %s < %t/remarks.txt
// CHECK: loc("model.layers.0.self_attn.q_proj.weight"): [Passed] map {{.*}}Error={{[0-9.e-]+}}, Of=1280, Parameters=
// CHECK: Remark=low_rank, rank=
// RUN: linnet-compress %{llama} -o %t/whole --budget=bytes:0.25 --structure=low_rank,int8 --rank-multiple=1 --sensitivity-tokens=0 --calibration=@%{llama}/tokens.npy --window=4 > /dev/null
// RUN: cmp %t/whole/model.safetensors %t/fitted/model.safetensors
// RUN: cmp %t/whole/config.json %t/fitted/config.json
// RUN: cmp %t/whole/plan.json %t/fitted/plan.json
// RUN: sed -e '/_damage/d' -e 's/,$//' %t/whole/report.json > %t/whole.txt
// RUN: sed -e 's/,$//' %t/fitted/report.json > %t/fitted.txt
// RUN: diff %t/whole.txt %t/fitted.txt
// RUN: linnet-import %t/fitted -o %t/imported.mlir
// RUN: linnet-opt %t/imported.mlir -o %t/plain.mlir
// RUN: diff %t/fitted.mlir %t/plain.mlir
//
// The module compiles and gives what the checkpoint gives.
// RUN: linnet-compile %t/fitted.mlir -o %t/fitted.linnet
// RUN: linnet-run run %t/whole --tokens=@%{llama}/tokens.npy --output=@%t/logits.npy
// RUN: linnet-run run %t/fitted.linnet --tokens=@%{llama}/tokens.npy --expected=@%t/logits.npy --tolerance=1e-6
//
// Weights beside IR: the factors are beside it, too.
// RUN: sed 's|linnet.archive = "[^"]*"|linnet.archive = "%{llama}/model.safetensors"|' %t/model.mlir > %t/beside.mlir
// RUN: linnet-opt %t/beside.mlir --linnet-fit-maps="plan=%t/plan.json %{text} output=%t/beside" -o %t/beside-fitted.mlir
// RUN: cmp %t/fitted/model.safetensors %t/beside/model.safetensors
// RUN: linnet-compile %t/beside-fitted.mlir -o %t/beside.linnet
// RUN: linnet-run run %t/beside.linnet --tokens=@%{llama}/tokens.npy --expected=@%t/logits.npy --tolerance=1e-6
//
// DEFINE: %{bad} = not linnet-opt %t/model.mlir -o %t/bad.mlir --linnet-fit-maps
// RUN: %{bad}="plan=%t/plan.json output=%t/fitted" 2>&1 | FileCheck %s --check-prefix=EXISTS
// EXISTS: error: {{.*}}fitted
// RUN: %{bad}="output=%t/bad" 2>&1 | FileCheck %s --check-prefix=PLAN
// PLAN: error: expected a plan, but got none
// RUN: %{bad}="plan=%t/plan.json" 2>&1 | FileCheck %s --check-prefix=OUTPUT
// OUTPUT: error: option output: expected a path, but got none
// RUN: sed 's|"structure": "low_rank"|"structure": "dropped"|' %t/plan.json > %t/dropped.json
// RUN: %{bad}="plan=%t/dropped.json output=%t/bad" 2>&1 | FileCheck %s --check-prefix=NARROW
// NARROW: error: {{.*}}dropped
// RUN: sed 's|"model": "|"model": "0|' %t/plan.json > %t/other.json
// RUN: %{bad}="plan=%t/other.json output=%t/bad" 2>&1 | FileCheck %s --check-prefix=MODEL
// MODEL: error: {{.*}}other.json: key 'model': expected
// RUN: not ls %t/bad %t/bad.mlir
