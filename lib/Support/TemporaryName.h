//===- TemporaryName.h - names for temporary siblings ---------*- C++ -*-===//
//
// Private to lib/Support: how AtomicFile and AtomicDirectory name what they
// build, and how they make a rename durable.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_SUPPORT_TEMPORARYNAME_H
#define LINNET_LIB_SUPPORT_TEMPORARYNAME_H

#include "linnet/Support/Result.h"

#include <string>

namespace linnet {

/// A hidden name in the directory of `path` that no other call in this process
/// and no other living process returns. Length stays within NAME_MAX.
std::string makeTemporaryName(const std::string &path);

/// The directory that holds `path`: "." for a bare name.
std::string parentDirectory(const std::string &path);

/// Syncs a directory, which makes renames in it durable. Filesystems that
/// cannot sync directories count as success.
Status syncDirectory(const std::string &directory);

} // namespace linnet

#endif // LINNET_LIB_SUPPORT_TEMPORARYNAME_H
