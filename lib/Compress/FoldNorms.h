//===- FoldNorms.h - weights of norms in the next maps --------*- C++ -*-===//

#ifndef LIB_COMPRESS_FOLDNORMS_H
#define LIB_COMPRESS_FOLDNORMS_H

#include "LayerValues.h"
#include "TensorEdits.h"

#include <set>

namespace linnet::compress {

/// What a norm multiplies by, 1 + w with `unit_offset`, or ones. Errors: its
/// weight is no tensor of the checkpoint.
Result<std::vector<double>> gainOf(mlir::linnet::NormOp norm,
                                   const LayerFunction &function,
                                   const Archive &archive);

/// Adds to `edits` what makes the weights of norms ones. Returns how many norms
/// that is; lines of `declined` say why others stay.
Result<int64_t> foldNorms(const std::vector<LayerFunction> &functions,
                          const Archive &archive, TensorEdits &edits,
                          std::set<std::string> &declined);

} // namespace linnet::compress

#endif // LIB_COMPRESS_FOLDNORMS_H
