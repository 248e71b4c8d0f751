//===- SeededFit.cpp - matrices of seeded rows ----------------------------===//

#include "linnet/Numerics/SeededFit.h"

#include "FitOperands.h"

#include "linnet/Numerics/LowRank.h"
#include "linnet/Support/SeededBasis.h"

#include <algorithm>

namespace linnet {
namespace {

Status check(const Matrix &weights, const Matrix *moment,
             const SeededBasis &basis) {
  int64_t n = weights.columns();
  if (n < 1)
    return makeError("expected a matrix with entries, but got ", weights.rows(),
                     " x ", n);
  if (basis.block < 1 || n % basis.block)
    return makeError("expected a block that divides ", n, " inputs, but got ",
                     basis.block);
  if (basis.terms < 1 || basis.terms > basis.block)
    return makeError("expected 1 to ", basis.block, " terms, but got ",
                     basis.terms);
  return checkFitOperands(weights, moment);
}

/// The same entries in rows of `columns`.
Matrix inRowsOf(int64_t columns, const Matrix &a) {
  return Matrix(a.size() / columns, columns, {a.data(), a.data() + a.size()});
}

/// a P^T: every block of a row times B^T.
Matrix project(const Matrix &a, const Matrix &b) {
  Matrix parts =
      multiply(inRowsOf(b.columns(), a), b, Side::AsIs, Side::Transposed);
  return inRowsOf(a.columns() / b.columns() * b.rows(), parts);
}

/// S = P G P^T and V = W G P^T: A S = V.
struct NormalEquations {
  Matrix s, v;
};

NormalEquations normalEquations(const Matrix &weights, Matrix moment,
                                double ridge, const Matrix &b) {
  double least = ridge * trace(moment) / double(moment.rows());
  for (int64_t i = 0; i < moment.rows(); ++i)
    moment.at(i, i) += least;
  Matrix seen = project(moment, b);
  return {project(seen.transposed(), b), multiply(weights, seen)};
}

/// Without data blocks are rows of their own: S = B B^T and V = W B^T.
NormalEquations blockEquations(const Matrix &weights, const Matrix &b) {
  return {gram(b), project(inRowsOf(b.columns(), weights), b)};
}

} // namespace

Matrix SeededBasis::toMatrix() const {
  Matrix basis(terms, block);
  for (int64_t j = 0; j < terms; ++j)
    fillBasisRow(seed, j, block, basis.row(j));
  return basis;
}

Matrix seededMatrix(const Matrix &coefficients, const SeededBasis &basis) {
  Matrix parts =
      multiply(inRowsOf(basis.terms, coefficients), basis.toMatrix());
  return inRowsOf(coefficients.columns() / basis.terms * basis.block, parts);
}

Result<Matrix> fitSeeded(const Matrix &weights, const Matrix *moment,
                         const SeededBasis &basis, double ridge) {
  if (Status status = check(weights, moment, basis); !status)
    return status.error();
  Matrix b = basis.toMatrix();
  // Inputs that are all 0 tell nothing.
  if (moment && trace(*moment) > 0) {
    auto [s, v] = normalEquations(weights, *moment, ridge, b);
    return divideRidged(std::move(v), s, 0);
  }
  auto [s, v] = blockEquations(weights, b);
  auto parts = divideRidged(std::move(v), s, 0);
  if (!parts)
    return parts;
  return inRowsOf(weights.columns() / basis.block * basis.terms, *parts);
}

Result<std::vector<double>> seededLosses(const Matrix &weights,
                                         const Matrix *moment,
                                         const SeededBasis &basis,
                                         double ridge) {
  if (Status status = check(weights, moment, basis); !status)
    return status.error();
  Matrix b = basis.toMatrix();
  // Inputs that are all 0 lose nothing.
  if (moment && !(trace(*moment) > 0))
    return std::vector<double>(size_t(basis.terms), 0.0);
  auto [s, v] = moment ? normalEquations(weights, *moment, ridge, b)
                       : blockEquations(weights, b);
  double left = dot(weights, weights);
  if (moment)
    left = left * ridge * trace(*moment) / double(moment->rows()) +
           outputLoss(weights, *moment);
  std::vector<double> losses;
  // Row j of the basis in all blocks, then row j + 1: what the first rows reach
  // does not depend on later ones.
  int64_t each = s.rows() / basis.terms;
  std::vector<int64_t> order;
  for (int64_t j = 0; j < basis.terms; ++j)
    for (int64_t c = 0; c < each; ++c)
      order.push_back(c * basis.terms + j);
  s = s.takeRows(order).takeColumns(order);
  auto factor = choleskyFactor(std::move(s));
  if (!factor)
    return factor.error();
  Matrix reached =
      solveUpper(*factor, v.takeColumns(order).transposed(), Side::Transposed);
  for (int64_t j = 0; j < basis.terms; ++j) {
    Matrix added = reached.rowRange(j * each, each);
    left -= dot(added, added);
    losses.push_back(std::max(left, 0.0));
  }
  return losses;
}

} // namespace linnet
