//===- StateFileTest.cpp - saving and loading states ----------------------===//

#include "FakeModel.h"

#include <sys/stat.h>

using namespace linnet;
using namespace linnet::test;

namespace {

class StateFileTest : public testing::Test {
protected:
  void SetUp() override {
    for (int32_t i = 0; i < 11; ++i)
      tokens.push_back((i * 5 + 2) % 16);
    ASSERT_EQ(linnet_prefill(session.get(), tokens.data(), 11, nullptr,
                             LINNET_ROWS_NONE),
              LINNET_OK);
    ASSERT_EQ(linnet_state_save(session.get(), path.c_str()), LINNET_OK)
        << linnet_last_error();
  }

  /// Whether `session` behaves as after `tokens`; adds one token.
  void expectContinues(linnet_session *continued) {
    EXPECT_EQ(linnet_session_position(continued), 11);
    std::vector<int32_t> sequence = tokens;
    sequence.push_back(7);
    std::vector<float> out(kFakeWidth);
    ASSERT_EQ(linnet_decode(continued, &sequence.back(), out.data()),
              LINNET_OK);
    EXPECT_EQ(out[2], fakeLogit(sequence, 11, 2));
  }

  CompiledDirectory directory{fakeLanguageModel()};
  ModelHandle model = openModel(directory);
  SessionHandle session = createSession(model);
  std::vector<int32_t> tokens;
  TemporaryDirectory files;
  std::string path = files.file("session.state");
};

TEST_F(StateFileTest, ContinuesWhereItWasSaved) {
  SessionHandle other = createSession(model);
  int32_t noise[3] = {1, 2, 3};
  ASSERT_EQ(linnet_prefill(other.get(), noise, 3, nullptr, LINNET_ROWS_NONE),
            LINNET_OK);
  ASSERT_EQ(linnet_state_load(other.get(), path.c_str()), LINNET_OK)
      << linnet_last_error();
  expectContinues(other.get());
  // In another process's model, too.
  ModelHandle again = openModel(directory, 1);
  SessionHandle third = createSession(again);
  ASSERT_EQ(linnet_state_load(third.get(), path.c_str()), LINNET_OK);
  expectContinues(third.get());
  // Nothing but the file is left in the directory, and saving overwrites.
  ASSERT_EQ(linnet_state_save(third.get(), path.c_str()), LINNET_OK);
  EXPECT_EQ(files.list(), std::vector<std::string>{"session.state"});
  ASSERT_EQ(linnet_state_load(session.get(), path.c_str()), LINNET_OK);
  EXPECT_EQ(linnet_session_position(session.get()), 12);
}

// Every byte counts: one changed bit anywhere, or any other length, is refused
// and the session stays as it was.
TEST_F(StateFileTest, DamageIsRefused) {
  std::string whole = slurp(path);
  ASSERT_GT(whole.size(), 4096u);
  std::string damaged = files.file("damaged.state");
  for (size_t i = 0; i < whole.size(); i += i < 200 ? 1 : 37) {
    std::string changed = whole;
    changed[i] = char(changed[i] ^ 0x10);
    files.put("damaged.state", changed);
    ASSERT_TRUE(refuses(linnet_state_load(session.get(), damaged.c_str()),
                        LINNET_ERROR_STATE, damaged))
        << "byte " << i;
  }
  for (size_t size : {size_t(0), size_t(7), size_t(47), size_t(53), size_t(100),
                      size_t(4096), whole.size() - 1}) {
    files.put("damaged.state", whole.substr(0, size));
    ASSERT_TRUE(refuses(linnet_state_load(session.get(), damaged.c_str()),
                        LINNET_ERROR_STATE, damaged))
        << size;
  }
  files.put("damaged.state", whole + "x");
  EXPECT_TRUE(refuses(linnet_state_load(session.get(), damaged.c_str()),
                      LINNET_ERROR_STATE, "bytes, but got"));
  expectContinues(session.get());
}

TEST_F(StateFileTest, OtherCompilationsAreRefused) {
  Manifest manifest = fakeLanguageModel();
  manifest.id = "fake-2";
  CompiledDirectory otherDirectory(manifest, "FakeOtherId");
  ModelHandle otherModel = openModel(otherDirectory);
  SessionHandle other = createSession(otherModel);
  EXPECT_TRUE(refuses(linnet_state_load(other.get(), path.c_str()),
                      LINNET_ERROR_STATE,
                      "expected a state of compilation fake-2, but got one of "
                      "fake-1"));
}

TEST_F(StateFileTest, FilesThatCannotBeHad) {
  EXPECT_TRUE(refuses(linnet_state_load(session.get(), "/nonexistent/x"),
                      LINNET_ERROR_IO, "/nonexistent/x"));
  EXPECT_TRUE(refuses(linnet_state_save(session.get(), "/nonexistent/x"),
                      LINNET_ERROR_IO, "/nonexistent/x"));
  EXPECT_TRUE(refuses(linnet_state_save(session.get(), nullptr),
                      LINNET_ERROR_ARGUMENT, "expected a path"));
  EXPECT_TRUE(refuses(linnet_state_load(nullptr, path.c_str()),
                      LINNET_ERROR_ARGUMENT, "expected a session"));
  expectContinues(session.get());
}

// A cache has room for the whole context; what is unused takes no disk.
TEST_F(StateFileTest, UnusedRoomIsAHole) {
  Manifest manifest = fakeLanguageModel();
  manifest.states[1].bytes = 64 << 20;
  CompiledDirectory largeDirectory(manifest);
  ModelHandle large = openModel(largeDirectory);
  SessionHandle saved = createSession(large), loaded = createSession(large);
  ASSERT_EQ(
      linnet_prefill(saved.get(), tokens.data(), 11, nullptr, LINNET_ROWS_NONE),
      LINNET_OK);
  std::string file = files.file("large.state");
  ASSERT_EQ(linnet_state_save(saved.get(), file.c_str()), LINNET_OK);
  struct stat info;
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_GT(info.st_size, 64 << 20);
  EXPECT_LT(info.st_blocks * 512, 1 << 20);
  ASSERT_EQ(linnet_state_load(loaded.get(), file.c_str()), LINNET_OK)
      << linnet_last_error();
  expectContinues(loaded.get());
}

} // namespace
