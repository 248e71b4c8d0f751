//===- StageMoments.cpp - moments of what enters maps ---------------------===//

#include "StageMoments.h"

namespace linnet::compress {

StageMoments::StageMoments(const TapRunner &runner,
                           const std::vector<LinearMap> &maps, size_t layer,
                           size_t stage, llvm::ArrayRef<Matrix> weights) {
  for (const TapSite &site : runner.layer(layer).stages[stage].sites) {
    const LinearMap &map = maps[runner.mapOf(layer, site)];
    size_t number = 0;
    while (number < inputs.size() && inputs[number].value != site.input)
      ++number;
    if (number == inputs.size())
      inputs.push_back(
          {site.input, map.columns, 0, 0, MomentSum(map.columns, map.columns)});
    inputs[number].outputs += map.rows;
    sites.push_back({number, map.rows, site.residual});
  }
  if (weights.empty())
    return;
  for (size_t i = 0; i < sites.size(); ++i) {
    Site &site = sites[i];
    Input &input = inputs[site.input];
    site.weight = &weights[i];
    bool isDirect = input.outputs < input.width;
    if (isDirect)
      site.direct = std::make_shared<std::vector<float>>(
          site.weight->data(), site.weight->data() + site.weight->size());
    else if (input.waiting++ == 0)
      input.cross = MomentSum(input.width, input.width);
    if (isDirect || site.residual)
      site.sum = MomentSum(site.rows, input.width);
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
    if (!original)
      continue;
    input.before = gatherRows(original->of(input.value), input.width, ranges,
                              input.gatheredBefore);
    if (input.waiting)
      input.cross.add(input.before, x, count);
  }
  for (Site &site : sites) {
    if (!original || (!site.residual && !site.direct))
      continue;
    const Input &input = inputs[site.input];
    difference.assign(size_t(count * site.rows), 0.0f);
    if (site.direct)
      mapTokens(site.direct->data(), site.rows, input.width, input.before,
                count, difference.data());
    if (site.residual) {
      const float *r = original->of(*site.residual),
                  *s = result.of(*site.residual);
      float *at = difference.data();
      for (const TokenRange &range : ranges)
        for (int64_t e = range.first * site.rows; e < range.last * site.rows;
             ++e)
          *at++ += r[e] - s[e];
    }
    site.sum.add(difference.data(), input.seen, count);
  }
}

void StageMoments::finish() {
  for (Input &input : inputs) {
    input.x = FitInputs(input.own.takeMean());
    if (input.waiting)
      input.meanCross = input.cross.takeMean();
  }
  for (Site &site : sites)
    site.mean = site.sum.takeMean();
}

Matrix StageMoments::takeTarget(size_t i) {
  Site &site = sites[i];
  Input &input = inputs[site.input];
  Matrix target = std::move(site.mean);
  if (site.direct)
    return target;
  if (target.size() == 0)
    target = Matrix(site.rows, input.width);
  addProduct(target, *site.weight, input.meanCross);
  if (--input.waiting == 0)
    input.meanCross = Matrix();
  return target;
}

} // namespace linnet::compress
