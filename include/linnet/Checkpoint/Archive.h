//===- Archive.h - all tensors of a checkpoint ----------------*- C++ -*-===//
//
// One namespace of tensors over one safetensors file or the shards of an index
// file, with an overlay of new tensors on top. The files themselves are never
// changed; the overlay is written to a file of its own.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_CHECKPOINT_ARCHIVE_H
#define LINNET_CHECKPOINT_ARCHIVE_H

#include "linnet/Checkpoint/DataType.h"
#include "linnet/Support/Result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

class Archive {
public:
  /// `fileIndex` of a tensor that stands in memory, not in a file.
  static constexpr size_t kNoFile = ~size_t(0);

  /// A tensor as the archive shows it. `data` and `name` live until the tensor
  /// is overlaid or removed or the archive dies; `data` is row-major,
  /// little-endian, not necessarily aligned.
  struct Tensor {
    std::string name;
    DataType dtype = DataType::F32;
    std::vector<int64_t> shape;
    const std::byte *data = nullptr;
    size_t bytes = 0;
    /// Index into files(), or kNoFile for an overlaid tensor not read from a
    /// file.
    size_t fileIndex = kNoFile;
    /// Absolute byte offset in that file.
    size_t fileOffset = 0;
  };

  /// A file the archive reads from. `headerHash` covers names, types, shapes
  /// and offsets, not the values.
  struct File {
    std::string path;
    size_t size = 0;
    uint64_t headerHash = 0;
  };

  /// An archive of no files, to be filled by overlay().
  Archive();
  /// Opens a checkpoint directory (model.safetensors, else
  /// model.safetensors.index.json and its shards, else the only .safetensors
  /// file), one .safetensors file, or one .safetensors.index.json file. Every
  /// header is checked, and that the index and its shards agree.
  static Result<Archive> open(const std::string &path);
  Archive(Archive &&) noexcept;
  Archive &operator=(Archive &&) noexcept;
  /// Warns on stderr if an overlay is neither saved nor discarded: losing one
  /// silently would be a bug. Tools call checkOverlaySaved() and fail instead.
  ~Archive();

  /// What was opened.
  const std::string &path() const;
  /// The tensor called `name`, or null.
  const Tensor *find(std::string_view name) const;
  /// The tensor called `name`, or an error that suggests the nearest name.
  Result<const Tensor *> require(std::string_view name) const;
  /// The same, and its shape must be `shape`; negative dimensions of `shape`
  /// match anything.
  Result<const Tensor *> require(std::string_view name,
                                 const std::vector<int64_t> &shape) const;
  /// All names, sorted.
  std::vector<std::string> names() const;
  size_t size() const;
  const std::vector<File> &files() const;
  /// The file of `tensor` for messages, or "the overlay".
  std::string fileOf(const Tensor &tensor) const;
  /// The existing name with the smallest edit distance, if it is near enough
  /// to be what was meant.
  std::string nearestName(std::string_view name) const;

  /// Adds a tensor or replaces one of the same name. Errors: an unusable name,
  /// a bad shape, a byte count that does not match it.
  Status overlay(const std::string &name, DataType dtype,
                 const std::vector<int64_t> &shape,
                 std::vector<std::byte> bytes);
  /// Removes a tensor; an error if there is none of that name.
  Status remove(const std::string &name);
  /// Lays the tensors and removals saved by saveOverlay() over this archive.
  Status loadOverlay(const std::string &path);

  /// True when the overlay differs from what was last saved or loaded.
  bool hasUnsavedOverlay() const;
  /// Names of overlaid tensors, sorted.
  std::vector<std::string> overlayNames() const;
  /// Names of tensors of the files that were removed, sorted.
  std::vector<std::string> removedNames() const;
  /// Writes the whole overlay (tensors, and removals as metadata) as one
  /// safetensors file, atomically. Refuses to replace a file the archive reads
  /// from.
  Status saveOverlay(const std::string &path);
  /// Writes all visible tensors as one safetensors file, atomically, with the
  /// same refusal.
  Status saveAll(const std::string &path);
  /// An error naming the tensors when there is an unsaved overlay.
  Status checkOverlaySaved() const;
  /// States that losing the overlay is intended. The tensors stay visible.
  void discardOverlay();

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace linnet

#endif // LINNET_CHECKPOINT_ARCHIVE_H
