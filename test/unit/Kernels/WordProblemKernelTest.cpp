//===- WordProblemKernelTest.cpp - state tracking, compiled ---------------===//
//
// The recurrences of Reference/WordProblemTest.cpp, which has the answers, in
// every form that is legal for them. A thousand tokens without a decay: what
// rounding does to a turn or a reflection stays.
//
//===----------------------------------------------------------------------===//

#include "Program.h"

#include <cmath>
#include <gtest/gtest.h>
#include <numbers>
#include <numeric>

namespace linnet::test {
namespace {

/// Many segments and chunks, and widths that have a chunk form.
constexpr int64_t kTokens = 1008, kRows = 16;

class WordProblemForm : public testing::TestWithParam<const char *> {
protected:
  /// A recurrence that starts from the identity, writes nothing and reads the
  /// first row: the letters are in its transition.
  void expectWord(const std::string &transition,
                  const std::vector<Value> &parameters, Value key,
                  double tolerance) {
    int64_t rows = key.shape.back();
    std::vector<double> first(size_t(rows), 0), identity(size_t(rows * rows));
    first[0] = 1;
    for (int64_t i = 0; i < rows; ++i)
      identity[size_t(i * rows + i)] = 1;
    // Along the tokens, or there would be no chunks.
    std::vector<double> queries;
    for (int64_t t = 0; t < kTokens; ++t)
      queries.insert(queries.end(), first.begin(), first.end());
    std::vector<Value> operands{
        program.input({1, kTokens, 1, rows}, queries), key,
        program.input({1, kTokens, 1, rows},
                      std::vector<double>(size_t(kTokens * rows)))};
    std::string list;
    for (const Value &parameter : parameters) {
      list += (list.empty() ? "$" : ", $") + std::to_string(operands.size());
      operands.push_back(parameter);
    }
    operands.push_back(program.input({1, 1, rows, rows}, identity));
    program.expectAll(
        program.apply("linnet.scan #linnet." + transition + "(" + list +
                          ") $0, $1, $2 initial($" +
                          std::to_string(operands.size() - 1) + ")",
                      operands, {{1, kTokens, 1, rows}, {1, 1, rows, rows}}),
        transition, tolerance);
  }
  Value noKey(int64_t rows) {
    return program.input({1, kTokens, 1, rows},
                         std::vector<double>(size_t(kTokens * rows)));
  }
  /// (e_i - e_j) / sqrt(2) per token: with a rate of 2 the reflection that
  /// swaps rows i and j.
  Value swaps(int64_t letters) {
    std::vector<double> keys(size_t(kTokens * kRows));
    for (int64_t t = 0; t < kTokens; ++t) {
      int64_t i = program.integer(0, letters - 1),
              j = (i + program.integer(1, letters - 1)) % letters;
      keys[size_t(t * kRows + i)] = std::sqrt(0.5);
      keys[size_t(t * kRows + j)] = -std::sqrt(0.5);
    }
    return program.input({1, kTokens, 1, kRows}, keys);
  }

  Program program{8200};
};

/// A rate of 2 negates the row of its key, a rate of 0 keeps it.
TEST_P(WordProblemForm, ParityByTheDeltaRule) {
  std::vector<double> keys(size_t(kTokens * kRows)), rates;
  for (int64_t t = 0; t < kTokens; ++t) {
    keys[size_t(t * kRows)] = 1;
    rates.push_back(program.chance(0.5) ? 2 : 0);
  }
  expectWord("delta<none>", {program.input({1, kTokens, 1}, rates)},
             program.input({1, kTokens, 1, kRows}, keys), 0);
  program.checkForm(GetParam());
}

TEST_P(WordProblemForm, PermutationsByTheDeltaRule) {
  std::vector<double> rates;
  for (int64_t t = 0; t < kTokens; ++t)
    rates.push_back(program.chance(0.7) ? 2 : 0);
  // A thousand reflections, each rounded.
  expectWord("delta<none>", {program.input({1, kTokens, 1}, rates)}, swaps(3),
             1e-3);
  program.checkForm(GetParam());
}

TEST_P(WordProblemForm, CountingByTurns) {
  for (int64_t modulus : {2, 3, 5, 7}) {
    std::vector<double> angles;
    for (int64_t t = 0; t < kTokens; ++t)
      angles.push_back(
          program.chance(0.5) ? 2 * std::numbers::pi / double(modulus) : 0);
    expectWord("complex",
               {program.input({1, 1, 1, 1}, std::vector<double>{0}),
                program.input({1, kTokens, 1, 1}, angles)},
               noKey(kRows), 1e-3);
  }
  program.checkForm(GetParam());
}

TEST_P(WordProblemForm, PermutationsByBlocks) {
  for (int64_t letters : {3, 5, 7}) {
    std::vector<double> matrices(size_t(kTokens * letters * letters));
    for (int64_t t = 0; t < kTokens; ++t) {
      std::vector<int64_t> sigma(size_t(letters), 0);
      std::iota(sigma.begin(), sigma.end(), 0);
      for (int64_t i = letters - 1; i > 0; --i)
        std::swap(sigma[size_t(i)], sigma[size_t(program.integer(0, i))]);
      for (int64_t row = 0; row < letters; ++row)
        matrices[size_t((t * letters + row) * letters + sigma[size_t(row)])] =
            1;
    }
    expectWord("block",
               {program.input({1, kTokens, 1, letters, letters}, matrices)},
               noKey(letters), 0);
  }
  program.checkForm(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Forms, WordProblemForm,
                         testing::Values("sequential", "chunkwise", "quadratic",
                                         "associative"),
                         [](const auto &info) { return info.param; });

} // namespace
} // namespace linnet::test
