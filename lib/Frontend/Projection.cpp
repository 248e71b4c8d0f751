//===- Projection.cpp - narrower outputs of encoders ----------------------===//
//
// A checkpoint of an encoder whose outputs are wider than they are used says in
// config.json by what matrix they are multiplied:
//
//   "linnet": {"output_projection": "linnet.output_projection.weight"}
//
// names a tensor [K, D]; the model's outputs are then [B, T, K]. Means over
// tokens, and whatever else is linear, may be taken behind it.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include "linnet/Support/Quote.h"

using namespace mlir;
using namespace ::linnet;

void ModelBuilder::projectOutput() {
  Config own = configuration.object("linnet");
  const Json *entry = own.find("output_projection");
  if (!entry || !configuration.status())
    return;
  std::string where =
      configuration.file() + ": key 'linnet.output_projection': ";
  if (!facts.encoder) {
    configuration.fail(makeError(where, "expected an encoder, but got a "
                                        "causal-lm"));
    return;
  }
  if (!entry->is_string()) {
    configuration.fail(makeError(where,
                                 "expected the name of a tensor, but "
                                 "got ",
                                 describeJson(*entry)));
    return;
  }
  std::string name = *entry;
  Result<const Archive::Tensor *> tensor =
      archive.require(name, {-1, facts.hidden});
  if (!tensor || (*tensor)->shape[0] < 1) {
    configuration.fail(makeError(where, tensor ? "expected a matrix with rows"
                                               : tensor.error().str()));
    return;
  }
  outputWidth = (*tensor)->shape[0];
  head("", [&](Value x) {
    b.setLoc(NameLoc::get(b.getStringAttr(name)));
    return linear(x, weightAt(name, (*tensor)->shape), Value());
  });
}
