//===- ExportDense.cpp - factors multiplied out ---------------------------===//

#include "linnet/Compress/Compress.h"

#include "LinearMaps.h"
#include "WriteCheckpoint.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Driver/Input.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Json.h"
#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <set>

namespace linnet {

using namespace compress;
namespace ir = mlir::linnet;

namespace {

/// A matrix that follows from factors.
struct StoredMap {
  ir::StructureAttrInterface structure;
  ir::LinearShape shape;
  /// Names of the factors' tensors.
  std::vector<std::string> factors;
  std::vector<mlir::RankedTensorType> types;
  /// Other programs expect [in, out].
  bool transposed = false;
};

/// The structured maps of `module` that the configuration names, by the name
/// of their matrix.
std::map<std::string, StoredMap> findStored(mlir::ModuleOp module,
                                            const Json &structures) {
  std::map<std::string, StoredMap> stored;
  auto visit = [&](mlir::func::FuncOp function, int64_t number) {
    function.walk([&](ir::LinearOp linear) {
      auto location = mlir::dyn_cast<mlir::NameLoc>(linear.getLoc());
      if (!location)
        return;
      std::string name =
          ir::resolveWeightKey((location.getName().str() + ".weight"), number);
      auto entry = structures.find(name);
      if (entry == structures.end())
        return;
      StoredMap map;
      map.structure = linear.getStructure();
      map.shape = *map.structure.inferShape(
          linear.getFactors().getTypes(), [&] { return linear.emitOpError(); });
      for (mlir::Value factor : linear.getFactors()) {
        map.factors.push_back(ir::resolveWeightKey(
            factor.getDefiningOp<ir::WeightOp>().getKey(), number));
        map.types.push_back(
            mlir::cast<mlir::RankedTensorType>(factor.getType()));
      }
      map.transposed = entry->value("transposed", false);
      stored[name] = map;
    });
  };
  auto layers = layersOf(module);
  for (auto [number, layer] : llvm::enumerate(layers))
    visit(layer, int64_t(number));
  for (auto function : module.getOps<mlir::func::FuncOp>())
    if (!llvm::is_contained(layers, function))
      visit(function, 0);
  return stored;
}

/// The matrix in f32, as other programs expect it.
Result<std::vector<float>> multiplyOut(const StoredMap &map,
                                       const Archive &archive) {
  std::vector<std::vector<double>> values;
  llvm::SmallVector<ir::FactorValue> factors;
  for (const std::string &name : map.factors) {
    Result<const Archive::Tensor *> tensor = archive.require(name);
    if (!tensor)
      return tensor.error();
    values.emplace_back((*tensor)->bytes / dataTypeSize((*tensor)->dtype));
    convertToF64((*tensor)->data, (*tensor)->dtype, values.back().data(),
                 values.back().size());
  }
  for (size_t i = 0; i < values.size(); ++i)
    factors.push_back({map.types[i], values[i]});
  std::vector<double> dense = map.structure.toDense(factors);
  std::vector<float> stored(dense.size());
  int64_t out = map.shape.out, in = map.shape.in;
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = 0; i < in; ++i)
      stored[size_t(map.transposed ? i * out + o : o * in + i)] =
          float(dense[size_t(o * in + i)]);
  return stored;
}

Status writeTensors(const std::string &file, const Archive &archive,
                    const std::map<std::string, StoredMap> &stored) {
  std::vector<TensorSpec> specs;
  std::set<std::string> factors;
  for (const auto &[name, map] : stored) {
    specs.push_back({name, DataType::F32,
                     map.transposed
                         ? std::vector<int64_t>{map.shape.in, map.shape.out}
                         : std::vector<int64_t>{map.shape.out, map.shape.in}});
    for (const std::string &factor : map.factors)
      factors.insert(factor);
  }
  for (const std::string &name : archive.names())
    if (!factors.count(name))
      specs.push_back(
          {name, archive.find(name)->dtype, archive.find(name)->shape});
  Result<SafetensorsWriter> writer =
      SafetensorsWriter::create(file, std::move(specs), {{"format", "pt"}});
  if (!writer)
    return writer.error();
  for (const auto &[name, map] : stored) {
    Result<std::vector<float>> values = multiplyOut(map, archive);
    if (!values)
      return values.error();
    if (Status status = writer->append(name, values->data(),
                                       values->size() * sizeof(float));
        !status)
      return status;
  }
  for (const std::string &name : archive.names())
    if (const Archive::Tensor *tensor = archive.find(name);
        !factors.count(name))
      if (Status status = writer->append(name, tensor->data, tensor->bytes);
          !status)
        return status;
  return writer->commit();
}

Status multiplyOut(const std::string &input, const Archive &archive,
                   const AtomicDirectory &directory) {
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  std::string detected;
  auto module = loadModel(*context, input, std::nullopt, detected);
  if (!module)
    return module.error();
  Result<Json> config = readJsonFile(input + "/config.json");
  if (!config)
    return config.error();
  // The importer has checked the rest.
  Json own = config->value("linnet", Json::object());
  if (own.contains("thresholds"))
    return makeError(quoteName(input),
                     ": key 'linnet.thresholds': expected none, because other "
                     "programs would not apply them");
  if (own.contains("outputs"))
    return makeError(quoteName(input),
                     ": key 'linnet.outputs': expected none, because other "
                     "programs have one width for all layers");
  auto stored = findStored(**module, own.value("structures", Json::object()));
  if (stored.empty())
    return makeError(quoteName(input), ": key 'linnet.structures': expected "
                                       "matrices that follow from factors, but "
                                       "there are none");
  if (Status status =
          writeTensors(directory.file("model.safetensors"), archive, stored);
      !status)
    return status;
  own.erase("structures");
  config->erase("linnet");
  if (!own.empty())
    (*config)["linnet"] = own;
  // Products of narrow numbers are not narrow.
  for (const char *key : {"torch_dtype", "dtype"})
    if (config->contains(key))
      (*config)[key] = "float32";
  return finishRewrite(input, formatJson(*config) + "\n", directory);
}

} // namespace

Status exportDense(const std::string &input, const std::string &output) {
  return rewriteCheckpoint(
      input, output, "",
      [&](const Archive &archive, AtomicDirectory &directory) {
        return multiplyOut(input, archive, directory);
      });
}

} // namespace linnet
