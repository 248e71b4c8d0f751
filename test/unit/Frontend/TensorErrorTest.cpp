//===- TensorErrorTest.cpp - tensors that do not fit ----------------------===//

#include "TestCheckpoint.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

TEST(TensorErrors, MissingInSomeLayer) {
  TestCheckpoint checkpoint("llama");
  checkpoint.tensors.erase("model.layers.1.mlp.up_proj.weight");
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find("tensor 'model.layers.1.mlp.up_proj.weight' not found"),
            std::string::npos)
      << error;
}

TEST(TensorErrors, MissingHeadThatIsNotTied) {
  TestCheckpoint checkpoint("llama");
  checkpoint.tensors.erase("lm_head.weight");
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find("'lm_head.weight' not found"), std::string::npos)
      << error;
}

TEST(TensorErrors, MoreLayersThanStored) {
  TestCheckpoint checkpoint("gpt2");
  checkpoint.config["n_layer"] = 100000;
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find("'transformer.h.2.ln_1.weight' not found"),
            std::string::npos)
      << error;
}

TEST(TensorErrors, WrongShapeInSomeLayer) {
  TestCheckpoint checkpoint("llama");
  checkpoint.addZeros("model.layers.1.mlp.up_proj.weight", {32, 40});
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find("'model.layers.1.mlp.up_proj.weight'"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("expected shape [40, 32], but got [32, 40]"),
            std::string::npos)
      << error;
}

TEST(TensorErrors, ConfigurationOfAnotherSize) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config["hidden_size"] = 48;
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find("'model.embed_tokens.weight'"), std::string::npos)
      << error;
  EXPECT_NE(error.find("expected shape [96, 48], but got [96, 32]"),
            std::string::npos)
      << error;
}

TEST(TensorErrors, IntegersAreNoWeights) {
  TestCheckpoint checkpoint("llama");
  checkpoint.tensors["model.norm.weight"].dtype = DataType::I32;
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find("'model.norm.weight'"), std::string::npos) << error;
  EXPECT_NE(error.find("expected a floating-point type, but got I32"),
            std::string::npos)
      << error;
}

TEST(TensorErrors, Unexpected) {
  TestCheckpoint checkpoint("llama");
  checkpoint.addZeros("model.layers.0.self_attn.q_proj.bias", {40});
  checkpoint.addZeros("model.layers.1.self_attn.q_proj.bias", {40});
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find("unexpected tensor 'model.layers.0.self_attn.q_proj."
                       "bias' (and 1 more)"),
            std::string::npos)
      << error;
}

TEST(TensorErrors, UnexpectedLayer) {
  for (const char *name :
       {"model.layers.2.mlp.up_proj.weight",
        "model.layers.00.mlp.up_proj.weight",
        "model.layers.-1.mlp.up_proj.weight",
        "model.layers.99999999999999999999.mlp.up_proj.weight",
        "model.layers.{}.mlp.up_proj.weight", "model.layers.0.", "x"}) {
    TestCheckpoint checkpoint("llama");
    checkpoint.addZeros(name, {40, 32});
    std::string error = checkpoint.importError();
    EXPECT_NE(error.find("unexpected tensor '" + std::string(name) + "'"),
              std::string::npos)
        << error;
  }
}

TEST(TensorErrors, EachTensorIsNeeded) {
  // Dropping any tensor must be noticed, but for those that are only ignored.
  for (const char *fixture : {"llama", "qwen3", "qwen3_5", "gpt2", "bert",
                              "mamba", "mamba2-groups"}) {
    std::map<std::string, TestCheckpoint::Tensor> original =
        TestCheckpoint(fixture).tensors;
    TestCheckpoint checkpoint(fixture);
    for (const auto &[name, tensor] : original) {
      if (name.starts_with("pooler."))
        continue;
      checkpoint.tensors = original;
      checkpoint.tensors.erase(name);
      std::string error = checkpoint.importError();
      EXPECT_NE(error.find("tensor '" + name + "' not found"),
                std::string::npos)
          << error;
    }
  }
}

} // namespace
