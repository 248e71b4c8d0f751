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
    while (number < inputs.size() &&
           (inputs[number].value.isCarried != site.input.isCarried ||
            inputs[number].value.number != site.input.number))
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

void StageMoments::add(const StepValues *original, const StepValues &result,
                       int64_t first, int64_t last) {
  if (first == last)
    return;
  for (Input &input : inputs) {
    const float *x = result.of(input.value) + first * input.width;
    input.own.add(x, x, last - first);
    if (original)
      input.cross.add(original->of(input.value) + first * input.width, x,
                      last - first);
  }
  for (size_t i = 0; i < residuals.size() && original; ++i) {
    if (!stage->sites[i].residual)
      continue;
    const float *r = original->of(*stage->sites[i].residual),
                *s = result.of(*stage->sites[i].residual);
    difference.resize(size_t((last - first) * rows[i]));
    for (size_t k = 0, at = size_t(first * rows[i]); k < difference.size();
         ++k, ++at)
      difference[k] = r[at] - s[at];
    const Input &input = inputs[inputOf[i]];
    residuals[i].add(difference.data(),
                     result.of(input.value) + first * input.width,
                     last - first);
  }
}

} // namespace linnet::compress
