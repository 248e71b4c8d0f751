//===- AtomicFileTest.cpp - whole or not at all ---------------------------===//

#include "TestFiles.h"

#include "linnet/Support/File.h"

#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace linnet;
using namespace linnet::test;

using Names = std::vector<std::string>;

TEST(AtomicFile, AppearsAtCommitOnly) {
  TemporaryDirectory dir;
  Result<AtomicFile> file = AtomicFile::create(dir.file("f"));
  ASSERT_TRUE(succeeds(file));
  ASSERT_TRUE(succeeds(file->write("hello ")));
  ASSERT_TRUE(succeeds(file->write("world")));
  EXPECT_FALSE(std::filesystem::exists(dir.file("f")));
  ASSERT_TRUE(succeeds(file->commit()));
  EXPECT_EQ(slurp(dir.file("f")), "hello world");
  EXPECT_EQ(dir.list(), Names{"f"});
}

TEST(AtomicFile, IsRemovedWithoutCommit) {
  TemporaryDirectory dir;
  dir.put("f", "old");
  {
    Result<AtomicFile> file = AtomicFile::create(dir.file("f"));
    ASSERT_TRUE(succeeds(file));
    ASSERT_TRUE(succeeds(file->write("new")));
    EXPECT_EQ(dir.list().size(), 2u);
  }
  EXPECT_EQ(dir.list(), Names{"f"});
  EXPECT_EQ(slurp(dir.file("f")), "old");
}

TEST(AtomicFile, ReplacesAndKeepsTheMode) {
  TemporaryDirectory dir;
  std::string path = dir.put("f", "old content");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  ASSERT_TRUE(succeeds(writeFileAtomically(path, "new")));
  EXPECT_EQ(slurp(path), "new");
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

TEST(AtomicFile, WritesAtOffsets) {
  TemporaryDirectory dir;
  Result<AtomicFile> file = AtomicFile::create(dir.file("f"));
  ASSERT_TRUE(succeeds(file));
  ASSERT_TRUE(succeeds(file->writeAt(4, "tail", 4)));
  ASSERT_TRUE(succeeds(file->write("ab")));
  ASSERT_TRUE(succeeds(file->write("c")));
  ASSERT_TRUE(succeeds(file->commit()));
  EXPECT_EQ(slurp(dir.file("f")), std::string("abc\0tail", 8));
}

TEST(AtomicFile, FollowsLinks) {
  TemporaryDirectory dir;
  std::string path = dir.put("real", "old");
  ASSERT_EQ(::symlink("real", dir.file("link").c_str()), 0);
  ASSERT_TRUE(succeeds(writeFileAtomically(dir.file("link"), "new")));
  EXPECT_TRUE(std::filesystem::is_symlink(dir.file("link")));
  EXPECT_EQ(slurp(path), "new");
}

TEST(AtomicFile, WritesEmptyFilesAndLongNames) {
  TemporaryDirectory dir;
  std::string name(255, 'n');
  ASSERT_TRUE(succeeds(writeFileAtomically(dir.file(name), "")));
  EXPECT_EQ(dir.list(), Names{name});
}

TEST(AtomicFile, WritesToBareNames) {
  TemporaryDirectory dir;
  std::string before = std::filesystem::current_path().string();
  ASSERT_EQ(::chdir(dir.str().c_str()), 0);
  Status status = writeFileAtomically("bare", "x");
  ASSERT_EQ(::chdir(before.c_str()), 0);
  ASSERT_TRUE(succeeds(status));
  EXPECT_EQ(slurp(dir.file("bare")), "x");
}

TEST(AtomicFile, TwoWritersOfOneNameDoNotMeet) {
  TemporaryDirectory dir;
  AtomicFile a = AtomicFile::create(dir.file("f")).take();
  AtomicFile b = AtomicFile::create(dir.file("f")).take();
  ASSERT_TRUE(succeeds(a.write("aaaa")));
  ASSERT_TRUE(succeeds(b.write("b")));
  ASSERT_TRUE(succeeds(a.commit()));
  ASSERT_TRUE(succeeds(b.commit()));
  EXPECT_EQ(slurp(dir.file("f")), "b");
  EXPECT_EQ(dir.list(), Names{"f"});
}

TEST(AtomicFile, MovesKeepOneOwner) {
  TemporaryDirectory dir;
  AtomicFile a = AtomicFile::create(dir.file("a")).take();
  AtomicFile b = AtomicFile::create(dir.file("b")).take();
  ASSERT_TRUE(succeeds(b.write("b")));
  a = std::move(b); // discards what a held
  EXPECT_EQ(dir.list().size(), 1u);
  ASSERT_TRUE(succeeds(a.commit()));
  EXPECT_EQ(dir.list(), Names{"b"});
}

TEST(AtomicFile, CommitsOnce) {
  TemporaryDirectory dir;
  AtomicFile file = AtomicFile::create(dir.file("f")).take();
  ASSERT_TRUE(succeeds(file.commit()));
  EXPECT_TRUE(failsWith(file.commit(), "already closed"));
  file.discard();
  EXPECT_EQ(dir.list(), Names{"f"});
}

TEST(AtomicFile, RefusesUnusablePaths) {
  TemporaryDirectory dir;
  EXPECT_TRUE(failsWith(writeFileAtomically(dir.file("no/f"), "x"),
                        "/no/f': no such file or directory"));
  EXPECT_TRUE(failsWith(writeFileAtomically(dir.str(), "x"), "is a directory"));
  EXPECT_TRUE(failsWith(writeFileAtomically(dir.put("f", "") + "/g", "x"),
                        "not a directory"));
  EXPECT_TRUE(failsWith(writeFileAtomically("", "x"), "cannot write ''"));
  EXPECT_TRUE(failsWith(
      writeFileAtomically(dir.file(std::string(256, 'n')), "x"), "too long"));
  EXPECT_EQ(dir.list(), Names{"f"});
}

/// Ends the (forked) process as a tool would on `status`.
[[noreturn]] static void exitWith(const Status &status) {
  if (!status)
    fprintf(stderr, "%s\n", status.error().str().c_str());
  ::_exit(status ? 0 : 1);
}

/// Root may write everywhere; permission tests run as nobody.
static void dropPrivileges() {
  if (::geteuid() == 0 && ::setuid(65534) != 0)
    ::_exit(99);
}

TEST(AtomicFileDeathTest, RefusesAnUnwritableDirectory) {
  TemporaryDirectory dir;
  std::filesystem::create_directory(dir.file("locked"));
  ASSERT_EQ(::chmod(dir.file("locked").c_str(), 0555), 0);
  EXPECT_EXIT(
      {
        dropPrivileges();
        exitWith(writeFileAtomically(dir.file("locked/f"), "x"));
      },
      ::testing::ExitedWithCode(1), "cannot write .*permission denied");
}

TEST(AtomicFileDeathTest, RefusesToReplaceAReadOnlyFile) {
  TemporaryDirectory dir;
  ASSERT_EQ(::chmod(dir.str().c_str(), 0777), 0);
  ASSERT_EQ(::chmod(dir.put("f", "old").c_str(), 0444), 0);
  EXPECT_EXIT(
      {
        dropPrivileges();
        exitWith(writeFileAtomically(dir.file("f"), "x"));
      },
      ::testing::ExitedWithCode(1), "permission denied");
  EXPECT_EQ(slurp(dir.file("f")), "old");
}

TEST(AtomicFileDeathTest, AFullDiskLeavesTheOldFileAndNoTemporary) {
  TemporaryDirectory dir;
  dir.put("f", "old");
  // A file size limit stands for the full disk: both make write() fail midway.
  EXPECT_EXIT(
      {
        std::signal(SIGXFSZ, SIG_IGN);
        rlimit limit;
        limit.rlim_cur = limit.rlim_max = 100000;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        exitWith(writeFileAtomically(dir.file("f"), std::string(200000, 'x')));
      },
      ::testing::ExitedWithCode(1), "cannot write .*/f': file too large");
  EXPECT_EQ(dir.list(), Names{"f"});
  EXPECT_EQ(slurp(dir.file("f")), "old");
}

// As nobody, because a defect here would replace the devices of a machine on
// which the tests run as root.
TEST(AtomicFileDeathTest, WritesDevicesDirectly) {
  EXPECT_EXIT(
      {
        dropPrivileges();
        exitWith(writeFileAtomically("/dev/null", "x"));
      },
      ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(
      {
        dropPrivileges();
        exitWith(writeFileAtomically("/dev/full", "x"));
      },
      ::testing::ExitedWithCode(1),
      "cannot write '/dev/full': no space left on device");
}

TEST(AtomicFile, AFailedCommitLeavesNoTemporary) {
  TemporaryDirectory dir;
  AtomicFile file = AtomicFile::create(dir.file("f")).take();
  std::filesystem::create_directory(dir.file("f"));
  EXPECT_TRUE(failsWith(file.commit(), "is a directory"));
  EXPECT_EQ(dir.list(), Names{"f"});
}

TEST(AtomicFile, WritesPipesDirectly) {
  TemporaryDirectory dir;
  std::string path = dir.file("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  Result<AtomicFile> file = AtomicFile::create(path);
  ASSERT_TRUE(succeeds(file));
  EXPECT_TRUE(failsWith(file->writeAt(3, "x", 1), "illegal seek"));
  ASSERT_TRUE(succeeds(file->write("abc")));
  ASSERT_TRUE(succeeds(file->commit()));
  char buffer[8];
  EXPECT_EQ(::read(reader, buffer, sizeof(buffer)), 3);
  ::close(reader);
}
