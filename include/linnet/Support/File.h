//===- File.h - reading, mapping and atomic writing -----------*- C++ -*-===//
//
// Nothing is ever half-written: output goes to a temporary sibling which is
// synced and renamed into place, or removed. Errors name the path and the
// system's reason.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_SUPPORT_FILE_H
#define LINNET_SUPPORT_FILE_H

#include "linnet/Support/Interrupt.h"
#include "linnet/Support/Result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace linnet {

/// "cannot ACTION 'PATH': REASON" with the system's reason for `code` (errno).
Error systemError(std::string_view action, const std::string &path, int code);

/// The whole content of a file (or pipe). Directories and content above 4 GiB
/// are refused.
Result<std::string> readFile(const std::string &path);

/// A file mapped read-only. The content stays valid when the file is renamed
/// or unlinked; a file truncated by somebody else while mapped is undefined.
class MappedFile {
public:
  MappedFile() = default;
  /// Maps the regular file at `path`; an empty file gives an empty range.
  static Result<MappedFile> open(const std::string &path);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  const std::byte *data() const { return base; }
  size_t size() const { return length; }
  std::string_view text() const {
    return {reinterpret_cast<const char *>(base), length};
  }

private:
  const std::byte *base = nullptr;
  size_t length = 0;
};

/// Writes `bytes` as the content of `path`: temporary file in the same
/// directory, fsync, rename, fsync of the directory. On failure the old
/// content of `path` stays and no temporary remains.
Status writeFileAtomically(const std::string &path, std::string_view bytes);

/// A file written piece by piece that appears under its name at commit() only.
/// A path that names something other than a regular file (a terminal, a pipe,
/// /dev/stdout) is written directly, because renaming onto it would replace
/// the device.
class AtomicFile {
public:
  /// Opens the temporary sibling. A symbolic link at `path` is followed.
  static Result<AtomicFile> create(const std::string &path);
  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&other) noexcept;
  /// Discards what was written unless it was committed.
  ~AtomicFile();

  /// Appends at the current end.
  Status write(const void *data, size_t bytes);
  Status write(std::string_view bytes) {
    return write(bytes.data(), bytes.size());
  }
  /// Writes at an absolute offset without moving the end used by write();
  /// the gap reads as zeros. An error on pipes.
  Status writeAt(size_t offset, const void *data, size_t bytes);
  /// Syncs and renames into place. At most once.
  Status commit();
  /// Removes the temporary; harmless after commit().
  void discard();
  /// The name the file has, or will have after commit().
  const std::string &path() const { return target; }

private:
  AtomicFile() = default;

  std::string target;
  std::string temporary; // empty when writing directly
  InterruptCleanup cleanup;
  int descriptor = -1;
  size_t offset = 0;
};

/// A directory built under a temporary sibling name and renamed into place.
class AtomicDirectory {
public:
  /// Creates the temporary directory. An existing `path` is accepted when it
  /// is an empty directory, or when `replaceIfContains` is not empty and the
  /// directory holds a file of that name (so only what Linnet wrote is ever
  /// replaced); anything else is an error now rather than after the work.
  static Result<AtomicDirectory>
  create(const std::string &path, const std::string &replaceIfContains = "");
  AtomicDirectory(AtomicDirectory &&other) noexcept;
  AtomicDirectory &operator=(AtomicDirectory &&other) noexcept;
  /// Removes the temporary directory unless it was committed.
  ~AtomicDirectory();

  /// Where to build: the temporary name until commit(), then the final one.
  const std::string &path() const { return current; }
  /// The final name.
  const std::string &finalPath() const { return target; }
  /// Shorthand for path() + "/" + name.
  std::string file(std::string_view name) const;
  /// Syncs all files, then exchanges the directory with what stands at the
  /// final name (checked again as in create) and removes that.
  Status commit();
  void discard();

private:
  AtomicDirectory() = default;

  std::string target;
  std::string current;
  std::string marker;
  InterruptCleanup cleanup;
  bool pending = false;
};

} // namespace linnet

#endif // LINNET_SUPPORT_FILE_H
