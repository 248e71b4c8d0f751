//===- SessionTest.cpp - feeding tokens -----------------------------------===//

#include "FakeModel.h"

#include <cfenv>
#include <numeric>
#include <thread>

using namespace linnet;
using namespace linnet::test;

namespace {

std::vector<int32_t> someTokens(int64_t n, int32_t seed = 0) {
  std::vector<int32_t> tokens(n);
  for (int64_t i = 0; i < n; ++i)
    tokens[i] = int32_t((i * 7 + seed * 5 + 3) % 16);
  return tokens;
}

void expectRow(const float *row, const std::vector<int32_t> &sequence,
               int64_t position) {
  for (int64_t j = 0; j < kFakeWidth; ++j)
    ASSERT_EQ(row[j], fakeLogit(sequence, position, j))
        << "position " << position << " column " << j;
}

TEST(SessionTest, PromptsAreCutIntoBlocks) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  std::vector<int32_t> tokens = someTokens(13);
  std::vector<float> out(kFakeWidth);
  ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), 13, out.data(),
                           LINNET_ROWS_LAST),
            LINNET_OK);
  expectRow(out.data(), tokens, 12);
  EXPECT_EQ(linnet_session_position(session.get()), 13);
  int32_t next = 9;
  tokens.push_back(next);
  ASSERT_EQ(linnet_decode(session.get(), &next, out.data()), LINNET_OK);
  expectRow(out.data(), tokens, 13);
  // Only the last row of the last block is computed; one token is a decode.
  std::vector<FakeCall> expected = {
      {0, 5, 0, 5}, {0, 5, 5, 5}, {0, 3, 10, 2}, {1, 1, 13, 0}};
  EXPECT_EQ(fakeCalls(directory), expected);
}

TEST(SessionTest, EveryRowOfEveryLength) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  for (int64_t n = 1; n <= 17; ++n) {
    SCOPED_TRACE(n);
    ASSERT_EQ(linnet_session_reset(session.get()), LINNET_OK);
    std::vector<int32_t> tokens = someTokens(n + 4);
    std::vector<float> out((n + 4) * kFakeWidth + 1, -1);
    ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), n, out.data(),
                             LINNET_ROWS_ALL),
              LINNET_OK);
    // A prompt may come in parts.
    ASSERT_EQ(linnet_prefill(session.get(), tokens.data() + n, 4,
                             out.data() + n * kFakeWidth, LINNET_ROWS_ALL),
              LINNET_OK);
    for (int64_t t = 0; t < n + 4; ++t)
      expectRow(out.data() + t * kFakeWidth, tokens, t);
    EXPECT_EQ(out.back(), -1);
  }
}

TEST(SessionTest, OutputsMayBeUnwanted) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  std::vector<int32_t> tokens = someTokens(9);
  ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), 7, nullptr,
                           LINNET_ROWS_NONE),
            LINNET_OK);
  ASSERT_EQ(linnet_decode(session.get(), &tokens[7], nullptr), LINNET_OK);
  std::vector<float> out(kFakeWidth);
  ASSERT_EQ(linnet_decode(session.get(), &tokens[8], out.data()), LINNET_OK);
  expectRow(out.data(), tokens, 8);
  // A single token's row is always written, then to a place of the session's.
  std::vector<FakeCall> expected = {
      {0, 5, 0, 5}, {0, 2, 5, 2}, {1, 1, 7, 0}, {1, 1, 8, 0}};
  EXPECT_EQ(fakeCalls(directory), expected);
}

TEST(SessionTest, WithoutDecodePrefillDoes) {
  Manifest manifest = fakeLanguageModel();
  manifest.phases.pop_back();
  CompiledDirectory directory(manifest);
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  int32_t token = 3;
  std::vector<float> out(kFakeWidth);
  ASSERT_EQ(linnet_decode(session.get(), &token, out.data()), LINNET_OK);
  expectRow(out.data(), {3}, 0);
  EXPECT_EQ(fakeCalls(directory), (std::vector<FakeCall>{{0, 1, 0, 0}}));
}

// Blocks of a batch are gathered from and scattered to the caller's tensors.
TEST(SessionTest, Batches) {
  constexpr int64_t kBatch = 3, kTokens = 13;
  CompiledDirectory directory(fakeLanguageModel(kBatch), "FakeBatch");
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int32_t> tokens;
  for (int32_t b = 0; b < kBatch; ++b) {
    sequences.push_back(someTokens(kTokens, b));
    tokens.insert(tokens.end(), sequences[b].begin(), sequences[b].end());
  }
  std::vector<float> out(kBatch * kTokens * kFakeWidth);
  ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), kTokens, out.data(),
                           LINNET_ROWS_ALL),
            LINNET_OK);
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t t = 0; t < kTokens; ++t)
      expectRow(&out[(b * kTokens + t) * kFakeWidth], sequences[b], t);

  ASSERT_EQ(linnet_session_reset(session.get()), LINNET_OK);
  ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), kTokens, out.data(),
                           LINNET_ROWS_LAST),
            LINNET_OK);
  for (int64_t b = 0; b < kBatch; ++b)
    expectRow(&out[b * kFakeWidth], sequences[b], kTokens - 1);

  std::vector<int32_t> next = {1, 2, 3};
  ASSERT_EQ(linnet_decode(session.get(), next.data(), out.data()), LINNET_OK);
  for (int64_t b = 0; b < kBatch; ++b) {
    sequences[b].push_back(next[b]);
    expectRow(&out[b * kFakeWidth], sequences[b], kTokens);
  }
}

TEST(SessionTest, WrongArgumentsChangeNothing) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  std::vector<int32_t> tokens = someTokens(70);
  std::vector<float> out(70 * kFakeWidth);
  auto prefill = [&](const int32_t *from, int64_t n, float *to,
                     linnet_rows rows) {
    return linnet_prefill(session.get(), from, n, to, rows);
  };
  ASSERT_EQ(prefill(tokens.data(), 3, nullptr, LINNET_ROWS_NONE), LINNET_OK);
  size_t calls = fakeCalls(directory).size();

  EXPECT_TRUE(refuses(prefill(nullptr, 3, out.data(), LINNET_ROWS_LAST),
                      LINNET_ERROR_ARGUMENT, "expected tokens, but got null"));
  EXPECT_TRUE(refuses(prefill(tokens.data(), 3, nullptr, LINNET_ROWS_LAST),
                      LINNET_ERROR_ARGUMENT, "expected room for outputs"));
  for (int64_t n : {int64_t(0), int64_t(-1), INT64_MIN, INT64_MAX})
    EXPECT_TRUE(refuses(prefill(tokens.data(), n, out.data(), LINNET_ROWS_LAST),
                        LINNET_ERROR_ARGUMENT, "tokens, but got"));
  EXPECT_TRUE(refuses(prefill(tokens.data(), 3, out.data(), linnet_rows(7)),
                      LINNET_ERROR_ARGUMENT, "but got 7"));
  EXPECT_TRUE(refuses(prefill(tokens.data(), 62, out.data(), LINNET_ROWS_ALL),
                      LINNET_ERROR_CONTEXT,
                      "expected at most 64 tokens of context, but got 62 "
                      "after 3"));
  tokens[11] = 16;
  EXPECT_TRUE(refuses(prefill(tokens.data(), 20, out.data(), LINNET_ROWS_ALL),
                      LINNET_ERROR_TOKEN,
                      "token 11 of sequence 0: expected 0 to 15, but got 16"));
  int32_t negative = -1;
  EXPECT_TRUE(refuses(linnet_decode(session.get(), &negative, out.data()),
                      LINNET_ERROR_TOKEN, "but got -1"));
  EXPECT_TRUE(refuses(linnet_decode(session.get(), nullptr, out.data()),
                      LINNET_ERROR_ARGUMENT, "expected tokens"));
  EXPECT_EQ(linnet_session_position(session.get()), 3);
  EXPECT_EQ(fakeCalls(directory).size(), calls);

  // The context can be filled to the last token, but not beyond.
  tokens[11] = 0;
  ASSERT_EQ(prefill(tokens.data(), 61, out.data(), LINNET_ROWS_LAST),
            LINNET_OK);
  EXPECT_TRUE(refuses(linnet_decode(session.get(), tokens.data(), out.data()),
                      LINNET_ERROR_CONTEXT, "but got 1 after 64"));
}

TEST(SessionTest, ClonesGoTheirOwnWay) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  std::vector<int32_t> left = someTokens(8), right = left;
  ASSERT_EQ(
      linnet_prefill(session.get(), left.data(), 8, nullptr, LINNET_ROWS_NONE),
      LINNET_OK);
  linnet_session *raw = nullptr;
  ASSERT_EQ(linnet_session_clone(session.get(), &raw), LINNET_OK);
  SessionHandle clone(raw);
  EXPECT_EQ(linnet_session_position(clone.get()), 8);
  std::vector<float> out(kFakeWidth);
  for (int32_t i = 0; i < 3; ++i) {
    left.push_back(i);
    right.push_back(i + 5);
    ASSERT_EQ(linnet_decode(session.get(), &left.back(), out.data()),
              LINNET_OK);
    expectRow(out.data(), left, 8 + i);
    ASSERT_EQ(linnet_decode(clone.get(), &right.back(), out.data()), LINNET_OK);
    expectRow(out.data(), right, 8 + i);
  }
  EXPECT_TRUE(refuses(linnet_session_clone(nullptr, &raw),
                      LINNET_ERROR_ARGUMENT, "expected a session"));
  EXPECT_EQ(raw, nullptr);
}

TEST(SessionTest, ResetForgets) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  std::vector<int32_t> tokens = someTokens(8), other = {1, 2};
  std::vector<float> out(2 * kFakeWidth);
  ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), 8, nullptr,
                           LINNET_ROWS_NONE),
            LINNET_OK);
  ASSERT_EQ(linnet_session_reset(session.get()), LINNET_OK);
  EXPECT_EQ(linnet_session_position(session.get()), 0);
  ASSERT_EQ(linnet_prefill(session.get(), other.data(), 2, out.data(),
                           LINNET_ROWS_ALL),
            LINNET_OK);
  expectRow(out.data() + kFakeWidth, other, 1);
}

TEST(SessionTest, OnlyCachesCanBeTruncated) {
  {
    CompiledDirectory directory(fakeLanguageModel());
    ModelHandle model = openModel(directory);
    SessionHandle session = createSession(model);
    std::vector<int32_t> tokens = someTokens(8);
    ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), 8, nullptr,
                             LINNET_ROWS_NONE),
              LINNET_OK);
    EXPECT_TRUE(refuses(linnet_session_truncate(session.get(), 4),
                        LINNET_ERROR_UNSUPPORTED,
                        "state 'sum' cannot be rewound"));
    EXPECT_EQ(linnet_session_truncate(session.get(), 8), LINNET_OK);
    EXPECT_EQ(linnet_session_position(session.get()), 8);
  }
  Manifest manifest = fakeLanguageModel();
  manifest.states[0].kind = StateSpec::Kind::Append;
  CompiledDirectory directory(manifest, "FakeCache");
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  std::vector<int32_t> tokens = someTokens(8);
  std::vector<float> out(kFakeWidth);
  ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), 8, nullptr,
                           LINNET_ROWS_NONE),
            LINNET_OK);
  for (int64_t position : {int64_t(-1), int64_t(9), INT64_MAX})
    EXPECT_TRUE(refuses(linnet_session_truncate(session.get(), position),
                        LINNET_ERROR_ARGUMENT,
                        "expected a position of 0 to 8"));
  ASSERT_EQ(linnet_session_truncate(session.get(), 4), LINNET_OK);
  tokens.resize(4);
  tokens.push_back(11);
  ASSERT_EQ(linnet_decode(session.get(), &tokens.back(), out.data()),
            LINNET_OK);
  expectRow(out.data(), tokens, 4);
}

TEST(SessionTest, OutlivesTheModelHandle) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  model.reset();
  int32_t token = 3;
  std::vector<float> out(kFakeWidth);
  ASSERT_EQ(linnet_decode(session.get(), &token, out.data()), LINNET_OK);
  expectRow(out.data(), {3}, 0);
}

// Sessions of one model on several host threads at once, with more pool threads
// than this machine may have.
TEST(SessionTest, SessionsOnManyThreads) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory, 4);
  std::vector<std::thread> threads;
  std::atomic<int64_t> wrong{0};
  for (int32_t seed = 0; seed < 5; ++seed)
    threads.emplace_back([&, seed] {
      SessionHandle session = createSession(model);
      std::vector<float> out(kFakeWidth);
      for (int round = 0; round < 4; ++round) {
        std::vector<int32_t> tokens = someTokens(60, seed + round);
        linnet_session_reset(session.get());
        wrong += linnet_prefill(session.get(), tokens.data(), 23, out.data(),
                                LINNET_ROWS_LAST) != LINNET_OK;
        wrong += out[0] != fakeLogit(tokens, 22);
        for (int64_t p = 23; p < 60; ++p) {
          wrong +=
              linnet_decode(session.get(), &tokens[p], out.data()) != LINNET_OK;
          wrong += out[3] != fakeLogit(tokens, p, 3);
        }
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

// Two models in one process, driven in turn, each with its own pool.
TEST(SessionTest, TwoModels) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle first = openModel(directory), second = openModel(directory);
  SessionHandle a = createSession(first), b = createSession(second);
  std::vector<float> out(kFakeWidth);
  std::vector<int32_t> left, right;
  for (int32_t i = 0; i < 30; ++i) {
    left.push_back(i % 16);
    right.push_back((i * 3) % 16);
    ASSERT_EQ(linnet_decode(a.get(), &left.back(), out.data()), LINNET_OK);
    expectRow(out.data(), left, i);
    ASSERT_EQ(linnet_decode(b.get(), &right.back(), out.data()), LINNET_OK);
    expectRow(out.data(), right, i);
  }
}

TEST(SessionTest, OnlyLanguageModelsHaveSessions) {
  CompiledDirectory directory(
      fakeFunction("fake_denormal", {}, {{"y", DataType::F32, {2}}}));
  ModelHandle model = openModel(directory);
  linnet_session *session = nullptr;
  EXPECT_TRUE(refuses(linnet_session_create(model.get(), &session),
                      LINNET_ERROR_UNSUPPORTED,
                      "expected a causal-lm for a session, but got function"));
}

} // namespace
