//===- Scratch.h - a directory for the time of a run ----------*- C++ -*-===//

#ifndef LIB_COMPRESS_SCRATCH_H
#define LIB_COMPRESS_SCRATCH_H

#include "linnet/Support/File.h"

namespace linnet::compress {

/// An empty directory among temporary files, for what `purpose` names; it goes
/// with the object, also when the run is interrupted.
Result<AtomicDirectory> createScratch(const std::string &purpose);

} // namespace linnet::compress

#endif // LIB_COMPRESS_SCRATCH_H
