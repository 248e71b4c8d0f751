//===- CodedMaps.cpp - matrices of codes of few bits ----------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/Quantization.h"

#include <algorithm>

namespace linnet::compress {
namespace {

constexpr const char *kGroup = "group";
/// Scales tried for each group, and passes over codes and scales afterwards.
constexpr int64_t kScaleSteps = 16, kSweeps = 4;

/// How far all outputs count the same, relative to their metric: that is an
/// approximation, and codes would stray where it sees nothing.
constexpr double kEvenly = 0.3;

using Range = QuantizationFormat::Range;

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
    std::vector stored{packCodes(), scales.take()};
    if (codes.format.range == Range::Offset)
      stored.push_back(packZeros());
    return stored;
  }

private:
  /// What is stored of a code or a zero is less by that: two's complement.
  int middle() const {
    return codes.format.range == Range::Signed ? 0
                                               : 1 << (codes.format.bits - 1);
  }
  /// Two of 4 bits to a byte.
  std::vector<std::byte> packCodes() const {
    int64_t each = 8 / codes.format.bits;
    std::vector<std::byte> bytes(codes.codes.size() / size_t(each));
    for (int64_t r = 0; r < codes.rows; ++r)
      for (int64_t c = 0; c < codes.columns; ++c) {
        int64_t at = r * codes.columns + c;
        int code = codes.codes[size_t(at)] - middle();
        unsigned bits = unsigned(code) & (each == 2 ? 15u : 255u);
        bytes[size_t(at / each)] |=
            std::byte(bits << (each == 2 ? 4 * (c % 2) : 0));
      }
    return bytes;
  }
  std::vector<std::byte> packZeros() const {
    std::vector<std::byte> bytes;
    for (int64_t i = 0; i < codes.zeros.size(); ++i)
      bytes.push_back(std::byte(int(codes.zeros.data()[i]) - middle()));
    return bytes;
  }

  QuantizedMatrix codes;
};

/// How errors of so many outputs count, R; empty where all count the same.
Matrix metricOf(const FitInputs &inputs, int64_t outputs) {
  if (inputs.metric().root.size() == 0)
    return Matrix();
  Matrix root = inputs.metric().weigh(Matrix::identity(outputs));
  Matrix metric = multiply(root, root, Side::Transposed, Side::AsIs);
  double each = kEvenly * trace(metric) / double(outputs);
  for (int64_t i = 0; i < outputs; ++i)
    metric.at(i, i) += each;
  return metric;
}

class CodedStructure : public MapStructure {
public:
  CodedStructure(const char *label, int64_t bits, Range range)
      : label(label), bits(bits), range(range) {}

  std::string_view name() const override { return label; }
  std::vector<std::string> keys() const override { return {kGroup}; }
  bool weighsOutputs() const override { return true; }
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
    QuantizationFormat format = {bits, numbers.at(kGroup), range};
    format.scaleSteps = kScaleSteps;
    // All types that tensors have hold as many.
    format.scaleDigits = 8;
    Result<QuantizedMatrix> codes =
        inputs.areIndependent()
            ? roundToNearest(target, format)
            : quantizeWithFeedback(target, inputs.moment(), format,
                                   {.sorts = true,
                                    .sweeps = kSweeps,
                                    .metric = metricOf(inputs, target.rows())});
    if (!codes)
      return codes.error();
    return std::unique_ptr<FittedMap>(std::make_unique<CodedMap>(codes.take()));
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    int64_t group = numbers.at(kGroup),
            groups = (map.columns + group - 1) / group;
    std::vector<TensorSpec> specs = {
        {"codes", DataType::I8, {map.rows, map.columns * bits / 8}},
        {"scales", map.dtype, {map.rows, groups}}};
    if (range == Range::Offset)
      specs.push_back({"zeros", DataType::I8, {map.rows, groups}});
    return specs;
  }
  std::string attribute(const LinearMap &,
                        const PlanNumbers &numbers) const override {
    return "quantized<" + std::to_string(bits) + ", " +
           std::to_string(numbers.at(kGroup)) +
           (range == Range::Offset ? ", zeros>" : ">");
  }

private:
  bool fillsBytes(const LinearMap &map) const {
    return map.columns * bits % 8 == 0;
  }

  const char *label;
  int64_t bits;
  Range range;
};

} // namespace

// Signed codes of 8 bits, and of 4 those that use all 16.
const MapStructure &int8Structure() {
  static const CodedStructure structure("int8", 8, Range::Signed);
  return structure;
}

const MapStructure &int4Structure() {
  static const CodedStructure structure("int4", 4, Range::Centered);
  return structure;
}

const MapStructure &int8AsymmetricStructure() {
  static const CodedStructure structure("int8_asymmetric", 8, Range::Offset);
  return structure;
}

const MapStructure &int4AsymmetricStructure() {
  static const CodedStructure structure("int4_asymmetric", 4, Range::Offset);
  return structure;
}

} // namespace linnet::compress
