//===- ChannelBounds.cpp - between what values channels stay --------------===//

#include "ChannelBounds.h"

#include "FoldNorms.h"

#include "linnet/Reference/Activation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

/// Of all terms of a bound: what roundings, in f32 too, may take away from it.
static constexpr double kSlack = 1e-5;

Interval operator+(const Interval &a, const Interval &b) {
  return {a.low + b.low, a.high + b.high};
}

Interval operator*(const Interval &a, const Interval &b) {
  if (a == Interval::of(0) || b == Interval::of(0))
    return Interval::of(0);
  if (a.isConstant() && b.isConstant())
    return Interval::of(a.low * b.low);
  return {};
}

Interval applyActivation(ir::Activation kind, const Interval &x) {
  auto at = [&](double value) {
    return reference::applyActivation(kind, value);
  };
  if (x.isConstant())
    return Interval::of(at(x.low));
  switch (kind) {
  case ir::Activation::Identity:
    return x;
  case ir::Activation::Relu:
  case ir::Activation::Relu2:
    return {at(x.low), at(x.high)};
  default:
    return {};
  }
}

namespace {

/// What is known of a map's input: |u| <= radius with input = u gain + shift,
/// and whether the entries of u sum to 0.
struct InputBound {
  double radius = std::numeric_limits<double>::infinity();
  bool isCentred = false;
  std::vector<double> gain, shift;
};

class ChannelBounder {
public:
  ChannelBounder(const LayerFunction &function, const Archive &archive,
                 int64_t width)
      : function(function), archive(archive), width(size_t(width)) {}

  Result<std::vector<Interval>> bound(Value value) {
    mlir::Operation *op = value.getDefiningOp();
    if (auto linear = mlir::dyn_cast_or_null<ir::LinearOp>(op))
      return boundLinear(linear);
    if (auto act = mlir::dyn_cast_or_null<ir::ActivationOp>(op))
      return boundActivation(act.getKind(), act.getInput());
    if (auto glu = mlir::dyn_cast_or_null<ir::GluOp>(op)) {
      auto gate = boundActivation(glu.getKind(), glu.getGate());
      return combine(std::move(gate), bound(glu.getUp()),
                     [](auto &a, auto &b) { return a * b; });
    }
    if (mlir::isa_and_nonnull<mlir::arith::MulFOp>(op))
      return combine(bound(op->getOperand(0)), bound(op->getOperand(1)),
                     [](auto &a, auto &b) { return a * b; });
    if (mlir::isa_and_nonnull<mlir::arith::AddFOp>(op))
      return combine(bound(op->getOperand(0)), bound(op->getOperand(1)),
                     [](auto &a, auto &b) { return a + b; });
    return std::vector<Interval>(width);
  }

private:
  using Bounds = Result<std::vector<Interval>>;

  template <typename F>
  static Bounds combine(Bounds a, Bounds b, F f) {
    if (!a || !b)
      return a ? b.error() : a.error();
    for (size_t i = 0; i < a->size(); ++i)
      (*a)[i] = f((*a)[i], (*b)[i]);
    return a;
  }

  Bounds boundActivation(ir::Activation kind, Value input) {
    Bounds bounds = bound(input);
    if (bounds)
      for (Interval &interval : *bounds)
        interval = applyActivation(kind, interval);
    return bounds;
  }

  /// Statistics make the squares of n entries sum up to less than n, or to
  /// less than 1.
  Result<InputBound> boundInput(Value input) {
    InputBound result;
    auto norm = input.getDefiningOp<ir::NormOp>();
    if (!norm || norm.getGate())
      return result;
    Result<std::vector<double>> gain = gainOf(norm, function, archive);
    if (!gain)
      return gain.error();
    result.gain = gain.take();
    result.shift.resize(result.gain.size());
    if (norm.getBias()) {
      auto weight = norm.getBias().getDefiningOp<ir::WeightOp>();
      if (!weight)
        return InputBound();
      Result<std::vector<double>> shift =
          readValues(archive, function.nameOf(weight));
      if (!shift)
        return shift.error();
      result.shift = shift.take();
    }
    result.radius = std::sqrt(norm.getKind() == ir::NormKind::L2
                                  ? double(norm.getGroups())
                                  : double(result.gain.size()));
    result.isCentred =
        norm.getKind() == ir::NormKind::Layer && norm.getGroups() == 1;
    return result;
  }

  Bounds boundLinear(ir::LinearOp linear) {
    std::vector<Interval> unknown(width);
    auto dense = mlir::dyn_cast<ir::DenseStructureAttr>(linear.getStructure());
    auto weight = linear.getFactors().front().getDefiningOp<ir::WeightOp>();
    if (!dense || !weight || weight.isStacked())
      return unknown;
    Result<std::vector<double>> matrix =
        readValues(archive, function.nameOf(weight));
    Result<InputBound> input = boundInput(linear.getInput());
    if (!matrix || !input)
      return matrix ? input.error() : matrix.error();
    std::vector<double> bias(width, 0.0);
    if (linear.getBias()) {
      auto own = linear.getBias().getDefiningOp<ir::WeightOp>();
      if (!own)
        return unknown;
      Result<std::vector<double>> read =
          readValues(archive, function.nameOf(own));
      if (!read)
        return read.error();
      bias = read.take();
    }
    bool outIn = dense.getStorage() == ir::Storage::OutIn;
    size_t inner = matrix->size() / width;
    std::vector<double> row(inner);
    for (size_t r = 0; r < width; ++r) {
      for (size_t i = 0; i < inner; ++i)
        row[i] = (*matrix)[outIn ? r * inner + i : i * width + r];
      unknown[r] = boundRow(row, bias[r], *input);
    }
    return unknown;
  }

  static Interval boundRow(const std::vector<double> &row, double bias,
                           const InputBound &input) {
    if (llvm::all_of(row, [](double w) { return w == 0; }))
      return Interval::of(bias);
    if (!std::isfinite(input.radius))
      return {};
    double mean = 0, squares = 0, sizes = 0, centre = bias;
    for (size_t i = 0; i < row.size(); ++i)
      mean += row[i] * input.gain[i] / double(row.size());
    if (!input.isCentred)
      mean = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      double product = row[i] * input.gain[i] - mean;
      squares += product * product;
      centre += row[i] * input.shift[i];
      sizes += std::abs(row[i] * input.shift[i]);
    }
    double reach = input.radius * std::sqrt(squares);
    double slack = kSlack * (std::abs(bias) + sizes + reach);
    return {centre - reach - slack, centre + reach + slack};
  }

  const LayerFunction &function;
  const Archive &archive;
  size_t width;
};

} // namespace

Result<std::vector<Interval>> boundChannels(Value value,
                                            const LayerFunction &function,
                                            const Archive &archive,
                                            int64_t width) {
  return ChannelBounder(function, archive, width).bound(value);
}

} // namespace linnet::compress
