//===- Outputs.cpp - linear maps with their own number of outputs ---------===//
//
// A checkpoint may say in config.json that linear maps have others than its
// sizes say, by the names of their matrices, so that layers differ in width:
//
//   "linnet": {"outputs": {"model.layers.0.mlp.gate_proj.weight": 144,
//                          "model.layers.0.mlp.up_proj.weight": 144}}
//
// A map behind them has as many inputs as it is given.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include "linnet/Support/Quote.h"

using namespace mlir;
using namespace ::linnet;

void ModelBuilder::readOutputs() {
  Config own = configuration.object("linnet");
  const Json *entries = own.find("outputs");
  if (!entries)
    return;
  std::string where = configuration.file() + ": key 'linnet.outputs'";
  if (!entries->is_object()) {
    configuration.fail(makeError(where, ": expected an object, but got ",
                                 describeJson(*entries)));
    return;
  }
  for (const auto &[name, count] : entries->items()) {
    if (!archive.find(name) && !structures.count(name))
      configuration.fail(archive.require(name).error());
    if (!count.is_number_integer() || count.get<int64_t>() < 1) {
      configuration.fail(makeError(where, ", entry ", quoteName(name),
                                   ": expected at least 1, but got ",
                                   describeJson(count)));
      return;
    }
    outputs[name] = count.get<int64_t>();
  }
}

int64_t ModelBuilder::outputsOf(StringRef key, int64_t out) const {
  auto place = outputs.find(ir::resolveWeightKey(key, number));
  return place == outputs.end() ? out : place->second;
}
