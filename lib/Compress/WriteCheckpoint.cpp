//===- WriteCheckpoint.cpp - the files of the result ----------------------===//

#include "WriteCheckpoint.h"

#include "Plan.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Numerics/LowRank.h"
#include "linnet/Support/Quote.h"

#include <filesystem>
#include <map>

namespace linnet::compress {

namespace fs = std::filesystem;

namespace {

constexpr const char *kPlanFile = "plan.json", *kConfigFile = "config.json",
                     *kWeightFile = "model.safetensors";
constexpr const char *kLeft = ".left", *kRight = ".right";

/// `matrix` rounded to `type`, and its bytes.
std::vector<std::byte> roundTo(Matrix &matrix, DataType type) {
  std::vector<std::byte> bytes(size_t(matrix.size()) * dataTypeSize(type));
  convertFromF64(matrix.data(), type, bytes.data(), size_t(matrix.size()));
  convertToF64(bytes.data(), type, matrix.data(), size_t(matrix.size()));
  return bytes;
}

/// Fits `map` and appends its factors. Fills in the error.
Status writeFactors(SafetensorsWriter &writer, const Archive &archive,
                    const LinearMap &map, CompressedMap &result) {
  Result<Matrix> w = readMatrix(map, archive);
  if (!w)
    return w.error();
  Result<LowRankFactors> factors = truncateSingularValues(*w, result.rank);
  if (!factors)
    return makeError("tensor ", quoteName(map.name), ": ",
                     factors.error().str());
  for (auto [ending, factor] :
       {std::pair(kLeft, &factors->left), std::pair(kRight, &factors->right)}) {
    std::vector<std::byte> bytes = roundTo(*factor, map.dtype);
    if (!isFinite(*factor))
      return makeError("tensor ", quoteName(map.name),
                       ": expected factors in the range of ",
                       dataTypeName(map.dtype), ", but got larger ones");
    if (Status status =
            writer.append(map.name + ending, bytes.data(), bytes.size());
        !status)
      return status;
  }
  double size = norm(*w);
  result.error = size > 0 ? norm(*w - factors->toDense()) / size : 0;
  return {};
}

bool isWeightFile(const std::string &name) {
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

Status CheckpointWriter::writeTensors(const Archive &archive,
                                      const std::vector<LinearMap> &maps,
                                      CompressReport &report) {
  std::map<std::string, size_t> replaced;
  for (size_t i = 0; i < maps.size(); ++i)
    if (report.maps[i].rank)
      replaced[maps[i].name] = i;
  std::vector<TensorSpec> specs;
  for (const std::string &name : archive.names()) {
    const Archive::Tensor *tensor = archive.find(name);
    auto place = replaced.find(name);
    if (place == replaced.end()) {
      specs.push_back({name, tensor->dtype, tensor->shape});
      continue;
    }
    const CompressedMap &map = report.maps[place->second];
    specs.push_back({name + kLeft, tensor->dtype, {map.rows, map.rank}});
    specs.push_back({name + kRight, tensor->dtype, {map.rank, map.columns}});
  }
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(
      directory.file(kWeightFile), std::move(specs), {{"format", "pt"}});
  if (!writer)
    return writer.error();
  for (const std::string &name : archive.names()) {
    Status status;
    if (auto place = replaced.find(name); place != replaced.end()) {
      if (report.progress)
        report.progress("fitting", name);
      status = writeFactors(*writer, archive, maps[place->second],
                            report.maps[place->second]);
    } else {
      const Archive::Tensor *tensor = archive.find(name);
      status = writer->append(name, tensor->data, tensor->bytes);
    }
    if (!status)
      return status;
  }
  return writer->commit();
}

Status CheckpointWriter::writeConfig(const std::string &input,
                                     const CompressReport &report) {
  Result<Json> config = readJsonFile(input + "/" + kConfigFile);
  if (!config)
    return config.error();
  for (const CompressedMap &map : report.maps)
    if (map.rank) // beside those of a checkpoint that was compressed before
      (*config)["linnet"]["structures"][map.name] = {
          {"structure", "low_rank"}, {"factors", {kLeft + 1, kRight + 1}}};
  return writeFileAtomically(directory.file(kConfigFile),
                             formatJson(*config) + "\n");
}

Status CheckpointWriter::copyOthers(const std::string &input) {
  std::error_code code;
  for (const fs::directory_entry &entry : fs::directory_iterator(input, code)) {
    std::string name = entry.path().filename().string();
    if (!entry.is_regular_file(code) || isWeightFile(name) ||
        name == kConfigFile || name == kPlanFile)
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

Status CheckpointWriter::write(const std::string &input, const Archive &archive,
                               const std::vector<LinearMap> &maps,
                               const std::string &fingerprint,
                               CompressReport &report) {
  if (Status status = writeTensors(archive, maps, report); !status)
    return status;
  if (Status status = writeConfig(input, report); !status)
    return status;
  if (Status status = copyOthers(input); !status)
    return status;
  return writeFileAtomically(directory.file(kPlanFile),
                             formatJson(writePlan(report.maps, fingerprint)) +
                                 "\n");
}

} // namespace linnet::compress
