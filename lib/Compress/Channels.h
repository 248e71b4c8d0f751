//===- Channels.h - narrower and fewer layers -----------------*- C++ -*-===//
//
// Channels between maps of a layer can be left out: each is an output of one or
// more maps (producers, of which it is an elementwise function) and an input of
// one (the consumer). What is left is a model of the same kind with narrower
// matrices, which other programs read too. So is one without some layers.
//
// In plans, the consumer has "kept_inputs", its producers "kept_outputs" with
// the same number, and all maps of a layer that goes are "dropped".
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_CHANNELS_H
#define LIB_COMPRESS_CHANNELS_H

#include "MapStructure.h"

namespace linnet::compress {

struct ChannelGroup {
  /// Numbers of maps.
  size_t consumer = 0;
  std::vector<size_t> producers;
  /// Tensors of biases that the producers add.
  std::vector<std::string> biases;
  int64_t width = 0;
};

/// The channels of `module`'s layers that may be left out, in order.
std::vector<ChannelGroup> findChannelGroups(mlir::ModuleOp module,
                                            const LinearMaps &maps);

/// Plans that keep `share` of the channels of all groups, as many in each
/// layer; other maps stay. Errors: no groups, or of several widths.
Result<std::vector<MapPlan>>
planChannels(const std::vector<ChannelGroup> &groups, size_t maps, double share,
             int64_t multiple);

/// Errors: a map of a group that leaves out channels which the others keep,
/// groups that keep different numbers, a layer that is dropped in part, or all
/// layers.
Status checkNarrowing(const std::vector<LinearMap> &maps,
                      const std::vector<MapPlan> &plans,
                      const std::vector<ChannelGroup> &groups);

const MapStructure &keptInputsStructure();
const MapStructure &keptOutputsStructure();
const MapStructure &droppedStructure();

} // namespace linnet::compress

#endif // LIB_COMPRESS_CHANNELS_H
