//===- LayerKinds.cpp - layers that become alike --------------------------===//

#include "LayerKinds.h"

#include "linnet/Numerics/Clustering.h"

#include <map>

namespace linnet::compress {

TiedMaps tieNothing(size_t maps) {
  TiedMaps alone;
  for (size_t i = 0; i < maps; ++i)
    alone.push_back({i});
  return alone;
}

TiedMaps tieLayers(const std::vector<LinearMap> &maps,
                   const std::vector<double> &costs, int64_t kinds) {
  if (kinds == 0)
    return tieNothing(maps.size());
  // The maps of each layer, by function and layer.
  std::map<std::string, std::map<int64_t, std::vector<size_t>>> functions;
  for (size_t i = 0; i < maps.size(); ++i)
    functions[maps[i].function][maps[i].layer].push_back(i);
  TiedMaps tied;
  for (const auto &[function, layers] : functions) {
    std::vector<std::vector<double>> points;
    for (const auto &[layer, own] : layers) {
      std::vector<double> &point = points.emplace_back();
      for (size_t number : own)
        point.push_back(costs[number]);
    }
    std::vector<size_t> clusters = clusterByVariance(points, size_t(kinds));
    // One list for each cluster and map of the function.
    std::map<std::pair<size_t, size_t>, std::vector<size_t>> lists;
    size_t place = 0;
    for (const auto &[layer, own] : layers) {
      for (size_t i = 0; i < own.size(); ++i)
        lists[{clusters[place], i}].push_back(own[i]);
      ++place;
    }
    for (auto &[key, list] : lists)
      tied.push_back(std::move(list));
  }
  return tied;
}

} // namespace linnet::compress
