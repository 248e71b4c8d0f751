//===- FlaAttentionKernelTest.cpp - attention and scans composed ----------===//
//
// The functions of test/unit/Reference/Programs on their recorded operands, in
// f32.
//
//===----------------------------------------------------------------------===//

#include "Program.h"

#include "test/unit/Reference/FlaPrograms.h"

#include <gtest/gtest.h>

namespace linnet::test {
namespace {

class FlaAttentionKernel : public testing::TestWithParam<FlaProgram> {};

TEST_P(FlaAttentionKernel, AsEvaluated) {
  const FlaProgram &mixer = GetParam();
  Program program(6400);
  program.alias(mixer.aliases());
  program.function(mixer.functions());
  std::vector<Value> operands;
  for (HostTensor &tensor : mixer.load(mixer.inputs))
    operands.push_back(program.input(tensor.shape, std::move(tensor.values)));
  std::vector<Shape> shapes;
  for (const HostTensor &tensor : mixer.load(mixer.outputs))
    shapes.push_back(tensor.shape);
  std::string names;
  for (size_t i = 0; i < operands.size(); ++i)
    names += (i ? ", $" : "$") + std::to_string(i);
  program.expectAll(program.apply("call @" + mixer.function + "(" + names + ")",
                                  operands, shapes),
                    mixer.function, mixer.compiled);
  program.check();
}

std::vector<FlaProgram> withinReach() {
  std::vector<FlaProgram> all = flaPrograms();
  std::erase_if(all, [](const FlaProgram &mixer) { return !mixer.compiled; });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Ops, FlaAttentionKernel,
                         testing::ValuesIn(withinReach()),
                         [](const auto &info) { return info.param.function; });

} // namespace
} // namespace linnet::test
