//===- ApplyStructures.cpp - dense maps become structured -----------------===//

#include "passes/Compress/ApplyStructures.h"

#include "linnet/Frontend/StoredStructures.h"
#include "linnet/Support/Quote.h"
#include "passes/Compress/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/SymbolTable.h"

#include <map>
#include <set>

namespace mlir::linnet {
#define GEN_PASS_DEF_APPLYSTRUCTURES
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;
using ::linnet::Archive;
using ::linnet::quoteName;
using ::linnet::StoredStructure;
using ::linnet::StoredStructures;

namespace {

/// A layer function becomes one function for each way that its layers' matrices
/// are stored, as an import of the checkpoint has it.
class StructureRewriter {
public:
  StructureRewriter(ModuleOp module, const Archive &archive,
                    const StoredStructures &structures, std::string where)
      : module(module), archive(archive), structures(structures),
        where(std::move(where)), symbols(module) {}

  FailureOr<int64_t> run() {
    SmallVector<StackOp> stacks;
    module.walk([&](StackOp stack) { stacks.push_back(stack); });
    for (StackOp stack : stacks)
      if (failed(splitLayers(stack)))
        return failure();
    // Maps that are no layer's, such as heads.
    for (auto function : module.getOps<func::FuncOp>())
      if (failed(rewrite(function, /*number=*/0, /*ofLayers=*/false)))
        return failure();
    for (const auto &[name, stored] : structures)
      if (!applied.count(name))
        return emitError(module.getLoc())
               << where << ", entry " << quoteName(name)
               << ": expected the matrix of a linear map, but the model has "
                  "none of that name";
    return int64_t(applied.size());
  }

private:
  /// What tells the layers of one function apart.
  std::string signatureOf(func::FuncOp function, int64_t number) const {
    std::string signature;
    function.walk([&](WeightOp weight) {
      std::string name = resolveWeightKey(weight.getKey(), number);
      auto place = structures.find(name);
      if (!weight.getLayer() || place == structures.end())
        return;
      signature += "\n" + weight.getKey().str() + " = " + place->second.text;
      for (const std::string &factor : place->second.factors) {
        const Archive::Tensor *tensor = archive.find(name + "." + factor);
        signature += " " + std::string(dataTypeName(tensor->dtype)) +
                     ::linnet::formatShape(tensor->shape);
      }
    });
    return signature;
  }

  LogicalResult splitLayers(StackOp stack) {
    if (!stack.getStates().empty())
      return stack.emitOpError(
          "expected a model without explicit state (before "
          "linnet-thread-state)");
    // By function and signature, in order of the first layer.
    std::map<std::pair<StringRef, std::string>, size_t> known;
    std::vector<std::pair<StringRef, int64_t>> kinds;
    std::map<StringRef, int64_t> kindsOf;
    SmallVector<int32_t> order;
    for (auto [number, index] : llvm::enumerate(stack.getOrder())) {
      StringRef name =
          cast<FlatSymbolRefAttr>(stack.getFunctions()[size_t(index)])
              .getValue();
      auto function = symbols.lookup<func::FuncOp>(name);
      auto [kind, isNew] = known.try_emplace(
          {name, signatureOf(function, int64_t(number))}, kinds.size());
      if (isNew) {
        kinds.emplace_back(name, int64_t(number));
        ++kindsOf[name];
      }
      order.push_back(int32_t(kind->second));
    }
    SmallVector<Attribute> functions;
    for (const auto &[name, number] : kinds) {
      auto function = symbols.lookup<func::FuncOp>(name);
      if (kindsOf[name] > 1)
        function = cloneFor(function, number);
      if (failed(rewrite(function, number, /*ofLayers=*/true)))
        return failure();
      functions.push_back(FlatSymbolRefAttr::get(function.getSymNameAttr()));
    }
    stack.setFunctionsAttr(ArrayAttr::get(module.getContext(), functions));
    stack.setOrder(order);
    noteLayers(order.size());
    for (const auto &[name, count] : kindsOf)
      if (count > 1)
        eraseUnused(name);
    return success();
  }

  func::FuncOp cloneFor(func::FuncOp function, int64_t number) {
    auto clone = function.clone();
    clone.setSymName((function.getSymName() + "_" + Twine(number)).str());
    // Behind those that were cloned before.
    Operation *&last = lastClone[function];
    symbols.insert(clone, std::next(Block::iterator(last ? last : function)));
    last = clone;
    return clone;
  }

  /// Other stacks may still use it.
  void eraseUnused(StringRef name) {
    auto function = symbols.lookup<func::FuncOp>(name);
    if (!SymbolTable::symbolKnownUseEmpty(function, module))
      return;
    lastClone.erase(function);
    symbols.erase(function);
  }

  /// Which of the entries are matrices of layers that there are.
  void noteLayers(size_t count) {
    for (const std::string &key : rewrittenKeys)
      for (size_t number = 0; number < count; ++number)
        if (std::string name = resolveWeightKey(key, int64_t(number));
            structures.count(name))
          applied.insert(name);
  }

  LogicalResult rewrite(func::FuncOp function, int64_t number, bool ofLayers) {
    SmallVector<WeightOp> weights;
    function.walk([&](WeightOp weight) {
      if (bool(weight.getLayer()) == ofLayers &&
          structures.count(resolveWeightKey(weight.getKey(), number)))
        weights.push_back(weight);
    });
    for (WeightOp weight : weights)
      if (failed(rewrite(weight, resolveWeightKey(weight.getKey(), number))))
        return failure();
    return success();
  }

  /// Puts factors in the place of one matrix.
  LogicalResult rewrite(WeightOp weight, const std::string &name) {
    auto fail = [&](const std::string &problem) {
      return weight.emitOpError()
             << where << ", entry " << quoteName(name) << ": " << problem;
    };
    LinearOp linear;
    if (weight->hasOneUse())
      linear = dyn_cast<LinearOp>(*weight->user_begin());
    if (!linear || linear.getBias() == weight.getResult() ||
        !isa<DenseStructureAttr>(linear.getStructure()))
      return fail("expected the matrix of one dense linear map");
    const StoredStructure &stored = structures.at(name);
    OpBuilder b(linear);
    SmallVector<Value> factors;
    for (const std::string &factor : stored.factors) {
      std::string key = (weight.getKey() + "." + factor).str();
      const Archive::Tensor *tensor = archive.find(name + "." + factor);
      auto type = RankedTensorType::get(
          tensor->shape,
          ::linnet::weightElementType(b.getContext(), tensor->dtype));
      factors.push_back(WeightOp::create(b, NameLoc::get(b.getStringAttr(key)),
                                         type, key, weight.getLayer()));
    }
    int64_t in = linear.getInput().getType().getShape().back(),
            out = linear.getResult().getType().getShape().back();
    if (std::string problem = ::linnet::findStructureObstacle(
            stored, name, ValueRange(factors).getTypes(), archive, in, out);
        !problem.empty())
      return fail(problem);
    auto structured =
        LinearOp::create(b, linear.getLoc(), linear.getInput(), factors,
                         linear.getBias(), stored.structure);
    remark::passed(linear.getLoc(),
                   remark::RemarkOpts::name("structure applied")
                       .category("linnet-apply-structures"))
        << remark::add("{0}", stored.text);
    linear.replaceAllUsesWith(structured.getResult());
    linear.erase();
    rewrittenKeys.insert(weight.getKey().str());
    applied.insert(name);
    weight.erase();
    return success();
  }

  ModuleOp module;
  const Archive &archive;
  const StoredStructures &structures;
  /// What errors call the file and key.
  std::string where;
  SymbolTable symbols;
  std::map<Operation *, Operation *> lastClone;
  std::set<std::string> rewrittenKeys, applied;
};

struct ApplyStructures
    : mlir::linnet::impl::ApplyStructuresBase<ApplyStructures> {
  using ApplyStructuresBase::ApplyStructuresBase;

  void runOnOperation() override {
    FailureOr<int64_t> count = applyStructures(getOperation(), checkpoint);
    if (failed(count))
      return signalPassFailure();
    applied += unsigned(*count);
  }
};
} // namespace

FailureOr<int64_t>
mlir::linnet::applyStructures(ModuleOp module, const std::string &checkpoint) {
  auto fail = [&](const ::linnet::Error &error) {
    return emitError(module.getLoc(), error.str());
  };
  auto archive = Archive::open(checkpoint);
  if (!archive)
    return fail(archive.error());
  std::string file = checkpoint + "/config.json";
  auto config = ::linnet::readJsonFile(file);
  if (!config)
    return fail(config.error());
  StoredStructures structures;
  std::string where = file + ": key 'linnet.structures'";
  const ::linnet::Json *own = ::linnet::findJson(*config, "linnet");
  const ::linnet::Json *entries =
      own ? ::linnet::findJson(*own, "structures") : nullptr;
  if (entries) {
    auto read = ::linnet::readStoredStructures(*module.getContext(), *entries,
                                               where, *archive);
    if (!read)
      return fail(read.error());
    structures = read.take();
  }
  FailureOr<int64_t> count =
      StructureRewriter(module, *archive, structures, where).run();
  if (succeeded(count))
    module->setAttr(kArchiveAttr,
                    StringAttr::get(module.getContext(), checkpoint));
  return count;
}
