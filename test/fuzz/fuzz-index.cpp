//===- fuzz-index.cpp - the index file of a sharded checkpoint ------------===//
//
// No accepted index names a file outside its directory.
//
//===----------------------------------------------------------------------===//

#include "test/fuzz/Invariant.h"

#include "lib/Checkpoint/ArchiveIndex.h"

using namespace linnet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  Result<ShardIndex> index = parseShardIndex(text, "fuzz");
  if (!index) {
    checkMessage(index.error().str());
    return 0;
  }
  check(!index->shards.empty());
  for (const std::string &shard : index->shards)
    check(!shard.empty() && shard != ".." &&
          shard.find('/') == std::string::npos &&
          shard.find('\0') == std::string::npos);
  for (const auto &[name, shard] : index->weightMap)
    check(!shard.empty());
  return 0;
}
