//===- ChannelPruningTest.cpp - fewer inputs of a linear map --------------===//

#include "linnet/Numerics/ChannelPruning.h"

#include "SparseCases.h"

#include <bit>
#include <limits>
#include <numeric>

using namespace linnet;
using namespace linnet::test;

namespace {

using Channels = std::vector<int64_t>;

std::vector<double> meansOf(const Matrix &x) {
  std::vector<double> means(x.rows());
  for (int64_t j = 0; j < x.rows(); ++j)
    for (int64_t t = 0; t < x.columns(); ++t)
      means[j] += x.at(j, t) / double(x.columns());
  return means;
}

/// |W X - W' X_K - b|.
double lossOn(const Matrix &w, const Matrix &x, const PrunedInputs &pruned,
              const Channels &kept) {
  Matrix difference = multiply(w, x);
  addProduct(difference, pruned.weights, x.takeRows(kept), -1);
  for (int64_t r = 0; r < w.rows() && !pruned.bias.empty(); ++r)
    for (int64_t t = 0; t < x.columns(); ++t)
      difference.at(r, t) -= pruned.bias[r];
  return norm(difference);
}

void expectNear(const std::vector<double> &a, const std::vector<double> &b,
                double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_NEAR(a[i], b[i], tolerance) << i;
}

/// Inputs with means, that share directions.
Matrix shiftedInputs(int64_t channels, int64_t count, unsigned seed) {
  Matrix x = multiply(randomMatrix(channels, channels, seed),
                      randomMatrix(channels, count, seed + 1));
  for (int64_t j = 0; j < channels; ++j)
    for (int64_t t = 0; t < count; ++t)
      x.at(j, t) += double(j % 3);
  return x;
}

TEST(ChannelPruningTest, MatchesKnownRefits) {
  CompressionOracle oracle("channel_prune_refit");
  Matrix w = oracle.matrix("W"), x = oracle.matrix("X"), g = momentOf(x);
  Channels kept = taken(keepLargest(scoreEnergy(g), 12));
  EXPECT_EQ(kept, oracle.integers("keep"));
  std::vector<double> means = meansOf(x);
  auto near = [&](const PrunedInputs &pruned, const char *loss) {
    EXPECT_NEAR(lossOn(w, x, pruned, kept) / double(oracle.meta[loss]), 1, 1e-9)
        << loss;
  };
  near({w.takeColumns(kept), {}}, "loss_slice");
  PrunedInputs shifted = taken(shiftDropped(w, kept, means));
  expectNear(shifted.bias, oracle.numbers("bias_only"), 1e-9);
  near(shifted, "loss_bias");
  PrunedInputs refit = taken(refitKept(w, g, kept, {}, 0));
  EXPECT_LE(largestDifference(refit.weights, oracle.matrix("W_refit")), 1e-9);
  EXPECT_TRUE(refit.bias.empty());
  near(refit, "loss_refit");
  PrunedInputs affine = taken(refitKept(w, g, kept, means, 0));
  EXPECT_LE(largestDifference(affine.weights, oracle.matrix("W_affine")), 1e-9);
  expectNear(affine.bias, oracle.numbers("b_affine"), 1e-9);
  near(affine, "loss_affine");
}

/// Each step by definition: the unit whose refit loses least.
TEST(ChannelPruningTest, DropsWhatARefitWouldMissLeast) {
  for (int64_t unit : {1, 2, 3}) {
    int64_t n = 6 * unit;
    Matrix w = randomMatrix(4, n, 1), g = correlatedMoment(n, 2);
    Channels kept(n);
    std::iota(kept.begin(), kept.end(), 0);
    for (int64_t left = 5; left >= 0; --left) {
      double least = 0;
      Channels best;
      for (int64_t first = 0; first < int64_t(kept.size()); first += unit) {
        Channels without = kept;
        without.erase(without.begin() + first, without.begin() + first + unit);
        Matrix dense(4, n),
            refit = taken(refitKept(w, g, without, {}, 0)).weights;
        for (int64_t r = 0; r < 4; ++r)
          for (size_t c = 0; c < without.size(); ++c)
            dense.at(r, without[c]) = refit.at(r, int64_t(c));
        double loss = lossOf(dense, w, g);
        if (first == 0 || loss < least) {
          least = loss;
          best = without;
        }
      }
      kept = best;
      EXPECT_EQ(taken(keepByBrainSurgeon(w, g, left, {unit}, 0)), kept)
          << left << " units of " << unit;
    }
  }
}

/// The loss of W refitted to the kept channels.
double refitLoss(const Matrix &w, const Matrix &g, const Channels &kept) {
  Matrix dense(w.rows(), w.columns());
  Matrix refit = taken(refitKept(w, g, kept, {}, 0)).weights;
  for (int64_t r = 0; r < w.rows(); ++r)
    for (size_t c = 0; c < kept.size(); ++c)
      dense.at(r, kept[c]) = refit.at(r, int64_t(c));
  return lossOf(dense, w, g);
}

/// The units, a bit each, as channels.
Channels channelsOf(unsigned units, int64_t count, int64_t unit) {
  Channels channels;
  for (int64_t u = 0; u < count; ++u)
    for (int64_t c = 0; c < unit && (units >> u & 1); ++c)
      channels.push_back(u * unit + c);
  return channels;
}

/// How many of the units are of set `set`.
int countIn(unsigned units, int64_t set, int64_t setSize) {
  return std::popcount(units >> (set * setSize) & ((1u << setSize) - 1));
}

/// Exhaustive search: what goes first is the best unit that may go, and where
/// one unit goes of a single set it is the best choice of all.
TEST(ChannelPruningTest, KeepsAsManyOfEachSet) {
  struct {
    int64_t units, sets, unit;
  } cases[] = {{6, 2, 1}, {6, 3, 2}, {6, 2, 3},
               {8, 2, 2}, {4, 4, 3}, {5, 1, 2}};
  for (auto [units, sets, unit] : cases)
    for (unsigned seed = 0; seed < 4; ++seed) {
      int64_t n = units * unit, setSize = units / sets;
      Matrix w = randomMatrix(5, n, seed), g = correlatedMoment(n, 50 + seed);
      auto lossFor = [&](unsigned kept) {
        return refitLoss(w, g, channelsOf(kept, units, unit));
      };
      for (int64_t perSet = setSize - 1; perSet >= 1; --perSet) {
        unsigned kept = (1u << units) - 1;
        for (int64_t left = units; left > perSet * sets; --left) {
          unsigned best = 0;
          for (int64_t u = 0; u < units; ++u)
            if (unsigned without = kept & ~(1u << u);
                without != kept &&
                countIn(without, u / setSize, setSize) >= perSet &&
                (!best || lossFor(without) < lossFor(best)))
              best = without;
          kept = best;
        }
        Channels chosen =
            taken(keepByBrainSurgeon(w, g, perSet * sets, {unit, sets}, 0));
        EXPECT_EQ(chosen, channelsOf(kept, units, unit))
            << units << " units of " << unit << " in " << sets << ", kept "
            << perSet;
        // Where one step is all, that is the best of all choices.
        double least = std::numeric_limits<double>::infinity();
        for (unsigned all = 0; all < 1u << units; ++all) {
          bool isEven = true;
          for (int64_t set = 0; set < sets; ++set)
            isEven &= countIn(all, set, setSize) == perSet;
          if (isEven)
            least = std::min(least, lossFor(all));
        }
        EXPECT_GE(lossFor(kept), least * (1 - 1e-12));
        if (sets == 1 && perSet == setSize - 1)
          EXPECT_NEAR(lossFor(kept) / least, 1, 1e-12);
      }
    }
}

/// Inputs that do not depend on each other: the loss of a unit is its own
/// energy, whatever else goes.
TEST(ChannelPruningTest, KeepsTheHeaviestOfIndependentSets) {
  Matrix w = randomMatrix(3, 12, 7), g(12, 12);
  std::vector<double> energies(12);
  for (int64_t j = 0; j < 12; ++j) {
    g.at(j, j) = double(1 + j * 5 % 12);
    for (int64_t r = 0; r < 3; ++r)
      energies[size_t(j)] += w.at(r, j) * w.at(r, j) * g.at(j, j);
  }
  for (ChannelUnits units : {ChannelUnits{2, 2}, {1, 3}, {2, 3}, {3, 1}})
    EXPECT_EQ(taken(keepByBrainSurgeon(w, g, units.sets, units, 0)),
              taken(keepLargest(energies, units.sets, units)));
}

TEST(ChannelPruningTest, ChoosesBetterThanScores) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    Matrix w = randomMatrix(7, 20, seed), x = shiftedInputs(20, 90, 10 + seed),
           g = momentOf(x);
    auto lossFor = [&](const Channels &kept) {
      return lossOn(w, x, taken(refitKept(w, g, kept, {}, 0)), kept);
    };
    double chosen = lossFor(taken(keepByBrainSurgeon(w, g, 9)));
    EXPECT_LT(chosen, lossFor(taken(keepLargest(scoreEnergy(g), 9))));
    EXPECT_LT(chosen, lossFor(taken(keepLargest(
                          taken(scoreFluctuation(w, g, meansOf(x))), 9))));
  }
}

TEST(ChannelPruningTest, EachRefitLosesLess) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    Matrix w = randomMatrix(5, 17, seed), x = shiftedInputs(17, 80, 30 + seed),
           g = momentOf(x);
    std::vector<double> means = meansOf(x);
    Channels kept = taken(keepLargest(scoreEnergy(g), 8));
    double affine = lossOn(w, x, taken(refitKept(w, g, kept, means, 0)), kept),
           refit = lossOn(w, x, taken(refitKept(w, g, kept, {}, 0)), kept);
    EXPECT_LT(affine, refit);
    EXPECT_LT(refit, lossOn(w, x, {w.takeColumns(kept), {}}, kept));
    EXPECT_LT(affine, lossOn(w, x, taken(shiftDropped(w, kept, means)), kept));
    for (unsigned trial = 0; trial < 20; ++trial) {
      PrunedInputs near = taken(refitKept(w, g, kept, means, 0));
      near.weights = near.weights + 1e-3 * randomMatrix(5, 8, 900 + trial);
      EXPECT_GT(lossOn(w, x, near, kept), affine);
    }
  }
}

TEST(ChannelPruningTest, ScoresTheLossOfOneChannel) {
  Matrix w = randomMatrix(5, 6, 1), x = shiftedInputs(6, 50, 2);
  std::vector<double> means = meansOf(x);
  std::vector<double> scores = taken(scoreFluctuation(w, momentOf(x), means));
  for (int64_t dropped = 0; dropped < 6; ++dropped) {
    Channels kept;
    for (int64_t j = 0; j < 6; ++j)
      if (j != dropped)
        kept.push_back(j);
    double loss = lossOn(w, x, taken(shiftDropped(w, kept, means)), kept);
    EXPECT_NEAR(scores[dropped] * 50 / (loss * loss), 1, 1e-10);
  }
}

TEST(ChannelPruningTest, KeepsWholeUnits) {
  std::vector<double> scores = {1, 1, 0, 9, 4, 4, 1, 1};
  EXPECT_EQ(taken(keepLargest(scores, 2, {2})), (Channels{2, 3, 4, 5}));
  EXPECT_EQ(taken(keepLargest(scores, 3, {2})), (Channels{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(taken(keepLargest(scores, 1, {4})), (Channels{0, 1, 2, 3}));
  EXPECT_EQ(taken(keepLargest(scores, 0, {4})), Channels());
  EXPECT_EQ(taken(keepLargest({}, 0)), Channels());
  // The heaviest two are of one set.
  EXPECT_EQ(taken(keepLargest(scores, 2, {2, 2})), (Channels{2, 3, 4, 5}));
  EXPECT_EQ(taken(keepLargest({9, 8, 1, 2}, 2, {1, 2})), (Channels{0, 3}));
}

TEST(ChannelPruningTest, DropsDeadChannelsFirst) {
  Matrix w = randomMatrix(3, 6, 1), x = randomMatrix(6, 30, 2);
  for (int64_t dead : {0, 4})
    std::fill_n(x.row(dead), 30, 0.0);
  EXPECT_EQ(taken(keepByBrainSurgeon(w, momentOf(x), 4)),
            (Channels{1, 2, 3, 5}));
}

TEST(ChannelPruningTest, KeepsNothing) {
  Matrix w = randomMatrix(3, 4, 1), x = shiftedInputs(4, 30, 2);
  std::vector<double> means = meansOf(x);
  PrunedInputs pruned = taken(refitKept(w, momentOf(x), {}, means));
  EXPECT_EQ(pruned.weights.columns(), 0);
  expectNear(pruned.bias, taken(shiftDropped(w, {}, means)).bias, 1e-12);
}

/// Channels of which W makes nothing: the others stay as they are.
TEST(ChannelPruningTest, DampingLeavesWhatIsRight) {
  Matrix w = randomMatrix(4, 9, 1), x = shiftedInputs(9, 40, 2);
  Channels kept = {0, 1, 3, 5, 8};
  for (int64_t dropped : {2, 4, 6, 7})
    for (int64_t r = 0; r < 4; ++r)
      w.at(r, dropped) = 0;
  for (double damping : {0.0, 1e-3, 0.5}) {
    Matrix refit = taken(refitKept(w, momentOf(x), kept, {}, damping)).weights;
    EXPECT_LE(largestDifference(refit, w.takeColumns(kept)), 1e-10);
    PrunedInputs affine =
        taken(refitKept(w, momentOf(x), kept, meansOf(x), damping));
    EXPECT_LE(largestDifference(affine.weights, w.takeColumns(kept)), 1e-10);
    expectNear(affine.bias, {0, 0, 0, 0}, 1e-10);
  }
}

TEST(ChannelPruningTest, DampingTakesDependentChannels) {
  Matrix w = randomMatrix(3, 5, 1), x = randomMatrix(5, 2, 2);
  Channels kept = {0, 2, 3, 4};
  EXPECT_FALSE(bool(refitKept(w, Matrix(5, 5), kept, {}, 0)));
  PrunedInputs pruned = taken(refitKept(w, momentOf(x), kept));
  EXPECT_TRUE(isFinite(pruned.weights));
  EXPECT_LT(lossOn(w, x, pruned, kept), 0.1 * norm(multiply(w, x)));
}

TEST(ChannelPruningTest, Refuses) {
  expectRefusesOperands(
      [](const Matrix &w, const Matrix &g) { return refitKept(w, g, {0}); });
  expectRefusesOperands([](const Matrix &w, const Matrix &g) {
    return keepByBrainSurgeon(w, g, 1);
  });
  expectRefusesOperands([](const Matrix &w, const Matrix &g) {
    return scoreFluctuation(w, g, {0, 0, 0, 0});
  });
  Matrix w = randomMatrix(3, 4, 1), g = Matrix::identity(4);
  EXPECT_EQ(keepLargest({1, 2, 3}, 1, {2}).error().str(),
            "expected a unit that divides 3 channels, but got 2");
  EXPECT_EQ(keepByBrainSurgeon(w, g, 1, {0}).error().str(),
            "expected a unit that divides 4 channels, but got 0");
  EXPECT_EQ(keepByBrainSurgeon(w, g, 3, {2}).error().str(),
            "expected to keep 0 to 2 units, but got 3");
  EXPECT_EQ(keepByBrainSurgeon(w, g, 2, {1, 3}).error().str(),
            "expected sets that divide 4 units, but got 3");
  EXPECT_EQ(keepLargest({1, 2, 3, 4}, 2, {1, 0}).error().str(),
            "expected sets that divide 4 units, but got 0");
  EXPECT_EQ(keepByBrainSurgeon(w, g, 3, {1, 2}).error().str(),
            "expected to keep as many units of each of 2 sets, but got 3");
  EXPECT_EQ(keepLargest({1, kNaN}, 1).error().str(),
            "expected scores that are numbers, but got NaN at 1");
  EXPECT_EQ(keepByBrainSurgeon(w, g, 1, {}, -1).error().str(),
            "expected a damping of at least 0, but got -1");
  for (const Channels &kept : {Channels{4}, {-1}, {2, 2}, {2, 1}})
    EXPECT_EQ(refitKept(w, g, kept).error().str(),
              "expected ascending channels below 4, but got " +
                  std::to_string(kept.back()));
  EXPECT_EQ(shiftDropped(w, {0}, {1, 2}).error().str(),
            "expected 4 means, but got 2");
  EXPECT_EQ(refitKept(w, g, {0}, {1, 2, kNaN, 0}).error().str(),
            "expected finite means, but got nan");
}

/// What a refit to the channels that are left loses, whatever their number.
TEST(ChannelPruningTest, LossesAreThoseOfRefits) {
  constexpr int64_t kChannels = 12;
  Matrix w = randomMatrix(5, kChannels, 1), g = correlatedMoment(kChannels, 2);
  std::vector<double> losses = taken(lossesByBrainSurgeon(w, g, 1e-9));
  ASSERT_EQ(losses.size(), size_t(kChannels + 1));
  EXPECT_EQ(losses[kChannels], 0);
  for (int64_t count = 0; count < kChannels; ++count) {
    Channels kept = taken(keepByBrainSurgeon(w, g, count, {}, 1e-9));
    PrunedInputs refit = taken(refitKept(w, g, kept, {}, 1e-9));
    Matrix whole(5, kChannels);
    for (int64_t r = 0; r < 5; ++r)
      for (int64_t k = 0; k < count; ++k)
        whole.at(r, kept[size_t(k)]) = refit.weights.at(r, k);
    double loss = lossOf(w, whole, g);
    EXPECT_NEAR(losses[size_t(count)], loss, 1e-6 * loss) << count;
    EXPECT_GT(losses[size_t(count)], losses[size_t(count + 1)]);
  }
  EXPECT_FALSE(bool(lossesByBrainSurgeon(w, Matrix(3, 3))));
  EXPECT_FALSE(bool(lossesByBrainSurgeon(w, g, -1)));
}

} // namespace
