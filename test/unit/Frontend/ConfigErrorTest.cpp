//===- ConfigErrorTest.cpp - configurations that cannot be ----------------===//

#include "TestCheckpoint.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

struct Case {
  const char *fixture;
  const char *key;
  const char *value; // JSON; empty removes the key
  const char *error; // a part of the message
};

const Case kCases[] = {
    // Missing, of the wrong type, out of range.
    {"llama", "model_type", "", "missing key 'model_type'"},
    {"llama", "hidden_size", "", "missing key 'hidden_size'"},
    {"llama", "num_hidden_layers", "null", "missing key 'num_hidden_layers'"},
    {"llama", "vocab_size", "\"96\"",
     "'vocab_size': expected an integer, but got \"96\""},
    {"llama", "hidden_size", "0",
     "'hidden_size': expected an integer from 1 to"},
    {"llama", "hidden_size", "-32",
     "'hidden_size': expected an integer from 1 to"},
    {"llama", "num_attention_heads", "0", "'num_attention_heads'"},
    {"llama", "num_key_value_heads", "0", "'num_key_value_heads'"},
    {"llama", "head_dim", "9223372036854775807",
     "'head_dim': expected an integer from 1 to"},
    {"llama", "num_hidden_layers", "100001",
     "'num_hidden_layers': expected an integer from 1 to 100000"},
    {"llama", "num_hidden_layers", "1e300",
     "'num_hidden_layers': expected an integer"},
    {"llama", "intermediate_size", "4.5",
     "'intermediate_size': expected an integer, but got 4.5"},
    {"llama", "rms_norm_eps", "0",
     "'rms_norm_eps': expected a positive number, but got 0"},
    {"llama", "rms_norm_eps", "NaN",
     "'rms_norm_eps': expected a positive number"},
    {"llama", "attention_bias", "1",
     "'attention_bias': expected true or false, but got 1"},
    {"llama", "max_position_embeddings", "0", "'max_position_embeddings'"},
    {"llama", "eos_token_id", "\"</s>\"", "'eos_token_id'"},
    // Contradictory.
    {"llama", "num_key_value_heads", "3",
     "'num_attention_heads': expected a multiple of 'num_key_value_heads' (3), "
     "but got 4"},
    {"qwen2", "num_attention_heads", "8",
     "'hidden_size': expected a multiple of 'num_attention_heads' (8), but got "
     "36"},
    {"qwen2", "layer_types", "[\"full_attention\"]",
     "'layer_types': expected one entry for each of 2 layers, but got 1"},
    {"qwen2", "layer_types", "[\"full_attention\", \"conv\"]",
     "'layer_types': expected entries out of full_attention, "
     "sliding_attention, but got \"conv\""},
    {"gpt2", "n_head", "5",
     "'n_embd': expected a multiple of 'n_head' (5), but got 36"},
    {"mamba", "intermediate_size", "70",
     "'intermediate_size': expected expand * hidden_size, 68, but got 70"},
    {"mamba2", "head_dim", "13",
     "'head_dim': expected expand * hidden_size / num_heads (60 / 5), but got "
     "13"},
    {"mamba2-groups", "n_groups", "4",
     "'num_heads': expected a multiple of 'n_groups' (4), but got 6"},
    {"mamba2", "time_step_limit", "[1, 0.5]",
     "'time_step_limit': expected two ascending numbers"},
    {"mamba2", "time_step_limit", "[0]",
     "'time_step_limit': expected two ascending numbers"},
    {"qwen3_5", "linear_num_value_heads", "3",
     "'linear_num_value_heads': expected a multiple of 'linear_num_key_heads' "
     "(2), but got 3"},
    // Not implemented.
    {"llama", "model_type", "\"falcon\"",
     "'model_type': expected one of llama, mistral, qwen2, qwen3, "},
    {"llama", "hidden_act", "\"mish\"",
     "'hidden_act': expected one of silu, swish, gelu"},
    {"llama", "quantization_config", "{\"quant_method\": \"gptq\"}",
     "'quantization_config': expected none (not supported)"},
    {"gpt2", "add_cross_attention", "true",
     "'add_cross_attention': expected none"},
    {"bert", "is_decoder", "true", "'is_decoder': expected none"},
    {"bert", "position_embedding_type", "\"relative_key\"",
     "'position_embedding_type': expected absolute, but got \"relative_key\""},
    {"mamba2", "hidden_act", "\"gelu\"",
     "'hidden_act': expected silu, but got \"gelu\""},
    {"qwen3_5", "attn_output_gate", "false",
     "'attn_output_gate': expected true, but got false"},
    {"qwen3_5", "num_experts", "8",
     "'num_experts': expected none (not supported), but got 8"},
    {"phi", "tie_word_embeddings", "true",
     "'tie_word_embeddings': expected none (not supported), but got true"},
    {"phi3", "rope_parameters", "{\"rope_type\": \"longrope\"}",
     "'rope_type': expected default, but got \"longrope\""},
    {"olmo_hybrid", "linear_num_value_heads", "3",
     "'linear_num_value_heads': expected a multiple of 'linear_num_key_heads' "
     "(2), but got 3"},
    {"recurrent_gemma", "block_types", "[]",
     "'block_types': expected at least one entry, but got []"},
    {"recurrent_gemma", "intermediate_size", "55",
     "'intermediate_size': expected an even number, but got 55"},
    {"gemma2", "final_logit_softcapping", "0",
     "'final_logit_softcapping': expected a positive number, but got 0"},
};

class ConfigError : public testing::TestWithParam<Case> {};

TEST_P(ConfigError, IsOneLineNamingTheKey) {
  const Case &param = GetParam();
  TestCheckpoint checkpoint(param.fixture);
  if (std::string_view(param.value).empty())
    checkpoint.config.erase(param.key);
  else
    checkpoint.config[param.key] = *parseJson(param.value, "value");
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find(param.error), std::string::npos) << error;
  EXPECT_NE(error.find("config.json"), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(All, ConfigError, testing::ValuesIn(kCases),
                         [](const auto &info) {
                           return std::to_string(info.index) + "_" +
                                  std::string(info.param.key);
                         });

TEST(ConfigErrors, EveryKeyMayHoldAnything) {
  // No value of any key may crash or hang; many must be refused.
  const char *values[] = {
      "null", "0",           "-1",      "1",
      "3",    "1048576",     "9e99",    "9223372036854775807",
      "true", "\"x\"",       "[]",      "[1, -5]",
      "{}",   "{\"a\": {}}", "Infinity"};
  for (const char *fixture : {"llama-tied-llama3rope",
                              "qwen2",
                              "gpt2",
                              "bert",
                              "mamba",
                              "mamba2-groups",
                              "qwen3_5",
                              "gpt_neox",
                              "phi",
                              "phi3",
                              "gemma2",
                              "olmo_hybrid",
                              "recurrent_gemma",
                              "falcon_mamba",
                              "lfm2",
                              "bamba",
                              "falcon_h1",
                              "zamba2",
                              "rwkv",
                              "xlstm"}) {
    TestCheckpoint checkpoint(fixture);
    const Json original = checkpoint.config;
    size_t refused = 0;
    for (const auto &[key, value] : original.items()) {
      for (const char *text : values) {
        checkpoint.config = original;
        checkpoint.config[key] = *parseJson(text, "value");
        auto module = checkpoint.import();
        refused += !module;
        if (!module)
          EXPECT_EQ(module.error().str().find("internal"), std::string::npos)
              << key << " " << text << ": " << module.error().str();
      }
    }
    EXPECT_GT(refused, 50u) << fixture;
  }
}

TEST(ConfigErrors, NotAnObject) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config = Json::array({1});
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find("expected an object, but got"), std::string::npos)
      << error;
}

TEST(ConfigErrors, ContextBeyondLearnedPositions) {
  TestCheckpoint checkpoint("gpt2");
  std::string error = checkpoint.importError({.maxContext = 65});
  EXPECT_NE(error.find("expected 1 to 64 (the model's learned positions), but "
                       "got 65"),
            std::string::npos)
      << error;
  TestCheckpoint rotary("llama");
  EXPECT_TRUE(rotary.import({.maxContext = 4096}));
  rotary.importError({.maxContext = 0});
  rotary.importError({.maxContext = -3});
}

} // namespace
