// RUN: rm -rf %t && split-file %s %t
// RUN: %python %t/make.py %t/weights.safetensors
// RUN: cd %t && linnet-opt model.mlir --linnet-join-maps=output=%t/joined.safetensors --remarks-filter="linnet-join-maps" --remark-format=emitRemark -o %t/joined.mlir 2> %t/remarks.txt
// RUN: FileCheck %s < %t/joined.mlir
// RUN: FileCheck %s --check-prefix=REMARK < %t/remarks.txt
//
// In f64 the evaluator gives the same to 1e-12; tensors that went are gone.
// RUN: cd %t && linnet-run run model.mlir --reference --function=chain --input=random:1x3x5:1 --output=%t/chain.npy
// RUN: linnet-run run %t/joined.mlir --reference --function=chain --input=random:1x3x5:1 --expected=%t/chain.npy --tolerance=1e-12
// RUN: cd %t && linnet-run run model.mlir --reference --function=layers --input=random:1x3x5:1 --output=%t/layers.npy
// RUN: linnet-run run %t/joined.mlir --reference --function=layers --input=random:1x3x5:1 --expected=%t/layers.npy --tolerance=1e-12
// RUN: %python %t/names.py %t/joined.safetensors
//
// Nothing to join: no file, the same archive.
// RUN: linnet-opt %t/joined.mlir --linnet-join-maps=output=%t/none.safetensors | FileCheck %s --check-prefix=NONE
// NONE: linnet.archive = "{{[^"]*}}joined.safetensors"
// RUN: not ls %t/none.safetensors
// RUN: not linnet-opt %t/joined.mlir --linnet-join-maps -o /dev/null 2>&1 | FileCheck %s --check-prefix=OUTPUT
// OUTPUT: error: option output: expected a path, but got none
// RUN: sed 's|weights.safetensors|nowhere|' %t/model.mlir > %t/lost.mlir
// RUN: not linnet-opt %t/lost.mlir --linnet-join-maps=output=%t/bad -o /dev/null 2>&1 | FileCheck %s --check-prefix=LOST
// LOST: error: {{.*}}expected the weights at 'nowhere'
// RUN: sed 's|"a" : tensor<6x5xf64>|"a2" : tensor<6x5xf64>|' %t/model.mlir > %t/lacking.mlir
// RUN: cd %t && not linnet-opt lacking.mlir --linnet-join-maps=output=%t/bad -o /dev/null 2>&1 | FileCheck %s --check-prefix=LACKING
// LACKING: error: {{.*}}a2
// RUN: not ls %t/bad

//--- model.mlir
module attributes {linnet.archive = "weights.safetensors"} {
// Three in a row, stored both ways, with the biases of the first two.
// CHECK-LABEL: func.func @chain(
// CHECK-SAME: [[X:%.*]]: tensor<1x3x5xf64>
// CHECK-DAG: [[W:%.*]] = linnet.weight "c.joined" : tensor<4x5xf64>
// CHECK-DAG: [[B:%.*]] = linnet.weight "c.joined.bias" : tensor<4xf64>
// CHECK: [[Y:%.*]] = linnet.linear #linnet.dense [[X]], [[W]] bias([[B]])
// CHECK: return [[Y]]
func.func @chain(%x: tensor<1x3x5xf64>) -> tensor<1x3x4xf64> {
  %a = linnet.weight "a" : tensor<6x5xf64>
  %ab = linnet.weight "a.bias" : tensor<6xf64>
  %b = linnet.weight "b" : tensor<6x4xf64>
  %bb = linnet.weight "b.bias" : tensor<4xf64>
  %c = linnet.weight "c" : tensor<4x4xf64>
  %0 = linnet.linear #linnet.dense %x, %a bias(%ab) : (tensor<1x3x5xf64>, tensor<6x5xf64>, tensor<6xf64>) -> tensor<1x3x6xf64>
  %1 = linnet.linear #linnet.dense<in_out> %0, %b bias(%bb) : (tensor<1x3x6xf64>, tensor<6x4xf64>, tensor<4xf64>) -> tensor<1x3x4xf64>
  %2 = linnet.linear #linnet.dense %1, %c : (tensor<1x3x4xf64>, tensor<4x4xf64>) -> tensor<1x3x4xf64>
  return %2 : tensor<1x3x4xf64>
}

// Each layer has its own product.
// CHECK-LABEL: func.func @layers(
func.func @layers(%x: tensor<1x3x5xf64>) -> tensor<1x3x5xf64> {
  %0 = linnet.stack [@layer] order [0, 0] carry(%x) : (tensor<1x3x5xf64>) -> tensor<1x3x5xf64>
  return %0 : tensor<1x3x5xf64>
}
// CHECK-LABEL: func.func private @layer(
// CHECK-SAME: [[X:%.*]]: tensor<1x3x5xf64>, [[LAYER:%.*]]: index
// CHECK-NEXT: [[W:%.*]] = linnet.weight "layers.{}.b.joined"{{\[}}[[LAYER]]] : tensor<5x5xf64>
// CHECK-NEXT: linnet.linear #linnet.dense [[X]], [[W]] : (
func.func private @layer(%x: tensor<1x3x5xf64>, %layer: index) -> tensor<1x3x5xf64> {
  %a = linnet.weight "layers.{}.a"[%layer] : tensor<7x5xf64>
  %b = linnet.weight "layers.{}.b"[%layer] : tensor<5x7xf64>
  %0 = linnet.linear #linnet.dense %x, %a : (tensor<1x3x5xf64>, tensor<7x5xf64>) -> tensor<1x3x7xf64>
  %1 = linnet.linear #linnet.dense %0, %b : (tensor<1x3x7xf64>, tensor<5x7xf64>) -> tensor<1x3x5xf64>
  return %1 : tensor<1x3x5xf64>
}

// A factorisation stays.
// CHECK-LABEL: func.func @factors(
// CHECK-COUNT-2: linnet.linear
// REMARK: maps kept{{.*}}together they have 160 bytes, their product 200
func.func @factors(%x: tensor<1x3x5xf64>) -> tensor<1x3x5xf64> {
  %a = linnet.weight "narrow" : tensor<2x5xf64>
  %b = linnet.weight "wide" : tensor<5x2xf64>
  %0 = linnet.linear #linnet.dense %x, %a : (tensor<1x3x5xf64>, tensor<2x5xf64>) -> tensor<1x3x2xf64>
  %1 = linnet.linear #linnet.dense %0, %b : (tensor<1x3x2xf64>, tensor<5x2xf64>) -> tensor<1x3x5xf64>
  return %1 : tensor<1x3x5xf64>
}

// What is between is needed.
// CHECK-LABEL: func.func @shared(
// CHECK-COUNT-2: linnet.linear
// REMARK: maps kept{{.*}}the output between them goes elsewhere, too
func.func @shared(%x: tensor<1x3x5xf64>) -> (tensor<1x3x6xf64>, tensor<1x3x4xf64>) {
  %a = linnet.weight "a" : tensor<6x5xf64>
  %b = linnet.weight "b" : tensor<6x4xf64>
  %0 = linnet.linear #linnet.dense %x, %a : (tensor<1x3x5xf64>, tensor<6x5xf64>) -> tensor<1x3x6xf64>
  %1 = linnet.linear #linnet.dense<in_out> %0, %b : (tensor<1x3x6xf64>, tensor<6x4xf64>) -> tensor<1x3x4xf64>
  return %0, %1 : tensor<1x3x6xf64>, tensor<1x3x4xf64>
}

// An argument is no weight, neither as a matrix nor as a bias.
// CHECK-LABEL: func.func @arguments(
// CHECK-COUNT-2: linnet.linear
// REMARK: maps kept{{.*}}one of them is no dense map of a weight
func.func @arguments(%x: tensor<1x3x5xf64>, %a: tensor<6x5xf64>) -> tensor<1x3x4xf64> {
  %b = linnet.weight "b" : tensor<6x4xf64>
  %0 = linnet.linear #linnet.dense %x, %a : (tensor<1x3x5xf64>, tensor<6x5xf64>) -> tensor<1x3x6xf64>
  %1 = linnet.linear #linnet.dense<in_out> %0, %b : (tensor<1x3x6xf64>, tensor<6x4xf64>) -> tensor<1x3x4xf64>
  return %1 : tensor<1x3x4xf64>
}
// CHECK-LABEL: func.func @bias(
// CHECK-COUNT-2: linnet.linear
// REMARK: maps kept{{.*}}a bias is no weight
func.func @bias(%x: tensor<1x3x5xf64>, %bias: tensor<4xf64>) -> tensor<1x3x4xf64> {
  %a = linnet.weight "a" : tensor<6x5xf64>
  %b = linnet.weight "b" : tensor<6x4xf64>
  %0 = linnet.linear #linnet.dense %x, %a : (tensor<1x3x5xf64>, tensor<6x5xf64>) -> tensor<1x3x6xf64>
  %1 = linnet.linear #linnet.dense<in_out> %0, %b bias(%bias) : (tensor<1x3x6xf64>, tensor<6x4xf64>, tensor<4xf64>) -> tensor<1x3x4xf64>
  return %1 : tensor<1x3x4xf64>
}

// Layers that share a map would each need its product.
// CHECK-LABEL: func.func private @sharing(
// CHECK-COUNT-2: linnet.linear
// REMARK: maps kept{{.*}}layers share one of them
func.func private @sharing(%x: tensor<1x3x5xf64>, %layer: index) -> tensor<1x3x6xf64> {
  %a = linnet.weight "layers.{}.a"[%layer] : tensor<7x5xf64>
  %b = linnet.weight "common" : tensor<6x7xf64>
  %0 = linnet.linear #linnet.dense %x, %a : (tensor<1x3x5xf64>, tensor<7x5xf64>) -> tensor<1x3x7xf64>
  %1 = linnet.linear #linnet.dense %0, %b : (tensor<1x3x7xf64>, tensor<6x7xf64>) -> tensor<1x3x6xf64>
  return %1 : tensor<1x3x6xf64>
}
}

//--- make.py
"""make.py OUT: f64 tensors of the model, each other numbers."""
import json
import random
import struct
import sys

shapes = {"a": [6, 5], "a.bias": [6], "b": [6, 4], "b.bias": [4], "c": [4, 4], "narrow": [2, 5], "wide": [5, 2],
          "common": [6, 7]}
for layer in range(2):
    shapes |= {f"layers.{layer}.a": [7, 5], f"layers.{layer}.b": [5, 7]}
random.seed(1)
header, data = {}, b""
for name, shape in shapes.items():
    count = shape[0] * (shape[1] if len(shape) > 1 else 1)
    header[name] = {"dtype": "F64", "shape": shape, "data_offsets": [len(data), len(data) + 8 * count]}
    data += struct.pack(f"<{count}d", *(random.gauss(0, 1) for _ in range(count)))
text = json.dumps(header).encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(text)) + text + data)

//--- names.py
"""The tensors of a joined model: `c` and both maps of layers went; @shared and
others still name `a` and `b`, and @sharing the first of each layer."""
import json
import struct
import sys

data = open(sys.argv[1], "rb").read()
names = set(json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])) - {"__metadata__"}
assert names == {"a", "b", "c.joined", "c.joined.bias", "layers.0.b.joined", "layers.1.b.joined", "narrow", "wide",
                 "common"}, names
