//===- Safetensors.h - reading one safetensors file -----------*- C++ -*-===//
//
// A safetensors file is an 8-byte little-endian header length, a JSON header
// and a data section. The file is mapped; only the header is read at open, so
// opening costs the same for any size of data. Everything the header claims is
// checked before it is believed.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_CHECKPOINT_SAFETENSORS_H
#define LINNET_CHECKPOINT_SAFETENSORS_H

#include "linnet/Checkpoint/DataType.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Result.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace linnet {

/// One tensor of a file. `begin` and `end` are absolute byte offsets in it;
/// end - begin is the product of `shape` times the element size.
struct TensorInfo {
  std::string name;
  DataType dtype = DataType::F32;
  std::vector<int64_t> shape;
  size_t begin = 0;
  size_t end = 0;

  size_t bytes() const { return end - begin; }
};

/// The checked content of a safetensors header.
struct SafetensorsHeader {
  /// In file order (ascending `begin`).
  std::vector<TensorInfo> tensors;
  /// The `__metadata__` object.
  std::map<std::string, std::string> metadata;
  /// Bytes of the length field and the header: where the data section starts.
  size_t dataBegin = 0;
};

/// Parses and checks the header of a file of `fileSize` bytes of which `prefix`
/// holds at least the length field and the header (or the whole file). As in
/// the reference implementation the header is at most 100 MB, begins with '{',
/// and the tensors cover the data section without gap or overlap. `path` is
/// used in errors only.
Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view prefix,
                                                 size_t fileSize,
                                                 const std::string &path);

/// An open safetensors file. Tensor data lives as long as this object.
class SafetensorsFile {
public:
  static Result<SafetensorsFile> open(const std::string &path);

  const std::string &path() const { return name; }
  size_t size() const { return file.size(); }
  const std::vector<TensorInfo> &tensors() const { return header.tensors; }
  const std::map<std::string, std::string> &metadata() const {
    return header.metadata;
  }
  /// The tensor called `name`, or null.
  const TensorInfo *find(std::string_view name) const;
  /// The bytes of `tensor`, which must be one of tensors(). Not necessarily
  /// aligned.
  const std::byte *data(const TensorInfo &tensor) const {
    return file.data() + tensor.begin;
  }
  /// A hash of the header and the file size: names, types, shapes and places
  /// of all tensors, but not their values.
  uint64_t headerHash() const;

private:
  std::string name;
  MappedFile file;
  SafetensorsHeader header;
  std::unordered_map<std::string, size_t> index;
};

} // namespace linnet

#endif // LINNET_CHECKPOINT_SAFETENSORS_H
