//===- ConfigEdits.h - what a configuration says of sizes -----*- C++ -*-===//
//
// Which keys of a configuration say a size is known of none: entries that have
// its value are tried, alone and together, until the importer takes the result.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_CONFIGEDITS_H
#define LIB_COMPRESS_CONFIGEDITS_H

#include "Channels.h"

#include <set>

namespace linnet::compress {

/// Entries that say `before`, and `after` in their place.
ConfigEdit entriesOf(const Json &config, double before, double after);

/// Each of `edits` as it is and with each of `entries`.
std::vector<ConfigEdit> withAny(const std::vector<ConfigEdit> &edits,
                                const ConfigEdit &entries);

/// Each of `edits` as it is, and with entries that say one of `widths`, or how
/// many times the hidden size it is, of which `share` is left: the fewest
/// entries first, as what the importer does not need stays, and not more than
/// can be tried.
std::vector<ConfigEdit> withWidths(std::vector<ConfigEdit> edits,
                                   const Json &config,
                                   const std::set<int64_t> &widths,
                                   double share);

} // namespace linnet::compress

#endif // LIB_COMPRESS_CONFIGEDITS_H
