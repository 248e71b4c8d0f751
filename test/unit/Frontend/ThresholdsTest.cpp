//===- ThresholdsTest.cpp - linear maps that leave out small inputs -------===//

#include "TestCheckpoint.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

const char *const kDown = "model.layers.0.mlp.down_proj.weight";

/// Gives the inputs of matrix `name` thresholds, all of them `value`.
void threshold(TestCheckpoint &checkpoint, const std::string &name,
               float value) {
  int64_t in = checkpoint.tensors.at(name).shape[1];
  std::vector<float> values(size_t(in), value);
  auto bytes = reinterpret_cast<const std::byte *>(values.data());
  checkpoint.tensors[name + ".thresholds"] = {
      DataType::F32, {in}, {bytes, bytes + values.size() * 4}};
  checkpoint.config["linnet"]["thresholds"].push_back(name);
}

void expectError(TestCheckpoint &checkpoint, const std::string &expected) {
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find(expected), std::string::npos) << error;
}

/// Layers share a function, and no input is below zero's threshold.
TEST(Thresholds, OfZeroChangeNothing) {
  TestCheckpoint checkpoint("llama");
  for (const char *layer : {"0", "1"})
    for (const char *map : {"mlp.up_proj", "mlp.down_proj", "self_attn.o_proj"})
      threshold(checkpoint,
                std::string("model.layers.") + layer + "." + map + ".weight",
                0);
  auto module = checkpoint.import();
  ASSERT_TRUE(bool(module)) << module.error().str();
  EXPECT_EQ(occurrences(printed(**module), "linnet.threshold"), 3u);
  EXPECT_EQ(occurrences(printed(**module), "func.func private @layer"), 1u);
  EXPECT_LT(checkpoint.errorAgainstFixture(), 2e-6);
}

/// Inputs that are all small are as good as a matrix of zeros.
TEST(Thresholds, AboveAllInputsLeaveNothing) {
  TestCheckpoint checkpoint("llama"), without("llama");
  threshold(checkpoint, kDown, std::numeric_limits<float>::max());
  auto &w = without.tensors.at(kDown).bytes;
  std::fill(w.begin(), w.end(), std::byte(0));
  double error = checkpoint.errorAgainstFixture();
  EXPECT_GT(error, 0.01);
  EXPECT_DOUBLE_EQ(error, without.errorAgainstFixture());
}

/// Layers of which only one has thresholds are not the same function.
TEST(Thresholds, OneLayerOnly) {
  TestCheckpoint checkpoint("llama");
  threshold(checkpoint, kDown, 0);
  auto module = checkpoint.import();
  ASSERT_TRUE(bool(module)) << module.error().str();
  EXPECT_EQ(occurrences(printed(**module), "linnet.threshold"), 1u);
  EXPECT_EQ(occurrences(printed(**module), "func.func private @layer"), 2u);
}

TEST(ThresholdErrors, NoArray) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config["linnet"]["thresholds"] = kDown;
  expectError(checkpoint,
              "key 'linnet.thresholds': expected an array, but got");
  checkpoint.config["linnet"]["thresholds"] = {3};
  expectError(checkpoint,
              "key 'linnet.thresholds': expected names of matrices, but got 3");
}

TEST(ThresholdErrors, MissingTensor) {
  TestCheckpoint checkpoint("llama");
  threshold(checkpoint, kDown, 0);
  checkpoint.tensors.erase(std::string(kDown) + ".thresholds");
  expectError(checkpoint, "tensor 'model.layers.0.mlp.down_proj.weight."
                          "thresholds' not found");
}

TEST(ThresholdErrors, TensorThatIsNotNamed) {
  TestCheckpoint checkpoint("llama");
  threshold(checkpoint, kDown, 0);
  checkpoint.config.erase("linnet");
  expectError(checkpoint, "unexpected tensor 'model.layers.0.mlp.down_proj."
                          "weight.thresholds'");
}

/// Also where another layer with the tensor is named.
TEST(ThresholdErrors, LayerThatIsNotNamed) {
  TestCheckpoint checkpoint("llama");
  threshold(checkpoint, kDown, 0);
  threshold(checkpoint, "model.layers.1.mlp.down_proj.weight", 0);
  checkpoint.config["linnet"]["thresholds"].erase(1);
  expectError(checkpoint, "unexpected tensor 'model.layers.1.mlp.down_proj."
                          "weight.thresholds'");
}

TEST(ThresholdErrors, WrongShape) {
  TestCheckpoint checkpoint("llama");
  threshold(checkpoint, kDown, 0);
  std::string name = std::string(kDown) + ".thresholds";
  checkpoint.tensors.erase(name);
  checkpoint.addZeros(name, {7});
  expectError(checkpoint, "'model.layers.0.mlp.down_proj.weight.thresholds'");
}

/// What is no linear map of the model leaves its thresholds over.
TEST(ThresholdErrors, NoSuchMap) {
  TestCheckpoint checkpoint("llama");
  checkpoint.addZeros("model.norm.weight.thresholds", {32});
  checkpoint.config["linnet"]["thresholds"] = {"model.norm.weight"};
  expectError(checkpoint, "unexpected tensor 'model.norm.weight.thresholds'");
}

} // namespace
