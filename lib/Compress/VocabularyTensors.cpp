//===- VocabularyTensors.cpp - tensors with an entry per token ------------===//

#include "VocabularyTensors.h"

#include "LinearMaps.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;
using mlir::func::FuncOp;

namespace {

class VocabularyFinder {
public:
  explicit VocabularyFinder(mlir::ModuleOp module) : module(module) {}

  Status run() {
    auto forward = module.lookupSymbol<FuncOp>(ir::kForward);
    if (!forward)
      return makeError("expected a model, but got a module without @forward");
    for (mlir::BlockArgument argument : forward.getArguments()) {
      auto name = forward.getArgAttrOfType<mlir::StringAttr>(
          argument.getArgNumber(), ir::kNameAttr);
      if (name && name.getValue() == "tokens")
        if (Status status = followTokens(argument); !status)
          return status;
    }
    if (found.size == 0)
      return makeError("expected a model that looks up tokens in a table");
    auto facts = module->getAttrOfType<mlir::DictionaryAttr>(ir::kModelAttr);
    auto kind = facts ? facts.getAs<mlir::StringAttr>("kind") : nullptr;
    if (kind && kind.getValue() == "encoder")
      return {};
    return followLogits(
        forward.getBody().front().getTerminator()->getOperand(0));
  }

  VocabularyTensors found;

private:
  FuncOp calleeOf(mlir::func::CallOp call) {
    return module.lookupSymbol<FuncOp>(call.getCallee());
  }

  Status add(Value value, size_t dimension) {
    auto weight = value.getDefiningOp<ir::WeightOp>();
    if (!weight || weight.getLayer())
      return makeError("expected a table of tokens that is a tensor of the "
                       "checkpoint, but got one that is computed");
    int64_t size = mlir::cast<mlir::ShapedType>(weight.getType())
                       .getDimSize(unsigned(dimension));
    std::string name = weight.getKey().str();
    if (found.size != 0 && found.size != size)
      return makeError("tensor ", quoteName(name), ": expected ", found.size,
                       " tokens as elsewhere, but got ", size);
    auto [place, isNew] = found.dimensions.emplace(name, dimension);
    if (!isNew && place->second != dimension)
      return makeError("tensor ", quoteName(name),
                       ": expected tokens along one dimension, but they are "
                       "along both");
    found.size = size;
    return {};
  }

  Status followTokens(Value tokens) {
    for (mlir::OpOperand &use : tokens.getUses()) {
      mlir::Operation *user = use.getOwner();
      Status status;
      if (auto lookup = mlir::dyn_cast<ir::EmbeddingOp>(user))
        status = add(lookup.getTable(), 0);
      else if (auto call = mlir::dyn_cast<mlir::func::CallOp>(user))
        status =
            followTokens(calleeOf(call).getArgument(use.getOperandNumber()));
      else if (!mlir::isa<mlir::tensor::DimOp, ir::PositionsOp>(user))
        status = makeError("expected a model that looks up its tokens and no "
                           "more, but got '",
                           user->getName().getStringRef().str(), "'");
      if (!status)
        return status;
    }
    return {};
  }

  static Error unknownHead(mlir::Operation *op) {
    return makeError("expected logits that come from a dense linear map, "
                     "elementwise, but got '",
                     op ? op->getName().getStringRef().str() : "an argument",
                     "'");
  }

  Status followLogits(Value value) {
    mlir::Operation *op = value.getDefiningOp();
    if (!op)
      return unknownHead(op);
    if (auto call = mlir::dyn_cast<mlir::func::CallOp>(op))
      return followLogits(
          calleeOf(call).getBody().front().getTerminator()->getOperand(
              mlir::cast<mlir::OpResult>(value).getResultNumber()));
    if (auto linear = mlir::dyn_cast<ir::LinearOp>(op))
      return addHead(linear);
    auto generic = mlir::dyn_cast<mlir::linalg::LinalgOp>(op);
    bool isAlike = generic ? mlir::linalg::isElementwise(generic) &&
                                 llvm::all_of(generic.getIndexingMapsArray(),
                                              [](mlir::AffineMap map) {
                                                return map.isIdentity();
                                              })
                           : isElementwise(op);
    if (!isAlike)
      return unknownHead(op);
    auto operands = generic ? llvm::to_vector(generic.getDpsInputs())
                            : llvm::to_vector(op->getOperands());
    for (Value operand : operands) {
      if (mlir::matchPattern(operand, mlir::m_Constant()) ||
          !mlir::isa<mlir::RankedTensorType>(operand.getType()))
        continue;
      if (Status status = followLogits(operand); !status)
        return status;
    }
    return {};
  }

  Status addHead(ir::LinearOp linear) {
    auto dense = mlir::dyn_cast<ir::DenseStructureAttr>(linear.getStructure());
    if (!dense)
      return unknownHead(linear);
    if (Status status = add(linear.getFactors().front(),
                            dense.getStorage() == ir::Storage::OutIn ? 0 : 1);
        !status)
      return status;
    return linear.getBias() ? add(linear.getBias(), 0) : Status();
  }

  mlir::ModuleOp module;
};

/// Whether `name` is `key` with numbers for the layer and a member.
bool matchesKey(llvm::StringRef name, llvm::StringRef key) {
  while (!key.empty()) {
    if (key.consume_front("{}") || key.consume_front("{*}")) {
      llvm::StringRef digits =
          name.take_while([](char c) { return llvm::isDigit(c); });
      if (digits.empty())
        return false;
      name = name.drop_front(digits.size());
    } else {
      if (name.empty() || name.front() != key.front())
        return false;
      name = name.drop_front();
      key = key.drop_front();
    }
  }
  return name.empty();
}

} // namespace

Result<VocabularyTensors> findVocabularyTensors(mlir::ModuleOp module,
                                                const Archive &archive) {
  VocabularyFinder finder(module);
  if (Status status = finder.run(); !status)
    return status.error();
  VocabularyTensors found = std::move(finder.found);
  std::set<std::string> keys;
  module.walk([&](ir::WeightOp weight) { keys.insert(weight.getKey().str()); });
  // Which tensor shows that a dimension of this size may be something else.
  std::string other;
  std::vector<std::string> unread;
  for (const std::string &name : archive.names()) {
    const std::vector<int64_t> &shape = archive.find(name)->shape;
    if (found.dimensions.count(name))
      continue;
    bool isRead = llvm::any_of(
        keys, [&](const std::string &key) { return matchesKey(name, key); });
    if (isRead && llvm::is_contained(shape, found.size))
      other = name;
    if (!isRead && !shape.empty() && shape.front() == found.size)
      unread.push_back(name);
  }
  if (!other.empty() && !unread.empty())
    return makeError("tensor ", quoteName(unread.front()),
                     ", which the model does not read: expected a first "
                     "dimension that tells whether it has an entry per token, "
                     "but got ",
                     found.size, ", which tensor ", quoteName(other),
                     " has, too");
  for (const std::string &name : unread)
    found.dimensions.emplace(name, 0);
  found.unread = std::move(unread);
  return found;
}

} // namespace linnet::compress
