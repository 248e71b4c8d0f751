//===- HuggingFaceOracleTest.cpp - imported checkpoints, evaluated --------===//
//
// Each directory of test/oracle/hf is a tiny checkpoint with the outputs of
// transformers in f64 (parts of which it computes in f32).
//
//===----------------------------------------------------------------------===//

#include "RunModule.h"

#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Reference/Session.h"
#include "linnet/Support/Json.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

/// A checkpoint directory, imported.
class OracleTest : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    directory = std::string(LINNET_ORACLE_DIR) + "/hf/" + GetParam();
    auto opened = Archive::open(directory);
    ASSERT_TRUE(opened) << opened.error().str();
    archive = opened.take();
    auto imported = importHuggingFace(sharedContext(), directory, {});
    ASSERT_TRUE(imported) << imported.error().str();
    module = imported.take();
    auto json = readJsonFile(directory + "/meta.json");
    ASSERT_TRUE(json) << json.error().str();
    meta = *json;
    // The stated tolerance is for f32; what transformers rounds inside its f64
    // runs is less.
    tolerance = std::min(2e-6, meta["tolerance"].get<double>());
    tokens = load("tokens.npy");
  }

  HostTensor load(const std::string &file) {
    auto array = readNpy(directory + "/" + file);
    if (array)
      return HostTensor::fromNpy(*array);
    ADD_FAILURE() << array.error().str();
    return {};
  }

  HostTensor run(std::vector<HostTensor> inputs) {
    auto evaluator = Evaluator::create(*module, &archive);
    auto results = evaluator
                       ? evaluator->run("forward", std::move(inputs))
                       : Result<std::vector<HostTensor>>(evaluator.error());
    if (results)
      return (*results)[0];
    ADD_FAILURE() << results.error().str();
    return {};
  }

  void expectClose(const HostTensor &got, const HostTensor &expected,
                   const char *what) {
    auto error = relativeRms(got, expected);
    ASSERT_TRUE(error) << error.error().str();
    std::printf("%s %s: relative RMS %.2e\n", GetParam().c_str(), what, *error);
    EXPECT_LE(*error, tolerance) << what;
  }

  std::string directory;
  Archive archive;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Json meta;
  double tolerance = 0;
  HostTensor tokens;
};

using CausalOracleTest = OracleTest;
using EncoderOracleTest = OracleTest;

TEST_P(CausalOracleTest, OnePassAndPrefillThenDecode) {
  HostTensor expected = load("logits_f64.npy");
  HostTensor whole = run({tokens, HostTensor::scalar(0)});
  expectClose(whole, expected, "one pass");
  auto session = ReferenceSession::create(*module, &archive);
  ASSERT_TRUE(session) << session.error().str();
  int64_t count = tokens.shape[1];
  int64_t end = meta["prefill"].get<int64_t>();
  HostTensor streamed =
      HostTensor::filled({expected.shape[0], 0, expected.shape[2]});
  for (; end <= count; ++end) {
    auto part = session->feed(slice(tokens, 1, session->position(), end));
    ASSERT_TRUE(part) << part.error().str();
    streamed = join(streamed, *part, 1);
  }
  expectClose(streamed, expected, "prefill and decode");
  // The definition streams exactly, whatever the reference rounds.
  EXPECT_LE(difference(streamed, whole), 1e-12);
}

TEST_P(CausalOracleTest, NoRowsAndNoTokens) {
  int64_t vocabulary = load("logits_f64.npy").shape[2];
  for (Shape shape : {Shape{0, 3}, Shape{2, 0}}) {
    HostTensor logits = run({HostTensor::filled(shape), HostTensor::scalar(0)});
    EXPECT_EQ(logits.shape, Shape({shape[0], shape[1], vocabulary}));
  }
}

TEST_P(CausalOracleTest, RefusesTokensOutsideTheVocabulary) {
  int64_t vocabulary = load("logits_f64.npy").shape[2];
  tokens.values[1] = double(vocabulary);
  auto evaluator = Evaluator::create(*module, &archive);
  ASSERT_TRUE(evaluator);
  auto refused = evaluator->run("forward", {tokens, HostTensor::scalar(0)});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().str().find("but got " + std::to_string(vocabulary) +
                                       " as element 1"),
            std::string::npos)
      << refused.error().str();
}

INSTANTIATE_TEST_SUITE_P(HuggingFace, CausalOracleTest,
                         testing::Values("llama", "llama-sharded",
                                         "llama-tied-llama3rope", "mistral",
                                         "qwen2", "qwen3", "qwen3_5", "gpt2",
                                         "mamba", "mamba2", "mamba2-groups",
                                         "mamba2-dtlimit"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// Drops the rows [b, t, :] whose mask is 0.
HostTensor selectRows(const HostTensor &hidden, const HostTensor &mask) {
  HostTensor rows;
  int64_t width = hidden.shape[2];
  for (int64_t i = 0; i < mask.size(); ++i)
    if (mask.values[i] != 0)
      rows.values.insert(rows.values.end(), hidden.values.begin() + i * width,
                         hidden.values.begin() + (i + 1) * width);
  rows.shape = {rows.size()};
  return rows;
}

TEST_P(EncoderOracleTest, HiddenStatesWithTypesAndWithMask) {
  HostTensor types = load("token_type_ids.npy"),
             mask = load("attention_mask.npy");
  HostTensor position = HostTensor::scalar(0);
  HostTensor hidden =
      run({tokens, position, types, HostTensor::filled(tokens.shape, 1)});
  expectClose(hidden, load("hidden_f64.npy"), "hidden");
  HostTensor masked = run({tokens, position, types, mask});
  expectClose(selectRows(masked, mask),
              selectRows(load("hidden_masked.npy"), mask), "masked");
  // The mask matters: without it the rows are others.
  auto unmasked =
      relativeRms(selectRows(hidden, mask), selectRows(masked, mask));
  ASSERT_TRUE(unmasked);
  EXPECT_GT(*unmasked, 1e-3);
}

INSTANTIATE_TEST_SUITE_P(HuggingFace, EncoderOracleTest,
                         testing::Values("bert"),
                         [](const auto &info) { return info.param; });

} // namespace
