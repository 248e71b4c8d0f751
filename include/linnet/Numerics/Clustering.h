//===- Clustering.h - which points are alike ------------------*- C++ -*-===//

#ifndef LINNET_NUMERICS_CLUSTERING_H
#define LINNET_NUMERICS_CLUSTERING_H

#include <cstddef>
#include <vector>

namespace linnet {

/// Points in at most `most` (at least 1) clusters, as the numbers of theirs:
/// from each alone, the two are merged whose merging adds least to the sum of
/// squared distances from points to the means of their clusters, until there
/// are so many (Ward 1963). Points that are equal are never apart. Clusters are
/// numbered by their first point. Points have as many entries each, all finite;
/// time is cubic in their number.
std::vector<size_t>
clusterByVariance(const std::vector<std::vector<double>> &points, size_t most);

} // namespace linnet

#endif // LINNET_NUMERICS_CLUSTERING_H
