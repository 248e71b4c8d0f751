// Blocks of an LSTM and of the sLSTM (Beck et al. 2024): several states, one of
// them a stabiliser, weights by layer inside the cell, batches of one and more,
// a single token and many, both directions.
//
// RUN: linnet-run run %s --function=lstm --archive=%oracle/hf/llama --compare-reference --threads=1 --input=random:1x1x32:1 | FileCheck %s
// RUN: linnet-run run %s --function=lstm --archive=%oracle/hf/llama --compare-reference --threads=2 --input=random:1x9x32:1 | FileCheck %s
// RUN: linnet-run run %s --function=lstm --archive=%oracle/hf/llama --compare-reference --threads=3 --input=random:3x8x32:1 | FileCheck %s
// RUN: linnet-run run %s --function=slstm --archive=%oracle/hf/llama --compare-reference --threads=2 --input=random:1x17x32:1 | FileCheck %s --check-prefix=SLSTM
// RUN: linnet-run run %s --function=slstm --archive=%oracle/hf/llama --compare-reference --threads=2 --input=random:3x6x32:1 | FileCheck %s --check-prefix=SLSTM

// CHECK-COUNT-3: relative RMS error
// SLSTM-COUNT-1: relative RMS error

!x = tensor<?x?x32xf32>
!h = tensor<?x32xf32>
!y = tensor<?x?x40xf32>
!g = tensor<?x40xf32>
!in = tensor<40x32xf32>
!out = tensor<32x40xf32>
#same = affine_map<(b, j) -> (b, j)>

func.func private @lstm_cell(%xi: !h, %xf: !h, %xz: !h, %xo: !h, %layer: index, %h: !h, %c: !h) -> (!h, !h, !h) {
  %wq = linnet.weight "model.layers.{}.self_attn.q_proj.weight"[%layer] : !in
  %wo = linnet.weight "model.layers.{}.self_attn.o_proj.weight"[%layer] : !out
  %q = linnet.linear #linnet.dense %h, %wq : (!h, !in) -> !g
  %r = linnet.linear #linnet.dense %q, %wo : (!g, !out) -> !h
  %i0 = arith.addf %xi, %r : !h
  %i = linnet.activation sigmoid %i0 : !h
  %f = linnet.activation sigmoid %xf : !h
  %z0 = arith.addf %xz, %r : !h
  %z = math.tanh %z0 : !h
  %o = linnet.activation sigmoid %xo : !h
  %written = arith.mulf %i, %z : !h
  %kept = arith.mulf %f, %c : !h
  %c1 = arith.addf %kept, %written : !h
  %read = math.tanh %c1 : !h
  %h1 = arith.mulf %o, %read : !h
  return %h1, %h1, %c1 : !h, !h, !h
}

func.func private @lstm_layer(%x: !x, %layer: index) -> !x {
  %wu = linnet.weight "model.layers.{}.mlp.up_proj.weight"[%layer] : !in
  %wd = linnet.weight "model.layers.{}.mlp.down_proj.weight"[%layer] : !out
  %v = linnet.linear #linnet.dense %x, %wu : (!x, !in) -> !y
  %u = linnet.linear #linnet.dense %v, %wd : (!y, !out) -> !x
  %y, %h, %c = linnet.recurrence @lstm_cell(%x, %u, %u, %x) invariant(%layer)
    : (!x, !x, !x, !x, index) -> !x state(!h, !h)
  %back, %h1, %c1 = linnet.recurrence @lstm_cell(%u, %x, %u, %x) invariant(%layer) initial(%c, %h) {reverse}
    : (!x, !x, !x, !x, index, !h, !h) -> !x state(!h, !h)
  %r = arith.addf %y, %back : !x
  return %r : !x
}

func.func private @step(%x: !h, %h: !h) -> (!h, !h) {
  %h1 = arith.addf %x, %h : !h
  return %h, %h1 : !h, !h
}

func.func @lstm(%x: !x) -> (!x, !x, !h) {
  %0 = linnet.stack [@lstm_layer] order [0, 0] carry(%x) : (!x) -> !x
  // A state that is an output as well, one token late.
  %sum, %last = linnet.recurrence @step(%0) : (!x) -> !x state(!h)
  return %0, %sum, %last : !x, !x, !h
}

// With all zeros the state is empty: the stabiliser starts at the first gate.
func.func private @slstm_cell(%xi: !h, %xf: !h, %xz: !h, %xo: !h, %layer: index, %h: !h, %c: !h, %n: !h, %m: !h) -> (!h, !h, !h, !h, !h) {
  %wq = linnet.weight "model.layers.{}.self_attn.q_proj.weight"[%layer] : !in
  %wo = linnet.weight "model.layers.{}.self_attn.o_proj.weight"[%layer] : !out
  %wd = linnet.weight "model.layers.{}.mlp.down_proj.weight"[%layer] : !out
  %q = linnet.linear #linnet.dense %h, %wq : (!h, !in) -> !g
  %ri = linnet.linear #linnet.dense %q, %wo : (!g, !out) -> !h
  %rz = linnet.linear #linnet.dense %q, %wd : (!g, !out) -> !h
  %h1, %c1, %n1, %m1 = linalg.generic {indexing_maps = [#same, #same, #same, #same, #same, #same, #same, #same, #same, #same, #same, #same, #same],
                                       iterator_types = ["parallel", "parallel"]}
    ins(%xi, %ri, %xf, %ri, %xz, %rz, %xo, %c, %n : !h, !h, !h, !h, !h, !h, !h, !h, !h) outs(%m, %m, %m, %m : !h, !h, !h, !h) {
  ^bb0(%i0: f32, %i1: f32, %f0: f32, %f1: f32, %z0: f32, %z1: f32, %o0: f32, %cb: f32, %nb: f32, %a: f32, %b: f32, %d: f32, %mb: f32):
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %li = arith.addf %i0, %i1 : f32
    %fs = arith.addf %f0, %f1 : f32
    // log sigmoid(f)
    %fn = arith.negf %fs : f32
    %fe = math.exp %fn : f32
    %fl = math.log1p %fe : f32
    %lf = arith.negf %fl : f32
    %past = arith.addf %lf, %mb : f32
    %most = arith.maximumf %past, %li : f32
    %empty = arith.cmpf oeq, %nb, %zero : f32
    %m2 = arith.select %empty, %li, %most : f32
    %id = arith.subf %li, %m2 : f32
    %i = math.exp %id : f32
    %fd = arith.subf %past, %m2 : f32
    %fx = math.exp %fd : f32
    %f = arith.select %empty, %zero, %fx : f32
    %zs = arith.addf %z0, %z1 : f32
    %z = math.tanh %zs : f32
    %on = arith.negf %o0 : f32
    %oe = math.exp %on : f32
    %od = arith.addf %one, %oe : f32
    %cf = arith.mulf %f, %cb : f32
    %ci = arith.mulf %i, %z : f32
    %c2 = arith.addf %cf, %ci : f32
    %nf = arith.mulf %f, %nb : f32
    %n2 = arith.addf %nf, %i : f32
    %y = arith.divf %c2, %n2 : f32
    %h2 = arith.divf %y, %od : f32
    linalg.yield %h2, %c2, %n2, %m2 : f32, f32, f32, f32
  } -> (!h, !h, !h, !h)
  return %h1, %h1, %c1, %n1, %m1 : !h, !h, !h, !h, !h
}

func.func private @slstm_layer(%x: !x, %layer: index) -> !x {
  %g = linnet.weight "model.layers.{}.input_layernorm.weight"[%layer] : tensor<32xf32>
  %wu = linnet.weight "model.layers.{}.mlp.up_proj.weight"[%layer] : !in
  %wd = linnet.weight "model.layers.{}.mlp.down_proj.weight"[%layer] : !out
  %n = linnet.norm rms %x weight(%g) {eps = 1.0e-5 : f64} : (!x, tensor<32xf32>) -> !x
  %v = linnet.linear #linnet.dense %n, %wu : (!x, !in) -> !y
  %u = linnet.linear #linnet.dense %v, %wd : (!y, !out) -> !x
  %y, %h, %c, %d, %m = linnet.recurrence @slstm_cell(%n, %u, %u, %n) invariant(%layer)
    : (!x, !x, !x, !x, index) -> !x state(!h, !h, !h, !h)
  %r = arith.addf %x, %y : !x
  return %r : !x
}

func.func @slstm(%x: !x) -> !x {
  %y = linnet.stack [@slstm_layer] order [0, 0] carry(%x) : (!x) -> !x
  return %y : !x
}
