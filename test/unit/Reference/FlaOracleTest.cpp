//===- FlaOracleTest.cpp - scan against recorded recurrences --------------===//
//
// test/oracle/fla/ops holds operands and results in f64 of outside
// implementations, with non-zero initial states.
//
//===----------------------------------------------------------------------===//

#include "FlaOracle.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

/// Operations whose files are the operands of a scan as they stand.
void checkPlain(const std::string &op, const std::string &transition,
                const std::vector<std::string> &names) {
  std::vector<HostTensor> parameters;
  for (const std::string &name : names)
    parameters.push_back(load(op, name));
  expectResults(op,
                runScan(op, transition, load(op, "q"), load(op, "k"),
                        load(op, "v"), parameters, load(op, "initial_state")));
}

TEST(FlaOracleTest, None) { checkPlain("linear_attn", "#linnet.none", {}); }

TEST(FlaOracleTest, Scalar) {
  checkPlain("simple_gla", "#linnet.scalar(%3)", {"g"});
}

TEST(FlaOracleTest, ScalarPerHeadOnly) {
  for (auto [op, name] :
       {std::pair("retention", "log_gamma"), {"lightning_attn", "g_gamma"}}) {
    HostTensor g = load(op, name);
    int64_t heads = g.size();
    expectResults(op, runScan(op, "#linnet.scalar(%3)", load(op, "q"),
                              load(op, "k"), load(op, "v"),
                              {reshape(g, {1, 1, heads})},
                              load(op, "initial_state")));
  }
}

TEST(FlaOracleTest, Diagonal) {
  checkPlain("gla", "#linnet.diagonal(%3)", {"g"});
  checkPlain("hgrn2", "#linnet.diagonal(%3)", {"g"});
}

TEST(FlaOracleTest, DeltaRule) {
  checkPlain("delta_rule", "#linnet.delta<none>(%3)", {"beta"});
  checkPlain("gated_delta_rule", "#linnet.delta<scalar>(%3, %4)",
             {"beta", "g"});
  checkPlain("gated_delta_rule_gva", "#linnet.delta<scalar>(%3, %4)",
             {"beta", "g"});
  checkPlain("kda", "#linnet.delta<diagonal>(%3, %4)", {"beta", "g"});
  checkPlain("kda_gva", "#linnet.delta<diagonal>(%3, %4)", {"beta", "g"});
}

TEST(FlaOracleTest, PreReadoutWithBonus) {
  HostTensor u = load("rwkv6", "u");
  u.shape.insert(u.shape.begin(), {1, 1});
  expectResults("rwkv6",
                runScan("rwkv6", "#linnet.diagonal(%3)", load("rwkv6", "r"),
                        load("rwkv6", "k"), load("rwkv6", "v"),
                        {load("rwkv6", "w"), u}, load("rwkv6", "initial_state"),
                        ", readout = #linnet.readout<pre>", "bonus(%4)"));
}

double softplus(double x) { return std::log1p(std::exp(x)); }

TEST(FlaOracleTest, Mamba1IsOneHeadWithAFullDecay) {
  const std::string op = "mamba1_selective_scan";
  HostTensor u = load(op, "u"), step = load(op, "delta_raw"),
             bias = load(op, "delta_bias");
  HostTensor A = load(op, "A"), D = load(op, "D"), z = load(op, "z");
  HostTensor key = load(op, "Bmat"), query = load(op, "Cmat");
  int64_t B = u.shape[0], T = u.shape[1], width = u.shape[2], N = A.shape[1];
  HostTensor value = u, rate = HostTensor::filled({1, 1, 1, N, width});
  for (int64_t i = 0; i < u.size(); ++i) {
    step.values[i] = softplus(step.values[i] + bias.values[i % width]);
    value.values[i] *= step.values[i];
  }
  auto transpose = [&](const HostTensor &in,
                       HostTensor &out) { // [., D, N] -> [., N, D]
    for (int64_t i = 0; i < in.size(); ++i)
      out.values[i / (width * N) * width * N + i % N * width + i / N % width] =
          in.values[i];
  };
  transpose(A, rate);
  HostTensor initial = HostTensor::filled({B, 1, N, width});
  transpose(load(op, "initial_state"), initial);
  auto got =
      runScan(op, "#linnet.full(%3, %4)", reshape(query, {B, T, 1, N}),
              reshape(key, {B, T, 1, N}), reshape(value, {B, T, 1, width}),
              {reshape(step, {B, T, 1, width}), rate}, initial);
  HostTensor o = reshape(got[0], u.shape),
             state = HostTensor::filled({B, 1, N, width});
  for (int64_t i = 0; i < o.size(); ++i)
    o.values[i] = (o.values[i] + D.values[i % width] * u.values[i]) *
                  z.values[i] / (1 + std::exp(-z.values[i]));
  EXPECT_LE(difference(o, load(op, "o")), kTolerance);
  transpose(load(op, "final_state"), state);
  EXPECT_LE(difference(got[1], state), kTolerance);
}

TEST(FlaOracleTest, Mamba2SharesKeysInGroups) {
  const std::string op = "mamba2_ssd";
  HostTensor x = load(op, "x"), step = load(op, "dt_raw"),
             bias = load(op, "dt_bias");
  HostTensor A = load(op, "A"), D = load(op, "D");
  int64_t B = x.shape[0], H = x.shape[2], P = x.shape[3];
  HostTensor value = x, g = step;
  for (int64_t i = 0; i < step.size(); ++i) {
    step.values[i] = softplus(step.values[i] + bias.values[i % H]);
    g.values[i] = step.values[i] * A.values[i % H];
  }
  for (int64_t i = 0; i < x.size(); ++i)
    value.values[i] *= step.values[i / P];
  HostTensor stored = load(op, "initial_state"),
             final = load(op, "final_state");
  int64_t N = stored.shape[3];
  auto transpose = [&](const HostTensor &in) { // [B, H, P, N] -> [B, H, N, P]
    HostTensor out = HostTensor::filled({B, H, N, P});
    for (int64_t i = 0; i < in.size(); ++i)
      out.values[i / (P * N) * P * N + i % N * P + i / N % P] = in.values[i];
    return out;
  };
  auto got = runScan(op, "#linnet.scalar(%3)", load(op, "Cmat"),
                     load(op, "Bmat"), value, {g}, transpose(stored));
  HostTensor o = got[0];
  for (int64_t i = 0; i < o.size(); ++i)
    o.values[i] += D.values[i / P % H] * x.values[i];
  EXPECT_LE(difference(o, load(op, "o")), kTolerance);
  EXPECT_LE(difference(got[1], transpose(final)), kTolerance);
}

} // namespace
