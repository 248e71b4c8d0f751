//===- ChannelWidths.h - how many channels each layer keeps ---*- C++ -*-===//
//
// One number of channels over all layers: the next one goes where the model
// loses least by it, as losses of brain surgeons say (ChannelPruning.h),
// weighed in each layer by what the model loses when this layer alone keeps
// few.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_CHANNELWIDTHS_H
#define LIB_COMPRESS_CHANNELWIDTHS_H

#include "Channels.h"
#include "TapRunner.h"

namespace linnet::compress {

struct ChannelWidth {
  size_t consumer = 0;
  /// What the model loses (a difference of Judge::score()) with `cut` channels
  /// in this layer, and the share of its MLP's outputs that is gone then.
  double damage = 0, loss = 0;
  int64_t cut = 0, kept = 0;
};

/// Changes plans of MLPs' maps, which keep as many channels in all, to what
/// loses least; layers that are dropped have no part in it.
Result<std::vector<ChannelWidth>>
planWidths(TapRunner &runner, const std::vector<LinearMap> &maps,
           const Archive &archive, const Windows &windows,
           const std::vector<ChannelGroup> &groups,
           const CompressOptions &options, const CompressReport &report,
           std::vector<MapPlan> &plans);

} // namespace linnet::compress

#endif // LIB_COMPRESS_CHANNELWIDTHS_H
