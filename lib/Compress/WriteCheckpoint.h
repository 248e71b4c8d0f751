//===- WriteCheckpoint.h - the files of the result ------------*- C++ -*-===//

#ifndef LIB_COMPRESS_WRITECHECKPOINT_H
#define LIB_COMPRESS_WRITECHECKPOINT_H

#include "Layout.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Compress/Compress.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Json.h"

#include <optional>

namespace linnet::compress {

/// Whether `input` says what model its weights are, rather than IR beside it.
bool hasConfig(const std::string &input);

/// Adds to what report.json says how far layers and outputs are from the
/// original's.
void addMeasurements(Json &content, const CompressReport &report);

/// Copies the files of the checkpoint in `input` beside weights, config.json
/// and what linnet-compress says of a result, but for those that are in
/// `directory` already and `leftOut`.
Status copyOtherFiles(const std::string &input,
                      const AtomicDirectory &directory,
                      const std::set<std::string> &leftOut = {});

/// Writes config.json as `config` and copies the other files: what a directory
/// with the tensors still lacks.
Status finishRewrite(const std::string &input, const std::string &config,
                     const AtomicDirectory &directory);

/// Makes one checkpoint of another: opens `input` and hands its tensors to
/// `rewrite` with a directory that appears as `output` once all went well.
/// Errors: an output that exists, unless it is empty or holds a file `marker`.
Status rewriteCheckpoint(
    const std::string &input, const std::string &output,
    const std::string &marker,
    llvm::function_ref<Status(const Archive &, AtomicDirectory &)> rewrite);

struct AddedTensor {
  TensorSpec spec;
  std::vector<std::byte> bytes;
};
/// Writes all tensors of `archive` as they are, and others, to `file`.
Status writeTensorsBeside(const Archive &archive,
                          const std::vector<AddedTensor> &added,
                          const std::string &file);

/// Errors: the checkpoint in `path` cannot be imported.
Status readAgain(const std::string &path);

/// Writes a checkpoint directory that appears whole or not at all. In order:
/// begin(), take() for each map in any order, finishModel(), finish().
class CheckpointWriter {
public:
  /// Errors: `path` exists, unless it is empty or, with `force`, was written
  /// by linnet-compress.
  static Result<CheckpointWriter> create(const std::string &path, bool force);

  /// Writes all tensors of the checkpoint in `input` that are no maps and makes
  /// room for what the maps become. Tensors keep their types. The arguments
  /// outlive the writer; `layout` learns which keys say what is left. Errors
  /// also: a narrower model that its configuration cannot say.
  Status begin(const std::string &input, const Archive &archive,
               const std::vector<LinearMap> &maps,
               const std::vector<MapPlan> &plans, Layout &layout);
  /// Rounds `fitted`, which replaces map `number`, as it is stored and writes
  /// it; of channels that may be left out, once all their maps are there.
  Status take(size_t number, FittedMap &fitted);
  /// Writes configuration and the other files of `input`: the model is whole in
  /// path().
  Status finishModel();
  /// Where it stands until finish().
  const std::string &path() const { return directory.path(); }
  /// Writes plan and report; `analysis` may be null. The directory appears.
  Status finish(const Json &analysis, const std::string &fingerprint,
                const CompressReport &report);

private:
  explicit CheckpointWriter(AtomicDirectory directory)
      : directory(std::move(directory)) {}

  using Stored = std::vector<std::vector<std::byte>>;

  Status writeConfig();
  Status tryConfig(const std::vector<TensorSpec> &specs);
  Status findConfig(const std::vector<TensorSpec> &specs);
  /// The factors of map `number`.
  Status append(size_t number, const Stored &stored);
  /// What `group` keeps, with the consumer in hand.
  Status appendGroup(const ChannelGroup &group, Stored consumer,
                     const std::vector<int64_t> &kept);
  /// These slices of a tensor of the input.
  Status appendSlices(const std::string &name, const std::vector<int64_t> &kept,
                      int64_t dimension = 0);
  Status writeJson(const char *name, const Json &content);

  AtomicDirectory directory;
  std::optional<SafetensorsWriter> tensors;
  const std::string *input = nullptr;
  const Archive *archive = nullptr;
  const std::vector<LinearMap> *maps = nullptr;
  const std::vector<MapPlan> *plans = nullptr;
  Layout *layout = nullptr;
  /// Producers whose consumer is to come.
  std::map<size_t, Stored> waiting;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_WRITECHECKPOINT_H
