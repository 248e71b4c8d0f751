//===- RollbackKernelTest.cpp - compiled models that go back --------------===//
//
// A session that took tokens back must equal in every bit one that never saw
// them.
//
//===----------------------------------------------------------------------===//

#include "CompiledCheckpoint.h"

#include <algorithm>
#include <bit>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

/// Of a step: fewer than what is kept, more than a chunk of a recurrence.
constexpr int64_t kBlock = 40;
constexpr int64_t kKept = 60;

using Session = std::unique_ptr<linnet_session, void (*)(linnet_session *)>;

Session start(const Model &model) {
  linnet_session *session = nullptr;
  EXPECT_EQ(linnet_session_create(model.get(), &session), LINNET_OK)
      << linnet_last_error();
  return {session, linnet_session_destroy};
}

/// The tokens of each call a session was given, of all sequences of its batch.
using Calls = std::vector<std::vector<int32_t>>;

class RollbackKernel : public testing::TestWithParam<std::string> {
protected:
  std::vector<int32_t> randomTokens(int64_t n) {
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < batch * n; ++i)
      tokens.push_back(int32_t(random.integer(0, 95)));
    return tokens;
  }

  /// The bits of all rows.
  std::vector<uint32_t> feed(const Session &session,
                             const std::vector<int32_t> &tokens) {
    int64_t width = linnet_model_output_width(model.get());
    std::vector<float> out(tokens.size() * size_t(width), -1);
    EXPECT_EQ(linnet_prefill(session.get(), tokens.data(),
                             int64_t(tokens.size()) / batch, out.data(),
                             LINNET_ROWS_ALL),
              LINNET_OK)
        << linnet_last_error();
    std::vector<uint32_t> bits;
    for (float value : out)
      bits.push_back(std::bit_cast<uint32_t>(value));
    return bits;
  }

  /// Takes the last `n` tokens of each sequence out of `calls`.
  void drop(Calls &calls, int64_t n) {
    while (n > 0) {
      int64_t last = int64_t(calls.back().size()) / batch;
      int64_t left = std::max<int64_t>(last - n, 0);
      n -= last - left;
      std::vector<int32_t> cut;
      for (int64_t b = 0; b < batch; ++b)
        cut.insert(cut.end(), calls.back().begin() + b * last,
                   calls.back().begin() + b * last + left);
      calls.back() = cut;
      if (left == 0)
        calls.pop_back();
    }
  }

  /// Whether a session that was given `calls` alone goes on in the same way.
  void expectAsAfter(const Calls &calls, const Session &session) {
    Session plain = start(model);
    for (const auto &tokens : calls)
      feed(plain, tokens);
    ASSERT_EQ(linnet_session_position(plain.get()),
              linnet_session_position(session.get()));
    linnet_session *raw = nullptr;
    ASSERT_EQ(linnet_session_clone(session.get(), &raw), LINNET_OK);
    Session copy(raw, linnet_session_destroy);
    for (int64_t n : {1, 3}) {
      std::vector<int32_t> tokens = randomTokens(n);
      ASSERT_EQ(feed(copy, tokens), feed(plain, tokens)) << "portion of " << n;
    }
  }

  void walk(int64_t sequences) {
    batch = sequences;
    const Compiled &compiled = compile(GetParam(), kBlock, batch);
    model = open(compiled, 2);
    ASSERT_TRUE(model);
    Session session = start(model);
    ASSERT_EQ(linnet_session_keep(session.get(), kKept), LINNET_OK)
        << linnet_last_error();
    Calls calls;
    for (int round = 0; round < 12 * rounds(); ++round) {
      int64_t position = linnet_session_position(session.get());
      int64_t room = tokensOf(GetParam()) - position - 4;
      int64_t count = random.pick<int64_t>({1, 1, 2, 5, 17, 40, 41, 90});
      if (count = std::min(count, room); count > 0) {
        calls.push_back(randomTokens(count));
        feed(session, calls.back());
      }
      int64_t kept = linnet_session_kept(session.get());
      if (position > 0)
        ASSERT_GT(kept, 0);
      int64_t back = random.chance(0.5) ? random.integer(0, kept)
                                        : random.integer(0, std::min(kept, 4L));
      ASSERT_EQ(linnet_session_rollback(session.get(), back), LINNET_OK)
          << linnet_last_error();
      drop(calls, back);
      expectAsAfter(calls, session);
      if (HasFatalFailure())
        return;
    }
  }

  int64_t batch = 1;
  Model model{nullptr, linnet_model_close};
  Program random{11};
};

TEST_P(RollbackKernel, EqualsNeverHavingSeen) { walk(1); }

TEST_P(RollbackKernel, Batches) { walk(3); }

/// Draft and verify: many tokens in one step, of which some stay.
TEST_P(RollbackKernel, Speculates) {
  model = open(compile(GetParam(), kBlock), 2);
  ASSERT_TRUE(model);
  Session session = start(model), snapshot = start(model);
  ASSERT_EQ(linnet_session_keep(session.get(), 5), LINNET_OK);
  Calls calls = {randomTokens(33)};
  feed(session, calls[0]);
  feed(snapshot, calls[0]);
  for (int64_t accepted : {0, 1, 3, 5}) {
    calls.push_back(randomTokens(5));
    feed(session, calls.back());
    ASSERT_EQ(linnet_session_rollback(session.get(), 5 - accepted), LINNET_OK);
    drop(calls, 5 - accepted);
    expectAsAfter(calls, session);
  }
  EXPECT_EQ(linnet_session_rollback(session.get(), 6), LINNET_ERROR_ARGUMENT);
  // A snapshot reaches where nothing is kept any more.
  ASSERT_EQ(linnet_session_restore(session.get(), snapshot.get()), LINNET_OK);
  calls.resize(1);
  expectAsAfter(calls, session);
}

TEST_P(RollbackKernel, OtherModelsAreRefused) {
  Model mine = open(compile(GetParam(), kBlock), 1);
  Model other = open(compile(GetParam(), kBlock, 3), 1);
  ASSERT_TRUE(mine && other);
  Session session = start(mine), foreign = start(other);
  std::string file = compile(GetParam(), kBlock).file("foreign");
  EXPECT_EQ(linnet_session_restore(session.get(), foreign.get()),
            LINNET_ERROR_STATE);
  ASSERT_EQ(linnet_state_save(foreign.get(), file.c_str()), LINNET_OK);
  EXPECT_EQ(linnet_state_load(session.get(), file.c_str()), LINNET_ERROR_STATE);
  EXPECT_NE(std::string(linnet_last_error()).find("state of compilation"),
            std::string::npos)
      << linnet_last_error();
}

/// Attention, recurrences, and both.
INSTANTIATE_TEST_SUITE_P(Checkpoints, RollbackKernel,
                         testing::Values("llama", "mistral", "mamba", "mamba2",
                                         "qwen3_5", "deepseek_v3"),
                         [](const auto &info) { return info.param; });

} // namespace
} // namespace linnet::test
