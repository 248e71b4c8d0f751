//===- Tokenizer.h - text to token ids and back -----------------*- C++ -*-===//
//
// Tokenizers as Hugging Face's tokenizer.json describes them: byte-level
// byte pairs (the GPT-2, Llama-3 and Qwen kinds, and plain bytes) and word
// pieces (the BERT kind).
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_TOKENIZER_TOKENIZER_H
#define LINNET_TOKENIZER_TOKENIZER_H

#include "linnet/Support/Result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

namespace tokenizer {
struct Model;
} // namespace tokenizer

/// An immutable tokenizer. Copies share their tables; all const functions may
/// be called from several threads at once.
class Tokenizer {
public:
  class Stream;

  /// Reads `directory`/tokenizer.json. Errors name the file and, for a missing
  /// file or an unsupported kind of tokenizer, offer `--tokens`.
  static Result<Tokenizer> fromDirectory(const std::string &directory);

  /// Reads the contents of a tokenizer.json. `what` names the text in errors.
  /// The truncation and padding sections are ignored: Linnet never cuts or
  /// pads a text silently.
  static Result<Tokenizer> fromJson(std::string_view text,
                                    const std::string &what);

  /// The ids of `text`, which is UTF-8. With `addSpecialTokens` also those that
  /// the tokenizer's template puts around a text (a begin-of-text token, say).
  /// Text that is not UTF-8 is an error naming the first bad byte's offset,
  /// except for tokenizers that never look at characters (no normalizer, no
  /// pattern, no added tokens, no word pieces), which encode any bytes.
  Result<std::vector<int32_t>> encode(std::string_view text,
                                      bool addSpecialTokens) const;

  /// The text of `ids`, always valid UTF-8: bytes that do not form a character
  /// become U+FFFD. Ids without a token stand for no text. `skipSpecial` leaves
  /// out the tokens that the file marks as special. Byte pairs give the text
  /// back that was encoded, word pieces its words with single spaces.
  std::string decode(std::span<const int32_t> ids, bool skipSpecial) const;

  /// One more than the largest token id.
  int64_t vocabularySize() const;

  /// The id of a token as tokenizer.json spells it ("<|endoftext|>", "Ġthe").
  std::optional<int32_t> tokenId(std::string_view token) const;

private:
  explicit Tokenizer(std::shared_ptr<const tokenizer::Model> model)
      : model(std::move(model)) {}

  std::shared_ptr<const tokenizer::Model> model;
};

/// Decodes ids one at a time and gives out complete characters only. All parts
/// of a stream joined, `finish` included, equal `decode` of all its ids.
class Tokenizer::Stream {
public:
  explicit Stream(const Tokenizer &tokenizer, bool skipSpecial = true)
      : model(tokenizer.model), skipSpecial(skipSpecial) {}

  /// The text that `id` completes; empty while a character is still open.
  std::string push(int32_t id);

  /// What is left: U+FFFD for a character that never became complete.
  std::string finish();

private:
  std::shared_ptr<const tokenizer::Model> model;
  bool skipSpecial;
  /// No token has given text yet: word pieces put no space before it.
  bool first = true;
  /// Bytes of the character that is still open, at most 3.
  std::string open;
};

} // namespace linnet

#endif // LINNET_TOKENIZER_TOKENIZER_H
