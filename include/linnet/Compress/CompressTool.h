//===- CompressTool.h - what linnet-compress does -------------*- C++ -*-===//

#ifndef LINNET_COMPRESS_COMPRESSTOOL_H
#define LINNET_COMPRESS_COMPRESSTOOL_H

#include "linnet/Compress/Compress.h"

namespace linnet {

/// Compresses, prints what became of each map, and says on stderr what went
/// wrong, also in what was given. Returns the exit code.
int runCompressTool(const Result<CompressOptions> &given);

} // namespace linnet

#endif // LINNET_COMPRESS_COMPRESSTOOL_H
