//===- SamplerTest.cpp ----------------------------------------------------===//

#include "linnet/Runtime/Sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

using namespace linnet;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

int32_t sampleOnce(const SamplerOptions &options, std::vector<float> logits) {
  return Sampler(options).sample(logits.data(), int64_t(logits.size()));
}

/// How often each index is drawn.
std::vector<int> histogram(const SamplerOptions &options,
                           const std::vector<float> &logits, int draws) {
  Sampler sampler(options);
  std::vector<int> counts(logits.size());
  for (int i = 0; i < draws; ++i)
    ++counts[sampler.sample(logits.data(), int64_t(logits.size()))];
  return counts;
}

TEST(SamplerTest, GreedyTakesTheFirstOfTheLargest) {
  EXPECT_EQ(sampleOnce({}, {1, 5, 5, 2}), 1);
  EXPECT_EQ(sampleOnce({}, {kNaN, -3, kNaN}), 1);
  EXPECT_EQ(sampleOnce({}, {-kInfinity, -1e30f}), 1);
  EXPECT_EQ(sampleOnce({.temperature = std::nan("")}, {1, 5}), 1);
}

TEST(SamplerTest, NothingToChooseIsMinusOne) {
  for (double temperature : {0.0, 1.0}) {
    EXPECT_EQ(sampleOnce({.temperature = temperature}, {}), -1);
    EXPECT_EQ(sampleOnce({.temperature = temperature}, {kNaN, -kInfinity}), -1);
  }
}

TEST(SamplerTest, FrequenciesFollowTheDistribution) {
  // Probabilities 0.5, 0.3, 0.2.
  std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  constexpr int kDraws = 100000;
  auto counts = histogram({.temperature = 1}, logits, kDraws);
  EXPECT_NEAR(counts[0], 0.5 * kDraws, 800);
  EXPECT_NEAR(counts[1], 0.3 * kDraws, 800);
  EXPECT_NEAR(counts[2], 0.2 * kDraws, 800);
  // At temperature 1/2 probabilities are squared: 25 : 9 : 4.
  counts = histogram({.temperature = 0.5}, logits, kDraws);
  EXPECT_NEAR(counts[0], 25.0 / 38 * kDraws, 800);
  EXPECT_NEAR(counts[2], 4.0 / 38 * kDraws, 800);
}

TEST(SamplerTest, TopKAndTopPCut) {
  std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f),
                               std::log(0.3f)};
  auto support = [&](const SamplerOptions &options) {
    auto counts = histogram(options, logits, 4000);
    std::set<int> indices;
    for (int i = 0; i < 4; ++i)
      if (counts[i])
        indices.insert(i);
    return indices;
  };
  EXPECT_EQ(support({.temperature = 1}), (std::set{0, 1, 2, 3}));
  EXPECT_EQ(support({.temperature = 1, .topK = 2}), (std::set{1, 3}));
  EXPECT_EQ(support({.temperature = 1, .topK = 1}), (std::set{1}));
  EXPECT_EQ(support({.temperature = 1, .topK = 99}), (std::set{0, 1, 2, 3}));
  EXPECT_EQ(support({.temperature = 1, .topP = 0.65}), (std::set{1, 3}));
  EXPECT_EQ(support({.temperature = 1, .topP = 0.75}), (std::set{1, 2, 3}));
  EXPECT_EQ(support({.temperature = 1, .topP = 0}), (std::set{1}));
  EXPECT_EQ(support({.temperature = 1, .topP = std::nan("")}),
            (std::set{0, 1, 2, 3}));
  // p counts among the k that are left: 0.4 of 0.7 is more than half.
  EXPECT_EQ(support({.temperature = 1, .topK = 2, .topP = 0.5}), (std::set{1}));
}

TEST(SamplerTest, SeedsDecide) {
  std::vector<float> logits(50);
  for (int i = 0; i < 50; ++i)
    logits[i] = float(i % 7);
  auto draw = [&](uint64_t seed) {
    Sampler sampler({.temperature = 1, .seed = seed});
    std::vector<int32_t> tokens;
    for (int i = 0; i < 20; ++i)
      tokens.push_back(sampler.sample(logits.data(), 50));
    return tokens;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
  // The same on every machine and release; computed independently.
  auto fixed = draw(42);
  EXPECT_EQ(std::vector(fixed.begin(), fixed.begin() + 4),
            (std::vector<int32_t>{26, 13, 27, 27}));
}

TEST(SamplerTest, ExtremeLogits) {
  EXPECT_EQ(sampleOnce({.temperature = 1}, {1, kInfinity, 2}), 1);
  EXPECT_EQ(sampleOnce({.temperature = 1}, {-3e38f, 3e38f}), 1);
  EXPECT_EQ(sampleOnce({.temperature = 1e-300}, {1, 2, 1.5}), 1);
  auto counts = histogram({.temperature = 1e300}, {0, 100, kNaN}, 1000);
  EXPECT_GT(counts[0], 400);
  EXPECT_EQ(counts[2], 0);
}

} // namespace
