//===- StructureTest.cpp - the shape of imported modules ------------------===//

#include "TestCheckpoint.h"

#include "dialects/Linnet/Linnet.h"

#include <gtest/gtest.h>

#include <fstream>

using namespace linnet;
using namespace linnet::test;

namespace {

/// Gives a two-layer llama `layers` copies of its first layer.
void deepen(TestCheckpoint &checkpoint, int64_t layers) {
  std::map<std::string, TestCheckpoint::Tensor> copies;
  for (const auto &[name, tensor] : checkpoint.tensors)
    if (name.starts_with("model.layers.0."))
      for (int64_t i = 0; i < layers; ++i)
        copies["model.layers." + std::to_string(i) + name.substr(14)] = tensor;
  copies.merge(checkpoint.tensors);
  checkpoint.tensors = std::move(copies);
  checkpoint.config["num_hidden_layers"] = layers;
}

TEST(Structure, SizeDoesNotGrowWithDepth) {
  TestCheckpoint shallow("llama"), deep("llama");
  deepen(deep, 32);
  auto two = shallow.import();
  auto thirtyTwo = deep.import();
  ASSERT_TRUE(two);
  ASSERT_TRUE(thirtyTwo) << thirtyTwo.error().str();
  size_t size = printed(two->get()).size();
  EXPECT_LE(printed(thirtyTwo->get()).size(), size * 6 / 5);
  EXPECT_EQ(occurrences(printed(thirtyTwo->get()), "func.func private @layer("),
            1u);
}

TEST(Structure, LayersOfAnotherDtypeAreAnotherFunction) {
  TestCheckpoint checkpoint("llama");
  auto &tensor = checkpoint.tensors["model.layers.1.mlp.up_proj.weight"];
  tensor.dtype = DataType::BF16;
  tensor.bytes.resize(tensor.bytes.size() / 2);
  auto module = checkpoint.import();
  ASSERT_TRUE(module) << module.error().str();
  std::string text = printed(module->get());
  EXPECT_NE(text.find("linnet.stack [@layer_0, @layer_1] order [0, 1]"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("tensor<40x32xbf16>"), std::string::npos);
}

TEST(Structure, AlternatingLayersShareTheirFunctions) {
  TestCheckpoint checkpoint("qwen2");
  deepen(checkpoint, 4);
  checkpoint.config["layer_types"] = {"full_attention", "sliding_attention",
                                      "full_attention", "sliding_attention"};
  auto module = checkpoint.import();
  ASSERT_TRUE(module) << module.error().str();
  EXPECT_NE(printed(module->get())
                .find("linnet.stack [@layer_full_attention, "
                      "@layer_sliding_attention] order [0, 1, 0, 1]"),
            std::string::npos);
}

TEST(Structure, ScaleByLayerMakesLayersDistinct) {
  TestCheckpoint checkpoint("gpt2");
  checkpoint.config["scale_attn_by_inverse_layer_idx"] = true;
  auto module = checkpoint.import();
  ASSERT_TRUE(module) << module.error().str();
  std::string text = printed(module->get());
  // Heads of 9: scales 1/3 and 1/6.
  EXPECT_NE(text.find("scale = 0.33333333333333331"), std::string::npos);
  EXPECT_NE(text.find("scale = 0.16666666666666666"), std::string::npos);
}

TEST(Structure, FactsForTheRuntime) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config["eos_token_id"] = {2, 5, 1000000};
  auto module = checkpoint.import({.maxContext = 77});
  ASSERT_TRUE(module);
  auto facts = (*module)->getOperation()->getAttrOfType<mlir::DictionaryAttr>(
      mlir::linnet::kModelAttr);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts.getAs<mlir::IntegerAttr>("max_context").getInt(), 77);
  EXPECT_EQ(facts.getAs<mlir::IntegerAttr>("num_layers").getInt(), 2);
  EXPECT_EQ(facts.getAs<mlir::IntegerAttr>("vocab_size").getInt(), 96);
  EXPECT_EQ(facts.getAs<mlir::StringAttr>("kind").getValue(), "causal-lm");
  EXPECT_EQ(facts.getAs<mlir::DenseI64ArrayAttr>("eos").asArrayRef(),
            llvm::ArrayRef<int64_t>({2, 5}));
  auto archive = (*module)->getOperation()->getAttrOfType<mlir::StringAttr>(
      mlir::linnet::kArchiveAttr);
  EXPECT_EQ(archive.getValue(), checkpoint.directory());
}

TEST(Structure, GenerationConfigurationNamesTheEnd) {
  TestCheckpoint checkpoint("llama");
  ASSERT_TRUE(checkpoint.import());
  std::ofstream(checkpoint.directory() + "/generation_config.json")
      << R"({"eos_token_id": [7, 8], "temperature": 0.6})";
  auto module = checkpoint.import();
  ASSERT_TRUE(module);
  auto facts = (*module)->getOperation()->getAttrOfType<mlir::DictionaryAttr>(
      mlir::linnet::kModelAttr);
  EXPECT_EQ(facts.getAs<mlir::DenseI64ArrayAttr>("eos").asArrayRef(),
            llvm::ArrayRef<int64_t>({7, 8}));
  EXPECT_EQ(facts.getAs<mlir::DenseI64ArrayAttr>("bos").asArrayRef(),
            llvm::ArrayRef<int64_t>({1}));
}

} // namespace
