//===- Clustering.cpp - which points are alike ----------------------------===//

#include "linnet/Numerics/Clustering.h"

#include <limits>

namespace linnet {
namespace {

struct Cluster {
  std::vector<size_t> points;
  std::vector<double> mean;

  double weight() const { return double(points.size()); }
};

/// What merging adds to the sum of squared distances.
double mergingCost(const Cluster &a, const Cluster &b) {
  double distance = 0;
  for (size_t i = 0; i < a.mean.size(); ++i)
    distance += (a.mean[i] - b.mean[i]) * (a.mean[i] - b.mean[i]);
  return distance * a.weight() * b.weight() / (a.weight() + b.weight());
}

void mergeInto(Cluster &a, const Cluster &b) {
  double all = a.weight() + b.weight();
  for (size_t i = 0; i < a.mean.size(); ++i)
    a.mean[i] = (a.mean[i] * a.weight() + b.mean[i] * b.weight()) / all;
  a.points.insert(a.points.end(), b.points.begin(), b.points.end());
}

} // namespace

std::vector<size_t>
clusterByVariance(const std::vector<std::vector<double>> &points, size_t most) {
  std::vector<Cluster> clusters;
  for (size_t i = 0; i < points.size(); ++i)
    clusters.push_back({{i}, points[i]});
  for (;;) {
    double least = std::numeric_limits<double>::infinity();
    size_t first = 0, second = 0;
    for (size_t a = 0; a < clusters.size(); ++a)
      for (size_t b = a + 1; b < clusters.size(); ++b)
        if (double cost = mergingCost(clusters[a], clusters[b]); cost < least) {
          least = cost;
          first = a;
          second = b;
        }
    if (second == 0 || (clusters.size() <= most && least > 0))
      break;
    mergeInto(clusters[first], clusters[second]);
    clusters.erase(clusters.begin() + std::ptrdiff_t(second));
  }
  // The first of two is merged into, so that clusters keep the order of their
  // first points.
  std::vector<size_t> numbers(points.size());
  for (size_t c = 0; c < clusters.size(); ++c)
    for (size_t point : clusters[c].points)
      numbers[point] = c;
  return numbers;
}

} // namespace linnet
