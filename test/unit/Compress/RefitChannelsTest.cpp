//===- RefitChannelsTest.cpp - the maps around narrower channels ----------===//

#include "TapFixture.h"

#include "lib/Compress/Channels.h"
#include "lib/Compress/LayerPass.h"
#include "lib/Compress/RefitChannels.h"

#include <cmath>

namespace linnet::compress {
namespace {

class ChannelTaps : public ::testing::TestWithParam<const char *> {};

/// What a tap makes of producers' outputs is the consumer's input.
TEST_P(ChannelTaps, MakeWhatConsumersTake) {
  Fixture fixture(GetParam());
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner)) << runner.error().str();
  ChannelGroups groups = findChannelGroups(*fixture.module, fixture.maps);
  Result<HiddenStates> states = runner->begin(fixture.windows);
  ASSERT_TRUE(bool(states));
  LayerPass pass(*runner, 0, *states);
  int64_t tokens = runner->stepTokens();
  int seen = 0;
  for (size_t stage = 0; stage < runner->layer(0).stages.size(); ++stage) {
    ASSERT_TRUE(pass.open(stage, {}));
    StepValues values;
    ASSERT_TRUE(pass.run(values));
    for (const TapSite &site : runner->layer(0).stages[stage].sites) {
      size_t number = runner->mapOf(0, site);
      const ChannelGroup *group = nullptr;
      for (const ChannelGroup &other : groups.groups)
        if (other.kind == &mlpChannels() && other.consumer == number)
          group = &other;
      ASSERT_EQ(bool(group), site.channels.has_value());
      if (!group)
        continue;
      ++seen;
      int64_t width = site.channels->width;
      EXPECT_EQ(width, group->width);
      std::vector<std::vector<float>> y;
      for (const std::string &key : site.channels->producers) {
        size_t producer = runner->mapAt(0, key);
        const LinearMap &map = fixture.maps.maps[producer];
        Result<Matrix> w = readMatrix(map, *fixture.archive);
        ASSERT_TRUE(bool(w));
        std::vector<float> stored(w->data(), w->data() + w->size());
        y.emplace_back(size_t(tokens * width));
        mapTokens(stored.data(), map.rows, map.columns,
                  values.of(site.channels->input), tokens, y.back().data());
        for (const ChannelProducer &own : group->producers) {
          if (own.map != producer || own.bias.empty())
            continue;
          const Archive::Tensor *bias = fixture.archive->find(own.bias);
          std::vector<float> added(static_cast<size_t>(width));
          convertToF32(bias->data, bias->dtype, added.data(), added.size());
          for (size_t e = 0; e < y.back().size(); ++e)
            y.back()[e] += added[e % added.size()];
        }
      }
      std::vector<const void *> inputs;
      for (const std::vector<float> &one : y)
        inputs.push_back(one.data());
      Result<OpenTap> tap = runner->openChannels(*site.channels);
      ASSERT_TRUE(bool(tap)) << tap.error().str();
      std::vector<Activations> made;
      ASSERT_TRUE(tap->run(inputs, made));
      ASSERT_EQ(made.size(), 1u);
      ASSERT_EQ(int64_t(made[0].size()), tokens * width);
      const float *expected = values.of(site.input);
      for (int64_t e = 0; e < tokens * width; ++e)
        ASSERT_NEAR(made[0][size_t(e)], expected[e],
                    1e-5 * (1 + std::abs(expected[e])))
            << e;
    }
  }
  EXPECT_EQ(seen, 1);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ChannelTaps,
                         ::testing::Values("hf/llama", "hf/gpt2", "hf/bert",
                                           "hf/phi"));

} // namespace
} // namespace linnet::compress
