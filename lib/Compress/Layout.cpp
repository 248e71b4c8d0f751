//===- Layout.cpp - what a narrower model calls its tensors ---------------===//

#include "Layout.h"

#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"

#include <charconv>

namespace linnet::compress {

namespace ir = mlir::linnet;

Layout::Layout(mlir::ModuleOp module, const std::vector<LinearMap> &maps,
               const std::vector<MapPlan> &plans,
               const std::vector<ChannelGroup> &groups) {
  std::vector<mlir::func::FuncOp> functions = layersOf(module);
  layers = int64_t(functions.size());
  for (mlir::func::FuncOp layer : functions)
    layer.walk([&](ir::WeightOp weight) {
      size_t at = weight.getKey().find("{}");
      if (weight.getLayer() && at != llvm::StringRef::npos)
        prefixes.insert(weight.getKey().substr(0, at).str());
    });
  for (size_t i = 0; i < maps.size(); ++i)
    if (plans[i].structure == &droppedStructure())
      dropped.insert(maps[i].layer);
  for (const ChannelGroup &group : groups) {
    if (std::optional<KeptUnits> kept = keptUnits(group, plans))
      narrowed.push_back({group, *kept});
  }
}

std::string Layout::nameOf(const std::string &name) const {
  if (dropped.empty())
    return name;
  for (const std::string &prefix : prefixes) {
    if (!name.starts_with(prefix))
      continue;
    int64_t layer = 0;
    const char *begin = name.data() + prefix.size(),
               *end = name.data() + name.size();
    auto [stop, problem] = std::from_chars(begin, end, layer);
    if (problem != std::errc() || (stop != end && *stop != '.'))
      continue;
    if (dropped.count(layer))
      return {};
    auto before = std::distance(dropped.begin(), dropped.lower_bound(layer));
    return prefix + std::to_string(layer - before) + std::string(stop, end);
  }
  return name;
}

std::optional<int64_t> Layout::keptOfBias(const std::string &name) const {
  for (const auto &[group, kept] : narrowed)
    for (const ChannelProducer &producer : group.producers)
      if (int64_t own = group.keptOf(producer, kept);
          producer.bias == name && own < producer.rows)
        return own;
  return std::nullopt;
}

bool Layout::isProduced(size_t number) const {
  for (const auto &[group, kept] : narrowed)
    for (const ChannelProducer &producer : group.producers)
      if (producer.map == number &&
          group.keptOf(producer, kept) < producer.rows)
        return true;
  return false;
}

const ChannelGroup *Layout::consumedGroup(size_t number) const {
  for (const auto &[group, kept] : narrowed)
    if (group.consumer == number)
      return &group;
  return nullptr;
}

bool replaceNumber(Json &config, llvm::ArrayRef<const char *> keys,
                   int64_t before, int64_t after) {
  bool found = false;
  for (const char *key : keys) {
    auto entry = config.find(key);
    if (entry == config.end() || !entry->is_number_integer() ||
        entry->get<int64_t>() != before)
      continue;
    *entry = after;
    found = true;
  }
  return found;
}

std::vector<std::string> Layout::notes(const Json &config) const {
  std::set<std::string> found;
  for (const auto &[group, kept] : narrowed)
    if (std::string note = group.kind->note(kept, config); !note.empty())
      found.insert(std::move(note));
  return {found.begin(), found.end()};
}

Status Layout::configure(Json &config, const std::string &file) const {
  std::set<const ChannelKind *> done;
  for (const auto &[group, kept] : narrowed)
    if (done.insert(group.kind).second)
      if (Status status = group.kind->configure(group, kept, config, file);
          !status)
        return status;
  if (dropped.empty())
    return {};
  int64_t left = layers - int64_t(dropped.size());
  if (!replaceNumber(config, {"num_hidden_layers", "n_layer"}, layers, left))
    return makeError(file, ": key 'num_hidden_layers': expected ", layers,
                     ", but it is not there");
  // Lists of something for each layer.
  for (auto &[key, value] : config.items()) {
    if (!value.is_array() || int64_t(value.size()) != layers ||
        key.find("layer") == std::string::npos)
      continue;
    Json others = Json::array();
    for (int64_t i = 0; i < layers; ++i)
      if (!dropped.count(i))
        others.push_back(value[size_t(i)]);
    value = others;
  }
  return {};
}

std::vector<std::byte> sliceRows(const std::vector<std::byte> &matrix,
                                 int64_t columns, size_t size,
                                 const std::vector<int64_t> &kept) {
  std::vector<std::byte> slice;
  auto row = std::ptrdiff_t(size_t(columns) * size);
  for (int64_t r : kept)
    slice.insert(slice.end(), matrix.begin() + r * row,
                 matrix.begin() + (r + 1) * row);
  return slice;
}

std::vector<std::byte> sliceColumns(const std::vector<std::byte> &matrix,
                                    int64_t columns, size_t size,
                                    const std::vector<int64_t> &kept) {
  std::vector<std::byte> slice;
  auto width = std::ptrdiff_t(size);
  for (auto at = matrix.begin(); at != matrix.end(); at += columns * width)
    for (int64_t c : kept)
      slice.insert(slice.end(), at + c * width, at + (c + 1) * width);
  return slice;
}

} // namespace linnet::compress
