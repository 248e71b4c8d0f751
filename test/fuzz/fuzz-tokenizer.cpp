//===- fuzz-tokenizer.cpp - tokenizer.json and text -----------------------===//
//
// The first line of the input is the text to encode, the rest tokenizer.json.
// Streaming must give what decoding gives; every error must be one line.
//
//===----------------------------------------------------------------------===//

#include "test/fuzz/Invariant.h"

#include "linnet/Support/Quote.h"
#include "linnet/Tokenizer/Tokenizer.h"

using namespace linnet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string_view input(reinterpret_cast<const char *>(data), size);
  const size_t line = input.find('\n');
  if (line == input.npos)
    return 0;
  const std::string_view text = input.substr(0, line);
  const Result<Tokenizer> tokenizer =
      Tokenizer::fromJson(input.substr(line + 1), "fuzz");
  if (!tokenizer) {
    checkMessage(tokenizer.error().str());
    return 0;
  }
  for (bool special : {false, true}) {
    const Result<std::vector<int32_t>> ids = tokenizer->encode(text, special);
    if (!ids) {
      checkMessage(ids.error().str());
      continue;
    }
    const std::string decoded = tokenizer->decode(*ids, !special);
    check(isUtf8(decoded));
    Tokenizer::Stream stream(*tokenizer, !special);
    std::string streamed;
    for (int32_t id : *ids) {
      const std::string part = stream.push(id);
      check(isUtf8(part));
      streamed += part;
    }
    check(streamed + stream.finish() == decoded);
  }
  return 0;
}
