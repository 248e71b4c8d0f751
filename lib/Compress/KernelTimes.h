//===- KernelTimes.h - how long kernels take here -------------*- C++ -*-===//
//
// What a structure saves in bytes it need not save in time. A budget of time
// is spent by what Linnet's own kernels take for one token on this machine.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_KERNELTIMES_H
#define LIB_COMPRESS_KERNELTIMES_H

#include "MapStructure.h"

#include "linnet/Support/Json.h"

namespace linnet::compress {

/// Seconds per token, measured for matrices of each shape at up to three sizes
/// of each structure; between them by the bytes that are stored. Shapes beyond
/// kMeasuredSide are measured at it and scaled by bytes, for decoding waits for
/// memory.
class KernelTimes {
public:
  static constexpr int64_t kMeasuredSide = 1024;

  /// Measures `structures` and the dense one for all that `maps` can have.
  /// Weights are random; there are as many different ones as `maps` hold, up to
  /// 64 MB, so that they come from where the model's own come from.
  static Result<KernelTimes>
  measure(const std::vector<LinearMap> &maps,
          llvm::ArrayRef<const MapStructure *> structures,
          const CompressOptions &options, const CompressReport &report);

  /// Of a map and structure that were measured.
  double secondsOf(const LinearMap &map, const MapStructure &structure,
                   const PlanNumbers &numbers) const;
  /// [{"structure", "shape", "bytes", "seconds"}, ...].
  Json describe() const;

private:
  struct Kind {
    int64_t rows, columns;
    DataType dtype;
    mlir::linnet::Storage storage;
    const MapStructure *structure;
    auto operator<=>(const Kind &) const = default;
  };
  struct Point {
    double bytes, seconds;
  };
  static Kind kindOf(const LinearMap &map, const MapStructure &structure);

  /// By rising bytes.
  std::map<Kind, std::vector<Point>> points;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_KERNELTIMES_H
