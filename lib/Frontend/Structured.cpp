//===- Structured.cpp - matrices that follow from factors -----------------===//
//
// A checkpoint whose matrices are not all stored as such says in config.json
// how they follow from what is stored:
//
//   "linnet": {"structures": {"model.layers.0.mlp.up_proj.weight":
//                 {"structure": "low_rank", "factors": ["left", "right"]}}}
//
// The structure is an attribute of the dialect, and factor `left` the tensor
// "model.layers.0.mlp.up_proj.weight.left". A matrix that others store as
// [in, out] has "transposed": true, which only an export reads.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include "linnet/Support/Quote.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace ::linnet;

/// The attribute #linnet.`text`, or null.
static ir::StructureAttrInterface parseStructure(MLIRContext *context,
                                                 StringRef text) {
  // The caller says what is wrong.
  ScopedDiagnosticHandler quiet(context, [](Diagnostic &) {});
  return dyn_cast_or_null<ir::StructureAttrInterface>(
      parseAttribute(("#linnet." + text).str(), context));
}

void ModelBuilder::readStructures() {
  Config own = configuration.object("linnet");
  const Json *entries = own.find("structures");
  if (!entries)
    return;
  std::string where = configuration.file() + ": key 'linnet.structures'";
  if (!entries->is_object()) {
    configuration.fail(makeError(where, ": expected an object, but got ",
                                 describeJson(*entries)));
    return;
  }
  for (const auto &[name, entry] : entries->items()) {
    std::string what = where + ", entry " + quoteName(name);
    Result<std::string> text = getString(entry, "structure", what);
    Result<std::vector<std::string>> factors =
        getStrings(entry, "factors", what);
    if (!text || !factors) {
      configuration.fail(text ? factors.error() : text.error());
      return;
    }
    auto structure = parseStructure(b.getContext(), *text);
    if (!structure)
      configuration.fail(makeError(what,
                                   ": expected a structure such as "
                                   "'low_rank', but got ",
                                   quoteName(*text)));
    for (const std::string &factor : *factors)
      if (!archive.find(name + "." + factor))
        configuration.fail(archive.require(name + "." + factor).error());
    structures[name] = {structure, text.take(), factors.take()};
  }
}

std::string ModelBuilder::checkIntegers(const StoredStructure &stored,
                                        unsigned number, StringRef key,
                                        Type type) const {
  const Archive::Tensor *tensor =
      archive.find(ir::resolveWeightKey(key, this->number));
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

Value ModelBuilder::structuredLinear(Value x, StringRef name, StringRef key,
                                     const StoredStructure &stored, int64_t out,
                                     Value bias) {
  SmallVector<Value> factors;
  std::string problem;
  for (const std::string &factor : stored.factors) {
    std::string factorKey = (key + "." + factor).str();
    const Archive::Tensor *tensor =
        archive.find(ir::resolveWeightKey(factorKey, number));
    factors.push_back(weightAt(
        factorKey, tensor ? ArrayRef<int64_t>(tensor->shape) : ArrayRef{out},
        /*integers=*/true));
  }
  FailureOr<ir::LinearShape> shape = failure();
  {
    ScopedDiagnosticHandler collect(
        b.getContext(),
        [&](Diagnostic &diagnostic) { problem = diagnostic.str(); });
    if (configuration.status())
      shape = stored.structure.inferShape(ValueRange(factors).getTypes(), [&] {
        return emitError(b.getLoc());
      });
  }
  int64_t in = cast<RankedTensorType>(x.getType()).getShape().back();
  if (succeeded(shape) && (shape->in != in || shape->out != out))
    problem = "expected factors of a map from " + std::to_string(in) + " to " +
              std::to_string(out) + " features, but got one from " +
              std::to_string(shape->in) + " to " + std::to_string(shape->out);
  for (auto [i, factor] : llvm::enumerate(stored.factors))
    if (problem.empty() && succeeded(shape))
      problem = checkIntegers(stored, unsigned(i), (key + "." + factor).str(),
                              factors[i].getType());
  if (!problem.empty())
    configuration.fail(
        makeError(configuration.file(), ": key 'linnet.structures', entry ",
                  quoteName(ir::resolveWeightKey(key, number)), ": ", problem));
  if (configuration.status())
    return ir::LinearOp::create(b, named(name), x, factors, bias,
                                stored.structure);
  // Never used: a value of the result's type.
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<int64_t> sizes(type.getShape());
  sizes.back() = out;
  return UnrealizedConversionCastOp::create(b, type.clone(sizes), x)
      .getResult(0);
}
