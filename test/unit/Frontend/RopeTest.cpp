//===- RopeTest.cpp - rotary frequencies ----------------------------------===//
//
// Expected values are worked out by hand from the published formulas.
//
//===----------------------------------------------------------------------===//

#include "lib/Frontend/Rope.h"

#include <gtest/gtest.h>

using namespace linnet;

namespace {

Rope read(Json json, int64_t headDim = 8, int64_t positions = 32,
          std::string *error = nullptr) {
  Config config(std::move(json), "config.json");
  Rope rope = readRope(config, headDim, positions);
  Status status = config.status();
  if (error)
    *error = status ? "" : status.error().str();
  else
    EXPECT_TRUE(status) << status.error().str();
  return rope;
}

void expectFrequencies(const Rope &rope, std::vector<double> expected) {
  ASSERT_EQ(rope.inverseFrequencies.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_FLOAT_EQ(rope.inverseFrequencies[i], expected[i]) << i;
}

TEST(Rope, DefaultsToTheta10000) {
  expectFrequencies(read(Json::object()), {1.0, 0.1, 0.01, 0.001});
}

TEST(Rope, InnerValuesWin) {
  expectFrequencies(
      read({{"rope_theta", 77.0},
            {"partial_rotary_factor", 1.0},
            {"rope_parameters",
             {{"rope_theta", 100.0}, {"partial_rotary_factor", 0.5}}}}),
      {1.0, 0.1});
}

TEST(Rope, PartialWidthIsTruncated) {
  // int(10 * 0.45) = 4
  expectFrequencies(read({{"partial_rotary_factor", 0.45}}, 10), {1.0, 0.01});
}

TEST(Rope, Linear) {
  expectFrequencies(
      read({{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}}}),
      {0.25, 0.025, 0.0025, 0.00025});
}

TEST(Rope, Llama3KeepsShortStretchesLongAndInterpolates) {
  // Wavelengths 6.28, 62.8, 628, 6283 against the borders 256 / 4 = 64 and
  // 256 / 1 = 256: kept, kept, stretched, stretched.
  Json scaling = {{"rope_type", "llama3"},
                  {"factor", 8.0},
                  {"low_freq_factor", 1.0},
                  {"high_freq_factor", 4.0},
                  {"original_max_position_embeddings", 256}};
  expectFrequencies(read({{"rope_scaling", scaling}}),
                    {1.0, 0.1, 0.01 / 8, 0.001 / 8});
  // Border 512: 628 is still beyond; at 1024 it lies between, with
  // t = (1024 / 628.3185 - 1) / 3 = 0.20991553.
  scaling["original_max_position_embeddings"] = 1024;
  double t = (1024 / (2 * 3.14159265358979323846 / 0.01) - 1) / 3;
  expectFrequencies(read({{"rope_scaling", scaling}}),
                    {1.0, 0.1, (1 - t) * 0.01 / 8 + t * 0.01, 0.001 / 8});
}

TEST(Rope, YarnRampsOverPairs) {
  // d(32) < 0 gives 0, d(1) = 8 ln(4096 / 2pi) / (2 ln 10000) = 2.81 gives 3.
  Json scaling = {{"rope_type", "yarn"},
                  {"factor", 4.0},
                  {"original_max_position_embeddings", 4096},
                  {"beta_fast", 700.0}};
  Rope rope = read({{"rope_scaling", scaling}});
  auto mixed = [](double f, double ramp) {
    return f / 4 * ramp + f * (1 - ramp);
  };
  expectFrequencies(rope, {mixed(1.0, 0.0), mixed(0.1, 1.0 / 3),
                           mixed(0.01, 2.0 / 3), mixed(0.001, 1.0)});
  EXPECT_FLOAT_EQ(rope.scaling, 1.1386294f); // 0.1 ln 4 + 1
}

TEST(Rope, YarnMagnitudes) {
  Json scaling = {{"rope_type", "yarn"}, {"factor", 4.0}};
  scaling["attention_factor"] = 0.75;
  EXPECT_FLOAT_EQ(read({{"rope_scaling", scaling}}).scaling, 0.75f);
  scaling.erase("attention_factor");
  scaling["mscale"] = 2.0;
  scaling["mscale_all_dim"] = 1.0;
  EXPECT_FLOAT_EQ(read({{"rope_scaling", scaling}}).scaling,
                  1.2772589f / 1.1386294f);
}

TEST(Rope, RefusesWhatItDoesNotImplement) {
  std::string error;
  read({{"rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}}}, 8, 32,
       &error);
  EXPECT_EQ(error, "config.json: rope_scaling: key 'type': expected default, "
                   "linear, llama3 or yarn, but got \"dynamic\"");
  read({{"rope_parameters", {{"rope_type", "longrope"}}}}, 8, 32, &error);
  EXPECT_NE(error.find("key 'rope_type'"), std::string::npos) << error;
  read({{"rope_parameters", {{"full_attention", {{"rope_type", "default"}}}}}},
       8, 32, &error);
  EXPECT_NE(error.find("full_attention"), std::string::npos) << error;
}

TEST(Rope, RefusesImpossibleNumbers) {
  std::string error;
  read({{"rope_theta", 0.0}}, 8, 32, &error);
  EXPECT_NE(error.find("rope_theta"), std::string::npos) << error;
  read({{"rope_theta", 1.0}}, 8, 32, &error);
  EXPECT_NE(error.find("rope_theta"), std::string::npos) << error;
  read({{"partial_rotary_factor", 1.5}}, 8, 32, &error);
  EXPECT_NE(error.find("partial_rotary_factor"), std::string::npos) << error;
  read(Json::object(), 7, 32, &error);
  EXPECT_NE(error.find("even number of the 7 entries"), std::string::npos)
      << error;
  read({{"rope_scaling", {{"type", "linear"}, {"factor", -1}}}}, 8, 32, &error);
  EXPECT_NE(error.find("'factor': expected a positive number, but got -1"),
            std::string::npos)
      << error;
  read({{"rope_scaling", {{"type", "linear"}}}}, 8, 32, &error);
  EXPECT_NE(error.find("missing key 'factor'"), std::string::npos) << error;
  read({{"rope_scaling", 3}}, 8, 32, &error);
  EXPECT_NE(error.find("'rope_scaling': expected an object"), std::string::npos)
      << error;
}

} // namespace
