//===- StoredStructures.cpp - matrices that follow from tensors -----------===//

#include "linnet/Frontend/StoredStructures.h"

#include "dialects/Linnet/ElementType.h"
#include "linnet/Support/Quote.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;

namespace linnet {

namespace ir = mlir::linnet;

/// The attribute #linnet.`text`, or null.
static ir::StructureAttrInterface parseStructure(MLIRContext *context,
                                                 StringRef text) {
  // The caller says what is wrong.
  ScopedDiagnosticHandler quiet(context, [](Diagnostic &) {});
  return dyn_cast_or_null<ir::StructureAttrInterface>(
      parseAttribute(("#linnet." + text).str(), context));
}

Result<StoredStructures> readStoredStructures(MLIRContext &context,
                                              const Json &entries,
                                              const std::string &where,
                                              const Archive &archive) {
  if (!entries.is_object())
    return makeError(where, ": expected an object, but got ",
                     describeJson(entries));
  StoredStructures structures;
  for (const auto &[name, entry] : entries.items()) {
    std::string what = where + ", entry " + quoteName(name);
    Result<std::string> text = getString(entry, "structure", what);
    if (!text)
      return text.error();
    Result<std::vector<std::string>> factors =
        getStrings(entry, "factors", what);
    if (!factors)
      return factors.error();
    auto structure = parseStructure(&context, *text);
    if (!structure)
      return makeError(what,
                       ": expected a structure such as 'low_rank', but got ",
                       quoteName(*text));
    for (const std::string &factor : *factors)
      if (auto tensor = archive.require(name + "." + factor); !tensor)
        return tensor.error();
    structures[name] = {structure, text.take(), factors.take()};
  }
  return structures;
}

/// Why factor `number` of `stored`, the tensor `name`, may not hold what it
/// holds; empty if it may.
static std::string checkIntegers(const StoredStructure &stored, unsigned number,
                                 const std::string &name, Type type,
                                 const Archive &archive) {
  const Archive::Tensor *tensor = archive.find(name);
  if (!tensor || isFloat(tensor->dtype))
    return {};
  std::vector<double> values(tensor->bytes / dataTypeSize(tensor->dtype));
  convertToF64(tensor->data, tensor->dtype, values.data(), values.size());
  std::string obstacle = stored.structure.findObstacle(
      number, {cast<RankedTensorType>(type), values});
  return obstacle.empty()
             ? obstacle
             : "tensor " + quoteName(tensor->name) + ": " + obstacle;
}

std::string findStructureObstacle(const StoredStructure &stored,
                                  const std::string &name, TypeRange types,
                                  const Archive &archive, int64_t in,
                                  int64_t out) {
  MLIRContext *context = stored.structure.getContext();
  std::string problem;
  ScopedDiagnosticHandler collect(
      context, [&](Diagnostic &diagnostic) { problem = diagnostic.str(); });
  auto shape = stored.structure.inferShape(
      types, [&] { return emitError(UnknownLoc::get(context)); });
  if (failed(shape))
    return problem;
  if (shape->in != in || shape->out != out)
    return "expected factors of a map from " + std::to_string(in) + " to " +
           std::to_string(out) + " features, but got one from " +
           std::to_string(shape->in) + " to " + std::to_string(shape->out);
  for (auto [i, factor] : llvm::enumerate(stored.factors)) {
    std::string obstacle = checkIntegers(
        stored, unsigned(i), name + "." + factor, types[i], archive);
    if (!obstacle.empty())
      return obstacle;
  }
  return {};
}

Type weightElementType(MLIRContext *context, DataType dtype) {
  bool isOfWeights = isFloat(dtype) || dtype == DataType::I32 ||
                     dtype == DataType::I16 || dtype == DataType::I8;
  return ir::elementTypeOf(context, isOfWeights ? dtype : DataType::F32);
}

} // namespace linnet
