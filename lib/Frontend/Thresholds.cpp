//===- Thresholds.cpp - linear maps that leave out small inputs -----------===//
//
// A checkpoint may say in config.json which linear maps take inputs of which
// small entries count as zero, by the names of their matrices:
//
//   "linnet": {"thresholds": ["model.layers.0.mlp.down_proj.weight"]}
//
// How small they are stands in the tensor "model.layers.0.mlp.down_proj.weight
// .thresholds", one number for each input (linnet.threshold).
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include "linnet/Support/Quote.h"

using namespace mlir;
using namespace ::linnet;

static std::string thresholdsOf(StringRef matrix) {
  return matrix.str() + ".thresholds";
}

void ModelBuilder::readThresholds() {
  Config own = configuration.object("linnet");
  const Json *names = own.find("thresholds");
  if (!names)
    return;
  std::string where = configuration.file() + ": key 'linnet.thresholds'";
  if (!names->is_array()) {
    configuration.fail(makeError(where, ": expected an array, but got ",
                                 describeJson(*names)));
    return;
  }
  for (const Json &name : *names) {
    if (!name.is_string()) {
      configuration.fail(makeError(
          where, ": expected names of matrices, but got ", describeJson(name)));
      return;
    }
    std::string matrix = name.get<std::string>();
    if (!archive.find(thresholdsOf(matrix)))
      configuration.fail(archive.require(thresholdsOf(matrix)).error());
    thresholds.insert(matrix);
  }
}

Value ModelBuilder::leaveOutSmall(Value x, StringRef name, StringRef key) {
  if (!thresholds.count(ir::resolveWeightKey(key, number)))
    return x;
  int64_t width = cast<RankedTensorType>(x.getType()).getShape().back();
  return ir::ThresholdOp::create(b, named(name), x,
                                 weightAt(thresholdsOf(key), {width}));
}
