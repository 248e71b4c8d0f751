//===- AtomicFile.cpp - files that appear whole or not at all -------------===//
//
// Temporary sibling, fsync, rename, fsync of the directory. The temporary is
// registered for removal on Ctrl-C before it is created.
//
//===----------------------------------------------------------------------===//

#include "TemporaryName.h"

#include "linnet/Support/File.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace linnet {
namespace {

/// Linux transfers at most about 2 GiB per call anyway.
constexpr size_t kMaxTransfer = size_t(1) << 30;

/// Stale temporaries of a dead process with the same id are stepped over.
constexpr int kMaxAttempts = 1000;

/// `path` with symbolic links resolved if it exists, otherwise `path` itself.
std::string resolveLinks(const std::string &path) {
  std::unique_ptr<char, decltype(&std::free)> real(
      ::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : path;
}

} // namespace

std::string parentDirectory(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string makeTemporaryName(const std::string &path) {
  static std::atomic<unsigned> counter{0};
  size_t slash = path.rfind('/');
  size_t nameAt = slash == std::string::npos ? 0 : slash + 1;
  // Cut long names so that the suffix fits into NAME_MAX.
  return path.substr(0, nameAt) + "." + path.substr(nameAt, 200) + ".tmp-" +
         std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

Status syncDirectory(const std::string &directory) {
  int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    // A directory one may write but not read cannot be opened for fsync.
    if (errno == EACCES)
      return Status();
    return systemError("sync", directory, errno);
  }
  int code = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (code != 0 && code != EINVAL && code != ENOTSUP && code != EROFS)
    return systemError("sync", directory, code);
  return Status();
}

Result<AtomicFile> AtomicFile::create(const std::string &path) {
  struct stat info;
  bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    return systemError("write", path, EISDIR);

  AtomicFile file;
  if (exists && !S_ISREG(info.st_mode)) {
    file.target = path;
    file.descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.descriptor < 0)
      return systemError("write", path, errno);
    return file;
  }
  // A rename would replace a file that its owner made read-only.
  if (exists && ::access(path.c_str(), W_OK) != 0)
    return systemError("write", path, errno);

  file.target = resolveLinks(path);
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    std::string name = makeTemporaryName(file.target);
    InterruptCleanup cleanup(name);
    file.descriptor =
        ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.descriptor >= 0) {
      file.temporary = std::move(name);
      file.cleanup = std::move(cleanup);
      break;
    }
    int code = errno;
    if (code != EEXIST)
      return systemError("write", path, code);
  }
  if (file.descriptor < 0)
    return systemError("write", path, EEXIST);
  // Keeping the mode is a courtesy; a filesystem without modes may refuse.
  if (exists)
    (void)::fchmod(file.descriptor, info.st_mode & 07777);
  return file;
}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : target(std::move(other.target)),
      temporary(std::exchange(other.temporary, {})),
      cleanup(std::move(other.cleanup)),
      descriptor(std::exchange(other.descriptor, -1)), offset(other.offset) {}

AtomicFile &AtomicFile::operator=(AtomicFile &&other) noexcept {
  if (this != &other) {
    discard();
    target = std::move(other.target);
    temporary = std::exchange(other.temporary, {});
    cleanup = std::move(other.cleanup);
    descriptor = std::exchange(other.descriptor, -1);
    offset = other.offset;
  }
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

Status AtomicFile::write(const void *data, size_t bytes) {
  if (!temporary.empty()) {
    Status status = writeAt(offset, data, bytes);
    if (status)
      offset += bytes;
    return status;
  }
  // Pipes and terminals have no offsets.
  auto *next = static_cast<const char *>(data);
  while (bytes > 0) {
    ssize_t written = ::write(descriptor, next, std::min(bytes, kMaxTransfer));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return systemError("write", target, errno);
    next += written;
    bytes -= written;
  }
  return Status();
}

Status AtomicFile::writeAt(size_t at, const void *data, size_t bytes) {
  auto *next = static_cast<const char *>(data);
  while (bytes > 0) {
    ssize_t written =
        ::pwrite(descriptor, next, std::min(bytes, kMaxTransfer), at);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return systemError("write", target, errno);
    next += written;
    at += written;
    bytes -= written;
  }
  return Status();
}

Status AtomicFile::commit() {
  if (descriptor < 0)
    return makeError("cannot write '", target, "': already closed");
  if (temporary.empty()) {
    int code = ::close(std::exchange(descriptor, -1)) == 0 ? 0 : errno;
    return code == 0 ? Status() : systemError("write", target, code);
  }
  int code = ::fsync(descriptor) == 0 ? 0 : errno;
  if (::close(std::exchange(descriptor, -1)) != 0 && code == 0)
    code = errno;
  if (code == 0 && ::rename(temporary.c_str(), target.c_str()) != 0)
    code = errno;
  if (code != 0) {
    discard();
    return systemError("write", target, code);
  }
  temporary.clear();
  cleanup.release();
  return syncDirectory(parentDirectory(target));
}

void AtomicFile::discard() {
  if (descriptor >= 0)
    ::close(std::exchange(descriptor, -1));
  if (!temporary.empty())
    ::unlink(temporary.c_str());
  temporary.clear();
  cleanup.release();
}

} // namespace linnet
