//===- VocabularyTensorsTest.cpp - where a model keeps its tokens ---------===//

#include "lib/Compress/VocabularyTensors.h"
#include "lib/Compress/TokenIds.h"

#include "linnet/Driver/Input.h"

#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::compress;

namespace {

using Dimensions = std::map<std::string, size_t>;

/// A model of 7 tokens and 3 channels, with `head` between the hidden state %h
/// and the returned %y.
std::string model(const std::string &head, const std::string &kind,
                  const std::string &more = "") {
  return R"(
module attributes {linnet.model = {kind = ")" +
         kind + R"("}} {
  func.func @forward(%tokens: tensor<?x?xi32> {linnet.name = "tokens"},
                     %position: index {linnet.name = "position"})
      -> tensor<?x?x7xf32> {
    %h = call @embed(%tokens) : (tensor<?x?xi32>) -> tensor<?x?x3xf32>
    )" + more +
         R"(
    %y = call @head(%h) : (tensor<?x?x3xf32>) -> tensor<?x?x7xf32>
    return %y : tensor<?x?x7xf32>
  }
  func.func private @embed(%t: tensor<?x?xi32>) -> tensor<?x?x3xf32> {
    %w = linnet.weight "table" : tensor<7x3xf32>
    %x = linnet.embedding %t, %w : (tensor<?x?xi32>, tensor<7x3xf32>) -> tensor<?x?x3xf32>
    return %x : tensor<?x?x3xf32>
  }
  func.func private @head(%h: tensor<?x?x3xf32>) -> tensor<?x?x7xf32> {
    )" + head +
         R"(
    return %y : tensor<?x?x7xf32>
  }
})";
}

class FindVocabulary : public testing::Test {
protected:
  Result<VocabularyTensors> find(const std::string &source) {
    mlir::OwningOpRef<mlir::ModuleOp> module =
        mlir::parseSourceString<mlir::ModuleOp>(source, context.get());
    if (!module) {
      ADD_FAILURE() << source;
      return makeError("no module");
    }
    return findVocabularyTensors(*module, archive);
  }
  void expectError(const std::string &source, const std::string &part) {
    Result<VocabularyTensors> found = find(source);
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().str().find(part), std::string::npos)
        << found.error().str();
  }
  void add(const std::string &name, std::vector<int64_t> shape) {
    size_t bytes = sizeof(float);
    for (int64_t d : shape)
      bytes *= size_t(d);
    ASSERT_TRUE(archive.overlay(name, DataType::F32, shape,
                                std::vector<std::byte>(bytes)));
    archive.discardOverlay();
  }

  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  Archive archive;
};

constexpr const char *kTied = R"(
    %w = linnet.weight "table" : tensor<7x3xf32>
    %y = linnet.linear #linnet.dense %h, %w : (tensor<?x?x3xf32>, tensor<7x3xf32>) -> tensor<?x?x7xf32>)";

TEST_F(FindVocabulary, FollowsATiedHead) {
  Result<VocabularyTensors> found = find(model(kTied, "causal-lm"));
  ASSERT_TRUE(found) << found.error().str();
  EXPECT_EQ(found->size, 7);
  EXPECT_EQ(found->dimensions, (Dimensions{{"table", 0}}));
}

TEST_F(FindVocabulary, FollowsBiasesCapsAndOtherStorage) {
  Result<VocabularyTensors> found = find(model(R"(
    %w = linnet.weight "head" : tensor<3x7xf32>
    %b = linnet.weight "bias" : tensor<7xf32>
    %z = linnet.linear #linnet.dense<in_out> %h, %w bias(%b) : (tensor<?x?x3xf32>, tensor<3x7xf32>, tensor<7xf32>) -> tensor<?x?x7xf32>
    %y = math.tanh %z : tensor<?x?x7xf32>)",
                                               "causal-lm"));
  ASSERT_TRUE(found) << found.error().str();
  EXPECT_EQ(found->dimensions,
            (Dimensions{{"bias", 0}, {"head", 1}, {"table", 0}}));
}

TEST_F(FindVocabulary, DeclinesAFactoredHead) {
  expectError(model(R"(
    %a = linnet.weight "a" : tensor<1x3xf32>
    %b = linnet.weight "b" : tensor<7x1xf32>
    %y = linnet.linear #linnet.low_rank %h, %b, %a : (tensor<?x?x3xf32>, tensor<7x1xf32>, tensor<1x3xf32>) -> tensor<?x?x7xf32>)",
                    "causal-lm"),
              "expected logits that come from a dense linear map, elementwise, "
              "but got 'linnet.linear'");
}

TEST_F(FindVocabulary, DeclinesLogitsThatMixTokens) {
  expectError(model(std::string(kTied) + R"(
    %n = linnet.norm rms %y {eps = 1.0e-5 : f64} : (tensor<?x?x7xf32>) -> tensor<?x?x7xf32>
    return %n : tensor<?x?x7xf32>
  }
  func.func private @other(%y: tensor<?x?x7xf32>) -> tensor<?x?x7xf32> {)",
                    "causal-lm"),
              "'linnet.norm'");
}

TEST_F(FindVocabulary, DeclinesTablesOfTwoSizes) {
  expectError(model(kTied, "causal-lm", R"(
    %w = linnet.weight "other" : tensor<5x3xf32>
    %x = linnet.embedding %tokens, %w : (tensor<?x?xi32>, tensor<5x3xf32>) -> tensor<?x?x3xf32>)"),
              "expected 5 tokens as elsewhere, but got 7");
}

TEST_F(FindVocabulary, DeclinesTokensUsedOtherwise) {
  expectError(model(kTied, "causal-lm", R"(
    %o = arith.addi %tokens, %tokens : tensor<?x?xi32>)"),
              "expected a model that looks up its tokens and no more, but got "
              "'arith.addi'");
}

TEST_F(FindVocabulary, TakesTensorsThatAreNotReadByTheirSize) {
  add("table", {7, 3});
  add("cls.bias", {7});
  add("pooler", {3, 7});
  Result<VocabularyTensors> found = find(model(kTied, "causal-lm"));
  ASSERT_TRUE(found) << found.error().str();
  EXPECT_EQ(found->dimensions, (Dimensions{{"cls.bias", 0}, {"table", 0}}));
  EXPECT_EQ(found->unread, std::vector<std::string>{"cls.bias"});
}

TEST_F(FindVocabulary, NeedsNoHeadOfAnEncoder) {
  Result<VocabularyTensors> found = find(model(R"(
    %w = linnet.weight "projection" : tensor<7x3xf32>
    %y = linnet.linear #linnet.dense %h, %w : (tensor<?x?x3xf32>, tensor<7x3xf32>) -> tensor<?x?x7xf32>)",
                                               "encoder"));
  ASSERT_TRUE(found) << found.error().str();
  EXPECT_EQ(found->dimensions, (Dimensions{{"table", 0}}));
}

TEST(TokenIds, AreRenumberedWhereTheyStand) {
  std::vector<int32_t> kept = {2, 5, 9};
  TokenNumbers numbers(kept, 10);
  Json config = {
      {"vocab_size", 10},         {"eos_token_id", {9, 2, 77}},
      {"pad_token_id", -1},       {"bos_token_id", nullptr},
      {"hidden_size", 10},        {"text_config", {{"image_token_index", 5}}},
      {"suppress_tokens", {1, 2}}};
  std::vector<int32_t> ids;
  collectTokenIds(config, 10, ids);
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids, kept);
  std::vector<std::string> notes;
  EXPECT_TRUE(renumberTokenIds(config, numbers, "c.json", notes));
  EXPECT_EQ(config, (Json{{"vocab_size", 3},
                          {"eos_token_id", {2, 0}},
                          {"pad_token_id", -1},
                          {"bos_token_id", nullptr},
                          {"hidden_size", 10},
                          {"text_config", {{"image_token_index", 1}}},
                          {"suppress_tokens", {0}}}));
  EXPECT_EQ(notes, std::vector<std::string>{
                       "c.json: key 'eos_token_id': [9,2,77] named no token: "
                       "[2,0]"});
  Json other = {{"vocab_size", 11}};
  EXPECT_FALSE(renumberTokenIds(other, numbers, "c.json", notes));
}

} // namespace
