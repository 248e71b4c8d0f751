//===- ScanTest.cpp - the recurrence against its equations ----------------===//

#include "RunModule.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr int64_t B = 2, H = 6, K = 3, V = 5;

/// q and k have 2 heads: heads 0..2 read entry 0, heads 3..5 entry 1.
struct Inputs {
  explicit Inputs(uint64_t seed, int64_t t = 7) : T(t) {
    Random random(seed);
    q = random.tensor({B, T, 2, K});
    k = random.tensor({B, T, 2, K});
    v = random.tensor({B, T, H, V});
    initial = random.tensor({B, H, K, V});
  }
  int64_t T;
  HostTensor q, k, v, initial;
  double scale = 1;

  double *keyAt(int b, int t, int h) {
    return &k.values[((b * T + t) * 2 + h / 3) * K];
  }
  double *queryAt(int b, int t, int h) {
    return &q.values[((b * T + t) * 2 + h / 3) * K];
  }
  double *valueAt(int b, int t, int h) {
    return &v.values[((b * T + t) * H + h) * V];
  }
};

/// Outputs and final states of a recurrence whose state update is
/// `update(S, b, t, h)` on the K x V matrix S.
struct Expected {
  HostTensor o, state;

  Expected(Inputs &in, std::function<void(double *, int, int, int)> update,
           const HostTensor *bonus = nullptr, bool pre = false,
           bool reverse = false)
      : o(HostTensor::filled({B, in.T, H, V})), state(in.initial) {
    for (int b = 0; b < B; ++b)
      for (int h = 0; h < H; ++h)
        for (int step = 0; step < in.T; ++step) {
          int t = reverse ? in.T - 1 - step : step;
          double *S = &state.values[(b * H + h) * K * V];
          if (!pre)
            update(S, b, t, h);
          for (int j = 0; j < V; ++j)
            for (int i = 0; i < K; ++i) {
              double entry = S[i * V + j];
              if (bonus) // [1, 1, H, K]
                entry += bonus->values[h * K + i] * in.keyAt(b, t, h)[i] *
                         in.valueAt(b, t, h)[j];
              o.values[((b * in.T + t) * H + h) * V + j] +=
                  in.scale * in.queryAt(b, t, h)[i] * entry;
            }
          if (pre)
            update(S, b, t, h);
        }
  }
};

/// S = S (.) decay(i, j) + k v^T.
auto decayed(Inputs &in, std::function<double(int, int, int, int, int)> decay) {
  return [&in, decay](double *S, int b, int t, int h) {
    for (int i = 0; i < K; ++i)
      for (int j = 0; j < V; ++j)
        S[i * V + j] = S[i * V + j] * decay(b, t, h, i, j) +
                       in.keyAt(b, t, h)[i] * in.valueAt(b, t, h)[j];
  };
}

/// S' = S (.) decay(i); S = S' + beta k (v - S'^T k)^T.
auto corrected(Inputs &in, const HostTensor &beta,
               std::function<double(int, int, int, int)> decay) {
  return [&in, &beta, decay](double *S, int b, int t, int h) {
    double *k = in.keyAt(b, t, h), *v = in.valueAt(b, t, h);
    for (int j = 0; j < V; ++j) {
      double seen = 0;
      for (int i = 0; i < K; ++i) {
        S[i * V + j] *= decay(b, t, h, i);
        seen += S[i * V + j] * k[i];
      }
      for (int i = 0; i < K; ++i)
        S[i * V + j] +=
            beta.values[(b * in.T + t) * H + h] * k[i] * (v[j] - seen);
    }
  };
}

std::vector<HostTensor> runScan(const Inputs &in, const std::string &op,
                                const std::vector<Operand> &parameters = {},
                                const HostTensor *bonus = nullptr) {
  std::vector<Operand> operands{in.q, in.k, in.v};
  operands.insert(operands.end(), parameters.begin(), parameters.end());
  if (bonus)
    operands.push_back(*bonus);
  operands.push_back(in.initial);
  std::string text =
      op + " initial(%" + std::to_string(operands.size() - 1) + ")";
  if (in.scale != 1)
    text += " {scale = " + std::to_string(in.scale) + " : f64}";
  return runOp(text, operands, {in.v.shape, {B, H, K, V}});
}

void expectScan(const std::vector<HostTensor> &got, const Expected &expected) {
  EXPECT_LE(difference(got[0], expected.o), 1e-13);
  EXPECT_LE(difference(got[1], expected.state), 1e-13);
}

double one(int, int, int, int, int) { return 1; }

TEST(ScanTest, None) {
  Inputs in(1);
  in.scale = 0.25;
  expectScan(runScan(in, "linnet.scan #linnet.none %0, %1, %2"),
             Expected(in, decayed(in, one)));
}

TEST(ScanTest, ScalarPerHead) {
  Inputs in(2);
  HostTensor g = Random(20).tensor({B, in.T, H}, -2, 0);
  expectScan(runScan(in, "linnet.scan #linnet.scalar(%3) %0, %1, %2", {g}),
             Expected(in, decayed(in, [&](int b, int t, int h, int, int) {
                        return std::exp(g.values[(b * in.T + t) * H + h]);
                      })));
}

TEST(ScanTest, ScalarInvariantInTimeAndBatch) {
  Inputs in(3);
  HostTensor g = Random(30).tensor({1, 1, H}, -2, 0);
  expectScan(runScan(in, "linnet.scan #linnet.scalar(%3) %0, %1, %2", {g}),
             Expected(in, decayed(in, [&](int, int, int h, int, int) {
                        return std::exp(g.values[h]);
                      })));
}

TEST(ScanTest, DiagonalWithSharedHeads) {
  Inputs in(4);
  // 3 entries serve 6 heads: head h reads entry h / 2.
  HostTensor g = Random(40).tensor({B, in.T, 3, K}, -2, 0);
  expectScan(runScan(in, "linnet.scan #linnet.diagonal(%3) %0, %1, %2", {g}),
             Expected(in, decayed(in, [&](int b, int t, int h, int i, int) {
                        return std::exp(
                            g.values[((b * in.T + t) * 3 + h / 2) * K + i]);
                      })));
}

TEST(ScanTest, DiagonalOfOneKeyWidthIsScalar) {
  Inputs in(5);
  HostTensor g = Random(50).tensor({B, in.T, H}, -2, 0);
  auto scalar = runScan(in, "linnet.scan #linnet.scalar(%3) %0, %1, %2", {g});
  g.shape.push_back(1);
  auto diagonal =
      runScan(in, "linnet.scan #linnet.diagonal(%3) %0, %1, %2", {g});
  EXPECT_EQ(scalar[0].values, diagonal[0].values);
  EXPECT_EQ(scalar[1].values, diagonal[1].values);
}

TEST(ScanTest, FullDecayOfStepAndRate) {
  Inputs in(6);
  HostTensor d = Random(60).tensor({B, in.T, H, V}, 0, 2);
  HostTensor A = Random(61).tensor({1, 1, H, K, V}, -2, 0);
  expectScan(runScan(in, "linnet.scan #linnet.full(%3, %4) %0, %1, %2", {d, A}),
             Expected(in, decayed(in, [&](int b, int t, int h, int i, int j) {
                        return std::exp(
                            d.values[((b * in.T + t) * H + h) * V + j] *
                            A.values[(h * K + i) * V + j]);
                      })));
}

TEST(ScanTest, DeltaRule) {
  Inputs in(7);
  HostTensor beta = Random(70).tensor({B, in.T, H}, 0, 1);
  expectScan(
      runScan(in, "linnet.scan #linnet.delta<none>(%3) %0, %1, %2", {beta}),
      Expected(in, corrected(in, beta, [](int, int, int, int) { return 1; })));
}

TEST(ScanTest, DeltaRuleDecaysFirst) {
  Inputs in(8);
  HostTensor beta = Random(80).tensor({B, in.T, H}, 0, 1);
  HostTensor g = Random(81).tensor({B, in.T, H}, -2, 0);
  expectScan(runScan(in, "linnet.scan #linnet.delta<scalar>(%3, %4) %0, %1, %2",
                     {beta, g}),
             Expected(in, corrected(in, beta, [&](int b, int t, int h, int) {
                        return std::exp(g.values[(b * in.T + t) * H + h]);
                      })));
  HostTensor gk = Random(82).tensor({B, in.T, H, K}, -2, 0);
  expectScan(
      runScan(in, "linnet.scan #linnet.delta<diagonal>(%3, %4) %0, %1, %2",
              {beta, gk}),
      Expected(in, corrected(in, beta, [&](int b, int t, int h, int i) {
                 return std::exp(gk.values[((b * in.T + t) * H + h) * K + i]);
               })));
}

TEST(ScanTest, PreReadoutWithAndWithoutBonus) {
  Inputs in(9);
  HostTensor g = Random(90).tensor({B, in.T, H, K}, -2, 0);
  HostTensor bonus = Random(91).tensor({1, 1, H, K});
  auto update = decayed(in, [&](int b, int t, int h, int i, int) {
    return std::exp(g.values[((b * in.T + t) * H + h) * K + i]);
  });
  std::vector<Operand> operands{in.q, in.k, in.v, g, bonus, in.initial};
  expectScan(
      runOp("linnet.scan #linnet.diagonal(%3) %0, %1, %2 bonus(%4) initial(%5) "
            "{readout = #linnet.readout<pre>}",
            operands, {in.v.shape, {B, H, K, V}}),
      Expected(in, update, &bonus, /*pre=*/true));
  operands.erase(operands.begin() + 4);
  expectScan(runOp("linnet.scan #linnet.diagonal(%3) %0, %1, %2 initial(%4) "
                   "{readout = #linnet.readout<pre>}",
                   operands, {in.v.shape, {B, H, K, V}}),
             Expected(in, update, nullptr, /*pre=*/true));
}

TEST(ScanTest, ReverseRunsFromTheLastToken) {
  Inputs in(10);
  HostTensor g = Random(100).tensor({B, in.T, H}, -2, 0);
  expectScan(
      runOp("linnet.scan #linnet.scalar(%3) %0, %1, %2 initial(%4) {reverse}",
            {in.q, in.k, in.v, g, in.initial}, {in.v.shape, {B, H, K, V}}),
      Expected(in,
               decayed(in,
                       [&](int b, int t, int h, int, int) {
                         return std::exp(g.values[(b * in.T + t) * H + h]);
                       }),
               nullptr, false, /*reverse=*/true));
}

TEST(ScanTest, NegativeInfinityErasesExactly) {
  Inputs in(11);
  double infinity = std::numeric_limits<double>::infinity();
  in.initial.values[0] = infinity; // 0 times infinity would be NaN.
  in.initial.values[K * V] = std::nan("");
  HostTensor g = HostTensor::filled({B, in.T, H}, -0.5);
  for (int i = 0; i < H; ++i)
    for (int b = 0; b < B; ++b)
      g.values[(b * in.T + 2) * H + i] = -infinity;
  auto got = runScan(in, "linnet.scan #linnet.scalar(%3) %0, %1, %2", {g});
  // From token 2 on, as if the stream had begun there.
  Inputs tail = in;
  tail.T = in.T - 2;
  tail.q = slice(in.q, 1, 2, in.T);
  tail.k = slice(in.k, 1, 2, in.T);
  tail.v = slice(in.v, 1, 2, in.T);
  tail.initial = HostTensor::filled({B, H, K, V});
  HostTensor rest = slice(g, 1, 2, in.T);
  for (double &value : rest.values)
    value = value == -infinity ? 0 : value;
  auto fresh =
      runScan(tail, "linnet.scan #linnet.scalar(%3) %0, %1, %2", {rest});
  EXPECT_EQ(slice(got[0], 1, 2, in.T).values, fresh[0].values);
  EXPECT_EQ(got[1].values, fresh[1].values);
}

TEST(ScanTest, ResetsKeepPackedSequencesApart) {
  Inputs in(61, 12);
  // What a reset drops does not matter, not even that it is no number.
  in.initial.values[3] = std::numeric_limits<double>::quiet_NaN();
  HostTensor decay = Random(62).tensor({B, in.T, H}, -2, 0),
             beta = Random(63).tensor({B, in.T, H}, 0, 2),
             resets = HostTensor::filled({B, in.T});
  const std::vector<int64_t> starts = {0, 5, 6, 12};
  for (size_t i = 0; i + 1 < starts.size(); ++i)
    for (int b = 0; b < B; ++b)
      resets.values[b * in.T + starts[i]] = double(i + 1);
  auto run = [&](int64_t begin, int64_t end, bool packed) {
    auto part = [&](const HostTensor &x) { return slice(x, 1, begin, end); };
    std::vector<Operand> operands{part(in.q), part(in.k), part(in.v),
                                  part(beta), part(decay)};
    std::string op = "linnet.scan #linnet.delta<scalar>(%3, %4) %0, %1, %2";
    if (packed) {
      operands.push_back(in.initial);
      operands.push_back({resets, "i32"});
      op += " initial(%5) resets(%6)";
    }
    return runOp(op, operands, {{B, end - begin, H, V}, {B, H, K, V}});
  };
  std::vector<HostTensor> packed = run(0, in.T, true), last;
  ASSERT_EQ(packed.size(), 2u);
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    last = run(starts[i], starts[i + 1], false);
    ASSERT_EQ(last.size(), 2u);
    EXPECT_EQ(slice(packed[0], 1, starts[i], starts[i + 1]).values,
              last[0].values);
  }
  EXPECT_EQ(packed[1].values, last[1].values);
}

TEST(ScanTest, NoTokensReturnTheInitialState) {
  Inputs in(12, /*t=*/0);
  auto got = runScan(in, "linnet.scan #linnet.none %0, %1, %2");
  EXPECT_EQ(got[0].shape, Shape({B, 0, H, V}));
  EXPECT_EQ(got[1].values, in.initial.values);
  auto zeros = runOp("linnet.scan #linnet.none %0, %1, %2", {in.q, in.k, in.v},
                     {in.v.shape, {B, H, K, V}});
  EXPECT_EQ(zeros[1].values, std::vector<double>(B * H * K * V, 0.0));
}

/// A transition with its operand shapes after [B, T].
struct Case {
  const char *name;
  const char *attribute;
  std::vector<Shape> operands;
  double low, high;
};

const std::vector<Case> &cases() {
  static const std::vector<Case> cases{
      {"none", "#linnet.none", {}, 0, 0},
      {"scalar", "#linnet.scalar(%3)", {{H}}, -2, 0},
      {"diagonal", "#linnet.diagonal(%3)", {{H, K}}, -2, 0},
      {"full", "#linnet.full(%3, %4)", {{H, V}, {H, K, V}}, -0.5, 0.5},
      {"delta", "#linnet.delta<none>(%3)", {{H}}, 0, 1},
      {"delta scalar", "#linnet.delta<scalar>(%3, %4)", {{H}, {H}}, -1, 0},
      {"delta diagonal",
       "#linnet.delta<diagonal>(%3, %4)",
       {{H}, {H, K}},
       -1,
       0}};
  return cases;
}

/// Random operands of a transition; the last one's time is invariant if asked.
std::vector<HostTensor> makeParameters(const Case &transition, int64_t T,
                                       Random &random) {
  std::vector<HostTensor> parameters;
  for (const Shape &dims : transition.operands) {
    Shape shape{B, T};
    shape.insert(shape.end(), dims.begin(), dims.end());
    parameters.push_back(random.tensor(shape, transition.low, transition.high));
  }
  return parameters;
}

TEST(ScanTest, EveryTransitionSplitsAlongTime) {
  for (const Case &transition : cases()) {
    Random random(13);
    Inputs in(14, 9);
    auto parameters = makeParameters(transition, in.T, random);
    std::string op =
        std::string("linnet.scan ") + transition.attribute + " %0, %1, %2";
    auto whole = runScan(in, op, {parameters.begin(), parameters.end()});
    Inputs part = in;
    HostTensor streamed = HostTensor::filled({B, 0, H, V});
    for (int64_t begin = 0; begin < in.T;) {
      int64_t end = random.integer(begin, in.T);
      part.T = end - begin;
      part.q = slice(in.q, 1, begin, end);
      part.k = slice(in.k, 1, begin, end);
      part.v = slice(in.v, 1, begin, end);
      std::vector<Operand> cut;
      for (HostTensor &parameter : parameters)
        cut.push_back(slice(parameter, 1, begin, end));
      auto got = runScan(part, op, cut);
      streamed = join(streamed, got[0], 1);
      part.initial = got[1];
      begin = end;
    }
    EXPECT_EQ(streamed.values, whole[0].values) << transition.name;
    EXPECT_EQ(part.initial.values, whole[1].values) << transition.name;
  }
}

/// `tensor` [B, 1, ...] without its time dimension.
HostTensor dropTime(HostTensor tensor) {
  tensor.shape.erase(tensor.shape.begin() + 1);
  return tensor;
}

TEST(StepTest, IsAScanOverOneToken) {
  for (const Case &transition : cases()) {
    Random random(15);
    Inputs in(16, 1);
    in.scale = 0.5;
    auto parameters = makeParameters(transition, 1, random);
    std::string attribute = transition.attribute;
    auto scan = runScan(in, "linnet.scan " + attribute + " %0, %1, %2",
                        {parameters.begin(), parameters.end()});
    std::vector<Operand> operands{dropTime(in.q), dropTime(in.k),
                                  dropTime(in.v)};
    for (const HostTensor &parameter : parameters)
      operands.push_back(dropTime(parameter));
    operands.push_back(in.initial);
    auto step =
        runOp("linnet.step " + attribute + " %0, %1, %2 initial(%" +
                  std::to_string(operands.size() - 1) + ") {scale = 0.5 : f64}",
              operands, {{B, H, V}, {B, H, K, V}});
    EXPECT_EQ(step[0].values, scan[0].values) << transition.name;
    EXPECT_EQ(step[1].values, scan[1].values) << transition.name;
  }
}

TEST(ScanTest, ChecksWhatDynamicShapesLeaveOpen) {
  std::string source = R"(
    func.func @f(%q: tensor<?x?x1x3xf32>, %v: tensor<?x?x2x3xf32>, %g: tensor<?x?x2xf32>) -> tensor<?x?x2x3xf32> {
      %o, %s = linnet.scan #linnet.scalar(%g) %q, %q, %v
        : (tensor<?x?x1x3xf32>, tensor<?x?x1x3xf32>, tensor<?x?x2x3xf32>, tensor<?x?x2xf32>)
          -> (tensor<?x?x2x3xf32>, tensor<?x2x3x3xf32>)
      return %o : tensor<?x?x2x3xf32>
    })";
  HostTensor q = HostTensor::filled({2, 4, 1, 3}),
             v = HostTensor::filled({2, 4, 2, 3});
  std::string error = runError(source, {q, v, HostTensor::filled({2, 3, 2})});
  EXPECT_NE(
      error.find("expected a transition operand of dimensions bth that fit "
                 "b, t, h, k, v = [2, 4, 2, 3, 3], but got [2, 3, 2]"),
      std::string::npos)
      << error;
}

} // namespace
