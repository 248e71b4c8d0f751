// Recurrences become one node each; views only where ONNX's layout is another.
//
// RUN: rm -rf %t && mkdir %t
// RUN: linnet-export %s --function=plain -o %t/plain.onnx
// RUN: protoc --decode=linnet.onnx.ModelProto -I %source/lib/Onnx Onnx.proto < %t/plain.onnx | FileCheck %s
// RUN: linnet-export %s --function=shared -o %t/shared.onnx
// RUN: protoc --decode=linnet.onnx.ModelProto -I %source/lib/Onnx Onnx.proto < %t/shared.onnx | FileCheck %s --check-prefix=SHARED
// RUN: linnet-export %s --function=chain -o %t/chain.onnx
// RUN: protoc --decode=linnet.onnx.ModelProto -I %source/lib/Onnx Onnx.proto < %t/chain.onnx | FileCheck %s --check-prefix=CHAIN
//
// RUN: linnet-export %s --function=grouped -o %t/grouped.onnx
// RUN: protoc --decode=linnet.onnx.ModelProto -I %source/lib/Onnx Onnx.proto < %t/grouped.onnx | FileCheck %s --check-prefix=GROUPED
//
// What was exported means what it meant.
// RUN: linnet-import %t/grouped.onnx -o %t/grouped.mlir
// RUN: linnet-run run %s --reference --function=grouped --input=random:2x5x2x8:1 --input=random:2x5x4x6:2 --input=-0.5 --output=@%t/g.npy --output=@%t/h.npy
// RUN: linnet-run run %t/grouped.mlir --reference --function=main --input=random:2x5x2x8:1 --input=random:2x5x4x6:2 --input=-0.5 --expected=@%t/g.npy --expected=@%t/h.npy --tolerance=1e-14
// RUN: linnet-import %t/plain.onnx -o %t/plain.mlir
// RUN: linnet-run run %s --reference --function=plain --input=random:2x5x4x8:1 --input=random:2x5x4x8:2 --input=random:2x5x4x6:3 --input=random:2x5x4:4 --input=random:2x5x1:5 --output=@%t/o.npy --output=@%t/s.npy
// RUN: linnet-run run %t/plain.mlir --reference --function=main --input=random:2x5x4x8:1 --input=random:2x5x4x8:2 --input=random:2x5x4x6:3 --input=random:2x5x4:4 --input=random:2x5x1:5 --expected=@%t/o.npy --expected=@%t/s.npy --tolerance=1e-7
// RUN: linnet-import %t/chain.onnx -o %t/chain.mlir
// RUN: linnet-run run %s --reference --function=chain --input=random:2x5x24:1 --output=@%t/c.npy --output=@%t/d.npy --output=@%t/e.npy
// RUN: linnet-run run %t/chain.mlir --reference --function=main --input=random:2x5x24:1 --expected=@%t/c.npy --expected=@%t/d.npy --expected=@%t/e.npy --tolerance=1e-14
//
// The same file every time, also by way of bytecode.
// RUN: linnet-opt %s --emit-bytecode -o %t/x.mlirbc && linnet-export %t/x.mlirbc --function=chain -o - | cmp - %t/chain.onnx

// CHECK: ir_version: 13
// CHECK: producer_name: "linnet"
// CHECK: op_type: "Reshape"
// CHECK: op_type: "Reshape"
// CHECK: op_type: "Reshape"
// CHECK: input: "packed"
// CHECK-NEXT: input: "packed_1"
// CHECK-NEXT: input: "packed_2"
// CHECK-NEXT: input: ""
// CHECK-NEXT: input: "input_3"
// CHECK-NEXT: input: "b"
// CHECK-NEXT: output: "attention_output"
// CHECK-NEXT: output: "output_1"
// CHECK-NEXT: name: "attention"
// CHECK-NEXT: op_type: "LinearAttention"
// CHECK: name: "q_num_heads"
// CHECK-NEXT: i: 4
// CHECK: name: "kv_num_heads"
// CHECK-NEXT: i: 4
// CHECK: name: "update_rule"
// CHECK-NEXT: s: "gated_delta"
// CHECK: name: "scale"
// CHECK-NEXT: f: 0.3
// CHECK: op_type: "Reshape"
// CHECK: name: "plain"
// CHECK: dim_param: "batch"
// CHECK: dim_param: "time"
// CHECK: opset_import
// CHECK: version: 27
func.func @plain(%q: tensor<?x?x4x8xf32>, %k: tensor<?x?x4x8xf32>, %v: tensor<?x?x4x6xf32>, %g: tensor<?x?x4xf32>, %bt: tensor<?x?x1xf32> {linnet.name = "b"}) -> (tensor<?x?x4x6xf32>, tensor<?x4x8x6xf32>) {
  %o, %s = linnet.scan #linnet.delta<scalar>(%bt, %g) %q, %k, %v {scale = 0.3 : f64} : (tensor<?x?x4x8xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4x6xf32>, tensor<?x?x1xf32>, tensor<?x?x4xf32>) -> (tensor<?x?x4x6xf32>, tensor<?x4x8x6xf32>) loc("attention")
  return %o, %s : tensor<?x?x4x6xf32>, tensor<?x4x8x6xf32>
}

// The usual scale is ONNX's default; a weight without an archive is a constant here.
// Both outputs are written, whatever is used.
// SHARED: output: "output_0"
// SHARED-NEXT: output: "CausalConvWithState_state"
// SHARED: op_type: "CausalConvWithState"
// SHARED-NOT: attribute
// SHARED: initializer
// SHARED-NEXT: dims: 3
// SHARED-NEXT: dims: 1
// SHARED-NEXT: dims: 2
// SHARED-NEXT: data_type: 1
// SHARED-NOT: op_type
func.func @shared(%x: tensor<2x3x5xf32>) -> tensor<?x3x5xf32> {
  %w = arith.constant dense<0.5> : tensor<3x1x2xf32>
  %e = tensor.empty() : tensor<2x5x3xf32>
  %t = linalg.transpose ins(%x : tensor<2x3x5xf32>) outs(%e : tensor<2x5x3xf32>) permutation = [0, 2, 1]
  %c, %s = linnet.short_conv %t, %w : (tensor<2x5x3xf32>, tensor<3x1x2xf32>) -> (tensor<2x5x3xf32>, tensor<2x1x3xf32>)
  %f = tensor.empty() : tensor<2x3x5xf32>
  %y = linalg.transpose ins(%c : tensor<2x5x3xf32>) outs(%f : tensor<2x3x5xf32>) permutation = [0, 2, 1]
  %z = tensor.cast %y : tensor<2x3x5xf32> to tensor<?x3x5xf32>
  return %z : tensor<?x3x5xf32>
}

// More heads of values than of queries: ONNX Runtime's operator.
// GROUPED: op_type: "LinearAttention"
// GROUPED: name: "q_num_heads"
// GROUPED-NEXT: i: 2
// GROUPED: name: "kv_num_heads"
// GROUPED-NEXT: i: 4
// GROUPED: s: "gated"
// GROUPED: domain: "com.microsoft"
// GROUPED: opset_import
// GROUPED: opset_import
// GROUPED-NEXT: domain: "com.microsoft"
// GROUPED-NEXT: version: 1
func.func @grouped(%x: tensor<2x5x2x8xf32>, %v: tensor<2x5x4x6xf32>, %g: tensor<2x5x4xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x8x6xf32>) {
  %o, %s = linnet.scan #linnet.scalar(%g) %x, %x, %v : (tensor<2x5x2x8xf32>, tensor<2x5x2x8xf32>, tensor<2x5x4x6xf32>, tensor<2x5x4xf32>) -> (tensor<2x5x4x6xf32>, tensor<2x4x8x6xf32>)
  return %o, %s : tensor<2x5x4x6xf32>, tensor<2x4x8x6xf32>
}

// One recurrence after the other, results that are returned twice, arguments
// that are returned.
// CHAIN: op_type: "Transpose"
// CHAIN: op_type: "CausalConvWithState"
// CHAIN: op_type: "Transpose"
// CHAIN: op_type: "LinearAttention"
// CHAIN: op_type: "LinearAttention"
// CHAIN: op_type: "Identity"
// CHAIN: op_type: "Identity"
func.func @chain(%x: tensor<?x?x24xf32>) -> (tensor<?x?x24xf32>, tensor<?x?x24xf32>, tensor<?x?x24xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x24xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?x24xf32>
  %w = arith.constant dense<0.5> : tensor<24x1x3xf32>
  %c, %tail = linnet.short_conv %x, %w {activation = #linnet.activation<silu>} : (tensor<?x?x24xf32>, tensor<24x1x3xf32>) -> (tensor<?x?x24xf32>, tensor<?x2x24xf32>)
  %h = tensor.expand_shape %c [[0], [1], [2, 3]] output_shape [%b, %n, 4, 6] : tensor<?x?x24xf32> into tensor<?x?x4x6xf32>
  %o, %s = linnet.scan #linnet.none %h, %h, %h : (tensor<?x?x4x6xf32>, tensor<?x?x4x6xf32>, tensor<?x?x4x6xf32>) -> (tensor<?x?x4x6xf32>, tensor<?x4x6x6xf32>)
  %p, %t = linnet.scan #linnet.none %h, %h, %o initial(%s) : (tensor<?x?x4x6xf32>, tensor<?x?x4x6xf32>, tensor<?x?x4x6xf32>, tensor<?x4x6x6xf32>) -> (tensor<?x?x4x6xf32>, tensor<?x4x6x6xf32>)
  %y = tensor.collapse_shape %p [[0], [1], [2, 3]] : tensor<?x?x4x6xf32> into tensor<?x?x24xf32>
  return %y, %y, %x : tensor<?x?x24xf32>, tensor<?x?x24xf32>, tensor<?x?x24xf32>
}
