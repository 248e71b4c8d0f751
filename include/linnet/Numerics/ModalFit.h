//===- ModalFit.h - filters as sums of modes ------------------*- C++ -*-===//
//
// Distils a filter into a recurrence: h[l] = direct [l = 0] + Re sum over n of
// weight_n pole_n^l, whose state is as large as the number of poles and not as
// long as the filter (Massaroli et al. 2023, "Laughing Hyena distillery").
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_MODALFIT_H
#define LINNET_NUMERICS_MODALFIT_H

#include "linnet/Support/Result.h"

#include <complex>
#include <cstdint>
#include <vector>

namespace linnet {

struct ModalFilter {
  /// Within the unit circle, imaginary parts not negative: a pole stands for
  /// itself and its conjugate.
  std::vector<std::complex<double>> poles, weights;
  double direct = 0;
  /// Relative l2 error over the length of the filter.
  double error = 0;

  double at(int64_t tap) const;
};

/// The filter of at most `order` real states (a pair of poles is two) near the
/// `length` taps at `filter`: the poles span the leading singular vectors of
/// the Hankel matrix of the taps (Kung 1978), the weights are least squares
/// over all taps. Errors: a filter that is not finite, an order below 1.
Result<ModalFilter> fitModes(const double *filter, int64_t length,
                             int64_t order);

} // namespace linnet

#endif // LINNET_NUMERICS_MODALFIT_H
