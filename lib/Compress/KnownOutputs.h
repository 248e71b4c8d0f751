//===- KnownOutputs.h - maps of which some outputs go ---------*- C++ -*-===//

#ifndef LIB_COMPRESS_KNOWNOUTPUTS_H
#define LIB_COMPRESS_KNOWNOUTPUTS_H

#include "MapStructure.h"

namespace linnet::compress {

/// A matrix of which some outputs go, "kept" being left. Which is known before
/// it is fitted; until the result is written all are there, and taps mask the
/// others.
class KnownOutputs : public MapStructure {
public:
  explicit KnownOutputs(std::string_view label) : label(label) {}
  std::string_view name() const override { return label; }
  std::vector<PlanNumbers> candidates(const LinearMap &,
                                      const CompressOptions &) const override {
    return {};
  }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &) const override {
    return denseStructure().fit(target, inputs, {});
  }
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return map.columns * numbers.at("kept");
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    LinearMap narrow = map;
    narrow.rows = numbers.at("kept");
    return denseStructure().factors(narrow, {});
  }

private:
  std::string_view label;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_KNOWNOUTPUTS_H
