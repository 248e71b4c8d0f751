//===- CheckOptions.h - options that go together --------------*- C++ -*-===//

#ifndef LIB_COMPRESS_CHECKOPTIONS_H
#define LIB_COMPRESS_CHECKOPTIONS_H

#include "linnet/Compress/Compress.h"

namespace linnet::compress {

/// Whether channels, heads, experts or layers are left out.
inline bool isNarrowed(const CompressOptions &options) {
  return options.keepChannels < 1 || options.keepHeads < 1 ||
         options.keepKvGroups < 1 || options.keepExperts < 1 ||
         options.keepRecurrentHeads < 1 || options.dropLayers > 0;
}

/// Errors: numbers out of range, structures that there are not, options that
/// exclude each other, an input that is no directory.
Status checkOptions(const CompressOptions &options);

} // namespace linnet::compress

#endif // LIB_COMPRESS_CHECKOPTIONS_H
