//===- ArchiveImpl.h - what an archive holds ------------------*- C++ -*-===//
//
// Private to lib/Checkpoint: shared by Archive.cpp (opening, look-up) and
// ArchiveOverlay.cpp (changes). One sorted map from name to the visible tensor;
// overlaid bytes are owned here, all other data points into mapped files.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_CHECKPOINT_ARCHIVEIMPL_H
#define LINNET_LIB_CHECKPOINT_ARCHIVEIMPL_H

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Checkpoint/Safetensors.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace linnet {

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

} // namespace linnet

#endif // LINNET_LIB_CHECKPOINT_ARCHIVEIMPL_H
