//===- TransitionTerms.cpp - transitions by what they do ------------------===//

#include "passes/Form/TransitionTerms.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::linnet;

TransitionTerms TransitionTerms::of(ScanOp op) {
  TransitionTerms terms;
  terms.form = op.getTransition().getNormalForm();
  for (StringRef dims : op.getTransition().getOperandDims())
    terms.dims.push_back(dims.str());
  llvm::append_range(terms.operands, op.getParameters());
  return terms;
}

TransitionAttrInterface TransitionTerms::find(const NormalForm &form,
                                              ArrayRef<StringRef> dims,
                                              MLIRContext *context) {
  TransitionTerms terms;
  terms.form = form;
  for (StringRef operand : dims)
    terms.dims.push_back(operand.str());
  auto [transition, order] = terms.findTransition(context);
  return llvm::is_sorted(order) ? transition : TransitionAttrInterface();
}

SmallVector<std::pair<std::string, int>>
TransitionTerms::rolesOf(const NormalForm &form,
                         function_ref<std::string(int)> dimsOf) {
  SmallVector<std::pair<std::string, int>> roles;
  auto add = [&](const std::string &name, int operand) {
    if (operand >= 0)
      roles.push_back({name + " " + dimsOf(operand), operand});
  };
  for (ArrayRef<int> factors : form.logDecay) {
    SmallVector<std::string> together(llvm::map_range(factors, dimsOf));
    llvm::sort(together);
    for (int factor : factors)
      add("decay " + llvm::join(together, "*"), factor);
  }
  add("beta", form.beta);
  add("reader", form.reader);
  add("writer", form.writer);
  add("phase", form.phase);
  add("mixing", form.mixing);
  llvm::sort(roles);
  return roles;
}

std::pair<TransitionAttrInterface, SmallVector<int>>
TransitionTerms::findTransition(MLIRContext *context) const {
  auto roles = rolesOf(form, [&](int operand) { return dims[operand]; });
  for (TransitionAttrInterface known :
       context->getLoadedDialect<LinnetDialect>()->getTransitions()) {
    NormalForm other = known.getNormalForm();
    SmallVector<StringRef> otherDims = known.getOperandDims();
    auto otherRoles =
        rolesOf(other, [&](int operand) { return otherDims[operand].str(); });
    if (other.tied != form.tied || otherRoles.size() != roles.size() ||
        otherDims.size() != roles.size())
      continue;
    SmallVector<int> ordered(roles.size(), -1);
    bool same = true;
    for (auto [ours, theirs] : llvm::zip(roles, otherRoles)) {
      same &= ours.first == theirs.first;
      ordered[theirs.second] = ours.second;
    }
    if (same && llvm::all_of(ordered, [](int number) { return number >= 0; }))
      return {known, ordered};
  }
  return {};
}
