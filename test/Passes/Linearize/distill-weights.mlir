// Filters that are weights: the modes go into an archive, for each layer that
// has the filter, and the model computes what it did before.
//
// RUN: rm -rf %t && mkdir -p %t
// RUN: %python %S/Inputs/make-filters.py %t/model.safetensors
// RUN: sed 's|ARCHIVE|%t/model.safetensors|' %s > %t/model.mlir
// RUN: linnet-opt %t/model.mlir --linnet-distill-convolution="archive=%t/distilled.safetensors" -o %t/distilled.mlir --remarks-filter="linnet-distill-convolution" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: FileCheck %s < %t/distilled.mlir
// RUN: linnet-run run %t/model.mlir --function=forward --archive=%t/model.safetensors --input=random:2x150x6:1 --output=%t/expected.npy --threads=1
// RUN: linnet-run run %t/distilled.mlir --function=forward --archive=%t/distilled.safetensors --input=random:2x150x6:1 --expected=%t/expected.npy --tolerance=1e-4
//
// Without an archive to write, modes are constants, which layers cannot share.
// RUN: linnet-opt %t/model.mlir --linnet-distill-convolution -o %t/constants.mlir --remarks-filter="linnet-distill-convolution" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=CONSTANT
// CONSTANT: distilled | {{.*}}200 taps as 2 complex modes
// CONSTANT: not distilled | {{.*}}its filter differs from layer to layer, which constants cannot (option archive)
// RUN: linnet-run run %t/constants.mlir --function=forward --archive=%t/model.safetensors --input=random:2x150x6:1 --expected=%t/expected.npy --tolerance=1e-4
//
// Files that cannot be read or written, and shapes that the archive does not
// have.
// RUN: not linnet-opt %t/model.mlir --linnet-distill-convolution="archive=%t/no/such/folder.safetensors" -o %t/none.mlir 2>&1 | FileCheck %s --check-prefix=UNWRITABLE
// UNWRITABLE: error: {{.*}}no/such
// RUN: not linnet-opt %t/model.mlir --linnet-distill-convolution="archive=%t/model.safetensors" -o %t/none.mlir 2>&1 | FileCheck %s --check-prefix=SAME
// SAME: error: {{.*}}model.safetensors
// RUN: sed 's|ARCHIVE|%t/missing.safetensors|' %s > %t/missing.mlir
// RUN: linnet-opt %t/missing.mlir --linnet-distill-convolution -o /dev/null --remarks-filter="linnet-distill-convolution" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: not distilled | {{.*}}missing.safetensors
// RUN: sed 's|3x200|3x100|g; s|199x6|99x6|g' %t/model.mlir > %t/shape.mlir
// RUN: linnet-opt %t/shape.mlir --linnet-distill-convolution -o /dev/null --remarks-filter="linnet-distill-convolution" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=SHAPE
// SHAPE: not distilled | {{.*}}[3, 200]

// REMARK: distilled | {{.*}}200 taps as 2 complex modes", RelativeError={{[0-9.]+}}e-0{{[4-9]}}
// REMARK: distilled | {{.*}}200 taps as 2 complex modes", RelativeError={{[0-9.]+}}e-0{{[4-9]}}
// CHECK: linnet.archive = "{{.*}}distilled.safetensors"
// CHECK-DAG: linnet.weight "filter.decay" : tensor<1x1x3x2xf32>
// CHECK-DAG: linnet.weight "filter.query" : tensor<1x1x3x4xf32>
// CHECK-DAG: linnet.weight "filter.direct" : tensor<6xf32>
// CHECK-LABEL: func.func private @layer(
// CHECK: linnet.weight "layers.{}.filter.angle"[%{{.*}}] : tensor<1x1x3x2xf32>
// CHECK-NOT: linnet.long_conv
// CHECK: return
module attributes {linnet.archive = "ARCHIVE"} {
  func.func @forward(%x: tensor<2x150x6xf32>) -> tensor<2x150x6xf32> {
    %h = linnet.weight "filter" : tensor<3x200xf32>
    %0, %t = linnet.long_conv %x, %h : (tensor<2x150x6xf32>, tensor<3x200xf32>) -> (tensor<2x150x6xf32>, tensor<2x199x6xf32>)
    %1 = linnet.stack [@layer, @other] order [0, 1, 0] carry(%0) : (tensor<2x150x6xf32>) -> tensor<2x150x6xf32>
    return %1 : tensor<2x150x6xf32>
  }
  func.func private @other(%x: tensor<2x150x6xf32>, %layer: index) -> tensor<2x150x6xf32> {
    %0 = arith.negf %x : tensor<2x150x6xf32>
    return %0 : tensor<2x150x6xf32>
  }
  func.func private @layer(%x: tensor<2x150x6xf32>, %layer: index) -> tensor<2x150x6xf32> {
    %h = linnet.weight "layers.{}.filter"[%layer] : tensor<3x200xf32>
    %0, %t = linnet.long_conv %x, %h : (tensor<2x150x6xf32>, tensor<3x200xf32>) -> (tensor<2x150x6xf32>, tensor<2x199x6xf32>)
    return %0 : tensor<2x150x6xf32>
  }
}
