//===- SessionKernelTest.cpp - compiled models token by token -------------===//
//
// Random tokens go through compiled models in random portions; every row that
// comes out is held against one pass of the evaluator over all tokens.
//
//===----------------------------------------------------------------------===//

#include "CompiledCheckpoint.h"

#include "linnet/Driver/Input.h"
#include "linnet/Reference/Evaluator.h"

#include "mlir/IR/MLIRContext.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <map>

namespace linnet::test {
namespace {

/// Tokens of a block, most often: more than a chunk, fewer than a sequence.
constexpr int64_t kBlock = 100;
/// Sequences.
constexpr int64_t kRows = 3;
/// Of one row; rows differ in how well they are conditioned.
constexpr double kTolerance = 3e-5;

/// A checkpoint's tokens [kRows][length] and their exact logits.
struct Truth {
  std::vector<int32_t> tokens;
  HostTensor logits;

  int64_t length() const { return logits.shape[1]; }
  int64_t width() const { return logits.shape[2]; }
};

const Truth &truthOf(const std::string &name) {
  static std::map<std::string, Truth> known;
  auto [entry, isNew] = known.try_emplace(name);
  Truth &truth = entry->second;
  if (!isNew)
    return truth;
  auto context = makeContext();
  std::string detected;
  auto module = loadModel(*context, checkpoint(name), std::nullopt, detected);
  auto archive = Archive::open(checkpoint(name));
  EXPECT_TRUE(module && archive) << name;
  auto evaluator = Evaluator::create(**module, &*archive);
  HostTensor tokens = HostTensor::filled({kRows, tokensOf(name)});
  Program random(77);
  for (double &token : tokens.values) {
    token = double(random.integer(0, 95));
    truth.tokens.push_back(int32_t(token));
  }
  auto outputs = evaluator->run("forward", {tokens, HostTensor::scalar(0)});
  EXPECT_TRUE(bool(outputs)) << name;
  truth.logits = (*outputs)[0];
  return truth;
}

/// All block sizes where time does not matter, else some.
std::vector<int64_t> blocksFor(const std::string &name) {
  if (rounds() > 1 || name == "llama")
    return {1, 7, 16, kBlock, 300};
  return name.size() % 2 ? std::vector<int64_t>{1, kBlock}
                         : std::vector<int64_t>{7, kBlock};
}

using Session = std::unique_ptr<linnet_session, void (*)(linnet_session *)>;

Session start(const Model &model) {
  linnet_session *session = nullptr;
  EXPECT_EQ(linnet_session_create(model.get(), &session), LINNET_OK)
      << linnet_last_error();
  return {session, linnet_session_destroy};
}

Session clone(const Session &session) {
  linnet_session *copy = nullptr;
  EXPECT_EQ(linnet_session_clone(session.get(), &copy), LINNET_OK)
      << linnet_last_error();
  return {copy, linnet_session_destroy};
}

/// Feeds the next tokens of rows [first, first + batch) to a session and checks
/// what comes out.
class Feeder {
public:
  Feeder(const Truth &truth, int64_t batch, int64_t first = 0)
      : truth(truth), batch(batch), first(first) {}

  void feed(const Session &session, int64_t count, linnet_rows rows) {
    int64_t at = linnet_session_position(session.get());
    std::vector<int32_t> tokens = tokensAt(at, count);
    int64_t kept = rows == LINNET_ROWS_ALL    ? count
                   : rows == LINNET_ROWS_LAST ? 1
                                              : 0;
    std::vector<float> out(size_t(batch * kept * truth.width()), NAN);
    ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), count,
                             kept ? out.data() : nullptr, rows),
              LINNET_OK)
        << linnet_last_error();
    ASSERT_EQ(linnet_session_position(session.get()), at + count);
    compare(out, at + count - kept, kept);
  }

  void decode(const Session &session) {
    int64_t at = linnet_session_position(session.get());
    std::vector<int32_t> tokens = tokensAt(at, 1);
    std::vector<float> out(size_t(batch * truth.width()), NAN);
    ASSERT_EQ(linnet_decode(session.get(), tokens.data(), out.data()),
              LINNET_OK)
        << linnet_last_error();
    compare(out, at, 1);
  }

  /// To the end in random portions.
  void finish(const Session &session, Program &random) {
    while (linnet_session_position(session.get()) < truth.length() &&
           !testing::Test::HasFatalFailure()) {
      int64_t left = truth.length() - linnet_session_position(session.get());
      int64_t count = std::min(
          left, random.pick<int64_t>({1, 1, 2, 3, 7, 15, 16, 17, 33, 64, 100}));
      if (random.chance(0.4))
        decode(session);
      else
        feed(session, count,
             random.pick<linnet_rows>({LINNET_ROWS_ALL, LINNET_ROWS_ALL,
                                       LINNET_ROWS_LAST, LINNET_ROWS_NONE}));
    }
  }

  /// Every number that came out.
  std::vector<float> seen;

private:
  std::vector<int32_t> tokensAt(int64_t at, int64_t count) {
    std::vector<int32_t> tokens;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t t = 0; t < count; ++t)
        tokens.push_back(
            truth.tokens[size_t((first + b) * truth.length() + at + t)]);
    return tokens;
  }

  void compare(const std::vector<float> &out, int64_t at, int64_t count) {
    seen.insert(seen.end(), out.begin(), out.end());
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t t = 0; t < count; ++t) {
        HostTensor actual = HostTensor::filled({truth.width()});
        HostTensor expected = actual;
        for (int64_t i = 0; i < truth.width(); ++i) {
          actual.values[size_t(i)] =
              out[size_t(((b * count) + t) * truth.width() + i)];
          expected.values[size_t(i)] = truth.logits.values[size_t(
              ((first + b) * truth.length() + at + t) * truth.width() + i)];
        }
        ASSERT_EQ(difference(actual, expected, kTolerance, false), "")
            << "row " << first + b << ", token " << at + t
            << " of a portion of " << count;
      }
  }

  const Truth &truth;
  int64_t batch, first;
};

class SessionKernel : public testing::TestWithParam<std::string> {};

TEST_P(SessionKernel, RandomPortions) {
  const Truth &truth = truthOf(GetParam());
  for (int64_t block : blocksFor(GetParam())) {
    SCOPED_TRACE("blocks of " + std::to_string(block));
    const Compiled &compiled = compile(
        GetParam(), block, 1, block == kBlock ? "native" : processors().back());
    std::vector<float> first;
    for (int threads : {1, 2, 3}) {
      Model model = open(compiled, threads);
      ASSERT_TRUE(model);
      Session session = start(model);
      Program portions{uint32_t(block)};
      Feeder feeder(truth, 1);
      for (int round = 0; round < 2 * rounds(); ++round) {
        ASSERT_EQ(linnet_session_reset(session.get()), LINNET_OK);
        feeder.finish(session, portions);
        if (HasFatalFailure())
          return;
      }
      if (threads == 1)
        first = feeder.seen;
      else
        EXPECT_EQ(
            std::memcmp(first.data(), feeder.seen.data(), first.size() * 4), 0)
            << threads << " threads";
    }
  }
}

/// All at once, and token by token.
TEST_P(SessionKernel, Extremes) {
  const Truth &truth = truthOf(GetParam());
  const Compiled &compiled = compile(GetParam(), kBlock);
  Model model = open(compiled, 2);
  ASSERT_TRUE(model);
  Session session = start(model);
  Feeder feeder(truth, 1, 1);
  feeder.feed(session, truth.length(), LINNET_ROWS_ALL);
  linnet_session_reset(session.get());
  for (int64_t t = 0; t < truth.length() && !HasFatalFailure(); ++t)
    feeder.decode(session);
  linnet_session_reset(session.get());
  for (int64_t t = 0; t < truth.length() && !HasFatalFailure(); ++t)
    feeder.feed(session, 1, LINNET_ROWS_LAST);
  if (HasFatalFailure())
    return;
  if (linnet_model_max_context(model.get()) != truth.length())
    return;
  // The context is full: one more is refused and changes nothing.
  int32_t token = 1;
  std::vector<float> out(size_t(truth.width()));
  EXPECT_EQ(linnet_decode(session.get(), &token, out.data()),
            LINNET_ERROR_CONTEXT);
  EXPECT_EQ(linnet_session_position(session.get()), truth.length());
  ASSERT_EQ(linnet_session_reset(session.get()), LINNET_OK);
  feeder.feed(session, 3, LINNET_ROWS_ALL);
  std::vector<int32_t> many(truth.length(), 1);
  EXPECT_EQ(linnet_prefill(session.get(), many.data(), truth.length() - 2,
                           out.data(), LINNET_ROWS_LAST),
            LINNET_ERROR_CONTEXT);
  many[5] = 96;
  EXPECT_EQ(linnet_prefill(session.get(), many.data(), 10, out.data(),
                           LINNET_ROWS_LAST),
            LINNET_ERROR_TOKEN);
  feeder.feed(session, truth.length() - 3, LINNET_ROWS_ALL);
}

/// Rows of a batch are as if alone.
TEST_P(SessionKernel, Batches) {
  const Truth &truth = truthOf(GetParam());
  for (int64_t batch : rounds() > 1 || GetParam() == "qwen3"
                           ? std::vector<int64_t>{2, 3}
                           : std::vector<int64_t>{3}) {
    SCOPED_TRACE("batch " + std::to_string(batch));
    const Compiled &compiled = compile(GetParam(), kBlock, batch);
    std::vector<float> first;
    for (int threads : {1, 3}) {
      Model model = open(compiled, threads);
      ASSERT_TRUE(model);
      Program portions{uint32_t(batch)};
      Feeder feeder(truth, batch, kRows - batch);
      for (int round = 0; round < rounds(); ++round) {
        Session session = start(model);
        feeder.finish(session, portions);
        if (HasFatalFailure())
          return;
      }
      if (threads == 1)
        first = feeder.seen;
      else
        EXPECT_EQ(
            std::memcmp(first.data(), feeder.seen.data(), first.size() * 4), 0);
    }
  }
}

TEST_P(SessionKernel, CloneSaveLoadReset) {
  const Truth &truth = truthOf(GetParam());
  const Compiled &compiled = compile(GetParam(), kBlock);
  Model model = open(compiled, 2);
  ASSERT_TRUE(model);
  Program random(5);
  Feeder zero(truth, 1, 0), one(truth, 1, 1);
  for (int round = 0; round < 2 * rounds(); ++round) {
    Session session = start(model), other = start(model);
    int64_t at = random.integer(1, truth.length() - 12);
    zero.feed(session, at, LINNET_ROWS_LAST);
    one.feed(other, random.integer(1, truth.length() - 1), LINNET_ROWS_LAST);
    std::string file = compiled.file("state");
    ASSERT_EQ(linnet_state_save(session.get(), file.c_str()), LINNET_OK)
        << linnet_last_error();
    Session copy = clone(session);
    zero.feed(session, 5, LINNET_ROWS_ALL);
    zero.decode(copy);
    zero.finish(copy, random);
    // Into a session that has seen other tokens.
    ASSERT_EQ(linnet_state_load(other.get(), file.c_str()), LINNET_OK)
        << linnet_last_error();
    ASSERT_EQ(linnet_session_position(other.get()), at);
    zero.finish(other, random);
    linnet_status status = linnet_session_truncate(session.get(), at + 2);
    if (status == LINNET_OK)
      ASSERT_EQ(linnet_session_position(session.get()), at + 2);
    else
      ASSERT_EQ(status, LINNET_ERROR_UNSUPPORTED);
    zero.finish(session, random);
    ASSERT_EQ(linnet_session_reset(session.get()), LINNET_OK);
    one.finish(session, random);
    if (HasFatalFailure())
      return;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, SessionKernel,
                         testing::Values("llama", "mistral", "qwen2", "qwen3",
                                         "gpt2", "mamba", "mamba2",
                                         "mamba2-groups", "qwen3_5",
                                         "deepseek_v2"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
} // namespace linnet::test
