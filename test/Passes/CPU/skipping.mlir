// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu="vector-bits=256" --canonicalize | FileCheck %s
// RUN: linnet-opt %s --split-input-file --linnet-lower-cpu --remarks-filter-missed=linnet-lower-cpu --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:

// One row: a list without branches, and panels by it.
// CHECK: key = "w", layout = {kind = "panel", transposed = false, width = 16 : i64}
module {
  // CHECK-LABEL: func private @kernel_linear_skipping_0
  // CHECK: %[[COUNT:.*]] = scf.for %{{.*}} = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[SO_FAR:.*]] = %{{.*}}) -> (index)
  // CHECK: %[[COUNTS:.*]] = arith.cmpf une
  // CHECK: memref.store %{{.*}}, %[[LIST:.*]][%[[SO_FAR]]] : memref<40xi32>
  // CHECK: arith.addi %[[SO_FAR]]
  // CHECK: %[[READS_ALL:.*]] = arith.cmpi sgt, %[[COUNT]], %{{.*}} : index
  // CHECK: scf.if %[[READS_ALL]]
  // CHECK: vector.fma
  // CHECK: } else {
  // CHECK: scf.for %{{.*}} to %[[COUNT]]
  // CHECK: memref.load %[[LIST]]
  // CHECK: memref.prefetch
  // CHECK: vector.fma
  // CHECK: return
  func.func @one_row(%x: tensor<1x1x40xf32>) -> tensor<1x1x70xf32> attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
    %w = linnet.weight "w" : tensor<70x40xf32>
    %y = linnet.linear #linnet.dense %x, %w {skips_zeros} : (tensor<1x1x40xf32>, tensor<70x40xf32>) -> tensor<1x1x70xf32>
    return %y : tensor<1x1x70xf32>
  }
}

// -----

// Many rows read the same panels, all of them.
// CHECK: key = "w", layout = {kind = "panel", transposed = false, width = 16 : i64}
// CHECK-NOT: kernel_linear_skipping
// CHECK: func private @kernel_linear_0
module {
  func.func @many_rows(%x: tensor<1x?x40xf32>) -> tensor<1x?x70xf32> attributes {linnet.phase = "function", linnet.max_tokens = 9 : i64} {
    %w = linnet.weight "w" : tensor<70x40xf32>
    %y = linnet.linear #linnet.dense %x, %w {skips_zeros} : (tensor<1x?x40xf32>, tensor<70x40xf32>) -> tensor<1x?x70xf32>
    return %y : tensor<1x?x70xf32>
  }
}

// -----

// REMARK: remark: [Missed] zeros read {{.*}}Reason="expected at most 6 rows to skip what is zero in all of them, but got 7"
// CHECK-NOT: kernel_linear_skipping
// CHECK: func private @kernel_linear_row_0
module {
  func.func @more_sequences_than_a_tile(%x: tensor<7x40xf32>) -> tensor<7x70xf32> attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
    %w = linnet.weight "w" : tensor<70x40xf32>
    %y = linnet.linear #linnet.dense %x, %w {skips_zeros} : (tensor<7x40xf32>, tensor<70x40xf32>) -> tensor<7x70xf32>
    return %y : tensor<7x70xf32>
  }
}

// -----

// CHECK-LABEL: func private @kernel_threshold_0
// CHECK: math.absf %{{.*}} : vector<8xf32>
// CHECK: arith.cmpf ole
// CHECK: arith.select
// CHECK: return
module {
  func.func @threshold(%x: tensor<1x1x40xf32>) -> tensor<1x1x40xf32> attributes {linnet.phase = "function", linnet.max_tokens = 1 : i64} {
    %t = linnet.weight "t" : tensor<40xbf16>
    %y = linnet.threshold %x, %t : (tensor<1x1x40xf32>, tensor<40xbf16>) -> tensor<1x1x40xf32>
    return %y : tensor<1x1x40xf32>
  }
}
