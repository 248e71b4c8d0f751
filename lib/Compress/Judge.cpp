//===- Judge.cpp - how well the model does --------------------------------===//

#include "Judge.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {
namespace {

bool isEmpty(const Windows &windows, Part part, int64_t step) {
  auto [first, last] = windows.rangeOf(part, step);
  return first == last;
}

//===----------------------------------------------------------------------===//
// Causal language models
//===----------------------------------------------------------------------===//

/// log(sum of exp) of one row.
double logSumExp(const float *row, int64_t size) {
  float largest = *std::max_element(row, row + size);
  double sum = 0;
  for (int64_t v = 0; v < size; ++v)
    sum += double(std::exp(row[v] - largest));
  return double(largest) + std::log(sum);
}

/// Calls `visit(row of logits, the token after it)` for all scored tokens of
/// one step.
template <typename Visitor>
void visitScored(const Windows &windows, Part part, int64_t step,
                 Visitor visit) {
  auto [first, last] = windows.rangeOf(part, step);
  for (int64_t w = first; w < last; ++w)
    for (int64_t t = 0; t + 1 < windows.length; ++t) {
      int64_t row = w * windows.length + t;
      visit(row, windows.batchAt(step)[row + 1]);
    }
}

class LanguageJudge : public Judge {
public:
  LanguageJudge(const TapRunner &runner, std::optional<OpenTap> end)
      : Judge(runner, std::move(end)) {}

  Result<double> score(const HiddenStates &, const HiddenStates &states,
                       const Windows &windows, Part part) const override {
    double sum = 0;
    int64_t scored = 0;
    std::vector<Activations> buffer;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      if (isEmpty(windows, part, step))
        continue;
      Result<llvm::ArrayRef<float>> logits =
          runner.outputOf(end, states, step, buffer);
      if (!logits)
        return logits.error();
      int64_t size = int64_t(logits->size()) / runner.stepTokens();
      visitScored(windows, part, step, [&](int64_t row, int32_t next) {
        const float *at = logits->data() + row * size;
        sum += logSumExp(at, size) - double(at[next]);
        ++scored;
      });
    }
    return scored ? sum / double(scored) : 0;
  }

  Result<CompressComparison> compare(const HiddenStates &original,
                                     const HiddenStates &result,
                                     const Windows &windows,
                                     Part part) const override {
    CompressComparison sums;
    std::vector<Activations> ofOriginal, ofResult;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      if (isEmpty(windows, part, step))
        continue;
      Result<llvm::ArrayRef<float>> before =
          runner.outputOf(end, original, step, ofOriginal);
      if (!before)
        return before.error();
      Result<llvm::ArrayRef<float>> after =
          runner.outputOf(end, result, step, ofResult);
      if (!after)
        return after.error();
      int64_t size = int64_t(before->size()) / runner.stepTokens();
      visitScored(windows, part, step, [&](int64_t row, int32_t next) {
        add(sums, before->data() + row * size, after->data() + row * size, size,
            next);
      });
    }
    if (sums.tokens == 0)
      return sums;
    for (double *sum :
         {&sums.natsBefore, &sums.natsAfter, &sums.divergence, &sums.agreement})
      *sum /= double(sums.tokens);
    return sums;
  }

private:
  /// Adds one token with logits `p` of the original and `q` of the result.
  static void add(CompressComparison &sums, const float *p, const float *q,
                  int64_t size, int32_t next) {
    double ofP = logSumExp(p, size), ofQ = logSumExp(q, size);
    sums.natsBefore += ofP - double(p[next]);
    double nats = ofQ - double(q[next]);
    sums.natsAfter += nats;
    sums.worstToken = std::max(sums.worstToken, nats);
    for (int64_t v = 0; v < size; ++v) {
      double logP = double(p[v]) - ofP;
      sums.divergence += std::exp(logP) * (logP - (double(q[v]) - ofQ));
    }
    sums.agreement +=
        std::max_element(p, p + size) - p == std::max_element(q, q + size) - q;
    ++sums.tokens;
  }
};

//===----------------------------------------------------------------------===//
// Encoders
//===----------------------------------------------------------------------===//

/// The mean of `count` rows of `size`.
std::vector<double> meanOf(const float *rows, int64_t count, int64_t size) {
  std::vector<double> mean(static_cast<size_t>(size));
  for (int64_t t = 0; t < count; ++t)
    for (int64_t c = 0; c < size; ++c)
      mean[size_t(c)] += double(rows[t * size + c]) / double(count);
  return mean;
}

double product(const std::vector<double> &a, const std::vector<double> &b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += a[i] * b[i];
  return sum;
}

class EncoderJudge : public Judge {
public:
  EncoderJudge(const TapRunner &runner, std::optional<OpenTap> end)
      : Judge(runner, std::move(end)) {}

  Result<double> score(const HiddenStates &original, const HiddenStates &states,
                       const Windows &windows, Part part) const override {
    Result<CompressComparison> compared =
        compare(original, states, windows, part);
    if (!compared)
      return compared.error();
    return compared->sequences ? 1 - compared->cosine : 0;
  }

  Result<CompressComparison> compare(const HiddenStates &original,
                                     const HiddenStates &result,
                                     const Windows &windows,
                                     Part part) const override {
    CompressComparison sums;
    double difference = 0, all = 0;
    std::vector<Activations> ofOriginal, ofResult;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      if (isEmpty(windows, part, step))
        continue;
      Result<llvm::ArrayRef<float>> before =
          runner.outputOf(end, original, step, ofOriginal);
      if (!before)
        return before.error();
      Result<llvm::ArrayRef<float>> after =
          runner.outputOf(end, result, step, ofResult);
      if (!after)
        return after.error();
      int64_t size = int64_t(before->size()) / runner.stepTokens();
      auto [first, last] = windows.rangeOf(part, step);
      for (int64_t w = first; w < last; ++w) {
        int64_t length = windows.lengthOf(step * windows.batch + w);
        const float *x = before->data() + w * windows.length * size,
                    *y = after->data() + w * windows.length * size;
        std::vector<double> a = meanOf(x, length, size),
                            b = meanOf(y, length, size);
        double cosine =
            product(a, b) / std::sqrt(product(a, a) * product(b, b));
        sums.cosine += cosine;
        sums.worstCosine =
            sums.sequences ? std::min(sums.worstCosine, cosine) : cosine;
        ++sums.sequences;
        sums.tokens += length;
        for (int64_t i = 0; i < length * size; ++i) {
          difference +=
              (double(x[i]) - double(y[i])) * (double(x[i]) - double(y[i]));
          all += double(x[i]) * double(x[i]);
        }
      }
    }
    if (sums.sequences == 0)
      return sums;
    sums.cosine /= double(sums.sequences);
    sums.outputError = all > 0 ? std::sqrt(difference / all) : 0;
    return sums;
  }
};

} // namespace

Result<std::unique_ptr<Judge>> Judge::create(TapRunner &runner) {
  Result<std::optional<OpenTap>> end = runner.openEnd();
  if (!end)
    return end.error();
  if (runner.isEncoder())
    return std::unique_ptr<Judge>(
        std::make_unique<EncoderJudge>(runner, end.take()));
  return std::unique_ptr<Judge>(
      std::make_unique<LanguageJudge>(runner, end.take()));
}

} // namespace linnet::compress
