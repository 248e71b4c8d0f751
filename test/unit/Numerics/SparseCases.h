//===- SparseCases.h - operands of sparse fits ----------------*- C++ -*-===//

#ifndef TEST_UNIT_NUMERICS_SPARSECASES_H
#define TEST_UNIT_NUMERICS_SPARSECASES_H

#include "linnet/Numerics/SparsityPattern.h"

#include "CompressionOracle.h"

#include <limits>

namespace linnet::test {

inline const double kNaN = std::numeric_limits<double>::quiet_NaN();

/// X X^T / N.
inline Matrix momentOf(const Matrix &inputs) {
  return (1.0 / double(inputs.columns())) *
         multiply(inputs, inputs, Side::AsIs, Side::Transposed);
}

/// Of inputs that share a few directions, of unlike sizes.
inline Matrix correlatedMoment(int64_t size, unsigned seed) {
  Matrix mix = randomMatrix(size, size, seed);
  for (int64_t r = 0; r < size; ++r)
    for (int64_t c = 0; c < size; ++c)
      mix.at(r, c) *=
          std::exp(-3.0 * double(c) / double(size)) * (r % 7 == 0 ? 4 : 1);
  return momentOf(multiply(mix, randomMatrix(size, 4 * size, seed + 1))) +
         0.01 * Matrix::identity(size);
}

/// tr(D G D^T) of D = a - b.
inline double lossOf(const Matrix &a, const Matrix &b, const Matrix &moment) {
  Matrix difference = a - b;
  return dot(multiply(difference, moment), difference);
}

/// An oracle's mask, of which true is kept, or pruned.
inline Mask maskOf(const CompressionOracle &oracle, const std::string &name,
                   bool isKept) {
  auto array = oracle.array(name);
  auto flags = oracle.integers(name);
  Mask mask(array.shape[0], array.shape[1]);
  for (int64_t r = 0; r < mask.rows(); ++r)
    for (int64_t c = 0; c < mask.columns(); ++c)
      mask.set(r, c, bool(flags[r * mask.columns() + c]) == isKept);
  return mask;
}

inline Mask randomMask(int64_t rows, int64_t columns, double kept,
                       unsigned seed) {
  std::mt19937 engine(seed);
  std::bernoulli_distribution coin(kept);
  Mask mask(rows, columns);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      mask.set(r, c, coin(engine));
  return mask;
}

/// Zeros off the mask, none of them -0.0.
inline void expectOnMask(const Matrix &weights, const Mask &mask) {
  ASSERT_EQ(weights.rows(), mask.rows());
  ASSERT_EQ(weights.columns(), mask.columns());
  for (int64_t r = 0; r < mask.rows(); ++r)
    for (int64_t c = 0; c < mask.columns(); ++c) {
      EXPECT_TRUE(std::isfinite(weights.at(r, c)));
      if (!mask.keeps(r, c))
        EXPECT_EQ(weights.at(r, c), 0) << r << ", " << c;
      if (weights.at(r, c) == 0)
        EXPECT_FALSE(std::signbit(weights.at(r, c))) << r << ", " << c;
    }
}

/// The least change is 0: the gradient of the loss is 0 on the mask.
inline void expectOptimal(const Matrix &fitted, const Matrix &weights,
                          const Matrix &moment, const Mask &mask,
                          double tolerance = 1e-9) {
  Matrix gradient = multiply(fitted - weights, moment);
  double most = norm(multiply(weights, moment));
  for (int64_t r = 0; r < mask.rows(); ++r)
    for (int64_t c = 0; c < mask.columns(); ++c)
      if (mask.keeps(r, c))
        EXPECT_LE(std::abs(gradient.at(r, c)), tolerance * (1 + most))
            << r << ", " << c;
}

inline void expectOfInputs(const Mask &mask, int64_t count, int64_t group) {
  for (int64_t r = 0; r < mask.rows(); ++r)
    for (int64_t c = 0; c < mask.columns(); c += group) {
      int64_t kept = 0;
      for (int64_t i = 0; i < group; ++i)
        kept += mask.keeps(r, c + i);
      EXPECT_EQ(kept, count) << r << ", " << c;
    }
}

/// Every choice of `count` of `size` as bits.
inline std::vector<unsigned> choicesOf(int count, int size) {
  std::vector<unsigned> choices;
  for (unsigned bits = 0; bits < 1u << size; ++bits)
    if (__builtin_popcount(bits) == count)
      choices.push_back(bits);
  return choices;
}

/// The message of each operand that sparse fits refuse, where `fit` takes
/// weights and a moment.
template <typename Fit>
void expectRefusesOperands(Fit fit) {
  Matrix weights = randomMatrix(3, 4, 1), moment = Matrix::identity(4);
  EXPECT_EQ(fit(weights, Matrix(3, 4)).error().str(),
            "expected a second moment of 4 x 4, but got 3 x 4");
  Matrix bad = weights;
  bad.at(1, 2) = kNaN;
  EXPECT_EQ(fit(bad, moment).error().str(),
            "expected finite weights, but got NaN or infinity");
  bad = moment;
  bad.at(2, 1) = std::numeric_limits<double>::infinity();
  EXPECT_EQ(fit(weights, bad).error().str(),
            "expected a finite second moment, but got NaN or infinity");
  bad = moment;
  bad.at(2, 2) = -1;
  EXPECT_EQ(fit(weights, bad).error().str(),
            "expected a second moment with a diagonal of at least 0, but got "
            "-1 at 2");
  bad = moment;
  bad.at(2, 1) = 0.5;
  EXPECT_EQ(fit(weights, bad).error().str(),
            "expected a symmetric second moment, but got 0.5 at (2, 1) and 0 "
            "at (1, 2)");
}

} // namespace linnet::test

#endif // TEST_UNIT_NUMERICS_SPARSECASES_H
