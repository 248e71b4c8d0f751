//===- Compress.h - a checkpoint in, a smaller one out --------*- C++ -*-===//
//
// Plans which matrices of a checkpoint become products of two narrow ones, so
// that all together fit a budget, and writes the checkpoint of the factors. The
// plan stands in a file between the two, which a person may edit.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_COMPRESS_COMPRESS_H
#define LINNET_COMPRESS_COMPRESS_H

#include "linnet/Support/Result.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

struct CompressOptions {
  /// A checkpoint directory.
  std::string input;
  /// The checkpoint directory to write.
  std::string output;
  /// "params:F": the share of the parameters of all linear maps in layers that
  /// is kept, above 0, at most 1.
  std::string budget;
  /// A plan file instead of a budget.
  std::string plan;
  /// Planned ranks are multiples of this, which kernels run in full vectors.
  int64_t rankMultiple = 8;
  /// Replace a directory that linnet-compress wrote.
  bool force = false;
};

/// What became of one linear map.
struct CompressedMap {
  /// The name of its matrix.
  std::string name;
  int64_t rows = 0, columns = 0;
  /// 0: kept as it is.
  int64_t rank = 0;
  /// |W - W1| / |W| in the Frobenius norm, with the factors as stored.
  double error = 0;

  int64_t parameters() const {
    return rank ? rank * (rows + columns) : rows * columns;
  }
};

struct CompressReport {
  std::vector<CompressedMap> maps;
  /// Maps left alone and why, one line each.
  std::vector<std::string> declined;
  /// Called for each map with what is done to it.
  std::function<void(std::string_view stage, std::string_view name)> progress;
};

/// Plans, fits and writes. The output holds config.json, in which the key
/// `linnet` names the structures, model.safetensors, plan.json, and the other
/// files of the input; the input is not changed.
///
/// Errors: an input that is no checkpoint directory or has no such maps; a
/// budget that is malformed or below what the least ranks need; a plan that
/// is malformed, of another model, names other maps, or has ranks outside of
/// [1, min(rows, columns)]; entries that are not finite; an output that
/// exists. Nothing is left of the output then.
Status compressCheckpoint(const CompressOptions &options,
                          CompressReport &report);

} // namespace linnet

#endif // LINNET_COMPRESS_COMPRESS_H
