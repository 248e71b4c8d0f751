//===- AtomicDirectory.cpp - directories that appear whole ----------------===//
//
// Replacing a directory needs an exchange of two names: rename(2) replaces
// empty directories only.
//
//===----------------------------------------------------------------------===//

#include "TemporaryName.h"

#include "linnet/Support/File.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace linnet {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxAttempts = 1000;

/// Whether the directory at `path` may be replaced, or nothing may stand there.
Status checkReplaceable(const std::string &path, const std::string &marker) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0)
    return errno == ENOENT ? Status() : systemError("create", path, errno);
  if (!S_ISDIR(info.st_mode))
    return makeError("cannot create directory '", path,
                     "': a file of that name exists");
  std::error_code code;
  bool empty = fs::is_empty(path, code);
  if (code)
    return systemError("read", path, code.value());
  if (empty)
    return Status();
  if (marker.empty())
    return makeError("cannot create directory '", path,
                     "': it exists and is not empty");
  if (!fs::is_regular_file(path + "/" + marker, code))
    return makeError("cannot replace directory '", path,
                     "': it is not empty and holds no ", marker);
  return Status();
}

Status syncFile(const std::string &path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return systemError("sync", path, errno);
  int code = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return code == 0 ? Status() : Status(systemError("write", path, code));
}

/// Syncs every regular file and directory under `root`, and `root`.
Status syncTree(const std::string &root) {
  std::error_code code;
  fs::recursive_directory_iterator it(root, code), end;
  while (!code && it != end) {
    fs::file_status kind = it->symlink_status(code);
    Status status;
    if (fs::is_regular_file(kind))
      status = syncFile(it->path().string());
    else if (fs::is_directory(kind))
      status = syncDirectory(it->path().string());
    if (!status)
      return status;
    it.increment(code);
  }
  if (code)
    return systemError("sync", root, code.value());
  return syncDirectory(root);
}

void removeTree(const std::string &path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

/// Puts `fresh` in the place of the non-empty directory `target`; what stood
/// there is then under the name `fresh`, to be removed by the caller.
Status swapDirectories(const std::string &fresh, const std::string &target) {
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, target.c_str(),
                  RENAME_EXCHANGE) == 0)
    return Status();
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
    return systemError("replace", target, errno);
  // Filesystems without an exchange get two renames, undone if the second
  // fails.
  std::string aside = makeTemporaryName(target);
  if (::rename(target.c_str(), aside.c_str()) != 0)
    return systemError("replace", target, errno);
  if (::rename(fresh.c_str(), target.c_str()) != 0) {
    int code = errno;
    (void)::rename(aside.c_str(), target.c_str());
    return systemError("replace", target, code);
  }
  (void)::rename(aside.c_str(), fresh.c_str());
  return Status();
}

} // namespace

Result<AtomicDirectory> AtomicDirectory::create(const std::string &path,
                                                const std::string &marker) {
  AtomicDirectory directory;
  directory.marker = marker;
  directory.target = path;
  while (directory.target.size() > 1 && directory.target.back() == '/')
    directory.target.pop_back();
  std::string name = fs::path(directory.target).filename().string();
  if (name.empty() || name == "." || name == "..")
    return makeError("cannot create directory '", path,
                     "': expected a path that ends in a name");
  // A link to a directory stays a link; what it points to is replaced.
  std::error_code code;
  if (fs::is_symlink(directory.target, code)) {
    fs::path real = fs::canonical(directory.target, code);
    if (code)
      return systemError("create", path, code.value());
    directory.target = real.string();
  }
  if (Status status = checkReplaceable(directory.target, marker); !status)
    return status.error();

  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    std::string temporary = makeTemporaryName(directory.target);
    InterruptCleanup cleanup(temporary);
    if (::mkdir(temporary.c_str(), 0777) == 0) {
      directory.current = std::move(temporary);
      directory.cleanup = std::move(cleanup);
      directory.pending = true;
      return directory;
    }
    int code = errno;
    if (code != EEXIST)
      return systemError("create directory", path, code);
  }
  return systemError("create directory", path, EEXIST);
}

AtomicDirectory::AtomicDirectory(AtomicDirectory &&other) noexcept
    : target(std::move(other.target)), current(std::move(other.current)),
      marker(std::move(other.marker)), cleanup(std::move(other.cleanup)),
      pending(std::exchange(other.pending, false)) {}

AtomicDirectory &AtomicDirectory::operator=(AtomicDirectory &&other) noexcept {
  if (this != &other) {
    discard();
    target = std::move(other.target);
    current = std::move(other.current);
    marker = std::move(other.marker);
    cleanup = std::move(other.cleanup);
    pending = std::exchange(other.pending, false);
  }
  return *this;
}

AtomicDirectory::~AtomicDirectory() { discard(); }

std::string AtomicDirectory::file(std::string_view name) const {
  return current + "/" + std::string(name);
}

Status AtomicDirectory::commit() {
  if (!pending)
    return makeError("cannot create directory '", target, "': already closed");
  Status status = syncTree(current);
  if (status)
    status = checkReplaceable(target, marker);
  bool replaced = false;
  if (status && ::rename(current.c_str(), target.c_str()) != 0) {
    replaced = errno == ENOTEMPTY || errno == EEXIST;
    status = replaced ? swapDirectories(current, target)
                      : Status(systemError("create", target, errno));
  }
  if (!status) {
    discard();
    return status;
  }
  if (replaced)
    removeTree(current);
  pending = false;
  cleanup.release();
  current = target;
  return syncDirectory(parentDirectory(target));
}

void AtomicDirectory::discard() {
  if (std::exchange(pending, false))
    removeTree(current);
  cleanup.release();
}

} // namespace linnet
