//===- CheckOptions.h - options that go together --------------*- C++ -*-===//

#ifndef LIB_COMPRESS_CHECKOPTIONS_H
#define LIB_COMPRESS_CHECKOPTIONS_H

#include "linnet/Compress/Compress.h"

namespace linnet::compress {

/// The share of decode's state that a budget of it keeps; 1: there is none, or
/// it is malformed.
double stateShare(const CompressOptions &options);

/// Whether channels, heads, experts or layers are left out.
inline bool isNarrowed(const CompressOptions &options) {
  return stateShare(options) < 1 || options.keepChannels < 1 ||
         options.keepHeads < 1 || options.keepKvGroups < 1 ||
         options.keepExperts < 1 || options.keepRecurrentHeads < 1 ||
         options.keepStateChannels < 1 || options.dropLayers > 0;
}

/// Errors: numbers out of range, structures that there are not, options that
/// exclude each other, an input that is no directory.
Status checkOptions(const CompressOptions &options);
/// The same for one stage of a plan, on a model that need not be a directory.
Status checkStageOptions(const CompressOptions &options);

} // namespace linnet::compress

#endif // LIB_COMPRESS_CHECKOPTIONS_H
