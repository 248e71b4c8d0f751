//===- OracleTest.cpp - ids as the reference tokenizers give them ---------===//

#include "Samples.h"

#include "lib/Tokenizer/Unicode.h"

#include <algorithm>

using namespace linnet;
using namespace linnet::test;

namespace {

class Oracle : public testing::TestWithParam<const char *> {
protected:
  std::string directory() const {
    return std::string(LINNET_ORACLE_DIR "/tokenizers/") + GetParam();
  }
};

TEST_P(Oracle, AgreesOnEveryCase) {
  const Result<Tokenizer> tokenizer = Tokenizer::fromDirectory(directory());
  ASSERT_TRUE(tokenizer) << tokenizer.error().str();
  const Result<Json> file = readJsonFile(directory() + "/cases.json");
  ASSERT_TRUE(file) << file.error().str();
  const Json &cases = file->at("cases");
  ASSERT_GE(cases.size(), 40u);
  for (const Json &entry : cases) {
    const std::string text = entry.at("text");
    const Ids plain = encode(*tokenizer, text, false);
    EXPECT_EQ(encode(*tokenizer, text, true), entry.at("ids").get<Ids>())
        << text;
    EXPECT_EQ(plain, entry.at("ids_plain").get<Ids>()) << text;
    EXPECT_EQ(tokenizer->decode(plain, false),
              entry.at("decoded").get<std::string>());

    Tokenizer::Stream stream(*tokenizer, false);
    std::string streamed;
    for (int32_t id : plain)
      streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(),
              entry.at("decoded").get<std::string>());
  }
}

/// Byte pairs lose nothing of a text; word pieces do.
class BytePairOracle : public Oracle {};

TEST_P(BytePairOracle, DecodesWhatItEncodes) {
  const Result<Tokenizer> tokenizer = Tokenizer::fromDirectory(directory());
  ASSERT_TRUE(tokenizer) << tokenizer.error().str();
  // Runs of characters that NFC leaves alone.
  for (const auto &[first, last] : {std::pair<char32_t, char32_t>{0x20, 0x7e},
                                    {0x410, 0x44f},
                                    {0x4e00, 0x4fff},
                                    {0x1f600, 0x1f64f}}) {
    std::string text;
    for (char32_t character = first; character <= last; ++character)
      tokenizer::appendUtf8(text, character);
    EXPECT_EQ(tokenizer->decode(encode(*tokenizer, text), false), text);
  }
}

/// "gpt2-style" and the like as a name of a test.
std::string kindName(const testing::TestParamInfo<const char *> &info) {
  std::string name = info.param;
  name.resize(name.rfind('-'));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Kinds, Oracle,
                         testing::Values("gpt2-style", "llama3-style",
                                         "qwen-style", "bert-style",
                                         "bert-cased-style"),
                         kindName);
INSTANTIATE_TEST_SUITE_P(Kinds, BytePairOracle,
                         testing::Values("gpt2-style", "llama3-style",
                                         "qwen-style"),
                         kindName);

TEST(ExampleTokenizer, IsBytes) {
  const Result<Tokenizer> tokenizer =
      Tokenizer::fromDirectory(LINNET_SOURCE_DIR "/examples/linnet-llama");
  ASSERT_TRUE(tokenizer) << tokenizer.error().str();
  EXPECT_EQ(tokenizer->vocabularySize(), 256);
  std::string bytes;
  Ids ids;
  for (int byte = 0; byte < 256; ++byte) {
    bytes.push_back(static_cast<char>(byte));
    ids.push_back(byte);
  }
  // It looks at no characters, so text need not be UTF-8.
  EXPECT_EQ(encode(*tokenizer, bytes, true), ids);
  EXPECT_EQ(tokenizer->decode(Ids{'o', 'k'}, true), "ok");
}

} // namespace
