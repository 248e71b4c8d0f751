//===- SsmKernelKernelTest.cpp - filters against the evaluator ------------===//

#include "Program.h"

#include <gtest/gtest.h>
#include <map>

namespace linnet::test {
namespace {

/// An operand's dimensions and the range of its entries; a range of one per
/// row of a block keeps its powers bounded.
struct Parameter {
  std::string letters;
  double low, high;
};

struct Family {
  std::string transition;
  std::vector<Parameter> parameters;
};

const std::vector<Family> kDiagonal = {
    {"none", {}},
    {"scalar", {{"h", -0.1, 0}}},
    {"diagonal", {{"hk", -0.2, 0}}},
    {"value_diagonal", {{"hv", -0.1, 0}}},
    {"two_sided", {{"hk", -0.1, 0}, {"hv", -0.1, 0}}},
    {"full", {{"hv", 0, 1}, {"hkv", -0.2, 0}}},
    {"complex", {{"hp", -0.01, 0}, {"hp", -3.1, 3.1}}},
    {"complex_value", {{"hv", -0.01, 0}, {"hv", -3.1, 3.1}}},
};
const std::vector<Family> kMixing = {
    {"block", {{"hkm", -1, 1}}},
    {"delta<none>", {{"h", 0, 0.1}}},
    {"delta<diagonal>", {{"h", 0, 0.1}, {"hk", -0.1, 0}}},
    {"rank_one<none>", {{"hk", -0.2, 0}, {"hk", 0, 0.2}}},
    {"rank_one<scalar>", {{"hk", -0.2, 0}, {"hk", 0, 0.2}, {"h", -0.1, 0}}},
    {"rank_one<diagonal>", {{"hk", -0.2, 0}, {"hk", 0, 0.2}, {"hk", -0.1, 0}}},
};

void addFilter(Program &program, const Family &family, int64_t heads,
               int64_t keys, int64_t values, int64_t length) {
  int64_t mixed = program.pick<int64_t>({1, keys, keys % 2 ? 1 : 2});
  std::map<char, int64_t> sizes{
      {'h', heads}, {'k', keys}, {'p', keys / 2}, {'v', values}, {'m', mixed}};
  auto shapeOf = [&](const std::string &letters) {
    Shape shape;
    for (char letter : letters)
      shape.push_back(letter == 'h' && program.chance(0.2) ? 1 : sizes[letter]);
    return shape;
  };
  std::vector<Value> operands = {program.input(shapeOf("hk")),
                                 program.input(shapeOf("hk"))};
  std::string list;
  bool hasValues = false;
  for (const Parameter &parameter : family.parameters) {
    double bound = parameter.letters.back() == 'm' ? 0.95 / double(mixed) : 1;
    list += (list.empty() ? "$" : ", $") + std::to_string(operands.size());
    operands.push_back(program.input(shapeOf(parameter.letters),
                                     bound * parameter.low,
                                     bound * parameter.high));
    hasValues |= parameter.letters.back() == 'v';
  }
  std::string text = "linnet.ssm_kernel #linnet." + family.transition +
                     (list.empty() ? "" : "(" + list + ")") + " $0, $1";
  if (program.chance(0.5))
    text += " {scale = 0.25}";
  Shape shape = {heads * (hasValues ? values : 1), length};
  program.expect(
      program.apply(text, operands, {shape})[0],
      text + " " + operands[1].type + " of " + std::to_string(length), 1e-5);
}

void addFamilies(Program &program, const std::vector<Family> &families) {
  for (const Family &family : families) {
    bool isComplex = family.transition.starts_with("complex");
    addFilter(program, family, program.pick<int64_t>({1, 2, 5}),
              program.pick<int64_t>(isComplex
                                        ? std::vector<int64_t>{2, 6, 16, 34}
                                        : std::vector<int64_t>{1, 3, 16, 33}),
              program.pick<int64_t>({2, 3}),
              program.pick<int64_t>({1, 2, 63, 64, 65, 100, 200, 1000}));
  }
}

TEST(SsmKernelKernel, Diagonal) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(9100 + round);
    addFamilies(program, kDiagonal);
    program.check();
  }
}

TEST(SsmKernelKernel, Mixing) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(9200 + round);
    addFamilies(program, kMixing);
    program.check();
  }
}

/// Angles times the length are far beyond what an f32 product keeps, and the
/// block grows with the length.
TEST(SsmKernelKernel, LongComplex) {
  Program program(9300);
  Family slow = {"complex", {{"hp", -0.0002, 0}, {"hp", -3.1, 3.1}}};
  addFilter(program, slow, 3, 16, 1, 4096);
  addFilter(program, slow, 1, 4, 1, 20011);
  program.check();
}

/// A decay that erases leaves the first tap and zeros.
TEST(SsmKernelKernel, Reset) {
  Program program(9400);
  Value q = program.input({2, 4}), k = program.input({2, 4});
  Value g = program.input({2, 2}, std::vector<double>(4, -INFINITY)),
        p = program.input({2, 2});
  program.expect(
      program.apply("linnet.ssm_kernel #linnet.complex($2, $3) $0, $1",
                    {q, k, g, p}, {{2, 130}})[0],
      "reset");
  program.check();
}

} // namespace
} // namespace linnet::test
