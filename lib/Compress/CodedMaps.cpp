//===- CodedMaps.cpp - matrices of codes of few bits ----------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/Quantization.h"

#include <algorithm>

namespace linnet::compress {
namespace {

constexpr const char *kGroup = "group";
/// Scales tried for each group, and passes over codes and scales afterwards.
constexpr int64_t kScaleSteps = 16, kSweeps = 4;

class CodedMap : public FittedMap {
public:
  explicit CodedMap(QuantizedMatrix codes) : codes(std::move(codes)) {}
  Matrix toDense() const override { return codes.toDense(); }
  Result<std::vector<std::vector<std::byte>>>
  store(const LinearMap &map) override {
    Result<std::vector<std::byte>> scales =
        roundMatrix(codes.scales, map.dtype);
    if (!scales)
      return scales.error();
    return std::vector{packCodes(), scales.take()};
  }

private:
  /// Codes less their zeros, which are one for all here, two of 4 bits to a
  /// byte.
  std::vector<std::byte> packCodes() const {
    int64_t each = 8 / codes.format.bits;
    std::vector<std::byte> bytes(codes.codes.size() / size_t(each));
    int64_t group = codes.format.group ? codes.format.group : codes.columns;
    for (int64_t r = 0; r < codes.rows; ++r)
      for (int64_t c = 0; c < codes.columns; ++c) {
        int64_t at = r * codes.columns + c;
        int code = codes.codes[size_t(at)] - int(codes.zeros.at(r, c / group));
        unsigned bits = unsigned(code) & (each == 2 ? 15u : 255u);
        bytes[size_t(at / each)] |=
            std::byte(bits << (each == 2 ? 4 * (c % 2) : 0));
      }
    return bytes;
  }

  QuantizedMatrix codes;
};

class CodedStructure : public MapStructure {
public:
  CodedStructure(const char *label, int64_t bits) : label(label), bits(bits) {}

  std::string_view name() const override { return label; }
  std::vector<std::string> keys() const override { return {kGroup}; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    if (numbers.at(kGroup) < 1)
      return makeError("key 'group': expected at least 1, but got ",
                       numbers.at(kGroup));
    if (!fillsBytes(map))
      return makeError("key 'structure': expected inputs that fill bytes for '",
                       name(), "', but got ", map.columns);
    return {};
  }
  std::vector<PlanNumbers>
  candidates(const LinearMap &map,
             const CompressOptions &options) const override {
    if (!fillsBytes(map))
      return {};
    int64_t group =
        options.group ? std::min(options.group, map.columns) : map.columns;
    return {{{kGroup, group}}};
  }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override {
    // Signed codes of 8 bits, and of 4 those that use all 16.
    using Range = QuantizationFormat::Range;
    QuantizationFormat format = {bits, numbers.at(kGroup),
                                 bits == 4 ? Range::Centered : Range::Signed};
    format.scaleSteps = kScaleSteps;
    // All types that tensors have hold as many.
    format.scaleDigits = 8;
    Result<QuantizedMatrix> codes =
        inputs.areIndependent()
            ? roundToNearest(target, format)
            : quantizeWithFeedback(target, inputs.moment(), format,
                                   {.sweeps = kSweeps});
    if (!codes)
      return codes.error();
    return std::unique_ptr<FittedMap>(std::make_unique<CodedMap>(codes.take()));
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    int64_t group = numbers.at(kGroup);
    return {
        {"codes", DataType::I8, {map.rows, map.columns * bits / 8}},
        {"scales", map.dtype, {map.rows, (map.columns + group - 1) / group}}};
  }
  std::string attribute(const LinearMap &,
                        const PlanNumbers &numbers) const override {
    return "quantized<" + std::to_string(bits) + ", " +
           std::to_string(numbers.at(kGroup)) + ">";
  }

private:
  bool fillsBytes(const LinearMap &map) const {
    return map.columns * bits % 8 == 0;
  }

  const char *label;
  int64_t bits;
};

} // namespace

const MapStructure &int8Structure() {
  static const CodedStructure structure("int8", 8);
  return structure;
}

const MapStructure &int4Structure() {
  static const CodedStructure structure("int4", 4);
  return structure;
}

} // namespace linnet::compress
