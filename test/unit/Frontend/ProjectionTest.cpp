//===- ProjectionTest.cpp - narrower outputs of encoders ------------------===//

#include "TestCheckpoint.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

const char *const kName = "linnet.output_projection.weight";

/// BERT's fixture with the first `rows` rows of the identity behind it.
void project(TestCheckpoint &checkpoint, int64_t rows) {
  std::vector<float> identity(size_t(rows * 36), 0.0f);
  for (int64_t i = 0; i < rows; ++i)
    identity[size_t(i * 36 + i)] = 1;
  auto bytes = reinterpret_cast<const std::byte *>(identity.data());
  checkpoint.tensors[kName] = {
      DataType::F32, {rows, 36}, {bytes, bytes + identity.size() * 4}};
  checkpoint.config["linnet"]["output_projection"] = kName;
}

void expectError(TestCheckpoint &checkpoint, const std::string &expected) {
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find(expected), std::string::npos) << error;
}

TEST(Projection, StandsBehindTheLayers) {
  TestCheckpoint checkpoint("bert");
  project(checkpoint, 5);
  auto module = checkpoint.import();
  ASSERT_TRUE(bool(module)) << module.error().str();
  EXPECT_EQ(occurrences(printed(**module),
                        "-> (tensor<?x?x5xf32> {linnet.name = \"hidden\"})"),
            1u);
  EXPECT_EQ(occurrences(printed(**module), "linnet.weight \"" +
                                               std::string(kName) +
                                               "\" : tensor<5x36xf32>"),
            1u);
}

TEST(Projection, OfTheIdentityChangesNothing) {
  TestCheckpoint checkpoint("bert");
  project(checkpoint, 36);
  EXPECT_LT(checkpoint.errorAgainstFixture(), 2e-6);
}

TEST(Projection, DeclinesLanguageModels) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config["linnet"]["output_projection"] = kName;
  expectError(checkpoint, "config.json: key 'linnet.output_projection': "
                          "expected an encoder, but got a causal-lm");
}

TEST(Projection, NeedsTheTensor) {
  TestCheckpoint checkpoint("bert");
  checkpoint.config["linnet"]["output_projection"] = kName;
  expectError(checkpoint, "key 'linnet.output_projection': ");
  expectError(checkpoint, kName);
}

TEST(Projection, NeedsAName) {
  TestCheckpoint checkpoint("bert");
  checkpoint.config["linnet"]["output_projection"] = 7;
  expectError(checkpoint, "expected the name of a tensor, but got 7");
}

TEST(Projection, IsAsWideAsTheModel) {
  TestCheckpoint checkpoint("bert");
  project(checkpoint, 5);
  checkpoint.addZeros(kName, {5, 35});
  expectError(checkpoint, "expected shape [?, 36], but got [5, 35]");
}

TEST(Projection, WithoutTheKeyIsAnUnknownTensor) {
  TestCheckpoint checkpoint("bert");
  project(checkpoint, 5);
  checkpoint.config.erase("linnet");
  expectError(checkpoint, "unexpected tensor");
}

} // namespace
