//===- Cache.cpp - compiled directories by content ------------------------===//

#include "linnet/Driver/Cache.h"

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Driver/Target.h"
#include "linnet/Runtime/Manifest.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Hash.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>

namespace linnet {
namespace {

namespace fs = std::filesystem;

/// Name, size and time of last change of a file.
Status hashFileState(Hasher &hasher, const std::string &path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return systemError("read", path, errno);
  hasher.update(uint64_t(path.size())).update(path);
  hasher.update(uint64_t(info.st_size));
  hasher.update(uint64_t(info.st_mtim.tv_sec));
  hasher.update(uint64_t(info.st_mtim.tv_nsec));
  return {};
}

Status hashCheckpoint(Hasher &hasher, const std::string &directory) {
  for (const char *name : {"config.json", "generation_config.json",
                           "tokenizer.json", "tokenizer_config.json"}) {
    std::string path = directory + "/" + name;
    std::error_code ignored;
    if (!fs::exists(path, ignored))
      continue;
    Result<std::string> bytes = readFile(path);
    if (!bytes)
      return bytes.error();
    hasher.update(name).update(uint64_t(bytes->size())).update(*bytes);
  }
  Result<Archive> archive = Archive::open(directory);
  if (!archive)
    return archive.error();
  for (const Archive::File &file : archive->files()) {
    if (Status status = hashFileState(hasher, file.path); !status)
      return status;
    hasher.update(file.headerHash);
  }
  return {};
}

/// Whether the directory can be opened: its files, and the weights it refers
/// to, are as they were.
bool isWhole(const std::string &directory) {
  Result<Manifest> manifest = readManifest(directory);
  std::error_code ignored;
  if (!manifest || !fs::exists(directory + "/" + manifest->library, ignored))
    return false;
  for (const WeightFile &file : manifest->weightFiles) {
    fs::path path = fs::path(directory) / file.path; // absolute paths win
    if (int64_t(fs::file_size(path, ignored)) != file.bytes)
      return false;
  }
  return true;
}

} // namespace

Result<std::string> cacheDirectory() {
  auto variable = [](const char *name) -> std::string {
    const char *value = getenv(name);
    return value ? value : "";
  };
  if (std::string path = variable("LINNET_CACHE"); !path.empty())
    return path;
  if (std::string path = variable("XDG_CACHE_HOME"); !path.empty())
    return path + "/linnet";
  if (std::string path = variable("HOME"); !path.empty())
    return path + "/.cache/linnet";
  return makeError("expected LINNET_CACHE, XDG_CACHE_HOME or HOME to say where "
                   "compiled models are kept, but none is set");
}

Result<std::string> cacheKey(const std::string &input,
                             const CompileOptions &options) {
  Result<Target> target = resolveTarget(options.mcpu);
  if (!target)
    return target.error();
  Hasher hasher;
  hasher.update(kLinnetVersion);
  // Another build of the compiler writes other code under the same version.
  if (Status status = hashFileState(hasher, "/proc/self/exe"); !status)
    return status.error();
  for (int64_t value :
       {int64_t(options.optLevel), options.batch,
        options.maxContext.value_or(0), options.blockTokens,
        int64_t(options.bundle), int64_t(options.failOnFallback),
        int64_t(options.exactDecode)})
    hasher.update(uint64_t(value));
  hasher.update(target->triple).update(target->tune);
  hasher.update(target->featureString());

  std::error_code code;
  std::string path = fs::canonical(input, code).string();
  if (code)
    return systemError("read", input, code.value());
  hasher.update(uint64_t(path.size())).update(path);
  Status status = fs::is_directory(path, code) ? hashCheckpoint(hasher, path)
                                               : hashFileState(hasher, path);
  if (!status)
    return status.error();
  return toHex(hasher.finish());
}

Result<std::string> compileCached(const std::string &input,
                                  const CompileOptions &options,
                                  CompileReport &report) {
  Result<std::string> base = cacheDirectory();
  if (!base)
    return base.error();
  Result<std::string> key = cacheKey(input, options);
  if (!key)
    return key.error();
  std::string directory = *base + "/" + *key;
  if (isWhole(directory))
    return directory;
  std::error_code code;
  fs::create_directories(*base, code);
  if (code)
    return systemError("create directory", *base, code.value());
  CompileOptions replacing = options;
  replacing.emit = Emit::Shared;
  // A damaged entry may lack even its manifest.
  if (fs::exists(directory, code) &&
      !fs::exists(directory + "/" + std::string(kManifestFile), code))
    fs::remove_all(directory, code);
  replacing.force = true;
  if (Status status = compileToDirectory(input, directory, replacing, report);
      !status)
    return status.error();
  return directory;
}

} // namespace linnet
