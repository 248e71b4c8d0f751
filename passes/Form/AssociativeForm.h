//===- AssociativeForm.h - a scan by segments of time ---------*- C++ -*-===//

#ifndef PASSES_FORM_ASSOCIATIVEFORM_H
#define PASSES_FORM_ASSOCIATIVEFORM_H

#include "dialects/Linnet/Linnet.h"

#include <string>

namespace mlir::linnet {

/// Why the tokens of `op`, whose transition has the form, are not split into
/// segments; empty if they are.
std::string getAssociativeObstacle(ScanOp op);

/// Replaces `op`, which has no obstacle, by scans that run the segments side by
/// side as rows of the batch.
void rewriteAsAssociative(ScanOp op);

} // namespace mlir::linnet

#endif // PASSES_FORM_ASSOCIATIVEFORM_H
