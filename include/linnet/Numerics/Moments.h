//===- Moments.h - mean products of activations ---------------*- C++ -*-===//
//
// What the fits know of data: E[y x^T] over the tokens of a text, where y and x
// are rows of activations. Products of blocks of tokens are taken in f32, their
// sums in f64, so that the length of a text does not matter: entries agree with
// sums in f64 to 1e-6 of the largest.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_MOMENTS_H
#define LINNET_NUMERICS_MOMENTS_H

#include "linnet/Numerics/Matrix.h"

#include <vector>

namespace linnet {

/// The running sum of y_t x_t^T.
class MomentSum {
public:
  MomentSum() = default;
  /// For y of `rows` and x of `columns` entries.
  MomentSum(int64_t rows, int64_t columns);

  /// Adds `count` tokens: row t of `y` [count, rows] and `x` [count, columns],
  /// row major. The same pointer twice takes half the time.
  void add(const float *y, const float *x, int64_t count);
  int64_t count() const { return tokens; }
  /// E[y x^T], `rows` x `columns`; zeros without tokens.
  Matrix mean() const;
  /// The same in place of the sum, which ends with it.
  Matrix takeMean();

private:
  Matrix sum;
  /// Of products in f32: so many rows of the sum at a time.
  std::vector<float> block;
  int64_t tokens = 0;
};

/// Row t of `y` becomes W times row t of `x`, for `count` tokens: `w` is `rows`
/// x `columns`, row major.
void mapTokens(const float *w, int64_t rows, int64_t columns, const float *x,
               int64_t count, float *y);

} // namespace linnet

#endif // LINNET_NUMERICS_MOMENTS_H
