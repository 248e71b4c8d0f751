//===- ArchiveIndex.h - which shard holds which tensor --------*- C++ -*-===//
//
// Private to lib/Checkpoint: the content of model.safetensors.index.json, and
// how a path given by the user becomes a list of files.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_CHECKPOINT_ARCHIVEINDEX_H
#define LINNET_LIB_CHECKPOINT_ARCHIVEINDEX_H

#include "linnet/Support/Result.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

/// The checked content of an index file.
struct ShardIndex {
  /// Tensor name to shard file name. Shard names are plain file names: an index
  /// cannot reach outside its directory.
  std::map<std::string, std::string> weightMap;
  /// The distinct shard names, sorted.
  std::vector<std::string> shards;
};

/// Parses an index file; `path` is used in errors only.
Result<ShardIndex> parseShardIndex(std::string_view text,
                                   const std::string &path);

/// What a checkpoint consists of: one file, or an index file beside its shards.
struct CheckpointFiles {
  /// Exactly one of the two is not empty.
  std::string single;
  std::string index;
};

/// Finds the files behind a directory, a .safetensors file or an index file.
Result<CheckpointFiles> findCheckpointFiles(const std::string &path);

} // namespace linnet

#endif // LINNET_LIB_CHECKPOINT_ARCHIVEINDEX_H
