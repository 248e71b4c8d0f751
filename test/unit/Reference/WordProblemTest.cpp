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
#include <cmath>
#include <gtest/gtest.h>
#include <numbers>
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
                                int64_t size, const HostTensor *key = nullptr) {
  HostTensor query = HostTensor::filled({1, kTokens, 1, size});
  for (int64_t t = 0; t < kTokens; ++t)
    query.values[t * size] = 1;
  HostTensor none = HostTensor::filled({1, kTokens, 1, size});
  std::vector<Operand> operands{query, key ? *key : none, none};
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

/// 1 - beta |k|^2 = -1: a rate of 2 negates, a rate of 0 keeps.
TEST(WordProblem, ParityByTheDeltaRule) {
  std::mt19937 engine(3);
  HostTensor rates = HostTensor::filled({1, kTokens, 1}),
             key = HostTensor::filled({1, kTokens, 1, 1}, 1);
  std::vector<double> expected;
  double parity = 1;
  for (int64_t t = 0; t < kTokens; ++t) {
    bool odd = engine() % 2;
    rates.values[t] = odd ? 2 : 0;
    expected.push_back(parity = odd ? -parity : parity);
  }
  std::vector<HostTensor> got = runWord("delta<none>", {rates}, 1, &key);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].values, expected);
}

/// Two letters are swapped by the reflection along their difference, a product
/// of two of which is any permutation of three: two micro-steps per element
/// (Siems et al. 2025, "DeltaProduct").
TEST(WordProblem, PermutationsOfThreeLettersByReflections) {
  std::mt19937 engine(6);
  HostTensor rates = HostTensor::filled({1, kTokens, 1}),
             key = HostTensor::filled({1, kTokens, 1, 3});
  std::array<int, 3> rows{0, 1, 2};
  std::vector<int> firsts;
  for (int64_t t = 0; t < kTokens; ++t) {
    int i = int(engine() % 3), j = (i + 1) % 3;
    key.values[t * 3 + i] = std::sqrt(0.5);
    key.values[t * 3 + j] = -std::sqrt(0.5);
    if (engine() % 4) {
      rates.values[t] = 2;
      std::swap(rows[i], rows[j]);
    }
    firsts.push_back(rows[0]);
  }
  std::vector<HostTensor> got = runWord("delta<none>", {rates}, 3, &key);
  ASSERT_EQ(got.size(), 2u);
  for (int64_t t = 1; t < kTokens; t += 2)
    for (int c = 0; c < 3; ++c)
      ASSERT_NEAR(got[0].values[t * 3 + c], c == firsts[t], 1e-11) << t;
}

/// The running sum modulo m of random letters 0 .. m - 1.
std::vector<int64_t> residues(int64_t modulus, uint32_t seed,
                              std::vector<int64_t> &steps) {
  std::mt19937 engine(seed);
  std::vector<int64_t> counts;
  int64_t count = 0;
  for (int64_t t = 0; t < kTokens; ++t) {
    steps.push_back(int64_t(engine() % uint64_t(modulus)));
    counts.push_back(count = (count + steps.back()) % modulus);
  }
  return counts;
}

/// Turns by 2 pi / m: the nearest root of unity is the count. m = 2 is parity.
TEST(WordProblem, CountingByTurns) {
  for (int64_t modulus : {2, 3, 5, 7}) {
    std::vector<int64_t> steps,
        counts = residues(modulus, uint32_t(modulus), steps);
    double unit = 2 * std::numbers::pi / double(modulus);
    HostTensor decay = HostTensor::filled({1, 1, 1, 1}),
               angle = HostTensor::filled({1, kTokens, 1, 1});
    for (int64_t t = 0; t < kTokens; ++t)
      angle.values[t] = unit * double(steps[t]);
    std::vector<HostTensor> got = runWord("complex", {decay, angle}, 2);
    ASSERT_EQ(got.size(), 2u);
    for (int64_t t = 0; t < kTokens; ++t) {
      // The real part's row of the identity: cos and -sin.
      double turned =
          std::atan2(-got[0].values[t * 2 + 1], got[0].values[t * 2]);
      int64_t nearest = (std::llround(turned / unit) + modulus) % modulus;
      ASSERT_EQ(nearest, counts[t]) << modulus << " at " << t;
      EXPECT_NEAR(std::hypot(got[0].values[t * 2], got[0].values[t * 2 + 1]), 1,
                  1e-12);
    }
  }
}

/// The cyclic shift's powers count exactly.
TEST(WordProblem, CountingByCyclicShifts) {
  for (int64_t modulus : {3, 5, 7}) {
    std::vector<int64_t> steps,
        counts = residues(modulus, uint32_t(10 + modulus), steps);
    HostTensor shifts = HostTensor::filled({1, kTokens, 1, modulus, modulus});
    for (int64_t t = 0; t < kTokens; ++t)
      for (int64_t row = 0; row < modulus; ++row)
        shifts.values[(t * modulus + row) * modulus +
                      (row + steps[t]) % modulus] = 1;
    std::vector<HostTensor> got = runWord("block", {shifts}, modulus);
    ASSERT_EQ(got.size(), 2u);
    for (int64_t t = 0; t < kTokens; ++t)
      for (int64_t c = 0; c < modulus; ++c)
        ASSERT_EQ(got[0].values[t * modulus + c], c == counts[t])
            << modulus << " at " << t;
  }
}
