//===- Moments.cpp - mean products of activations -------------------------===//

#include "linnet/Numerics/Moments.h"

#include "Lapack.h"

#include <algorithm>

namespace linnet {

/// Tokens whose products are summed in f32.
constexpr int64_t kBlockTokens = 1024;
/// The most products that stand beside the sum: all of 4096 x 4096.
constexpr int64_t kBlockSize = 4096 * 4096;

MomentSum::MomentSum(int64_t rows, int64_t columns)
    : sum(rows, columns),
      block(size_t(std::min(rows * columns, std::max(kBlockSize, columns)))) {}

/// Row-major rows are columns of a column-major matrix: BLAS computes
/// block^T = x^T y, or of a square its lower triangle, which here is the upper.
void MomentSum::add(const float *y, const float *x, int64_t count) {
  int64_t rows = sum.rows(), columns = sum.columns();
  if (rows == 0 || columns == 0)
    return;
  bool square = y == x && rows == columns;
  const float one = 1, zero = 0;
  int strideY = int(rows), strideX = int(columns);
  int64_t most = int64_t(block.size()) / columns;
  for (int64_t first = 0; first < count; first += kBlockTokens) {
    int length = int(std::min(kBlockTokens, count - first));
    const float *ys = y + first * rows, *xs = x + first * columns;
    for (int64_t r0 = 0; r0 < rows; r0 += most) {
      int64_t c0 = square ? r0 : 0;
      int height = int(std::min(most, rows - r0)), width = int(columns - c0);
      if (square && height == width)
        ssyrk_("L", "N", &height, &length, &one, ys + r0, &strideY, &zero,
               block.data(), &height);
      else
        sgemm_("N", "T", &width, &height, &length, &one, xs + c0, &strideX,
               ys + r0, &strideY, &zero, block.data(), &width);
      for (int64_t r = 0; r < height; ++r)
        for (int64_t c = square ? r : 0; c < width; ++c)
          sum.at(r0 + r, c0 + c) += double(block[size_t(r * width + c)]);
    }
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

Matrix MomentSum::takeMean() {
  block = {};
  return (tokens ? 1 / double(tokens) : 0) * std::move(sum);
}

void mapTokens(const float *w, int64_t rows, int64_t columns, const float *x,
               int64_t count, float *y) {
  int height = int(rows), inner = int(columns), tokens = int(count);
  const float one = 1, zero = 0;
  if (rows > 0 && columns > 0 && count > 0)
    sgemm_("T", "N", &height, &tokens, &inner, &one, w, &inner, x, &inner,
           &zero, y, &height);
  else
    std::fill_n(y, rows * count, 0.0f);
}

} // namespace linnet
