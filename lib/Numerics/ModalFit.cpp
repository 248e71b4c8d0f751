//===- ModalFit.cpp - filters as sums of modes ----------------------------===//

#include "linnet/Numerics/ModalFit.h"

#include "Lapack.h"

#include <algorithm>
#include <cmath>

namespace linnet {
namespace {

/// Rows of the Hankel matrix per state, and at least and at most. More rows
/// tell near poles apart, at a cost of their cube.
constexpr int64_t kRowsPerState = 4, kFewestRows = 128, kMostRows = 384;
/// What a rank-revealing factorisation takes for dependent.
constexpr double kDependent = 1e-13;

/// Singular values below this share of the largest are rounding: they are roots
/// of eigenvalues.
constexpr double kNoise = 1e-7;

/// Column-major.
struct Matrix {
  Matrix(int64_t rows, int64_t columns)
      : rows(int(rows)), columns(int(columns)), values(rows * columns) {}
  double &at(int64_t r, int64_t c) { return values[c * rows + r]; }
  double *data() { return values.data(); }
  int rows, columns;
  std::vector<double> values;
};

/// Left singular vectors and values, largest first, of the Hankel matrix of
/// the taps from 1 on.
struct HankelSpace {
  Matrix vectors;
  std::vector<double> values;
};

Error failure(const char *routine, int info) {
  return makeError("expected ", routine, " to converge, but got info ", info);
}

/// G = H H^T follows a diagonal from entry to entry: H has one vector per
/// window of taps.
Result<HankelSpace> splitHankel(const double *filter, int64_t length,
                                int64_t order) {
  const double *taps = filter + 1;
  int64_t count = length - 1;
  int64_t rows = std::clamp(kRowsPerState * order, kFewestRows, kMostRows);
  rows = std::min(rows, (count + 1) / 2);
  int64_t windows = count - rows + 1;
  HankelSpace space{Matrix(rows, rows), std::vector<double>(rows)};
  Matrix &g = space.vectors;
  for (int64_t c = 0; c < rows; ++c) {
    double sum = 0;
    for (int64_t w = 0; w < windows; ++w)
      sum += taps[w] * taps[w + c];
    for (int64_t r = 0; r + c < rows; ++r) {
      g.at(r, r + c) = g.at(r + c, r) = sum;
      if (r + c + 1 < rows)
        sum +=
            taps[r + windows] * taps[r + c + windows] - taps[r] * taps[r + c];
    }
  }
  int n = int(rows), lwork = 34 * n, info = 0;
  std::vector<double> eigenvalues(rows), work(lwork);
  dsyev_("V", "U", &n, g.data(), &n, eigenvalues.data(), work.data(), &lwork,
         &info);
  if (info)
    return failure("dsyev", info);
  // Ascending so far.
  for (int64_t c = 0; c < rows / 2; ++c)
    std::swap_ranges(&g.at(0, c), &g.at(0, c) + rows, &g.at(0, rows - 1 - c));
  for (int64_t i = 0; i < rows; ++i)
    space.values[i] = std::sqrt(std::max(eigenvalues[rows - 1 - i], 0.0));
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

Result<std::vector<double>>
hankelSingularValues(const double *filter, int64_t length, int64_t order) {
  if (Status status = check(filter, length, order); !status)
    return status.error();
  if (length < 2)
    return std::vector<double>{};
  Result<HankelSpace> space = splitHankel(filter, length, order);
  if (!space)
    return space.error();
  return space->values;
}

} // namespace linnet
