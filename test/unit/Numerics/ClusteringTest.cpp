//===- ClusteringTest.cpp -------------------------------------------------===//

#include "linnet/Numerics/Clustering.h"

#include "gtest/gtest.h"

#include <limits>
#include <random>

using namespace linnet;

namespace {

using Points = std::vector<std::vector<double>>;

double squaresOf(const Points &points, const std::vector<size_t> &numbers) {
  double sum = 0;
  for (size_t c = 0; c < points.size(); ++c) {
    std::vector<double> mean(points[0].size(), 0.0);
    double count = 0;
    for (size_t i = 0; i < points.size(); ++i)
      if (numbers[i] == c) {
        ++count;
        for (size_t k = 0; k < mean.size(); ++k)
          mean[k] += points[i][k];
      }
    for (size_t i = 0; i < points.size(); ++i)
      for (size_t k = 0; numbers[i] == c && k < mean.size(); ++k)
        sum +=
            (points[i][k] - mean[k] / count) * (points[i][k] - mean[k] / count);
  }
  return sum;
}

TEST(ClusteringTest, LeavesFewPointsAlone) {
  EXPECT_EQ(clusterByVariance({{1, 2}, {3, 4}, {0, 0}}, 3),
            (std::vector<size_t>{0, 1, 2}));
  EXPECT_TRUE(clusterByVariance({}, 2).empty());
}

TEST(ClusteringTest, KeepsEqualPointsTogether) {
  EXPECT_EQ(clusterByVariance({{1, 2}, {3, 4}, {1, 2}, {3, 4}}, 4),
            (std::vector<size_t>{0, 1, 0, 1}));
}

TEST(ClusteringTest, FindsGroupsThatAreApart) {
  EXPECT_EQ(clusterByVariance({{9.1}, {0.2}, {5.0}, {9.0}, {0.1}, {5.2}}, 3),
            (std::vector<size_t>{0, 1, 2, 0, 1, 2}));
}

TEST(ClusteringTest, WeighsClustersByTheirPoints) {
  // Merging {0, 0, 0, 0} (mean 0) with 1 adds 4/5, with 2.2 and 3.4 their own
  // merging adds 0.72: Ward's choice, where the nearest means would be 0 and 1.
  EXPECT_EQ(clusterByVariance({{0}, {0}, {0}, {0}, {1}, {2.2}, {3.4}}, 3),
            (std::vector<size_t>{0, 0, 0, 0, 1, 2, 2}));
}

TEST(ClusteringTest, MakesOneOfAll) {
  EXPECT_EQ(clusterByVariance({{1}, {2}, {40}, {-3}}, 1),
            (std::vector<size_t>{0, 0, 0, 0}));
}

TEST(ClusteringTest, IsNearTheBestOfAllPartitions) {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 20; ++round) {
    Points points(7, std::vector<double>(3));
    for (auto &point : points)
      for (double &entry : point)
        entry = normal(random);
    double best = std::numeric_limits<double>::infinity();
    for (int code = 0; code < 2187; ++code) {
      std::vector<size_t> numbers;
      for (int i = 0, rest = code; i < 7; ++i, rest /= 3)
        numbers.push_back(size_t(rest % 3));
      best = std::min(best, squaresOf(points, numbers));
    }
    double found = squaresOf(points, clusterByVariance(points, 3));
    EXPECT_GE(found, best - 1e-12);
    EXPECT_LE(found, 1.6 * best) << "round " << round;
  }
}

} // namespace
