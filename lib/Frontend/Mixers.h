//===- Mixers.h - mixers that several families share ----------*- C++ -*-===//

#ifndef LIB_FRONTEND_MIXERS_H
#define LIB_FRONTEND_MIXERS_H

#include "ModelBuilder.h"

namespace linnet {

/// Attention with grouped heads and matrices `name`.{q,k,v,o}_proj.
struct GroupedAttention {
  int64_t heads, kvHeads, headDim;
  double scale;
  std::optional<Rope> rope = std::nullopt;
  std::optional<int64_t> window = std::nullopt;
  bool bias = false;

  /// Reads the heads of the usual keys; scale 1 / sqrt(headDim).
  static GroupedAttention read(Config &config, int64_t hidden,
                               int64_t keyValueHeads = 0);
  mlir::Value apply(ModelBuilder &m, mlir::Value h, llvm::StringRef name,
                    mlir::Value position) const;
};

} // namespace linnet

#endif // LIB_FRONTEND_MIXERS_H
