//===- RecurrentLayoutTest.cpp - recurrent models under another spelling --===//
//
// As LayoutTest.cpp, for falcon_mamba, bamba, falcon_h1, zamba2, lfm2, rwkv and
// xlstm: options that no fixture has, made of tensors that leave the result as
// it is.
//
//===----------------------------------------------------------------------===//

#include "TestCheckpoint.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr double kTolerance = 1e-5;

/// Joins `names` after `prefix` along the first dimension into `joined`.
void join(TestCheckpoint &checkpoint, const std::string &prefix,
          const std::vector<std::string> &names, const std::string &joined) {
  TestCheckpoint::Tensor whole;
  for (const std::string &name : names) {
    auto entry = checkpoint.tensors.extract(prefix + name);
    if (!entry) {
      ADD_FAILURE() << "no tensor " << prefix << name;
      return;
    }
    const TestCheckpoint::Tensor &part = entry.mapped();
    if (whole.shape.empty()) {
      whole = part;
      continue;
    }
    whole.shape[0] += part.shape[0];
    whole.bytes.insert(whole.bytes.end(), part.bytes.begin(), part.bytes.end());
  }
  checkpoint.tensors[prefix + joined] = whole;
}

/// Adds a bias of zeros to every matrix whose name contains `part`.
void addBiases(TestCheckpoint &checkpoint, const std::string &part) {
  const std::string ending = ".weight";
  auto tensors = checkpoint.tensors;
  for (const auto &[name, tensor] : tensors)
    if (name.find(part) != std::string::npos && name.ends_with(ending))
      checkpoint.addZeros(name.substr(0, name.size() - ending.size()) + ".bias",
                          {tensor.shape[0]});
}

TEST(RecurrentLayout, XlstmFused) {
  TestCheckpoint checkpoint("xlstm");
  checkpoint.config["weight_mode"] = "fused";
  for (const char *layer : {"backbone.blocks.0.", "backbone.blocks.1."}) {
    std::string cell = std::string(layer) + "mlstm_layer.";
    join(checkpoint, cell,
         {"q.weight", "k.weight", "v.weight", "ogate_preact.weight"},
         "qkv_opreact.weight");
    for (const std::string &kind : {".weight", ".bias"})
      join(checkpoint, cell, {"igate_preact" + kind, "fgate_preact" + kind},
           "ifgate_preact" + kind);
    join(checkpoint, std::string(layer) + "ffn.",
         {"proj_up_gate.weight", "proj_up.weight"}, "proj_up_gate_z.weight");
  }
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(RecurrentLayout, XlstmWithBiasesAndOlderKeys) {
  TestCheckpoint checkpoint("xlstm");
  checkpoint.config["use_bias"] = true;
  for (const char *part :
       {"norm_mlstm", "norm_ffn", "mlstm_layer.q", "mlstm_layer.k",
        "mlstm_layer.v", "mlstm_layer.ogate", "mlstm_layer.multihead_norm",
        "mlstm_layer.out_proj", "ffn."})
    addBiases(checkpoint, part);
  checkpoint.config.erase("hidden_size");
  checkpoint.config.erase("num_hidden_layers");
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(RecurrentLayout, RwkvWithoutRescaling) {
  // Differs in what eps of the norms counts alone.
  TestCheckpoint checkpoint("rwkv");
  checkpoint.config["rescale_every"] = 0;
  double error = checkpoint.errorAgainstFixture();
  EXPECT_LE(error, 1e-4);
  EXPECT_GT(error, 1e-6);
}

TEST(RecurrentLayout, Zamba2WithTwoEqualBlocks) {
  TestCheckpoint checkpoint("zamba2");
  checkpoint.config["num_mem_blocks"] = 2;
  // A block keeps the adapters of the layers that use it.
  const std::string from = "model.layers.1.shared_transformer.";
  const std::string to = "model.layers.3.shared_transformer.";
  auto tensors = checkpoint.tensors;
  for (const auto &[name, tensor] : tensors) {
    if (!name.starts_with(from))
      continue;
    bool first = name.find("adapter_list.0.") != std::string::npos;
    bool second = name.find("adapter_list.1.") != std::string::npos;
    if (!first)
      checkpoint.tensors[to + name.substr(from.size())] = tensor;
    if (second)
      checkpoint.tensors.erase(name);
  }
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(RecurrentLayout, Zamba2WithBiasesAndAdaptersOfAttention) {
  TestCheckpoint checkpoint("zamba2");
  checkpoint.config["add_bias_linear"] = true;
  for (const char *part :
       {"mamba.in_proj", "mamba.out_proj", "gate_up_proj.", "down_proj"})
    addBiases(checkpoint, part);
  checkpoint.config["use_shared_attention_adapter"] = true;
  for (const char *part : {"q", "k", "v"})
    for (const char *j : {"0", "1"}) {
      std::string name = "model.layers.1.shared_transformer.self_attn.linear_" +
                         std::string(part) + "_adapter_list." + j;
      checkpoint.addZeros(name + ".0.weight", {6, 48});
      checkpoint.addZeros(name + ".1.weight", {48, 6});
    }
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(RecurrentLayout, FalconH1WithBiases) {
  TestCheckpoint checkpoint("falcon_h1");
  for (const char *key :
       {"mamba_proj_bias", "projectors_bias", "attention_bias", "mlp_bias"})
    checkpoint.config[key] = true;
  for (const char *part :
       {"mamba.in_proj", "mamba.out_proj", "self_attn.", "feed_forward."})
    addBiases(checkpoint, part);
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(RecurrentLayout, FalconH1NormMatters) {
  TestCheckpoint after("falcon_h1");
  after.config["mamba_norm_before_gate"] = true;
  EXPECT_GT(after.errorAgainstFixture(), 1e-3);
  TestCheckpoint none("falcon_h1");
  none.config["mamba_rms_norm"] = false;
  std::erase_if(none.tensors, [](const auto &entry) {
    return entry.first.ends_with("mamba.norm.weight");
  });
  EXPECT_GT(none.errorAgainstFixture(), 1e-3);
}

TEST(RecurrentLayout, BambaWithAutomaticHeadsAndOlderRopeKeys) {
  TestCheckpoint checkpoint("bamba");
  checkpoint.config["mamba_d_head"] = "auto";
  checkpoint.config.erase("rope_parameters");
  checkpoint.config["rope_theta"] = 10000.0;
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(RecurrentLayout, Lfm2WithOlderKeysAndBiases) {
  TestCheckpoint checkpoint("lfm2");
  checkpoint.config.erase("layer_types");
  checkpoint.config["full_attn_idxs"] = {1};
  checkpoint.config.erase("tie_word_embeddings");
  checkpoint.config["tie_embedding"] = true;
  checkpoint.config["block_ff_dim"] = 48;
  checkpoint.config["block_auto_adjust_ff_dim"] = false;
  checkpoint.config["conv_bias"] = true;
  addBiases(checkpoint, ".conv.");
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

TEST(RecurrentLayout, FalconMambaWithBiases) {
  TestCheckpoint checkpoint("falcon_mamba");
  checkpoint.config["use_bias"] = true;
  addBiases(checkpoint, "mixer.in_proj");
  addBiases(checkpoint, "mixer.out_proj");
  EXPECT_LE(checkpoint.errorAgainstFixture(), kTolerance);
}

struct Refusal {
  const char *fixture, *key, *value, *error;
};

TEST(RecurrentLayout, RefusalsNameTheKey) {
  const Refusal refusals[] = {
      {"bamba", "partial_rotary_factor", "0.25",
       "'partial_rotary_factor': expected 0.5, but got 0.25"},
      {"bamba", "attn_layer_indices", "[3]",
       "'attn_layer_indices': expected numbers of layers below 3"},
      {"bamba", "mamba_d_head", "11", "'mamba_d_head': expected"},
      {"falcon_h1", "ssm_multipliers", "[1, 1]",
       "'ssm_multipliers': expected 5 numbers"},
      {"zamba2", "use_long_context", "true", "'use_long_context': expected"},
      {"zamba2", "attention_head_dim", "10",
       "'attention_head_dim': expected 2 * hidden_size / num_attention_heads, "
       "12, but got 10"},
      {"zamba2", "layers_block_type", "", "'layers_block_type': expected"},
      {"lfm2", "tie_embedding", "false", "'tie_embedding': expected true"},
      {"lfm2", "full_attn_idxs", "[7]", ""},
      {"rwkv", "rescale_every", "1.5", "'rescale_every': expected an integer"},
      {"xlstm", "weight_mode", "\"half\"",
       "'weight_mode': expected single or fused, but got \"half\""},
      {"xlstm", "qk_dim_factor", "0.1", "'qk_dim_factor': expected a factor"},
      {"xlstm", "gate_soft_cap", "100", "'gate_soft_cap': expected"},
  };
  for (const auto &[fixture, key, value, expected] : refusals) {
    TestCheckpoint checkpoint(fixture);
    if (std::string_view(value).empty())
      checkpoint.config.erase(key);
    else
      checkpoint.config[key] = *parseJson(value, "value");
    if (std::string_view(expected).empty()) // layer_types wins
      EXPECT_TRUE(checkpoint.import()) << key;
    else
      EXPECT_NE(checkpoint.importError().find(expected), std::string::npos)
          << checkpoint.importError();
  }
}

} // namespace
