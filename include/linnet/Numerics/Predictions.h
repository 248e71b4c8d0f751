//===- Predictions.h - how well logits say what comes next ----*- C++ -*-===//

#ifndef LINNET_NUMERICS_PREDICTIONS_H
#define LINNET_NUMERICS_PREDICTIONS_H

#include <cstdint>

namespace linnet {

/// log(sum_i exp(row_i)), nats; exponentials in T. NaN if an entry is, or if
/// one is infinite.
template <typename T>
double logSumExp(const T *row, int64_t size);

/// -log p(next) of logits over `size` tokens.
template <typename T>
double natsOf(const T *logits, int64_t size, int64_t next) {
  return logSumExp(logits, size) - double(logits[next]);
}

/// What a model says of a text beside what another, the original, says of it.
class PredictionComparison {
public:
  /// One token, before which the original has logits `p` and the other `q`.
  template <typename T>
  void add(const T *p, const T *q, int64_t size, int64_t next);

  int64_t tokens() const { return count; }
  /// Mean nats per token.
  double natsBefore() const { return mean(before); }
  double natsAfter() const { return mean(after); }
  /// Kullback and Leibler's divergence of the other's distribution from the
  /// original's, mean nats per token.
  double divergence() const { return mean(divergences); }
  /// The share of tokens for which both expect the same most; where logits are
  /// no numbers they do not.
  double agreement() const { return mean(double(agreeing)); }
  /// Nats of the token that the other predicts worst; NaN if one is.
  double worstToken() const { return worst; }

private:
  double mean(double sum) const { return count ? sum / double(count) : 0; }

  int64_t count = 0, agreeing = 0;
  double before = 0, after = 0, divergences = 0, worst = 0;
};

} // namespace linnet

#endif // LINNET_NUMERICS_PREDICTIONS_H
