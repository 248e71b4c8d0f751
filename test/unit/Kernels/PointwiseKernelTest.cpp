//===- PointwiseKernelTest.cpp - activations against the evaluator --------===//

#include "Program.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace linnet::test {
namespace {

const std::vector<std::string> kActivations = {"identity",  "silu", "gelu",
                                               "gelu_tanh", "relu", "relu2",
                                               "sigmoid",   "tanh", "softplus"};

Shape shapeOf(Program &program) {
  return program.pick<Shape>({{1},
                              {5},
                              {16},
                              {1, 1, 1},
                              {1, 1, 1030},
                              {1, 9, 33},
                              {2, 3, 64},
                              {2, 3, 65},
                              {2, 2, 3, 17},
                              {3, 1, 5000}});
}

void addActivation(Program &program, const std::string &kind, double low,
                   double high, double tolerance = 1e-5) {
  Shape shape = shapeOf(program);
  // Far below zero both subtract nearly equal numbers, by their definition.
  if (kind.starts_with("gelu"))
    low = std::max(low, -2.0);
  Value x = program.input(shape, low, high);
  program.expect(
      program.raw("linnet.activation " + kind + " $0 : " + x.type, {x}, shape),
      kind + " " + x.type, tolerance);
}

TEST(PointwiseKernel, Activations) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(3000 + round);
    for (const std::string &kind : kActivations) {
      addActivation(program, kind, -6, 6);
      addActivation(program, kind, -1e-3, 1e-3);
      addActivation(program, kind, -80, 80);
    }
    // Where the result is small.
    for (std::string kind : {"silu", "sigmoid", "softplus"})
      addActivation(program, kind, -60, -10);
    program.check();
  }
}

TEST(PointwiseKernel, Glu) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(3100 + round);
    for (const std::string &kind : kActivations) {
      Shape shape = shapeOf(program);
      Value gate = program.input(shape, -2, 5), up = program.input(shape);
      program.expect(program.raw("linnet.glu " + kind + " $0, $1 : " + up.type,
                                 {gate, up}, shape),
                     "glu " + kind + " " + up.type);
    }
    program.check();
  }
}

TEST(PointwiseKernel, SpecialValues) {
  Program program(3200);
  const double infinity = std::numeric_limits<double>::infinity();
  for (const std::string &kind : kActivations)
    for (int64_t width : {7, 40}) {
      // An infinity times zero is a NaN in some, by definition.
      Shape shape = {1, 1, width};
      std::vector<double> values = program.values(shape, -2, 2);
      values[0] = NAN;
      values[2] = infinity;
      values[3] = 0;
      values[4] = 100;
      values[5] = -100;
      if (kind != "silu" && kind != "gelu" && kind != "gelu_tanh")
        values[6] = -infinity;
      Value x = program.input(shape, values);
      program.expect(
          program.raw("linnet.activation " + kind + " $0 : " + x.type, {x},
                      shape),
          "special " + kind, 1e-5, true);
    }
  program.check();
}

/// Operations behind one another share the workspace.
TEST(PointwiseKernel, Chains) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(3300 + round);
    for (int i = 0; i < 4; ++i) {
      Shape shape = shapeOf(program);
      std::vector<Value> values = {program.input(shape), program.input(shape)};
      for (int step = 0; step < 6; ++step) {
        Value a = program.pick(values), b = program.pick(values);
        switch (program.integer(0, 3)) {
        case 0:
          values.push_back(
              program.raw("arith.addf $0, $1 : " + a.type, {a, b}, shape));
          break;
        case 1:
          values.push_back(
              program.raw("linnet.glu silu $0, $1 : " + a.type, {a, b}, shape));
          break;
        case 2:
          values.push_back(
              program.raw("linnet.activation tanh $0 : " + a.type, {a}, shape));
          break;
        default:
          values.push_back(program.apply(
              "linnet.norm l2 $0 {eps = 1.0e-2 : f64}", {a}, {shape})[0]);
          break;
        }
      }
      program.expect(values.back(), "chain " + typeOf(shape));
      program.expect(program.pick(values), "chain's middle " + typeOf(shape));
    }
    program.check();
  }
}

} // namespace
} // namespace linnet::test
