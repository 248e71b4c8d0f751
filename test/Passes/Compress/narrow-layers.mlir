// RUN: rm -rf %t && mkdir %t
// DEFINE: %{llama} = %oracle/hf/llama
// DEFINE: %{text} = calibration=@%{llama}/tokens.npy window=4
// RUN: linnet-import %{llama} -o %t/model.mlir
//
// The checkpoint that linnet-compress writes, and its import.
// RUN: linnet-opt %t/model.mlir --linnet-narrow-layers="keep-channels=0.5 drop-layers=1 %{text} output=%t/narrow" --remarks-filter="linnet-narrow-layers" --remark-format=emitRemark -o %t/narrow.mlir 2> %t/remarks.txt
// RUN: FileCheck %s < %t/remarks.txt
// CHECK: mlp.up_proj.weight{{.*}}map{{.*}}kept_outputs
// RUN: linnet-compress %{llama} -o %t/whole --keep-channels=0.5 --drop-layers=1 --calibration=@%{llama}/tokens.npy --window=4 > /dev/null
// RUN: cmp %t/whole/model.safetensors %t/narrow/model.safetensors
// RUN: linnet-import %t/narrow -o %t/imported.mlir
// RUN: linnet-opt %t/imported.mlir -o %t/plain.mlir
// RUN: diff %t/narrow.mlir %t/plain.mlir
// RUN: FileCheck %s --check-prefix=MODEL < %t/narrow.mlir
// MODEL: linnet.stack [@layer] order [0]
// MODEL: mlp.up_proj.weight"[{{%.*}}] : tensor<24x32xf32>
//
// Experts of mixtures.
// RUN: linnet-import %oracle/hf/mixtral -o %t/mixtral.mlir
// RUN: linnet-opt %t/mixtral.mlir --linnet-narrow-layers="keep-experts=0.5 calibration=@%oracle/hf/mixtral/tokens.npy window=4 output=%t/few" --remarks-filter="linnet-narrow-layers" --remark-format=emitRemark -o %t/few.mlir 2> %t/remarks.txt
// RUN: FileCheck %s --check-prefix=EXPERTS < %t/remarks.txt
// EXPERTS: loc("model.layers.0.block_sparse_moe.gate.weight"): [Passed] experts {{.*}}Kept=2, Of=4
// RUN: FileCheck %s --check-prefix=FEW < %t/few.mlir
// FEW: block_sparse_moe.gate.weight"[{{%.*}}] : tensor<2x
//
// A narrower state of scans.
// RUN: linnet-import %oracle/hf/mamba2 -o %t/mamba2.mlir
// RUN: linnet-opt %t/mamba2.mlir --linnet-narrow-layers="keep-state-channels=0.5 calibration=@%oracle/hf/mamba2/tokens.npy window=8 output=%t/slim" --remarks-filter="linnet-narrow-layers" --remark-format=emitRemark -o %t/slim.mlir 2> %t/remarks.txt
// RUN: FileCheck %s --check-prefix=SLIM < %t/remarks.txt
// SLIM: loc("backbone.layers.0.mixer.in_proj.weight"): [Passed] state {{.*}}Kept=6, Of=12
// RUN: FileCheck %s --check-prefix=SCAN < %t/slim.mlir
// SCAN: linnet.scan {{.*}} -> (tensor<?x?x5x12xf32>, tensor<?x5x6x12xf32>)
//
// As many heads as a budget of state leaves.
// RUN: linnet-opt %t/model.mlir --linnet-narrow-layers="budget=state:0.5 %{text} output=%t/less" --remarks-filter="linnet-narrow-layers" --remark-format=emitRemark -o %t/less.mlir 2> %t/remarks.txt
// RUN: FileCheck %s --check-prefix=STATE < %t/remarks.txt
// STATE: note{{.*}}state of decode
//
// What was done to the module since its import would be lost.
// RUN: not linnet-opt %t/narrow.mlir --linnet-expand-structures --linnet-thread-state --linnet-narrow-layers="keep-channels=0.5 %{text} output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=CHANGED
// CHANGED: error: expected what linnet-import makes of '{{.*}}narrow', but the module was changed
// RUN: not linnet-opt %t/model.mlir --linnet-narrow-layers="keep-channels=0.5 output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=TEXT
// TEXT: error: {{.*}}expected --calibration with them
// RUN: not linnet-opt %t/model.mlir --linnet-narrow-layers="keep-channels=0 %{text} output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=SHARE
// SHARE: error: --keep-channels: expected above 0 and at most 1, but got 0
// RUN: not linnet-opt %t/model.mlir --linnet-narrow-layers="%{text} output=%t/bad" -o /dev/null 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: error: expected something to leave out (keep-channels, keep-heads, keep-kv-groups, keep-recurrent-heads, keep-state-channels, keep-experts, drop-layers or budget)
// RUN: not ls %t/bad
