//===- WriteCheckpoint.cpp - the files of the result ----------------------===//

#include "WriteCheckpoint.h"

#include "Plan.h"

#include "linnet/Support/Quote.h"

#include <filesystem>
#include <map>

namespace linnet::compress {

namespace fs = std::filesystem;

namespace {

constexpr const char *kPlanFile = "plan.json", *kConfigFile = "config.json",
                     *kWeightFile = "model.safetensors",
                     *kAnalysisFile = "analysis.json",
                     *kReportFile = "report.json";

/// The factors of a structure's tensor, in the structure attribute's order.
std::vector<TensorSpec> factorsOf(const CompressedMap &map, DataType type) {
  switch (map.structure) {
  case MapStructure::Dense:
    return {};
  case MapStructure::LowRank:
    return {{"left", type, {map.rows, map.rank}},
            {"right", type, {map.rank, map.columns}}};
  case MapStructure::PivotedLowRank:
    return {{"columns", type, {map.rows, map.rank}},
            {"coefficients", type, {map.rank, map.columns - map.rank}},
            {"order", DataType::I32, {map.columns}}};
  case MapStructure::Int8:
  case MapStructure::Int4:
    return {{"codes",
             DataType::I8,
             {map.rows, map.columns * bitsOf(map.structure) / 8}},
            {"scales",
             type,
             {map.rows, (map.columns + map.group - 1) / map.group}}};
  }
  return {};
}

/// The structure attribute of the dialect.
std::string attributeOf(const CompressedMap &map) {
  if (int64_t bits = bitsOf(map.structure))
    return "quantized<" + std::to_string(bits) + ", " +
           std::to_string(map.group) + ">";
  return std::string(structureName(map.structure));
}

/// Codes less their zeros, which are one for all here, two of 4 bits to a
/// byte.
std::vector<std::byte> packCodes(const QuantizedMatrix &matrix) {
  int64_t each = 8 / matrix.format.bits;
  std::vector<std::byte> bytes(matrix.codes.size() / size_t(each));
  int64_t group = matrix.format.group ? matrix.format.group : matrix.columns;
  for (int64_t r = 0; r < matrix.rows; ++r)
    for (int64_t c = 0; c < matrix.columns; ++c) {
      int64_t at = r * matrix.columns + c;
      int code = matrix.codes[size_t(at)] - int(matrix.zeros.at(r, c / group));
      unsigned bits = unsigned(code) & (each == 2 ? 15u : 255u);
      bytes[size_t(at / each)] |=
          std::byte(bits << (each == 2 ? 4 * (c % 2) : 0));
    }
  return bytes;
}

/// `matrix` rounded to `type`, and its bytes.
std::vector<std::byte> roundTo(Matrix &matrix, DataType type) {
  std::vector<std::byte> bytes(size_t(matrix.size()) * dataTypeSize(type));
  convertFromF64(matrix.data(), type, bytes.data(), size_t(matrix.size()));
  convertToF64(bytes.data(), type, matrix.data(), size_t(matrix.size()));
  return bytes;
}

Json writeComparison(const CompressComparison &comparison) {
  return {{"tokens", comparison.tokens},
          {"nats_before", comparison.natsBefore},
          {"nats_after", comparison.natsAfter},
          {"divergence", comparison.divergence},
          {"agreement", comparison.agreement},
          {"worst_token", comparison.worstToken}};
}

/// What was kept and what that costs; comparisons that were made.
Json writeReport(const CompressReport &report) {
  int64_t kept = 0, all = 0;
  for (const CompressedMap &map : report.maps) {
    kept += map.parameters();
    all += map.rows * map.columns;
  }
  Json result = {
      {"parameters", kept}, {"of", all}, {"declined", report.declined}};
  if (report.heldOut.tokens)
    result["held_out"] = writeComparison(report.heldOut);
  if (report.evaluated.tokens)
    result["evaluated"] = writeComparison(report.evaluated);
  return result;
}

/// Whether the result has a file of its own in place of this one.
bool isReplaced(const std::string &name) {
  for (const char *own : {kPlanFile, kConfigFile, kAnalysisFile, kReportFile})
    if (name == own)
      return true;
  return name.ends_with(".safetensors") ||
         name.ends_with(".safetensors.index.json");
}

} // namespace

Result<CheckpointWriter> CheckpointWriter::create(const std::string &path,
                                                  bool force) {
  Result<AtomicDirectory> directory =
      AtomicDirectory::create(path, force ? kPlanFile : "");
  if (!directory)
    return directory.error();
  return CheckpointWriter(directory.take());
}

Status CheckpointWriter::begin(const Archive &archive,
                               const std::vector<LinearMap> &maps,
                               const CompressReport &report) {
  std::map<std::string, size_t> numbers;
  for (size_t i = 0; i < maps.size(); ++i)
    numbers[maps[i].name] = i;
  std::vector<TensorSpec> specs;
  for (const std::string &name : archive.names()) {
    const Archive::Tensor *tensor = archive.find(name);
    auto place = numbers.find(name);
    std::vector<TensorSpec> factors;
    if (place != numbers.end())
      factors = factorsOf(report.maps[place->second], tensor->dtype);
    for (TensorSpec &factor : factors) {
      factor.name = name + "." + factor.name;
      specs.push_back(std::move(factor));
    }
    if (factors.empty())
      specs.push_back({name, tensor->dtype, tensor->shape});
  }
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(
      directory.file(kWeightFile), std::move(specs), {{"format", "pt"}});
  if (!writer)
    return writer.error();
  tensors.emplace(writer.take());
  for (const std::string &name : archive.names()) {
    const Archive::Tensor *tensor = archive.find(name);
    if (numbers.count(name))
      continue;
    if (Status status = tensors->append(name, tensor->data, tensor->bytes);
        !status)
      return status;
  }
  return {};
}

Status CheckpointWriter::take(const LinearMap &map, FittedMap &fitted) {
  auto write = [&](const std::string &name, Matrix &matrix) -> Status {
    std::vector<std::byte> bytes = roundTo(matrix, map.dtype);
    if (!isFinite(matrix))
      return makeError("tensor ", quoteName(map.name),
                       ": expected entries in the range of ",
                       dataTypeName(map.dtype), ", but got larger ones");
    return tensors->append(name, bytes.data(), bytes.size());
  };
  if (fitted.structure == MapStructure::LowRank) {
    if (Status status = write(map.name + ".left", fitted.factors.left); !status)
      return status;
    return write(map.name + ".right", fitted.factors.right);
  }
  if (fitted.structure == MapStructure::PivotedLowRank) {
    PivotedLowRank &pivoted = fitted.pivoted;
    if (Status status = write(map.name + ".columns", pivoted.columns); !status)
      return status;
    if (Status status = write(map.name + ".coefficients", pivoted.coefficients);
        !status)
      return status;
    std::vector<int32_t> order(pivoted.kept.begin(), pivoted.kept.end());
    order.insert(order.end(), pivoted.others.begin(), pivoted.others.end());
    return tensors->append(map.name + ".order", order.data(),
                           order.size() * sizeof(int32_t));
  }
  if (bitsOf(fitted.structure)) {
    std::vector<std::byte> codes = packCodes(fitted.codes);
    if (Status status =
            tensors->append(map.name + ".codes", codes.data(), codes.size());
        !status)
      return status;
    return write(map.name + ".scales", fitted.codes.scales);
  }
  if (map.storage == mlir::linnet::Storage::OutIn)
    return write(map.name, fitted.dense);
  Matrix stored = fitted.dense.transposed();
  Status status = write(map.name, stored);
  fitted.dense = stored.transposed();
  return status;
}

Status CheckpointWriter::writeConfig(const std::string &input,
                                     const std::vector<LinearMap> &maps,
                                     const CompressReport &report) {
  Result<Json> config = readJsonFile(input + "/" + kConfigFile);
  if (!config)
    return config.error();
  // Beside those of a checkpoint that was compressed before.
  for (size_t i = 0; i < maps.size(); ++i) {
    const CompressedMap &map = report.maps[i];
    std::vector<TensorSpec> specs = factorsOf(map, DataType::F32);
    if (specs.empty())
      continue;
    Json factors = Json::array();
    for (const TensorSpec &spec : specs)
      factors.push_back(spec.name);
    Json &entry = (*config)["linnet"]["structures"][map.name];
    entry = {{"structure", attributeOf(map)}, {"factors", factors}};
    if (maps[i].storage == mlir::linnet::Storage::InOut)
      entry["transposed"] = true;
  }
  return writeJson(kConfigFile, *config);
}

Status CheckpointWriter::writeJson(const char *name, const Json &content) {
  return writeFileAtomically(directory.file(name), formatJson(content) + "\n");
}

Status copyOtherFiles(const std::string &input,
                      const AtomicDirectory &directory) {
  std::error_code code;
  for (const fs::directory_entry &entry : fs::directory_iterator(input, code)) {
    std::string name = entry.path().filename().string();
    if (!entry.is_regular_file(code) || isReplaced(name))
      continue;
    Result<std::string> bytes = readFile(entry.path().string());
    if (!bytes)
      return bytes.error();
    if (Status status = writeFileAtomically(directory.file(name), *bytes);
        !status)
      return status;
  }
  if (code)
    return systemError("read", input, code.value());
  return {};
}

Status CheckpointWriter::finish(const std::string &input,
                                const std::vector<LinearMap> &maps,
                                const Json &analysis,
                                const std::string &fingerprint,
                                const CompressReport &report) {
  if (Status status = tensors->commit(); !status)
    return status;
  if (Status status = writeConfig(input, maps, report); !status)
    return status;
  if (Status status = copyOtherFiles(input, directory); !status)
    return status;
  if (!analysis.is_null())
    if (Status status = writeJson(kAnalysisFile, analysis); !status)
      return status;
  if (Status status = writeJson(kReportFile, writeReport(report)); !status)
    return status;
  if (Status status = writeJson(kPlanFile, writePlan(report.maps, fingerprint));
      !status)
    return status;
  return directory.commit();
}

} // namespace linnet::compress
