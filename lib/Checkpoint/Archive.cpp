//===- Archive.cpp - all tensors of a checkpoint --------------------------===//
//
// Opening the files and looking tensors up; changes are ArchiveOverlay.cpp's.
//
//===----------------------------------------------------------------------===//

#include "linnet/Checkpoint/Archive.h"

#include "ArchiveImpl.h"
#include "ArchiveIndex.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

namespace linnet {

namespace {

/// The Levenshtein distance of a and b, or `limit` if it is at least that.
size_t editDistance(std::string_view a, std::string_view b, size_t limit) {
  size_t difference =
      a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (difference >= limit)
    return limit;
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    size_t smallest = row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      smallest = std::min(smallest, row[j]);
    }
    if (smallest >= limit)
      return limit;
  }
  return std::min(row.back(), limit);
}

bool matches(const std::vector<int64_t> &shape,
             const std::vector<int64_t> &expected) {
  return std::equal(shape.begin(), shape.end(), expected.begin(),
                    expected.end(), [](int64_t found, int64_t wanted) {
                      return wanted < 0 || found == wanted;
                    });
}

} // namespace

/// Makes all tensors of a file of the checkpoint visible.
Status Archive::Impl::addBase(SafetensorsFile source) {
  size_t file = addSource(std::move(source));
  baseFiles = sources.size();
  for (const TensorInfo &info : sources[file].tensors()) {
    auto [it, inserted] = visible.try_emplace(info.name, view(info, file));
    if (!inserted)
      return makeError("tensor ", quoteName(info.name), " stands in both ",
                       files[it->second.fileIndex].path, " and ",
                       files[file].path);
  }
  return Status();
}

/// Opens the shards of an index and checks that both agree. Tensors that a
/// shard holds beyond the index are visible too: nothing is dropped silently.
Status Archive::Impl::openIndex(const std::string &indexPath) {
  Result<std::string> text = readFile(indexPath);
  if (!text)
    return text.error();
  Result<ShardIndex> index = parseShardIndex(*text, indexPath);
  if (!index)
    return index.error();
  std::string directory =
      std::filesystem::path(indexPath).parent_path().string();
  std::map<std::string, size_t> fileOfShard;
  for (const std::string &shard : index->shards) {
    std::string shardPath = directory.empty() ? shard : directory + "/" + shard;
    Result<SafetensorsFile> source = SafetensorsFile::open(shardPath);
    if (!source)
      return makeError(source.error().str(), " (a shard of ", indexPath, ")");
    fileOfShard[shard] = sources.size();
    if (Status status = addBase(source.take()); !status)
      return status;
  }
  for (const auto &[name, shard] : index->weightMap) {
    size_t file = fileOfShard[shard];
    if (!sources[file].find(name))
      return makeError("tensor ", quoteName(name), " is missing in ",
                       files[file].path, " where ", indexPath, " places it");
  }
  return Status();
}

Archive::Archive() : impl(std::make_unique<Impl>()) {}
Archive::Archive(Archive &&) noexcept = default;

Archive &Archive::operator=(Archive &&other) noexcept {
  // The destructor of the moved-from object warns about what stood here.
  std::swap(impl, other.impl);
  return *this;
}

Archive::~Archive() {
  if (!impl)
    return;
  if (Status status = checkOverlaySaved(); !status)
    std::fprintf(stderr, "warning: %s\n", status.error().str().c_str());
}

Result<Archive> Archive::open(const std::string &path) {
  Result<CheckpointFiles> found = findCheckpointFiles(path);
  if (!found)
    return found.error();
  Archive archive;
  archive.impl->path = path;
  Status status;
  if (!found->index.empty()) {
    status = archive.impl->openIndex(found->index);
  } else {
    Result<SafetensorsFile> source = SafetensorsFile::open(found->single);
    if (!source)
      return source.error();
    status = archive.impl->addBase(source.take());
  }
  if (!status)
    return status.error();
  return archive;
}

const std::string &Archive::path() const { return impl->path; }

const Archive::Tensor *Archive::find(std::string_view name) const {
  auto it = impl->visible.find(name);
  return it == impl->visible.end() ? nullptr : &it->second;
}

Result<const Archive::Tensor *> Archive::require(std::string_view name) const {
  if (const Tensor *tensor = find(name))
    return tensor;
  std::string nearest = nearestName(name);
  return makeError(
      "tensor ", quoteName(name), " not found in ", path(),
      nearest.empty() ? "" : "; the nearest name is " + quoteName(nearest));
}

Result<const Archive::Tensor *>
Archive::require(std::string_view name,
                 const std::vector<int64_t> &shape) const {
  Result<const Tensor *> tensor = require(name);
  if (!tensor)
    return tensor;
  if (!matches((*tensor)->shape, shape)) {
    std::string expected = "[";
    for (int64_t dimension : shape) {
      expected += expected.size() > 1 ? ", " : "";
      expected += dimension < 0 ? "?" : std::to_string(dimension);
    }
    return makeError("tensor ", quoteName(name), " in ", fileOf(**tensor),
                     ": expected shape ", expected, "], but got ",
                     formatShape((*tensor)->shape));
  }
  return tensor;
}

std::vector<std::string> Archive::names() const {
  std::vector<std::string> list;
  list.reserve(impl->visible.size());
  for (const auto &[name, tensor] : impl->visible)
    list.push_back(name);
  return list;
}

size_t Archive::size() const { return impl->visible.size(); }

const std::vector<Archive::File> &Archive::files() const { return impl->files; }

std::string Archive::fileOf(const Tensor &tensor) const {
  return tensor.fileIndex < impl->files.size()
             ? impl->files[tensor.fileIndex].path
             : "the overlay";
}

std::string Archive::nearestName(std::string_view name) const {
  // Beyond a third of its length a name is another one, not a misspelling; the
  // limit also bounds the time on hostile archives.
  constexpr size_t kMaxLength = 256;
  std::string_view best;
  if (name.size() > kMaxLength)
    return "";
  size_t distance = std::max<size_t>(3, name.size() / 3 + 1);
  for (const auto &[candidate, tensor] : impl->visible) {
    size_t found = editDistance(name, candidate, distance);
    if (found < distance) {
      distance = found;
      best = candidate;
    }
  }
  return std::string(best);
}

} // namespace linnet
