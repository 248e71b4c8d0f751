//===- Recursion.cpp - functions that reach themselves --------------------===//

#include "passes/Form/Recursion.h"

using namespace mlir;
using namespace mlir::linnet;

static SmallVector<func::FuncOp> calleesOf(func::FuncOp function,
                                           SymbolTable &symbols) {
  SmallVector<func::FuncOp> callees;
  if (auto uses = SymbolTable::getSymbolUses(function))
    for (SymbolTable::SymbolUse use : *uses)
      if (auto callee = symbols.lookup<func::FuncOp>(
              use.getSymbolRef().getLeafReference()))
        callees.push_back(callee);
  return callees;
}

func::FuncOp linnet::findRecursion(func::FuncOp root) {
  SymbolTable symbols(root->getParentOfType<ModuleOp>());
  struct Visit {
    func::FuncOp function;
    SmallVector<func::FuncOp> left;
  };
  // By hand: chains of calls are as long as the input makes them.
  SmallVector<Visit> path{{root, calleesOf(root, symbols)}};
  llvm::DenseMap<Operation *, bool> isOnPath{{root, true}};
  while (!path.empty()) {
    if (path.back().left.empty()) {
      isOnPath[path.pop_back_val().function] = false;
      continue;
    }
    func::FuncOp callee = path.back().left.pop_back_val();
    auto [entry, isNew] = isOnPath.try_emplace(callee, true);
    if (isNew)
      path.push_back({callee, calleesOf(callee, symbols)});
    else if (entry->second)
      return callee;
  }
  return {};
}

LogicalResult linnet::checkNoRecursion(func::FuncOp root) {
  if (func::FuncOp function = findRecursion(root))
    return function.emitOpError(
               "expected functions that do not apply themselves, but got @")
           << function.getName();
  return success();
}
