//===- ScanKernelTest.cpp - recurrences against the evaluator -------------===//

#include "Program.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace linnet::test {
namespace {

const std::vector<std::string> kTransitions = {"none",
                                               "scalar",
                                               "diagonal",
                                               "full",
                                               "delta<none>",
                                               "delta<scalar>",
                                               "delta<diagonal>",
                                               "value_diagonal",
                                               "two_sided",
                                               "rank_one<none>",
                                               "rank_one<scalar>",
                                               "rank_one<diagonal>",
                                               "complex",
                                               "complex_value",
                                               "block"};

struct ScanCase {
  int64_t batch, tokens, heads, keys, values;
};

ScanCase randomCase(Program &program) {
  return {program.integer(1, 2),
          program.pick<int64_t>({1, 2, 3, 31, 63, 64, 65, 130}),
          program.pick<int64_t>({1, 2, 3, 4, 6}),
          program.pick<int64_t>({1, 3, 8, 16, 17, 32, 64}),
          program.pick<int64_t>({1, 3, 8, 16, 17, 32, 64, 70})};
}

/// The pairs of a complex state make its rows even.
ScanCase fitted(ScanCase c, const std::string &transition) {
  if (transition.starts_with("complex"))
    c.keys += c.keys % 2;
  return c;
}

class ScanMaker {
public:
  ScanMaker(Program &program, const std::string &transition, const ScanCase &c,
            bool oneToken)
      : program(program), c(fitted(c, transition)), oneToken(oneToken) {
    make(transition);
  }

private:
  /// Operands and text of a recurrence, without initial state and attributes.
  void make(const std::string &transition) {
    Shape shape = keyShape();
    operands.push_back(program.input(shape)); // query
    // Keys of unit length keep the delta rule stable.
    Shape keys = program.chance(0.7) ? shape : keyShape();
    operands.push_back(program.input(keys, unitRows(keys)));
    operands.push_back(
        program.input(withTime({c.batch, c.tokens, c.heads, c.values}, false)));
    std::string parameters;
    auto parameter = [&](Value value) {
      parameters +=
          (parameters.empty() ? "$" : ", $") + std::to_string(operands.size());
      operands.push_back(value);
    };
    if (transition.starts_with("complex")) {
      int64_t width = transition == "complex" ? c.keys / 2 : c.values;
      parameter(logDecay(headShape({maybeOne(width)})));
      parameter(program.input(headShape({maybeOne(width)}), -7, 7));
    }
    if (transition == "block") {
      int64_t size = program.pick<int64_t>({1, 2, c.keys});
      Shape matrix = headShape({c.keys, c.keys % size ? 1 : size});
      // Rows of a sum below one keep the state bounded.
      double bound = 0.95 / double(matrix.back());
      parameter(program.input(matrix, -bound, bound));
    }
    if (transition.starts_with("delta"))
      parameter(program.input(headShape({}), 0, 2)); // beta
    if (transition.starts_with("rank_one")) {
      // |a| = 1 and |b| <= 1 at an angle keep the state bounded.
      Shape reader = headShape({c.keys});
      parameter(program.input(reader, unitRows(reader)));
      Shape writer = headShape({c.keys});
      std::vector<double> values = unitRows(writer);
      for (double &value : values)
        value *= 0.5;
      parameter(program.input(writer, values));
    }
    if (transition == "scalar" || transition.ends_with("<scalar>"))
      parameter(logDecay(headShape({})));
    if (transition == "diagonal" || transition.ends_with("<diagonal>") ||
        transition == "two_sided")
      parameter(logDecay(headShape({maybeOne(c.keys)})));
    if (transition == "value_diagonal" || transition == "two_sided")
      parameter(logDecay(headShape({maybeOne(c.values)})));
    if (transition == "full") {
      parameter(program.input(headShape({maybeOne(c.values)}), 0, 1));
      Shape rate = headShape({maybeOne(c.keys), maybeOne(c.values)});
      std::vector<double> values = program.values(rate, -4, 0);
      for (double &value : values)
        if (program.chance(0.02))
          value = -1e4;
      parameter(program.input(rate, values));
    }
    text = "#linnet." + transition +
           (parameters.empty() ? "" : "(" + parameters + ")") + " $0, $1, $2";
    attributes = "";
    if (program.chance(0.3)) {
      attributes += "readout = #linnet.readout<pre>, ";
      if (program.chance(0.7)) {
        text += " bonus($" + std::to_string(operands.size()) + ")";
        operands.push_back(program.input(headShape({maybeOne(c.keys)})));
      }
    }
    if (program.chance(0.5))
      attributes += "scale = 0.3 : f64, ";
  }

public:
  void initial() {
    text += " initial($" + std::to_string(operands.size()) + ")";
    operands.push_back(program.input({c.batch, c.heads, c.keys, c.values}));
  }
  /// Ends of packed sequences: none in most chunks.
  void resets() {
    text += " resets($" + std::to_string(operands.size()) + ")";
    std::vector<double> values(size_t(c.batch * c.tokens));
    for (double &value : values)
      value = program.chance(0.04) ? double(program.integer(1, 3)) : 0;
    operands.push_back(program.input({c.batch, c.tokens}, values, "i32"));
  }

  std::string description() const {
    std::string all = text + attributes;
    for (const Value &operand : operands)
      all += " " + operand.type;
    return all;
  }

  Program &program;
  ScanCase c;
  bool oneToken;
  std::vector<Value> operands;
  std::string text, attributes;

private:
  int64_t maybeOne(int64_t size) { return program.chance(0.15) ? 1 : size; }
  /// A divisor of the number of heads, most often all of them.
  int64_t headCount() {
    int64_t count = c.heads;
    if (program.chance(0.4))
      do
        count = program.integer(1, c.heads);
      while (c.heads % count);
    return count;
  }
  Shape withTime(Shape shape, bool invariant) {
    if (oneToken)
      shape.erase(shape.begin() + 1);
    else if (invariant && program.chance(0.2))
      shape[1] = 1;
    return shape;
  }
  Shape headShape(const Shape &inner) {
    Shape shape = {maybeOne(c.batch), c.tokens, headCount()};
    shape.insert(shape.end(), inner.begin(), inner.end());
    return withTime(shape, true);
  }
  Shape keyShape() {
    return withTime({c.batch, c.tokens, headCount(), c.keys}, false);
  }
  std::vector<double> unitRows(const Shape &shape) {
    std::vector<double> values = program.values(shape, -1, 1);
    for (size_t row = 0; row < values.size(); row += size_t(c.keys)) {
      double sum = 1e-6;
      for (int64_t i = 0; i < c.keys; ++i)
        sum += values[row + i] * values[row + i];
      for (int64_t i = 0; i < c.keys; ++i)
        values[row + i] /= std::sqrt(sum);
    }
    return values;
  }
  /// From keeping everything over slow and fast decays to erasing exactly.
  Value logDecay(const Shape &shape) {
    std::vector<double> values = program.values(shape, -1, 0);
    for (double &value : values) {
      if (program.chance(0.1))
        value *= 0.01;
      else if (program.chance(0.1))
        value *= 30;
      else if (program.chance(0.03))
        value = 0;
      else if (program.chance(0.02))
        value = -std::numeric_limits<double>::infinity();
    }
    return program.input(shape, values);
  }
};

void addScan(Program &program, const std::string &transition,
             const ScanCase &c) {
  ScanMaker maker(program, transition, c, false);
  if (program.chance(0.5))
    maker.initial();
  if (program.chance(0.3))
    maker.resets();
  if (program.chance(0.2))
    maker.attributes += "reverse, ";
  if (!maker.attributes.empty())
    maker.text +=
        " {" + maker.attributes.substr(0, maker.attributes.size() - 2) + "}";
  program.expectAll(program.apply("linnet.scan " + maker.text, maker.operands,
                                  {{c.batch, c.tokens, c.heads, c.values},
                                   {c.batch, c.heads, maker.c.keys, c.values}}),
                    "scan " + maker.description());
}

class ScanKernel : public testing::TestWithParam<std::string> {};

TEST_P(ScanKernel, Random) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(7000 + round);
    for (int i = 0; i < 7; ++i)
      addScan(program, GetParam(), randomCase(program));
    program.check();
  }
}

/// Lengths around a chunk's.
TEST_P(ScanKernel, Lengths) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(7100 + round);
    for (int64_t tokens : {1, 2, 63, 64, 65, 130})
      addScan(program, GetParam(), {1, tokens, 2, 16, 24});
    program.check();
  }
}

TEST_P(ScanKernel, Step) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(7200 + round);
    for (int i = 0; i < 4; ++i) {
      ScanCase c = randomCase(program);
      ScanMaker maker(program, GetParam(), c, true);
      maker.initial();
      if (!maker.attributes.empty())
        maker.text += " {" +
                      maker.attributes.substr(0, maker.attributes.size() - 2) +
                      "}";
      program.expectAll(
          program.apply("linnet.step " + maker.text, maker.operands,
                        {{c.batch, c.heads, c.values},
                         {c.batch, c.heads, maker.c.keys, c.values}}),
          "step " + maker.description());
    }
    program.check();
  }
}

INSTANTIATE_TEST_SUITE_P(Transitions, ScanKernel,
                         testing::ValuesIn(kTransitions), [](const auto &info) {
                           std::string name = info.param;
                           std::erase_if(
                               name, [](char c) { return !std::isalnum(c); });
                           return name;
                         });

/// After an exact reset nothing of what was before may be left, not even NaN.
TEST(ScanReset, ErasesExactly) {
  Program program(7300);
  for (int64_t tokens : {3, 70, 130}) {
    Shape wide = {1, tokens, 1, 8};
    Value q = program.input(wide), k = program.input(wide);
    std::vector<double> values = program.values(wide, -1, 1);
    values[4] = NAN;
    Value v = program.input(wide, values);
    std::vector<double> decays = program.values({1, tokens, 1}, -1, 0);
    decays[2] = -std::numeric_limits<double>::infinity();
    Value g = program.input({1, tokens, 1}, decays);
    std::vector<Value> both =
        program.apply("linnet.scan #linnet.scalar($3) $0, $1, $2", {q, k, v, g},
                      {wide, {1, 1, 8, 8}});
    for (const Value &value : both)
      program.expect(value, "reset after " + v.type, 1e-5, /*special=*/true);
  }
  program.check();
}

/// Two parts, the second from the first's state, are the whole.
TEST(ScanSplit, AlongTime) {
  for (int round = 0; round < rounds(); ++round)
    for (int64_t at : {1, 64}) {
      Program program(7400 + round);
      for (const std::string &transition : kTransitions)
        addScan(program, transition, {1, 100, 2, 16, 24});
      Value x = program.input({2, 100, 33}), w = program.weight({33, 1, 4});
      program.expectAll(program.apply("linnet.short_conv $0, $1", {x, w},
                                      {{2, 100, 33}, {2, 3, 33}}),
                        "split convolution");
      program.checkSplit(at);
    }
}

} // namespace
} // namespace linnet::test
