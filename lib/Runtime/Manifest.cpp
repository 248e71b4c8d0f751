//===- Manifest.cpp - writing manifests, and their queries ----------------===//

#include "linnet/Runtime/Manifest.h"

#include "ManifestNames.h"

#include "linnet/Checkpoint/Safetensors.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Hash.h"

#include <utility>

namespace linnet {

WeightLayout WeightLayout::f32() {
  WeightLayout layout;
  layout.kind = Kind::F32;
  return layout;
}

WeightLayout WeightLayout::panel(int64_t width, bool transposed) {
  WeightLayout layout;
  layout.kind = Kind::Panel;
  layout.width = width;
  layout.transposed = transposed;
  return layout;
}

WeightLayout WeightLayout::rotary(std::vector<float> inverseFrequencies,
                                  int64_t rows, float scaling) {
  WeightLayout layout;
  layout.kind = Kind::Rotary;
  layout.inverseFrequencies = std::move(inverseFrequencies);
  layout.rows = rows;
  layout.scaling = scaling;
  return layout;
}

bool isPackedAsStored(DataType type) {
  return type == DataType::BF16 || type == DataType::F16 ||
         type == DataType::I8;
}

DataType WeightSlot::memoryType() const {
  switch (layout.kind) {
  case WeightLayout::Kind::Raw:
    return dtype;
  case WeightLayout::Kind::Panel:
    if (packedType)
      return *packedType;
    return isPackedAsStored(dtype) ? dtype : DataType::F32;
  case WeightLayout::Kind::F32:
  case WeightLayout::Kind::Rotary:
    return DataType::F32;
  }
  return dtype;
}

WeightSlot::Matrices WeightSlot::matrices() const {
  Matrices all{1, shape[shape.size() - 2], shape.back()};
  for (size_t i = 0; i + 2 < shape.size(); ++i)
    all.count *= shape[i];
  if (layout.rowBlocks) {
    all.count *= layout.rowBlocks->count;
    all.rows = layout.rowBlocks->rows;
  }
  return all;
}

int64_t WeightSlot::memoryBytes() const {
  int64_t elements = elementCount(shape).value_or(0);
  if (layout.kind == WeightLayout::Kind::Panel && elements > 0) {
    // Only the last panel of each matrix is longer than the source.
    auto [count, rows, columns] = matrices();
    int64_t n = layout.transposed ? columns : rows;
    int64_t panels = (n + layout.width - 1) / layout.width;
    elements = count * rows * columns / n * (panels * layout.width);
  }
  return elements * int64_t(dataTypeSize(memoryType()));
}

const PhaseSpec *Manifest::findPhase(std::string_view name) const {
  for (const PhaseSpec &phase : phases)
    if (phase.name == name)
      return &phase;
  return nullptr;
}

int64_t Manifest::stateBytes() const {
  int64_t sum = 0;
  for (const StateSpec &state : states)
    sum += state.bytes;
  return sum;
}

std::string_view modelKindName(Manifest::ModelKind kind) {
  return nameOf(kModelKinds, kind);
}

namespace {

Json toJson(const WeightLayout &layout) {
  Json json = {{"kind", nameOf(kLayoutKinds, layout.kind)}};
  if (layout.kind == WeightLayout::Kind::Panel) {
    json["width"] = layout.width;
    json["transposed"] = layout.transposed;
    if (layout.together != 1)
      json["together"] = layout.together;
    if (layout.rowBlocks)
      json["row_blocks"] = {{"count", layout.rowBlocks->count},
                            {"begin", layout.rowBlocks->begin},
                            {"rows", layout.rowBlocks->rows}};
  } else if (layout.kind == WeightLayout::Kind::Rotary) {
    json["inverse_frequencies"] = layout.inverseFrequencies;
    json["scaling"] = layout.scaling;
    json["rows"] = layout.rows;
  }
  return json;
}

Json toJson(const WeightSlot &slot) {
  Json json = {{"dtype", dataTypeName(slot.dtype)},
               {"shape", slot.shape},
               {"layout", toJson(slot.layout)}};
  if (slot.isStored()) {
    json["key"] = slot.key;
    json["file"] = slot.file;
  }
  if (slot.seed)
    json["seed"] = *slot.seed;
  if (slot.packedType)
    json["packed_dtype"] = dataTypeName(*slot.packedType);
  return json;
}

Json toJson(const std::vector<ArgumentSpec> &arguments) {
  Json json = Json::array();
  for (const ArgumentSpec &argument : arguments)
    json.push_back({{"name", argument.name},
                    {"dtype", dataTypeName(argument.dtype)},
                    {"shape", argument.shape}});
  return json;
}

} // namespace

Json Manifest::toJson() const {
  Json json;
  json["linnet"] = version;
  json["abi"] = abi;
  json["id"] = id;
  json["library"] = library;
  json["target"] = {{"triple", triple}, {"cpu", cpu}, {"features", features}};
  json["model"] = {{"model_type", modelType},
                   {"kind", modelKindName(kind)},
                   {"vocab_size", vocabSize},
                   {"hidden_size", hiddenSize},
                   {"max_context", maxContext},
                   {"batch", batch},
                   {"eos", eos},
                   {"source", source},
                   {"changes", changes}};
  json["model"]["bos"] = bos ? Json(*bos) : Json();

  Json files = Json::array(), slotList = Json::array();
  for (const WeightFile &file : weightFiles)
    files.push_back(
        {{"path", file.path}, {"bytes", file.bytes}, {"hash", file.hash}});
  for (const WeightSlot &slot : slots)
    slotList.push_back(linnet::toJson(slot));
  json["weights"] = {{"files", files}, {"slots", slotList}};

  json["states"] = Json::array();
  for (const StateSpec &state : states)
    json["states"].push_back({{"name", state.name},
                              {"shape", state.shape},
                              {"bytes", state.bytes},
                              {"kind", nameOf(kStateKinds, state.kind)}});
  json["phases"] = Json::object();
  for (const PhaseSpec &phase : phases)
    json["phases"][phase.name] = {{"symbol", phase.symbol},
                                  {"max_tokens", phase.maxTokens},
                                  {"workspace_bytes", phase.workspaceBytes},
                                  {"scratch_bytes", phase.scratchBytes}};
  json["inputs"] = linnet::toJson(inputs);
  json["outputs"] = linnet::toJson(outputs);
  return json;
}

Result<Manifest> readManifest(const std::string &directory) {
  std::string path = directory + "/" + std::string(kManifestFile);
  auto json = readJsonFile(path);
  if (!json)
    return json.error();
  return Manifest::fromJson(*json, path);
}

Status writeManifest(const std::string &directory, const Manifest &manifest) {
  std::string path = directory + "/" + std::string(kManifestFile);
  if (Status status = manifest.check(path); !status)
    return status;
  return writeFileAtomically(path, formatJson(manifest.toJson()) + "\n");
}

Result<WeightFile> describeWeightFile(const std::string &path) {
  auto file = SafetensorsFile::open(path);
  if (!file)
    return file.error();
  WeightFile described;
  described.path = path;
  described.bytes = int64_t(file->size());
  described.hash = toHex(file->headerHash());
  return described;
}

} // namespace linnet
