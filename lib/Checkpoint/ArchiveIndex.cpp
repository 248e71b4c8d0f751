//===- ArchiveIndex.cpp - which shard holds which tensor ------------------===//
//
// The order of preference among files is that of transformers: one whole file
// before an index.
//
//===----------------------------------------------------------------------===//

#include "ArchiveIndex.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Json.h"
#include "linnet/Support/Quote.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

namespace linnet {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingleName = "model.safetensors";
constexpr std::string_view kIndexName = "model.safetensors.index.json";
constexpr std::string_view kSingleSuffix = ".safetensors";
constexpr std::string_view kIndexSuffix = ".safetensors.index.json";

bool isPlainFileName(const std::string &name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find('/') == name.npos && name.find('\0') == name.npos;
}

/// Chooses among several files of one kind: the standard name, else the only
/// one.
Result<std::string> choose(const std::vector<std::string> &names,
                           std::string_view standard,
                           const std::string &directory) {
  if (std::find(names.begin(), names.end(), standard) != names.end())
    return std::string(standard);
  if (names.size() == 1)
    return names.front();
  return makeError(directory, ": expected ", standard, " or one ",
                   standard.substr(standard.find('.')), " file, but got ",
                   names.size(), " such files (", names[0], ", ", names[1],
                   names.size() > 2 ? ", ..." : "", ")");
}

Result<CheckpointFiles> findInDirectory(const std::string &directory) {
  std::vector<std::string> singles, indices;
  bool hasPickle = false;
  std::error_code code;
  fs::directory_iterator it(directory, code), end;
  while (!code && it != end) {
    std::string name = it->path().filename().string();
    // Hidden files are temporaries of this project or of sync tools.
    if (!name.starts_with('.')) {
      if (name.ends_with(kIndexSuffix))
        indices.push_back(name);
      else if (name.ends_with(kSingleSuffix))
        singles.push_back(name);
      hasPickle |= name.ends_with(".bin") || name.ends_with(".pt") ||
                   name.ends_with(".pth");
    }
    it.increment(code);
  }
  if (code)
    return systemError("read", directory, code.value());
  std::sort(singles.begin(), singles.end());
  std::sort(indices.begin(), indices.end());

  bool hasStandard =
      std::binary_search(singles.begin(), singles.end(), kSingleName);
  if (!indices.empty() && !hasStandard) {
    Result<std::string> name = choose(indices, kIndexName, directory);
    if (!name)
      return name.error();
    return CheckpointFiles{"", directory + "/" + *name};
  }
  if (singles.empty())
    return makeError(directory,
                     ": expected a .safetensors file, but found none",
                     hasPickle ? " (pickled weights must be converted to "
                                 "safetensors first)"
                               : "");
  Result<std::string> name = choose(singles, kSingleName, directory);
  if (!name)
    return name.error();
  return CheckpointFiles{directory + "/" + *name, ""};
}

} // namespace

Result<ShardIndex> parseShardIndex(std::string_view text,
                                   const std::string &path) {
  Result<Json> json = parseJson(text, path);
  if (!json)
    return json.error();
  Result<const Json *> map = getObject(*json, "weight_map", path);
  if (!map)
    return map.error();
  ShardIndex index;
  std::set<std::string> shards;
  for (const auto &[name, shard] : (*map)->items()) {
    if (!shard.is_string() ||
        !isPlainFileName(shard.get_ref<const std::string &>()))
      return makeError(path, ": tensor ", quoteName(name),
                       ": expected the name of a shard file, but got ",
                       describeJson(shard));
    index.weightMap[name] = shard.get_ref<const std::string &>();
    shards.insert(index.weightMap[name]);
  }
  if (shards.empty())
    return makeError(path, ": weight_map is empty");
  index.shards.assign(shards.begin(), shards.end());
  return index;
}

Result<CheckpointFiles> findCheckpointFiles(const std::string &path) {
  std::error_code code;
  fs::file_status status = fs::status(path, code);
  if (!fs::exists(status))
    return systemError("read", path, code ? code.value() : ENOENT);
  if (fs::is_directory(status)) {
    std::string directory = path;
    while (directory.size() > 1 && directory.back() == '/')
      directory.pop_back();
    return findInDirectory(directory);
  }
  if (path.ends_with(".index.json"))
    return CheckpointFiles{"", path};
  return CheckpointFiles{path, ""};
}

} // namespace linnet
