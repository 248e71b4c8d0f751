//===- Structured.cpp - maps whose matrix follows from factors ------------===//

#include "ModelBuilder.h"

#include "linnet/Support/Quote.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace ::linnet;

void ModelBuilder::readStructures() {
  Config own = configuration.object("linnet");
  const Json *entries = own.find("structures");
  if (!entries)
    return;
  Result<StoredStructures> read = readStoredStructures(
      *b.getContext(), *entries,
      configuration.file() + ": key 'linnet.structures'", archive);
  if (!read)
    configuration.fail(read.error());
  else
    structures = read.take();
}

Value ModelBuilder::structuredLinear(Value x, StringRef name, StringRef key,
                                     const StoredStructure &stored, int64_t out,
                                     Value bias) {
  SmallVector<Value> factors;
  std::string matrix = ir::resolveWeightKey(key, number);
  for (const std::string &factor : stored.factors) {
    const Archive::Tensor *tensor = archive.find(matrix + "." + factor);
    factors.push_back(
        weightAt((key + "." + factor).str(),
                 tensor ? ArrayRef<int64_t>(tensor->shape) : ArrayRef{out},
                 /*integers=*/true));
  }
  int64_t in = cast<RankedTensorType>(x.getType()).getShape().back();
  if (configuration.status())
    if (std::string problem = findStructureObstacle(
            stored, matrix, ValueRange(factors).getTypes(), archive, in, out);
        !problem.empty())
      configuration.fail(makeError(configuration.file(),
                                   ": key 'linnet.structures', entry ",
                                   quoteName(matrix), ": ", problem));
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
