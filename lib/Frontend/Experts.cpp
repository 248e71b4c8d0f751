//===- Experts.cpp - routers and mixtures of experts ----------------------===//

#include "ModelBuilder.h"

#include "linnet/Support/Quote.h"

using namespace mlir;
using namespace ::linnet;

Value ModelBuilder::stackedWeight(StringRef name, int64_t count,
                                  ArrayRef<int64_t> shape) {
  std::string key = locate(name);
  DataType dtype = use(ir::resolveMemberKey(key, 0), shape);
  for (int64_t i = 1; i < count; ++i) {
    std::string member = ir::resolveMemberKey(key, i);
    if (DataType other = use(member, shape); other != dtype)
      configuration.fail(
          makeError("tensor ", quoteName(ir::resolveWeightKey(member, number)),
                    ": expected ", dataTypeName(dtype),
                    " as expert 0 has, but got ", dataTypeName(other)));
  }
  SmallVector<int64_t> stacked{count};
  llvm::append_range(stacked, shape);
  bool ofLayer = StringRef(key).contains("{}");
  return ir::WeightOp::create(
      b, NameLoc::get(b.getStringAttr(key)),
      RankedTensorType::get(stacked, weightElementType(b.getContext(), dtype)),
      key, ofLayer ? layer : Value());
}

Choice ModelBuilder::route(Value x, StringRef name, int64_t experts,
                           const RouteOptions &options) {
  Value logits = linear(x, name, experts);
  Value bias;
  if (!options.bias.empty())
    bias = wideWeight(options.bias, {experts});
  auto op = ir::RouteOp::create(
      b, named(name), options.score, logits, bias, options.chosen,
      options.groups, options.topGroups, options.rule, options.normalize,
      llvm::APFloat(options.eps), llvm::APFloat(options.scale));
  return {op.getIndices(), op.getWeights()};
}

Value ModelBuilder::experts(Value x, const Choice &choice,
                            ArrayRef<Value> factors, ir::Activation act) {
  return ir::ExpertsOp::create(b, named("experts"), act, x, choice.indices,
                               choice.weights, ValueRange(factors));
}

Value ModelBuilder::experts(Value x, const Choice &choice, StringRef prefix,
                            ArrayRef<const char *> names, int64_t count,
                            int64_t width, ir::Activation act) {
  int64_t d = cast<RankedTensorType>(x.getType()).getShape().back();
  SmallVector<Value> factors;
  for (const char *name : names.drop_back())
    factors.push_back(
        stackedWeight((prefix + name + ".weight").str(), count, {width, d}));
  factors.push_back(stackedWeight((prefix + names.back() + ".weight").str(),
                                  count, {d, width}));
  return experts(x, choice, factors, act);
}
