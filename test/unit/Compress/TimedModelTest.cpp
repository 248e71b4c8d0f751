//===- TimedModelTest.cpp - what is timed, and errors ---------------------===//

#include "linnet/RunTool/TimedModel.h"

#include "linnet/Driver/Compile.h"

#include <filesystem>
#include <gtest/gtest.h>

namespace linnet::runtool {
namespace {

/// A compiled checkpoint of the oracle, open; removed with the object.
class OpenCheckpoint {
public:
  OpenCheckpoint(const std::string &name, int64_t batch) {
    path = testing::TempDir() + "/linnet-timed-XXXXXX";
    path = mkdtemp(path.data());
    CompileOptions options;
    options.optLevel = 1;
    options.batch = batch;
    CompileReport report;
    Status status =
        compileToDirectory(std::string(LINNET_ORACLE_DIR) + "/hf/" + name,
                           path + "/out", options, report);
    EXPECT_TRUE(bool(status)) << status.error().str();
    linnet_model *opened = nullptr;
    EXPECT_EQ(linnet_model_open((path + "/out").c_str(), nullptr, &opened),
              LINNET_OK)
        << linnet_last_error();
    model.reset(opened);
  }
  ~OpenCheckpoint() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  ModelHandle model;

private:
  std::string path;
};

TEST(TimedModel, MedianOfOneTwoAndThree) {
  EXPECT_EQ(medianOf({3}), 3);
  EXPECT_EQ(medianOf({4, 1}), 2.5);
  EXPECT_EQ(medianOf({9, 1, 2}), 2);
}

TEST(TimedModel, TokensAreOfTheVocabularyAndTheSameEachTime) {
  OpenCheckpoint open("llama", 2);
  TimedModel timed(open.model.get());
  std::vector<int32_t> tokens = timed.someTokens(300);
  ASSERT_EQ(tokens.size(), 600u);
  int64_t size = linnet_model_vocab_size(open.model.get());
  int64_t most = 0;
  for (int32_t token : tokens) {
    EXPECT_GE(token, 0);
    EXPECT_LT(token, size);
    most = std::max<int64_t>(most, token);
  }
  EXPECT_GT(most, size / 2);
  EXPECT_EQ(timed.someTokens(300), tokens);
}

TEST(TimedModel, StepsOfSessionsStartAnew) {
  OpenCheckpoint open("llama", 2);
  TimedModel timed(open.model.get());
  EXPECT_FALSE(timed.isEncoder());
  int64_t context = linnet_model_max_context(open.model.get());
  ASSERT_GT(context, 8);
  // Each fills the context; a state that was left would not fit.
  for (int i = 0; i < 2; ++i) {
    double seconds = 0;
    EXPECT_EQ(timed.prefill(timed.someTokens(context), seconds), LINNET_OK)
        << linnet_last_error();
    EXPECT_GT(seconds, 0);
    seconds = 0;
    EXPECT_EQ(timed.decode(timed.someTokens(context - 3), 3, seconds),
              LINNET_OK)
        << linnet_last_error();
    EXPECT_GT(seconds, 0);
  }
}

TEST(TimedModel, TooManyTokensAreAnError) {
  OpenCheckpoint open("llama", 1);
  TimedModel timed(open.model.get());
  int64_t context = linnet_model_max_context(open.model.get());
  double seconds = 0;
  EXPECT_EQ(timed.prefill(timed.someTokens(context + 1), seconds),
            LINNET_ERROR_CONTEXT);
  EXPECT_EQ(timed.decode(timed.someTokens(context), 1, seconds),
            LINNET_ERROR_CONTEXT);
}

TEST(TimedModel, EncodersHavePasses) {
  OpenCheckpoint open("bert", 1);
  TimedModel timed(open.model.get());
  EXPECT_TRUE(timed.isEncoder());
  double seconds = 0;
  EXPECT_EQ(timed.prefill(timed.someTokens(7), seconds), LINNET_OK)
      << linnet_last_error();
  EXPECT_GT(seconds, 0);
}

} // namespace
} // namespace linnet::runtool
