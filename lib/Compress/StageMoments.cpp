//===- StageMoments.cpp - moments of what enters maps ---------------------===//

#include "StageMoments.h"

namespace linnet::compress {

StageMoments::StageMoments(const TapRunner &runner,
                           const std::vector<LinearMap> &maps, size_t layer,
                           size_t stage, bool twoModels)
    : stage(&runner.layer(layer).stages[stage]) {
  for (const TapSite &site : this->stage->sites) {
    const LinearMap &map = maps[runner.mapOf(layer, site)];
    size_t number = 0;
    while (number < inputs.size() && inputs[number].value != site.input)
      ++number;
    if (number == inputs.size()) {
      int64_t width = map.columns;
      inputs.push_back({site.input, width, MomentSum(width, width),
                        twoModels ? MomentSum(width, width) : MomentSum()});
    }
    inputOf.push_back(number);
    rows.push_back(map.rows);
    residuals.push_back(twoModels && site.residual
                            ? MomentSum(map.rows, map.columns)
                            : MomentSum());
  }
}

const float *gatherRows(const float *values, int64_t width,
                        llvm::ArrayRef<TokenRange> ranges, Activations &copy) {
  if (ranges.size() == 1)
    return values + ranges.front().first * width;
  copy.clear();
  for (const TokenRange &range : ranges)
    copy.insert(copy.end(), values + range.first * width,
                values + range.last * width);
  return copy.data();
}

int64_t countTokens(llvm::ArrayRef<TokenRange> ranges) {
  int64_t count = 0;
  for (const TokenRange &range : ranges)
    count += range.last - range.first;
  return count;
}

void StageMoments::add(const StepValues *original, const StepValues &result,
                       llvm::ArrayRef<TokenRange> ranges) {
  int64_t count = countTokens(ranges);
  if (count == 0)
    return;
  for (Input &input : inputs) {
    const float *x =
        gatherRows(result.of(input.value), input.width, ranges, input.gathered);
    input.own.add(x, x, count);
    input.seen = x;
    if (original)
      input.cross.add(
          gatherRows(original->of(input.value), input.width, ranges, gathered),
          x, count);
  }
  for (size_t i = 0; i < residuals.size() && original; ++i) {
    if (!stage->sites[i].residual)
      continue;
    const float *r = original->of(*stage->sites[i].residual),
                *s = result.of(*stage->sites[i].residual);
    difference.clear();
    for (const TokenRange &range : ranges)
      for (int64_t at = range.first * rows[i]; at < range.last * rows[i]; ++at)
        difference.push_back(r[at] - s[at]);
    residuals[i].add(difference.data(), inputs[inputOf[i]].seen, count);
  }
}

} // namespace linnet::compress
