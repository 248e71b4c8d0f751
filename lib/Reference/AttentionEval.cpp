//===- AttentionEval.cpp - the quadratic mixer ----------------------------===//

#include "Interpreter.h"

#include <cmath>
#include <limits>

namespace linnet::reference {

namespace {
/// The tensors of one attention, keys and values as the queries see them.
struct Attention {
  const HostTensor &query, &key, &value;
  const HostTensor *bias, *mask;
  /// Absolute index of the first query, and the number of visible keys.
  int64_t position, keys;
  /// Entries of `value` that are values.
  int64_t valueWidth;
  double scale;
  bool causal;
  std::optional<int64_t> window;
  std::optional<double> softCap;

  bool isMasked(int64_t b, int64_t i, int64_t j) const {
    if (causal && j > i)
      return true;
    if (window && (i - j >= *window || (!causal && j - i >= *window)))
      return true;
    return mask && mask->values[b * keys + j] == 0;
  }

  double biasOf(int64_t b, int64_t h, int64_t t, int64_t j) const {
    if (!bias)
      return 0;
    ArrayRef<int64_t> dims = bias->shape;
    b = dims[0] == 1 ? 0 : b;
    h = dims[1] == 1 ? 0 : h;
    return bias->values[((b * dims[1] + h) * dims[2] + t) * dims[3] + j];
  }

  /// One row of the output: query head h of token t.
  void computeRow(int64_t b, int64_t t, int64_t h, std::vector<double> &scores,
                  double *out) const;
};
} // namespace

void Attention::computeRow(int64_t b, int64_t t, int64_t h,
                           std::vector<double> &scores, double *out) const {
  constexpr double kMasked = -std::numeric_limits<double>::infinity();
  int64_t tokens = query.shape[1], heads = query.shape[2],
          width = query.shape[3];
  int64_t capacity = key.shape[1], keyHeads = key.shape[2];
  int64_t valuePitch = value.shape[3];
  int64_t keyHead = h / (heads / keyHeads);
  const double *q =
      query.values.data() + ((b * tokens + t) * heads + h) * width;
  double largest = kMasked;
  for (int64_t j = 0; j < keys; ++j) {
    scores[j] = kMasked;
    if (isMasked(b, position + t, j))
      continue;
    const double *k =
        key.values.data() + ((b * capacity + j) * keyHeads + keyHead) * width;
    double score = 0;
    for (int64_t d = 0; d < width; ++d)
      score += q[d] * k[d];
    score *= scale;
    if (softCap)
      score = *softCap * std::tanh(score / *softCap);
    scores[j] = score + biasOf(b, h, t, j);
    largest = std::max(largest, scores[j]);
  }
  double sum = 0;
  for (int64_t j = 0; j < keys; ++j) {
    if (scores[j] == kMasked)
      continue; // Weight zero, whatever stands in the value.
    double weight = std::exp(scores[j] - largest);
    sum += weight;
    const double *v = value.values.data() +
                      ((b * capacity + j) * keyHeads + keyHead) * valuePitch;
    for (int64_t d = 0; d < valueWidth; ++d)
      out[d] += weight * v[d];
  }
  for (int64_t d = 0; d < valueWidth && sum != 0; ++d)
    out[d] /= sum;
}

/// A copy of `cache` with `tokens` written from `position` on.
static Result<HostTensor> appendToCache(const HostTensor &cache,
                                        const HostTensor &tokens,
                                        int64_t position) {
  int64_t capacity = cache.shape[1], count = tokens.shape[1];
  std::vector<int64_t> expected = tokens.shape;
  expected[1] = capacity;
  if (Status status = expectShape("a cache", cache.shape, expected); !status)
    return status.error();
  if (position < 0 || position > capacity - count)
    return makeError("expected a context of at most ", capacity,
                     " tokens, but got ", count, " tokens at position ",
                     position);
  HostTensor result = cache;
  int64_t entry = tokens.shape[2] * tokens.shape[3];
  for (int64_t b = 0; b < tokens.shape[0]; ++b)
    std::copy_n(tokens.values.begin() + b * count * entry, count * entry,
                result.values.begin() + (b * capacity + position) * entry);
  return result;
}

/// Checks what static types leave open.
static Status checkShapes(ir::AttentionOp op, Scope &scope) {
  const HostTensor &q = scope.get(op.getQuery());
  const HostTensor &k = scope.get(op.getKey());
  const HostTensor &v = scope.get(op.getCached().back());
  if (k.shape[2] <= 0 || q.shape[2] % k.shape[2])
    return makeError("expected the key heads to divide ", q.shape[2],
                     " query heads, but got ", k.shape[2]);
  int64_t length = op.getCache().empty() ? k.shape[1] : q.shape[1];
  Status status = expectShape("keys", k.shape,
                              {q.shape[0], length, k.shape[2], q.shape[3]});
  if (status)
    status = expectShape("values", v.shape,
                         {q.shape[0], length, k.shape[2], v.shape[3]});
  if (status && op.getKeyMask())
    status = expectShape("a key mask", scope.get(op.getKeyMask()).shape,
                         {q.shape[0], length});
  if (status && op.getBias()) {
    ArrayRef<int64_t> bias = scope.get(op.getBias()).shape;
    status = expectShape("a bias", bias,
                         {bias[0] == 1 ? 1 : q.shape[0],
                          bias[1] == 1 ? 1 : q.shape[2], q.shape[1], length});
  }
  return status;
}

static Status evalAttention(ir::AttentionOp op, Scope &scope) {
  if (Status status = checkShapes(op, scope); !status)
    return status;
  const HostTensor &query = scope.get(op.getQuery());
  int64_t position = 0, keys = scope.get(op.getKey()).shape[1];
  llvm::SmallVector<Value> sources = op.getCached();
  if (!op.getCache().empty()) {
    position = scope.getIndex(op.getPosition());
    keys += position;
    for (auto [number, source] : llvm::enumerate(sources)) {
      Result<HostTensor> updated = appendToCache(
          scope.get(op.getCache()[number]), scope.get(source), position);
      if (!updated)
        return updated.error();
      source = op.getNewCache()[number];
      if (Status status = scope.set(source, updated.take()); !status)
        return status;
    }
  }
  std::optional<double> softCap;
  if (op.getSoftCap())
    softCap = op.getSoftCap()->convertToDouble();
  Attention attention{query,
                      scope.get(sources.front()),
                      scope.get(sources.back()),
                      op.getBias() ? &scope.get(op.getBias()) : nullptr,
                      op.getKeyMask() ? &scope.get(op.getKeyMask()) : nullptr,
                      position,
                      keys,
                      op.getWidthOfValues(),
                      op.getScale().convertToDouble(),
                      op.getCausal(),
                      op.getWindow(),
                      softCap};
  int64_t tokens = query.shape[1], heads = query.shape[2];
  int64_t width = attention.valueWidth;
  Result<HostTensor> out = makeZeros({query.shape[0], tokens, heads, width});
  if (!out)
    return out.error();
  int64_t rows = query.shape[0] * tokens * heads;
  scope.interpreter.parallelFor(
      rows, 2.0 * rows * keys * (query.shape[3] + width),
      [&](int64_t begin, int64_t end) {
        std::vector<double> scores(keys);
        for (int64_t row = begin; row < end; ++row)
          attention.computeRow(row / (tokens * heads), row / heads % tokens,
                               row % heads, scores,
                               out->values.data() + row * width);
      });
  return scope.set(op.getResult(), out.take());
}

void addAttentionOps(OpTable &table) { table.add(evalAttention); }

} // namespace linnet::reference
