//===- TransitionTerms.h - a transition taken apart ------------*- C++ -*-===//
//-*-===//

#ifndef PASSES_FORM_TRANSITIONTERMS_H
#define PASSES_FORM_TRANSITIONTERMS_H

#include "dialects/Linnet/Linnet.h"

#include <string>
#include <utility>

namespace mlir::linnet {

/// A transition in terms of the normal form with its operands, which a rewrite
/// may drop, replace and add; numbers of the form index `operands` and `dims`.
struct TransitionTerms {
  NormalForm form;
  SmallVector<std::string> dims;
  SmallVector<Value> operands;

  static TransitionTerms of(ScanOp op);
  /// The known transition of this form with operands of these dimensions, in
  /// this order; null if there is none.
  static TransitionAttrInterface
  find(const NormalForm &form, ArrayRef<StringRef> dims, MLIRContext *context);

  /// The known transition that is these terms, and the numbers of its operands
  /// in its order; null if there is none. Operands of no term are left out.
  std::pair<TransitionAttrInterface, SmallVector<int>>
  findTransition(MLIRContext *context) const;

private:
  /// What each operand of `form` does, sorted: equal for equal transitions.
  static SmallVector<std::pair<std::string, int>>
  rolesOf(const NormalForm &form, function_ref<std::string(int)> dimsOf);
};

} // namespace mlir::linnet

#endif // PASSES_FORM_TRANSITIONTERMS_H
