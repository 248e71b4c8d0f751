//===- StructuredTest.cpp - matrices that follow from factors -------------===//

#include "TestCheckpoint.h"

#include "linnet/Support/SeededBasis.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

const char *const kUp = "model.layers.0.mlp.up_proj.weight";

/// Stores matrix `name` W as W times the identity.
void factorise(TestCheckpoint &checkpoint, const std::string &name) {
  TestCheckpoint::Tensor w = checkpoint.tensors.at(name);
  checkpoint.tensors.erase(name);
  int64_t in = w.shape[1];
  std::vector<float> identity(size_t(in * in), 0.0f);
  for (int64_t i = 0; i < in; ++i)
    identity[size_t(i * in + i)] = 1;
  auto bytes = reinterpret_cast<const std::byte *>(identity.data());
  checkpoint.tensors[name + ".left"] = w;
  checkpoint.tensors[name + ".right"] = {
      DataType::F32, {in, in}, {bytes, bytes + identity.size() * 4}};
  checkpoint.config["linnet"]["structures"][name] = {
      {"structure", "low_rank"}, {"factors", {"left", "right"}}};
}

void expectError(TestCheckpoint &checkpoint, const std::string &expected) {
  std::string error = checkpoint.importError();
  EXPECT_NE(error.find(expected), std::string::npos) << error;
}

TEST(Structured, FactorsAreTheMatrix) {
  TestCheckpoint checkpoint("llama");
  for (const char *layer : {"0", "1"})
    for (const char *map : {"mlp.up_proj", "self_attn.o_proj"})
      factorise(checkpoint,
                std::string("model.layers.") + layer + "." + map + ".weight");
  EXPECT_LT(checkpoint.errorAgainstFixture(), 2e-6);
}

/// Layers whose structures differ are not the same function.
TEST(Structured, OneLayerOnly) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  auto module = checkpoint.import();
  ASSERT_TRUE(bool(module)) << module.error().str();
  EXPECT_EQ(occurrences(printed(**module), "#linnet.low_rank"), 1u);
  EXPECT_EQ(occurrences(printed(**module), "func.func private @layer"), 2u);
  EXPECT_LT(checkpoint.errorAgainstFixture(), 2e-6);
}

TEST(Structured, BothLayersShareAFunction) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  factorise(checkpoint, "model.layers.1.mlp.up_proj.weight");
  auto module = checkpoint.import();
  ASSERT_TRUE(bool(module)) << module.error().str();
  EXPECT_EQ(occurrences(printed(**module), "func.func private @layer"), 1u);
}

/// Stores matrix `name` W, whose columns are all kept, in reverse order.
void pivot(TestCheckpoint &checkpoint, const std::string &name) {
  TestCheckpoint::Tensor w = checkpoint.tensors.at(name);
  checkpoint.tensors.erase(name);
  int64_t out = w.shape[0], in = w.shape[1];
  auto *from = reinterpret_cast<const float *>(w.bytes.data());
  std::vector<float> columns(size_t(out * in));
  std::vector<int32_t> order;
  for (int64_t i = 0; i < in; ++i) {
    order.push_back(int32_t(in - 1 - i));
    for (int64_t o = 0; o < out; ++o)
      columns[size_t(o * in + i)] = from[o * in + in - 1 - i];
  }
  auto bytesOf = [](const auto &values) {
    auto *begin = reinterpret_cast<const std::byte *>(values.data());
    return std::vector<std::byte>(begin, begin + values.size() *
                                                     sizeof(values.front()));
  };
  checkpoint.tensors[name + ".columns"] = {
      DataType::F32, {out, in}, bytesOf(columns)};
  checkpoint.tensors[name + ".coefficients"] = {DataType::F32, {in, 0}, {}};
  checkpoint.tensors[name + ".order"] = {DataType::I32, {in}, bytesOf(order)};
  checkpoint.config["linnet"]["structures"][name] = {
      {"structure", "pivoted_low_rank"},
      {"factors", {"columns", "coefficients", "order"}}};
}

TEST(Structured, SortedColumns) {
  TestCheckpoint checkpoint("llama");
  pivot(checkpoint, kUp);
  EXPECT_LT(checkpoint.errorAgainstFixture(), 2e-6);
}

/// Stores matrix `name` as coefficients of the two rows of two numbers that the
/// first seed from `seed` on stands for whose rows are far from parallel.
/// Returns the seed.
int64_t storeSeeded(TestCheckpoint &checkpoint, const std::string &name,
                    int64_t seed) {
  double a[2], b[2], determinant;
  for (;; ++seed) {
    fillBasisRow(seed, 0, 2, a);
    fillBasisRow(seed, 1, 2, b);
    determinant = a[0] * b[1] - a[1] * b[0];
    if (std::abs(determinant) > 0.5)
      break;
  }
  TestCheckpoint::Tensor w = checkpoint.tensors.at(name);
  checkpoint.tensors.erase(name);
  auto *values = reinterpret_cast<float *>(w.bytes.data());
  for (int64_t e = 0; e < w.shape[0] * w.shape[1]; e += 2) {
    double left = values[e], right = values[e + 1];
    values[e] = float((left * b[1] - right * b[0]) / determinant);
    values[e + 1] = float((right * a[0] - left * a[1]) / determinant);
  }
  checkpoint.tensors[name + ".coefficients"] = w;
  checkpoint.config["linnet"]["structures"][name] = {
      {"structure", "seeded<2, 2, " + std::to_string(seed) + ">"},
      {"factors", {"coefficients"}}};
  return seed;
}

/// A model that was trained as seeds and coefficients says which in its
/// configuration; here each matrix has a seed of its own.
TEST(Structured, SeededMatrices) {
  TestCheckpoint checkpoint("llama");
  int64_t seed = 12345;
  for (const char *layer : {"0", "1"})
    for (const char *map : {"self_attn.q_proj", "self_attn.o_proj",
                            "mlp.gate_proj", "mlp.down_proj"})
      seed = 1 + storeSeeded(checkpoint,
                             std::string("model.layers.") + layer + "." + map +
                                 ".weight",
                             seed);
  auto module = checkpoint.import();
  ASSERT_TRUE(bool(module)) << module.error().str();
  EXPECT_EQ(occurrences(printed(**module), "#linnet.seeded<2, 2, "), 8u);
  EXPECT_LT(checkpoint.errorAgainstFixture(), 2e-6);
}

TEST(StructuredErrors, SeedsThatAreNone) {
  for (const char *text :
       {"seeded<2, 2, -1>", "seeded<0, 2, 1>", "seeded<2>"}) {
    TestCheckpoint checkpoint("llama");
    storeSeeded(checkpoint, kUp, 12345);
    checkpoint.config["linnet"]["structures"][kUp]["structure"] = text;
    expectError(checkpoint, std::string("expected a structure such as "
                                        "'low_rank', but got '") +
                                text + "'");
  }
}

TEST(StructuredErrors, CoefficientsOfOtherBlocks) {
  TestCheckpoint checkpoint("llama");
  storeSeeded(checkpoint, kUp, 12345);
  auto &structure = checkpoint.config["linnet"]["structures"][kUp]["structure"];
  structure = "seeded<5, 2, 12345>";
  expectError(checkpoint, "entry 'model.layers.0.mlp.up_proj.weight': expected "
                          "5 coefficients for each block of inputs");
  structure = "seeded<2, 4, 12345>";
  expectError(checkpoint, "expected factors of a map from 32 to 40 features, "
                          "but got one from 64 to 40");
}

TEST(StructuredErrors, OrderThatIsNone) {
  TestCheckpoint checkpoint("llama");
  pivot(checkpoint, kUp);
  auto &order = checkpoint.tensors.at(std::string(kUp) + ".order").bytes;
  std::copy_n(order.begin(), 4, order.begin() + 4);
  expectError(checkpoint,
              "tensor 'model.layers.0.mlp.up_proj.weight.order': expected an "
              "order of every number from 0 to 31 once, but got 31 twice");
}

TEST(StructuredErrors, IntegersForFloats) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  checkpoint.tensors.at(std::string(kUp) + ".right").dtype = DataType::I32;
  expectError(checkpoint, "to be a static matrix of floats");
}

TEST(StructuredErrors, NoObject) {
  TestCheckpoint checkpoint("llama");
  checkpoint.config["linnet"]["structures"] = "low_rank";
  expectError(checkpoint, "key 'linnet.structures': expected an object");
  checkpoint.config["linnet"] = 3;
  expectError(checkpoint, "key 'linnet': expected an object");
}

TEST(StructuredErrors, UnknownStructure) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  checkpoint.config["linnet"]["structures"][kUp]["structure"] = "high_rank";
  expectError(checkpoint,
              "entry 'model.layers.0.mlp.up_proj.weight': expected a structure "
              "such as 'low_rank', but got 'high_rank'");
}

TEST(StructuredErrors, TransitionInItsPlace) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  checkpoint.config["linnet"]["structures"][kUp]["structure"] = "scalar";
  expectError(checkpoint, "expected a structure such as 'low_rank'");
}

TEST(StructuredErrors, MissingKeys) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  checkpoint.config["linnet"]["structures"][kUp].erase("factors");
  expectError(checkpoint, "'factors'");
}

TEST(StructuredErrors, MissingFactor) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  checkpoint.tensors.erase(std::string(kUp) + ".right");
  expectError(checkpoint,
              "tensor 'model.layers.0.mlp.up_proj.weight.right' not found");
}

TEST(StructuredErrors, MatrixAndFactors) {
  TestCheckpoint checkpoint("llama");
  TestCheckpoint::Tensor w = checkpoint.tensors.at(kUp);
  factorise(checkpoint, kUp);
  checkpoint.tensors[kUp] = w;
  expectError(checkpoint,
              "unexpected tensor 'model.layers.0.mlp.up_proj.weight'");
}

TEST(StructuredErrors, FactorsThatDoNotFitEachOther) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  checkpoint.tensors.erase(std::string(kUp) + ".right");
  checkpoint.addZeros(std::string(kUp) + ".right", {3, 4});
  expectError(checkpoint, "expected both factors to have the same rank");
}

TEST(StructuredErrors, FactorsOfAnotherMap) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  int64_t in = checkpoint.tensors.at(std::string(kUp) + ".left").shape[1];
  checkpoint.tensors.erase(std::string(kUp) + ".left");
  checkpoint.addZeros(std::string(kUp) + ".left", {7, in});
  expectError(checkpoint, "expected factors of a map from ");
}

/// What is not a linear map of the model leaves its factors over.
TEST(StructuredErrors, NoSuchMap) {
  TestCheckpoint checkpoint("llama");
  factorise(checkpoint, kUp);
  auto &structures = checkpoint.config["linnet"]["structures"];
  structures["model.norm.weight"] = structures[kUp];
  checkpoint.addZeros("model.norm.weight.left", {2, 2});
  checkpoint.addZeros("model.norm.weight.right", {2, 2});
  expectError(checkpoint, "unexpected tensor 'model.norm.weight.left'");
}

} // namespace
