//===- NormEval.cpp - norms, activations, rotary --------------------------===//

#include "Interpreter.h"

#include <cmath>

namespace linnet::reference {

double applyActivation(ir::Activation kind, double x) {
  switch (kind) {
  case ir::Activation::Identity:
    return x;
  case ir::Activation::Silu:
    return x / (1 + std::exp(-x));
  case ir::Activation::Gelu:
    return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
  case ir::Activation::GeluTanh:
    return x *
           (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) /
           2;
  case ir::Activation::Relu:
    // Not a maximum: NaN stays NaN.
    return x < 0 ? 0 : x;
  case ir::Activation::Relu2:
    return x < 0 ? 0 : x * x;
  case ir::Activation::Sigmoid:
    return 1 / (1 + std::exp(-x));
  case ir::Activation::Tanh:
    return std::tanh(x);
  case ir::Activation::Softplus:
    // e^-|x| cannot overflow.
    return (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

/// Normalises the `n` entries at `u` in place.
static void normalise(double *u, int64_t n, ir::NormKind kind, double eps) {
  double mean = 0, squares = 0;
  if (kind == ir::NormKind::Layer) {
    for (int64_t i = 0; i < n; ++i)
      mean += u[i];
    mean /= n;
  }
  for (int64_t i = 0; i < n; ++i)
    squares += (u[i] - mean) * (u[i] - mean);
  double divisor = kind == ir::NormKind::L2 ? squares : squares / n;
  for (int64_t i = 0; i < n; ++i)
    u[i] = (u[i] - mean) / std::sqrt(divisor + eps);
}

static Status evalNorm(ir::NormOp op, Scope &scope) {
  HostTensor y = scope.get(op.getInput());
  const HostTensor *weight =
      op.getWeight() ? &scope.get(op.getWeight()) : nullptr;
  const HostTensor *bias = op.getBias() ? &scope.get(op.getBias()) : nullptr;
  const HostTensor *gate = op.getGate() ? &scope.get(op.getGate()) : nullptr;
  if (gate)
    if (Status status = expectShape("a gate", gate->shape, y.shape); !status)
      return status;
  auto applyGate = [&](ir::GateOrder order) {
    if (gate && op.getGateOrder() == order)
      for (int64_t i = 0; i < y.size(); ++i)
        y.values[i] *= applyActivation(op.getGateActivation(), gate->values[i]);
  };
  applyGate(ir::GateOrder::Before);
  int64_t width = y.shape.back(), part = width / int64_t(op.getGroups());
  if (part > 0)
    for (int64_t first = 0; first < y.size(); first += part)
      normalise(y.values.data() + first, part, op.getKind(),
                op.getEps().convertToDouble());
  for (int64_t i = 0; i < y.size(); ++i) {
    if (weight)
      y.values[i] *= weight->values[i % width] + (op.getUnitOffset() ? 1 : 0);
    if (bias)
      y.values[i] += bias->values[i % width];
  }
  applyGate(ir::GateOrder::After);
  return scope.set(op.getResult(), std::move(y));
}

static Status evalActivation(ir::ActivationOp op, Scope &scope) {
  HostTensor y = scope.get(op.getInput());
  for (double &value : y.values)
    value = applyActivation(op.getKind(), value);
  return scope.set(op.getResult(), std::move(y));
}

static Status evalGlu(ir::GluOp op, Scope &scope) {
  HostTensor y = scope.get(op.getGate());
  const HostTensor &up = scope.get(op.getUp());
  if (Status status = expectShape("up", up.shape, y.shape); !status)
    return status;
  for (int64_t i = 0; i < y.size(); ++i)
    y.values[i] = applyActivation(op.getKind(), y.values[i]) * up.values[i];
  return scope.set(op.getResult(), std::move(y));
}

static Status evalThreshold(ir::ThresholdOp op, Scope &scope) {
  HostTensor y = scope.get(op.getInput());
  const HostTensor &thresholds = scope.get(op.getThresholds());
  int64_t width = thresholds.size();
  for (int64_t i = 0; i < y.size(); ++i)
    // NaN stays NaN.
    if (std::abs(y.values[i]) <= thresholds.values[i % width])
      y.values[i] = 0;
  return scope.set(op.getResult(), std::move(y));
}

static Status evalRotary(ir::RotaryOp op, Scope &scope) {
  HostTensor y = scope.get(op.getInput());
  int64_t tokens = y.shape[1], heads = y.shape[2], width = y.shape[3];
  int64_t position = scope.getIndex(op.getPosition());
  ArrayRef<float> frequencies = op.getInverseFrequencies();
  int64_t pairs = frequencies.size();
  double scaling = op.getScaling().convertToFloat();
  for (int64_t row = 0; row < y.shape[0] * tokens; ++row)
    for (int64_t m = 0; m < pairs; ++m) {
      float angle =
          static_cast<float>(position + row % tokens) * frequencies[m];
      double cosine = std::cos(double(angle)), sine = std::sin(double(angle));
      for (int64_t h = 0; h < heads; ++h) {
        double *x = y.values.data() + (row * heads + h) * width;
        double &a = x[op.getInterleaved() ? 2 * m : m];
        double &b = x[op.getInterleaved() ? 2 * m + 1 : pairs + m];
        double a0 = a, b0 = b;
        a = (a0 * cosine - b0 * sine) * scaling;
        b = (b0 * cosine + a0 * sine) * scaling;
      }
    }
  return scope.set(op.getResult(), std::move(y));
}

void addNormOps(OpTable &table) {
  table.add(evalNorm);
  table.add(evalActivation);
  table.add(evalGlu);
  table.add(evalThreshold);
  table.add(evalRotary);
}

} // namespace linnet::reference
