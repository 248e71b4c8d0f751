//===- LayoutTest.cpp - the same model under another spelling -------------===//
//
// Published files differ from freshly saved ones in prefixes, names, keys and
// extra tensors. Each test respells a fixture and expects the fixture's output.
//
//===----------------------------------------------------------------------===//

#include "TestCheckpoint.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr double kTolerance = 1e-5; // of every meta.json

class FixtureTest : public testing::TestWithParam<const char *> {};

TEST_P(FixtureTest, ComputesTheReferenceOutput) {
  EXPECT_LE(TestCheckpoint(GetParam()).errorAgainstFixture(), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(All, FixtureTest,
                         testing::Values("llama", "llama-sharded",
                                         "llama-tied-llama3rope", "mistral",
                                         "qwen2", "qwen3", "qwen3_5", "gpt2",
                                         "bert", "mamba", "mamba2",
                                         "mamba2-groups", "mamba2-dtlimit"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Layout, Gpt2WithoutPrefixAndWithMaskBuffers) {
  TestCheckpoint checkpoint("gpt2");
  checkpoint.rename("transformer.", "");
  checkpoint.addZeros("h.0.attn.bias", {1, 1, 64, 64});
  checkpoint.addZeros("h.1.attn.masked_bias", {});
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, Gpt2HeadStoredBesideTheEmbedding) {
  TestCheckpoint checkpoint("gpt2");
  checkpoint.addZeros("lm_head.weight", {96, 36});
  checkpoint.config.erase("tie_word_embeddings");
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, BertWithPrefixOldNormNamesAndHeads) {
  TestCheckpoint checkpoint("bert");
  checkpoint.rename("LayerNorm.weight", "LayerNorm.gamma");
  checkpoint.rename("LayerNorm.bias", "LayerNorm.beta");
  for (const char *part : {"embeddings.", "encoder.", "pooler."})
    checkpoint.rename(part, "bert." + std::string(part));
  checkpoint.addZeros("cls.predictions.bias", {96});
  checkpoint.addZeros("bert.embeddings.position_ids", {1, 64});
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, MambaWithTheOldEmbeddingName) {
  TestCheckpoint checkpoint("mamba");
  checkpoint.rename("backbone.embeddings.", "backbone.embedding.");
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, MambaWithAnAutomaticRank) {
  TestCheckpoint checkpoint("mamba");
  // ceil(34 / 16) is the rank of 3 that the fixture spells out.
  checkpoint.config["time_step_rank"] = "auto";
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, Mamba2WithoutTimeStepLimit) {
  TestCheckpoint checkpoint("mamba2");
  checkpoint.config.erase("time_step_limit");
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, Qwen35NestedBesideAVisionTower) {
  TestCheckpoint checkpoint("qwen3_5");
  Json text = checkpoint.config;
  checkpoint.config = {{"model_type", "qwen3_5"},
                       {"vision_config", Json::object()},
                       {"tie_word_embeddings", false}};
  checkpoint.config["text_config"] = text;
  checkpoint.rename("model.", "model.language_model.");
  checkpoint.addZeros("model.visual.patch_embed.proj.weight", {4, 3, 2, 2});
  checkpoint.addZeros("mtp.fc.weight", {28, 56});
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, Qwen35WithoutLayerTypes) {
  TestCheckpoint checkpoint("qwen3_5");
  checkpoint.config.erase("layer_types");
  checkpoint.config["full_attention_interval"] = 3;
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, LlamaWithOlderRopeKeysAndBuffers) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config.erase("rope_parameters");
  checkpoint.config["rope_theta"] = 10000.0;
  checkpoint.config["rope_scaling"] = nullptr;
  checkpoint.addZeros("model.layers.1.self_attn.rotary_emb.inv_freq", {5});
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, LlamaDefaultsThatMayBeAbsent) {
  TestCheckpoint checkpoint("llama-sharded");
  for (const char *key : {"head_dim", "rms_norm_eps", "hidden_act",
                          "attention_bias", "mlp_bias", "tie_word_embeddings"})
    checkpoint.config.erase(key);
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, TiedByAbsenceOfTheHead) {
  TestCheckpoint checkpoint("qwen2");
  ASSERT_EQ(checkpoint.tensors.count("lm_head.weight"), 0u);
  checkpoint.config.erase("tie_word_embeddings");
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, Qwen2WindowsFromMaxWindowLayers) {
  TestCheckpoint checkpoint("qwen2");
  checkpoint.config.erase("layer_types"); // max_window_layers is 1
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(Layout, WindowsMatter) {
  // The comparisons above would not notice a window that is never applied.
  TestCheckpoint off("qwen2");
  off.config["use_sliding_window"] = false;
  EXPECT_GT(off.errorAgainstFixture(), 1e-3);
  TestCheckpoint null("mistral");
  null.config["sliding_window"] = nullptr;
  EXPECT_GT(null.errorAgainstFixture(), 1e-3);
}

TEST(Layout, DtLimitMatters) {
  TestCheckpoint checkpoint("mamba2-dtlimit");
  checkpoint.config.erase("time_step_limit");
  EXPECT_GT(checkpoint.errorAgainstFixture(), 1e-3);
}

TEST(Layout, Llama3RopeMatters) {
  TestCheckpoint checkpoint("llama-tied-llama3rope");
  checkpoint.config["rope_scaling"] = nullptr;
  EXPECT_GT(checkpoint.errorAgainstFixture(), 1e-3);
}

} // namespace
