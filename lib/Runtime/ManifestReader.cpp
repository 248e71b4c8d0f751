//===- ManifestReader.cpp - reading and checking manifests ----------------===//

#include "linnet/Runtime/Manifest.h"

#include "ManifestNames.h"

#include "linnet/Runtime/Invocation.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace linnet {
namespace {

/// No buffer of a real machine is larger; sums of a few stay within int64.
constexpr int64_t kMaxBytes = int64_t(1) << 48;
constexpr int64_t kMaxBatch = 1 << 20;

/// The members of one object. The first problem is kept in `error`, shared by
/// all readers of a document; from then on everything reads as empty.
class Members {
public:
  Members(const Json &json, std::string where, std::optional<Error> &error)
      : json(json), where(std::move(where)), error(error) {
    if (!json.is_object())
      complain(this->where, "an object", json);
  }

  /// What was not asked for is a misspelling or of another release.
  ~Members() {
    if (error || !json.is_object())
      return;
    for (const auto &[key, value] : json.items())
      if (!asked.contains(key)) {
        error = makeError(at(key), ": expected no such key, but got ",
                          describeJson(value));
        return;
      }
  }

  bool has(const std::string &key) {
    asked.insert(key);
    return json.is_object() && json.contains(key) && !json[key].is_null();
  }

  const Json &get(const std::string &key, std::string_view expected) {
    static const Json kNone;
    if (has(key))
      return json[key];
    if (!error)
      error = makeError(at(key), ": expected ", expected, ", but got nothing");
    return kNone;
  }

  std::string at(const std::string &key) const {
    bool top = where.ends_with(": ");
    return where + (top ? "" : ".") + key;
  }

  void complain(const std::string &path, std::string_view expected,
                const Json &got) {
    if (!error)
      error = makeError(path, ": expected ", expected, ", but got ",
                        describeJson(got));
  }

  std::string string(const std::string &key) {
    const Json &value = get(key, "a string");
    if (value.is_string())
      return value.get<std::string>();
    complain(at(key), "a string", value);
    return {};
  }

  int64_t integer(const std::string &key) {
    return asInteger(get(key, "an integer"), at(key));
  }

  bool boolean(const std::string &key) {
    const Json &value = get(key, "true or false");
    if (value.is_boolean())
      return value.get<bool>();
    complain(at(key), "true or false", value);
    return false;
  }

  float number(const std::string &key) {
    return asFloat(get(key, "a number"), at(key));
  }

  DataType dataType(const std::string &key) {
    const Json &value = get(key, "an element type");
    if (value.is_string())
      if (auto type = parseDataType(value.get<std::string>()))
        return *type;
    complain(at(key), "one of " + supportedDataTypes(), value);
    return DataType::F32;
  }

  template <typename Enum, size_t Count>
  Enum oneOf(const std::string &key, const Names<Enum, Count> &names) {
    const Json &value = get(key, "a string");
    std::string expected;
    for (const auto &[name, known] : names) {
      if (value.is_string() && value.get<std::string>() == name)
        return known;
      expected += (expected.empty() ? "" : ", ") + std::string(name);
    }
    complain(at(key), "one of " + expected, value);
    return names[0].second;
  }

  /// Calls `read(element, path)` for each element.
  template <typename Read>
  void each(const std::string &key, Read read) {
    const Json &value = get(key, "a list");
    if (!value.is_array())
      return complain(at(key), "a list", value);
    for (size_t i = 0; i < value.size() && !error; ++i)
      read(value[i], at(key) + "[" + std::to_string(i) + "]");
  }

  std::vector<int64_t> integers(const std::string &key) {
    std::vector<int64_t> values;
    each(key, [&](const Json &element, const std::string &path) {
      values.push_back(asInteger(element, path));
    });
    return values;
  }

  std::vector<float> numbers(const std::string &key) {
    std::vector<float> values;
    each(key, [&](const Json &element, const std::string &path) {
      values.push_back(asFloat(element, path));
    });
    return values;
  }

  std::vector<std::string> strings(const std::string &key) {
    std::vector<std::string> values;
    each(key, [&](const Json &element, const std::string &path) {
      if (element.is_string())
        values.push_back(element.get<std::string>());
      else
        complain(path, "a string", element);
    });
    return values;
  }

private:
  int64_t asInteger(const Json &value, const std::string &path) {
    if (value.is_number_unsigned() &&
        value.get<uint64_t>() > uint64_t(INT64_MAX))
      complain(path, "an integer", value);
    else if (value.is_number_integer())
      return value.get<int64_t>();
    complain(path, "an integer", value);
    return 0;
  }

  float asFloat(const Json &value, const std::string &path) {
    if (value.is_number() && std::isfinite(float(value.get<double>())))
      return float(value.get<double>());
    complain(path, "a finite number", value);
    return 0;
  }

  const Json &json;
  std::string where;
  std::optional<Error> &error;
  std::set<std::string> asked;
};

WeightLayout readLayout(const Json &json, const std::string &path,
                        std::optional<Error> &error) {
  Members members(json, path, error);
  WeightLayout layout;
  layout.kind = members.oneOf("kind", kLayoutKinds);
  if (layout.kind == WeightLayout::Kind::Panel) {
    layout.width = members.integer("width");
    layout.transposed = members.boolean("transposed");
    if (members.has("together"))
      layout.together = members.integer("together");
    if (members.has("row_blocks")) {
      Members blocks(members.get("row_blocks", "an object"),
                     members.at("row_blocks"), error);
      layout.rowBlocks = {blocks.integer("count"), blocks.integer("begin"),
                          blocks.integer("rows")};
    }
  } else if (layout.kind == WeightLayout::Kind::Rotary) {
    layout.inverseFrequencies = members.numbers("inverse_frequencies");
    layout.scaling = members.number("scaling");
    layout.rows = members.integer("rows");
  }
  return layout;
}

WeightSlot readSlot(const Json &json, const std::string &path,
                    std::optional<Error> &error) {
  Members members(json, path, error);
  WeightSlot slot;
  slot.dtype = members.dataType("dtype");
  slot.shape = members.integers("shape");
  if (members.has("packed_dtype"))
    slot.packedType = members.dataType("packed_dtype");
  slot.layout = readLayout(members.get("layout", "an object"),
                           members.at("layout"), error);
  if (members.has("seed"))
    slot.seed = members.integer("seed");
  if (slot.isStored()) {
    slot.key = members.string("key");
    slot.file = members.integer("file");
  }
  return slot;
}

std::vector<ArgumentSpec> readArguments(Members &top, const std::string &key,
                                        std::optional<Error> &error) {
  std::vector<ArgumentSpec> arguments;
  top.each(key, [&](const Json &json, const std::string &path) {
    Members members(json, path, error);
    arguments.push_back({members.string("name"), members.dataType("dtype"),
                         members.integers("shape")});
  });
  return arguments;
}

void readModel(const Json &json, const std::string &path, Manifest &manifest,
               std::optional<Error> &error) {
  Members members(json, path, error);
  manifest.modelType = members.string("model_type");
  manifest.kind = members.oneOf("kind", kModelKinds);
  manifest.vocabSize = members.integer("vocab_size");
  manifest.hiddenSize = members.integer("hidden_size");
  manifest.maxContext = members.integer("max_context");
  manifest.batch = members.integer("batch");
  if (members.has("bos"))
    manifest.bos = members.integer("bos");
  manifest.eos = members.integers("eos");
  manifest.source = members.string("source");
  manifest.changes = members.strings("changes");
}

void readWeights(const Json &json, const std::string &path, Manifest &manifest,
                 std::optional<Error> &error) {
  Members members(json, path, error);
  members.each("files", [&](const Json &element, const std::string &where) {
    Members file(element, where, error);
    manifest.weightFiles.push_back(
        {file.string("path"), file.integer("bytes"), file.string("hash")});
  });
  members.each("slots", [&](const Json &element, const std::string &where) {
    manifest.slots.push_back(readSlot(element, where, error));
  });
}

void readPhases(const Json &json, const std::string &path, Manifest &manifest,
                std::optional<Error> &error) {
  Members members(json, path, error);
  if (!json.is_object())
    return;
  for (const auto &[name, value] : json.items()) {
    members.has(name);
    Members phase(value, members.at(name), error);
    manifest.phases.push_back(
        {name, phase.string("symbol"), phase.integer("max_tokens"),
         phase.integer("workspace_bytes"), phase.integer("scratch_bytes")});
  }
}

/// Collects the value checks; the first violated one is kept.
class Checks {
public:
  explicit Checks(std::string_view what) : what(what) {}

  template <typename Got, typename... Expected>
  bool expect(bool holds, const std::string &where, const Got &got,
              const Expected &...expected) {
    if (!holds && status)
      status = makeError(what, ": ", where, ": expected ", expected...,
                         ", but got ", got);
    return holds;
  }

  void range(const std::string &where, int64_t value, int64_t low,
             int64_t high) {
    expect(value >= low && value <= high, where, value, low, " to ", high);
  }

  Status take() { return status; }

private:
  std::string what;
  Status status;
};

std::string quoted(const std::string &text) { return "'" + text + "'"; }

std::string indexed(const char *list, size_t index, const char *member) {
  return std::string(list) + "[" + std::to_string(index) + "]." + member;
}

/// Panels of elements that stay together.
void checkTogether(Checks &checks, const std::string &where,
                   const WeightSlot &slot) {
  const int64_t together = slot.layout.together,
                size = int64_t(dataTypeSize(slot.dtype));
  bool isWord = together > 1 && together <= 4 &&
                (together * size == 2 || together * size == 4);
  if (!checks.expect(isWord, where, together,
                     "1, or elements of 2 or 4 bytes in all"))
    return;
  checks.expect(!slot.layout.transposed && slot.memoryType() == slot.dtype,
                where, together,
                "1 for a matrix that is transposed or converted");
  checks.expect(!slot.shape.empty() && slot.shape.back() % together == 0, where,
                together, "a divisor of the columns of ",
                formatShape(slot.shape));
}

/// A basis is computed in the layouts that kernels ask for.
void checkSeed(Checks &checks, size_t index, const WeightSlot &slot) {
  auto at = [&](const char *member) {
    return indexed("weights.slots", index, member);
  };
  checks.range(at("seed"), *slot.seed, 0, INT64_MAX);
  checks.expect(slot.layout.kind == WeightLayout::Kind::F32 ||
                    (slot.layout.kind == WeightLayout::Kind::Panel &&
                     !slot.layout.transposed && !slot.layout.rowBlocks),
                at("layout"), "another",
                "f32 or a panel of rows for a slot with a seed");
  checks.expect(slot.shape.size() == 2, at("shape"), formatShape(slot.shape),
                "a matrix for a slot with a seed");
  checks.expect(slot.dtype == DataType::F32, at("dtype"),
                dataTypeName(slot.dtype), "F32");
}

void checkSlot(Checks &checks, const Manifest &manifest, size_t index) {
  const WeightSlot &slot = manifest.slots[index];
  const WeightLayout &layout = slot.layout;
  auto at = [&](const char *member) {
    return indexed("weights.slots", index, member);
  };
  auto elements = elementCount(slot.shape);
  // Eight bytes an element and a panel of padding still fit.
  if (!checks.expect(elements && *elements <= kMaxBytes / 8 / 4096, at("shape"),
                     formatShape(slot.shape), "a shape that fits into memory"))
    return;
  if (layout.kind == WeightLayout::Kind::Rotary) {
    int64_t frequencies = int64_t(layout.inverseFrequencies.size());
    checks.range(at("layout.rows"), layout.rows, 1, kMaxBytes / 4096);
    checks.expect(frequencies > 0, at("layout.inverse_frequencies"), "none",
                  "at least one number");
    std::vector<int64_t> shape = {layout.rows, 2, frequencies};
    checks.expect(slot.shape == shape, at("shape"), formatShape(slot.shape),
                  formatShape(shape));
    checks.expect(slot.dtype == DataType::F32, at("dtype"),
                  dataTypeName(slot.dtype), "F32");
  }
  if (slot.seed)
    checkSeed(checks, index, slot);
  if (slot.isStored()) {
    checks.expect(!slot.key.empty(), at("key"), "''", "a tensor name");
    checks.expect(
        slot.file >= 0 && slot.file < int64_t(manifest.weightFiles.size()),
        at("file"), slot.file, "an index below ", manifest.weightFiles.size());
  }
  if (layout.kind != WeightLayout::Kind::Panel) {
    checks.expect(!slot.packedType, at("packed_dtype"), "one",
                  "none but for panels");
    return;
  }
  checks.expect(slot.shape.size() >= 2, at("shape"), formatShape(slot.shape),
                "at least 2 dimensions for panels");
  checks.range(at("layout.width"), layout.width, 1, 4096);
  if (layout.rowBlocks && slot.shape.size() >= 2) {
    const auto &[count, begin, rows] = *layout.rowBlocks;
    int64_t all = slot.shape[slot.shape.size() - 2];
    if (checks.expect(count > 0 && all % count == 0,
                      at("layout.row_blocks.count"), count, "a divisor of ",
                      all)) {
      checks.range(at("layout.row_blocks.begin"), begin, 0, all / count);
      checks.range(at("layout.row_blocks.rows"), rows, 1,
                   all / count - std::clamp<int64_t>(begin, 0, all / count));
    }
  }
  DataType packed = slot.memoryType();
  if (layout.together != 1)
    checkTogether(checks, at("layout.together"), slot);
  checks.expect(packed == DataType::F32 ||
                    (packed == slot.dtype && isPackedAsStored(packed)),
                at("packed_dtype"), dataTypeName(packed),
                "F32, or the stored type if that is BF16, F16 or I8");
}

/// [batch, -1] or [batch, -1, width].
void checkSequence(Checks &checks, const std::string &where,
                   const ArgumentSpec &argument, DataType dtype, int64_t batch,
                   size_t rank) {
  checks.expect(argument.dtype == dtype, where + ".dtype",
                dataTypeName(argument.dtype), dataTypeName(dtype));
  bool fits =
      argument.shape.size() == rank && argument.shape[0] == batch &&
      argument.shape[1] == -1 &&
      (rank < 3 || (argument.shape[2] > 0 && argument.shape[2] <= INT32_MAX));
  checks.expect(fits, where + ".shape", formatShape(argument.shape), "[", batch,
                ", -1", rank == 3 ? ", width]" : "]");
}

void checkInterface(Checks &checks, const Manifest &manifest) {
  bool encoder = manifest.kind == Manifest::ModelKind::Encoder;
  std::set<std::string> names;
  for (size_t i = 0; i < manifest.inputs.size(); ++i) {
    const ArgumentSpec &input = manifest.inputs[i];
    checkSequence(checks, "inputs[" + std::to_string(i) + "]", input,
                  DataType::I32, manifest.batch, 2);
    bool known =
        input.name == "tokens" || (encoder && (input.name == "token_types" ||
                                               input.name == "attention_mask"));
    checks.expect(known && names.insert(input.name).second,
                  indexed("inputs", i, "name"), quoted(input.name),
                  encoder ? "tokens, token_types or attention_mask, each once"
                          : "tokens, once");
  }
  checks.expect(names.contains("tokens"), "inputs", names.size(),
                "an input 'tokens'");
  if (checks.expect(manifest.outputs.size() == 1, "outputs",
                    manifest.outputs.size(), "1 output"))
    checkSequence(checks, "outputs[0]", manifest.outputs[0], DataType::F32,
                  manifest.batch, 3);
  checks.range("model.vocab_size", manifest.vocabSize, 1, INT32_MAX);
  checks.range("model.hidden_size", manifest.hiddenSize, 1, INT32_MAX);
}

void checkStaticShapes(Checks &checks, const char *list,
                       const std::vector<ArgumentSpec> &arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    auto elements = elementCount(arguments[i].shape);
    checks.expect(elements && *elements <= kMaxBytes / 8,
                  indexed(list, i, "shape"), formatShape(arguments[i].shape),
                  "a static shape that fits into memory");
  }
}

void checkPhases(Checks &checks, const Manifest &manifest) {
  std::vector<std::string_view> allowed;
  switch (manifest.kind) {
  case Manifest::ModelKind::CausalLM:
    allowed = {kPrefillPhase, kDecodePhase};
    break;
  case Manifest::ModelKind::Encoder:
    allowed = {kEncodePhase};
    break;
  case Manifest::ModelKind::Function:
    allowed = {kRunPhase};
    break;
  }
  checks.expect(manifest.findPhase(allowed[0]), "phases", "none", "a phase '",
                allowed[0], "'");
  std::set<std::string> names;
  for (const PhaseSpec &phase : manifest.phases) {
    std::string where = "phases." + phase.name;
    checks.expect(
        std::find(allowed.begin(), allowed.end(), phase.name) != allowed.end(),
        where, "it", "no such phase of a ", modelKindName(manifest.kind));
    checks.expect(names.insert(phase.name).second, where, "two", "one");
    checks.expect(!phase.symbol.empty(), where + ".symbol", "''",
                  "a symbol name");
    checks.range(where + ".max_tokens", phase.maxTokens, 1,
                 phase.name == kDecodePhase ? 1 : INT32_MAX);
    checks.range(where + ".workspace_bytes", phase.workspaceBytes, 0,
                 kMaxBytes);
    checks.range(where + ".scratch_bytes", phase.scratchBytes, 0,
                 kMaxBytes / 1024);
  }
}

} // namespace

Status Manifest::check(std::string_view what) const {
  Checks checks(what);
  checks.expect(abi == LINNET_ABI_VERSION, "abi", abi, LINNET_ABI_VERSION,
                " (compile the model with this release)");
  checks.expect(!id.empty() && id.size() <= 128, "id", quoted(id),
                "1 to 128 characters");
  checks.expect(!library.empty() && library.find('/') == std::string::npos,
                "library", quoted(library), "a file name");
  checks.expect(!triple.empty(), "target.triple", "''", "a target triple");
  checks.range("model.batch", batch, 1, kMaxBatch);
  checks.range("model.max_context", maxContext, 0, INT32_MAX);
  for (size_t i = 0; i < weightFiles.size(); ++i)
    checks.expect(!weightFiles[i].path.empty(),
                  indexed("weights.files", i, "path"), "''", "a path");
  for (size_t i = 0; i < slots.size(); ++i)
    checkSlot(checks, *this, i);
  checkPhases(checks, *this);
  checks.expect(states.empty() || kind == ModelKind::CausalLM, "states",
                states.size(), "none but for a causal-lm");
  for (size_t i = 0; i < states.size(); ++i) {
    checks.range(indexed("states", i, "bytes"), states[i].bytes, 1,
                 kMaxBytes / 4096);
    checks.expect(elementCount(states[i].shape).has_value(),
                  indexed("states", i, "shape"), formatShape(states[i].shape),
                  "a static shape");
  }
  if (kind == ModelKind::Function) {
    checkStaticShapes(checks, "inputs", inputs);
    checkStaticShapes(checks, "outputs", outputs);
  } else {
    checkInterface(checks, *this);
  }
  return checks.take();
}

Result<Manifest> Manifest::fromJson(const Json &json, std::string_view what) {
  std::optional<Error> error;
  Manifest manifest;
  {
    if (!json.is_object())
      return makeError(what, ": expected an object, but got ",
                       describeJson(json));
    Members top(json, std::string(what) + ": ", error);
    manifest.version = top.string("linnet");
    manifest.abi = top.integer("abi");
    // Another release's manifest may have other members: say so first.
    if (!error && manifest.abi != LINNET_ABI_VERSION)
      return makeError(what, ": abi: expected ", LINNET_ABI_VERSION,
                       " (compile the model with this release), but got ",
                       manifest.abi);
    manifest.id = top.string("id");
    manifest.library = top.string("library");
    {
      Members target(top.get("target", "an object"), top.at("target"), error);
      manifest.triple = target.string("triple");
      manifest.cpu = target.string("cpu");
      manifest.features = target.strings("features");
    }
    readModel(top.get("model", "an object"), top.at("model"), manifest, error);
    readWeights(top.get("weights", "an object"), top.at("weights"), manifest,
                error);
    top.each("states", [&](const Json &element, const std::string &path) {
      Members state(element, path, error);
      manifest.states.push_back({state.string("name"), state.integers("shape"),
                                 state.integer("bytes"),
                                 state.oneOf("kind", kStateKinds)});
    });
    readPhases(top.get("phases", "an object"), top.at("phases"), manifest,
               error);
    manifest.inputs = readArguments(top, "inputs", error);
    manifest.outputs = readArguments(top, "outputs", error);
  }
  if (error)
    return *error;
  if (Status status = manifest.check(what); !status)
    return status.error();
  return manifest;
}

} // namespace linnet
