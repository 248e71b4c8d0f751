//===- WriteCheckpoint.h - the files of the result ------------*- C++ -*-===//

#ifndef LIB_COMPRESS_WRITECHECKPOINT_H
#define LIB_COMPRESS_WRITECHECKPOINT_H

#include "MapStructure.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Compress/Compress.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Json.h"

#include <optional>

namespace linnet::compress {

/// Copies the files of the checkpoint in `input` beside weights, config.json
/// and what linnet-compress says of a result.
Status copyOtherFiles(const std::string &input,
                      const AtomicDirectory &directory);

/// Writes a checkpoint directory that appears whole or not at all. In order:
/// begin(), take() for each map in any order, finish().
class CheckpointWriter {
public:
  /// Errors: `path` exists, unless it is empty or, with `force`, was written
  /// by linnet-compress.
  static Result<CheckpointWriter> create(const std::string &path, bool force);

  /// Writes all tensors that are no maps and makes room for what the maps
  /// become. Tensors keep their types.
  Status begin(const Archive &archive, const std::vector<LinearMap> &maps,
               const std::vector<MapPlan> &plans);
  /// Rounds `fitted` as it is stored and writes it.
  Status take(const LinearMap &map, const MapPlan &plan, FittedMap &fitted);
  /// Writes configuration, plan, report and the other files of `input`;
  /// `analysis` may be null. The directory appears.
  Status finish(const std::string &input, const std::vector<LinearMap> &maps,
                const std::vector<MapPlan> &plans, const Json &analysis,
                const std::string &fingerprint, const CompressReport &report);

private:
  explicit CheckpointWriter(AtomicDirectory directory)
      : directory(std::move(directory)) {}

  Status writeConfig(const std::string &input,
                     const std::vector<LinearMap> &maps,
                     const std::vector<MapPlan> &plans);
  Status writeJson(const char *name, const Json &content);

  AtomicDirectory directory;
  std::optional<SafetensorsWriter> tensors;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_WRITECHECKPOINT_H
