//===- ModelBuilder.cpp - the frame of a model ----------------------------===//

#include "ModelBuilder.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/GlobPattern.h"

#include <filesystem>

using namespace mlir;
using namespace ::linnet;

namespace {

constexpr StringLiteral kEmbed = "embed";
constexpr StringLiteral kHead = "head";
/// No model has more kinds of layers, and each costs a function.
constexpr size_t kMaxDistinctLayers = 4096;

} // namespace

ModelBuilder::ModelBuilder(MLIRContext &context, const Archive &archive,
                           Config config, std::string modelType,
                           std::optional<int64_t> maxContext)
    : archive(archive), configuration(std::move(config)),
      type(std::move(modelType)), maxContext(maxContext),
      b(UnknownLoc::get(&context), &context) {
  context.loadDialect<ir::LinnetDialect, func::FuncDialect, arith::ArithDialect,
                      math::MathDialect, tensor::TensorDialect,
                      linalg::LinalgDialect>();
  readStructures();
  readOutputs();
  readThresholds();
}

RankedTensorType ModelBuilder::activationType(ArrayRef<int64_t> feature) {
  SmallVector<int64_t> shape = {ShapedType::kDynamic, ShapedType::kDynamic};
  llvm::append_range(shape, feature);
  return RankedTensorType::get(shape, b.getF32Type());
}

RankedTensorType ModelBuilder::tokensType() {
  return RankedTensorType::get({ShapedType::kDynamic, ShapedType::kDynamic},
                               b.getI32Type());
}

Location ModelBuilder::named(StringRef name) {
  return NameLoc::get(b.getStringAttr(prefix + name.str()));
}

Status ModelBuilder::begin(const ModelFacts &modelFacts) {
  if (Status status = configuration.status(); !status)
    return status;
  facts = modelFacts;
  if (!facts.encoder)
    outputWidth = facts.vocabulary;
  int64_t context = maxContext.value_or(facts.maxPositions);
  int64_t limit =
      facts.fixedPositions ? facts.maxPositions : Config::kMaxContext;
  if (context < 1 || context > limit)
    return makeError("maximal context: expected 1 to ", limit,
                     facts.fixedPositions ? " (the model's learned positions)"
                                          : "",
                     ", but got ", context);

  std::error_code code;
  std::filesystem::path path = std::filesystem::absolute(archive.path(), code);
  std::string archivePath =
      code ? archive.path() : path.lexically_normal().string();
  if (archivePath.size() > 1 && archivePath.back() == '/')
    archivePath.pop_back();

  // Ids outside of the vocabulary can be neither fed nor produced.
  auto ids = [&](std::string_view key) {
    std::vector<int64_t> list = configuration.ids(key);
    std::erase_if(list,
                  [&](int64_t id) { return id < 0 || id >= facts.vocabulary; });
    return b.getDenseI64ArrayAttr(list);
  };
  module = ModuleOp::create(b.getLoc());
  (*module)->setAttr(ir::kArchiveAttr, b.getStringAttr(archivePath));
  (*module)->setAttr(
      ir::kModelAttr,
      b.getDictionaryAttr(
          {b.getNamedAttr("model_type", b.getStringAttr(type)),
           b.getNamedAttr("kind", b.getStringAttr(facts.encoder ? "encoder"
                                                                : "causal-lm")),
           b.getNamedAttr("vocab_size", b.getI64IntegerAttr(facts.vocabulary)),
           b.getNamedAttr("hidden_size", b.getI64IntegerAttr(facts.hidden)),
           b.getNamedAttr("max_context", b.getI64IntegerAttr(context)),
           b.getNamedAttr("num_layers", b.getI64IntegerAttr(facts.layers)),
           b.getNamedAttr("bos", ids("bos_token_id")),
           b.getNamedAttr("eos", ids("eos_token_id"))}));
  return configuration.status();
}

func::FuncOp ModelBuilder::startFunction(StringRef name, TypeRange inputs,
                                         bool isPrivate) {
  batch = time = Value();
  b.setLoc(NameLoc::get(b.getStringAttr(name)));
  b.setInsertionPointToEnd(module->getBody());
  auto function =
      func::FuncOp::create(b, name, b.getFunctionType(inputs, TypeRange()));
  if (isPrivate)
    function.setPrivate();
  b.setInsertionPointToStart(function.addEntryBlock());
  return function;
}

void ModelBuilder::endFunction(ValueRange results) {
  auto function = cast<func::FuncOp>(b.getInsertionBlock()->getParentOp());
  func::ReturnOp::create(b, results);
  function.setType(
      b.getFunctionType(function.getArgumentTypes(), results.getTypes()));
}

void ModelBuilder::embed(StringRef namePrefix,
                         function_ref<Value(const EmbedInputs &)> body) {
  SmallVector<Type> types = {tokensType(), b.getIndexType()};
  if (facts.encoder)
    types.push_back(tokensType());
  func::FuncOp function = startFunction(kEmbed, types, /*isPrivate=*/true);
  prefix = namePrefix.str();
  EmbedInputs inputs{function.getArgument(0), function.getArgument(1), {}};
  if (facts.encoder)
    inputs.tokenTypes = function.getArgument(2);
  endFunction(body(inputs));
}

std::map<int64_t, std::string> ModelBuilder::signaturesOfLayers() const {
  std::map<int64_t, std::string> signatures;
  for (const std::string &name : archive.names()) {
    int64_t number;
    StringRef rest;
    if (!parseLayerName(name, number, rest) || isIgnored(name))
      continue;
    const Archive::Tensor *tensor = archive.find(name);
    std::string &signature = signatures[number];
    signature += '\n';
    signature += rest;
    signature += ' ';
    signature += dataTypeName(tensor->dtype);
    signature += formatShape(tensor->shape);
  }
  for (const auto &[name, stored] : structures) {
    int64_t number;
    StringRef rest;
    if (parseLayerName(name, number, rest))
      signatures[number] += "\n" + rest.str() + " = " + stored.text;
  }
  for (const std::string &name : thresholds) {
    int64_t number;
    StringRef rest;
    if (parseLayerName(name, number, rest))
      signatures[number] += "\n" + rest.str() + " has thresholds";
  }
  return signatures;
}

void ModelBuilder::stack(StringRef namePrefix,
                         const std::vector<std::string> &kinds,
                         function_ref<Value(const LayerInputs &)> body) {
  carried = 1;
  writeLayers(namePrefix, kinds, [&](const LayerInputs &in) {
    return SmallVector<Value>{body(in)};
  });
}

void ModelBuilder::stackHanding(
    StringRef namePrefix, const std::vector<std::string> &kinds,
    function_ref<std::pair<Value, Value>(const LayerInputs &)> body) {
  carried = 2;
  writeLayers(namePrefix, kinds, [&](const LayerInputs &in) {
    auto [x, handed] = body(in);
    return SmallVector<Value>{x, handed};
  });
}

void ModelBuilder::writeLayers(
    StringRef namePrefix, const std::vector<std::string> &kinds,
    function_ref<SmallVector<Value>(const LayerInputs &)> body) {
  layerPrefix = namePrefix.str();
  std::map<int64_t, std::string> signatures = signaturesOfLayers();
  std::map<std::string, int32_t> known;
  for (int64_t i = 0; i < facts.layers; ++i) {
    std::string signature = kinds.empty() ? "" : kinds[i];
    if (auto it = signatures.find(i); it != signatures.end())
      signature += it->second;
    auto [entry, isNew] = known.try_emplace(signature, groups.size());
    if (isNew)
      groups.push_back({"", i});
    order.push_back(entry->second);
  }

  if (groups.size() > kMaxDistinctLayers) {
    configuration.fail(makeError(archive.path(), ": expected at most ",
                                 kMaxDistinctLayers,
                                 " distinct layers, but got ", groups.size()));
    return;
  }

  std::set<std::string> taken;
  for (LayerGroup &entry : groups) {
    std::string suffix = kinds.empty() ? "" : kinds[entry.first];
    std::string function = groups.size() == 1 ? "layer" : "layer_" + suffix;
    if (groups.size() > 1 && (suffix.empty() || taken.count(function)))
      function += (suffix.empty() ? "" : "_") + std::to_string(entry.first);
    taken.insert(function);
    entry.function = function;
  }

  SmallVector<Type> types(carried, activationType(facts.hidden));
  types.append(2, b.getIndexType());
  if (facts.encoder)
    types.push_back(tokensType());
  prefix = layerPrefix + "{}.";
  for (auto [index, entry] : llvm::enumerate(groups)) {
    if (!configuration.status())
      return;
    func::FuncOp function =
        startFunction(entry.function, types, /*isPrivate=*/true);
    layer = function.getArgument(carried);
    number = entry.first;
    group = index;
    LayerInputs inputs{.x = function.getArgument(0),
                       .position = function.getArgument(carried + 1),
                       .keyMask = {},
                       .handed = {},
                       .number = entry.first};
    if (carried > 1)
      inputs.handed = function.getArgument(1);
    if (facts.encoder)
      inputs.keyMask = function.getArgument(carried + 2);
    endFunction(body(inputs));
  }
  layer = Value();
  group = -1;
}

void ModelBuilder::head(StringRef namePrefix, function_ref<Value(Value)> body) {
  func::FuncOp function =
      startFunction(kHead, activationType(facts.hidden), /*isPrivate=*/true);
  prefix = namePrefix.str();
  endFunction(body(function.getArgument(0)));
}

void ModelBuilder::writeForward() {
  SmallVector<Type> types = {tokensType(), b.getIndexType()};
  SmallVector<StringRef> names = {"tokens", "position"};
  if (facts.encoder) {
    types.append({tokensType(), tokensType()});
    names.append({"token_types", "key_mask"});
  }
  func::FuncOp function =
      startFunction(ir::kForward, types, /*isPrivate=*/false);
  function->moveBefore(&module->getBody()->front());
  for (auto [index, name] : llvm::enumerate(names))
    function.setArgAttr(index, ir::kNameAttr, b.getStringAttr(name));

  SmallVector<Value> invariants = {function.getArgument(1)};
  SmallVector<Value> embedInputs = {function.getArgument(0),
                                    function.getArgument(1)};
  if (facts.encoder) {
    embedInputs.push_back(function.getArgument(2));
    invariants.push_back(function.getArgument(3));
  }
  Type hidden = activationType(facts.hidden);
  Value x = func::CallOp::create(b, kEmbed, hidden, embedInputs).getResult(0);
  SmallVector<Attribute> functions;
  for (const LayerGroup &entry : groups)
    functions.push_back(FlatSymbolRefAttr::get(b.getContext(), entry.function));
  SmallVector<Value> first(carried, x);
  x = ir::StackOp::create(b, ValueRange(first).getTypes(),
                          b.getArrayAttr(functions), ArrayRef<int32_t>(order),
                          first, invariants, ValueRange())
          .getResult(0);
  if (outputWidth)
    x = func::CallOp::create(b, kHead, activationType(outputWidth), x)
            .getResult(0);
  endFunction(x);
  function.setResultAttr(0, ir::kNameAttr,
                         b.getStringAttr(facts.encoder ? "hidden" : "logits"));
}

Status ModelBuilder::checkLeftovers() const {
  size_t count = 0;
  std::string example;
  for (const std::string &name : archive.names()) {
    int64_t layerNumber;
    StringRef rest;
    bool isUsed = used.count({-1, name});
    if (!isUsed && parseLayerName(name, layerNumber, rest) &&
        layerNumber < facts.layers)
      isUsed =
          used.count({order[layerNumber], (layerPrefix + "{}." + rest).str()});
    if (isUsed || isIgnored(name))
      continue;
    if (count++ == 0)
      example = name;
  }
  if (count == 0)
    return Status();
  std::string more =
      count > 1 ? " (and " + std::to_string(count - 1) + " more)" : "";
  return makeError("unexpected tensor ", quoteName(example), more, " in ",
                   archive.fileOf(*archive.find(example)), ": a ", type,
                   " model with this configuration has none of that name");
}

Result<OwningOpRef<ModuleOp>> ModelBuilder::finish() {
  projectOutput();
  if (Status status = configuration.status(); !status)
    return status.error();
  if (Status status = checkLeftovers(); !status)
    return status.error();
  writeForward();

  std::string messages;
  ScopedDiagnosticHandler handler(b.getContext(), [&](Diagnostic &diagnostic) {
    messages += diagnostic.str() + "; ";
    return success();
  });
  if (failed(verify(*module)))
    return makeError("internal error: the imported module does not verify: ",
                     messages);
  return std::move(module);
}
