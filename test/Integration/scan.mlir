// Every transition against the f64 evaluator: whole blocks and tails of
// columns, chunks of tokens and single ones, states given and returned.
//
// RUN: linnet-run run %s --function=transitions --compare-reference --threads=3 --input=random:1x21x3x19:1 --input=random:1x21x3x19:2 --input=random:1x21x3x44:3 --input=random:1x21x3:4 --input=random:1x21x3x19:5 --input=random:1x3x19x44:6 | FileCheck %s
// RUN: linnet-run run %s --function=shapes --compare-reference --threads=2 --input=random:2x18x2x16:1 --input=random:2x18x4x9:2 --input=random:1x1x4:3 --input=random:1x1x4x16:4 --input=random:1x1x1x16x9:5 --input=random:2x18x4x9:6 | FileCheck %s --check-prefix=SHAPES
// RUN: linnet-run run %s --function=resets --compare-reference --threads=2 --input=random:1x33x2x16:1 --input=random:1x33x2x40:2 --input=random:1x33x2:3 --input=random:1x33x2x16:4 | FileCheck %s --check-prefix=RESETS

// CHECK-COUNT-14: relative RMS error
// SHAPES-COUNT-10: relative RMS error
// RESETS-COUNT-4: relative RMS error

!qk = tensor<1x21x3x19xf32>
!v = tensor<1x21x3x44xf32>
!h = tensor<1x21x3xf32>
!s = tensor<1x3x19x44xf32>
func.func @transitions(%q0: !qk, %k0: !qk, %v: !v, %g0: !h, %d0: !qk, %s: !s) -> (!v, !s, !v, !s, !v, !s, !v, !s, !v, !s, !v, !s, !v, !s) {
  // Rows of length one keep the delta rule stable.
  %q = linnet.norm l2 %q0 {eps = 1.0e-6 : f64} : (!qk) -> !qk
  %k = linnet.norm l2 %k0 {eps = 1.0e-6 : f64} : (!qk) -> !qk
  %gp = linnet.activation softplus %g0 : !h
  %g = arith.negf %gp : !h
  %dp = linnet.activation softplus %d0 : !qk
  %d = arith.negf %dp : !qk
  %b = linnet.activation sigmoid %g0 : !h
  %o0, %s0 = linnet.scan #linnet.none %q, %k, %v initial(%s) : (!qk, !qk, !v, !s) -> (!v, !s)
  %o1, %s1 = linnet.scan #linnet.scalar(%g) %q, %k, %v initial(%s) {scale = 0.25 : f64} : (!qk, !qk, !v, !h, !s) -> (!v, !s)
  %o2, %s2 = linnet.scan #linnet.diagonal(%d) %q, %k, %v initial(%s) : (!qk, !qk, !v, !qk, !s) -> (!v, !s)
  %o3, %s3 = linnet.scan #linnet.delta<none>(%b) %q, %k, %v initial(%s) : (!qk, !qk, !v, !h, !s) -> (!v, !s)
  %o4, %s4 = linnet.scan #linnet.delta<scalar>(%b, %g) %q, %k, %v : (!qk, !qk, !v, !h, !h) -> (!v, !s)
  %o5, %s5 = linnet.scan #linnet.delta<diagonal>(%b, %d) %q, %k, %v initial(%s) : (!qk, !qk, !v, !h, !qk, !s) -> (!v, !s)
  %o6, %s6 = linnet.scan #linnet.scalar(%g) %q, %k, %v {reverse} : (!qk, !qk, !v, !h) -> (!v, !s)
  return %o0, %s0, %o1, %s1, %o2, %s2, %o3, %s3, %o4, %s4, %o5, %s5, %o6, %s6 : !v, !s, !v, !s, !v, !s, !v, !s, !v, !s, !v, !s, !v, !s
}

// Grouped queries, time-invariant parameters, bonus, decays per entry.
!gq = tensor<2x18x2x16xf32>
!gv = tensor<2x18x4x9xf32>
!gs = tensor<2x4x16x9xf32>
!th = tensor<1x1x4xf32>
!tk = tensor<1x1x4x16xf32>
!kv = tensor<1x1x1x16x9xf32>
func.func @shapes(%q: !gq, %v: !gv, %g0: !th, %u: !tk, %a0: !kv, %d0: !gv) -> (!gv, !gs, !gv, !gs, !gv, !gs, !gv, !gs, !gv, !gs) {
  %k = linnet.norm l2 %q {eps = 1.0e-6 : f64} : (!gq) -> !gq
  %gp = linnet.activation softplus %g0 : !th
  %g = arith.negf %gp : !th
  %ap = linnet.activation softplus %a0 : !kv
  %a = arith.negf %ap : !kv
  %d = linnet.activation softplus %d0 : !gv
  %up = linnet.activation softplus %u : !tk
  %un = arith.negf %up : !tk
  %o0, %s0 = linnet.scan #linnet.scalar(%g) %q, %k, %v bonus(%u) {readout = #linnet.readout<pre>} : (!gq, !gq, !gv, !th, !tk) -> (!gv, !gs)
  %o1, %s1 = linnet.scan #linnet.diagonal(%un) %q, %k, %v bonus(%u) {readout = #linnet.readout<pre>} : (!gq, !gq, !gv, !tk, !tk) -> (!gv, !gs)
  %o2, %s2 = linnet.scan #linnet.full(%d, %a) %q, %k, %v : (!gq, !gq, !gv, !gv, !kv) -> (!gv, !gs)
  %o3, %s3 = linnet.scan #linnet.scalar(%g) %q, %k, %v {readout = #linnet.readout<pre>} : (!gq, !gq, !gv, !th) -> (!gv, !gs)
  %o4, %s4 = linnet.scan #linnet.none %q, %k, %v {reverse} : (!gq, !gq, !gv) -> (!gv, !gs)
  return %o0, %s0, %o1, %s1, %o2, %s2, %o3, %s3, %o4, %s4 : !gv, !gs, !gv, !gs, !gv, !gs, !gv, !gs, !gv, !gs
}

// Log decays of -inf within and across chunks.
!rk = tensor<1x33x2x16xf32>
!rv = tensor<1x33x2x40xf32>
!rh = tensor<1x33x2xf32>
!rs = tensor<1x2x16x40xf32>
func.func @resets(%q: !rk, %v: !rv, %g0: !rh, %d0: !rk) -> (!rv, !rs, !rv, !rs) {
  %k = linnet.norm l2 %q {eps = 1.0e-6 : f64} : (!rk) -> !rk
  %never = arith.constant dense<0xFF800000> : !rh
  %level = arith.constant dense<1.0> : !rh
  %gp = linnet.activation softplus %g0 : !rh
  %gn = arith.negf %gp : !rh
  %far = arith.cmpf ogt, %g0, %level : !rh
  %g = arith.select %far, %never, %gn : tensor<1x33x2xi1>, !rh
  %b = linnet.activation sigmoid %g0 : !rh
  %o0, %s0 = linnet.scan #linnet.delta<scalar>(%b, %g) %q, %k, %v : (!rk, !rk, !rv, !rh, !rh) -> (!rv, !rs)
  %o1, %s1 = linnet.scan #linnet.scalar(%g) %q, %k, %v : (!rk, !rk, !rv, !rh) -> (!rv, !rs)
  return %o0, %s0, %o1, %s1 : !rv, !rs, !rv, !rs
}
