// A language model of two blocks of the sLSTM (Beck et al. 2024), compiled to a
// library: all tokens at once, in blocks, one by one, two texts in one step, and
// the evaluator token by token, all against the evaluator over all tokens.
//
// RUN: rm -rf %t && mkdir %t && sed 's|ARCHIVE|%oracle/hf/llama|' %s > %t/model.mlir
// RUN: linnet-run run %t/model.mlir --reference --tokens=@%oracle/hf/llama/tokens.npy --output=@%t/logits.npy
// RUN: linnet-run run %t/model.mlir --reference --tokens=@%oracle/hf/llama/tokens.npy --expected=@%t/logits.npy --prefill=5 --tolerance=1e-12
// RUN: linnet-compile %t/model.mlir -o %t/out
// RUN: linnet-run run %t/out --tokens=@%oracle/hf/llama/tokens.npy --expected=@%t/logits.npy --tolerance=2e-6 --threads=1
// RUN: linnet-run run %t/out --tokens=@%oracle/hf/llama/tokens.npy --expected=@%t/logits.npy --tolerance=2e-6 --threads=2 --prefill=5
// RUN: linnet-run run %t/out --tokens=@%oracle/hf/llama/tokens.npy --expected=@%t/logits.npy --tolerance=2e-6 --prefill=0
// RUN: linnet-compile %t/model.mlir -o %t/both --batch=2 --block-tokens=4
// RUN: linnet-run run %t/both --tokens=@%oracle/hf/llama/tokens.npy --expected=@%t/logits.npy --tolerance=2e-6 --prefill=7
// RUN: FileCheck %s < %t/out/manifest.json
// CHECK: "slstm_layer.slstm_cell.3.1"

!x = tensor<?x?x32xf32>
!y = tensor<?x?x40xf32>
!h = tensor<?x32xf32>
!g = tensor<?x40xf32>
!in = tensor<40x32xf32>
!out = tensor<32x40xf32>
#same = affine_map<(b, j) -> (b, j)>

module attributes {linnet.archive = "ARCHIVE", linnet.model = {kind = "causal-lm", model_type = "slstm", hidden_size = 32 : i64, max_context = 64 : i64, vocab_size = 96 : i64}} {
func.func @forward(%tokens: tensor<?x?xi32> {linnet.name = "tokens"}, %position: index {linnet.name = "position"}) -> (tensor<?x?x96xf32> {linnet.name = "logits"}) {
  %table = linnet.weight "model.embed_tokens.weight" : tensor<96x32xf32>
  %x = linnet.embedding %tokens, %table : (tensor<?x?xi32>, tensor<96x32xf32>) -> !x
  %y = linnet.stack [@slstm_layer] order [0, 0] carry(%x) invariant(%position) : (!x, index) -> !x
  %z = call @head(%y) : (!x) -> tensor<?x?x96xf32>
  return %z : tensor<?x?x96xf32>
}

func.func private @head(%x: !x) -> tensor<?x?x96xf32> {
  %n = linnet.weight "model.norm.weight" : tensor<32xf32>
  %w = linnet.weight "lm_head.weight" : tensor<96x32xf32>
  %y = linnet.norm rms %x weight(%n) {eps = 1.0e-5 : f64} : (!x, tensor<32xf32>) -> !x
  %z = linnet.linear #linnet.dense %y, %w : (!x, tensor<96x32xf32>) -> tensor<?x?x96xf32>
  return %z : tensor<?x?x96xf32>
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

func.func private @slstm_layer(%x: !x, %layer: index, %position: index) -> !x {
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
}
