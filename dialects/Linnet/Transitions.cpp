//===- Transitions.cpp - the transition attributes ------------------------===//
//
// A transition says which operands it has and how they enter the normal form;
// legality and cost of the execution forms follow from that.
//
//===----------------------------------------------------------------------===//

#include "dialects/Linnet/Linnet.h"

using namespace mlir;
using namespace mlir::linnet;

StringRef linnet::stringifyScanForm(ScanForm form) {
  switch (form) {
  case ScanForm::Step:
    return "step";
  case ScanForm::Sequential:
    return "sequential";
  case ScanForm::Chunkwise:
    return "chunkwise";
  case ScanForm::Quadratic:
    return "quadratic";
  }
  return "";
}

SmallVector<ScanForm> linnet::deriveLegalForms(const NormalForm &form) {
  SmallVector<ScanForm> forms{ScanForm::Step, ScanForm::Sequential};
  // A decay over the whole K x V state, or over its columns together with a
  // perturbation, has no score matrix shared by the columns.
  if (form.decay == DecayShape::Full || form.decay == DecayShape::Value)
    return forms;
  forms.push_back(ScanForm::Chunkwise);
  if (!form.hasPerturbation())
    forms.push_back(ScanForm::Quadratic);
  return forms;
}

double linnet::deriveCost(const NormalForm &normalForm, ScanForm form,
                          int64_t k, int64_t v, int64_t chunk) {
  bool perturbed = normalForm.hasPerturbation();
  double kv = double(k) * v;
  switch (form) {
  case ScanForm::Step:
  case ScanForm::Sequential:
    return (perturbed ? 9 : 5) * kv;
  case ScanForm::Chunkwise:
    if (perturbed)
      return 6.0 * chunk * k + 4.0 * chunk * v + 6 * kv + chunk * chunk / 3.0;
    return 2.0 * chunk * (k + v) + 4 * kv;
  case ScanForm::Quadratic:
    return 2.0 * chunk * (k + v);
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
  form.decay = DecayShape::Scalar;
  form.logDecay = 0;
  return form;
}

SmallVector<StringRef> DiagonalTransitionAttr::getOperandDims() const {
  return {"thk"};
}
NormalForm DiagonalTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.decay = DecayShape::Key;
  form.logDecay = 0;
  return form;
}

SmallVector<StringRef> FullTransitionAttr::getOperandDims() const {
  return {"thv", "thkv"};
}
NormalForm FullTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.decay = DecayShape::Full;
  form.logDecay = 1;
  form.logDecayFactor = 0;
  return form;
}

LogicalResult
DeltaTransitionAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                            StringRef decay) {
  if (decay != "none" && decay != "scalar" && decay != "diagonal")
    return emitError() << "expected the delta transition's decay to be none, "
                          "scalar or diagonal, but got "
                       << decay;
  return success();
}
SmallVector<StringRef> DeltaTransitionAttr::getOperandDims() const {
  if (getDecay() == "scalar")
    return {"th", "th"};
  if (getDecay() == "diagonal")
    return {"th", "thk"};
  return {"th"};
}
NormalForm DeltaTransitionAttr::getNormalForm() const {
  NormalForm form;
  form.tied = true;
  form.beta = 0;
  if (getDecay() == "none")
    return form;
  form.decay = getDecay() == "scalar" ? DecayShape::Scalar : DecayShape::Key;
  form.logDecay = 1;
  return form;
}
