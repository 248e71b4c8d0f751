//===- SafetensorsWriter.h - writing a safetensors file -------*- C++ -*-===//
//
// The header is written first (its size depends on names, types and shapes
// only), tensor data then streams in any order and in any pieces. The file
// appears under its name at commit() only.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_CHECKPOINT_SAFETENSORSWRITER_H
#define LINNET_CHECKPOINT_SAFETENSORSWRITER_H

#include "linnet/Checkpoint/DataType.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Result.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace linnet {

/// What a tensor to be written looks like.
struct TensorSpec {
  std::string name;
  DataType dtype = DataType::F32;
  std::vector<int64_t> shape;
};

/// Streaming writer. Tensors are laid out by descending element size, then by
/// name, behind a header padded with spaces to a multiple of 8 bytes, so that
/// every tensor is aligned to its element size in a mapping of the file and
/// equal content gives equal files.
class SafetensorsWriter {
public:
  /// Lays out the file and writes its header to a temporary sibling of `path`.
  /// Errors: duplicate, empty or reserved names, names or metadata that are not
  /// UTF-8, negative or overflowing shapes, an unwritable directory.
  static Result<SafetensorsWriter>
  create(const std::string &path, std::vector<TensorSpec> tensors,
         const std::map<std::string, std::string> &metadata = {});

  /// Appends `bytes` bytes to tensor `name`; an error if that is more than its
  /// shape holds.
  Status append(std::string_view name, const void *data, size_t bytes);

  /// Checks that every tensor is complete, syncs and renames into place.
  Status commit();

private:
  struct Slot {
    size_t begin = 0;
    size_t end = 0;
    size_t next = 0;
  };

  explicit SafetensorsWriter(AtomicFile file) : file(std::move(file)) {}

  AtomicFile file;
  std::unordered_map<std::string, Slot> slots;
};

/// The header (length field included) and the tensors' places of a file with
/// these tensors; the layout rule of SafetensorsWriter.
struct SafetensorsLayout {
  std::string header;
  /// Absolute [begin, end) of each tensor, by name.
  std::unordered_map<std::string, std::pair<size_t, size_t>> ranges;
  size_t fileSize = 0;
};
Result<SafetensorsLayout>
layOutSafetensors(std::vector<TensorSpec> tensors,
                  const std::map<std::string, std::string> &metadata,
                  const std::string &path);

} // namespace linnet

#endif // LINNET_CHECKPOINT_SAFETENSORSWRITER_H
