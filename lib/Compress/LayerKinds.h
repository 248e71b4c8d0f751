//===- LayerKinds.h - layers that become alike ----------------*- C++ -*-===//
//
// Layers whose matrices have the same structures and ranks are compiled once.
// A plan that may choose for every layer alone is the best for its budget, but
// the code then grows with depth; near plans can be made one at little loss.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_LAYERKINDS_H
#define LIB_COMPRESS_LAYERKINDS_H

#include "LinearMaps.h"

namespace linnet::compress {

/// Numbers of maps that become the same.
using TiedMaps = std::vector<std::vector<size_t>>;

/// None with another.
TiedMaps tieNothing(size_t maps);

/// Those of layers that are one function now, of which at most `kinds` (0: any
/// number) are to be left: together are layers whose maps have near `costs`.
TiedMaps tieLayers(const std::vector<LinearMap> &maps,
                   const std::vector<double> &costs, int64_t kinds);

} // namespace linnet::compress

#endif // LIB_COMPRESS_LAYERKINDS_H
