//===- TapStates.h - scans with a narrower state in taps ------*- C++ -*-===//
//
// In taps queries and keys of scans have factors, by which channels can be
// masked: what is 0 there is as good as not there.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_TAPSTATES_H
#define LIB_COMPRESS_TAPSTATES_H

#include "TapExperts.h"

namespace linnet::compress {

/// Under which name stands the factor of value `number` of those that have to
/// be masked for the scan whose queries the matrix `name` makes
/// (ScanChannels::masked).
std::string stateMaskOf(const std::string &name, size_t number);

/// The scans of a layer with factors, until it goes. Those whose channels
/// cannot be told apart have none.
class MaskedStates {
public:
  explicit MaskedStates(mlir::func::FuncOp layer);
  MaskedStates(const MaskedStates &) = delete;
  ~MaskedStates();
  const std::map<std::string, TapVector> &vectors() const { return added; }
  /// The scans, by the keys of the matrices that make their queries.
  const std::map<std::string, mlir::linnet::ScanOp> &scans() const {
    return found;
  }

private:
  std::map<std::string, TapVector> added;
  std::map<std::string, mlir::linnet::ScanOp> found;
  std::vector<std::function<void()>> undo;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_TAPSTATES_H
