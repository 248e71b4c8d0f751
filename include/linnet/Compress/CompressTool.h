//===- CompressTool.h - what linnet-compress does -------------*- C++ -*-===//

#ifndef LINNET_COMPRESS_COMPRESSTOOL_H
#define LINNET_COMPRESS_COMPRESSTOOL_H

#include "linnet/Compress/Compress.h"

namespace linnet {

/// Compresses, prints what became of each map, and says on stderr what went
/// wrong. Returns the exit code. The options are a copy because lld resets what
/// flags hold.
int runCompressTool(CompressOptions options);

} // namespace linnet

#endif // LINNET_COMPRESS_COMPRESSTOOL_H
