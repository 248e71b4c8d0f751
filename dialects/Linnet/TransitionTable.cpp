//===- TransitionTable.cpp - the known transitions as a table -------------===//

#include "dialects/Linnet/Linnet.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::linnet;

/// Widths for which the table states costs.
static constexpr int64_t kWidth = 64, kChunk = 64;

void LinnetDialect::addTransition(TransitionAttrInterface transition) {
  if (!llvm::is_contained(transitions, transition))
    transitions.push_back(transition);
}

void LinnetDialect::addTransitions() {
  MLIRContext *context = getContext();
  addTransition(NoneTransitionAttr::get(context));
  addTransition(ScalarTransitionAttr::get(context));
  addTransition(DiagonalTransitionAttr::get(context));
  addTransition(ValueDiagonalTransitionAttr::get(context));
  addTransition(TwoSidedTransitionAttr::get(context));
  addTransition(FullTransitionAttr::get(context));
  addTransition(BlockTransitionAttr::get(context));
  addTransition(ComplexTransitionAttr::get(context));
  addTransition(ComplexValueTransitionAttr::get(context));
  for (StringRef decay : {"none", "scalar", "diagonal"})
    addTransition(DeltaTransitionAttr::get(context, decay));
  for (StringRef decay : {"none", "scalar", "diagonal", "block"})
    addTransition(RankOneTransitionAttr::get(context, decay));
}

static std::string operandName(int number) {
  return "x" + std::to_string(number);
}

/// The state after its decay, as a formula.
static std::string formulaOfDecay(const NormalForm &form) {
  SmallVector<std::string> terms;
  for (ArrayRef<int> factors : form.logDecay)
    terms.push_back(llvm::join(llvm::map_range(factors, operandName), " "));
  if (form.hasPhase())
    terms.push_back("i " + operandName(form.phase));
  std::string state =
      terms.empty() ? "S" : "e^{" + llvm::join(terms, " + ") + "} S";
  return form.hasMixing() ? operandName(form.mixing) + " " + state : state;
}

static std::string formulaOf(const NormalForm &form) {
  std::string decayed = formulaOfDecay(form);
  if (form.tied) {
    std::string beta = operandName(form.beta);
    return "(1 - " + beta + " k k^T) " + decayed + " + " + beta + " k v^T";
  }
  if (form.hasReader())
    decayed += " + " + operandName(form.writer) + " " +
               operandName(form.reader) + "^T S";
  return decayed + " + k v^T";
}

static std::string operandsOf(TransitionAttrInterface transition) {
  SmallVector<std::string> operands;
  for (auto [number, dims] : llvm::enumerate(transition.getOperandDims())) {
    std::string letters = "B";
    for (char letter : dims)
      letters += std::string(", ") + llvm::toUpper(letter);
    operands.push_back(operandName(int(number)) + " [" + letters + "]");
  }
  return llvm::join(operands, ", ");
}

void linnet::printTransitionTable(ArrayRef<TransitionAttrInterface> transitions,
                                  raw_ostream &out) {
  SmallVector<ScanForm> forms;
  for (uint32_t i = 0; i <= getMaxEnumValForScanForm(); ++i)
    if (ScanForm(i) != ScanForm::Auto)
      forms.push_back(ScanForm(i));
  out << "| transition | S_t | operands |";
  for (ScanForm form : forms)
    out << " " << stringifyScanForm(form) << " |";
  out << "\n|---|---|---|";
  for (unsigned i = 0; i < forms.size(); ++i)
    out << "--:|";
  out << "\n";
  for (TransitionAttrInterface transition : transitions) {
    out << "| `" << transition << "` | "
        << formulaOf(transition.getNormalForm()) << " | "
        << operandsOf(transition) << " |";
    SmallVector<ScanForm> legal = transition.getLegalForms();
    for (ScanForm form : forms) {
      // A convolution if the operands say so, whatever the transition.
      if (form != ScanForm::Convolution && !llvm::is_contained(legal, form)) {
        out << " - |";
        continue;
      }
      out << " " << int64_t(transition.getCost(form, kWidth, kWidth, kChunk))
          << " |";
    }
    out << "\n";
  }
}
