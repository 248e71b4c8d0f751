//===- SparseOperands.h - what sparse fits share --------------*- C++ -*-===//

#ifndef LIB_NUMERICS_SPARSEOPERANDS_H
#define LIB_NUMERICS_SPARSEOPERANDS_H

#include "linnet/Numerics/SparsityPattern.h"

namespace linnet {

/// Errors unless `weights` is m x n, `moment` is a symmetric n x n matrix with
/// a diagonal of at least 0, and all entries are finite.
Status checkSparseOperands(const Matrix &weights, const Matrix &moment);
/// Errors unless it is a finite number of at least 0.
Status checkDamping(double damping);

/// What damping adds to the diagonal: `damping` times the mean of its entries,
/// those of dead inputs (G_jj = 0) left out.
double dampingOf(const Matrix &moment, double damping);
/// G + dampingOf(G) I, where a dead input has the mean of the others (1 if
/// there are none): its weights are 0 and touch no other.
Matrix dampMoment(Matrix moment, double damping);
/// With zeros for the weights of dead inputs.
Matrix clearDeadInputs(Matrix weights, const Matrix &moment);

/// Moves the `kept` largest scores to the front of `indices`: of equal ones the
/// lower index. Neither part is in order.
void partitionLargest(const double *scores, std::vector<int64_t> &indices,
                      int64_t kept);
/// The indices of the `kept` largest of `size` scores, not in order.
std::vector<int64_t> findLargest(const double *scores, int64_t size,
                                 int64_t kept);
/// selectMask of the columns [first, first + scores.columns()) of `columns`,
/// without its checks. What consecutive ranges keep adds up to countKept. A
/// range must not split groups or blocks.
Mask selectInColumns(const Matrix &scores, const SparsityPattern &pattern,
                     int64_t first);

} // namespace linnet

#endif // LIB_NUMERICS_SPARSEOPERANDS_H
