//===- StateChannelsTest.cpp - scans with a narrower state ----------------===//

#include "TapFixture.h"

#include "lib/Compress/StateChannels.h"
#include "lib/Compress/StateScores.h"
#include "lib/Compress/TapStates.h"

#include <cmath>
#include <gtest/gtest.h>

namespace linnet::compress {
namespace {

using Numbers = std::vector<int64_t>;

std::string lastOf(const std::string &name) {
  size_t end = name.ends_with(".weight") ? name.size() - 7 : name.size();
  size_t at = name.rfind('.', end - 1);
  return name.substr(at + 1, end - at - 1);
}

/// " 120+24:0 ...": runs of labels that count up, with their first.
std::string runsOf(const Labels &labels) {
  std::string text;
  for (size_t at = 0, end; at < labels.size(); at = end) {
    for (end = at + 1;
         end < labels.size() &&
         labels[end] == (labels[at] == kNone ? kNone : labels[end - 1] + 1);)
      ++end;
    if (labels[at] != kNone)
      text += " " + std::to_string(at) + "+" + std::to_string(end - at) + ":" +
              std::to_string(labels[at]);
  }
  return text;
}

/// The first state of a fixture, or why there is none.
std::string stateOf(const std::string &fixture) {
  Fixture model(fixture);
  ScanStates found = findScanStates(*model.module, model.maps);
  if (!found.obstacle.empty())
    return found.obstacle;
  if (found.states.empty())
    return "none";
  const ScanState &state = found.states.front();
  std::string text = std::to_string(state.groups) + " of " +
                     std::to_string(state.channels) +
                     (state.isScaled ? " scaled <" : " <");
  for (const ScanState::Rows &rows : state.rows)
    text += " " + lastOf(model.maps.maps[rows.map].name) + runsOf(rows.labels) +
            (rows.bias.empty() ? "," : " bias,");
  std::vector<std::string> slices;
  for (const ScanState::Slices &own : state.slices)
    slices.push_back(lastOf(own.tensor) +
                     (own.labels.dimension ? " along 1" : "") +
                     runsOf(own.labels.labels));
  std::sort(slices.begin(), slices.end());
  for (const std::string &slice : slices)
    text += " " + slice + ";";
  return text;
}

TEST(StateChannelsTest, FindsWhatGoesWithThem) {
  // B behind x and z, then C; what is read is C, of three groups.
  EXPECT_EQ(stateOf("hf/mamba2-groups"),
            "3 of 8 < in_proj 120+24:0 144+24:0 bias, bias 60+24:0 84+24:0; "
            "conv1d 60+24:0 84+24:0;");
  // One group of all heads.
  EXPECT_EQ(stateOf("hf/bamba"),
            "1 of 8 < in_proj 96+8:0 104+8:0, bias 48+8:0 56+8:0; "
            "conv1d 48+8:0 56+8:0;");
  // Constants by channels of the convolution, the same for all.
  EXPECT_EQ(stateOf("hf/falcon_h1").substr(0, 8), "2 of 8 <");
  // Not dt; of the state's decays the second dimension.
  EXPECT_EQ(stateOf("hf/mamba"),
            "1 of 8 < x_proj 3+8:0 11+8:0, A_log along 1 0+8:0;");
  // Norms of queries and keys, whose convolution is one with that of values.
  EXPECT_EQ(stateOf("hf/qwen3_5"),
            "2 of 10 scaled < in_proj_qkv 0+20:0 20+20:0, "
            "conv1d 0+20:0 20+20:0;");
  // Decays of each channel, from maps of two factors.
  EXPECT_EQ(stateOf("fla/models/gla"),
            "2 of 12 scaled < q_proj 0+24:0, k_proj 0+24:0, 1 0+24:0 bias,");
}

TEST(StateChannelsTest, SharesAmongHeadsWhatTheyShare) {
  // Four query heads of two key heads.
  std::string queries = stateOf("fla/models/gla-conv-gqa");
  EXPECT_EQ(queries.substr(0, 55),
            "2 of 6 scaled < q_proj 0+6:0 6+12:0 18+6:6, k_proj 0+12");
  // Four decays of two key heads.
  EXPECT_EQ(stateOf("fla/models/kda-gva-safe").substr(0, 7), "2 of 16");
}

TEST(StateChannelsTest, DeclinesWhatCannotBeToldApart) {
  EXPECT_EQ(stateOf("fla/models/retnet"),
            "layer 0: 'linnet.rotary' between its maps, which is not known to "
            "act on each key channel alone");
  EXPECT_EQ(stateOf("hf/falcon_mamba"),
            "layer 0: a norm of kind rms over key channels, which is another "
            "over fewer");
  EXPECT_EQ(stateOf("hf/xlstm"),
            "layer 0: a scan whose scale is that of its key channels, without "
            "a norm behind");
  EXPECT_EQ(stateOf("hf/recurrent_gemma"),
            "layer 0: a scan of one key channel");
  EXPECT_EQ(stateOf("fla/models/rwkv6"),
            "layer 0: a scan with a bonus, a first state or several steps for "
            "each token");
  EXPECT_EQ(stateOf("fla/models/gated_deltaproduct"),
            stateOf("fla/models/rwkv6"));
  EXPECT_EQ(stateOf("fla/models/gsa"), "layer 0: several scans");
  EXPECT_EQ(stateOf("fla/models/linear_attn-norm"),
            "layer 0: 'arith.addf' between its maps, which 'linalg.generic' "
            "uses too");
  EXPECT_EQ(stateOf("hf/llama"), "none");
}

TEST(StateChannelsTest, KeepsTheBestOfEachGroup) {
  ScanState state;
  state.groups = 2;
  state.channels = 4;
  EXPECT_EQ(keepBestChannels(state, {1, 5, 3, 3, 9, 0, 8, 7}, 2),
            (Numbers{1, 2, 4, 6}));
  EXPECT_EQ(ScanState::pick({kNone, 0, 1, 2, 3, kNone, 1}, {1, 3}),
            (Numbers{0, 2, 4, 5, 6}));
  EXPECT_EQ(writeChannels(state, {1, 2, 4, 6}).dump(), "[[1,2],[0,2]]");
}

TEST(SliceLabelsTest, AreAlongOneDimension) {
  auto rows = slicesOf({7, 7, 8, 8}, {2, 2});
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->dimension, 0);
  EXPECT_EQ(rows->labels, (Labels{7, 8}));
  auto columns = slicesOf({7, 8, 9, 7, 8, 9}, {2, 3});
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->dimension, 1);
  EXPECT_EQ(columns->labels, (Labels{7, 8, 9}));
  EXPECT_FALSE(slicesOf({7, 8, 8, 7}, {2, 2}));
}

/// What taps show of queries and keys, and of layers whose channels are masked.
TEST(StateChannelsTest, AreScoredByQueriesAndKeys) {
  Fixture model("hf/mamba2-groups");
  ScanStates found = findScanStates(*model.module, model.maps);
  ASSERT_EQ(found.states.size(), 2u);
  Result<TapRunner> runner = TapRunner::create(
      *model.module, *model.archive, model.maps, model.windows.batch,
      model.windows.length, /*withStates=*/true);
  ASSERT_TRUE(bool(runner)) << runner.error().str();
  auto scores =
      scoreChannels(*runner, found.states, model.windows, CompressReport());
  ASSERT_TRUE(bool(scores)) << scores.error().str();
  Result<HiddenStates> hidden = runner->begin(model.windows);
  ASSERT_TRUE(bool(hidden));
  const TapScan &tap = runner->layer(0).scans.front();
  Result<OpenTap> opened = runner->openScan(0, tap);
  ASSERT_TRUE(bool(opened));
  std::vector<Activations> shown;
  ASSERT_TRUE(bool(opened->run(runner->inputsOf(*hidden, 0), shown)));
  int64_t tokens = runner->stepTokens();
  for (size_t unit = 0; unit < 24; ++unit) {
    double query = 0, key = 0;
    for (int64_t token = 0; token < tokens; ++token) {
      double q = shown[tap.query.number][size_t(token) * 24 + unit],
             k = shown[tap.key.number][size_t(token) * 24 + unit];
      query += q * q / double(tokens);
      key += k * k / double(tokens);
    }
    // Two heads read each group.
    EXPECT_NEAR((*scores)[0][unit], 2 * query * key, 1e-9 + 1e-6 * query * key)
        << unit;
  }

  // All masked but the last: the layer's scan reads another state.
  Replacements masks;
  for (size_t i = 0; i < 2; ++i) {
    Matrix mask(1, 24);
    for (int64_t unit : {7, 15, 23})
      mask.at(0, unit) = 1;
    masks[stateMaskOf(found.states[0].name, i)] = mask;
  }
  HiddenStates masked = *hidden, whole = *hidden;
  for (auto *states : {&masked, &whole}) {
    Result<OpenTap> layer =
        runner->openWhole(0, states == &masked ? masks : Replacements());
    ASSERT_TRUE(bool(layer)) << layer.error().str();
    ASSERT_TRUE(bool(runner->advance(0, *layer, *states)));
  }
  EXPECT_NE(masked.carried[0], whole.carried[0]);
}

} // namespace
} // namespace linnet::compress
