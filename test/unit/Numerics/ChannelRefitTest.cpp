//===- ChannelRefitTest.cpp - maps around an elementwise function ---------===//

#include "linnet/Numerics/ChannelRefit.h"

#include "linnet/Numerics/LowRank.h"

#include "SparseCases.h"

#include <functional>

using namespace linnet;
using namespace linnet::test;

namespace {

using Floats = std::vector<float>;

/// f of a lambda.
class EntryFunction : public ChannelFunction {
public:
  using Entry = std::function<float(const Floats &)>;
  explicit EntryFunction(Entry entry, int64_t most = 64)
      : entry(std::move(entry)), most(most) {}
  int64_t size() const override { return most; }
  Status run(const std::vector<Floats> &y, Floats &z) const override {
    Floats one(y.size());
    for (size_t e = 0; e < size_t(most); ++e) {
      for (size_t i = 0; i < y.size(); ++i)
        one[i] = y[i][e];
      z[e] = entry(one);
    }
    return {};
  }

private:
  Entry entry;
  int64_t most;
};

float gated(const Floats &y) { return y[0] / (1 + std::exp(-y[0])) * y[1]; }

Floats toFloats(const Matrix &a) {
  return Floats(a.data(), a.data() + a.size());
}

/// Maps between 3 and `channels` channels: `count` producers of 5 inputs.
ChannelMaps randomMaps(size_t count, int64_t channels, unsigned seed) {
  ChannelMaps maps;
  for (size_t i = 0; i < count; ++i) {
    maps.producers.push_back(randomMatrix(channels, 5, seed + unsigned(i)));
    maps.biases.emplace_back();
  }
  maps.consumer = randomMatrix(3, channels, seed + 10);
  return maps;
}

/// Inputs, and for targets what `maps` make of them.
ChannelTokens tokensOf(const ChannelMaps &maps, const ChannelFunction &function,
                       int64_t count, unsigned seed) {
  Matrix x = randomMatrix(count, maps.producers.front().columns(), seed);
  int64_t m = maps.consumer.rows(), c = maps.consumer.columns();
  ChannelTokens tokens{count, toFloats(x), Floats(size_t(count * m))};
  for (int64_t t = 0; t < count; ++t) {
    std::vector<Floats> y(maps.producers.size(),
                          Floats(size_t(function.size())));
    Floats z(size_t(function.size()));
    for (size_t i = 0; i < y.size(); ++i)
      for (int64_t j = 0; j < c; ++j) {
        double sum = maps.biases[i].empty() ? 0 : maps.biases[i][size_t(j)];
        for (int64_t k = 0; k < x.columns(); ++k)
          sum += maps.producers[i].at(j, k) * x.at(t, k);
        y[i][size_t(j)] = float(sum);
      }
    EXPECT_TRUE(function.run(y, z));
    for (int64_t r = 0; r < m; ++r)
      for (int64_t j = 0; j < c; ++j)
        tokens.targets[size_t(t * m + r)] +=
            float(maps.consumer.at(r, j)) * z[size_t(j)];
  }
  return tokens;
}

TEST(ChannelRefitTest, SolvesTheNormalEquations) {
  constexpr int64_t kCount = 40, kChannels = 4, kInputs = 5, kOutputs = 3;
  Matrix d = randomMatrix(kOutputs, kChannels, 1),
         x = randomMatrix(kCount, kInputs, 2);
  ChannelTokens tokens{kCount, toFloats(x), {}};
  ChannelSlopes slopes;
  std::vector<Matrix> s;
  for (unsigned i = 0; i < 2; ++i) {
    s.push_back(randomMatrix(kCount, kChannels, 3 + i));
    slopes.slopes.push_back(toFloats(s.back()));
  }
  Matrix r = randomMatrix(kCount, kOutputs, 5);
  slopes.residuals = toFloats(r);
  // One row for each output of each token, one column for each unknown.
  int64_t unknowns = 2 * kChannels * kInputs;
  Matrix system(kCount * kOutputs, unknowns), right(kCount * kOutputs, 1);
  for (int64_t t = 0; t < kCount; ++t)
    for (int64_t o = 0; o < kOutputs; ++o) {
      right.at(t * kOutputs + o, 0) = r.at(t, o);
      for (int64_t i = 0; i < 2; ++i)
        for (int64_t j = 0; j < kChannels; ++j)
          for (int64_t k = 0; k < kInputs; ++k)
            system.at(t * kOutputs + o, (i * kChannels + j) * kInputs + k) =
                d.at(o, j) * s[size_t(i)].at(t, j) * x.at(t, k);
    }
  Matrix normal = 1.0 / kCount * multiply(system, system, Side::Transposed);
  Matrix moment = 1.0 / kCount * multiply(x, x, Side::Transposed);
  constexpr double kDamping = 0.05;
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < kChannels; ++j) {
      double slope = 0, column = 0;
      for (int64_t t = 0; t < kCount; ++t)
        slope += s[size_t(i)].at(t, j) * s[size_t(i)].at(t, j) / kCount;
      for (int64_t o = 0; o < kOutputs; ++o)
        column += d.at(o, j) * d.at(o, j);
      int64_t at = (i * kChannels + j) * kInputs;
      for (int64_t k = 0; k < kInputs; ++k)
        for (int64_t l = 0; l < kInputs; ++l)
          normal.at(at + k, at + l) +=
              kDamping * slope * column * moment.at(k, l);
    }
  Matrix expected = taken(solvePositive(
      normal, 1.0 / kCount * multiply(system, right, Side::Transposed)));
  auto solved = taken(solveProducers(d, tokens, slopes, 200, kDamping));
  ASSERT_EQ(solved.size(), 2u);
  for (int64_t e = 0; e < unknowns; ++e)
    EXPECT_NEAR(solved[size_t(e / (kChannels * kInputs))]
                    .data()[e % (kChannels * kInputs)],
                expected.at(e, 0), 1e-4)
        << e;
  // Each iteration brings the quadratic nearer to its least.
  double last = std::numeric_limits<double>::infinity();
  for (int64_t iterations : {0, 1, 2, 4, 8, 40}) {
    auto some = taken(solveProducers(d, tokens, slopes, iterations, kDamping));
    Matrix v(unknowns, 1);
    for (int64_t e = 0; e < unknowns; ++e)
      v.at(e, 0) = some[size_t(e / (kChannels * kInputs))]
                       .data()[e % (kChannels * kInputs)];
    double loss = dot(multiply(normal, v - expected), v - expected);
    EXPECT_LT(loss, last) << iterations;
    last = loss;
  }
  EXPECT_LT(last, 1e-6);
}

TEST(ChannelRefitTest, FindsTheBestOfItsRankWithoutFunction) {
  // Through 2 channels without a function the best is known in closed form.
  EntryFunction same([](const Floats &y) { return y[0]; });
  ChannelMaps teacher = randomMaps(1, 4, 1), start = randomMaps(1, 2, 20);
  ChannelTokens tokens = tokensOf(teacher, same, 300, 3);
  Matrix x(300, 5);
  std::copy(tokens.inputs.begin(), tokens.inputs.end(), x.data());
  Matrix moment = 1.0 / 300 * multiply(x, x, Side::Transposed);
  auto spectrum = taken(
      lossSpectrum(multiply(teacher.consumer, teacher.producers[0]), moment));
  double best = spectrum[2], before = taken(channelLoss(start, tokens, same));
  ChannelMaps fitted =
      taken(refitChannels(start, tokens, same, {.steps = 40, .damping = 1e-8}));
  double loss = taken(channelLoss(fitted, tokens, same));
  EXPECT_GT(best, 1e-3);
  EXPECT_GT(before, 2 * best);
  EXPECT_NEAR(loss, best, 1e-3 * best);
}

TEST(ChannelRefitTest, ComesBackToWhatMadeTheTargets) {
  EntryFunction function(gated);
  ChannelMaps teacher = randomMaps(2, 3, 1), start = teacher;
  teacher.biases[1] = start.biases[1] = {0.5, -0.5, 1};
  for (size_t i = 0; i < 2; ++i)
    start.producers[i] =
        start.producers[i] + 0.3 * randomMatrix(3, 5, 30 + unsigned(i));
  // More tokens than f takes at a time, and several parts.
  ChannelTokens tokens = tokensOf(teacher, function, 500, 3),
                others = tokensOf(teacher, function, 200, 4);
  double before = taken(channelLoss(start, others, function));
  ChannelMaps fitted = taken(refitChannels(
      start, tokens, function,
      {.steps = 30, .iterations = 30, .stepTokens = 251, .damping = 1e-6}));
  EXPECT_GT(before, 0.1);
  EXPECT_LT(taken(channelLoss(fitted, others, function)), 1e-4 * before);
}

TEST(ChannelRefitTest, MakesNothingWorse) {
  EntryFunction relu([](const Floats &y) { return std::max(y[0], 0.0f); });
  for (unsigned seed = 1; seed < 6; ++seed) {
    ChannelTokens tokens =
        tokensOf(randomMaps(1, 6, seed), relu, 120, seed + 40);
    ChannelMaps maps = randomMaps(1, 3, seed + 60);
    double last = taken(channelLoss(maps, tokens, relu));
    for (int step = 0; step < 6; ++step) {
      maps = taken(
          refitChannels(maps, tokens, relu, {.steps = 1, .damping = 1e-6}));
      double loss = taken(channelLoss(maps, tokens, relu));
      EXPECT_LE(loss, last * (1 + 1e-5)) << seed << ", " << step;
      last = loss;
    }
  }
}

TEST(ChannelRefitTest, LeavesWhatSaysNothing) {
  EntryFunction zero([](const Floats &) { return 0.0f; });
  ChannelMaps maps = randomMaps(1, 3, 1);
  ChannelTokens tokens = tokensOf(maps, zero, 20, 2);
  ChannelMaps same = taken(refitChannels(maps, tokens, zero));
  EXPECT_EQ(norm(same.consumer - maps.consumer), 0);
  EXPECT_EQ(norm(same.producers[0] - maps.producers[0]), 0);
  ChannelMaps untouched = taken(refitChannels(maps, {}, zero));
  EXPECT_EQ(norm(untouched.consumer - maps.consumer), 0);
}

TEST(ChannelRefitTest, RefusesWhatDoesNotFit) {
  EntryFunction function(gated), narrow(gated, 2);
  ChannelMaps maps = randomMaps(2, 3, 1);
  ChannelTokens tokens = tokensOf(maps, function, 20, 2), fewer = tokens;
  fewer.targets.pop_back();
  EXPECT_EQ(refitChannels(maps, fewer, function).error().str(),
            "expected 20 rows of 5 inputs and 3 targets, but got 100 and 59 "
            "numbers");
  ChannelMaps other = maps;
  other.producers[1] = Matrix(2, 5);
  EXPECT_EQ(refitChannels(other, tokens, function).error().str(),
            "expected producers of 3 x 5, but got 2 x 5 with 0 biases");
  other = maps;
  other.biases[0] = {1};
  EXPECT_EQ(channelLoss(other, tokens, function).error().str(),
            "expected producers of 3 x 5, but got 3 x 5 with 1 biases");
  other = maps;
  other.biases.pop_back();
  EXPECT_EQ(channelLoss(other, tokens, function).error().str(),
            "expected producers and as many biases, but got 2 and 1");
  EXPECT_EQ(channelLoss(maps, tokens, narrow).error().str(),
            "expected a function of 3 entries or more, but got one of 2");
}

} // namespace
