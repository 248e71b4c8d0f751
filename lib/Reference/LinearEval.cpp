//===- LinearEval.cpp - linear maps and lookups ---------------------------===//

#include "Interpreter.h"

#include <cstring>

namespace linnet::reference {

namespace {
/// Two doubles: the widest vector that every x86-64 and AArch64 has.
using Pair = double __attribute__((vector_size(16)));

Pair load(const double *source) {
  Pair pair;
  std::memcpy(&pair, source, sizeof(pair));
  return pair;
}

/// The products of `Rows` rows of x, `pitch` apart, with `Outs` rows of w, both
/// of width `in`.
template <int Rows, int Outs>
void multiplyTile(const double *x, int64_t pitch, const double *w, int64_t in,
                  double *y, int64_t outs) {
  Pair sum[Rows][Outs] = {};
  int64_t i = 0;
  for (; i + 2 <= in; i += 2) {
    Pair left[Rows], right[Outs];
    for (int r = 0; r < Rows; ++r)
      left[r] = load(x + r * pitch + i);
    for (int o = 0; o < Outs; ++o)
      right[o] = load(w + o * in + i);
    for (int r = 0; r < Rows; ++r)
      for (int o = 0; o < Outs; ++o)
        sum[r][o] += left[r] * right[o];
  }
  for (int r = 0; r < Rows; ++r)
    for (int o = 0; o < Outs; ++o) {
      double total = sum[r][o][0] + sum[r][o][1];
      if (i < in)
        total += x[r * pitch + i] * w[o * in + i];
      y[r * outs + o] = total;
    }
}

/// y[r, o] = sum_i w[o, i] x[r, i] for o in [begin, end). A block of w stays
/// in the first cache while all rows of x pass.
void multiplyRange(const double *x, int64_t rows, int64_t pitch,
                   const double *w, int64_t in, int64_t begin, int64_t end,
                   double *y, int64_t outs) {
  constexpr int64_t kBlock = 8;
  for (int64_t block = begin; block < end; block += kBlock) {
    int64_t blockEnd = std::min(end, block + kBlock);
    for (int64_t r = 0; r < rows;) {
      bool wide = r + 4 <= rows;
      const double *xr = x + r * pitch;
      double *yr = y + r * outs;
      int64_t o = block;
      for (; o + 2 <= blockEnd; o += 2)
        wide ? multiplyTile<4, 2>(xr, pitch, w + o * in, in, yr + o, outs)
             : multiplyTile<1, 2>(xr, pitch, w + o * in, in, yr + o, outs);
      for (; o < blockEnd; ++o)
        wide ? multiplyTile<4, 1>(xr, pitch, w + o * in, in, yr + o, outs)
             : multiplyTile<1, 1>(xr, pitch, w + o * in, in, yr + o, outs);
      r += wide ? 4 : 1;
    }
  }
}
} // namespace

static Status evalLinear(ir::LinearOp op, Scope &scope) {
  const HostTensor &x = scope.get(op.getInput());
  llvm::SmallVector<TensorRef> factors;
  for (Value factor : op.getFactors())
    factors.push_back(scope.getRef(factor));
  auto shape = op.getStructure().inferShape(op.getFactors().getTypes(),
                                            [&] { return op.emitOpError(); });
  if (failed(shape))
    return makeError("expected factors that fit the structure");
  Result<TensorRef> dense = scope.interpreter.getDense(
      op.getStructure(), op.getFactors().getTypes(), factors, *shape);
  if (!dense)
    return dense.error();

  std::vector<int64_t> dims = x.shape;
  if (dims.back() != shape->in)
    return makeError("expected the input's last dimension to be ", shape->in,
                     ", but got ", dims.back());
  dims.back() = shape->out;
  Result<HostTensor> y = makeZeros(dims);
  if (!y)
    return y.error();
  int64_t rows = 1;
  for (int64_t size : ArrayRef<int64_t>(dims).drop_back())
    rows *= size;
  scope.interpreter.parallelFor(
      shape->out, 2.0 * rows * shape->blockIn() * shape->out,
      [&](int64_t begin, int64_t end) {
        while (begin < end) {
          // Rows of W that read the same entries of x.
          int64_t block = begin / shape->blockOut();
          int64_t stop = std::min(end, (block + 1) * shape->blockOut());
          multiplyRange(x.values.data() + block * shape->blockIn(), rows,
                        shape->in, (*dense)->values.data(), shape->blockIn(),
                        begin, stop, y->values.data(), shape->out);
          begin = stop;
        }
      });
  if (op.getBias()) {
    const HostTensor &bias = scope.get(op.getBias());
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t o = 0; o < shape->out; ++o)
        y->values[r * shape->out + o] += bias.values[o];
  }
  return scope.set(op.getResult(), y.take());
}

static Status evalEmbedding(ir::EmbeddingOp op, Scope &scope) {
  const HostTensor &ids = scope.get(op.getIds());
  const HostTensor &table = scope.get(op.getTable());
  int64_t rows = table.shape[0], width = table.shape[1];
  std::vector<int64_t> dims = ids.shape;
  dims.push_back(width);
  Result<HostTensor> y = makeZeros(dims);
  if (!y)
    return y.error();
  for (int64_t i = 0; i < ids.size(); ++i) {
    double id = ids.values[i];
    if (!(id >= 0 && id < rows))
      return makeError("expected ids in [0, ", rows, "), but got ",
                       static_cast<int64_t>(id), " as element ", i);
    std::copy_n(table.values.begin() + static_cast<int64_t>(id) * width, width,
                y->values.begin() + i * width);
  }
  return scope.set(op.getResult(), y.take());
}

static Status evalPositions(ir::PositionsOp op, Scope &scope) {
  HostTensor y = scope.get(op.getIds());
  int64_t tokens = y.shape[1], position = scope.getIndex(op.getPosition());
  for (int64_t i = 0; i < y.size(); ++i)
    y.values[i] = double(position + i % tokens);
  return scope.set(op.getResult(), std::move(y));
}

void addLinearOps(OpTable &table) {
  table.add(evalLinear);
  table.add(evalEmbedding);
  table.add(evalPositions);
}

} // namespace linnet::reference
