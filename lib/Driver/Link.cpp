//===- Link.cpp - objects to a shared library -----------------------------===//

#include "linnet/Driver/Link.h"

#include "linnet/Support/File.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

namespace linnet {
namespace {

/// An object file in memory that lld can open by name.
class MemoryFile {
public:
  static Result<MemoryFile> create(const std::string &bytes) {
    MemoryFile file;
    file.descriptor = memfd_create("linnet-object", MFD_CLOEXEC);
    if (file.descriptor < 0)
      return systemError("create", "an object file in memory", errno);
    for (size_t done = 0; done < bytes.size();) {
      ssize_t n =
          write(file.descriptor, bytes.data() + done, bytes.size() - done);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return systemError("write", "an object file in memory", errno);
      done += n;
    }
    return file;
  }
  MemoryFile(MemoryFile &&other) noexcept
      : descriptor(std::exchange(other.descriptor, -1)) {}
  ~MemoryFile() {
    if (descriptor >= 0)
      close(descriptor);
  }
  std::string path() const {
    return "/proc/self/fd/" + std::to_string(descriptor);
  }

private:
  MemoryFile() = default;
  int descriptor = -1;
};

/// The first line of what lld said, without its name.
std::string firstLine(llvm::StringRef text) {
  llvm::StringRef line = text.trim().split('\n').first;
  line.consume_front("ld.lld: ");
  line.consume_front("error: ");
  return line.empty() ? "no message" : line.str();
}

/// lld registers LLVM's code generation flags when it first runs, and LLVM ends
/// the process over a flag that is there already: our --mcpu, long parsed.
void releaseFlagName() {
  static bool done = false;
  if (std::exchange(done, true))
    return;
  auto &flags = llvm::cl::getRegisteredOptions();
  if (auto found = flags.find("mcpu"); found != flags.end())
    found->second->removeArgument();
}

Result<std::unique_ptr<llvm::object::ObjectFile>>
openElf(std::string_view bytes) {
  llvm::MemoryBufferRef buffer(llvm::StringRef(bytes.data(), bytes.size()),
                               "library");
  auto object = llvm::object::ObjectFile::createELFObjectFile(buffer);
  if (!object)
    return makeError("cannot read the linked library: ",
                     llvm::toString(object.takeError()));
  return std::move(*object);
}

} // namespace

Status linkSharedLibrary(const std::vector<ObjectCode> &objects,
                         const std::string &path) {
  std::vector<MemoryFile> files;
  for (const ObjectCode &object : objects) {
    Result<MemoryFile> file = MemoryFile::create(object);
    if (!file)
      return file.error();
    files.push_back(file.take());
  }
  // Neither paths nor times of this run appear in the library.
  std::vector<std::string> arguments = {"ld.lld",
                                        "-shared",
                                        "-o",
                                        path,
                                        "--soname=model.so",
                                        "--build-id=none",
                                        "--hash-style=gnu",
                                        "-z",
                                        "now",
                                        "-z",
                                        "noexecstack",
                                        "--threads=1",
                                        "--no-dependent-libraries"};
  for (const MemoryFile &file : files)
    arguments.push_back(file.path());
  std::vector<const char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());

  // lld keeps its state in globals.
  static std::mutex mutex;
  static bool broken = false;
  std::lock_guard<std::mutex> lock(mutex);
  releaseFlagName();
  if (broken)
    return makeError("the linker cannot run again after a crash");
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result =
      lld::lldMain(pointers, stream, stream, {{lld::Gnu, &lld::elf::link}});
  broken = !result.canRunAgain;
  if (result.retCode != 0)
    return makeError("cannot link ", path, ": ", firstLine(messages));
  return {};
}

Result<std::vector<std::string>> undefinedSymbols(std::string_view library) {
  auto object = openElf(library);
  if (!object)
    return object.error();
  std::vector<std::string> names;
  auto *elf = llvm::cast<llvm::object::ELFObjectFileBase>(object->get());
  for (auto symbol : elf->getDynamicSymbolIterators()) {
    auto flags = symbol.getFlags();
    auto name = symbol.getName();
    if (!flags || !name) {
      llvm::consumeError(flags.takeError());
      llvm::consumeError(name.takeError());
      return makeError("cannot read the linked library's symbols");
    }
    if (!name->empty() && (*flags & llvm::object::SymbolRef::SF_Undefined))
      names.push_back(name->str());
  }
  return names;
}

Status checkLibrary(const std::string &path,
                    const std::vector<std::string> &exported) {
  Result<std::string> bytes = readFile(path);
  if (!bytes)
    return bytes.error();
  Result<std::vector<std::string>> undefined = undefinedSymbols(*bytes);
  if (!undefined)
    return undefined.error();
  for (const std::string &name : *undefined)
    if (name != "memcpy" && name != "memset" && name != "memmove")
      return makeError("expected a library that needs no other, but it needs ",
                       name);
  auto object = openElf(*bytes);
  if (!object)
    return object.error();
  std::vector<std::string> defined;
  auto *elf = llvm::cast<llvm::object::ELFObjectFileBase>(object->get());
  for (auto symbol : elf->getDynamicSymbolIterators())
    if (auto name = symbol.getName())
      defined.push_back(name->str());
    else
      llvm::consumeError(name.takeError());
  for (const std::string &name : exported)
    if (!llvm::is_contained(defined, name))
      return makeError("expected the library to define ", name,
                       ", but it does not");
  return {};
}

} // namespace linnet
