//===- Moments.cpp - mean products of activations -------------------------===//

#include "linnet/Numerics/Moments.h"

#include "Lapack.h"

#include <algorithm>

namespace linnet {

/// Tokens whose products are summed in f32.
constexpr int64_t kBlockTokens = 1024;

MomentSum::MomentSum(int64_t rows, int64_t columns)
    : sum(rows, columns), block(size_t(rows * columns)) {}

/// Row-major rows are columns of a column-major matrix: BLAS computes
/// block^T = x^T y, or of a square its lower triangle, which here is the upper.
void MomentSum::add(const float *y, const float *x, int64_t count) {
  int rows = int(sum.rows()), columns = int(sum.columns());
  if (rows == 0 || columns == 0)
    return;
  bool square = y == x && rows == columns;
  const float one = 1, zero = 0;
  for (int64_t first = 0; first < count; first += kBlockTokens) {
    int length = int(std::min(kBlockTokens, count - first));
    const float *ys = y + first * rows, *xs = x + first * columns;
    if (square)
      ssyrk_("L", "N", &rows, &length, &one, ys, &rows, &zero, block.data(),
             &rows);
    else
      sgemm_("N", "T", &columns, &rows, &length, &one, xs, &columns, ys, &rows,
             &zero, block.data(), &columns);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = square ? r : 0; c < columns; ++c)
        sum.at(r, c) += double(block[size_t(r * columns + c)]);
  }
  if (square)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < r; ++c)
        sum.at(r, c) = sum.at(c, r);
  tokens += count;
}

Matrix MomentSum::mean() const {
  return (tokens ? 1 / double(tokens) : 0) * sum;
}

} // namespace linnet
