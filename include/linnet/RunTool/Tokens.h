//===- Tokens.h - token arrays from the command line ----------*- C++ -*-===//

#ifndef LINNET_RUNTOOL_TOKENS_H
#define LINNET_RUNTOOL_TOKENS_H

#include "linnet/Support/Result.h"
#include "linnet/Tokenizer/Tokenizer.h"

#include <cstdint>
#include <string>
#include <vector>

namespace linnet::runtool {

/// Integers of shape [rows, length], row-major: token ids, token types or a
/// mask.
struct Tokens {
  int64_t rows = 0;
  int64_t length = 0;
  std::vector<int32_t> ids;
  /// What messages call it: the file, or the option's text.
  std::string name;

  int64_t at(int64_t row, int64_t column) const {
    return ids[row * length + column];
  }
};

/// The path of "@PATH" (or of "PATH").
std::string pathOf(const std::string &argument);

/// Reads "@FILE.npy", integers of shape [B, T] or [T] (one row), or a list of
/// ids such as "1,17,5". Errors: neither of these; an empty array; numbers
/// that are no int32.
Result<Tokens> readTokens(const std::string &argument);

/// One row of ids that came from elsewhere.
Tokens makeTokens(std::vector<int32_t> ids, const std::string &name);

/// An error "NAME[ROW, COLUMN]: ..." unless all ids are at least 0 and below
/// `bound`; `what` says what an id is.
Status checkTokens(const Tokens &tokens, int64_t bound, const char *what);

/// The tokenizer of the first of `directories` that has one; the error of the
/// first if none has.
Result<Tokenizer> findTokenizer(const std::vector<std::string> &directories);

/// The tokens of the text in `file`, one row without special tokens, by the
/// tokenizer that findTokenizer() finds. Fills in the text's size in bytes if
/// `bytes` is not null.
Result<Tokens> encodeFile(const std::string &file,
                          const std::vector<std::string> &directories,
                          int64_t *bytes = nullptr);

/// The tokens of each line of the text in `file` that has any and is not blank,
/// with the special tokens that the tokenizer puts around a text. Of longer
/// lines the first `most` tokens are kept, but for the last that ends the text
/// if the tokenizer puts one there.
Result<std::vector<Tokens>>
encodeLines(const std::string &file,
            const std::vector<std::string> &directories, int64_t most);

} // namespace linnet::runtool

#endif // LINNET_RUNTOOL_TOKENS_H
