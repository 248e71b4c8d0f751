//===- InterruptTest.cpp - Ctrl-C leaves nothing behind -------------------===//

#include "TestFiles.h"

#include "linnet/Support/File.h"

#include <csignal>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

using namespace linnet;
using namespace linnet::test;

using Names = std::vector<std::string>;

namespace {

/// Forks, lets the child run `work` and then wait, kills it with `signal`;
/// returns how it ended.
int runAndKill(int signal, const std::function<void()> &work) {
  int ready[2];
  EXPECT_EQ(::pipe(ready), 0);
  pid_t child = ::fork();
  if (child == 0) {
    // A test run in the background inherits SIGINT and SIGHUP ignored.
    ::signal(signal, SIG_DFL);
    work();
    EXPECT_EQ(::write(ready[1], "x", 1), 1);
    while (true)
      ::pause();
  }
  ::close(ready[1]);
  char byte;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::kill(child, signal);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

} // namespace

TEST(Interrupt, RemovesTemporariesOnEachSignal) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    TemporaryDirectory dir;
    dir.put("f", "old");
    int status = runAndKill(signal, [&] {
      installInterruptCleanup();
      static AtomicFile file = AtomicFile::create(dir.file("f")).take();
      (void)file.write("half");
      static AtomicDirectory out =
          AtomicDirectory::create(dir.file("out")).take();
      std::filesystem::create_directories(out.file("a/b"));
      // More entries than one directory read returns.
      for (int i = 0; i < 500; ++i)
        std::ofstream(out.file("a/some-longer-name-" + std::to_string(i)));
      std::ofstream(out.file("a/b/c")) << "x";
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), signal);
    EXPECT_EQ(dir.list(), Names{"f"});
    EXPECT_EQ(slurp(dir.file("f")), "old");
  }
}

TEST(Interrupt, WithoutTheHookTheTemporaryStays) {
  // Shows that the test above can fail.
  TemporaryDirectory dir;
  runAndKill(SIGINT, [&] {
    static AtomicFile file = AtomicFile::create(dir.file("f")).take();
  });
  EXPECT_EQ(dir.list().size(), 1u);
}

TEST(Interrupt, KeepsWhatWasCommitted) {
  TemporaryDirectory dir;
  runAndKill(SIGINT, [&] {
    installInterruptCleanup();
    static AtomicDirectory out =
        AtomicDirectory::create(dir.file("out")).take();
    static AtomicFile file = AtomicFile::create(dir.file("f")).take();
    (void)file.commit();
    (void)out.commit();
  });
  EXPECT_EQ(dir.list(), (Names{"f", "out"}));
}

TEST(Interrupt, DoesNotFollowLinksOutOfTheDirectory) {
  TemporaryDirectory dir;
  std::filesystem::create_directory(dir.file("precious"));
  dir.put("precious/f", "x");
  runAndKill(SIGTERM, [&] {
    installInterruptCleanup();
    static AtomicDirectory out =
        AtomicDirectory::create(dir.file("out")).take();
    std::filesystem::create_directory_symlink(dir.file("precious"),
                                              out.file("link"));
  });
  EXPECT_EQ(dir.list(), Names{"precious"});
  EXPECT_EQ(slurp(dir.file("precious/f")), "x");
}

TEST(Interrupt, AForkedChildLeavesItsParentsFilesAlone) {
  TemporaryDirectory dir;
  AtomicFile file = AtomicFile::create(dir.file("f")).take();
  runAndKill(SIGINT, [] { installInterruptCleanup(); });
  EXPECT_EQ(dir.list().size(), 1u);
  EXPECT_TRUE(succeeds(file.commit()));
}

TEST(Interrupt, IgnoredSignalsStayIgnored) {
  TemporaryDirectory dir;
  int status = 0;
  pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGHUP, SIG_IGN);
    installInterruptCleanup();
    ::raise(SIGHUP);
    ::_exit(7);
  }
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(Interrupt, RelativePathsSurviveAChangeOfDirectory) {
  TemporaryDirectory dir;
  runAndKill(SIGINT, [&] {
    installInterruptCleanup();
    if (::chdir(dir.str().c_str()) != 0)
      ::_exit(1);
    static AtomicFile file = AtomicFile::create("relative").take();
    if (::chdir("/") != 0)
      ::_exit(1);
  });
  EXPECT_EQ(dir.list(), Names{});
}

TEST(Interrupt, MoreTemporariesThanSlotsStillWork) {
  TemporaryDirectory dir;
  std::vector<AtomicFile> files;
  for (int i = 0; i < 100; ++i)
    files.push_back(AtomicFile::create(dir.file(std::to_string(i))).take());
  for (AtomicFile &file : files)
    EXPECT_TRUE(succeeds(file.commit()));
  EXPECT_EQ(dir.list().size(), 100u);
  EXPECT_TRUE(InterruptCleanup(dir.file("x")).registered())
      << "slots are free again";
}

TEST(Interrupt, OverlongPathsAreNotRegistered) {
  EXPECT_FALSE(InterruptCleanup("/" + std::string(5000, 'x')).registered());
}
