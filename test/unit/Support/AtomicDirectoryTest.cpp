//===- AtomicDirectoryTest.cpp - whole or not at all ----------------------===//

#include "TestFiles.h"

#include "linnet/Support/File.h"

#include <unistd.h>

using namespace linnet;
using namespace linnet::test;

using Names = std::vector<std::string>;

namespace {

/// Makes a directory with one file in it.
std::string makeDirectory(const TemporaryDirectory &dir, std::string_view name,
                          std::string_view file) {
  std::filesystem::create_directory(dir.file(name));
  return dir.put(std::string(name) + "/" + std::string(file), "old");
}

} // namespace

TEST(AtomicDirectory, AppearsAtCommitOnly) {
  TemporaryDirectory dir;
  Result<AtomicDirectory> out = AtomicDirectory::create(dir.file("out"));
  ASSERT_TRUE(succeeds(out));
  ASSERT_TRUE(succeeds(writeFileAtomically(out->file("a"), "1")));
  std::filesystem::create_directory(out->file("sub"));
  ASSERT_TRUE(succeeds(writeFileAtomically(out->file("sub/b"), "2")));
  EXPECT_FALSE(std::filesystem::exists(dir.file("out")));
  EXPECT_EQ(out->finalPath(), dir.file("out"));
  ASSERT_TRUE(succeeds(out->commit()));
  EXPECT_EQ(out->path(), dir.file("out"));
  EXPECT_EQ(dir.list(), Names{"out"});
  EXPECT_EQ(slurp(dir.file("out/a")), "1");
  EXPECT_EQ(slurp(dir.file("out/sub/b")), "2");
}

TEST(AtomicDirectory, IsRemovedWithoutCommit) {
  TemporaryDirectory dir;
  {
    AtomicDirectory out = AtomicDirectory::create(dir.file("out")).take();
    ASSERT_TRUE(succeeds(writeFileAtomically(out.file("a"), "1")));
    AtomicDirectory moved = std::move(out);
    EXPECT_EQ(dir.list().size(), 1u);
  }
  EXPECT_EQ(dir.list(), Names{});
}

TEST(AtomicDirectory, ReplacesEmptyDirectories) {
  TemporaryDirectory dir;
  std::filesystem::create_directory(dir.file("out"));
  AtomicDirectory out = AtomicDirectory::create(dir.file("out")).take();
  ASSERT_TRUE(succeeds(writeFileAtomically(out.file("a"), "1")));
  ASSERT_TRUE(succeeds(out.commit()));
  EXPECT_EQ(slurp(dir.file("out/a")), "1");
}

TEST(AtomicDirectory, RefusesForeignDirectories) {
  TemporaryDirectory dir;
  makeDirectory(dir, "out", "precious");
  EXPECT_TRUE(failsWith(AtomicDirectory::create(dir.file("out")),
                        "exists and is not empty"));
  EXPECT_TRUE(
      failsWith(AtomicDirectory::create(dir.file("out"), "manifest.json"),
                "holds no manifest.json"));
  EXPECT_EQ(slurp(dir.file("out/precious")), "old");
  EXPECT_EQ(dir.list(), Names{"out"});
}

TEST(AtomicDirectory, ReplacesItsOwnKindWhenAsked) {
  TemporaryDirectory dir;
  makeDirectory(dir, "out", "manifest.json");
  dir.put("out/stale", "x");
  EXPECT_TRUE(failsWith(AtomicDirectory::create(dir.file("out")), "not empty"));
  AtomicDirectory out =
      AtomicDirectory::create(dir.file("out/"), "manifest.json").take();
  ASSERT_TRUE(succeeds(writeFileAtomically(out.file("manifest.json"), "new")));
  EXPECT_EQ(slurp(dir.file("out/manifest.json")), "old");
  ASSERT_TRUE(succeeds(out.commit()));
  EXPECT_EQ(slurp(dir.file("out/manifest.json")), "new");
  EXPECT_FALSE(std::filesystem::exists(dir.file("out/stale")));
  EXPECT_EQ(dir.list(), Names{"out"});
}

TEST(AtomicDirectory, ChecksAgainAtCommit) {
  TemporaryDirectory dir;
  AtomicDirectory out = AtomicDirectory::create(dir.file("out")).take();
  makeDirectory(dir, "out", "precious");
  EXPECT_TRUE(failsWith(out.commit(), "not empty"));
  EXPECT_EQ(dir.list(), Names{"out"});
  EXPECT_EQ(slurp(dir.file("out/precious")), "old");
}

TEST(AtomicDirectory, FollowsLinks) {
  TemporaryDirectory dir;
  std::filesystem::create_directory(dir.file("real"));
  ASSERT_EQ(::symlink("real", dir.file("link").c_str()), 0);
  AtomicDirectory out = AtomicDirectory::create(dir.file("link")).take();
  ASSERT_TRUE(succeeds(writeFileAtomically(out.file("a"), "1")));
  ASSERT_TRUE(succeeds(out.commit()));
  EXPECT_TRUE(std::filesystem::is_symlink(dir.file("link")));
  EXPECT_EQ(slurp(dir.file("real/a")), "1");
}

TEST(AtomicDirectory, RefusesUnusablePaths) {
  TemporaryDirectory dir;
  dir.put("file", "x");
  for (const char *path : {"", "/", ".", "..", "a/.."})
    EXPECT_TRUE(failsWith(AtomicDirectory::create(path), "ends in a name"))
        << path;
  EXPECT_TRUE(failsWith(AtomicDirectory::create(dir.file("file")),
                        "a file of that name exists"));
  EXPECT_TRUE(failsWith(AtomicDirectory::create(dir.file("no/out")),
                        "no such file or directory"));
  EXPECT_TRUE(failsWith(AtomicDirectory::create(dir.file("file/out")),
                        "not a directory"));
  EXPECT_TRUE(failsWith(AtomicDirectory::create("/proc/out"), "/proc/out"));
  EXPECT_EQ(dir.list(), Names{"file"});
}

TEST(AtomicDirectory, CommitsOnce) {
  TemporaryDirectory dir;
  AtomicDirectory out = AtomicDirectory::create(dir.file("out")).take();
  ASSERT_TRUE(succeeds(out.commit()));
  EXPECT_TRUE(failsWith(out.commit(), "already closed"));
  EXPECT_EQ(dir.list(), Names{"out"});
}
