//===- ArchiveOverlay.cpp - new tensors over an archive -------------------===//
//
// Changes never touch the files of the checkpoint; they are saved as a file of
// their own, in which metadata lists the removed tensors.
//
//===----------------------------------------------------------------------===//

#include "ArchiveImpl.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Support/Json.h"
#include "linnet/Support/Quote.h"

#include <filesystem>

namespace linnet {

/// Metadata keys of a saved overlay.
constexpr const char *kOverlayKey = "linnet.overlay";
constexpr const char *kRemovedKey = "linnet.removed";

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
