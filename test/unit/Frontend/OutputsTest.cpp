//===- OutputsTest.cpp - linear maps with their own number of outputs -----===//

#include "TestCheckpoint.h"

#include <algorithm>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr int64_t kLeft = 5;
const std::string kMlp = "model.layers.0.mlp.";

/// Keeps the first rows or columns of an f32 matrix.
void cut(TestCheckpoint::Tensor &tensor, int64_t rows, int64_t columns) {
  std::vector<std::byte> left;
  for (int64_t r = 0; r < rows; ++r) {
    auto row = tensor.bytes.begin() + r * tensor.shape[1] * 4;
    left.insert(left.end(), row, row + columns * 4);
  }
  tensor.shape = {rows, columns};
  tensor.bytes = std::move(left);
}

/// Leaves kLeft channels of the first layer's MLP, and says so.
void narrow(TestCheckpoint &checkpoint) {
  for (const char *map : {"gate_proj.weight", "up_proj.weight"}) {
    TestCheckpoint::Tensor &tensor = checkpoint.tensors.at(kMlp + map);
    cut(tensor, kLeft, tensor.shape[1]);
    checkpoint.config["linnet"]["outputs"][kMlp + map] = kLeft;
  }
  TestCheckpoint::Tensor &down =
      checkpoint.tensors.at(kMlp + "down_proj.weight");
  cut(down, down.shape[0], kLeft);
}

void expectError(TestCheckpoint &checkpoint, const std::string &expected) {
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find(expected), std::string::npos) << error;
}

/// Zeros in the place of channels are as good.
TEST(Outputs, LeaveChannelsOut) {
  TestCheckpoint checkpoint("llama"), zeros("llama");
  narrow(checkpoint);
  TestCheckpoint::Tensor &down = zeros.tensors.at(kMlp + "down_proj.weight");
  for (int64_t r = 0; r < down.shape[0]; ++r)
    std::fill(down.bytes.begin() + (r * down.shape[1] + kLeft) * 4,
              down.bytes.begin() + (r + 1) * down.shape[1] * 4, std::byte(0));
  double error = checkpoint.errorAgainstFixture();
  EXPECT_GT(error, 0.01);
  EXPECT_NEAR(error, zeros.errorAgainstFixture(), 1e-9);
}

/// What says as many as there are changes nothing.
TEST(Outputs, OfTheSizesThemselves) {
  TestCheckpoint checkpoint("llama");
  int64_t rows = checkpoint.tensors.at(kMlp + "up_proj.weight").shape[0];
  checkpoint.config["linnet"]["outputs"][kMlp + "up_proj.weight"] = rows;
  EXPECT_LT(checkpoint.errorAgainstFixture(), 2e-6);
}

TEST(OutputErrors, NoObject) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config["linnet"]["outputs"] = 3;
  expectError(checkpoint,
              "key 'linnet.outputs': expected an object, but got 3");
}

TEST(OutputErrors, NoNumber) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config["linnet"]["outputs"][kMlp + "up_proj.weight"] = 0;
  expectError(checkpoint, "key 'linnet.outputs', entry 'model.layers.0.mlp.up_"
                          "proj.weight': expected at least 1, but got 0");
}

TEST(OutputErrors, MissingTensor) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config["linnet"]["outputs"]["model.layers.9.w"] = 4;
  expectError(checkpoint, "tensor 'model.layers.9.w' not found");
}

TEST(OutputErrors, OtherShape) {
  TestCheckpoint checkpoint("llama");
  narrow(checkpoint);
  checkpoint.config.erase("linnet");
  expectError(checkpoint, "mlp.gate_proj.weight");
}

TEST(OutputErrors, GateOfAnotherWidth) {
  TestCheckpoint checkpoint("llama");
  narrow(checkpoint);
  cut(checkpoint.tensors.at(kMlp + "up_proj.weight"), 4,
      checkpoint.tensors.at(kMlp + "up_proj.weight").shape[1]);
  checkpoint.config["linnet"]["outputs"][kMlp + "up_proj.weight"] = 4;
  expectError(checkpoint, "key 'linnet.outputs': expected as many outputs of a "
                          "gate as it gates, but got 5 and 4");
}

/// Heads have no room for others.
TEST(OutputErrors, OfHeads) {
  TestCheckpoint checkpoint("llama");
  std::string name = "model.layers.0.self_attn.q_proj.weight";
  cut(checkpoint.tensors.at(name), 4, checkpoint.tensors.at(name).shape[1]);
  checkpoint.config["linnet"]["outputs"][name] = 4;
  EXPECT_FALSE(checkpoint.importError().empty());
}

} // namespace
