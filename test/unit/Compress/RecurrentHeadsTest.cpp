//===- RecurrentHeadsTest.cpp - heads of scans ----------------------------===//

#include "TapFixture.h"

#include "lib/Compress/Channels.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Reference/Evaluator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>

namespace linnet::compress {
namespace {

using Numbers = std::vector<int64_t>;

std::string lastOf(const std::string &name) {
  std::string stem = name.ends_with(".weight") && name.find("conv") == name.npos
                         ? name.substr(0, name.size() - 7)
                         : name;
  return stem.substr(stem.rfind('.') + 1);
}

std::string partsOf(const std::vector<ProducerPart> &parts) {
  std::string text;
  for (const ProducerPart &part : parts)
    text += " " + std::to_string(part.first) + "+" + std::to_string(part.count);
  return text;
}

/// "out_proj 6 in 3 groups < in_proj 0+60, ...; A_log 0+6, ...": the first
/// group of a fixture, or why there is none.
std::string headsOf(const std::string &fixture) {
  Fixture model(fixture);
  ChannelGroups found = findChannelGroups(*model.module, model.maps);
  if (auto obstacle = found.obstacles.find(&recurrentHeads());
      obstacle != found.obstacles.end())
    return obstacle->second;
  for (const ChannelGroup &group : found.groups) {
    if (group.kind != &recurrentHeads())
      continue;
    std::string text = lastOf(model.maps.maps[group.consumer].name) + " " +
                       std::to_string(group.all.units) + " in " +
                       std::to_string(group.all.sets) + " <";
    for (const ChannelProducer &producer : group.producers)
      text += " " + lastOf(model.maps.maps[producer.map].name) +
              partsOf(producer.parts) + ",";
    std::vector<std::string> tensors;
    for (const ChannelTensor &tensor : group.tensors)
      tensors.push_back(lastOf(tensor.name) + partsOf(tensor.parts) +
                        (tensor.isOfNorm ? " of a norm" : ""));
    std::sort(tensors.begin(), tensors.end());
    for (const std::string &tensor : tensors)
      text += " " + tensor + ";";
    return text;
  }
  return "none";
}

TEST(RecurrentHeadsTest, FindsWhatGoesWithThem) {
  // z, x and dt of one map; what B and C have, all heads of a group share.
  EXPECT_EQ(headsOf("hf/mamba2-groups"),
            "out_proj 6 in 3 < in_proj 0+60 60+60 168+6, A_log 0+6; D 0+6; "
            "bias 0+60; dt_bias 0+6; norm 0+60 of a norm; weight 0+60;");
  // Multiplied by constants, and without a norm.
  EXPECT_EQ(headsOf("hf/falcon_h1").substr(0, 53),
            "out_proj 4 in 2 < in_proj 0+48 48+48 128+4, A_log 0+4");
  // Value heads of fewer key heads, each with a norm of its own.
  EXPECT_EQ(headsOf("hf/qwen3_5"),
            "out_proj 4 in 2 < in_proj_qkv 40+48, in_proj_z 0+48, in_proj_b "
            "0+4, in_proj_a 0+4, A_log 0+4; dt_bias 0+4; weight 40+48;");
  // Queries and keys of each head.
  EXPECT_EQ(headsOf("fla/models/gated_deltanet").substr(0, 18),
            "o_proj 2 in 1 < q_");
}

TEST(RecurrentHeadsTest, DeclinesWhatIsShared) {
  EXPECT_EQ(headsOf("hf/falcon_mamba"), "layer 0: a scan of one head");
  EXPECT_EQ(headsOf("hf/xlstm"),
            "layer 0: a scan whose result several operations use");
  EXPECT_EQ(headsOf("hf/qwen3_next"),
            "layer 0: a map whose outputs are not in the order of heads");
  EXPECT_EQ(headsOf("fla/models/rwkv6"),
            "layer 0: a scan with a bonus or a first state");
  EXPECT_EQ(headsOf("fla/models/rwkv7"),
            "layer 0: a norm over several heads that is not rms with a weight "
            "alone");
  EXPECT_EQ(headsOf("fla/models/retnet"),
            "layer 0: constants that heads have by their number");
  EXPECT_EQ(headsOf("fla/models/forgetting_transformer"),
            "layer 0: 'linnet.attention' between its maps, which is not known "
            "to act on each head alone");
  EXPECT_EQ(headsOf("hf/llama"), "none");
}

TEST(ChannelGroupTest, NormsAreOfWhatIsLeft) {
  ChannelGroup group{nullptr, 0, {}, 12, {4, 2}};
  group.tensors = {{"n", 12, {{0, 12, false}}, true},
                   {"d", 4, {{0, 4, false}}, false}};
  EXPECT_TRUE(group.isNormed());
  Numbers kept{3, 4, 5, 6, 7, 8};
  EXPECT_EQ(group.slicesFor(group.tensors[1], kept), (Numbers{1, 2}));
  std::map<std::string, Matrix> factors = group.normFactors(kept);
  ASSERT_EQ(factors.size(), 1u);
  const Matrix &factor = factors.begin()->second;
  for (int64_t i = 0; i < 12; ++i)
    EXPECT_EQ(factor.at(0, i), i >= 3 && i < 9 ? std::sqrt(2.0) : 0) << i;
}

//===----------------------------------------------------------------------===//
// What is left without some
//===----------------------------------------------------------------------===//

std::vector<float> valuesOf(const Archive &archive, const std::string &name) {
  const Archive::Tensor *tensor = archive.find(name);
  EXPECT_TRUE(tensor) << name;
  std::vector<float> values(tensor->bytes / dataTypeSize(tensor->dtype));
  convertToF32(tensor->data, tensor->dtype, values.data(), values.size());
  return values;
}

/// Logits of the reference evaluator.
HostTensor logitsOf(mlir::ModuleOp module, const Archive &archive,
                    const Windows &windows) {
  HostTensor tokens{{windows.batch, windows.length},
                    {windows.ids.begin(), windows.ids.end()}};
  auto evaluator = Evaluator::create(module, &archive);
  EXPECT_TRUE(bool(evaluator));
  auto logits = evaluator->run("forward", {tokens, HostTensor::scalar(0)});
  EXPECT_TRUE(bool(logits)) << logits.error().str();
  return (*logits)[0];
}

/// Without three of six heads of mamba2, the model is the one in which the
/// gates of those are 0, the norm's weights are divided by the root of what it
/// sums over more, and the map behind is the refitted one: as the reference
/// evaluator runs both. The eps of norms is too small to count.
TEST(RecurrentHeadsTest, AreAsGoodAsZeros) {
  std::string scratch = testing::TempDir() + "/linnet-heads-XXXXXX";
  ASSERT_TRUE(mkdtemp(scratch.data()));
  std::string input = scratch + "/whole";
  std::string from = std::string(LINNET_ORACLE_DIR) + "/hf/mamba2-groups";
  std::filesystem::copy(from, input);
  Result<Json> config = readJsonFile(from + "/config.json");
  ASSERT_TRUE(bool(config));
  (*config)["layer_norm_epsilon"] = 1e-12;
  std::filesystem::remove(input + "/config.json");
  ASSERT_TRUE(
      bool(writeFileAtomically(input + "/config.json", formatJson(*config))));
  CompressOptions options;
  options.input = input;
  options.output = scratch + "/narrow";
  options.calibration = "@" + input + "/tokens.npy";
  options.window = 8;
  options.keepRecurrentHeads = 0.5;
  options.refit = false;
  CompressReport report;
  Status written = compressCheckpoint(options, report);
  ASSERT_TRUE(bool(written)) << written.error().str();

  Fixture whole(input, ""), narrow(options.output, "");
  for (int layer = 0; layer < 2; ++layer) {
    std::string mixer = "backbone.layers." + std::to_string(layer) + ".mixer.";
    auto before = [&](const char *name) {
      return valuesOf(*whole.archive, mixer + name);
    };
    auto after = [&](const char *name) {
      return valuesOf(*narrow.archive, mixer + name);
    };
    // One head of each group of two, told by its decay.
    Numbers kept;
    std::vector<float> decays = before("A_log"), left = after("A_log");
    for (float decay : left)
      kept.push_back(std::find(decays.begin(), decays.end(), decay) -
                     decays.begin());
    ASSERT_EQ(kept.size(), 3u);
    for (int64_t group = 0; group < 3; ++group)
      EXPECT_EQ(kept[size_t(group)] / 2, group);
    auto isKept = [&](int64_t channel) {
      return std::find(kept.begin(), kept.end(), channel / 10) != kept.end();
    };
    auto put = [&](const char *name, const std::vector<float> &values) {
      const Archive::Tensor *tensor = whole.archive->find(mixer + name);
      std::vector<std::byte> bytes(values.size() * sizeof(float));
      std::memcpy(bytes.data(), values.data(), bytes.size());
      ASSERT_EQ(tensor->dtype, DataType::F32);
      ASSERT_TRUE(bool(whole.archive->overlay(mixer + name, DataType::F32,
                                              tensor->shape, bytes)));
    };
    std::vector<float> in = before("in_proj.weight"),
                       bias = before("in_proj.bias"),
                       norm = before("norm.weight"),
                       out = before("out_proj.weight"),
                       fitted = after("out_proj.weight");
    int64_t next = 0;
    for (int64_t channel = 0; channel < 60; ++channel) {
      for (int64_t r = 0; r < 30; ++r)
        out[size_t(r * 60 + channel)] =
            isKept(channel) ? fitted[size_t(r * 30 + next)] : 0;
      next += isKept(channel);
      norm[size_t(channel)] *= float(std::sqrt(0.5));
      if (isKept(channel))
        continue;
      bias[size_t(channel)] = 0;
      std::fill_n(in.begin() + channel * 30, 30, 0.0f);
    }
    put("in_proj.weight", in);
    put("in_proj.bias", bias);
    put("norm.weight", norm);
    put("out_proj.weight", out);
  }
  HostTensor zeroed = logitsOf(*whole.module, *whole.archive, whole.windows),
             fewer = logitsOf(*narrow.module, *narrow.archive, whole.windows);
  EXPECT_LT(*relativeRms(fewer, zeroed), 1e-6);
  HostTensor original{zeroed.shape, whole.logits};
  EXPECT_GT(*relativeRms(fewer, original), 1e-2);
  whole.archive->discardOverlay();
  std::error_code ignored;
  std::filesystem::remove_all(scratch, ignored);
}

} // namespace
} // namespace linnet::compress
