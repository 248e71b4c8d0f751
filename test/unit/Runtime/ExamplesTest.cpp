//===- ExamplesTest.cpp - the example programs run ------------------------===//

#include "FakeModel.h"

#include <array>
#include <cstdio>
#include <sys/wait.h>

using namespace linnet;
using namespace linnet::test;

namespace {

struct Outcome {
  int code = -1;
  std::string output;
};

/// Runs an example, both its streams together.
Outcome runExample(const std::string &name, const std::string &arguments) {
  std::string command = "timeout 60 " + std::string(LINNET_EXAMPLES) + "/" +
                        name + " " + arguments + " 2>&1";
  Outcome run;
  FILE *pipe = popen(command.c_str(), "r");
  if (!pipe)
    return run;
  std::array<char, 256> buffer;
  while (fgets(buffer.data(), buffer.size(), pipe))
    run.output += buffer.data();
  int status = pclose(pipe);
  run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return run;
}

// The fake model's largest logit is always that of token 15.
TEST(ExamplesTest, CGenerates) {
  CompiledDirectory directory(fakeLanguageModel());
  Outcome run = runExample("linnet-example-c",
                           std::string(directory.path()) + " 4 3 1 2");
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.output, "15 15 15 15\n");
}

TEST(ExamplesTest, CppGeneratesTwice) {
  CompiledDirectory directory(fakeLanguageModel());
  Outcome run = runExample("linnet-example-cpp",
                           std::string(directory.path()) + " 3 3 1 2");
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.output, "15 15 15\n15 15 15\n");
}

TEST(ExamplesTest, ErrorsAreOneLine) {
  CompiledDirectory directory(fakeLanguageModel());
  for (std::string name : {"linnet-example-c", "linnet-example-cpp"}) {
    SCOPED_TRACE(name);
    std::string path = directory.path();
    Outcome run = runExample(name, path + " 4 3 16");
    EXPECT_EQ(run.code, 1);
    EXPECT_EQ(run.output,
              "token 1 of sequence 0: expected 0 to 15, but got 16\n");
    run = runExample(name, "/nonexistent 4 3");
    EXPECT_EQ(run.code, 1);
    EXPECT_NE(run.output.find("expected a directory written by"),
              std::string::npos);
    run = runExample(name, path + " 4 3x");
    EXPECT_EQ(run.code, 1);
    EXPECT_EQ(run.output, "expected an integer of at least 0, but got '3x'\n");
    run = runExample(name, path + " 100 1");
    EXPECT_EQ(run.code, 1);
    EXPECT_NE(run.output.find("context"), std::string::npos);
    run = runExample(name, "");
    EXPECT_EQ(run.code, 1);
    EXPECT_EQ(run.output.find("usage: "), 0u);
  }
}

} // namespace
