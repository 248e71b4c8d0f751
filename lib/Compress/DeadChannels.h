//===- DeadChannels.h - channels that say nothing -------------*- C++ -*-===//

#ifndef LIB_COMPRESS_DEADCHANNELS_H
#define LIB_COMPRESS_DEADCHANNELS_H

#include "Channels.h"
#include "LayerValues.h"
#include "TensorEdits.h"

#include <set>

namespace linnet::compress {

/// Adds to `edits` what leaves out channels whose value is a constant, which
/// goes to the consumer's bias, or that the consumer takes nothing of: as many
/// of each of `groups`, which are equally wide. Returns how many; lines of
/// `declined` say why not more. Errors: weights that are not finite.
Result<int64_t> dropDeadChannels(const std::vector<ChannelGroup> &groups,
                                 const std::vector<LayerFunction> &functions,
                                 const LinearMaps &found,
                                 const Archive &archive, TensorEdits &edits,
                                 std::set<std::string> &declined);

} // namespace linnet::compress

#endif // LIB_COMPRESS_DEADCHANNELS_H
