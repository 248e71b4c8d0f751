//===- Cache.h - compiled directories by content --------------*- C++ -*-===//

#ifndef LINNET_DRIVER_CACHE_H
#define LINNET_DRIVER_CACHE_H

#include "linnet/Driver/Compile.h"
#include "linnet/Support/Result.h"

#include <string>

namespace linnet {

/// Where compiled models are kept: $LINNET_CACHE, else $XDG_CACHE_HOME/linnet,
/// else ~/.cache/linnet. An error when none of the three variables is set.
Result<std::string> cacheDirectory();

/// The name of the cache entry for `input`: a hash of its path, configuration,
/// weight headers, sizes and times, of the options, the target and this
/// program.
Result<std::string> cacheKey(const std::string &input,
                             const CompileOptions &options);

/// The directory `input` compiles to: the cached one if it is there and whole,
/// else a new one.
Result<std::string> compileCached(const std::string &input,
                                  const CompileOptions &options,
                                  CompileReport &report);

} // namespace linnet

#endif // LINNET_DRIVER_CACHE_H
