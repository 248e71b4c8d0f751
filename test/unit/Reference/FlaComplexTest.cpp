//===- FlaComplexTest.cpp - recurrences with complex states ---------------===//
//
// A complex row is two real rows that turn into each other.
//
//===----------------------------------------------------------------------===//

#include "FlaOracle.h"

#include <cmath>
#include <complex>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

HostTensor zeros(const HostTensor &like) {
  return HostTensor::filled(like.shape);
}

/// The real part of the state is read.
TEST(FlaComplexTest, GateLoop) {
  const std::string op = "gateloop";
  HostTensor q = load(op, "q"), k = load(op, "k"), v = load(op, "v");
  HostTensor g = load(op, "decay_magnitude");
  for (double &x : g.values)
    x = std::log(x);
  HostTensor initial =
      join(load(op, "initial_state_re"), load(op, "initial_state_im"), 2);
  auto got =
      runScan(op, "#linnet.complex(%3, %4)", join(q, zeros(q), 3),
              join(k, zeros(k), 3), v, {g, load(op, "decay_phase")}, initial);
  EXPECT_LE(difference(got[0], load(op, "o")), kTolerance);
  EXPECT_LE(difference(got[1], join(load(op, "final_state_re"),
                                    load(op, "final_state_im"), 2)),
            kTolerance);
}

/// One time-invariant recurrence per channel, discretised by a zero-order
/// hold; y = 2 Re C^T x.
TEST(FlaComplexTest, S4d) {
  const std::string op = "s4d";
  HostTensor u = load(op, "u"), o = u, D = load(op, "D");
  HostTensor logReal = load(op, "log_A_real"), angles = load(op, "A_imag");
  HostTensor step = load(op, "log_dt"), re = load(op, "C_re"),
             im = load(op, "C_im");
  int64_t B = u.shape[0], T = u.shape[1], H = u.shape[2], N = re.shape[1];
  HostTensor g = HostTensor::filled({1, 1, H, N}), phase = g, keyRe = g,
             keyIm = g, queryRe = g, queryIm = g;
  for (int64_t i = 0; i < H * N; ++i) {
    double dt = std::exp(step.values[i / N]);
    std::complex<double> a(-std::exp(logReal.values[i]), angles.values[i]);
    std::complex<double> b = (std::exp(dt * a) - 1.0) / a;
    g.values[i] = dt * a.real();
    phase.values[i] = dt * a.imag();
    keyRe.values[i] = b.real();
    keyIm.values[i] = b.imag();
    queryRe.values[i] = 2 * re.values[i];
    queryIm.values[i] = -2 * im.values[i];
  }
  auto state = [&](const char *when) {
    HostTensor whole = join(load(op, std::string(when) + "_state_re"),
                            load(op, std::string(when) + "_state_im"), 2);
    return reshape(whole, {B, H, 2 * N, 1});
  };
  auto got = runScaled(1, "#linnet.complex(%3, %4)", join(queryRe, queryIm, 3),
                       join(keyRe, keyIm, 3), reshape(u, {B, T, H, 1}),
                       {g, phase}, state("initial"));
  for (int64_t i = 0; i < o.size(); ++i)
    o.values[i] = got[0].values[i] + D.values[i % H] * u.values[i];
  EXPECT_LE(difference(o, load(op, "o")), kTolerance);
  EXPECT_LE(difference(got[1], state("final")), kTolerance);
}

/// A decay per value column is one per key row of as many heads.
TEST(FlaComplexTest, ValueColumnsAreHeads) {
  Random random(5);
  const int64_t B = 2, T = 9, V = 5;
  HostTensor g = random.tensor({B, T, 1, V}),
             phase = random.tensor({B, T, 1, V});
  HostTensor q = random.tensor({B, T, 1, 2}), k = random.tensor({B, T, 1, 2});
  HostTensor v = random.tensor({B, T, 1, V});
  HostTensor initial = random.tensor({B, 1, 2, V});
  for (double &x : g.values)
    x = -std::abs(x);
  auto columns = runScaled(0.5, "#linnet.complex_value(%3, %4)", q, k, v,
                           {g, phase}, initial);
  HostTensor heads = HostTensor::filled({B, V, 2, 1});
  for (int64_t b = 0; b < B; ++b)
    for (int64_t c = 0; c < V; ++c)
      for (int64_t r = 0; r < 2; ++r)
        heads.values[(b * V + c) * 2 + r] = initial.values[(b * 2 + r) * V + c];
  Shape perHead{B, T, V, 1};
  auto expected =
      runScaled(0.5, "#linnet.complex(%3, %4)", q, k, reshape(v, perHead),
                {reshape(g, perHead), reshape(phase, perHead)}, heads);
  EXPECT_LE(difference(reshape(columns[0], perHead), expected[0]), 1e-14);
}

} // namespace
