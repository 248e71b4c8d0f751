// RUN: rm -rf %t && split-file %s %t
// RUN: linnet-compress %oracle/hf/llama -o %t/small --budget=bytes:0.25 --structure=low_rank,int8 --rank-multiple=1 > /dev/null
// RUN: linnet-import %oracle/hf/llama -o %t/model.mlir
//
// What an import of the checkpoint gives.
// RUN: linnet-opt %t/model.mlir --linnet-apply-structures=checkpoint=%t/small -o %t/applied.mlir
// RUN: linnet-import %t/small -o %t/imported.mlir
// RUN: linnet-opt %t/imported.mlir -o %t/plain.mlir
// RUN: diff %t/applied.mlir %t/plain.mlir
// RUN: FileCheck %s --check-prefix=SAME < %t/applied.mlir
// SAME: module attributes {linnet.archive = "{{[^"]*}}small"
// SAME: linnet.linear #linnet.low_rank
// SAME-NOT: self_attn.q_proj.weight"
//
// Layers that differ get functions of their own, in order of their first.
// RUN: linnet-opt %t/model.mlir --linnet-apply-structures=checkpoint=%t/small > /dev/null
// RUN: %python %t/make.py %oracle/hf/llama %t/first 0 left right
// RUN: linnet-opt %t/model.mlir --linnet-apply-structures=checkpoint=%t/first --remarks-filter="linnet-apply-structures" --remark-format=emitRemark 2> %t/remarks.txt | FileCheck %s --check-prefix=SPLIT
// RUN: FileCheck %s --check-prefix=REMARK < %t/remarks.txt
// REMARK: model.layers.{}.mlp.up_proj{{.*}}structure applied{{.*}}low_rank
// SPLIT: linnet.stack [@layer_0, @layer_1] order [0, 1]
// SPLIT-NOT: @layer(
// SPLIT-LABEL: func.func private @layer_0(
// SPLIT: [[LEFT:%.*]] = linnet.weight "model.layers.{}.mlp.up_proj.weight.left"[%arg1] : tensor<40x4xf32>
// SPLIT-NEXT: [[RIGHT:%.*]] = linnet.weight "model.layers.{}.mlp.up_proj.weight.right"[%arg1] : tensor<4x32xf32>
// SPLIT-NEXT: linnet.linear #linnet.low_rank {{%.*}}, [[LEFT]], [[RIGHT]]
// SPLIT-LABEL: func.func private @layer_1(
// SPLIT: [[W:%.*]] = linnet.weight "model.layers.{}.mlp.up_proj.weight"[%arg1]
// SPLIT-NEXT: linnet.linear #linnet.dense {{%.*}}, [[W]]
//
// A checkpoint without structures only becomes the archive.
// RUN: linnet-opt %t/model.mlir --linnet-apply-structures=checkpoint=%oracle/hf/llama -o %t/none.mlir
// RUN: linnet-opt %t/model.mlir -o %t/parsed.mlir
// RUN: diff %t/none.mlir %t/parsed.mlir
//
// RUN: not linnet-opt %t/applied.mlir --linnet-apply-structures=checkpoint=%t/small -o %t/bad.mlir 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: {{.*}}small/config.json: key 'linnet.structures', entry 'model.layers.0.mlp.down_proj.weight': expected the matrix of a linear map, but the model has none of that name
// RUN: %python %t/make.py %oracle/hf/llama %t/short 1 right left
// RUN: not linnet-opt %t/model.mlir --linnet-apply-structures=checkpoint=%t/short -o %t/bad.mlir 2>&1 | FileCheck %s --check-prefix=SIZES
// SIZES: error: {{.*}}entry 'model.layers.1.mlp.up_proj.weight': expected {{.*}}, but got
// RUN: %python %t/make.py %oracle/hf/llama %t/lacking 1 left middle
// RUN: not linnet-opt %t/model.mlir --linnet-apply-structures=checkpoint=%t/lacking -o %t/bad.mlir 2>&1 | FileCheck %s --check-prefix=LACKING
// LACKING: error: {{.*}}'model.layers.1.mlp.up_proj.weight.middle'
// RUN: not linnet-opt %t/model.mlir --linnet-thread-state --linnet-apply-structures=checkpoint=%t/small -o %t/bad.mlir 2>&1 | FileCheck %s --check-prefix=STATE
// STATE: error: {{.*}}'linnet.stack' op expected a model without explicit state (before linnet-thread-state)
// RUN: not linnet-opt %t/twice.mlir --linnet-apply-structures=checkpoint=%t/first -o %t/bad.mlir 2>&1 | FileCheck %s --check-prefix=SHARED
// SHARED: error: {{.*}}'linnet.weight' op {{.*}}entry 'model.layers.0.mlp.up_proj.weight': expected the matrix of one dense linear map
// RUN: not linnet-opt %t/model.mlir --linnet-apply-structures=checkpoint=%t/nowhere -o %t/bad.mlir 2>&1 | FileCheck %s --check-prefix=NOWHERE
// NOWHERE: error: {{.*}}nowhere
// RUN: not ls %t/bad.mlir

//--- twice.mlir
func.func @f(%x: tensor<1x1x32xf32>) -> (tensor<1x1x40xf32>, tensor<40x32xf32>) {
  %w = linnet.weight "model.layers.0.mlp.up_proj.weight" : tensor<40x32xf32>
  %y = linnet.linear #linnet.dense %x, %w : (tensor<1x1x32xf32>, tensor<40x32xf32>) -> tensor<1x1x40xf32>
  return %y, %w : tensor<1x1x40xf32>, tensor<40x32xf32>
}

//--- make.py
"""make.py IN OUT LAYER FACTOR FACTOR: the checkpoint IN with the matrix up_proj
of one layer as two factors, `left` [40, 4] and `right` [4, 32], in this order."""
import json
import pathlib
import struct
import sys

source, out = map(pathlib.Path, sys.argv[1:3])
name = f"model.layers.{sys.argv[3]}.mlp.up_proj.weight"
data = (source / "model.safetensors").read_bytes()
size = struct.unpack("<Q", data[:8])[0]
header, data = json.loads(data[8:8 + size]), data[8 + size:]
header.pop("__metadata__", None)
del header[name]
for factor, shape in (("left", [40, 4]), ("right", [4, 32])):
    header[f"{name}.{factor}"] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * shape[0] * shape[1]]}
    data += struct.pack("<f", 0.25) * (shape[0] * shape[1])
# Offsets must leave no holes.
packed = b""
for entry in header.values():
    begin, end = entry["data_offsets"]
    entry["data_offsets"] = [len(packed), len(packed) + end - begin]
    packed += data[begin:end]
out.mkdir()
text = json.dumps(header).encode()
(out / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + packed)
config = json.loads((source / "config.json").read_text())
config["linnet"] = {"structures": {name: {"structure": "low_rank", "factors": sys.argv[4:]}}}
(out / "config.json").write_text(json.dumps(config))
