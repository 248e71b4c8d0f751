//===- Refit.h - matrix by matrix on the result's own inputs --*- C++ -*-===//

#ifndef LIB_COMPRESS_REFIT_H
#define LIB_COMPRESS_REFIT_H

#include "FitMap.h"
#include "Layout.h"
#include "TapRunner.h"
#include "WorkDirectory.h"

#include <functional>

namespace linnet::compress {

/// Takes what replaces map `number`, rounds it as it is stored, and fills in
/// its error, which `measure` gives of the matrix as stored.
using MeasureError = std::function<double(const Matrix &dense)>;
using TakeFit = std::function<Status(size_t number, FittedMap &fitted,
                                     const MeasureError &measure)>;

/// Replaces the matrices of `maps` (those that stay dense, too) from the first
/// layer on, each fitted to what the original model computes, on the inputs
/// that the matrices before it leave. Layers that `layout` drops are left out
/// of the result. Fits are kept in `work`, and taken from there if they are.
/// Fills in the report's comparisons.
Status refitModel(TapRunner &runner, const std::vector<LinearMap> &maps,
                  const std::vector<MapPlan> &plans, const Archive &archive,
                  const Windows &windows, const Layout &layout,
                  const FitMethod &method, const WorkDirectory &work,
                  const TakeFit &take, CompressReport &report);

} // namespace linnet::compress

#endif // LIB_COMPRESS_REFIT_H
