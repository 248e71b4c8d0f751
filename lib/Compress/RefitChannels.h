//===- RefitChannels.h - the maps around narrower channels ----*- C++ -*-===//
//
// Where channels between maps are left out, those that stay can be others than
// they were: the maps before them and the one behind are fitted together, so
// that what the latter adds to the hidden state makes it the original's
// (linnet/Numerics/ChannelRefit.h), from what fits of one matrix after the
// other leave. What makes channels of outputs is any elementwise function,
// whose slopes are measured; if it is none, or the maps before have several
// inputs, they stay as they are.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_REFITCHANNELS_H
#define LIB_COMPRESS_REFITCHANNELS_H

#include "Layout.h"
#include "StageMoments.h"

#include "linnet/Numerics/ChannelRefit.h"

namespace linnet::compress {

/// Tokens of the calibration that the maps are fitted to and judged on, at
/// most.
constexpr int64_t kMostFittedTokens = 65536, kMostJudgedTokens = 8192;

/// How many floats a fit of `group` holds, of so many fitted tokens and steps
/// of `stepTokens`.
int64_t refitFloats(const ChannelGroup &group,
                    const std::vector<LinearMap> &maps, int64_t tokens,
                    int64_t stepTokens);

/// What a fit leaves of a group.
struct FittedChannels {
  RefittedChannels report;
  /// Null if it is undone.
  std::unique_ptr<FittedMap> consumer;
  struct Producer {
    size_t map;
    std::unique_ptr<FittedMap> fitted;
    /// Of its outputs, as outputError() says.
    double error = 0;
  };
  std::vector<Producer> producers;
};

/// One stage's maps behind channels.
class RefitChannels {
public:
  /// `weights` are the matrices of the stage's sites in the original model.
  RefitChannels(TapRunner &runner, const std::vector<LinearMap> &maps,
                const Archive &archive, const Windows &windows,
                const Layout &layout, size_t layer, size_t stage,
                llvm::ArrayRef<Matrix> weights);
  /// Why channels that are left out, behind site `i`, stay as they are; empty
  /// if they do not or there are none.
  std::string obstacle(size_t i) const;
  bool has(size_t i) const { return groups.count(i); }
  bool isEmpty() const { return groups.empty(); }

  /// Adds step `step`, as the original model and the result run it.
  void add(Part part, const StepValues &original, const StepValues &result,
           int64_t step);
  /// Fits the maps of site `i`, whose fit is `consumer` so far; `replaced` are
  /// the producers.
  Result<FittedChannels> fit(size_t i, const FittedMap &consumer,
                             const Replacements &replaced, int64_t steps);

private:
  struct Sample {
    ChannelTokens tokens;
    int64_t stride = 1, seen = 0;
  };
  struct Group {
    const ChannelGroup *channels;
    std::vector<size_t> producers;
    std::vector<float> weight;
    std::map<Part, Sample> samples;
  };

  const TapSite &siteOf(size_t i) const {
    return runner.layer(layer).stages[stage].sites[i];
  }
  Result<ChannelMaps> mapsOf(const Group &group, const FittedMap &consumer,
                             const std::vector<int64_t> &kept,
                             const Replacements &replaced) const;
  std::string producerBias(const Group &group, size_t map) const;

  TapRunner &runner;
  const std::vector<LinearMap> &maps;
  const Archive &archive;
  const Windows &windows;
  size_t layer, stage;
  /// By site.
  std::map<size_t, Group> groups;
  std::map<size_t, std::string> obstacles;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_REFITCHANNELS_H
