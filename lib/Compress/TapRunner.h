//===- TapRunner.h - tapped layers, compiled and run ----------*- C++ -*-===//
//
// Each tap is compiled once per model, for all layers of its kind: it reads its
// weights from a scratch file, whose content is exchanged. So every layer can
// run with its own matrices or with others in their place.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_TAPRUNNER_H
#define LIB_COMPRESS_TAPRUNNER_H

#include "LinearMaps.h"
#include "TapLayers.h"
#include "Windows.h"

#include "linnet/Driver/Compile.h"
#include "linnet/Numerics/Matrix.h"
#include "linnet/Runtime/linnet.h"
#include "linnet/Support/File.h"

#include <map>
#include <memory>

namespace linnet::compress {

/// Matrices W, [out, in], that stand in for those of the checkpoint, by name;
/// under maskOf() of some a row that taps know (TapVector).
using Replacements = std::map<std::string, Matrix>;

/// Row-major floats, [windows, length, width].
using Activations = std::vector<float>;

/// The carried values between two layers, of all windows.
struct HiddenStates {
  int64_t steps = 0;
  std::vector<Activations> carried;
  /// The inputs of the model that all layers take.
  std::vector<std::vector<int32_t>> invariants;

  /// The part of carried value `i` that step `number` takes.
  llvm::ArrayRef<float> stepOf(size_t i, int64_t number) const {
    size_t size = carried[i].size() / size_t(steps);
    return llvm::ArrayRef(carried[i]).slice(size_t(number) * size, size);
  }
};

/// A compiled function with its weights in memory.
class OpenTap {
public:
  static Result<OpenTap> open(const std::string &directory);
  size_t outputs() const { return sizes.size(); }
  /// Elements of output `i`.
  size_t outputSize(size_t i) const { return sizes[i]; }
  Status run(const std::vector<const void *> &inputs,
             const std::vector<void *> &outputs) const;
  /// The same into `results`, which become as large as the outputs.
  Status run(const std::vector<const void *> &inputs,
             std::vector<Activations> &results) const;

private:
  struct Close {
    void operator()(linnet_model *model) const { linnet_model_close(model); }
  };
  std::unique_ptr<linnet_model, Close> model;
  std::vector<size_t> sizes;
};

class TapRunner {
public:
  /// For steps of `windows.batch` windows. `module` is the model as imported,
  /// to which functions are added; all three outlive the runner. `withStates`
  /// masks scans too (TapStates.h).
  static Result<TapRunner> create(mlir::ModuleOp module, const Archive &archive,
                                  const LinearMaps &maps, int64_t batch,
                                  int64_t length, bool withStates = false);

  size_t layers() const { return tapped.order.size(); }
  const TappedLayer &layer(size_t number) const {
    return tapped.layers[tapped.order[number]];
  }
  /// The map of site `site` of layer `number`, or at a key.
  size_t mapOf(size_t number, const TapSite &site) const {
    return mapAt(number, site.key);
  }
  size_t mapAt(size_t number, const std::string &key) const;

  /// Layer `number` with `instead` in place of matrices, as a tap of it or
  /// whole.
  Result<OpenTap> openStage(size_t number, const TapStage &stage,
                            const Replacements &instead);
  Result<OpenTap> openWhole(size_t number, const Replacements &instead);
  /// The tap of what the experts of layer `number` make, with its own matrices.
  Result<OpenTap> openMixture(size_t number, const TapMixture &mixture);
  /// The tap of what a scan of layer `number` takes, with its own matrices.
  Result<OpenTap> openScan(size_t number, const TapScan &scan);
  /// The tap of what a map of layer `number` reaches, with its own matrices.
  Result<OpenTap> openReach(size_t number, const TapReach &reach);
  /// The function that makes channels of other maps' outputs.
  Result<OpenTap> openChannels(const TapChannels &channels) {
    return openOutside(channels.function);
  }
  /// What follows the layers; nothing where that is nothing.
  Result<std::optional<OpenTap>> openEnd();
  /// All layers as they are.
  Result<std::vector<OpenTap>> openAll();

  /// The carried values before the first layer.
  Result<HiddenStates> begin(const Windows &windows);
  /// The model's output for step `number`, of states behind all layers, by
  /// openEnd(); valid until `end` or `states` change.
  Result<llvm::ArrayRef<float>>
  outputOf(const std::optional<OpenTap> &end, const HiddenStates &states,
           int64_t number, std::vector<Activations> &buffer) const;
  /// Those after layer `number`, opened as `whole`, in place.
  Status advance(size_t number, const OpenTap &whole,
                 HiddenStates &states) const;
  /// From before layer `first` to before layer `last`, as they are.
  Status advanceTo(size_t first, size_t last, HiddenStates &states);
  /// The part of `states` that step `number` takes.
  std::vector<const void *> inputsOf(const HiddenStates &states,
                                     int64_t number) const;
  /// Runs `tap` of a layer on each step of `states` before it that has tokens
  /// to fit to, which `see` is given with what the tap shows.
  using SeeStep = llvm::function_ref<void(const std::vector<Activations> &,
                                          const std::vector<TokenRange> &)>;
  Status runFitted(const OpenTap &tap, const HiddenStates &states,
                   const Windows &windows, SeeStep see) const;
  /// The most numbers for each token that stages of one layer hold at a time.
  int64_t heldNumbers() const;
  bool isEncoder() const { return tapped.isEncoder; }
  /// Tokens of a step.
  int64_t stepTokens() const { return batch * length; }

private:
  TapRunner(mlir::ModuleOp module, const Archive &archive,
            const LinearMaps &maps)
      : module(module), archive(&archive), maps(&maps) {}

  Result<OpenTap> open(size_t number, const std::string &function,
                       const Replacements &instead);
  /// A function of no layer, with the checkpoint's weights.
  Result<OpenTap> openOutside(const std::string &function);
  Result<std::string> compile(const std::string &function,
                              const std::string &source);
  /// What a weight is that the checkpoint lacks.
  Result<std::vector<float>> makeVector(size_t number, const TapWeight &weight,
                                        const Replacements &instead) const;
  Status writeWeights(size_t number, const Replacements &instead,
                      const std::string &file) const;

  mlir::ModuleOp module;
  const Archive *archive;
  const LinearMaps *maps;
  std::map<std::string, size_t> mapNumbers;
  int64_t batch = 1, length = 1;
  TappedModel tapped;
  std::unique_ptr<AtomicDirectory> scratch;
  std::map<std::string, CompiledFunction> compiled;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_TAPRUNNER_H
