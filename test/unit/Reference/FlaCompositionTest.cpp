//===- FlaCompositionTest.cpp - recurrences of several terms or scans -----===//
//
// Published recurrences that write their operands, or several scans, around
// the one recurrence: rank-1 terms of their own, slots, micro-steps,
// preconditioners, normalisers.
//
//===----------------------------------------------------------------------===//

#include "FlaOracle.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

/// f(x, y) entrywise; y's last dimension may be absent (one entry per row of
/// x).
template <typename F>
HostTensor combine(HostTensor x, const HostTensor &y, F f) {
  int64_t inner = x.size() / y.size();
  for (int64_t i = 0; i < x.size(); ++i)
    x.values[i] = f(x.values[i], y.values[i / inner]);
  return x;
}

HostTensor times(HostTensor x, const HostTensor &y, double factor = 1) {
  return combine(std::move(x), y,
                 [=](double a, double b) { return factor * a * b; });
}

template <typename F>
HostTensor map(HostTensor x, F f) {
  for (double &value : x.values)
    value = f(value);
  return x;
}

HostTensor exponential(const HostTensor &x) {
  return map(x, [](double value) { return std::exp(value); });
}

/// Rows of unit length.
HostTensor unitRows(HostTensor x) {
  int64_t width = x.shape.back();
  for (int64_t row = 0; row < x.size(); row += width) {
    double sum = 0;
    for (int64_t i = row; i < row + width; ++i)
      sum += x.values[i] * x.values[i];
    for (int64_t i = row; i < row + width; ++i)
      x.values[i] /= std::sqrt(sum);
  }
  return x;
}

TEST(FlaCompositionTest, GeneralRankOne) {
  for (auto [op, decay] : {std::pair("dplr", "diagonal"), {"iplr", "none"}}) {
    std::vector<HostTensor> parameters{load(op, "a"), load(op, "b")};
    std::string transition =
        std::string("#linnet.rank_one<") + decay + ">(%3, %4";
    if (std::string(decay) == "diagonal") {
      parameters.push_back(load(op, "g"));
      transition += ", %5";
    }
    expectResults(op, runScan(op, transition + ")", load(op, "q"),
                              load(op, "k"), load(op, "v"), parameters,
                              load(op, "initial_state")));
  }
}

TEST(FlaCompositionTest, Rwkv7) {
  const std::string op = "rwkv7";
  HostTensor kk = load(op, "kk");
  HostTensor reader = map(kk, [](double x) { return -x; });
  expectResults(op, runScan(op, "#linnet.rank_one<diagonal>(%3, %4, %5)",
                            load(op, "r"), load(op, "k"), load(op, "v"),
                            {reader, times(kk, load(op, "a")), load(op, "w")},
                            load(op, "initial_state")));
}

TEST(FlaCompositionTest, CombaReadsBeforeTheDecay) {
  const std::string op = "comba";
  HostTensor key = times(load(op, "k"), load(op, "beta"));
  expectResults(op,
                runScan(op, "#linnet.rank_one<scalar>(%3, %4, %5)",
                        load(op, "q"), key, load(op, "v"),
                        {load(op, "p"), map(key, [](double x) { return -x; }),
                         load(op, "g")},
                        load(op, "initial_state")));
}

/// Reading after the decay is reading a decayed key before it.
TEST(FlaCompositionTest, GatedDeltaWithEraseAndWriteGates) {
  const std::string op = "gdn2";
  HostTensor k = load(op, "k"), g = load(op, "g");
  HostTensor reader = times(times(k, load(op, "erase")), exponential(g));
  expectResults(op, runScan(op, "#linnet.rank_one<diagonal>(%3, %4, %5)",
                            load(op, "q"), k,
                            times(load(op, "v"), load(op, "write")),
                            {reader, map(k, [](double x) { return -x; }), g},
                            load(op, "initial_state")));
}

/// The recorded operands have the micro-steps of a token one behind the other
/// along time: in memory that is one group of heads each.
TEST(FlaCompositionTest, GatedDeltaProduct) {
  const std::string op = "gated_delta_product";
  HostTensor q = load(op, "q"), g = load(op, "g");
  int64_t T = q.shape[1], steps = load(op, "k").shape[1] / T;
  auto grouped = [&](HostTensor x) {
    x.shape[1] /= steps;
    x.shape[2] *= steps;
    return x;
  };
  HostTensor zeros = map(g, [](double) { return 0; });
  HostTensor decay = join(g, zeros, 2);
  ASSERT_EQ(steps, 2);
  expectResults(op, runScan(op, "#linnet.delta<scalar>(%3, %4)", q,
                            grouped(load(op, "k")), grouped(load(op, "v")),
                            {grouped(load(op, "beta")), decay},
                            load(op, "initial_state"), ", micro_steps = 2"));
}

/// Two recurrences over slots with a softmax between them: the first decays
/// its value columns, the second its key rows.
void checkSlots(const std::string &op) {
  HostTensor q = load(op, "q"), s = load(op, "s"), g = load(op, "g");
  int64_t B = q.shape[0], readers = q.shape[2] / s.shape[2];
  // Each head of v, of states, is there for several readers.
  auto repeat = [&](const HostTensor &x, size_t dim) {
    Shape shape = x.shape;
    shape[dim] *= readers;
    HostTensor out = HostTensor::filled(shape);
    int64_t inner = 1;
    for (size_t d = dim + 1; d < shape.size(); ++d)
      inner *= shape[d];
    for (int64_t row = 0; row < x.size() / inner * readers; ++row)
      std::copy_n(x.values.begin() + row / readers * inner, inner,
                  out.values.begin() + row * inner);
    return out;
  };
  auto slots = runScan(op, "#linnet.value_diagonal(%3)", q, load(op, "k"),
                       repeat(s, 2), {g}, repeat(load(op, "initial_hk"), 1));
  HostTensor p = slots[0];
  int64_t M = s.shape.back();
  for (int64_t row = 0; row < p.size(); row += M) {
    double sum = 0;
    for (int64_t m = 0; m < M; ++m)
      sum += p.values[row + m] = std::exp(p.values[row + m]);
    for (int64_t m = 0; m < M; ++m)
      p.values[row + m] /= sum;
  }
  auto got =
      runScaled(1, "#linnet.diagonal(%3)", p, s, repeat(load(op, "v"), 2), {g},
                repeat(load(op, "initial_hv"), 1));
  EXPECT_EQ(got[1].shape[0], B);
  EXPECT_LE(difference(got[0], load(op, "o")), kTolerance);
  EXPECT_LE(difference(got[1], repeat(load(op, "final_hv"), 1)), kTolerance);
  EXPECT_LE(difference(slots[1], repeat(load(op, "final_hk"), 1)), kTolerance);
}

TEST(FlaCompositionTest, GatedSlots) {
  checkSlots("gsa");
  checkSlots("gsa_gqa");
}

/// A vector state is one key row; both ways to say its decay agree.
TEST(FlaCompositionTest, VectorState) {
  const std::string op = "hgrn";
  HostTensor x = load(op, "x"), g = load(op, "g");
  HostTensor initial = load(op, "initial_state");
  int64_t B = x.shape[0], T = x.shape[1], D = x.shape[2];
  Shape row{B, T, 1, D};
  HostTensor one = HostTensor::filled({B, T, 1, 1}, 1);
  HostTensor none = HostTensor::filled({1, 1, 1, 1}, 0);
  for (auto [transition, parameters] :
       {std::pair<std::string, std::vector<HostTensor>>(
            "#linnet.value_diagonal(%3)", {reshape(g, row)}),
        {"#linnet.two_sided(%3, %4)", {none, reshape(g, row)}}}) {
    auto got = runScaled(1, transition, one, one, reshape(x, row), parameters,
                         reshape(initial, {B, 1, 1, D}));
    EXPECT_LE(difference(reshape(got[0], x.shape), load(op, "o")), kTolerance);
    EXPECT_LE(
        difference(reshape(got[1], initial.shape), load(op, "final_state")),
        kTolerance);
  }
}

/// The write key is scaled by a function of a recurrence of its own.
TEST(FlaCompositionTest, PreconditionedDelta) {
  for (auto [name, decay] : {std::pair("precond_gated_delta_rule", "scalar"),
                             {"precond_kda", "diagonal"}}) {
    const std::string op = name;
    HostTensor k = load(op, "k"), g = load(op, "g"), A = load(op, "initial_A");
    HostTensor q = load(op, "q");
    // One of the two normalises its queries and keys itself.
    if (op == "precond_gated_delta_rule") {
      q = unitRows(q);
      k = unitRows(k);
    }
    int64_t B = k.shape[0], T = k.shape[1], H = k.shape[2], K = k.shape[3];
    HostTensor one = HostTensor::filled({B, T, H, 1}, 1);
    auto side =
        runScaled(1, "#linnet.scalar(%3)", one,
                  reshape(load(op, "beta_atk"), {B, T, H, 1}), times(k, k),
                  {load(op, "g_atk")}, reshape(A, {B, H, 1, K}));
    EXPECT_LE(difference(reshape(side[1], A.shape), load(op, "final_A")),
              kTolerance);
    HostTensor preconditioned = combine(k, side[0], [](double key, double a) {
      double x = std::log(a + 1e-6) + 0.2;
      return key * std::pow(1.5, -x / (1 + std::abs(x)));
    });
    HostTensor written = times(preconditioned, load(op, "beta"));
    HostTensor reader = times(k, exponential(g));
    expectResults(
        op,
        runScan(op, std::string("#linnet.rank_one<") + decay + ">(%3, %4, %5)",
                q, written, load(op, "v"),
                {reader, map(written, [](double x) { return -x; }), g},
                load(op, "initial_state")));
  }
}

/// The normaliser is one more value column of ones.
TEST(FlaCompositionTest, SumNormaliser) {
  const std::string op = "linear_attn_normalized";
  HostTensor v = load(op, "v"), initial = load(op, "initial_state");
  int64_t B = v.shape[0], T = v.shape[1], H = v.shape[2], V = v.shape[3];
  HostTensor ones = HostTensor::filled({B, T, H, 1}, 1);
  HostTensor z = load(op, "initial_z");
  int64_t K = z.shape[3];
  auto got =
      runScan(op, "#linnet.none", load(op, "q"), load(op, "k"), v, {}, initial);
  auto sums = runScan(op, "#linnet.none", load(op, "q"), load(op, "k"), ones,
                      {}, reshape(z, {B, H, K, 1}));
  HostTensor o = got[0];
  for (int64_t i = 0; i < o.size(); ++i)
    o.values[i] /= sums[0].values[i / V] + 1e-10;
  expectResults(op, {o, got[1]});
  EXPECT_LE(difference(reshape(sums[1], z.shape), load(op, "final_z")),
            kTolerance);
}

} // namespace
