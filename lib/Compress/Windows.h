//===- Windows.h - the text that compression looks at ---------*- C++ -*-===//
//
// Windows of consecutive tokens, all of one length: those that fits see, then
// those that judge them (held out), then those of another text (evaluation),
// then copies that fill the last batch and count nowhere.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_WINDOWS_H
#define LIB_COMPRESS_WINDOWS_H

#include "linnet/Compress/Compress.h"

#include <array>
#include <cstdint>
#include <vector>

namespace linnet::compress {

enum class Part { Fitted, HeldOut, Evaluated };

struct Windows {
  int64_t length = 0;
  /// Windows per step.
  int64_t batch = 1;
  /// Row major, `length` each.
  std::vector<int32_t> ids;
  /// How many windows each part has.
  std::array<int64_t, 3> counts = {0, 0, 0};

  int64_t batches() const { return int64_t(ids.size()) / (length * batch); }
  const int32_t *batchAt(int64_t number) const {
    return ids.data() + number * batch * length;
  }
  /// The windows [first, second) of batch `number` that are of `part`, counted
  /// from the batch's first.
  std::pair<int64_t, int64_t> rangeOf(Part part, int64_t number) const;
  /// Some of the fitted windows, evenly spread, of about `tokens` tokens.
  Windows sample(int64_t tokens) const;
};

/// Cuts the texts that `options` names. Errors: files that cannot be read or
/// encoded; tokens outside of the vocabulary; fewer than 8 windows to calibrate
/// with, or none to evaluate.
Result<Windows> readWindows(const CompressOptions &options,
                            int64_t vocabularySize, int64_t maxContext);

} // namespace linnet::compress

#endif // LIB_COMPRESS_WINDOWS_H
