//===- File.cpp - reading and mapping files -------------------------------===//
//
// Only regular files are mapped; pipes can be read.
//
//===----------------------------------------------------------------------===//

#include "linnet/Support/File.h"

#include <cctype>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace linnet {
namespace {

/// An endless source such as /dev/zero ends here instead of exhausting memory.
constexpr size_t kMaxReadBytes = size_t(1) << 32;

/// Closes a descriptor at the end of a scope.
class Descriptor {
public:
  explicit Descriptor(int fd) : fd(fd) {}
  Descriptor(const Descriptor &) = delete;
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
  int get() const { return fd; }

private:
  int fd;
};

} // namespace

Error systemError(std::string_view action, const std::string &path, int code) {
  std::string reason = std::generic_category().message(code);
  if (!reason.empty())
    reason[0] =
        static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
  return makeError("cannot ", action, " '", path, "': ", reason);
}

Result<std::string> readFile(const std::string &path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info;
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0)
    return systemError("read", path, errno);
  if (S_ISDIR(info.st_mode))
    return systemError("read", path, EISDIR);

  std::string content;
  size_t size = 0;
  // One byte more than expected, so that the usual file ends in one round.
  size_t step = S_ISREG(info.st_mode) && info.st_size > 0 ? info.st_size + 1
                                                          : size_t(1) << 16;
  while (true) {
    if (size + step > kMaxReadBytes)
      return makeError("cannot read '", path, "': larger than ", kMaxReadBytes,
                       " bytes");
    content.resize(size + step);
    ssize_t got = ::read(file.get(), content.data() + size, step);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return systemError("read", path, errno);
    if (got == 0)
      break;
    size += got;
    // Growing with the content keeps the number of copies logarithmic.
    step = size < 4096 ? 4096 : size / 2;
  }
  content.resize(size);
  return content;
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info;
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0)
    return systemError("read", path, errno);
  if (S_ISDIR(info.st_mode))
    return systemError("read", path, EISDIR);
  if (!S_ISREG(info.st_mode))
    return makeError("cannot map '", path, "': not a regular file");
  MappedFile mapped;
  mapped.length = info.st_size;
  if (mapped.length == 0)
    return mapped;
  void *base =
      ::mmap(nullptr, mapped.length, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (base == MAP_FAILED) {
    mapped.length = 0;
    return systemError("map", path, errno);
  }
  mapped.base = static_cast<const std::byte *>(base);
  return mapped;
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : base(std::exchange(other.base, nullptr)),
      length(std::exchange(other.length, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(base, other.base);
  std::swap(length, other.length);
  return *this;
}

MappedFile::~MappedFile() {
  if (base)
    ::munmap(const_cast<std::byte *>(base), length);
}

Status writeFileAtomically(const std::string &path, std::string_view bytes) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  if (Status status = file->write(bytes); !status)
    return status;
  return file->commit();
}

} // namespace linnet
