//===- ScanPropertyTest.cpp - random recurrences in every form ------------===//
//
// A program is one scan with one draw of its operands. Programs that share a
// compilation differ in their draws; there are 2,000, and 100,000 where
// LINNET_LONG is set. LINNET_SEED moves all of them.
//
//===----------------------------------------------------------------------===//

#include "ScanPrograms.h"

#include "linnet/Driver/Input.h"

#include "mlir/IR/MLIRContext.h"

#include <cstdlib>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

constexpr int kShards = 8, kScans = 9, kDraws = 7;

class ScanProperty : public testing::TestWithParam<int> {};

TEST_P(ScanProperty, EveryFormIsTheRecurrence) {
  auto context = makeContext();
  auto *dialect = context->getOrLoadDialect<mlir::linnet::LinnetDialect>();
  auto transitions = dialect->getTransitions();
  ASSERT_GE(transitions.size(), 15u);
  const char *moved = std::getenv("LINNET_SEED");
  int seed = (moved ? std::atoi(moved) : 0) + 100000 * GetParam();
  int programs = 0, draws = rounds() > 1 ? 10 * kDraws : kDraws,
      wanted = (rounds() > 1 ? 100000 : 2000) / kShards;
  for (int round = 0; programs < wanted; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed + round));
    Program program(uint32_t(seed + round));
    program.measureAgainst(0.1); // operands are about one
    program.takeProcessorsInTurn(GetParam() + round);
    for (int i = 0; i < kScans; ++i)
      addRandomScan(program, transitions[size_t(program.integer(
                                 0, int64_t(transitions.size()) - 1))]);
    program.check(draws);
    if (HasFailure())
      return;
    programs += kScans * draws;
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, ScanProperty, testing::Range(0, kShards));

} // namespace
} // namespace linnet::test
