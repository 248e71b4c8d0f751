//===- TapRunner.cpp - tapped layers, compiled and run --------------------===//

#include "TapRunner.h"

#include "Scratch.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <filesystem>
#include <unistd.h>

namespace linnet::compress {

namespace ir = mlir::linnet;

//===----------------------------------------------------------------------===//
// Functions in memory
//===----------------------------------------------------------------------===//

Result<OpenTap> OpenTap::open(const std::string &directory) {
  linnet_model *handle = nullptr;
  if (linnet_model_open(directory.c_str(), nullptr, &handle) != LINNET_OK)
    return Error(linnet_last_error());
  OpenTap tap;
  tap.model.reset(handle);
  for (int64_t i = 0; i < linnet_model_output_count(handle); ++i) {
    linnet_tensor_info info;
    if (linnet_model_output(handle, i, &info) != LINNET_OK)
      return Error(linnet_last_error());
    size_t size = 1;
    for (int32_t d = 0; d < info.rank; ++d)
      size *= size_t(info.shape[d]);
    tap.sizes.push_back(size);
  }
  return tap;
}

Status OpenTap::run(const std::vector<const void *> &inputs,
                    const std::vector<void *> &outputs) const {
  if (linnet_run_function(model.get(), inputs.data(), int64_t(inputs.size()),
                          outputs.data(), int64_t(outputs.size())) != LINNET_OK)
    return Error(linnet_last_error());
  return {};
}

Status OpenTap::run(const std::vector<const void *> &inputs,
                    std::vector<Activations> &results) const {
  std::vector<void *> outputs;
  results.resize(sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i) {
    results[i].resize(sizes[i]);
    outputs.push_back(results[i].data());
  }
  return run(inputs, outputs);
}

//===----------------------------------------------------------------------===//
// Compilation and weights
//===----------------------------------------------------------------------===//

Result<TapRunner> TapRunner::create(mlir::ModuleOp module,
                                    const Archive &archive,
                                    const LinearMaps &maps, int64_t batch,
                                    int64_t length, bool withStates) {
  TapRunner runner(module, archive, maps);
  runner.batch = batch;
  runner.length = length;
  for (size_t i = 0; i < maps.maps.size(); ++i)
    runner.mapNumbers[maps.maps[i].name] = i;
  Result<TappedModel> tapped = tapLayers(module, archive, withStates);
  if (!tapped)
    return tapped.error();
  runner.tapped = tapped.take();
  Result<AtomicDirectory> scratch = createScratch("layers");
  if (!scratch)
    return scratch.error();
  runner.scratch = std::make_unique<AtomicDirectory>(scratch.take());
  return runner;
}

size_t TapRunner::mapAt(size_t number, const std::string &key) const {
  return mapNumbers.at(ir::resolveWeightKey(key, int64_t(number)));
}

Result<std::string> TapRunner::compile(const std::string &function,
                                       const std::string &source) {
  if (auto known = compiled.find(function); known != compiled.end())
    return known->second.directory();
  std::vector<FunctionInput> inputs;
  auto op = module.lookupSymbol<mlir::func::FuncOp>(function);
  for (mlir::Type type : op.getArgumentTypes()) {
    FunctionInput input;
    if (auto tensor = mlir::dyn_cast<mlir::RankedTensorType>(type)) {
      input.shape = tensor.getShape().vec();
      for (size_t d = 0; d < input.shape.size(); ++d)
        if (tensor.isDynamicDim(unsigned(d)))
          input.shape[d] = d == 0 ? batch : length;
    } else {
      // The layer's number, which nothing uses, and the position of the first
      // token.
      input.index = 0;
    }
    inputs.push_back(input);
  }
  module->setAttr(ir::kArchiveAttr,
                  mlir::StringAttr::get(module.getContext(), source));
  CompileReport report;
  Result<CompiledFunction> result = compileFunction(
      module, function, inputs, archive->path(), CompileOptions(), report);
  if (!result)
    return makeError("@", function, ": ", result.error().str());
  return compiled.emplace(function, result.take()).first->second.directory();
}

/// Appends a site's matrix as it is stored, in f32.
static Status appendMatrix(SafetensorsWriter &writer, const std::string &name,
                           const LinearMap &map, const Archive::Tensor &tensor,
                           const Replacements &instead) {
  std::vector<float> values(size_t(map.parameters()));
  if (auto other = instead.find(map.name); other != instead.end()) {
    bool outIn = map.storage == ir::Storage::OutIn;
    const Matrix stored = outIn ? other->second : other->second.transposed();
    std::copy_n(stored.data(), values.size(), values.begin());
  } else {
    convertToF32(tensor.data, tensor.dtype, values.data(), values.size());
  }
  return writer.append(name, values.data(), values.size() * sizeof(float));
}

Result<std::vector<float>>
TapRunner::makeVector(size_t number, const TapWeight &weight,
                      const Replacements &instead) const {
  using Kind = TapVector::Kind;
  size_t count = 1;
  for (int64_t extent : weight.shape)
    count *= size_t(extent);
  std::vector<float> values(count);
  const auto &[kind, key, mask] = *weight.vector;
  if (!key.empty()) {
    Result<const Archive::Tensor *> tensor =
        archive->require(ir::resolveWeightKey(key, int64_t(number)));
    if (!tensor)
      return tensor.error();
    convertToF32((*tensor)->data, (*tensor)->dtype, values.data(),
                 values.size());
  }
  auto row = instead.find(maskOf(ir::resolveWeightKey(mask, int64_t(number))));
  for (size_t i = 0; i < values.size(); ++i) {
    bool isGiven = row != instead.end();
    auto given = isGiven ? float(row->second.at(0, int64_t(i))) : 0.0f;
    if (kind == Kind::Shifted)
      values[i] += kTapShift;
    else if (kind == Kind::Masked)
      values[i] += given;
    else if (kind == Kind::Factor)
      values[i] = isGiven ? given : 1;
    else if (isGiven)
      values[i] = given == 0 ? 0 : values[i] / given;
  }
  return values;
}

Status TapRunner::writeWeights(size_t number, const Replacements &instead,
                               const std::string &file) const {
  struct Entry {
    const Archive::Tensor *tensor;
    std::string name;
    bool isSite;
    /// Written in place of the tensor, if there are any.
    std::vector<float> values;
  };
  std::vector<Entry> entries;
  std::vector<TensorSpec> specs;
  for (const TapWeight &weight : layer(number).weights) {
    bool stacked = weight.key.find(ir::kMember.str()) != std::string::npos;
    std::string key = ir::resolveWeightKey(weight.key, int64_t(number));
    std::string name = tapWeightName(weight.key);
    if (weight.vector) {
      Result<std::vector<float>> made = makeVector(number, weight, instead);
      if (!made)
        return made.error();
      entries.push_back({nullptr, name, false, made.take()});
      specs.push_back({name, DataType::F32, weight.shape});
      continue;
    }
    for (int64_t m = 0; m < (stacked ? weight.shape.front() : 1); ++m) {
      Result<const Archive::Tensor *> tensor =
          archive->require(ir::resolveMemberKey(key, m));
      if (!tensor)
        return tensor.error();
      entries.push_back(
          {*tensor, ir::resolveMemberKey(name, m), weight.isSite, {}});
      specs.push_back({entries.back().name,
                       weight.isSite ? DataType::F32 : (*tensor)->dtype,
                       (*tensor)->shape});
    }
  }
  Result<SafetensorsWriter> writer =
      SafetensorsWriter::create(file, std::move(specs));
  if (!writer)
    return writer.error();
  for (const Entry &entry : entries)
    if (Status status =
            !entry.values.empty()
                ? writer->append(entry.name, entry.values.data(),
                                 entry.values.size() * sizeof(float))
            : entry.isSite
                ? appendMatrix(*writer, entry.name,
                               maps->maps[mapNumbers.at(entry.tensor->name)],
                               *entry.tensor, instead)
                : writer->append(entry.name, entry.tensor->data,
                                 entry.tensor->bytes);
        !status)
      return status;
  return writer->commit();
}

Result<OpenTap> TapRunner::open(size_t number, const std::string &function,
                                const Replacements &instead) {
  std::string file = scratch->file(
      "layer" + std::to_string(tapped.order[number]) + ".safetensors");
  if (Status status = writeWeights(number, instead, file); !status)
    return status.error();
  Result<std::string> directory = compile(function, file);
  if (!directory)
    return directory.error();
  return OpenTap::open(*directory);
}

Result<OpenTap> TapRunner::openStage(size_t number, const TapStage &stage,
                                     const Replacements &instead) {
  return open(number, stage.function, instead);
}

Result<OpenTap> TapRunner::openMixture(size_t number,
                                       const TapMixture &mixture) {
  return open(number, mixture.function, {});
}

Result<OpenTap> TapRunner::openScan(size_t number, const TapScan &scan) {
  return open(number, scan.function, {});
}

Result<OpenTap> TapRunner::openReach(size_t number, const TapReach &reach) {
  return open(number, reach.function, {});
}

Result<OpenTap> TapRunner::openWhole(size_t number,
                                     const Replacements &instead) {
  return open(number, layer(number).whole, instead);
}

Result<std::optional<OpenTap>> TapRunner::openEnd() {
  if (tapped.end.empty())
    return std::optional<OpenTap>();
  Result<OpenTap> end = openOutside(tapped.end);
  if (!end)
    return end.error();
  return std::optional<OpenTap>(end.take());
}

Result<std::vector<OpenTap>> TapRunner::openAll() {
  std::vector<OpenTap> opened;
  for (size_t layer = 0; layer < layers(); ++layer) {
    Result<OpenTap> whole = openWhole(layer, {});
    if (!whole)
      return whole.error();
    opened.push_back(whole.take());
  }
  return opened;
}

Result<OpenTap> TapRunner::openOutside(const std::string &function) {
  Result<std::string> directory = compile(function, archive->path());
  if (!directory)
    return directory.error();
  return OpenTap::open(*directory);
}

int64_t TapRunner::heldNumbers() const {
  int64_t most = 0;
  for (const TappedLayer &layer : tapped.layers) {
    size_t last = layer.stages.size();
    for (size_t stage = 0; stage <= last; ++stage) {
      int64_t now = 0;
      for (size_t held = 0; held < layer.heldWidths.size(); ++held)
        if (layer.isHeld(held, stage))
          now += layer.heldWidths[held];
      most = std::max(most, now);
    }
  }
  return most;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

Status TapRunner::runFitted(const OpenTap &tap, const HiddenStates &states,
                            const Windows &windows, SeeStep see) const {
  std::vector<Activations> shown;
  for (int64_t step = 0; step < windows.batches(); ++step) {
    std::vector<TokenRange> seen = windows.tokensOf(Part::Fitted, step);
    if (seen.empty())
      continue;
    if (Status status = tap.run(inputsOf(states, step), shown); !status)
      return status;
    see(shown, seen);
  }
  return {};
}

std::vector<const void *> TapRunner::inputsOf(const HiddenStates &states,
                                              int64_t number) const {
  std::vector<const void *> inputs;
  for (size_t i = 0; i < states.carried.size(); ++i)
    inputs.push_back(states.stepOf(i, number).data());
  for (const std::vector<int32_t> &input : states.invariants)
    inputs.push_back(input.data() +
                     size_t(number) * (input.size() / size_t(states.steps)));
  return inputs;
}

/// What a model is given of `windows`.
static std::vector<int32_t> makeInput(ModelInput input,
                                      const Windows &windows) {
  if (input == ModelInput::Tokens)
    return windows.ids;
  std::vector<int32_t> values(windows.ids.size());
  if (input == ModelInput::KeyMask)
    for (size_t i = 0; i < values.size(); ++i) {
      int64_t window = int64_t(i) / windows.length;
      values[i] = int64_t(i) % windows.length < windows.lengthOf(window);
    }
  return values;
}

Result<HiddenStates> TapRunner::begin(const Windows &windows) {
  Result<OpenTap> tap = openOutside(tapped.begin);
  if (!tap)
    return tap.error();
  std::vector<Activations> distinct(tap->outputs());
  for (size_t i = 0; i < distinct.size(); ++i)
    distinct[i].resize(tap->outputSize(i) * size_t(windows.batches()));
  HiddenStates given{windows.batches(), {}, {}}, states = given;
  for (ModelInput input : tapped.inputs)
    given.invariants.push_back(makeInput(input, windows));
  for (ModelInput input : tapped.invariants)
    states.invariants.push_back(makeInput(input, windows));
  for (int64_t step = 0; step < windows.batches(); ++step) {
    std::vector<void *> outputs;
    for (size_t i = 0; i < distinct.size(); ++i)
      outputs.push_back(distinct[i].data() + size_t(step) * tap->outputSize(i));
    if (Status status = tap->run(inputsOf(given, step), outputs); !status)
      return status.error();
  }
  for (size_t result : tapped.carriedResult)
    states.carried.push_back(distinct[result]);
  return states;
}

Result<llvm::ArrayRef<float>>
TapRunner::outputOf(const std::optional<OpenTap> &end,
                    const HiddenStates &states, int64_t number,
                    std::vector<Activations> &buffer) const {
  if (tapped.output.isCarried())
    return states.stepOf(tapped.output.number, number);
  std::vector<const void *> inputs = inputsOf(states, number);
  inputs.resize(states.carried.size());
  if (Status status = end->run(inputs, buffer); !status)
    return status.error();
  return llvm::ArrayRef<float>(buffer[tapped.output.number]);
}

Status TapRunner::advance(size_t number, const OpenTap &whole,
                          HiddenStates &states) const {
  int64_t steps = states.steps;
  std::vector<Activations> results;
  for (size_t i = 0; i < whole.outputs(); ++i)
    results.emplace_back(whole.outputSize(i) * size_t(steps));
  for (int64_t step = 0; step < steps; ++step) {
    std::vector<void *> outputs;
    for (size_t i = 0; i < results.size(); ++i)
      outputs.push_back(results[i].data() + size_t(step) * whole.outputSize(i));
    if (Status status = whole.run(inputsOf(states, step), outputs); !status)
      return status;
  }
  std::vector<Activations> after;
  for (const TapValue &value : layer(number).carriedResults)
    after.push_back(value.isCarried() ? states.carried[value.number]
                                      : results[value.number]);
  states.carried = std::move(after);
  return {};
}

Status TapRunner::advanceTo(size_t first, size_t last, HiddenStates &states) {
  for (size_t layer = first; layer < last; ++layer) {
    Result<OpenTap> whole = openWhole(layer, {});
    if (!whole)
      return whole.error();
    if (Status status = advance(layer, *whole, states); !status)
      return status;
  }
  return {};
}

} // namespace linnet::compress
