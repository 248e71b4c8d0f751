// MesaNet (von Oswald et al. 2025): o = Hkv^T (Hkk + diag(lambda))^{-1} q, where
// Hkk and Hkv decay by e^g and gain beta k k^T and beta k v^T. The solve is
// conjugate gradients for all tokens at once, whose only products with Hkk are
// reads of its recurrence with the search direction as query. K rows take K
// steps, and two more for their rounding.

#all = affine_map<(b, t, h, d) -> (b, t, h, d)>
#head = affine_map<(b, t, h, d) -> (b, t, h)>
#lambda = affine_map<(b, t, h, d) -> (h, d)>
#row = affine_map<(b, t, h) -> (b, t, h)>
!q = tensor<2x67x2x8xf32>
!g = tensor<2x67x2xf32>
!lambda = tensor<2x8xf32>
!state = tensor<2x2x8x8xf32>

func.func private @mesa_dot(%x: !q, %y: !q) -> !g {
  %zero = arith.constant dense<0.0> : !g
  %dot = linalg.generic {indexing_maps = [#all, #all, #head], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %y : !q, !q) outs(%zero : !g) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> !g
  return %dot : !g
}

// x + factor y.
func.func private @mesa_add(%x: !q, %factor: !g, %y: !q) -> !q {
  %empty = tensor.empty() : !q
  %sum = linalg.generic {indexing_maps = [#all, #head, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %factor, %y : !q, !g, !q) outs(%empty : !q) {
  ^bb0(%a: f32, %f: f32, %b: f32, %unused: f32):
    %product = arith.mulf %f, %b : f32
    %entry = arith.addf %a, %product : f32
    linalg.yield %entry : f32
  } -> !q
  return %sum : !q
}

// x / y, 0 where a residual has vanished.
func.func private @mesa_ratio(%x: !g, %y: !g) -> !g {
  %empty = tensor.empty() : !g
  %ratio = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %y : !g, !g) outs(%empty : !g) {
  ^bb0(%a: f32, %b: f32, %unused: f32):
    %zero = arith.constant 0.0 : f32
    %quotient = arith.divf %a, %b : f32
    %solved = arith.cmpf oeq, %b, %zero : f32
    %entry = arith.select %solved, %zero, %quotient : f32
    linalg.yield %entry : f32
  } -> !g
  return %ratio : !g
}

// One step: solution, residual and direction; bk is beta k.
func.func private @mesa_step(%x: !q, %r: !q, %p: !q, %k: !q, %bk: !q, %g: !g, %lambda: !lambda, %kk0: !state)
    -> (!q, !q, !q, !state) {
  %read, %kk = linnet.scan #linnet.scalar(%g) %p, %bk, %k initial(%kk0) : (!q, !q, !q, !g, !state) -> (!q, !state)
  %empty = tensor.empty() : !q
  %image = linalg.generic {indexing_maps = [#all, #lambda, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%read, %lambda, %p : !q, !lambda, !q) outs(%empty : !q) {
  ^bb0(%a: f32, %l: f32, %b: f32, %unused: f32):
    %product = arith.mulf %l, %b : f32
    %entry = arith.addf %a, %product : f32
    linalg.yield %entry : f32
  } -> !q
  %rr = call @mesa_dot(%r, %r) : (!q, !q) -> !g
  %curvature = call @mesa_dot(%p, %image) : (!q, !q) -> !g
  %length = call @mesa_ratio(%rr, %curvature) : (!g, !g) -> !g
  %back = arith.negf %length : !g
  %x1 = call @mesa_add(%x, %length, %p) : (!q, !g, !q) -> !q
  %r1 = call @mesa_add(%r, %back, %image) : (!q, !g, !q) -> !q
  %rr1 = call @mesa_dot(%r1, %r1) : (!q, !q) -> !g
  %turn = call @mesa_ratio(%rr1, %rr) : (!g, !g) -> !g
  %p1 = call @mesa_add(%r1, %turn, %p) : (!q, !g, !q) -> !q
  return %x1, %r1, %p1, %kk : !q, !q, !q, !state
}

func.func private @mesa_net(%q: !q, %k: !q, %v: !q, %g: !g, %beta: !g, %lambda: !lambda, %kk0: !state, %kv0: !state)
    -> (!q, !state, !state) {
  %zero = arith.constant dense<0.0> : !q
  %bk = call @mesa_add(%zero, %beta, %k) : (!q, !g, !q) -> !q
  %x1, %r1, %p1, %kk1 = call @mesa_step(%zero, %q, %q, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %x2, %r2, %p2, %kk2 = call @mesa_step(%x1, %r1, %p1, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %x3, %r3, %p3, %kk3 = call @mesa_step(%x2, %r2, %p2, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %x4, %r4, %p4, %kk4 = call @mesa_step(%x3, %r3, %p3, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %x5, %r5, %p5, %kk5 = call @mesa_step(%x4, %r4, %p4, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %x6, %r6, %p6, %kk6 = call @mesa_step(%x5, %r5, %p5, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %x7, %r7, %p7, %kk7 = call @mesa_step(%x6, %r6, %p6, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %x8, %r8, %p8, %kk8 = call @mesa_step(%x7, %r7, %p7, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %x9, %r9, %p9, %kk9 = call @mesa_step(%x8, %r8, %p8, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %x10, %r10, %p10, %kk10 = call @mesa_step(%x9, %r9, %p9, %k, %bk, %g, %lambda, %kk0)
      : (!q, !q, !q, !q, !q, !g, !lambda, !state) -> (!q, !q, !q, !state)
  %o, %kv = linnet.scan #linnet.scalar(%g) %x10, %bk, %v initial(%kv0) : (!q, !q, !q, !g, !state) -> (!q, !state)
  return %o, %kk10, %kv : !q, !state, !state
}
