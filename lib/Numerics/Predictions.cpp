//===- Predictions.cpp - how well logits say what comes next --------------===//

#include "linnet/Numerics/Predictions.h"

#include <algorithm>
#include <cmath>

namespace linnet {

template <typename T>
double logSumExp(const T *row, int64_t size) {
  T largest = *std::max_element(row, row + size);
  double sum = 0;
  for (int64_t v = 0; v < size; ++v)
    sum += double(std::exp(row[v] - largest));
  return double(largest) + std::log(sum);
}

template <typename T>
void PredictionComparison::add(const T *p, const T *q, int64_t size,
                               int64_t next) {
  double ofP = logSumExp(p, size), ofQ = logSumExp(q, size);
  before += ofP - double(p[next]);
  double nats = ofQ - double(q[next]);
  after += nats;
  // A loss that is no number is the worst.
  if (std::isnan(nats) || nats > worst)
    worst = nats;
  for (int64_t v = 0; v < size; ++v) {
    double logP = double(p[v]) - ofP;
    divergences += std::exp(logP) * (logP - (double(q[v]) - ofQ));
  }
  agreeing +=
      !std::isnan(ofP) && !std::isnan(ofQ) &&
      std::max_element(p, p + size) - p == std::max_element(q, q + size) - q;
  ++count;
}

template double logSumExp(const float *, int64_t);
template double logSumExp(const double *, int64_t);
template void PredictionComparison::add(const float *, const float *, int64_t,
                                        int64_t);
template void PredictionComparison::add(const double *, const double *, int64_t,
                                        int64_t);

} // namespace linnet
