//===- WindowsTest.cpp - the text that compression looks at ---------------===//

#include "lib/Compress/Windows.h"

#include "linnet/Checkpoint/Npy.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace linnet::compress {
namespace {

/// Tokens 0, 1, ... modulo 50 in a file.
class WindowsTest : public ::testing::Test {
protected:
  void SetUp() override {
    directory = ::testing::TempDir() + "/windows";
    std::filesystem::create_directories(directory);
    options.input = directory;
    options.window = 10;
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  std::string tokens(int64_t count, const std::string &name = "t") {
    // Version 1.0 of the format: a header of 128 bytes, then the entries.
    std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (" +
                         std::to_string(count) + ",), }";
    header.resize(117, ' ');
    std::string path = directory + "/" + name + ".npy";
    std::ofstream file(path, std::ios::binary);
    file << std::string("\x93NUMPY\x01\x00\x76\x00", 10) << header << '\n';
    for (int32_t i = 0; i < count; ++i) {
      int32_t id = i % 50;
      file.write(reinterpret_cast<const char *>(&id), 4);
    }
    return "@" + path;
  }

  std::string errorOf() {
    Result<Windows> windows = readWindows(options, model);
    return windows ? "" : windows.error().str();
  }

  std::string directory;
  CompressOptions options;
  WindowsModel model = {false, 50, 100};
};

TEST_F(WindowsTest, PartsFollowEachOther) {
  options.calibration = tokens(165);
  options.evaluation = tokens(39, "e");
  Result<Windows> windows = readWindows(options, model);
  ASSERT_TRUE(bool(windows)) << windows.error().str();
  EXPECT_EQ(windows->counts, (std::array<int64_t, 3>{14, 2, 3}));
  EXPECT_EQ(windows->length, 10);
  ASSERT_EQ(windows->batches() * windows->batch, 19);
  EXPECT_EQ(windows->batches(), 1);
  for (int i = 0; i < 160; ++i)
    EXPECT_EQ(windows->ids[i], i % 50);
  EXPECT_EQ(windows->ids[160], 0);
  using Range = std::pair<int64_t, int64_t>;
  EXPECT_EQ(windows->rangeOf(Part::Fitted, 0), Range(0, 14));
  EXPECT_EQ(windows->rangeOf(Part::HeldOut, 0), Range(14, 16));
  EXPECT_EQ(windows->rangeOf(Part::Evaluated, 0), Range(16, 19));
}

/// Every window is in one part of one batch, copies in none.
TEST_F(WindowsTest, BatchesAreFilledWithCopies) {
  options.window = 2;
  options.calibration = tokens(2 * 5001);
  Result<Windows> windows = readWindows(options, model);
  ASSERT_TRUE(bool(windows)) << windows.error().str();
  EXPECT_GT(windows->batches(), 1);
  EXPECT_EQ(int64_t(windows->ids.size()),
            windows->batches() * windows->batch * 2);
  std::array<int64_t, 3> seen = {0, 0, 0};
  for (int64_t b = 0; b < windows->batches(); ++b)
    for (Part part : {Part::Fitted, Part::HeldOut, Part::Evaluated}) {
      auto [first, last] = windows->rangeOf(part, b);
      EXPECT_LE(first, last);
      seen[size_t(part)] += last - first;
    }
  EXPECT_EQ(seen, windows->counts);
  EXPECT_EQ(seen[0] + seen[1], 5001);
  EXPECT_LT(windows->batches() * windows->batch - 5001, windows->batches());
}

TEST_F(WindowsTest, SamplesAreSpreadEvenly) {
  options.calibration = tokens(165);
  Result<Windows> windows = readWindows(options, model);
  ASSERT_TRUE(bool(windows));
  Windows sample = windows->sample(40);
  EXPECT_EQ(sample.counts, (std::array<int64_t, 3>{4, 0, 0}));
  EXPECT_EQ(sample.batch, windows->batch);
  EXPECT_EQ(sample.ids.size() % size_t(sample.batch * 10), 0u);
  // Windows 0, 3, 7 and 10 of 14.
  EXPECT_EQ(sample.ids[0], 0);
  EXPECT_EQ(sample.ids[10], 30);
  EXPECT_EQ(sample.ids[20], 70 % 50);
  EXPECT_EQ(sample.ids[30], 100 % 50);
  // Never more than there are, never none.
  EXPECT_EQ(windows->sample(100000).counts[0], 14);
  EXPECT_EQ(windows->sample(1).counts[0], 1);
}

/// A sample smaller than a step would be filled with copies.
TEST_F(WindowsTest, StepsAreNoLargerThanTheSample) {
  options.calibration = tokens(400);
  options.sensitivityTokens = 50;
  Result<Windows> windows = readWindows(options, model);
  ASSERT_TRUE(bool(windows));
  EXPECT_EQ(windows->batch, 5);
  EXPECT_EQ(windows->batches(), 8);
  options.sensitivityTokens = 0;
  EXPECT_EQ(readWindows(options, model)->batch, 40);
}

TEST_F(WindowsTest, AtMostTheTokensAskedFor) {
  options.calibration = tokens(400);
  options.calibrationTokens = 99;
  Result<Windows> windows = readWindows(options, model);
  ASSERT_TRUE(bool(windows));
  EXPECT_EQ(windows->counts, (std::array<int64_t, 3>{8, 1, 0}));
}

/// Of a model of causal-lm kind, tokens of a range are all of its windows'.
TEST_F(WindowsTest, TokensOfWholeWindows) {
  options.calibration = tokens(165);
  Result<Windows> windows = readWindows(options, model);
  ASSERT_TRUE(bool(windows));
  std::vector<TokenRange> fitted = windows->tokensOf(Part::Fitted, 0);
  ASSERT_EQ(fitted.size(), 1u);
  EXPECT_EQ(fitted[0].first, 0);
  EXPECT_EQ(fitted[0].last, 140);
  EXPECT_TRUE(windows->tokensOf(Part::Evaluated, 0).empty());
}

/// Lines of an encoder's text are windows, padded; of long ones the first
/// tokens and the last special one are kept.
TEST_F(WindowsTest, LinesOfEncoders) {
  std::ofstream(directory + "/tokenizer.json") << R"({
    "added_tokens": [{"id": 0, "content": "<s>", "special": true},
                     {"id": 1, "content": "</s>", "special": true}],
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "pair": [],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                        "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
                      "trim_offsets": true, "use_regex": true},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 2, "b": 3, "c": 4}, "merges": []}})";
  std::ofstream(directory + "/text.txt")
      << "a\n\nab\r\nabc\n   \nabcabcabcabc\na\nb\nc\nab\nb";
  options.calibration = directory + "/text.txt";
  model.isEncoder = true;
  Result<Windows> windows = readWindows(options, model);
  ASSERT_TRUE(bool(windows)) << windows.error().str();
  EXPECT_EQ(windows->counts, (std::array<int64_t, 3>{8, 1, 0}));
  EXPECT_EQ(windows->length, 10);
  EXPECT_EQ(std::vector<int64_t>(windows->lengths.begin(),
                                 windows->lengths.begin() + 9),
            (std::vector<int64_t>{3, 4, 5, 10, 3, 3, 3, 4, 3}));
  auto window = [&](int64_t w) {
    auto at = windows->ids.begin() + w * 10;
    return std::vector<int32_t>(at, at + 10);
  };
  EXPECT_EQ(window(1), (std::vector<int32_t>{0, 2, 3, 1, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(window(3), (std::vector<int32_t>{0, 2, 3, 4, 2, 3, 4, 2, 3, 1}));
  std::vector<TokenRange> fitted = windows->tokensOf(Part::Fitted, 0);
  ASSERT_EQ(fitted.size(), 7u); // the fourth and the fifth touch
  EXPECT_EQ(fitted[3].first, 30);
  EXPECT_EQ(fitted[3].last, 43);
  EXPECT_EQ(windows->sample(20).lengths[1], 3);
  // Together at most so many tokens; only as long as the longest.
  options.calibrationTokens = 12;
  EXPECT_NE(errorOf().find("text.txt': expected at least 8 sequences, one to a "
                           "line, to calibrate with, but got 3"),
            std::string::npos)
      << errorOf();
  options.calibrationTokens = 1000;
  options.window = 50;
  EXPECT_EQ(readWindows(options, model)->length, 14);
  model.vocabularySize = 4;
  EXPECT_NE(errorOf().find("text.txt:4[0, 3]: expected a token of 0 to 3, but "
                           "got 4"),
            std::string::npos)
      << errorOf();
}

/// Lines of which a tokenizer leaves nothing are none.
TEST_F(WindowsTest, LinesWithoutTokens) {
  std::ofstream(directory + "/tokenizer.json") << R"({
    "normalizer": {"type": "BertNormalizer", "clean_text": true,
                   "handle_chinese_chars": true, "strip_accents": null,
                   "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "[UNK]",
              "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {"[UNK]": 0, "a": 1, "b": 2}}})";
  std::ofstream(directory + "/text.txt")
      << "a\n\x01\nb\na\n\x02\x03\na\na\na\na b\nb";
  options.calibration = directory + "/text.txt";
  model.isEncoder = true;
  Result<Windows> windows = readWindows(options, model);
  ASSERT_TRUE(bool(windows)) << windows.error().str();
  EXPECT_EQ(windows->counts, (std::array<int64_t, 3>{7, 1, 0}));
  EXPECT_EQ(windows->length, 2);
}

/// Rows of an array are sequences, however many windows they would be.
TEST_F(WindowsTest, RowsOfEncoders) {
  model.isEncoder = true;
  options.calibration = tokens(100);
  EXPECT_NE(errorOf().find("t.npy': expected at least 8 sequences"),
            std::string::npos)
      << errorOf();
}

TEST_F(WindowsTest, Errors) {
  options.calibration = tokens(79);
  EXPECT_NE(
      errorOf().find("t.npy': expected at least 8 windows of 10 tokens to "
                     "calibrate with, but got 7"),
      std::string::npos)
      << errorOf();
  options.calibration = tokens(100);
  options.evaluation = tokens(9, "e");
  EXPECT_NE(errorOf().find("e.npy': expected at least 1 window of 10 tokens to "
                           "evaluate, but got 0"),
            std::string::npos)
      << errorOf();
  options.evaluation.clear();
  options.window = 101;
  EXPECT_EQ(errorOf(), "--window: expected at most 100, the model's context, "
                       "but got 101");
  options.window = 10;
  Result<Windows> small = readWindows(options, {false, 49, 100});
  ASSERT_FALSE(bool(small));
  EXPECT_NE(small.error().str().find("expected a token of 0 to 48, but got 49"),
            std::string::npos)
      << small.error().str();
  options.calibration = directory + "/none.txt";
  EXPECT_NE(errorOf(), "");
  options.calibration = "@" + directory + "/none.npy";
  EXPECT_NE(errorOf().find("no such file"), std::string::npos) << errorOf();
}

} // namespace
} // namespace linnet::compress
