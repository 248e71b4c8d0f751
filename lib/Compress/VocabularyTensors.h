//===- VocabularyTensors.h - tensors with an entry per token --*- C++ -*-===//

#ifndef LIB_COMPRESS_VOCABULARYTENSORS_H
#define LIB_COMPRESS_VOCABULARYTENSORS_H

#include "linnet/Checkpoint/Archive.h"

#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace linnet::compress {

struct VocabularyTensors {
  /// Rows of the tables: ids that the model takes.
  int64_t size = 0;
  /// By name, the dimension along which a tensor has an entry per token.
  std::map<std::string, size_t> dimensions;
  /// Those of them that the model does not read.
  std::vector<std::string> unread;
};

/// Follows `module`'s tokens to the tables they are looked up in and its logits
/// back to the map that they come from. Tensors of `archive` that the model
/// does not read (a head that was trained along) have an entry per token if
/// their first dimension is as large. Errors: tokens that are used otherwise;
/// logits that are not a dense map's, elementwise; an unread tensor as large
/// where other tensors are, too.
Result<VocabularyTensors> findVocabularyTensors(mlir::ModuleOp module,
                                                const Archive &archive);

} // namespace linnet::compress

#endif // LIB_COMPRESS_VOCABULARYTENSORS_H
