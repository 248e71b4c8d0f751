//===- Compare.h - a result beside what it should be ----------*- C++ -*-===//

#ifndef LINNET_LIB_RUNTOOL_COMPARE_H
#define LINNET_LIB_RUNTOOL_COMPARE_H

#include "linnet/Reference/HostTensor.h"
#include "linnet/Support/Result.h"

#include <string>

namespace linnet::runtool {

/// Prints "NAME: relative RMS error E, max abs A": E = |a - e| / |e|. Errors:
/// other shapes, anything that is not finite on either side, E above
/// `tolerance`; numbers are printed first where there are any.
Status compare(const std::string &name, const HostTensor &actual,
               const HostTensor &expected, double tolerance);

/// The last `rows` entries of dimension 1 of `tensor` [B, T, ...].
HostTensor lastRows(const HostTensor &tensor, int64_t rows);

/// "[2, 37, 96] f32: ...": the shape and extremes, and the values of a small
/// tensor.
std::string summarize(const HostTensor &tensor);

} // namespace linnet::runtool

#endif // LINNET_LIB_RUNTOOL_COMPARE_H
