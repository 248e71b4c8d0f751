//===- WriteCheckpoint.cpp - the files of the result ----------------------===//

#include "WriteCheckpoint.h"

#include "Plan.h"

#include "linnet/Driver/Input.h"
#include "linnet/Support/Quote.h"

#include <cstring>
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
  if (comparison.sequences)
    return {{"sequences", comparison.sequences},
            {"tokens", comparison.tokens},
            {"cosine", comparison.cosine},
            {"worst_cosine", comparison.worstCosine},
            {"output_error", comparison.outputError}};
  return {{"tokens", comparison.tokens},
          {"nats_before", comparison.natsBefore},
          {"nats_after", comparison.natsAfter},
          {"divergence", comparison.divergence},
          {"agreement", comparison.agreement},
          {"worst_token", comparison.worstToken}};
}

Json writeSpeed(const SpeedComparison &speed) {
  Json result = {{"threads", speed.threads},
                 {"prefill_tokens", speed.prefillTokens},
                 {"prefill_before", speed.prefillBefore},
                 {"prefill_after", speed.prefillAfter}};
  if (speed.decodedTokens) {
    result["decoded_tokens"] = speed.decodedTokens;
    result["decode_before"] = speed.decodeBefore;
    result["decode_after"] = speed.decodeAfter;
  }
  return result;
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
                 {"declined", report.declined},
                 {"notes", report.notes}};
  if (report.freeDamage > 0) {
    result["planned_damage"] = report.plannedDamage;
    result["free_damage"] = report.freeDamage;
  }
  for (const RefittedChannels &channels : report.channels)
    result["channels"][channels.map] = {{"error_before", channels.errorBefore},
                                        {"error_after", channels.errorAfter},
                                        {"taken", channels.isTaken}};
  for (const CompressedMixture &mixture : report.mixtures)
    result["experts"][mixture.router] = {{"kept", mixture.kept},
                                         {"of", mixture.experts},
                                         {"parameters", mixture.parameters},
                                         {"of_parameters", mixture.before}};
  for (const CompressedState &state : report.states)
    result["state_channels"][state.name] = {{"kept", state.kept},
                                            {"of", state.channels}};
  addMeasurements(result, report);
  if (report.speed.threads)
    result["speed"] = writeSpeed(report.speed);
  return result;
}

/// The tensor of a factor of the map at `name`.
std::string tensorOf(const std::string &name, const TensorSpec &factor) {
  return factor.name.empty() ? name : name + "." + factor.name;
}

std::vector<std::byte> bytesOf(const Archive::Tensor &tensor) {
  std::vector<std::byte> bytes(tensor.bytes);
  std::memcpy(bytes.data(), tensor.data, tensor.bytes);
  return bytes;
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

bool hasConfig(const std::string &input) {
  std::error_code ignored;
  return fs::exists(input + "/" + kConfigFile, ignored);
}

void addMeasurements(Json &content, const CompressReport &report) {
  for (double error : report.layerErrors)
    content["layers"].push_back({{"error", error}});
  if (report.heldOut.tokens)
    content["held_out"] = writeComparison(report.heldOut);
  if (report.evaluated.tokens)
    content["evaluated"] = writeComparison(report.evaluated);
}

/// Errors: the checkpoint in `path` cannot be imported.
static Result<mlir::OwningOpRef<mlir::ModuleOp>>
loadAgain(mlir::MLIRContext &context, const std::string &path) {
  std::string detected;
  auto module = loadModel(context, path, std::nullopt, detected);
  if (!module)
    return makeError("expected a configuration that can say what is left, but "
                     "got: ",
                     module.error().str());
  return module;
}

Result<CheckpointWriter> CheckpointWriter::create(const std::string &path,
                                                  bool force) {
  Result<AtomicDirectory> directory =
      AtomicDirectory::create(path, force ? kPlanFile : "");
  if (!directory)
    return directory.error();
  return CheckpointWriter(directory.take());
}

/// Whether the importer takes the result is known of its names and shapes: it
/// reads the configuration and a file of zeros.
Status CheckpointWriter::tryConfig(const std::vector<TensorSpec> &specs) {
  if (Status status = writeConfig(); !status)
    return status;
  std::string path = directory.file(kWeightFile);
  Result<SafetensorsLayout> file = layOutSafetensors(specs, {}, path);
  if (!file)
    return file.error();
  if (Status status = writeFileAtomically(path, file->header); !status)
    return status;
  std::error_code code;
  fs::resize_file(path, file->fileSize, code);
  if (code)
    return systemError("write", path, code.value());
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  auto module = loadAgain(*context, directory.path());
  if (!module)
    return module.error();
  Result<Archive> again = Archive::open(directory.path());
  if (!again)
    return again.error();
  LinearMaps found = findLinearMaps(**module, *again);
  Status status = layout->checkImported(findChannelGroups(**module, found),
                                        findScanStates(**module, found));
  fs::remove(path, code);
  return status;
}

/// The same with each way in which a configuration may say what is left.
Status CheckpointWriter::findConfig(const std::vector<TensorSpec> &specs) {
  std::string file = *input + "/" + kConfigFile, said = layout->saidByEdits();
  if (said.empty())
    return tryConfig(specs);
  Result<Json> config = readJsonFile(file);
  if (!config)
    return config.error();
  std::optional<Error> first;
  for (ConfigEdit &edit : layout->edits(*config)) {
    layout->setEdit(std::move(edit));
    Status status = tryConfig(specs);
    if (status)
      return {};
    if (!first)
      first = status.error();
  }
  return makeError(file, ": expected keys that can say ", said, ", but got ",
                   first ? first->str() : "none");
}

Status CheckpointWriter::begin(const std::string &inputPath,
                               const Archive &from,
                               const std::vector<LinearMap> &allMaps,
                               const std::vector<MapPlan> &allPlans,
                               Layout &newLayout) {
  input = &inputPath;
  archive = &from;
  maps = &allMaps;
  plans = &allPlans;
  layout = &newLayout;
  std::map<std::string, size_t> numbers;
  for (size_t i = 0; i < maps->size(); ++i)
    numbers[(*maps)[i].name] = i;
  std::vector<TensorSpec> specs;
  // Tensors that stay as they are, and what they are called.
  std::vector<std::pair<const Archive::Tensor *, std::string>> copied;
  std::vector<std::string> sliced;
  for (const std::string &name : archive->names()) {
    const Archive::Tensor *tensor = archive->find(name);
    std::string newName = layout->nameOf(name);
    if (newName.empty())
      continue;
    if (auto place = numbers.find(name); place != numbers.end()) {
      const MapPlan &plan = (*plans)[place->second];
      for (TensorSpec &factor :
           plan.structure->factors((*maps)[place->second], plan.numbers)) {
        factor.name = tensorOf(newName, factor);
        specs.push_back(std::move(factor));
      }
    } else if (std::optional<int64_t> kept = layout->keptOfTensor(name)) {
      std::vector<int64_t> shape = tensor->shape;
      shape.front() = *kept;
      specs.push_back({newName, tensor->dtype, std::move(shape)});
    } else if (const auto *slices = layout->keptSlices(name)) {
      std::vector<int64_t> shape = tensor->shape;
      shape[size_t(slices->dimension)] = int64_t(slices->labels.size());
      specs.push_back({newName, tensor->dtype, std::move(shape)});
      sliced.push_back(name);
    } else {
      specs.push_back({newName, tensor->dtype, tensor->shape});
      copied.emplace_back(tensor, newName);
    }
  }
  if (layout->isChanged())
    if (Status status = findConfig(specs); !status)
      return status;
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(
      directory.file(kWeightFile), std::move(specs), {{"format", "pt"}});
  if (!writer)
    return writer.error();
  tensors.emplace(writer.take());
  for (const auto &[tensor, name] : copied)
    if (Status status = tensors->append(name, tensor->data, tensor->bytes);
        !status)
      return status;
  for (const std::string &name : sliced)
    if (const auto &[dimension, kept] = *layout->keptSlices(name); true)
      if (Status status = appendSlices(name, kept, dimension); !status)
        return status;
  return {};
}

Status CheckpointWriter::append(size_t number, const Stored &stored) {
  const LinearMap &map = (*maps)[number];
  const MapPlan &plan = (*plans)[number];
  std::vector<TensorSpec> factors = plan.structure->factors(map, plan.numbers);
  for (size_t i = 0; i < factors.size(); ++i)
    if (Status status =
            tensors->append(tensorOf(layout->nameOf(map.name), factors[i]),
                            stored[i].data(), stored[i].size());
        !status)
      return status;
  return {};
}

/// The outputs or inputs `kept` of a matrix as stored.
static std::vector<std::byte> sliceMap(const LinearMap &map,
                                       const std::vector<std::byte> &bytes,
                                       bool outputs,
                                       const std::vector<int64_t> &kept) {
  bool outIn = map.storage == mlir::linnet::Storage::OutIn;
  return (outputs == outIn ? sliceRows : sliceColumns)(
      bytes, outIn ? map.columns : map.rows, dataTypeSize(map.dtype), kept);
}

Status CheckpointWriter::appendGroup(const ChannelGroup &group, Stored consumer,
                                     const std::vector<int64_t> &kept) {
  consumer[0] =
      sliceMap((*maps)[group.consumer], consumer[0], /*outputs=*/false, kept);
  if (Status status = append(group.consumer, consumer); !status)
    return status;
  for (const ChannelProducer &producer : group.producers) {
    // What keeps all of its outputs is written already.
    auto place = waiting.find(producer.map);
    if (place == waiting.end())
      continue;
    std::vector<int64_t> outputs = group.outputsFor(producer, kept);
    Stored stored = std::move(place->second);
    waiting.erase(place);
    stored[0] =
        sliceMap((*maps)[producer.map], stored[0], /*outputs=*/true, outputs);
    if (Status status = append(producer.map, stored); !status)
      return status;
    if (producer.bias.empty())
      continue;
    if (Status status = appendSlices(producer.bias, outputs); !status)
      return status;
  }
  for (const ChannelTensor &tensor : group.tensors)
    if (layout->keptOfTensor(tensor.name))
      if (Status status =
              appendSlices(tensor.name, group.slicesFor(tensor, kept));
          !status)
        return status;
  return {};
}

Status CheckpointWriter::appendSlices(const std::string &name,
                                      const std::vector<int64_t> &kept,
                                      int64_t dimension) {
  const Archive::Tensor *tensor = archive->find(name);
  int64_t outer = 1, all = tensor->shape[size_t(dimension)];
  for (int64_t d = 0; d < dimension; ++d)
    outer *= tensor->shape[size_t(d)];
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t slice : kept)
      rows.push_back(i * all + slice);
  std::vector<std::byte> bytes =
      sliceRows(bytesOf(*tensor), int64_t(tensor->bytes) / (outer * all),
                /*size=*/1, rows);
  return tensors->append(layout->nameOf(name), bytes.data(), bytes.size());
}

Status CheckpointWriter::take(size_t number, FittedMap &fitted) {
  const LinearMap &map = (*maps)[number];
  Result<Stored> stored = fitted.store(map);
  if (!stored)
    return nameMap(map, stored.error());
  if (const std::vector<int64_t> *kept = layout->keptOutputs(number)) {
    stored->front() = sliceMap(map, stored->front(), /*outputs=*/true, *kept);
    return append(number, *stored);
  }
  if (layout->isProduced(number)) {
    waiting[number] = stored.take();
    return {};
  }
  if (const ChannelGroup *group = layout->consumedGroup(number))
    return appendGroup(*group, stored.take(), *fitted.keptInputs());
  return append(number, *stored);
}

Status CheckpointWriter::writeConfig() {
  std::string file = *input + "/" + kConfigFile;
  // Of weights beside IR there is none, and the IR says what the model is.
  Result<Json> config = Json(Json::object());
  if (hasConfig(*input))
    config = readJsonFile(file);
  if (!config)
    return config.error();
  if (Status status = layout->configure(*config, file); !status)
    return status;
  // Beside those of a checkpoint that was compressed before.
  for (size_t i = 0; i < maps->size(); ++i) {
    const LinearMap &map = (*maps)[i];
    const MapPlan &plan = (*plans)[i];
    std::string attribute = plan.structure->attribute(map, plan.numbers);
    if (attribute.empty())
      continue;
    Json factors = Json::array();
    for (const TensorSpec &spec : plan.structure->factors(map, plan.numbers))
      factors.push_back(spec.name);
    Json &entry = (*config)["linnet"]["structures"][layout->nameOf(map.name)];
    entry = {{"structure", attribute}, {"factors", factors}};
    if (map.storage == mlir::linnet::Storage::InOut)
      entry["transposed"] = true;
  }
  return writeJson(kConfigFile, *config);
}

Status readAgain(const std::string &path) {
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  auto module = loadAgain(*context, path);
  return module ? Status() : Status(module.error());
}

Status CheckpointWriter::writeJson(const char *name, const Json &content) {
  return writeFileAtomically(directory.file(name), formatJson(content) + "\n");
}

Status copyOtherFiles(const std::string &input,
                      const AtomicDirectory &directory,
                      const std::set<std::string> &leftOut) {
  std::error_code code;
  // A weight file beside IR has no others.
  if (!fs::is_directory(input, code))
    return {};
  for (const fs::directory_entry &entry : fs::directory_iterator(input, code)) {
    std::string name = entry.path().filename().string();
    if (!entry.is_regular_file(code) || isReplaced(name) ||
        leftOut.count(name) || fs::exists(directory.file(name), code))
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

Status finishRewrite(const std::string &input, const std::string &config,
                     const AtomicDirectory &directory) {
  Status status = writeFileAtomically(directory.file(kConfigFile), config);
  return status ? copyOtherFiles(input, directory) : status;
}

Status rewriteCheckpoint(
    const std::string &input, const std::string &output,
    const std::string &marker,
    llvm::function_ref<Status(const Archive &, AtomicDirectory &)> rewrite) {
  Result<AtomicDirectory> directory = AtomicDirectory::create(output, marker);
  if (!directory)
    return directory.error();
  Result<Archive> archive = Archive::open(input);
  if (!archive)
    return archive.error();
  if (Status status = rewrite(*archive, *directory); !status)
    return status;
  return directory->commit();
}

Status writeTensorsBeside(const Archive &archive,
                          const std::vector<AddedTensor> &added,
                          const std::string &file) {
  std::vector<TensorSpec> specs;
  for (const std::string &name : archive.names())
    specs.push_back(
        {name, archive.find(name)->dtype, archive.find(name)->shape});
  for (const AddedTensor &tensor : added)
    specs.push_back(tensor.spec);
  Result<SafetensorsWriter> writer =
      SafetensorsWriter::create(file, std::move(specs), {{"format", "pt"}});
  if (!writer)
    return writer.error();
  for (const std::string &name : archive.names())
    if (Status status = writer->append(name, archive.find(name)->data,
                                       archive.find(name)->bytes);
        !status)
      return status;
  for (const AddedTensor &tensor : added)
    if (Status status = writer->append(tensor.spec.name, tensor.bytes.data(),
                                       tensor.bytes.size());
        !status)
      return status;
  return writer->commit();
}

Status CheckpointWriter::finishModel() {
  if (Status status = tensors->commit(); !status)
    return status;
  if (Status status = writeConfig(); !status)
    return status;
  return copyOtherFiles(*input, directory);
}

Status CheckpointWriter::finish(const Json &analysis,
                                const std::string &fingerprint,
                                const CompressReport &report) {
  if (!analysis.is_null())
    if (Status status = writeJson(kAnalysisFile, analysis); !status)
      return status;
  if (Status status = writeJson(kReportFile, writeReport(report)); !status)
    return status;
  if (Status status = writeJson(kPlanFile, writePlan(report, fingerprint));
      !status)
    return status;
  return directory.commit();
}

} // namespace linnet::compress
