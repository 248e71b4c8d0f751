//===- Windows.h - the text that compression looks at ---------*- C++ -*-===//
//
// Windows of consecutive tokens, all of one length: those that fits see, then
// those that judge them (held out), then those of another text (evaluation),
// then copies that fill the last batch and count nowhere. A window of an
// encoder is a line of text, and padding behind it.
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

/// Tokens [first, last) of a step, row by row.
struct TokenRange {
  int64_t first = 0, last = 0;
};

struct Windows {
  int64_t length = 0;
  /// Windows per step.
  int64_t batch = 1;
  /// Row major, `length` each.
  std::vector<int32_t> ids;
  /// The tokens of each window before padding; empty: all of all.
  std::vector<int64_t> lengths;
  /// How many windows each part has.
  std::array<int64_t, 3> counts = {0, 0, 0};

  int64_t batches() const { return int64_t(ids.size()) / (length * batch); }
  const int32_t *batchAt(int64_t number) const {
    return ids.data() + number * batch * length;
  }
  /// The windows [first, second) of batch `number` that are of `part`, counted
  /// from the batch's first.
  std::pair<int64_t, int64_t> rangeOf(Part part, int64_t number) const;
  /// The tokens of those windows but for padding, as few ranges.
  std::vector<TokenRange> tokensOf(Part part, int64_t number) const;
  int64_t lengthOf(int64_t window) const {
    return lengths.empty() ? length : lengths[size_t(window)];
  }
  /// Adds window `number` of `other`, which is as long.
  void append(const Windows &other, int64_t number);
  /// Some of the fitted windows, evenly spread, of about `tokens` tokens.
  Windows sample(int64_t tokens) const;
};

/// What readWindows() must know of a model.
struct WindowsModel {
  bool isEncoder = false;
  int64_t vocabularySize = 0;
  /// 0: any.
  int64_t maxContext = 0;
};

/// Cuts the texts that `options` names; of an encoder, takes their lines with
/// the tokenizer's special tokens, or the rows of arrays. Errors: files that
/// cannot be read or encoded; tokens outside of the vocabulary; fewer than 8
/// windows to calibrate with, or none to evaluate.
Result<Windows> readWindows(const CompressOptions &options,
                            const WindowsModel &model);

} // namespace linnet::compress

#endif // LIB_COMPRESS_WINDOWS_H
