//===- FlaAttentionTest.cpp - attention and scans composed ----------------===//
//
// Softmax over transported scores, softmax within a recurrence, hierarchies of
// states and solves against one, all as functions of the IR.
//
//===----------------------------------------------------------------------===//

#include "FlaPrograms.h"
#include "RunModule.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

class FlaAttentionTest : public testing::TestWithParam<FlaProgram> {};

TEST_P(FlaAttentionTest, AsRecorded) {
  const FlaProgram &program = GetParam();
  auto module = parse(program.aliases() + program.functions());
  ASSERT_TRUE(module);
  auto evaluator = Evaluator::create(*module, nullptr);
  ASSERT_TRUE(bool(evaluator)) << evaluator.error().str();
  auto got = evaluator->run(program.function, program.load(program.inputs));
  ASSERT_TRUE(bool(got)) << got.error().str();
  ASSERT_EQ(got->size(), program.outputs.size());
  for (size_t i = 0; i < got->size(); ++i)
    EXPECT_LE(difference((*got)[i], program.load(program.outputs[i])),
              program.tolerance)
        << program.outputs[i];
}

INSTANTIATE_TEST_SUITE_P(Ops, FlaAttentionTest,
                         testing::ValuesIn(flaPrograms()),
                         [](const auto &info) { return info.param.function; });

} // namespace
