//===- Describe.cpp - a lowered module's attributes as a manifest ---------===//
//
// The attributes are written by passes: what is missing or of the wrong kind
// here is a bug, and reads as empty until Manifest::check() refuses it.
//
//===----------------------------------------------------------------------===//

#include "linnet/Driver/Package.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Checkpoint/DataType.h"
#include "linnet/Runtime/Invocation.h"
#include "linnet/Support/Hash.h"
#include "linnet/Support/Quote.h"

#include <filesystem>

namespace linnet {
namespace {

namespace fs = std::filesystem;
using mlir::ArrayAttr;
using mlir::DictionaryAttr;

int64_t getInteger(DictionaryAttr from, llvm::StringRef key) {
  auto value = from.getAs<mlir::IntegerAttr>(key);
  return value ? value.getInt() : 0;
}

std::string getText(DictionaryAttr from, llvm::StringRef key) {
  auto value = from.getAs<mlir::StringAttr>(key);
  return value ? value.str() : "";
}

bool getFlag(DictionaryAttr from, llvm::StringRef key) {
  auto value = from.getAs<mlir::BoolAttr>(key);
  return value && value.getValue();
}

std::vector<int64_t> getIntegers(DictionaryAttr from, llvm::StringRef key) {
  if (auto value = from.getAs<mlir::DenseI64ArrayAttr>(key))
    return value.asArrayRef().vec();
  return {};
}

std::vector<float> getFloats(DictionaryAttr from, llvm::StringRef key) {
  std::vector<float> values;
  if (auto wide = from.getAs<mlir::DenseF64ArrayAttr>(key))
    for (double x : wide.asArrayRef())
      values.push_back(static_cast<float>(x));
  if (auto narrow = from.getAs<mlir::DenseF32ArrayAttr>(key))
    values = narrow.asArrayRef().vec();
  return values;
}

DataType getDataType(DictionaryAttr from, llvm::StringRef key) {
  return parseDataType(getText(from, key)).value_or(DataType::F32);
}

/// The dictionaries of an array attribute.
llvm::SmallVector<DictionaryAttr> getList(mlir::Operation *op,
                                          llvm::StringRef key) {
  llvm::SmallVector<DictionaryAttr> list;
  if (auto array = op->getAttrOfType<ArrayAttr>(key))
    for (mlir::Attribute element : array)
      if (auto entry = mlir::dyn_cast<DictionaryAttr>(element))
        list.push_back(entry);
  return list;
}

WeightLayout describeLayout(DictionaryAttr layout) {
  std::string kind = getText(layout, "kind");
  if (kind == "f32")
    return WeightLayout::f32();
  if (kind == "panel") {
    WeightLayout panel = WeightLayout::panel(getInteger(layout, "width"),
                                             getFlag(layout, "transposed"));
    if (int64_t together = getInteger(layout, "together"))
      panel.together = together;
    if (auto blocks = getIntegers(layout, "row_blocks"); blocks.size() == 3)
      panel.rowBlocks = {blocks[0], blocks[1], blocks[2]};
    return panel;
  }
  if (kind == "rotary") {
    auto scaling = layout.getAs<mlir::FloatAttr>("scaling");
    return WeightLayout::rotary(
        getFloats(layout, "inverse_frequencies"), getInteger(layout, "rows"),
        scaling ? static_cast<float>(scaling.getValueAsDouble()) : 1.0f);
  }
  return WeightLayout::raw();
}

/// Finds each slot's tensor and lists the files in use.
class WeightFinder {
public:
  WeightFinder(const Archive *archive, Manifest &manifest)
      : archive(archive), manifest(manifest) {}

  Status add(DictionaryAttr described) {
    WeightSlot slot;
    auto layout = described.getAs<DictionaryAttr>("layout");
    slot.layout = describeLayout(layout);
    if (auto packed = layout.getAs<mlir::StringAttr>("packed_dtype"))
      slot.packedType = parseDataType(packed.str());
    if (slot.layout.kind == WeightLayout::Kind::Rotary) {
      slot.dtype = DataType::F32;
      slot.shape = {slot.layout.rows, 2,
                    int64_t(slot.layout.inverseFrequencies.size())};
      manifest.slots.push_back(std::move(slot));
      return {};
    }
    slot.key = getText(described, "key");
    slot.dtype = getDataType(described, "dtype");
    slot.shape = getIntegers(described, "shape");
    if (layout.get("seed")) {
      slot.seed = getInteger(layout, "seed");
      manifest.slots.push_back(std::move(slot));
      return {};
    }
    if (!archive)
      return makeError("expected weights for tensor ", quoteName(slot.key),
                       ", but the module names no archive (",
                       mlir::linnet::kArchiveAttr.str(), ")");
    Result<const Archive::Tensor *> tensor =
        archive->require(slot.key, slot.shape);
    if (!tensor)
      return tensor.error();
    if ((*tensor)->dtype != slot.dtype)
      return makeError("tensor ", quoteName(slot.key), " in ",
                       archive->fileOf(**tensor), ": expected ",
                       dataTypeName(slot.dtype), ", but got ",
                       dataTypeName((*tensor)->dtype));
    slot.file = fileNumber((*tensor)->fileIndex);
    manifest.slots.push_back(std::move(slot));
    return {};
  }

private:
  /// The manifest's number of a file of the archive; an overlaid tensor gets a
  /// file without path, which packageWeights() writes.
  int64_t fileNumber(size_t index) {
    auto [entry, fresh] =
        numbers.try_emplace(index, manifest.weightFiles.size());
    if (fresh) {
      WeightFile file;
      if (index != Archive::kNoFile) {
        const Archive::File &given = archive->files()[index];
        std::error_code ignored;
        file.path = fs::weakly_canonical(given.path, ignored).string();
        file.bytes = int64_t(given.size);
        file.hash = toHex(given.headerHash);
      }
      manifest.weightFiles.push_back(std::move(file));
    }
    return entry->second;
  }

  const Archive *archive;
  Manifest &manifest;
  std::map<size_t, int64_t> numbers;
};

std::vector<ArgumentSpec> describeArguments(mlir::Operation *phase,
                                            llvm::StringRef key) {
  std::vector<ArgumentSpec> arguments;
  for (DictionaryAttr entry : getList(phase, key)) {
    std::string name = getText(entry, "name");
    // What a model calls its mask is what users call the attention mask.
    if (name == "key_mask")
      name = "attention_mask";
    arguments.push_back(
        {name, getDataType(entry, "dtype"), getIntegers(entry, "shape")});
  }
  return arguments;
}

void describePhase(mlir::Operation *phase, Manifest &manifest) {
  DictionaryAttr attributes = phase->getAttrDictionary();
  PhaseSpec spec;
  spec.name = getText(attributes, "linnet.phase");
  spec.symbol = mlir::cast<mlir::SymbolOpInterface>(phase).getName().str();
  spec.maxTokens = getInteger(attributes, "linnet.max_tokens");
  spec.workspaceBytes = getInteger(attributes, "linnet.workspace_bytes");
  spec.scratchBytes = getInteger(attributes, "linnet.scratch_bytes");
  if (manifest.phases.empty() || spec.name == kPrefillPhase) {
    manifest.inputs = describeArguments(phase, "linnet.inputs");
    manifest.outputs = describeArguments(phase, "linnet.outputs");
  }
  manifest.phases.push_back(std::move(spec));
}

void describeFacts(mlir::ModuleOp module, const CompileOptions &options,
                   Manifest &manifest) {
  if (manifest.findPhase(kRunPhase)) {
    manifest.kind = Manifest::ModelKind::Function;
    manifest.modelType = "function";
    return;
  }
  manifest.kind = manifest.findPhase(kEncodePhase)
                      ? Manifest::ModelKind::Encoder
                      : Manifest::ModelKind::CausalLM;
  manifest.batch = options.batch;
  auto model = module->getAttrOfType<DictionaryAttr>(mlir::linnet::kModelAttr);
  if (!model)
    return;
  manifest.modelType = getText(model, "model_type");
  manifest.vocabSize = getInteger(model, "vocab_size");
  manifest.hiddenSize = getInteger(model, "hidden_size");
  manifest.maxContext = getInteger(model, "max_context");
  std::vector<int64_t> bos = getIntegers(model, "bos");
  if (!bos.empty())
    manifest.bos = bos.front();
  manifest.eos = getIntegers(model, "eos");
}

} // namespace

Result<Manifest> describeModule(mlir::ModuleOp module, const Archive *archive,
                                const Target &target, const std::string &source,
                                const CompileOptions &options) {
  Manifest manifest;
  manifest.abi = LINNET_ABI_VERSION;
  manifest.triple = target.triple;
  manifest.cpu = target.cpu;
  manifest.features = target.features;
  // As the weights' paths are: a compiled directory is used from anywhere.
  std::error_code failed;
  std::string absolute = std::filesystem::absolute(source, failed).string();
  manifest.source = failed || source == "-" ? source : absolute;
  for (mlir::Operation &op : module.getOps())
    if (op.hasAttr("linnet.phase"))
      describePhase(&op, manifest);
  describeFacts(module, options, manifest);
  if (auto changes = module->getAttrOfType<ArrayAttr>("linnet.changes"))
    for (mlir::Attribute change : changes)
      if (auto line = mlir::dyn_cast<mlir::StringAttr>(change))
        manifest.changes.push_back(line.str());

  WeightFinder weights(archive, manifest);
  for (DictionaryAttr slot : getList(module, "linnet.slots"))
    if (Status status = weights.add(slot); !status)
      return status.error();
  for (DictionaryAttr state : getList(module, "linnet.states"))
    manifest.states.push_back(
        {getText(state, "name"), getIntegers(state, "shape"),
         getInteger(state, "bytes"),
         getFlag(state, "append") ? StateSpec::Kind::Append
                                  : StateSpec::Kind::Fixed});
  return manifest;
}

std::string identify(const Manifest &manifest,
                     const std::vector<std::string> &objects,
                     const CompileOptions &options) {
  Manifest anywhere = manifest;
  anywhere.id.clear();
  anywhere.source.clear();
  for (WeightFile &file : anywhere.weightFiles)
    file.path.clear();
  Hasher hasher;
  hasher.update(formatJson(anywhere.toJson()));
  hasher.update(uint64_t(options.optLevel));
  for (const std::string &object : objects)
    hasher.update(uint64_t(object.size())).update(object);
  return toHex(hasher.finish());
}

} // namespace linnet
