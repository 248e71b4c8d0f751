//===- Archive.cpp - all tensors of a checkpoint --------------------------===//
//
// One sorted map from name to the visible tensor. Overlaid bytes are owned
// here; all other data points into mapped files.
//
//===----------------------------------------------------------------------===//

#include "linnet/Checkpoint/Archive.h"

#include "ArchiveIndex.h"

#include "linnet/Checkpoint/Safetensors.h"
#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Json.h"
#include "linnet/Support/Quote.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

namespace linnet {

namespace {

/// Metadata keys of a saved overlay.
constexpr const char *kOverlayKey = "linnet.overlay";
constexpr const char *kRemovedKey = "linnet.removed";

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

struct Archive::Impl {
  std::string path = "the empty archive";
  /// Parallel: the first `baseFiles` are the checkpoint, the rest overlays.
  std::vector<SafetensorsFile> sources;
  std::vector<File> files;
  size_t baseFiles = 0;

  std::map<std::string, Tensor, std::less<>> visible;
  /// Bytes of overlaid tensors that are in no file.
  std::map<std::string, std::vector<std::byte>> owned;
  std::set<std::string> overlaid;
  std::set<std::string> removed;
  bool unsaved = false;
  /// A change was saved or loaded, so an overlay that became empty again still
  /// differs from what is on disk.
  bool recorded = false;

  size_t addSource(SafetensorsFile source) {
    files.push_back({source.path(), source.size(), source.headerHash()});
    sources.push_back(std::move(source));
    return sources.size() - 1;
  }

  Tensor view(const TensorInfo &info, size_t file) const {
    return {info.name,    info.dtype, info.shape, sources[file].data(info),
            info.bytes(), file,       info.begin};
  }

  Status addBase(SafetensorsFile source);
  Status openIndex(const std::string &indexPath);
  bool isInBase(const std::string &name) const;
  void changed() {
    unsaved = recorded || !overlaid.empty() || !removed.empty();
  }
  Status checkNotBase(const std::string &target) const;
};

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

bool Archive::Impl::isInBase(const std::string &name) const {
  for (size_t file = 0; file < baseFiles; ++file)
    if (sources[file].find(name))
      return true;
  return false;
}

Status Archive::Impl::checkNotBase(const std::string &target) const {
  for (size_t file = 0; file < baseFiles; ++file) {
    std::error_code ignored;
    if (std::filesystem::equivalent(target, files[file].path, ignored))
      return makeError("cannot write '", target,
                       "': the archive reads its tensors from this file");
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

Status Archive::overlay(const std::string &name, DataType dtype,
                        const std::vector<int64_t> &shape,
                        std::vector<std::byte> bytes) {
  // The writer's own checks, so that saving cannot fail on them later.
  Result<SafetensorsLayout> layout =
      layOutSafetensors({{name, dtype, shape}}, {}, "the overlay");
  if (!layout)
    return layout.error();
  auto [begin, end] = layout->ranges.begin()->second;
  if (bytes.size() != end - begin)
    return makeError("tensor ", quoteName(name), " for the overlay: expected ",
                     end - begin, " bytes for ", dataTypeName(dtype), " ",
                     formatShape(shape), ", but got ", bytes.size());
  std::vector<std::byte> &held = impl->owned[name];
  held = std::move(bytes);
  impl->visible.insert_or_assign(
      name, Tensor{name, dtype, shape, held.data(), held.size(), kNoFile, 0});
  impl->overlaid.insert(name);
  impl->removed.erase(name);
  impl->changed();
  return Status();
}

Status Archive::remove(const std::string &name) {
  if (Result<const Tensor *> tensor = require(name); !tensor)
    return tensor.error();
  impl->visible.erase(name);
  impl->owned.erase(name);
  impl->overlaid.erase(name);
  if (impl->isInBase(name))
    impl->removed.insert(name);
  impl->changed();
  return Status();
}

Status Archive::loadOverlay(const std::string &path) {
  Result<SafetensorsFile> source = SafetensorsFile::open(path);
  if (!source)
    return source.error();
  // All checks come before the first change.
  std::vector<std::string> removals;
  auto it = source->metadata().find(kRemovedKey);
  if (it != source->metadata().end()) {
    std::string what = path + ": " + kRemovedKey;
    Result<Json> list = parseJson(it->second, what);
    if (!list)
      return list.error();
    Result<std::vector<std::string>> names =
        getStrings(Json{{kRemovedKey, *list}}, kRemovedKey, path);
    if (!names)
      return names.error();
    removals = names.take();
  }
  for (const std::string &name : removals)
    if (!impl->isInBase(name) || source->find(name))
      return makeError(path, ": removes tensor ", quoteName(name), ", ",
                       source->find(name) ? "which it also adds"
                                          : "which is not in " + impl->path);

  size_t file = impl->addSource(source.take());
  for (const TensorInfo &info : impl->sources[file].tensors()) {
    impl->visible.insert_or_assign(info.name, impl->view(info, file));
    impl->owned.erase(info.name);
    impl->overlaid.insert(info.name);
    impl->removed.erase(info.name);
  }
  for (const std::string &name : removals) {
    impl->visible.erase(name);
    impl->owned.erase(name);
    impl->overlaid.erase(name);
    impl->removed.insert(name);
  }
  impl->recorded = true;
  return Status();
}

bool Archive::hasUnsavedOverlay() const { return impl->unsaved; }

std::vector<std::string> Archive::overlayNames() const {
  return {impl->overlaid.begin(), impl->overlaid.end()};
}

std::vector<std::string> Archive::removedNames() const {
  return {impl->removed.begin(), impl->removed.end()};
}

/// Writes the named tensors of `archive` as one file.
static Status saveTensors(const Archive &archive, const std::string &path,
                          const std::vector<std::string> &names,
                          std::map<std::string, std::string> metadata) {
  // transformers refuses files without this entry.
  metadata["format"] = "pt";
  std::vector<TensorSpec> specs;
  for (const std::string &name : names) {
    const Archive::Tensor *tensor = archive.find(name);
    specs.push_back({name, tensor->dtype, tensor->shape});
  }
  Result<SafetensorsWriter> writer =
      SafetensorsWriter::create(path, std::move(specs), metadata);
  if (!writer)
    return writer.error();
  for (const std::string &name : names) {
    const Archive::Tensor *tensor = archive.find(name);
    if (Status status = writer->append(name, tensor->data, tensor->bytes);
        !status)
      return status;
  }
  return writer->commit();
}

Status Archive::saveOverlay(const std::string &path) {
  if (Status status = impl->checkNotBase(path); !status)
    return status;
  std::map<std::string, std::string> metadata = {{kOverlayKey, "1"}};
  if (!impl->removed.empty())
    metadata[kRemovedKey] = Json(impl->removed).dump();
  Status status = saveTensors(*this, path, overlayNames(), std::move(metadata));
  if (status) {
    impl->unsaved = false;
    impl->recorded = true;
  }
  return status;
}

Status Archive::saveAll(const std::string &path) {
  if (Status status = impl->checkNotBase(path); !status)
    return status;
  Status status = saveTensors(*this, path, names(), {});
  if (status)
    impl->unsaved = false;
  return status;
}

Status Archive::checkOverlaySaved() const {
  if (!impl->unsaved)
    return Status();
  std::string example;
  if (!impl->overlaid.empty())
    example = "tensor " + quoteName(*impl->overlaid.begin());
  else if (!impl->removed.empty())
    example = "the removal of tensor " + quoteName(*impl->removed.begin());
  else
    example = "an undone change";
  size_t count = impl->overlaid.size() + impl->removed.size();
  return makeError("the overlay over ", impl->path, " was not saved (", example,
                   count > 1 ? ", ..." : "", ")");
}

void Archive::discardOverlay() { impl->unsaved = false; }

} // namespace linnet
