//===- TensorEdits.h - what becomes of tensors that are kept --*- C++ -*-===//

#ifndef LIB_COMPRESS_TENSOREDITS_H
#define LIB_COMPRESS_TENSOREDITS_H

#include "linnet/Checkpoint/Archive.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace linnet::compress {

/// A tensor's entries as f64.
Result<std::vector<double>> readValues(const Archive &archive,
                                       const std::string &name);

/// Products, sums and slices of tensors, by name, carried out when a tensor is
/// written.
class TensorEdits {
public:
  /// Multiplies entries by factors[i], i their index along `dimension` (modulo
  /// as many factors as there are).
  void scale(const std::string &name, size_t dimension,
             std::vector<double> factors);
  /// Adds to a vector.
  void add(const std::string &name, const std::vector<double> &addend);
  /// Sets all entries.
  void fill(const std::string &name, double value);
  /// Keeps the slices `kept` along `dimension`, after all of that.
  void keep(const std::string &name, size_t dimension,
            std::vector<int64_t> kept);

  bool isEmpty() const { return edits.empty(); }
  bool isEdited(const std::string &name) const { return edits.count(name); }
  /// Whether products or sums are stored in a wider type than the tensor's: f32
  /// for narrower ones, which holds products of two of them exactly.
  bool isWidened(const Archive::Tensor &tensor) const;

  DataType typeOf(const Archive::Tensor &tensor) const;
  std::vector<int64_t> shapeOf(const Archive::Tensor &tensor) const;
  /// The bytes to store of an edited tensor. Raises `rounding` to |rounded -
  /// exact| / |exact| of this tensor. Errors: entries that are not finite, or
  /// not after rounding.
  Result<std::vector<std::byte>> apply(const Archive &archive,
                                       const Archive::Tensor &tensor,
                                       double &rounding) const;

private:
  struct Edit {
    std::optional<double> value;
    std::map<size_t, std::vector<double>> factors;
    std::vector<double> addend;
    std::map<size_t, std::vector<int64_t>> kept;
  };
  const Edit *find(const std::string &name) const;

  std::map<std::string, Edit> edits;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_TENSOREDITS_H
