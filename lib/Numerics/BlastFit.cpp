//===- BlastFit.cpp - blocks that share their factors ---------------------===//

#include "linnet/Numerics/BlastFit.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace linnet {
namespace {

/// The pull to the last value, in units of the mean of the system's diagonal:
/// it falls to the last over the first half of the rounds.
constexpr double kFirstPull = 0.1, kLastPull = 1e-9;

/// min over X of |A - X F|^2 + pull |X - X0|^2 for a right side A F^T and
/// F F^T.
Status pullRight(Matrix &x, Matrix right, Matrix gram, double pull) {
  double added = pull * trace(gram) / double(gram.rows());
  // Factors of zeros determine nothing.
  if (!(added > 0))
    return Status();
  right = right + added * x;
  auto solved = solvePositive(gram + added * Matrix::identity(gram.rows()),
                              right.transposed());
  if (!solved)
    return solved.error();
  x = solved->transposed();
  return Status();
}

class AlternatingSolver {
public:
  AlternatingSolver(const Matrix &matrix, int64_t b, int64_t rank)
      : matrix(matrix), b(b), rank(rank), height(matrix.rows() / b),
        width(matrix.columns() / b) {}

  BlastFactors start(uint64_t seed) const {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    auto random = [&](int64_t rows, int64_t columns) {
      Matrix result(rows, columns);
      for (int64_t e = 0; e < result.size(); ++e)
        result.data()[e] = normal(engine);
      return result;
    };
    BlastFactors factors;
    for (int64_t i = 0; i < b; ++i) {
      factors.left.push_back(random(height, rank));
      factors.right.push_back(random(rank, width));
    }
    factors.diagonals = random(b * b, rank);
    return factors;
  }

  Status step(BlastFactors &f, double pull) const {
    for (int64_t i = 0; i < b; ++i)
      if (Status status = solveLeft(f, i, pull); !status)
        return status;
    for (int64_t j = 0; j < b; ++j)
      if (Status status = solveRight(f, j, pull); !status)
        return status;
    for (int64_t i = 0; i < b; ++i)
      for (int64_t j = 0; j < b; ++j)
        if (Status status = solveDiagonal(f, i, j, pull); !status)
          return status;
    return Status();
  }

private:
  Matrix block(int64_t i, int64_t j) const {
    return matrix.rowRange(i * height, height).columnRange(j * width, width);
  }
  std::vector<double> diagonal(const BlastFactors &f, int64_t i,
                               int64_t j) const {
    const double *row = f.diagonals.row(i * b + j);
    return {row, row + rank};
  }

  Status solveLeft(BlastFactors &f, int64_t i, double pull) const {
    Matrix right(height, rank), gram(rank, rank);
    for (int64_t j = 0; j < b; ++j) {
      Matrix scaled = scaleRows(f.right[j], diagonal(f, i, j));
      addProduct(right, block(i, j), scaled, 1, Side::AsIs, Side::Transposed);
      addProduct(gram, scaled, scaled, 1, Side::AsIs, Side::Transposed);
    }
    return pullRight(f.left[i], std::move(right), std::move(gram), pull);
  }

  Status solveRight(BlastFactors &f, int64_t j, double pull) const {
    Matrix right(width, rank), gram(rank, rank);
    for (int64_t i = 0; i < b; ++i) {
      Matrix scaled = scaleColumns(f.left[i], diagonal(f, i, j));
      addProduct(right, block(i, j), scaled, 1, Side::Transposed);
      addProduct(gram, scaled, scaled, 1, Side::Transposed);
    }
    Matrix transposed = f.right[j].transposed();
    Status status =
        pullRight(transposed, std::move(right), std::move(gram), pull);
    f.right[j] = transposed.transposed();
    return status;
  }

  /// A_ij = sum_k d_k l_k r_k^T: a Gram matrix (L^T L) o (R R^T).
  Status solveDiagonal(BlastFactors &f, int64_t i, int64_t j,
                       double pull) const {
    const Matrix &l = f.left[i], &r = f.right[j];
    Matrix gram = multiply(l, l, Side::Transposed),
           other = multiply(r, r, Side::AsIs, Side::Transposed);
    for (int64_t e = 0; e < gram.size(); ++e)
      gram.data()[e] *= other.data()[e];
    Matrix products = multiply(l, block(i, j), Side::Transposed),
           right(1, rank);
    for (int64_t k = 0; k < rank; ++k)
      for (int64_t c = 0; c < width; ++c)
        right.at(0, k) += products.at(k, c) * r.at(k, c);
    Matrix d(1, rank, diagonal(f, i, j));
    Status status = pullRight(d, std::move(right), std::move(gram), pull);
    std::copy_n(d.data(), rank, f.diagonals.row(i * b + j));
    return status;
  }

  const Matrix &matrix;
  int64_t b, rank, height, width;
};

Status checkBlast(const Matrix &matrix, int64_t blocks, int64_t rank,
                  const BlastOptions &options) {
  if (blocks < 1 || matrix.rows() % blocks || matrix.columns() % blocks)
    return makeError("expected a number of blocks that divides ", matrix.rows(),
                     " and ", matrix.columns(), ", but got ", blocks);
  if (rank < 1)
    return makeError("expected a rank of at least 1, but got ", rank);
  if (options.iterations < 1)
    return makeError("expected at least 1 iteration, but got ",
                     options.iterations);
  if (options.starts < 1)
    return makeError("expected at least 1 start, but got ", options.starts);
  if (!isFinite(matrix))
    return makeError("expected finite entries, but got NaN or infinity");
  return Status();
}

} // namespace

Matrix BlastFactors::toDense() const {
  auto b = int64_t(left.size());
  int64_t height = left[0].rows(), width = right[0].columns(),
          rank = diagonals.columns();
  Matrix dense(b * height, b * width);
  for (int64_t i = 0; i < b; ++i)
    for (int64_t j = 0; j < b; ++j) {
      const double *d = diagonals.row(i * b + j);
      Matrix block = multiply(scaleColumns(left[i], {d, d + rank}), right[j]);
      for (int64_t r = 0; r < height; ++r)
        std::copy_n(block.row(r), width, dense.row(i * height + r) + j * width);
    }
  return dense;
}

int64_t BlastFactors::numbers() const {
  int64_t numbers = diagonals.size();
  for (size_t i = 0; i < left.size(); ++i)
    numbers += left[i].size() + right[i].size();
  return numbers;
}

Result<BlastFit> fitBlast(const Matrix &matrix, int64_t blocks, int64_t rank,
                          const BlastOptions &options) {
  if (Status status = checkBlast(matrix, blocks, rank, options); !status)
    return status.error();
  AlternatingSolver solver(matrix, blocks, rank);
  double whole = norm(matrix);
  BlastFit best;
  for (int64_t s = 0; s < options.starts; ++s) {
    BlastFit fit{solver.start(options.seed + uint64_t(s)), {}};
    for (int64_t i = 0; i < options.iterations; ++i) {
      double time = std::min(1.0, 2.0 * double(i) / double(options.iterations));
      double pull = kFirstPull * std::pow(kLastPull / kFirstPull, time);
      if (Status status = solver.step(fit.factors, pull); !status)
        return status.error();
      fit.history.push_back(
          whole > 0 ? norm(matrix - fit.factors.toDense()) / whole : 0);
    }
    if (s == 0 || fit.history.back() < best.history.back())
      best = std::move(fit);
  }
  return best;
}

} // namespace linnet
