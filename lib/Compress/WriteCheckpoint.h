//===- WriteCheckpoint.h - the files of the result ------------*- C++ -*-===//

#ifndef LIB_COMPRESS_WRITECHECKPOINT_H
#define LIB_COMPRESS_WRITECHECKPOINT_H

#include "LinearMaps.h"

#include "linnet/Compress/Compress.h"
#include "linnet/Support/File.h"

namespace linnet::compress {

/// Writes a checkpoint directory that appears whole or not at all.
class CheckpointWriter {
public:
  /// Errors: `path` exists, unless it is empty or, with `force`, was written
  /// by linnet-compress.
  static Result<CheckpointWriter> create(const std::string &path, bool force);

  /// Writes all files: the checkpoint in `input` with each map of
  /// `report.maps` that has a rank as two factors, fitted one at a time; fills
  /// in the errors there. Tensors keep their types.
  Status write(const std::string &input, const Archive &archive,
               const std::vector<LinearMap> &maps,
               const std::string &fingerprint, CompressReport &report);
  Status commit() { return directory.commit(); }

private:
  explicit CheckpointWriter(AtomicDirectory directory)
      : directory(std::move(directory)) {}

  Status writeTensors(const Archive &archive,
                      const std::vector<LinearMap> &maps,
                      CompressReport &report);
  Status writeConfig(const std::string &input, const CompressReport &report);
  Status copyOthers(const std::string &input);

  AtomicDirectory directory;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_WRITECHECKPOINT_H
