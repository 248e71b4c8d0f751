//===- Transitions.cpp - the transition attributes ------------------------===//
//
// A transition says which operands it has and how they enter the normal form;
// legality and cost of the execution forms follow from that.
//
//===----------------------------------------------------------------------===//

#include "dialects/Linnet/Linnet.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::linnet;

SmallVector<ScanForm>
linnet::deriveLegalForms(const NormalForm &form,
                         ArrayRef<StringRef> operandDims) {
  SmallVector<ScanForm> forms{ScanForm::Step, ScanForm::Sequential};
  // The transition of many tokens is one of entries, or a matrix for all
  // columns.
  bool byColumn =
      llvm::any_of(operandDims, [](StringRef d) { return d.contains('v'); });
  if (!byColumn ||
      (!form.hasPerturbation() && !form.hasPhase() && !form.hasMixing()))
    forms.push_back(ScanForm::Associative);
  // A matrix per token costs a chunk as much as its tokens.
  if (form.hasMixing())
    return forms;
  // A decay or turn that differs between the columns has no score matrix shared
  // by them.
  auto variesByColumn = [&](int operand) {
    return operandDims[operand].contains('v');
  };
  for (ArrayRef<int> term : form.logDecay)
    if (llvm::any_of(term, variesByColumn))
      return forms;
  if (form.hasPhase() && variesByColumn(form.phase))
    return forms;
  forms.append({ScanForm::Chunkwise, ScanForm::Quadratic});
  return forms;
}

double linnet::deriveCost(const NormalForm &normalForm, ScanForm form,
                          int64_t k, int64_t v, int64_t chunk) {
  bool perturbed = normalForm.hasPerturbation();
  double kv = double(k) * v;
  switch (form) {
  case ScanForm::Auto:
    return 0;
  case ScanForm::Step:
  case ScanForm::Sequential:
    return (perturbed ? 9 : 5) * kv;
  case ScanForm::Chunkwise:
    if (perturbed)
      return 6.0 * chunk * k + 4.0 * chunk * v + 6 * kv + chunk * chunk / 3.0;
    return 2.0 * chunk * (k + v) + 4 * kv;
  case ScanForm::Associative: {
    // Twice over the tokens, and once more with the identity for values.
    bool matrix = perturbed || normalForm.hasPhase() || normalForm.hasMixing();
    return deriveCost(normalForm, ScanForm::Sequential, k,
                      2 * v + (matrix ? k : v), chunk);
  }
  case ScanForm::Quadratic:
    // A chunk that never meets the state.
    return deriveCost(normalForm, ScanForm::Chunkwise, k, v, chunk) -
           (perturbed ? 6 : 4) * kv;
  case ScanForm::Convolution:
    // The filter, and three transforms of twice the length per column.
    return 4.0 * k + 15.0 * v * std::log2(2.0 * double(chunk));
  }
  return 0;
}

SmallVector<StringRef> NoneTransitionAttr::getOperandDims() const { return {}; }
NormalForm NoneTransitionAttr::getNormalForm() const { return {}; }

SmallVector<StringRef> ScalarTransitionAttr::getOperandDims() const {
  return {"th"};
}
NormalForm ScalarTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.logDecay = {{0}};
  return form;
}

SmallVector<StringRef> DiagonalTransitionAttr::getOperandDims() const {
  return {"thk"};
}
NormalForm DiagonalTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.logDecay = {{0}};
  return form;
}

SmallVector<StringRef> ValueDiagonalTransitionAttr::getOperandDims() const {
  return {"thv"};
}
NormalForm ValueDiagonalTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.logDecay = {{0}};
  return form;
}

SmallVector<StringRef> TwoSidedTransitionAttr::getOperandDims() const {
  return {"thk", "thv"};
}
NormalForm TwoSidedTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.logDecay = {{0}, {1}};
  return form;
}

static NormalForm complexForm() {
  NormalForm form;
  form.logDecay = {{0}};
  form.phase = 1;
  return form;
}

SmallVector<StringRef> ComplexTransitionAttr::getOperandDims() const {
  return {"thp", "thp"};
}
NormalForm ComplexTransitionAttr::getNormalForm() const {
  return complexForm();
}

SmallVector<StringRef> ComplexValueTransitionAttr::getOperandDims() const {
  return {"thv", "thv"};
}
NormalForm ComplexValueTransitionAttr::getNormalForm() const {
  return complexForm();
}

SmallVector<StringRef> BlockTransitionAttr::getOperandDims() const {
  return {"thkm"};
}
NormalForm BlockTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.mixing = 0;
  return form;
}

SmallVector<StringRef> FullTransitionAttr::getOperandDims() const {
  return {"thv", "thkv"};
}
NormalForm FullTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.logDecay = {{1, 0}};
  return form;
}

/// A transition's `decay` parameter, and what it adds to operands and normal
/// form.
static LogicalResult verifyDecay(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef transition, StringRef decay,
                                 ArrayRef<StringRef> legal) {
  if (!llvm::is_contained(legal, decay))
    return emitError() << "expected the " << transition
                       << " transition's decay to be one of "
                       << llvm::join(legal, ", ") << ", but got " << decay;
  return success();
}
static void addDecay(StringRef decay, SmallVector<StringRef> &dims) {
  if (decay != "none")
    dims.push_back(decay == "scalar"  ? "th"
                   : decay == "block" ? "thkm"
                                      : "thk");
}
static void addDecay(StringRef decay, int operand, NormalForm &form) {
  if (decay == "block")
    form.mixing = operand;
  else if (decay != "none")
    form.logDecay = {{operand}};
}

LogicalResult
DeltaTransitionAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                            StringRef decay) {
  return verifyDecay(emitError, "delta", decay, {"none", "scalar", "diagonal"});
}
SmallVector<StringRef> DeltaTransitionAttr::getOperandDims() const {
  SmallVector<StringRef> dims{"th"};
  addDecay(getDecay(), dims);
  return dims;
}
NormalForm DeltaTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.tied = true;
  form.beta = 0;
  addDecay(getDecay(), 1, form);
  return form;
}

LogicalResult
RankOneTransitionAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              StringRef decay) {
  return verifyDecay(emitError, "rank_one", decay,
                     {"none", "scalar", "diagonal", "block"});
}
SmallVector<StringRef> RankOneTransitionAttr::getOperandDims() const {
  SmallVector<StringRef> dims{"thk", "thk"};
  addDecay(getDecay(), dims);
  return dims;
}
NormalForm RankOneTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.reader = 0;
  form.writer = 1;
  addDecay(getDecay(), 2, form);
  return form;
}
