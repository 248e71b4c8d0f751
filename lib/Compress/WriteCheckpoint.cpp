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
  int64_t kept = 0, all = 0, bytes = 0, bytesBefore = 0;
  for (const CompressedMap &map : report.maps) {
    kept += map.parameters;
    all += map.rows * map.columns;
    bytes += map.bytes;
    bytesBefore += map.bytesBefore;
  }
  Json result = {{"parameters", kept},
                 {"of", all},
                 {"bytes", bytes},
                 {"bytes_before", bytesBefore},
                 {"declined", report.declined}};
  if (report.heldOut.tokens)
    result["held_out"] = writeComparison(report.heldOut);
  if (report.evaluated.tokens)
    result["evaluated"] = writeComparison(report.evaluated);
  return result;
}

/// The tensor of a factor of the map at `name`.
std::string tensorOf(const std::string &name, const TensorSpec &factor) {
  return factor.name.empty() ? name : name + "." + factor.name;
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
                               const std::vector<MapPlan> &plans) {
  std::map<std::string, size_t> numbers;
  for (size_t i = 0; i < maps.size(); ++i)
    numbers[maps[i].name] = i;
  std::vector<TensorSpec> specs;
  for (const std::string &name : archive.names()) {
    const Archive::Tensor *tensor = archive.find(name);
    auto place = numbers.find(name);
    if (place == numbers.end()) {
      specs.push_back({name, tensor->dtype, tensor->shape});
      continue;
    }
    const MapPlan &plan = plans[place->second];
    for (TensorSpec &factor :
         plan.structure->factors(maps[place->second], plan.numbers)) {
      factor.name = tensorOf(name, factor);
      specs.push_back(std::move(factor));
    }
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

Status CheckpointWriter::take(const LinearMap &map, const MapPlan &plan,
                              FittedMap &fitted) {
  auto stored = fitted.store(map);
  if (!stored)
    return nameMap(map, stored.error());
  std::vector<TensorSpec> factors = plan.structure->factors(map, plan.numbers);
  for (size_t i = 0; i < factors.size(); ++i)
    if (Status status =
            tensors->append(tensorOf(map.name, factors[i]), (*stored)[i].data(),
                            (*stored)[i].size());
        !status)
      return status;
  return {};
}

Status CheckpointWriter::writeConfig(const std::string &input,
                                     const std::vector<LinearMap> &maps,
                                     const std::vector<MapPlan> &plans) {
  Result<Json> config = readJsonFile(input + "/" + kConfigFile);
  if (!config)
    return config.error();
  // Beside those of a checkpoint that was compressed before.
  for (size_t i = 0; i < maps.size(); ++i) {
    const MapPlan &plan = plans[i];
    std::string attribute = plan.structure->attribute(plan.numbers);
    if (attribute.empty())
      continue;
    Json factors = Json::array();
    for (const TensorSpec &spec :
         plan.structure->factors(maps[i], plan.numbers))
      factors.push_back(spec.name);
    Json &entry = (*config)["linnet"]["structures"][maps[i].name];
    entry = {{"structure", attribute}, {"factors", factors}};
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
                                const std::vector<MapPlan> &plans,
                                const Json &analysis,
                                const std::string &fingerprint,
                                const CompressReport &report) {
  if (Status status = tensors->commit(); !status)
    return status;
  if (Status status = writeConfig(input, maps, plans); !status)
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
