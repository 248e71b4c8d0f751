//===- ExpertEval.cpp - mixtures of experts -------------------------------===//

#include "Interpreter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace linnet::reference {

/// The numbers of the `count` largest of `values`, best first; of equals the
/// first comes first, and NaN is larger than every number.
static std::vector<int64_t> pickLargest(ArrayRef<double> values,
                                        int64_t count) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  auto rank = [&](int64_t number) {
    bool nan = std::isnan(values[number]);
    return std::pair(nan, nan ? 0 : values[number]);
  };
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return rank(a) != rank(b) ? rank(a) > rank(b) : a < b;
  });
  order.resize(count);
  return order;
}

/// Softmax in place.
static void softmax(std::vector<double> &values) {
  double largest = *std::max_element(values.begin(), values.end()), sum = 0;
  for (double &value : values)
    sum += value = std::exp(value - largest);
  for (double &value : values)
    value /= sum;
}

/// The experts a token may choose, in order.
static std::vector<int64_t> openExperts(ir::RouteOp op,
                                        ArrayRef<double> biased) {
  int64_t groups = op.getGroups(), length = int64_t(biased.size()) / groups;
  std::vector<double> worth;
  for (int64_t g = 0; g < groups; ++g) {
    ArrayRef<double> group = biased.slice(g * length, length);
    bool two = op.getGroupRule() == ir::GroupRule::BestTwo;
    double sum = 0;
    for (int64_t number : pickLargest(group, two ? 2 : 1))
      sum += group[number];
    worth.push_back(sum);
  }
  std::vector<int64_t> open;
  for (int64_t g : pickLargest(worth, op.getTopGroups()))
    for (int64_t e = 0; e < length; ++e)
      open.push_back(g * length + e);
  std::sort(open.begin(), open.end());
  return open;
}

static Status evalRoute(ir::RouteOp op, Scope &scope) {
  const HostTensor &logits = scope.get(op.getLogits());
  const HostTensor *bias = op.getBias() ? &scope.get(op.getBias()) : nullptr;
  int64_t experts = logits.shape.back(), chosen = op.getK();
  std::vector<int64_t> dims = logits.shape;
  dims.back() = chosen;
  Result<HostTensor> indices = makeZeros(dims), weights = makeZeros(dims);
  if (!indices)
    return indices.error();
  if (!weights)
    return weights.error();
  for (int64_t row = 0; row < logits.size() / experts; ++row) {
    auto begin = logits.values.begin() + row * experts;
    std::vector<double> scores(begin, begin + experts);
    if (op.getScore() == ir::RouteScore::Softmax)
      softmax(scores);
    if (op.getScore() == ir::RouteScore::Sigmoid)
      for (double &score : scores)
        score = applyActivation(ir::Activation::Sigmoid, score);
    std::vector<double> biased = scores;
    for (int64_t e = 0; bias && e < experts; ++e)
      biased[e] += bias->values[e];
    std::vector<int64_t> open = openExperts(op, biased);
    std::vector<double> values, w;
    for (int64_t e : open)
      values.push_back(biased[e]);
    std::vector<int64_t> picked = pickLargest(values, chosen);
    for (int64_t number : picked)
      w.push_back(scores[open[number]]);
    if (op.getScore() == ir::RouteScore::SoftmaxChosen)
      softmax(w);
    double divisor = 1;
    if (op.getNormalize())
      divisor = std::accumulate(w.begin(), w.end(), 0.0) +
                op.getEps().convertToDouble();
    for (int64_t j = 0; j < chosen; ++j) {
      indices->values[row * chosen + j] = double(open[picked[j]]);
      weights->values[row * chosen + j] =
          w[j] / divisor * op.getScale().convertToDouble();
    }
  }
  if (Status status = scope.set(op.getIndices(), indices.take()); !status)
    return status;
  return scope.set(op.getWeights(), weights.take());
}

/// y = W x for matrix `number` of `stack`.
static std::vector<double> multiply(const HostTensor &stack, int64_t number,
                                    const double *x) {
  int64_t out = stack.shape[1], in = stack.shape[2];
  const double *matrix = stack.values.data() + number * out * in;
  std::vector<double> y(out);
  for (int64_t o = 0; o < out; ++o)
    y[o] = std::inner_product(x, x + in, matrix + o * in, 0.0);
  return y;
}

static Status evalExperts(ir::ExpertsOp op, Scope &scope) {
  const HostTensor &x = scope.get(op.getInput());
  const HostTensor &indices = scope.get(op.getIndices());
  const HostTensor &weights = scope.get(op.getWeights());
  llvm::SmallVector<const HostTensor *> factors;
  for (Value factor : op.getFactors())
    factors.push_back(&scope.get(factor));
  const HostTensor &down = *factors.back();
  int64_t width = x.shape.back(), inner = down.shape[2];
  int64_t chosen = indices.shape.back();
  std::vector<int64_t> dims = x.shape;
  dims.back() = chosen;
  if (Status status = expectShape("indices", indices.shape, dims); !status)
    return status;
  if (Status status = expectShape("weights", weights.shape, dims); !status)
    return status;
  for (double expert : indices.values)
    if (!(expert >= 0 && expert < double(down.shape[0])))
      return makeError("expected indices in [0, ", down.shape[0], "), but got ",
                       int64_t(expert));
  Result<HostTensor> y = makeZeros(x.shape);
  if (!y)
    return y.error();
  int64_t rows = indices.size() / chosen;
  scope.interpreter.parallelFor(
      rows, 6.0 * indices.size() * width * inner,
      [&](int64_t begin, int64_t end) {
        for (int64_t choice = begin * chosen; choice < end * chosen; ++choice) {
          int64_t expert = int64_t(indices.values[choice]);
          const double *from = x.values.data() + choice / chosen * width;
          std::vector<double> h = multiply(*factors[0], expert, from), up;
          if (factors.size() == 3)
            up = multiply(*factors[1], expert, from);
          else if (op.isFused())
            up.assign(h.begin() + inner, h.end());
          for (int64_t i = 0; i < inner; ++i)
            h[i] = applyActivation(op.getActivation(), h[i]) *
                   (up.empty() ? 1 : up[i]);
          std::vector<double> output = multiply(down, expert, h.data());
          for (int64_t d = 0; d < width; ++d)
            y->values[choice / chosen * width + d] +=
                weights.values[choice] * output[d];
        }
      });
  return scope.set(op.getResult(), y.take());
}

void addExpertOps(OpTable &table) {
  table.add(evalRoute);
  table.add(evalExperts);
}

} // namespace linnet::reference
