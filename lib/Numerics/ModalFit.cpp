//===- ModalFit.cpp - filters as sums of modes ----------------------------===//

#include "linnet/Numerics/ModalFit.h"

#include "Lapack.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {
namespace {

/// Rows of the Hankel matrix at most: its first 4095 taps tell poles well.
constexpr int64_t kMostRows = 2048;
/// Directions beyond those wanted, and passes, of the subspace iteration
/// (Halko, Martinsson and Tropp 2011).
constexpr int64_t kOversampling = 16, kPasses = 4;
/// What a rank-revealing factorisation takes for dependent.
constexpr double kDependent = 1e-13;

/// Singular values below this share of the largest are rounding of f32 filters.
constexpr double kNoise = 1e-7;

/// Column-major.
struct Matrix {
  Matrix(int64_t rows, int64_t columns)
      : rows(int(rows)), columns(int(columns)), values(rows * columns) {}
  double &at(int64_t r, int64_t c) { return values[c * rows + r]; }
  double at(int64_t r, int64_t c) const { return values[c * rows + r]; }
  double *data() { return values.data(); }
  int rows, columns;
  std::vector<double> values;
};

/// Leading singular vectors and values, largest first, of the Hankel matrix of
/// the taps from 1 on.
struct HankelSpace {
  Matrix vectors;
  std::vector<double> values;
};

Error failure(const char *routine, int info) {
  return makeError("expected ", routine, " to converge, but got info ", info);
}

/// H x, where H is the square matrix of taps[r + c].
Matrix multiplyHankel(const double *taps, const Matrix &x) {
  Matrix y(x.rows, x.columns);
  for (int64_t c = 0; c < x.columns; ++c) {
    double *out = &y.at(0, c);
    for (int64_t j = 0; j < x.rows; ++j) {
      double factor = x.at(j, c);
      const double *from = taps + j;
      for (int64_t r = 0; r < x.rows; ++r)
        out[r] += factor * from[r];
    }
  }
  return y;
}

/// Makes the columns orthonormal.
Status orthonormalise(Matrix &a) {
  int lwork = 64 * a.columns, info = 0;
  std::vector<double> tau(a.columns), work(lwork);
  dgeqrf_(&a.rows, &a.columns, a.data(), &a.rows, tau.data(), work.data(),
          &lwork, &info);
  if (info)
    return failure("dgeqrf", info);
  dorgqr_(&a.rows, &a.columns, &a.columns, a.data(), &a.rows, tau.data(),
          work.data(), &lwork, &info);
  return info ? Status(failure("dorgqr", info)) : Status();
}

/// H is symmetric: its singular values are the magnitudes of its eigenvalues,
/// and the leading ones come from a block power iteration.
Result<HankelSpace> splitHankel(const double *filter, int64_t length,
                                int64_t order) {
  const double *taps = filter + 1;
  int64_t rows = std::min(kMostRows, length / 2);
  int64_t columns = std::min(rows, order + kOversampling);
  Matrix basis(rows, columns);
  // The same directions in every run: as good as any others.
  uint32_t bits = 1;
  for (double &value : basis.values) {
    bits = bits * 1664525 + 1013904223;
    value = double(bits >> 8) / double(1 << 23) - 1;
  }
  for (int64_t pass = 0; pass < kPasses; ++pass) {
    basis = multiplyHankel(taps, basis);
    if (Status status = orthonormalise(basis); !status)
      return status.error();
  }
  Matrix image = multiplyHankel(taps, basis), small(columns, columns);
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t r = 0; r < columns; ++r)
      for (int64_t j = 0; j < rows; ++j)
        small.at(r, c) += basis.at(j, r) * image.at(j, c);
  int n = int(columns), lwork = 34 * n, info = 0;
  std::vector<double> eigenvalues(columns), work(lwork);
  dsyev_("V", "U", &n, small.data(), &n, eigenvalues.data(), work.data(),
         &lwork, &info);
  if (info)
    return failure("dsyev", info);
  std::vector<int64_t> largestFirst(columns);
  std::iota(largestFirst.begin(), largestFirst.end(), 0);
  std::sort(largestFirst.begin(), largestFirst.end(),
            [&](int64_t x, int64_t y) {
              return std::pair(-std::abs(eigenvalues[x]), x) <
                     std::pair(-std::abs(eigenvalues[y]), y);
            });
  HankelSpace space{Matrix(rows, columns), {}};
  for (int64_t c = 0; c < columns; ++c) {
    space.values.push_back(std::abs(eigenvalues[largestFirst[c]]));
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t r = 0; r < rows; ++r)
        space.vectors.at(r, c) += basis.at(r, j) * small.at(j, largestFirst[c]);
  }
  return space;
}

/// Least squares: a is overwritten, b [rows] becomes x [columns].
Status solveLeastSquares(Matrix &a, Matrix &b) {
  int rank = 0, info = 0;
  int lwork = 4 * (a.columns + a.rows) + 64 * (a.columns + b.columns + 1);
  std::vector<int> pivots(a.columns, 0);
  std::vector<double> work(lwork);
  dgelsy_(&a.rows, &a.columns, &b.columns, a.data(), &a.rows, b.data(), &b.rows,
          pivots.data(), &kDependent, &rank, work.data(), &lwork, &info);
  return info ? Status(failure("dgelsy", info)) : Status();
}

/// The observability matrix shifted by a row is itself times the transition:
/// the poles are that matrix's eigenvalues.
Result<std::vector<std::complex<double>>> findPoles(HankelSpace &space,
                                                    int64_t order) {
  int64_t rows = space.vectors.rows;
  Matrix upper(rows - 1, order), lower(rows - 1, order);
  for (int64_t c = 0; c < order; ++c)
    for (int64_t r = 0; r + 1 < rows; ++r) {
      upper.at(r, c) = space.vectors.at(r, c);
      lower.at(r, c) = space.vectors.at(r + 1, c);
    }
  if (Status status = solveLeastSquares(upper, lower); !status)
    return status.error();
  Matrix transition(order, order);
  for (int64_t c = 0; c < order; ++c)
    for (int64_t r = 0; r < order; ++r)
      transition.at(r, c) = lower.at(r, c);
  int n = int(order), one = 1, lwork = 34 * n, info = 0;
  std::vector<double> re(n), im(n), work(lwork);
  dgeev_("N", "N", &n, transition.data(), &n, re.data(), im.data(), nullptr,
         &one, nullptr, &one, work.data(), &lwork, &info);
  if (info)
    return failure("dgeev", info);
  std::vector<std::complex<double>> poles;
  for (int i = 0; i < n; ++i) {
    std::complex<double> pole(re[i], im[i]);
    // A pole outside would grow beyond the filter: its mirror image decays.
    if (std::norm(pole) > 1)
      pole /= std::norm(pole);
    if (im[i] >= 0 && pole != 0.0)
      poles.push_back(pole);
  }
  return poles;
}

/// Weights that fit all taps from 1 on.
Status fitWeights(const double *filter, int64_t length, ModalFilter &fit) {
  int64_t columns = 0;
  for (std::complex<double> pole : fit.poles)
    columns += pole.imag() > 0 ? 2 : 1;
  int64_t rows = std::max(length - 1, columns);
  Matrix basis(rows, columns), taps(rows, 1);
  std::copy(filter + 1, filter + length, taps.data());
  int64_t column = 0;
  for (std::complex<double> pole : fit.poles) {
    std::complex<double> power = pole;
    for (int64_t r = 0; r + 1 < length; ++r, power *= pole) {
      basis.at(r, column) = power.real();
      if (pole.imag() > 0)
        basis.at(r, column + 1) = power.imag();
    }
    column += pole.imag() > 0 ? 2 : 1;
  }
  if (Status status = solveLeastSquares(basis, taps); !status)
    return status;
  column = 0;
  for (std::complex<double> pole : fit.poles) {
    bool pair = pole.imag() > 0;
    fit.weights.push_back(
        {taps.at(column, 0), pair ? -taps.at(column + 1, 0) : 0.0});
    column += pair ? 2 : 1;
  }
  return {};
}

Status check(const double *filter, int64_t length, int64_t order) {
  if (order < 1)
    return makeError("expected an order of at least 1, but got ", order);
  for (int64_t l = 0; l < length; ++l)
    if (!std::isfinite(filter[l]))
      return makeError("expected a finite filter, but got ", filter[l],
                       " at tap ", l);
  return {};
}

} // namespace

double ModalFilter::at(int64_t tap) const {
  double sum = tap == 0 ? direct : 0;
  for (size_t n = 0; n < poles.size(); ++n)
    sum += (weights[n] * std::pow(poles[n], double(tap))).real();
  return sum;
}

Result<ModalFilter> fitModes(const double *filter, int64_t length,
                             int64_t order) {
  if (Status status = check(filter, length, order); !status)
    return status.error();
  ModalFilter fit;
  if (length > 2) {
    Result<HankelSpace> space = splitHankel(filter, length, order);
    if (!space)
      return space.error();
    // Directions that are only rounding would add poles at random.
    int64_t states = 0;
    while (states < std::min<int64_t>(order, space->vectors.rows - 1) &&
           states < space->vectors.columns &&
           space->values[states] > kNoise * space->values[0])
      ++states;
    if (states) {
      auto poles = findPoles(*space, states);
      if (!poles)
        return poles.error();
      fit.poles = *poles;
      if (!fit.poles.empty())
        if (Status status = fitWeights(filter, length, fit); !status)
          return status.error();
    }
  }
  if (length > 0)
    fit.direct = filter[0] - fit.at(0);
  double error = 0, energy = 0;
  for (int64_t l = 0; l < length; ++l) {
    double gap = filter[l] - fit.at(l);
    error += gap * gap;
    energy += filter[l] * filter[l];
  }
  fit.error = energy > 0 ? std::sqrt(error / energy) : 0;
  return fit;
}

} // namespace linnet
