//===- ExactDecodeKernelTest.cpp - prefill with the bits of decode --------===//
//
// With --exact-decode, tokens in portions of any size leave the logits and the
// states, bit for bit, that the same tokens leave one by one.
//
//===----------------------------------------------------------------------===//

#include "CompiledCheckpoint.h"

#include "linnet/Support/File.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

/// Of a step: several chunks of a recurrence, fewer than a sequence.
constexpr int64_t kBlock = 48;

using Session = std::unique_ptr<linnet_session, void (*)(linnet_session *)>;

class ExactDecode : public testing::TestWithParam<std::string> {
protected:
  Session start() {
    linnet_session *session = nullptr;
    EXPECT_EQ(linnet_session_create(model.get(), &session), LINNET_OK)
        << linnet_last_error();
    return {session, linnet_session_destroy};
  }

  /// Feeds tokens [at, at + count) of all sequences and keeps their logits.
  void feed(const Session &session, int64_t at, int64_t count,
            std::vector<float> &logits) {
    int64_t width = linnet_model_output_width(model.get());
    std::vector<int32_t> portion;
    for (int64_t b = 0; b < batch; ++b)
      portion.insert(portion.end(), tokens.begin() + b * length + at,
                     tokens.begin() + b * length + at + count);
    std::vector<float> out(size_t(batch * count * width), -1);
    ASSERT_EQ(linnet_prefill(session.get(), portion.data(), count, out.data(),
                             LINNET_ROWS_ALL),
              LINNET_OK)
        << linnet_last_error();
    for (int64_t b = 0; b < batch; ++b)
      std::copy_n(out.begin() + b * count * width, count * width,
                  logits.begin() + (b * length + at) * width);
  }

  /// The saved states: their bytes, and no more.
  std::string stateOf(const Session &session, const Compiled &compiled) {
    std::string path = compiled.file("state");
    EXPECT_EQ(linnet_state_save(session.get(), path.c_str()), LINNET_OK)
        << linnet_last_error();
    auto bytes = readFile(path);
    EXPECT_TRUE(bool(bytes));
    return bytes ? *bytes : "";
  }

  void expectExact(int64_t sequences, const std::string &mcpu) {
    Compiled compiled(GetParam(), kBlock, sequences, mcpu,
                      /*exactDecode=*/true);
    model = open(compiled, 2);
    ASSERT_TRUE(model);
    batch = sequences;
    length = tokensOf(GetParam());
    for (int64_t i = 0; i < batch * length; ++i)
      tokens.push_back(int32_t(random.integer(0, 95)));
    std::vector<float> expected(
        size_t(batch * length * linnet_model_output_width(model.get())));
    Session alone = start();
    for (int64_t at = 0; at < length; ++at)
      feed(alone, at, 1, expected);
    std::string states = stateOf(alone, compiled);
    for (int threads : {1, 3}) {
      model = open(compiled, threads);
      for (int round = 0; round < 2 * rounds(); ++round) {
        Session session = start();
        std::vector<float> actual(expected.size(), -1);
        for (int64_t at = 0, count; at < length; at += count) {
          count = round == 0 ? length
                             : random.pick<int64_t>({1, 2, 4, 7, 8, 9, 31, 50});
          count = std::min(count, length - at);
          feed(session, at, count, actual);
        }
        ASSERT_EQ(std::memcmp(expected.data(), actual.data(),
                              expected.size() * sizeof(float)),
                  0)
            << threads << " threads, round " << round;
        ASSERT_TRUE(stateOf(session, compiled) == states)
            << threads << " threads, round " << round;
      }
    }
  }

  int64_t batch = 1, length = 0;
  std::vector<int32_t> tokens;
  Model model{nullptr, linnet_model_close};
  Program random{5};
};

TEST_P(ExactDecode, OneSequence) { expectExact(1, "native"); }

/// Narrower vectors, without fused multiply-adds.
TEST_P(ExactDecode, ThreeSequencesOnAnyProcessor) { expectExact(3, "generic"); }

INSTANTIATE_TEST_SUITE_P(
    Checkpoints, ExactDecode,
    testing::Values("llama", "gemma2", "mistral", "mamba", "mamba2",
                    "qwen3_next", "mixtral", "recurrent_gemma", "rwkv",
                    "deepseek_v3", "fla/models/gated_deltanet",
                    "fla/models/rwkv7", "fla/models/gsa", "fla/models/kda"),
    [](const auto &info) {
      std::string name = info.param;
      return name.substr(name.rfind('/') + 1);
    });

} // namespace
} // namespace linnet::test
