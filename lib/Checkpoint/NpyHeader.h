//===- NpyHeader.h - the text before a numpy array ------------*- C++ -*-===//
//
// Private to lib/Checkpoint. The header of a .npy file is a Python dictionary
// literal; only the three entries that numpy writes are understood.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_CHECKPOINT_NPYHEADER_H
#define LINNET_LIB_CHECKPOINT_NPYHEADER_H

#include "linnet/Support/Result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

/// numpy's own limit.
inline constexpr size_t kMaxNpyRank = 64;

/// What the header of a .npy file says; nothing of it is checked against the
/// data yet.
struct NpyHeader {
  std::string descr;
  bool fortranOrder = false;
  /// Non-negative dimensions, at most kMaxNpyRank.
  std::vector<int64_t> shape;
  /// Where the data starts in the file.
  size_t dataBegin = 0;
};

/// Reads the header of a file with this content; `what` prefixes errors.
Result<NpyHeader> parseNpyHeader(std::string_view content,
                                 const std::string &what);

/// Everything before the data, as numpy writes it: magic, version 1, length,
/// dictionary, padding to 64 bytes.
std::string formatNpyHeader(std::string_view descr,
                            const std::vector<int64_t> &shape);

} // namespace linnet

#endif // LINNET_LIB_CHECKPOINT_NPYHEADER_H
