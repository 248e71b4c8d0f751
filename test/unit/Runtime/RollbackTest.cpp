//===- RollbackTest.cpp - sessions that go back ---------------------------===//
//
// The fake model's logits are functions of the tokens a session believes to
// have seen, by the cache and by the running sum.
//
//===----------------------------------------------------------------------===//

#include "FakeModel.h"

#include <numeric>
#include <random>

using namespace linnet;
using namespace linnet::test;

namespace {

/// A session of a batch beside what it should have seen.
struct Tracked {
  explicit Tracked(const ModelHandle &model)
      : session(createSession(model)),
        sequences(size_t(linnet_model_batch(model.get()))) {}

  void feed(int64_t n) {
    std::vector<int32_t> tokens;
    for (auto &sequence : sequences)
      for (int64_t i = 0; i < n; ++i) {
        sequence.push_back(int32_t(random() % 16));
        tokens.push_back(sequence.back());
      }
    std::vector<float> out(tokens.size() * kFakeWidth, -1);
    ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), n, out.data(),
                             LINNET_ROWS_ALL),
              LINNET_OK)
        << linnet_last_error();
    for (size_t b = 0; b < sequences.size(); ++b)
      for (int64_t t = 0; t < n; ++t)
        ASSERT_EQ(out[(int64_t(b) * n + t) * kFakeWidth],
                  fakeLogit(sequences[b], position() - n + t))
            << "sequence " << b << ", token " << t << " of " << n;
    ASSERT_EQ(linnet_session_position(session.get()), position());
  }

  void rollback(int64_t n) {
    ASSERT_EQ(linnet_session_rollback(session.get(), n), LINNET_OK)
        << linnet_last_error();
    for (auto &sequence : sequences)
      sequence.resize(sequence.size() - size_t(n));
    ASSERT_EQ(linnet_session_position(session.get()), position());
  }

  int64_t position() const { return int64_t(sequences[0].size()); }
  int64_t kept() const { return linnet_session_kept(session.get()); }

  SessionHandle session;
  std::vector<std::vector<int32_t>> sequences;
  std::minstd_rand random{7};
};

TEST(RollbackTest, NothingIsKeptUnasked) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  Tracked tracked(model);
  tracked.feed(7);
  EXPECT_EQ(tracked.kept(), 0);
  EXPECT_TRUE(refuses(linnet_session_rollback(tracked.session.get(), 1),
                      LINNET_ERROR_ARGUMENT,
                      "expected 0 to 0 tokens to roll back, but got 1"));
  EXPECT_EQ(linnet_session_rollback(tracked.session.get(), 0), LINNET_OK);
  tracked.feed(1);
}

TEST(RollbackTest, WhatIsKept) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  Tracked tracked(model);
  linnet_session *session = tracked.session.get();
  tracked.feed(3);
  ASSERT_EQ(linnet_session_keep(session, 4), LINNET_OK);
  // What came before was not kept.
  EXPECT_EQ(tracked.kept(), 0);
  tracked.feed(2);
  EXPECT_EQ(tracked.kept(), 2);
  tracked.feed(9);
  EXPECT_EQ(tracked.kept(), 4);
  for (int64_t n : {int64_t(-1), int64_t(5), INT64_MIN, INT64_MAX})
    EXPECT_TRUE(refuses(linnet_session_rollback(session, n),
                        LINNET_ERROR_ARGUMENT,
                        "expected 0 to 4 tokens to roll back, but got"));
  tracked.rollback(3);
  EXPECT_EQ(tracked.kept(), 1);
  tracked.feed(1);
  EXPECT_EQ(tracked.kept(), 2);
  // Less, and then more, which is not there.
  tracked.feed(6);
  ASSERT_EQ(linnet_session_keep(session, 2), LINNET_OK);
  EXPECT_EQ(tracked.kept(), 2);
  ASSERT_EQ(linnet_session_keep(session, 40), LINNET_OK);
  EXPECT_EQ(tracked.kept(), 2);
  tracked.rollback(2);
  tracked.feed(5);
  EXPECT_EQ(tracked.kept(), 5);
  ASSERT_EQ(linnet_session_keep(session, 0), LINNET_OK);
  EXPECT_EQ(tracked.kept(), 0);
  ASSERT_EQ(linnet_session_keep(session, 4), LINNET_OK);
  tracked.feed(2);
  ASSERT_EQ(linnet_session_reset(session), LINNET_OK);
  EXPECT_EQ(tracked.kept(), 0);
}

// Which steps are run for it: none at the border of a step, the part of a step
// that stays elsewhere.
TEST(RollbackTest, StepsAreRunAgainInsideOnly) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  Tracked tracked(model);
  ASSERT_EQ(linnet_session_keep(tracked.session.get(), 10), LINNET_OK);
  tracked.feed(7);
  tracked.feed(1);
  std::vector<FakeCall> expected = {{0, 5, 0, 0}, {0, 2, 5, 0}, {1, 1, 7, 0}};
  EXPECT_EQ(fakeCalls(directory), expected);
  tracked.rollback(1);
  tracked.rollback(2);
  EXPECT_EQ(fakeCalls(directory), expected);
  tracked.rollback(2);
  tracked.rollback(2);
  expected.push_back({0, 3, 0, 3});
  expected.push_back({1, 1, 0, 0});
  EXPECT_EQ(fakeCalls(directory), expected);
  tracked.rollback(1);
  EXPECT_EQ(tracked.position(), 0);
  tracked.feed(6);
}

// Any order of feeding, going back, changing what is kept, cloning and
// restoring.
TEST(RollbackTest, RandomWalks) {
  for (int64_t batch : {1, 3}) {
    CompiledDirectory directory(fakeLanguageModel(batch),
                                batch == 1 ? "FakeModel" : "FakeBatch");
    ModelHandle model = openModel(directory);
    for (unsigned seed = 1; seed <= 30; ++seed) {
      SCOPED_TRACE("batch " + std::to_string(batch) + ", seed " +
                   std::to_string(seed));
      std::minstd_rand random(seed);
      Tracked tracked(model), snapshot(model);
      int64_t most = 0, floor = 0, snapshotFloor = 0;
      for (int i = 0; i < 150 && !testing::Test::HasFatalFailure(); ++i) {
        linnet_session *session = tracked.session.get();
        switch (random() % 8) {
        case 0:
          most = int64_t(random() % 20);
          ASSERT_EQ(linnet_session_keep(session, most), LINNET_OK);
          break;
        case 1:
        case 2:
          tracked.rollback(int64_t(random() % uint64_t(tracked.kept() + 1)));
          break;
        case 3: {
          linnet_session *copy = nullptr;
          ASSERT_EQ(linnet_session_clone(session, &copy), LINNET_OK);
          snapshot.session.reset(copy);
          snapshot.sequences = tracked.sequences;
          snapshotFloor = floor;
          break;
        }
        case 4:
          ASSERT_EQ(linnet_session_restore(session, snapshot.session.get()),
                    LINNET_OK);
          tracked.sequences = snapshot.sequences;
          floor = snapshotFloor;
          break;
        default:
          int64_t room = kFakeContext - tracked.position();
          if (int64_t n = std::min(room, int64_t(1 + random() % 12)); n > 0)
            tracked.feed(n);
        }
        floor = std::max(floor, tracked.position() - most);
        ASSERT_EQ(tracked.kept(), tracked.position() - floor);
      }
    }
  }
}

TEST(RollbackTest, SnapshotsOfOtherModelsAreRefused) {
  Manifest manifest = fakeLanguageModel();
  CompiledDirectory directory(manifest);
  manifest.id = "fake-2";
  CompiledDirectory otherDirectory(manifest, "FakeOtherId");
  manifest.id = "fake-1";
  manifest.states[1].bytes *= 2;
  CompiledDirectory forgedDirectory(manifest);
  ModelHandle model = openModel(directory), again = openModel(directory, 1),
              otherModel = openModel(otherDirectory),
              forgedModel = openModel(forgedDirectory);
  Tracked tracked(model), same(again), other(otherModel), forged(forgedModel);
  for (Tracked *each : {&tracked, &same, &other, &forged})
    each->feed(6);
  linnet_session *session = tracked.session.get();
  EXPECT_TRUE(refuses(linnet_session_restore(session, other.session.get()),
                      LINNET_ERROR_STATE,
                      "expected a session of compilation fake-1, but got one "
                      "of fake-2"));
  EXPECT_TRUE(refuses(linnet_session_restore(session, forged.session.get()),
                      LINNET_ERROR_STATE,
                      "expected a session with states of the same sizes"));
  EXPECT_TRUE(refuses(linnet_session_restore(session, nullptr),
                      LINNET_ERROR_ARGUMENT, "expected a snapshot"));
  EXPECT_TRUE(refuses(linnet_session_restore(nullptr, session),
                      LINNET_ERROR_ARGUMENT, "expected a session"));
  tracked.feed(2);
  // Itself, and the same directory opened twice.
  ASSERT_EQ(linnet_session_restore(session, session), LINNET_OK);
  tracked.feed(2);
  ASSERT_EQ(linnet_session_restore(session, same.session.get()), LINNET_OK);
  tracked.sequences = same.sequences;
  tracked.feed(2);
  same.feed(1);
}

TEST(RollbackTest, ALoadedStateHasNoPast) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory);
  Tracked tracked(model);
  linnet_session *session = tracked.session.get();
  ASSERT_EQ(linnet_session_keep(session, 4), LINNET_OK);
  tracked.feed(7);
  TemporaryDirectory files;
  std::string path = files.file("session.state");
  ASSERT_EQ(linnet_state_save(session, path.c_str()), LINNET_OK);
  ASSERT_EQ(linnet_state_load(session, path.c_str()), LINNET_OK);
  EXPECT_EQ(tracked.kept(), 0);
  tracked.feed(2);
  EXPECT_EQ(tracked.kept(), 2);
  tracked.rollback(1);
  tracked.feed(1);
}

TEST(RollbackTest, TruncationGoesFurtherBack) {
  Manifest manifest = fakeLanguageModel();
  manifest.states[0].kind = StateSpec::Kind::Append;
  CompiledDirectory directory(manifest, "FakeCache");
  ModelHandle model = openModel(directory);
  Tracked tracked(model);
  linnet_session *session = tracked.session.get();
  ASSERT_EQ(linnet_session_keep(session, 4), LINNET_OK);
  tracked.feed(12);
  ASSERT_EQ(linnet_session_truncate(session, 10), LINNET_OK);
  tracked.sequences[0].resize(10);
  EXPECT_EQ(tracked.kept(), 2);
  tracked.rollback(1);
  ASSERT_EQ(linnet_session_truncate(session, 3), LINNET_OK);
  tracked.sequences[0].resize(3);
  EXPECT_EQ(tracked.kept(), 0);
  tracked.feed(3);
  tracked.rollback(2);
  tracked.feed(1);
}

TEST(RollbackTest, BytesOfKeeping) {
  Manifest manifest = fakeLanguageModel(3);
  CompiledDirectory directory(manifest, "FakeBatch");
  ModelHandle model = openModel(directory);
  auto bytes = [&](int64_t n) {
    return linnet_model_keep_bytes(model.get(), n);
  };
  EXPECT_EQ(bytes(0), 0);
  EXPECT_EQ(bytes(-3), 0);
  // A cache line of sums and a position each, and the tokens.
  EXPECT_EQ(bytes(1), 64 + 8 + 3 * 4 * (1 + kFakeBlock));
  EXPECT_EQ(bytes(10), 10 * (64 + 8) + 3 * 4 * (10 + kFakeBlock));
  // Nothing lies further back than the context.
  EXPECT_EQ(bytes(INT64_MAX), bytes(kFakeContext));
  SessionHandle session = createSession(model);
  EXPECT_EQ(linnet_session_keep(session.get(), INT64_MAX), LINNET_OK);
  EXPECT_EQ(linnet_model_keep_bytes(nullptr, 3), 0);
  EXPECT_EQ(linnet_session_kept(nullptr), 0);
  EXPECT_TRUE(refuses(linnet_session_keep(session.get(), -1),
                      LINNET_ERROR_ARGUMENT,
                      "expected at least 0 tokens to keep, but got -1"));
  EXPECT_TRUE(refuses(linnet_session_keep(nullptr, 1), LINNET_ERROR_ARGUMENT,
                      "expected a session"));
  EXPECT_TRUE(refuses(linnet_session_rollback(nullptr, 1),
                      LINNET_ERROR_ARGUMENT, "expected a session"));

  manifest.maxContext = 0;
  CompiledDirectory unlimited(manifest, "FakeBatch");
  ModelHandle endless = openModel(unlimited);
  EXPECT_EQ(linnet_model_keep_bytes(endless.get(), INT64_MAX), INT64_MAX);
  EXPECT_EQ(linnet_model_keep_bytes(endless.get(), INT64_MAX / 32), INT64_MAX);
  Tracked tracked(endless);
  ASSERT_EQ(linnet_session_keep(tracked.session.get(), 3), LINNET_OK);
  tracked.feed(7);
  for (int64_t n : {INT64_MAX, int64_t(1) << 52})
    EXPECT_TRUE(refuses(linnet_session_keep(tracked.session.get(), n),
                        LINNET_ERROR_MEMORY, "bytes to keep"));
  EXPECT_EQ(tracked.kept(), 3);
  tracked.rollback(3);
  tracked.feed(3);

  CompiledDirectory function(
      fakeFunction("fake_denormal", {}, {{"y", DataType::F32, {2}}}));
  ModelHandle other = openModel(function);
  EXPECT_EQ(linnet_model_keep_bytes(other.get(), 3), 0);
}

} // namespace
