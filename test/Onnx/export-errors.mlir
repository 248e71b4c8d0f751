// What ONNX cannot say is refused by the name of the operation; nothing is
// written.
//
// DEFINE: %{function} =
// DEFINE: %{fails} = not linnet-export %s --function=%{function} -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=%{function}
// RUN: rm -rf %t && mkdir %t
//
// REDEFINE: %{function} = norm
// RUN: %{fails}
// norm: linnet-export: error: cannot export {{.*}}: 'linnet.norm' of 'the norm': is not an operation that ONNX export knows: expected linnet.scan, linnet.short_conv and views of tensors
// REDEFINE: %{function} = complex
// RUN: %{fails}
// complex: 'linnet.scan': expected transition none, scalar, diagonal or delta, as LinearAttention has them, but got #linnet.complex
// REDEFINE: %{function} = reverse
// RUN: %{fails}
// reverse: 'linnet.scan': expected a forward scan that reads the state after the token, as LinearAttention does, but got reverse
// REDEFINE: %{function} = micro_steps
// RUN: %{fails}
// micro_steps: 'linnet.scan': expected one step per token, as LinearAttention has it, but got 2
// REDEFINE: %{function} = resets
// RUN: %{fails}
// resets: 'linnet.scan': expected no resets, as LinearAttention has none
// REDEFINE: %{function} = pre
// RUN: %{fails}
// pre: 'linnet.scan': expected a forward scan {{.*}}, but got readout pre
// REDEFINE: %{function} = scale
// RUN: %{fails}
// scale: 'linnet.scan': expected a finite scale other than 0, but got 0
// REDEFINE: %{function} = invariant
// RUN: %{fails}
// invariant: 'linnet.scan': expected a decay tensor<2x5x4xf32> beside these values, since LinearAttention broadcasts nothing along batch and time, but got tensor<1x1x4xf32>
// REDEFINE: %{function} = double
// RUN: %{fails}
// double: 'linnet.scan': expected f32, f16 or bf16, but got f64
// REDEFINE: %{function} = gelu
// RUN: %{fails}
// gelu: 'linnet.short_conv': expected activation identity or silu, as CausalConvWithState has them, but got gelu
// REDEFINE: %{function} = slice
// RUN: %{fails}
// slice: 'tensor.extract_slice': is not a view that ONNX export knows: expected reshapes, transpositions and casts between floats
// REDEFINE: %{function} = weight
// RUN: %{fails}
// weight: 'linnet.weight': expected the module to name the archive of 'w', but got none
// REDEFINE: %{function} = index
// RUN: %{fails}
// index: @index: expected tensors of a type that ONNX has, but got index
// REDEFINE: %{function} = none
// RUN: %{fails}
// none: expected a function of @norm, @complex, {{.*}}, but got 'none'
//
// RUN: not linnet-export %s -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=WHICH
// WHICH: expected a function of @norm, {{.*}}, but got none (--function=NAME)
// RUN: not linnet-export %t/none.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: linnet-export: error: cannot {{.*}}none.mlir': no such file or directory
// RUN: not linnet-export %oracle/hf/llama -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=MODEL
// MODEL: expected tensors of a type that ONNX has, but got index
// RUN: ls -A %t | count 0

!h = tensor<2x5x4x8xf32>
!s = tensor<2x4x8x8xf32>
func.func @norm(%x: !h) -> !h {
  %y = linnet.norm l2 %x {eps = 1.0e-6 : f64} : (!h) -> !h loc("the norm")
  return %y : !h
}
func.func @complex(%x: !h, %g: tensor<2x5x4x4xf32>) -> !h {
  %o, %s = linnet.scan #linnet.complex(%g, %g) %x, %x, %x : (!h, !h, !h, tensor<2x5x4x4xf32>, tensor<2x5x4x4xf32>) -> (!h, !s)
  return %o : !h
}
func.func @micro_steps(%x: !h, %v: tensor<2x5x8x8xf32>) -> !h {
  %o, %s = linnet.scan #linnet.none %x, %v, %v {micro_steps = 2 : i64} : (!h, tensor<2x5x8x8xf32>, tensor<2x5x8x8xf32>) -> (!h, !s)
  return %o : !h
}
func.func @resets(%x: !h, %r: tensor<2x5xi32>) -> !h {
  %o, %s = linnet.scan #linnet.none %x, %x, %x resets(%r) : (!h, !h, !h, tensor<2x5xi32>) -> (!h, !s)
  return %o : !h
}
func.func @reverse(%x: !h) -> !h {
  %o, %s = linnet.scan #linnet.none %x, %x, %x {reverse} : (!h, !h, !h) -> (!h, !s)
  return %o : !h
}
func.func @pre(%x: !h) -> !h {
  %o, %s = linnet.scan #linnet.none %x, %x, %x {readout = #linnet.readout<pre>} : (!h, !h, !h) -> (!h, !s)
  return %o : !h
}
func.func @scale(%x: !h) -> !h {
  %o, %s = linnet.scan #linnet.none %x, %x, %x {scale = 0.0 : f64} : (!h, !h, !h) -> (!h, !s)
  return %o : !h
}
func.func @invariant(%x: !h, %g: tensor<1x1x4xf32>) -> !h {
  %o, %s = linnet.scan #linnet.scalar(%g) %x, %x, %x : (!h, !h, !h, tensor<1x1x4xf32>) -> (!h, !s)
  return %o : !h
}
func.func @double(%x: tensor<2x5x4x8xf64>) -> tensor<2x5x4x8xf64> {
  %o, %s = linnet.scan #linnet.none %x, %x, %x : (tensor<2x5x4x8xf64>, tensor<2x5x4x8xf64>, tensor<2x5x4x8xf64>) -> (tensor<2x5x4x8xf64>, tensor<2x4x8x8xf64>)
  return %o : tensor<2x5x4x8xf64>
}
func.func @gelu(%x: tensor<2x5x3xf32>, %w: tensor<3x1x2xf32>) -> tensor<2x5x3xf32> {
  %y, %t = linnet.short_conv %x, %w {activation = #linnet.activation<gelu>} : (tensor<2x5x3xf32>, tensor<3x1x2xf32>) -> (tensor<2x5x3xf32>, tensor<2x1x3xf32>)
  return %y : tensor<2x5x3xf32>
}
func.func @slice(%x: tensor<2x5x3xf32>, %w: tensor<3x1x2xf32>) -> tensor<2x1x3xf32> {
  %s = tensor.extract_slice %x [0, 0, 0] [2, 1, 3] [1, 1, 1] : tensor<2x5x3xf32> to tensor<2x1x3xf32>
  %y, %t = linnet.short_conv %s, %w : (tensor<2x1x3xf32>, tensor<3x1x2xf32>) -> (tensor<2x1x3xf32>, tensor<2x1x3xf32>)
  return %y : tensor<2x1x3xf32>
}
func.func @weight(%x: tensor<2x5x3xf32>) -> tensor<2x5x3xf32> {
  %w = linnet.weight "w" : tensor<3x1x2xf32>
  %y, %t = linnet.short_conv %x, %w : (tensor<2x5x3xf32>, tensor<3x1x2xf32>) -> (tensor<2x5x3xf32>, tensor<2x1x3xf32>)
  return %y : tensor<2x5x3xf32>
}
func.func @index(%x: index) {
  return
}
