//===- Judge.cpp - how well the model does --------------------------------===//

#include "Judge.h"

#include "RelativeError.h"

#include "linnet/Numerics/Predictions.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {
namespace {

//===----------------------------------------------------------------------===//
// Causal language models
//===----------------------------------------------------------------------===//

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
    Status status = visitOutputs(
        {&states}, windows, part,
        [&](int64_t step, Outputs logits, int64_t size) {
          visitScored(windows, part, step, [&](int64_t row, int32_t next) {
            const float *at = logits[0] + row * size;
            sum += natsOf(at, size, next);
            ++scored;
          });
        });
    if (!status)
      return status.error();
    return scored ? sum / double(scored) : 0;
  }

  Result<CompressComparison> compare(const HiddenStates &original,
                                     const HiddenStates &result,
                                     const Windows &windows,
                                     Part part) const override {
    PredictionComparison found;
    Status status = visitOutputs(
        {&original, &result}, windows, part,
        [&](int64_t step, Outputs logits, int64_t size) {
          visitScored(windows, part, step, [&](int64_t row, int32_t next) {
            found.add(logits[0] + row * size, logits[1] + row * size, size,
                      next);
          });
        });
    if (!status)
      return status.error();
    CompressComparison comparison;
    comparison.tokens = found.tokens();
    comparison.natsBefore = found.natsBefore();
    comparison.natsAfter = found.natsAfter();
    comparison.divergence = found.divergence();
    comparison.agreement = found.agreement();
    comparison.worstToken = found.worstToken();
    return comparison;
  }
};

//===----------------------------------------------------------------------===//
// Encoders
//===----------------------------------------------------------------------===//

/// The larger one; a loss that is no number is the worst.
double worse(double a, double b) { return std::isnan(b) || b > a ? b : a; }

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
    RelativeError error;
    Status status = visitOutputs(
        {&original, &result}, windows, part,
        [&](int64_t step, Outputs outputs, int64_t size) {
          auto [first, last] = windows.rangeOf(part, step);
          for (int64_t w = first; w < last; ++w) {
            int64_t length = windows.lengthOf(step * windows.batch + w),
                    at = w * windows.length * size;
            add(sums, outputs[0] + at, outputs[1] + at, length, size);
            error.add(outputs[0] + at, outputs[1] + at, length * size);
          }
        });
    if (!status)
      return status.error();
    if (sums.sequences == 0)
      return sums;
    sums.cosine /= double(sums.sequences);
    sums.outputError = error.value();
    return sums;
  }

private:
  /// Adds a sequence of `length` tokens with outputs `x` of the original and
  /// `y` of the result.
  static void add(CompressComparison &sums, const float *x, const float *y,
                  int64_t length, int64_t size) {
    std::vector<double> a = meanOf(x, length, size),
                        b = meanOf(y, length, size);
    double cosine = product(a, b) / std::sqrt(product(a, a) * product(b, b));
    sums.cosine += cosine;
    sums.worstCosine =
        sums.sequences ? -worse(-sums.worstCosine, -cosine) : cosine;
    ++sums.sequences;
    sums.tokens += length;
  }
};

} // namespace

Status Judge::visitOutputs(
    llvm::ArrayRef<const HiddenStates *> states, const Windows &windows,
    Part part,
    llvm::function_ref<void(int64_t step, Outputs outputs, int64_t width)>
        visit) const {
  std::vector<std::vector<Activations>> buffers(states.size());
  for (int64_t step = 0; step < windows.batches(); ++step) {
    auto [first, last] = windows.rangeOf(part, step);
    if (first == last)
      continue;
    llvm::SmallVector<const float *> outputs;
    int64_t width = 0;
    for (size_t i = 0; i < states.size(); ++i) {
      Result<llvm::ArrayRef<float>> output =
          runner.outputOf(end, *states[i], step, buffers[i]);
      if (!output)
        return output.error();
      outputs.push_back(output->data());
      width = int64_t(output->size()) / runner.stepTokens();
    }
    visit(step, outputs, width);
  }
  return {};
}

double hiddenError(const TapRunner &runner, const HiddenStates &original,
                   const HiddenStates &result, const Windows &windows) {
  RelativeError error;
  for (int64_t i = 0; i < windows.batches(); ++i) {
    llvm::ArrayRef<float> x = original.stepOf(0, i), y = result.stepOf(0, i);
    int64_t width = int64_t(x.size()) / runner.stepTokens();
    for (const TokenRange &range : windows.tokensOf(Part::HeldOut, i))
      error.add(x.data() + range.first * width, y.data() + range.first * width,
                (range.last - range.first) * width);
  }
  return error.value();
}

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

Status compareModels(TapRunner &runner, const HiddenStates &original,
                     const HiddenStates &result, const Windows &windows,
                     CompressReport &report) {
  Result<std::unique_ptr<Judge>> judge = Judge::create(runner);
  if (!judge)
    return judge.error();
  for (auto [part, comparison] :
       {std::pair(Part::HeldOut, &report.heldOut),
        std::pair(Part::Evaluated, &report.evaluated)}) {
    Result<CompressComparison> compared =
        (*judge)->compare(original, result, windows, part);
    if (!compared)
      return compared.error();
    // What is no number compares with nothing: such a result is none.
    for (double value : {compared->natsBefore, compared->natsAfter,
                         compared->cosine, compared->outputError})
      if (!std::isfinite(value))
        return makeError("expected finite outputs on the ",
                         part == Part::HeldOut ? "held-out" : "evaluation",
                         " windows, but got NaN or infinity");
    *comparison = *compared;
  }
  return {};
}

} // namespace linnet::compress
