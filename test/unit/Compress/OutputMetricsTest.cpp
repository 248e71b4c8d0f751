//===- OutputMetricsTest.cpp - how errors of outputs count ----------------===//
//
// Metrics against their formulas in f64, with derivatives written out.
//
//===----------------------------------------------------------------------===//

#include "TapFixture.h"

#include "lib/Compress/OutputMetrics.h"
#include "lib/Compress/StageMoments.h"

#include <cmath>
#include <gtest/gtest.h>
#include <tuple>

namespace linnet::compress {
namespace {

/// Layer 0 of a fixture, and what enters its maps.
class Layer {
public:
  explicit Layer(const std::string &name, std::vector<int64_t> lengths = {},
                 int64_t most = kMostMetricOutputs)
      : fixture(name) {
    fixture.windows.lengths = std::move(lengths);
    Result<TapRunner> created = fixture.runner();
    EXPECT_TRUE(bool(created));
    runner.emplace(created.take());
    Result<HiddenStates> begin = runner->begin(fixture.windows);
    EXPECT_TRUE(bool(begin));
    states = begin.take();
    Result<OutputMetrics> measured =
        measureMetrics(*runner, 0, fixture.maps.maps, *fixture.archive, states,
                       fixture.windows, most);
    EXPECT_TRUE(bool(measured));
    metrics = measured.take();
  }

  /// The number of the map whose name ends in `end`.
  size_t map(const std::string &end) const {
    for (size_t i = 0; i < fixture.maps.maps.size(); ++i)
      if (fixture.maps.maps[i].name.ends_with(end + ".weight"))
        return i;
    ADD_FAILURE() << "no " << end;
    return 0;
  }

  Matrix weight(const std::string &end) const {
    return *readMatrix(fixture.maps.maps[map(end)], *fixture.archive);
  }

  /// W x + b for all tokens that are no padding, a row each.
  Matrix outputs(const std::string &end) {
    size_t number = map(end);
    for (size_t s = 0; s < runner->layer(0).stages.size(); ++s)
      for (const TapSite &site : runner->layer(0).stages[s].sites)
        if (runner->mapOf(0, site) == number)
          return multiply(inputs(s, site), weight(end), Side::AsIs,
                          Side::Transposed) +
                 bias(end);
    ADD_FAILURE() << "no site of " << end;
    return Matrix();
  }

  /// Rows with each map's error weights, R + ridge.
  Matrix metric(const std::string &end) const {
    auto found = metrics.lookup(map(end));
    if (!found) {
      ADD_FAILURE() << "no metric of " << end;
      return Matrix();
    }
    return multiply(found->root, found->root);
  }
  /// The same where the metric is a diagonal.
  Matrix diagonal(const std::string &end) const {
    auto found = metrics.lookup(map(end));
    if (!found || found->root.rows() != 1) {
      ADD_FAILURE() << "no diagonal metric of " << end;
      return Matrix();
    }
    Matrix squares = found->root;
    for (int64_t o = 0; o < squares.size(); ++o)
      squares.at(0, o) *= squares.at(0, o);
    return squares;
  }
  bool hasMetric(const std::string &end) const {
    return metrics.lookup(map(end)) != nullptr;
  }

private:
  Matrix inputs(size_t stage, const TapSite &site) {
    LayerPass pass(*runner, 0, states);
    EXPECT_TRUE(bool(pass.open(stage, {})));
    StepValues values;
    EXPECT_TRUE(bool(pass.run(values)));
    int64_t width = fixture.maps.maps[runner->mapOf(0, site)].columns;
    std::vector<TokenRange> ranges = fixture.windows.tokensOf(Part::Fitted, 0);
    tokens = countTokens(ranges);
    Matrix rows(tokens, width);
    int64_t at = 0;
    for (const TokenRange &range : ranges)
      for (int64_t t = range.first; t < range.last; ++t, ++at)
        for (int64_t c = 0; c < width; ++c)
          rows.at(at, c) = double(values.of(site.input)[t * width + c]);
    return rows;
  }

  Matrix bias(const std::string &end) const {
    const LinearMap &own = fixture.maps.maps[map(end)];
    Matrix rows(tokens, own.rows);
    std::string name = own.name.substr(0, own.name.size() - 6) + "bias";
    const Archive::Tensor *tensor = fixture.archive->find(name);
    if (!tensor)
      return rows;
    std::vector<double> values(static_cast<size_t>(own.rows));
    convertToF64(tensor->data, tensor->dtype, values.data(), values.size());
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t o = 0; o < own.rows; ++o)
        rows.at(t, o) = values[size_t(o)];
    return rows;
  }

  Fixture fixture;
  std::optional<TapRunner> runner;
  HiddenStates states;
  OutputMetrics metrics;
  int64_t tokens = 0;
};

/// E[x x^T] over rows.
Matrix momentOf(const Matrix &rows) {
  return 1 / double(rows.rows()) *
         multiply(rows, rows, Side::Transposed, Side::AsIs);
}

template <typename Function>
Matrix combine(const Matrix &a, const Matrix &b, Function function) {
  Matrix result(a.rows(), a.columns());
  for (int64_t i = 0; i < a.size(); ++i)
    result.data()[i] = function(a.data()[i], b.data()[i]);
  return result;
}

double times(double a, double b) { return a * b; }

Matrix withRidge(const Matrix &r) {
  return r + 1e-3 * trace(r) / double(r.rows()) * Matrix::identity(r.rows());
}

void expectNear(const Matrix &actual, const Matrix &expected,
                double tolerance) {
  ASSERT_EQ(actual.rows(), expected.rows());
  ASSERT_EQ(actual.columns(), expected.columns());
  EXPECT_GT(norm(expected), 0);
  EXPECT_LT(norm(actual - expected), tolerance * norm(expected));
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// silu(g) u: what the next map makes of a change of either.
TEST(OutputMetrics, ChannelsOfGatedUnits) {
  Layer layer("hf/llama");
  Matrix gate = layer.outputs("0.mlp.gate_proj"),
         up = layer.outputs("0.mlp.up_proj"),
         down = layer.weight("0.mlp.down_proj");
  Matrix product = multiply(down, down, Side::Transposed, Side::AsIs);
  Matrix ofUp =
      combine(gate, up, [](double g, double) { return g * sigmoid(g); });
  Matrix ofGate = combine(gate, up, [](double g, double u) {
    double s = sigmoid(g);
    return s * (1 + g * (1 - s)) * u;
  });
  expectNear(layer.metric("0.mlp.up_proj"),
             withRidge(combine(product, momentOf(ofUp), times)), 1e-3);
  // A difference over a step, not a derivative.
  expectNear(layer.metric("0.mlp.gate_proj"),
             withRidge(combine(product, momentOf(ofGate), times)), 2e-2);
}

/// Of many outputs, the diagonal of the same; padding counts nowhere.
TEST(OutputMetrics, DiagonalsOfManyChannels) {
  for (auto [name, end, lengths] :
       {std::tuple("hf/llama", "0.mlp.up_proj", std::vector<int64_t>()),
        {"hf/llama", "0.mlp.gate_proj", {}},
        {"hf/bert", "0.intermediate.dense", {23, 1}}}) {
    Layer layer(name, lengths), large(name, lengths, 8);
    Matrix full = layer.metric(end), expected(1, full.rows());
    for (int64_t o = 0; o < full.rows(); ++o)
      expected.at(0, o) = full.at(o, o);
    expectNear(large.diagonal(end), expected, 1e-5);
    EXPECT_FALSE(large.hasMetric(end == std::string("0.intermediate.dense")
                                     ? "0.attention.self.query"
                                     : "0.self_attn.q_proj"));
  }
}

/// A matrix stored [in, out] behind gelu, whose map has a bias.
TEST(OutputMetrics, ChannelsWithBias) {
  Layer layer("hf/gpt2");
  Matrix y = layer.outputs("0.mlp.c_fc"), w = layer.weight("0.mlp.c_proj");
  Matrix slopes = combine(y, y, [](double x, double) {
    double c = std::sqrt(2 / M_PI), a = 0.044715;
    double t = std::tanh(c * (x + a * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * a * x * x);
  });
  expectNear(layer.metric("0.mlp.c_fc"),
             withRidge(combine(multiply(w, w, Side::Transposed, Side::AsIs),
                               momentOf(slopes), times)),
             2e-2);
}

/// The blocks of `r` at each head, summed over `sharing` heads each.
Matrix blocksOf(const Matrix &r, int64_t size, int64_t sharing) {
  Matrix blocks(r.rows() / sharing, r.rows() / sharing);
  for (int64_t i = 0; i < r.rows(); ++i)
    for (int64_t j = i / size * size; j < (i / size + 1) * size; ++j) {
      int64_t head = i / size / sharing * size;
      blocks.at(head + i % size, head + j % size) += r.at(i, j);
    }
  return blocks;
}

/// Two heads of queries share one of keys and values.
TEST(OutputMetrics, ValuesOfSharedHeads) {
  Layer layer("hf/llama");
  Matrix o = layer.weight("0.self_attn.o_proj");
  int64_t outputs = layer.weight("0.self_attn.v_proj").rows();
  int64_t sharing = o.columns() / outputs;
  ASSERT_GT(sharing, 1);
  // The fixture's heads.
  int64_t size = layer.weight("0.self_attn.q_proj").rows() / 4;
  expectNear(layer.metric("0.self_attn.v_proj"),
             withRidge(blocksOf(multiply(o, o, Side::Transposed, Side::AsIs),
                                size, sharing)),
             1e-9);
}

/// Without rotations queries meet keys as their map makes them; padding counts
/// nowhere.
TEST(OutputMetrics, QueriesAndKeys) {
  Layer layer("hf/bert", {23, 1});
  expectNear(layer.metric("0.attention.self.query"),
             withRidge(blocksOf(momentOf(layer.outputs("0.attention.self.key")),
                                9, 1)),
             1e-5);
  expectNear(layer.metric("0.attention.self.key"),
             withRidge(blocksOf(
                 momentOf(layer.outputs("0.attention.self.query")), 9, 1)),
             1e-5);
}

/// Rotations do not change how long keys and queries are.
TEST(OutputMetrics, RotatedKeys) {
  Layer layer("hf/llama");
  Matrix q = layer.outputs("0.self_attn.q_proj"),
         k = layer.outputs("0.self_attn.k_proj");
  int64_t sharing = q.columns() / k.columns();
  EXPECT_NEAR(trace(layer.metric("0.self_attn.q_proj")),
              1.001 * double(sharing) * trace(momentOf(k)),
              1e-5 * trace(momentOf(k)));
  EXPECT_NEAR(trace(layer.metric("0.self_attn.k_proj")),
              1.001 * trace(momentOf(q)), 1e-5 * trace(momentOf(q)));
}

/// Outputs that are added to the residual stream, or of which attention sees a
/// part, have none.
TEST(OutputMetrics, OthersHaveNone) {
  Layer llama("hf/llama"), gpt2("hf/gpt2"), mamba("hf/mamba2");
  EXPECT_FALSE(llama.hasMetric("0.self_attn.o_proj"));
  EXPECT_FALSE(llama.hasMetric("0.mlp.down_proj"));
  EXPECT_FALSE(gpt2.hasMetric("0.attn.c_attn"));
  EXPECT_FALSE(mamba.hasMetric("0.mixer.in_proj"));
}

} // namespace
} // namespace linnet::compress
