//===- MergeAdapters.cpp - what was learned beside a model, added to it ---===//

#include "linnet/Compress/Compress.h"

#include "WriteCheckpoint.h"

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Json.h"
#include "linnet/Support/Quote.h"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>

namespace linnet {

using namespace compress;

namespace {

constexpr std::string_view kBasePrefix = "base_model.model.",
                           kFactorA = ".lora_A.weight",
                           kFactorB = ".lora_B.weight";

/// One thing to add, with its coefficient.
struct Addend {
  std::string path;
  double coefficient = 1;
  Archive archive;
  /// Of an adapter: alpha, whether it is divided by the root of the rank, and
  /// whether the base stores its matrices [in, out].
  bool isAdapter = false, rootOfRank = false, inOut = false;
  double alpha = 0;
  /// An adapter's factors by the tensor they add to.
  struct Factors {
    const Archive::Tensor *a = nullptr, *b = nullptr;
  };
  std::map<std::string, Factors> factors;
};

Matrix readTensor(const Archive::Tensor &tensor) {
  std::vector<double> values(tensor.bytes / dataTypeSize(tensor.dtype));
  convertToF64(tensor.data, tensor.dtype, values.data(), values.size());
  auto columns = tensor.shape.empty() ? int64_t(1) : tensor.shape.back();
  auto rows = columns ? int64_t(values.size()) / columns : 0;
  return Matrix(rows, columns, std::move(values));
}

/// What keeps an adapter from being a sum of products.
Status checkAdapter(const Json &config, const std::string &file) {
  Result<std::string> type = getString(config, "peft_type", file);
  if (!type)
    return type.error();
  if (*type != "LORA")
    return makeError(file, ": key 'peft_type': expected 'LORA', but got ",
                     quoteName(*type));
  for (const char *key : {"use_dora", "lora_bias"}) {
    Result<bool> used = getBool(config, key, file, false);
    if (!used)
      return used.error();
    if (*used)
      return makeError(file, ": key '", key, "': expected false, but got true");
  }
  Result<std::string> bias = getString(config, "bias", file, "none");
  if (!bias)
    return bias.error();
  if (*bias != "none")
    return makeError(file, ": key 'bias': expected 'none', but got ",
                     quoteName(*bias));
  if (const Json *patterns = findJson(config, "alpha_pattern");
      patterns && !patterns->empty())
    return makeError(file,
                     ": key 'alpha_pattern': expected one alpha for all, "
                     "but got ",
                     describeJson(*patterns));
  return {};
}

Status readAdapter(Addend &addend) {
  std::string file = addend.path + "/adapter_config.json";
  Result<Json> config = readJsonFile(file);
  if (!config)
    return config.error();
  if (Status status = checkAdapter(*config, file); !status)
    return status;
  Result<double> alpha = getDouble(*config, "lora_alpha", file);
  Result<bool> root = getBool(*config, "use_rslora", file, false);
  Result<bool> inOut = getBool(*config, "fan_in_fan_out", file, false);
  if (!alpha || !root || !inOut)
    return !alpha ? alpha.error() : !root ? root.error() : inOut.error();
  addend.isAdapter = true;
  addend.alpha = *alpha;
  addend.rootOfRank = *root;
  addend.inOut = *inOut;
  for (const std::string &name : addend.archive.names()) {
    bool isA = name.ends_with(kFactorA), isB = name.ends_with(kFactorB);
    if (!name.starts_with(kBasePrefix) || !(isA || isB))
      return makeError("tensor ", quoteName(name), " in ", addend.path,
                       ": expected a name such as "
                       "'base_model.model...lora_A.weight'");
    std::string module = name.substr(
        kBasePrefix.size(), name.size() - kBasePrefix.size() - kFactorA.size());
    Addend::Factors &factors = addend.factors[module + ".weight"];
    (isA ? factors.a : factors.b) = addend.archive.find(name);
  }
  return {};
}

/// "DIR" or "DIR:0.5".
Result<Addend> openAddend(const std::string &text) {
  Addend addend;
  addend.path = text;
  if (size_t colon = text.rfind(':'); colon != std::string::npos) {
    const char *begin = text.data() + colon + 1,
               *end = text.data() + text.size();
    auto [stop, problem] = std::from_chars(begin, end, addend.coefficient);
    if (problem != std::errc() || stop != end ||
        !std::isfinite(addend.coefficient))
      return makeError("--merge: expected DIR or DIR:NUMBER, but got ",
                       quoteName(text));
    addend.path = text.substr(0, colon);
  }
  Result<Archive> archive = Archive::open(addend.path);
  if (!archive)
    return archive.error();
  addend.archive = archive.take();
  std::error_code ignored;
  if (std::filesystem::exists(addend.path + "/adapter_config.json", ignored))
    if (Status status = readAdapter(addend); !status)
      return status.error();
  return addend;
}

std::string shapeOf(const Archive::Tensor &tensor) {
  return formatShape(tensor.shape);
}

/// Errors: a tensor of `addend` that `base` lacks or has in another shape.
Status checkFits(const Addend &addend, const Archive &base) {
  if (!addend.isAdapter) {
    for (const std::string &name : addend.archive.names())
      if (auto tensor = base.require(name, addend.archive.find(name)->shape);
          !tensor)
        return makeError(addend.path, ": ", tensor.error().str());
    return {};
  }
  for (const auto &[name, factors] : addend.factors) {
    if (!factors.a || !factors.b)
      return makeError(addend.path, ": expected both factors of ",
                       quoteName(name), ", but got one");
    const auto &a = factors.a->shape, &b = factors.b->shape;
    if (a.size() != 2 || b.size() != 2 || a[0] != b[1] || a[0] < 1)
      return makeError(addend.path,
                       ": expected factors [rank, in] and [out, "
                       "rank] of ",
                       quoteName(name), ", but got ", shapeOf(*factors.a),
                       " and ", shapeOf(*factors.b));
    auto tensor =
        base.require(name, addend.inOut ? std::vector<int64_t>{a[1], b[0]}
                                        : std::vector<int64_t>{b[0], a[1]});
    if (!tensor)
      return makeError(addend.path, ": ", tensor.error().str());
  }
  return {};
}

/// Whether `addend` has something for the tensor `name`.
bool concerns(const Addend &addend, const std::string &name) {
  return addend.isAdapter ? addend.factors.count(name) > 0
                          : addend.archive.find(name) != nullptr;
}

/// Adds what `addend` has for the tensor `name`, of which `base` is the
/// original value.
void add(Matrix &sum, const Matrix &base, const Addend &addend,
         const std::string &name) {
  if (!addend.isAdapter) {
    Matrix other = readTensor(*addend.archive.find(name));
    sum = sum + addend.coefficient * (other - base);
    return;
  }
  const Addend::Factors &factors = addend.factors.at(name);
  Matrix a = readTensor(*factors.a), b = readTensor(*factors.b);
  auto rank = double(a.rows());
  double scale = addend.alpha / (addend.rootOfRank ? std::sqrt(rank) : rank);
  Matrix product = (addend.coefficient * scale) * multiply(b, a);
  sum = sum + (addend.inOut ? product.transposed() : std::move(product));
}

Status writeSums(const std::string &file, const Archive &base,
                 const std::vector<Addend> &addends) {
  std::vector<TensorSpec> specs;
  for (const std::string &name : base.names())
    specs.push_back({name, base.find(name)->dtype, base.find(name)->shape});
  Result<SafetensorsWriter> writer =
      SafetensorsWriter::create(file, std::move(specs), {{"format", "pt"}});
  if (!writer)
    return writer.error();
  for (const std::string &name : base.names()) {
    const Archive::Tensor &tensor = *base.find(name);
    std::vector<std::byte> bytes(tensor.data, tensor.data + tensor.bytes);
    Matrix original, sum;
    for (const Addend &addend : addends) {
      if (!isFloat(tensor.dtype) || !concerns(addend, name))
        continue;
      if (!original.size())
        sum = original = readTensor(tensor);
      add(sum, original, addend, name);
    }
    if (sum.size()) {
      Result<std::vector<std::byte>> rounded = roundMatrix(sum, tensor.dtype);
      if (!rounded)
        return makeError("tensor ", quoteName(name), ": ",
                         rounded.error().str());
      bytes = rounded.take();
    }
    if (Status status = writer->append(name, bytes.data(), bytes.size());
        !status)
      return status;
  }
  return writer->commit();
}

Status addTo(const std::string &input, const Archive &base,
             const std::vector<std::string> &addends,
             const AtomicDirectory &directory) {
  std::vector<Addend> opened;
  for (const std::string &text : addends) {
    Result<Addend> addend = openAddend(text);
    if (!addend)
      return addend.error();
    if (Status status = checkFits(*addend, base); !status)
      return status;
    opened.push_back(addend.take());
  }
  if (Status status =
          writeSums(directory.file("model.safetensors"), base, opened);
      !status)
    return status;
  Result<std::string> config = readFile(input + "/config.json");
  if (!config)
    return config.error();
  return finishRewrite(input, *config, directory);
}

} // namespace

Status mergeAdapters(const std::string &input,
                     const std::vector<std::string> &addends,
                     const std::string &output) {
  return rewriteCheckpoint(
      input, output, "", [&](const Archive &base, AtomicDirectory &directory) {
        return addTo(input, base, addends, directory);
      });
}

} // namespace linnet
