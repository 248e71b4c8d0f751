//===- Packing.h - weights in the order kernels read them ----*- C++ -*-===//
//
// A kernel computes `width` outputs at a time and reads, for each input k, the
// `width` weights of k side by side. Panels store them in that order.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTIME_PACKING_H
#define LINNET_LIB_RUNTIME_PACKING_H

#include "linnet/Checkpoint/DataType.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace linnet {

/// One matrix W[n][k] to be packed as [ceil(n / width)][k][width]. Elements
/// that stay `together` are packed like one of their size.
struct PanelPacking {
  /// Row-major [n][k], or [k][n] if `transposed`; no alignment needed.
  const std::byte *source = nullptr;
  DataType sourceType = DataType::F32;
  bool transposed = false;
  int64_t n = 0;
  /// Inputs, `together` of which count as one.
  int64_t k = 0;
  int64_t together = 1;
  int64_t width = 0;
  /// `sourceType` (with those together of 1, 2 or 4 bytes) or F32.
  DataType packedType = DataType::F32;
  /// Zeroed; packing leaves the padding of the last panel alone.
  std::byte *panels = nullptr;

  /// Independent pieces of work, each a range of contiguous source bytes: the
  /// panels, or the rows k of a transposed source.
  int64_t pieces() const { return transposed ? k : (n + width - 1) / width; }
  /// The source rows [first, last) that pieces [begin, end) read.
  int64_t firstRow(int64_t begin) const {
    return transposed ? begin : begin * width;
  }
  int64_t lastRow(int64_t end) const {
    return transposed ? end : (end * width < n ? end * width : n);
  }
  /// Bytes of a source element, or of those that count as one.
  int64_t sourceSize() const {
    return int64_t(dataTypeSize(sourceType)) * together;
  }
  /// Elements per source row.
  int64_t rowLength() const { return transposed ? n : k; }
  /// Packs the pieces [begin, end).
  void pack(int64_t begin, int64_t end) const;
};

/// Rows [begin, end) of the table [rows][2][inverseFrequencies.size()] of
/// cosines and sines, see WeightLayout::Rotary.
void fillRotaryRows(const std::vector<float> &inverseFrequencies, float scaling,
                    int64_t begin, int64_t end, float *table);

/// Rows [begin, end) of the basis of `seed`, of `columns` numbers each
/// (fillBasisRow()), in panels [rows / width][columns][width]; a width of 1 is
/// row-major. The padding of the last panel is left alone.
void fillBasisRows(int64_t seed, int64_t begin, int64_t end, int64_t columns,
                   int64_t width, float *panels);

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_PACKING_H
