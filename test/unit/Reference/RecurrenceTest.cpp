//===- RecurrenceTest.cpp - cells against loops written by hand -----------===//
//
// Each cell is written as IR and, from its paper's formulas, as loops over
// doubles that share nothing with the evaluator.
//
//===----------------------------------------------------------------------===//

#include "RunModule.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr int64_t kBatch = 2, kUnits = 5;

using Vector = std::vector<double>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// A cell: IR of @cell with `parts` gates' inputs of kUnits side by side, the
/// recurrent matrix [parts * kUnits, kUnits] as an invariant; and the same for
/// one batch row, which updates the states and returns the output.
struct Cell {
  const char *body;
  int64_t parts, states;
  std::function<Vector(const Vector &x, const Vector &rh,
                       std::vector<Vector> &)>
      step;
};

/// `TYPE` is one state's, `GATES` the inputs'.
std::string moduleOf(const Cell &cell, int64_t tokens, bool initial,
                     bool reverse) {
  std::string state = typeOf({kBatch, kUnits}),
              gates = typeOf({kBatch, cell.parts * kUnits}),
              matrix = typeOf({cell.parts * kUnits, kUnits}),
              x = typeOf({kBatch, tokens, cell.parts * kUnits}),
              y = typeOf({kBatch, tokens, kUnits});
  std::string text = "func.func private @cell(%x: " + gates + ", %r: " + matrix;
  std::string parameters, operands, types, results;
  for (int64_t s = 0; s < cell.states; ++s) {
    std::string n = std::to_string(s);
    text += ", %s" + n + ": " + state;
    parameters += ", %s" + n + ": " + state;
    operands += (s ? ", %s" : "%s") + n;
    types += (s ? ", " : "") + state;
    results += ", %t" + n;
  }
  text += ") -> (" + state + ", " + types + ") {\n";
  text += "  %rh = linnet.linear #linnet.dense %s0, %r : (" + state + ", " +
          matrix + ") -> " + gates + "\n";
  for (int64_t p = 0; p < cell.parts; ++p)
    for (const char *of : {"x", "rh"}) {
      std::string name = of + std::to_string(p);
      text += "  %" + name + " = tensor.extract_slice %" + of + "[0, " +
              std::to_string(p * kUnits) + "] [2, 5] [1, 1] : " + gates +
              " to " + state + "\n";
    }
  std::string body = cell.body;
  for (size_t at = 0; (at = body.find("TYPE", at)) != std::string::npos;)
    body.replace(at, 4, state);
  text += body + "}\n";
  text += "func.func @f(%x: " + x + ", %r: " + matrix + parameters + ") -> (" +
          y + ", " + types + ") {\n  %y";
  for (int64_t s = 0; s < cell.states; ++s)
    text += ", %t" + std::to_string(s);
  text += " = linnet.recurrence @cell(%x) invariant(%r)";
  if (initial)
    text += " initial(" + operands + ")";
  if (reverse)
    text += " {reverse}";
  text += " : (" + x + ", " + matrix + (initial ? ", " + types : "") + ") -> " +
          y + " state(" + types + ")\n  return %y" + results + " : " + y +
          ", " + types + "\n}\n";
  return text;
}

/// Outputs [B, T, units], then the states.
std::vector<HostTensor> loop(const Cell &cell, const HostTensor &x,
                             const HostTensor &r,
                             std::vector<HostTensor> states, bool reverse) {
  int64_t tokens = x.shape[1], width = cell.parts * kUnits;
  HostTensor y = HostTensor::filled({kBatch, tokens, kUnits});
  for (int64_t b = 0; b < kBatch; ++b) {
    std::vector<Vector> row;
    for (const HostTensor &state : states)
      row.emplace_back(state.values.begin() + b * kUnits,
                       state.values.begin() + (b + 1) * kUnits);
    for (int64_t i = 0; i < tokens; ++i) {
      int64_t t = reverse ? tokens - 1 - i : i;
      auto first = x.values.begin() + (b * tokens + t) * width;
      Vector rh(size_t(width), 0.0);
      for (int64_t o = 0; o < width; ++o)
        for (int64_t u = 0; u < kUnits; ++u)
          rh[size_t(o)] += r.values[size_t(o * kUnits + u)] * row[0][size_t(u)];
      Vector out = cell.step(Vector(first, first + width), rh, row);
      std::copy(out.begin(), out.end(),
                y.values.begin() + (b * tokens + t) * kUnits);
    }
    for (size_t s = 0; s < states.size(); ++s)
      std::copy(row[s].begin(), row[s].end(),
                states[s].values.begin() + b * kUnits);
  }
  states.insert(states.begin(), y);
  return states;
}

/// Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
const Cell kLstm = {
    R"(
  %i0 = arith.addf %x0, %rh0 : TYPE
  %f0 = arith.addf %x1, %rh1 : TYPE
  %z0 = arith.addf %x2, %rh2 : TYPE
  %o0 = arith.addf %x3, %rh3 : TYPE
  %i = linnet.activation sigmoid %i0 : TYPE
  %f = linnet.activation sigmoid %f0 : TYPE
  %z = math.tanh %z0 : TYPE
  %o = linnet.activation sigmoid %o0 : TYPE
  %kept = arith.mulf %f, %s1 : TYPE
  %new = arith.mulf %i, %z : TYPE
  %c = arith.addf %kept, %new : TYPE
  %ct = math.tanh %c : TYPE
  %h = arith.mulf %o, %ct : TYPE
  return %h, %h, %c : TYPE, TYPE, TYPE
)",
    4, 2, [](const Vector &x, const Vector &rh, std::vector<Vector> &s) {
      for (size_t u = 0; u < kUnits; ++u) {
        auto gate = [&](size_t p) {
          return x[p * kUnits + u] + rh[p * kUnits + u];
        };
        s[1][u] =
            sigmoid(gate(1)) * s[1][u] + sigmoid(gate(0)) * std::tanh(gate(2));
        s[0][u] = sigmoid(gate(3)) * std::tanh(s[1][u]);
      }
      return s[0];
    }};

/// Cho et al. 2014, the reset gate behind the product.
const Cell kGru = {
    R"(
  %z0 = arith.addf %x0, %rh0 : TYPE
  %r0 = arith.addf %x1, %rh1 : TYPE
  %z = linnet.activation sigmoid %z0 : TYPE
  %g = linnet.activation sigmoid %r0 : TYPE
  %reset = arith.mulf %g, %rh2 : TYPE
  %n0 = arith.addf %x2, %reset : TYPE
  %n = math.tanh %n0 : TYPE
  %d = arith.subf %s0, %n : TYPE
  %zd = arith.mulf %z, %d : TYPE
  %h = arith.addf %n, %zd : TYPE
  return %h, %h : TYPE, TYPE
)",
    3, 1, [](const Vector &x, const Vector &rh, std::vector<Vector> &s) {
      for (size_t u = 0; u < kUnits; ++u) {
        double z = sigmoid(x[u] + rh[u]);
        double g = sigmoid(x[kUnits + u] + rh[kUnits + u]);
        double n = std::tanh(x[2 * kUnits + u] + g * rh[2 * kUnits + u]);
        s[0][u] = (1 - z) * n + z * s[0][u];
      }
      return s[0];
    }};

/// Beck et al. 2024, section 2.2: exponential input gate, states h, c, n and
/// the stabiliser m. The loop goes without a stabiliser, which cancels: its
/// c and n are e^m times those of the cell.
const Cell kSlstm = {
    R"(
  %i = arith.addf %x0, %rh0 : TYPE
  %f = arith.addf %x1, %rh1 : TYPE
  %z0 = arith.addf %x2, %rh2 : TYPE
  %o0 = arith.addf %x3, %rh3 : TYPE
  %z = math.tanh %z0 : TYPE
  %o = linnet.activation sigmoid %o0 : TYPE
  %past = arith.addf %f, %s3 : TYPE
  %m = arith.maximumf %past, %i : TYPE
  %id = arith.subf %i, %m : TYPE
  %ie = math.exp %id : TYPE
  %fd = arith.subf %past, %m : TYPE
  %fe = math.exp %fd : TYPE
  %fc = arith.mulf %fe, %s1 : TYPE
  %iz = arith.mulf %ie, %z : TYPE
  %c = arith.addf %fc, %iz : TYPE
  %fn = arith.mulf %fe, %s2 : TYPE
  %n = arith.addf %fn, %ie : TYPE
  %y = arith.divf %c, %n : TYPE
  %h = arith.mulf %o, %y : TYPE
  return %h, %h, %c, %n, %m : TYPE, TYPE, TYPE, TYPE, TYPE
)",
    4, 4, [](const Vector &x, const Vector &rh, std::vector<Vector> &s) {
      for (size_t u = 0; u < kUnits; ++u) {
        auto gate = [&](size_t p) {
          return x[p * kUnits + u] + rh[p * kUnits + u];
        };
        double before = std::exp(s[3][u]);
        double i = std::exp(gate(0)), f = std::exp(gate(1));
        double c = f * s[1][u] * before + i * std::tanh(gate(2));
        double n = f * s[2][u] * before + i;
        s[3][u] = std::max(gate(1) + s[3][u], gate(0));
        s[1][u] = c / std::exp(s[3][u]);
        s[2][u] = n / std::exp(s[3][u]);
        s[0][u] = sigmoid(gate(3)) * c / n;
      }
      return s[0];
    }};

class Recurrence : public testing::TestWithParam<const Cell *> {};

struct Operands {
  Operands(const Cell &cell, int64_t tokens, uint64_t seed)
      : random(seed),
        x(random.tensor({kBatch, tokens, cell.parts * kUnits}, -2, 2)),
        r(random.tensor({cell.parts * kUnits, kUnits})) {
    for (int64_t s = 0; s < cell.states; ++s)
      states.push_back(random.tensor({kBatch, kUnits}, 0.2, 1.5));
  }
  std::vector<HostTensor> all() const {
    std::vector<HostTensor> operands{x, r};
    operands.insert(operands.end(), states.begin(), states.end());
    return operands;
  }
  Random random;
  HostTensor x, r;
  std::vector<HostTensor> states;
};

void expectClose(const std::vector<HostTensor> &got,
                 const std::vector<HostTensor> &expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_LT(difference(got[i], expected[i]), 1e-12) << "result " << i;
}

TEST_P(Recurrence, IsTheLoop) {
  const Cell &cell = *GetParam();
  for (int64_t tokens : {1, 2, 9})
    for (bool initial : {false, true})
      for (bool reverse : {false, true}) {
        SCOPED_TRACE(testing::Message() << tokens << " tokens, initial "
                                        << initial << ", reverse " << reverse);
        Operands given(cell, tokens, uint64_t(10 + tokens));
        std::vector<HostTensor> states = given.states;
        if (!initial)
          for (HostTensor &state : states)
            state = HostTensor::filled(state.shape);
        expectClose(
            runModule(moduleOf(cell, tokens, initial, reverse), given.all()),
            loop(cell, given.x, given.r, states, reverse));
      }
}

TEST_P(Recurrence, PartsJoinedByTheirStatesAreTheWhole) {
  const Cell &cell = *GetParam();
  Operands given(cell, 7, 31);
  std::vector<HostTensor> whole =
      runModule(moduleOf(cell, 7, true, false), given.all());
  for (int64_t at : {1, 3, 6}) {
    Operands part = given;
    part.x = slice(given.x, 1, 0, at);
    std::vector<HostTensor> head =
        runModule(moduleOf(cell, at, true, false), part.all());
    ASSERT_EQ(head.size(), whole.size());
    part.states.assign(head.begin() + 1, head.end());
    part.x = slice(given.x, 1, at, 7);
    std::vector<HostTensor> tail =
        runModule(moduleOf(cell, 7 - at, true, false), part.all());
    ASSERT_EQ(tail.size(), whole.size());
    tail[0] = join(head[0], tail[0], 1);
    expectClose(tail, whole);
  }
}

TEST_P(Recurrence, NoTokensLeaveTheStates) {
  const Cell &cell = *GetParam();
  Operands given(cell, 0, 5);
  std::vector<HostTensor> got =
      runModule(moduleOf(cell, 0, true, false), given.all());
  std::vector<HostTensor> expected = given.states;
  expected.insert(expected.begin(), HostTensor::filled({kBatch, 0, kUnits}));
  expectClose(got, expected);
}

INSTANTIATE_TEST_SUITE_P(Cells, Recurrence,
                         testing::Values(&kLstm, &kGru, &kSlstm),
                         [](const auto &info) -> std::string {
                           return info.param == &kLstm  ? "Lstm"
                                  : info.param == &kGru ? "Gru"
                                                        : "Slstm";
                         });

/// Gates far beyond where e^x overflows: only the stabiliser keeps them.
TEST(RecurrenceTest, StabiliserKeepsLargeGates) {
  Operands given(kSlstm, 6, 8);
  for (int64_t i = 0; i < given.x.size(); ++i)
    if (i / kUnits % 4 < 2)
      given.x.values[size_t(i)] *= 600;
  std::vector<HostTensor> got =
      runModule(moduleOf(kSlstm, 6, true, false), given.all());
  ASSERT_EQ(got.size(), 5u);
  for (const HostTensor &tensor : got)
    for (double value : tensor.values)
      EXPECT_TRUE(std::isfinite(value));
}

/// The count of tokens as a state: nothing but the op carries it.
TEST(RecurrenceTest, AddsUp) {
  auto results = runModule(R"(
    func.func private @sum(%x: tensor<1x2xf32>, %s: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
      %t = arith.addf %x, %s : tensor<1x2xf32>
      return %s, %t : tensor<1x2xf32>, tensor<1x2xf32>
    }
    func.func @f(%x: tensor<1x?x2xf32>) -> (tensor<1x?x2xf32>, tensor<1x2xf32>) {
      %y, %s = linnet.recurrence @sum(%x) : (tensor<1x?x2xf32>) -> tensor<1x?x2xf32> state(tensor<1x2xf32>)
      return %y, %s : tensor<1x?x2xf32>, tensor<1x2xf32>
    })",
                           {HostTensor({1, 3, 2}, {1, 10, 2, 20, 3, 30})});
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].values, Vector({0, 0, 1, 10, 3, 30}));
  EXPECT_EQ(results[1].values, Vector({6, 60}));
}

TEST(RecurrenceTest, ErrorsNameTheTokenAndTheSizes) {
  std::string error = runError(R"(
    func.func private @c(%i: tensor<1xi32>, %t: tensor<3x2xf32>, %s: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
      %e = linnet.embedding %i, %t : (tensor<1xi32>, tensor<3x2xf32>) -> tensor<1x2xf32>
      return %e, %s : tensor<1x2xf32>, tensor<1x2xf32>
    }
    func.func @f(%i: tensor<1x4xi32>, %t: tensor<3x2xf32>) -> tensor<1x4x2xf32> {
      %y, %s = linnet.recurrence @c(%i) invariant(%t) : (tensor<1x4xi32>, tensor<3x2xf32>) -> tensor<1x4x2xf32> state(tensor<1x2xf32>)
      return %y : tensor<1x4x2xf32>
    })",
                               {HostTensor({1, 4}, {0, 2, 3, 1}),
                                HostTensor({3, 2}, {1, 2, 3, 4, 5, 6})});
  EXPECT_NE(error.find("token 2: "), std::string::npos) << error;
  error = runError(R"(
    func.func private @c(%x: tensor<?x2xf32>, %z: tensor<?x2xf32>, %s: tensor<?x2xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
      return %x, %z : tensor<?x2xf32>, tensor<?x2xf32>
    }
    func.func @f(%x: tensor<?x?x2xf32>, %z: tensor<?x?x2xf32>, %s: tensor<?x2xf32>) -> tensor<?x?x2xf32> {
      %y, %t = linnet.recurrence @c(%x, %z) initial(%s) : (tensor<?x?x2xf32>, tensor<?x?x2xf32>, tensor<?x2xf32>) -> tensor<?x?x2xf32> state(tensor<?x2xf32>)
      return %y : tensor<?x?x2xf32>
    })",
                   {HostTensor::filled({1, 4, 2}),
                    HostTensor::filled({1, 3, 2}), HostTensor::filled({1, 2})});
  EXPECT_NE(
      error.find("expected inputs of 1 times 4 tokens, but got [1, 3, 2]"),
      std::string::npos)
      << error;
}

} // namespace
