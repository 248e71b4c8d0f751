//===- WordProblemTest.cpp - what the expressive transitions can count ----===//
//
// Recurrences whose state is an element of a finite group, with exact expected
// answers: with diagonal transitions of positive entries none of them can be
// computed (Merrill et al. 2024, "The illusion of state in state-space
// models"; Grazzi et al. 2025, "Unlocking state-tracking in linear RNNs
// through negative eigenvalues").
//
//===----------------------------------------------------------------------===//

#include "RunModule.h"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <numeric>

using namespace linnet;
using namespace linnet::test;

namespace {
constexpr int64_t kTokens = 1500;
constexpr int64_t kLetters = 5;
using Permutation = std::array<int, kLetters>;

HostTensor identity(int64_t size) {
  HostTensor state = HostTensor::filled({1, 1, size, size});
  for (int64_t i = 0; i < size; ++i)
    state.values[i * size + i] = 1;
  return state;
}

/// A recurrence that starts from the identity, writes nothing and reads row 0.
std::vector<HostTensor> runWord(const std::string &transition,
                                const std::vector<HostTensor> &parameters,
                                int64_t size) {
  HostTensor query = HostTensor::filled({1, kTokens, 1, size});
  for (int64_t t = 0; t < kTokens; ++t)
    query.values[t * size] = 1;
  std::vector<Operand> operands{query,
                                HostTensor::filled({1, kTokens, 1, size}),
                                HostTensor::filled({1, kTokens, 1, size})};
  std::string list;
  for (const HostTensor &parameter : parameters) {
    list += (list.empty() ? "%" : ", %") + std::to_string(operands.size());
    operands.push_back(parameter);
  }
  std::string initial = "%" + std::to_string(operands.size());
  operands.push_back(identity(size));
  return runOp("linnet.scan #linnet." + transition + "(" + list +
                   ") %0, %1, %2 initial(" + initial + ")",
               operands, {{1, kTokens, 1, size}, {1, 1, size, size}});
}
} // namespace

/// Products of random permutations of five letters: the smallest group that is
/// not solvable, so no fixed depth of diagonal layers follows it.
TEST(WordProblem, PermutationsOfFiveLetters) {
  std::mt19937 engine(5);
  HostTensor matrices = HostTensor::filled({1, kTokens, 1, kLetters, kLetters});
  Permutation product, next;
  std::iota(product.begin(), product.end(), 0);
  std::vector<int> firsts;
  for (int64_t t = 0; t < kTokens; ++t) {
    Permutation sigma;
    std::iota(sigma.begin(), sigma.end(), 0);
    for (int i = kLetters - 1; i > 0; --i)
      std::swap(sigma[i], sigma[engine() % (i + 1)]);
    for (int r = 0; r < kLetters; ++r) {
      matrices.values[(t * kLetters + r) * kLetters + sigma[r]] = 1;
      next[r] = product[sigma[r]];
    }
    product = next;
    firsts.push_back(product[0]);
  }
  std::vector<HostTensor> got = runWord("block", {matrices}, kLetters);
  ASSERT_EQ(got.size(), 2u);
  for (int64_t t = 0; t < kTokens; ++t)
    for (int c = 0; c < kLetters; ++c)
      ASSERT_EQ(got[0].values[t * kLetters + c], c == firsts[t]) << t;
  for (int r = 0; r < kLetters; ++r)
    for (int c = 0; c < kLetters; ++c)
      EXPECT_EQ(got[1].values[r * kLetters + c], c == product[r]);
}

/// A block of one row is a sign: parity, exactly.
TEST(WordProblem, ParityByNegativeEntries) {
  std::mt19937 engine(2);
  HostTensor signs = HostTensor::filled({1, kTokens, 1, 1, 1});
  std::vector<double> expected;
  double parity = 1;
  for (int64_t t = 0; t < kTokens; ++t) {
    signs.values[t] = engine() % 2 ? -1 : 1;
    expected.push_back(parity *= signs.values[t]);
  }
  std::vector<HostTensor> got = runWord("block", {signs}, 1);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].values, expected);
}
