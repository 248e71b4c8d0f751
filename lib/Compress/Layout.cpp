//===- Layout.cpp - what a narrower model calls its tensors ---------------===//

#include "Layout.h"

#include "TapStates.h"

#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <charconv>
#include <cmath>
#include <tuple>

namespace linnet::compress {

namespace ir = mlir::linnet;

Layout::Layout(mlir::ModuleOp module, const std::vector<LinearMap> &maps,
               const std::vector<MapPlan> &plans,
               const std::vector<ChannelGroup> &groups,
               const std::vector<Mixture> &mixtures, const KeptExperts &experts,
               const std::vector<ScanState> &states,
               const KeptChannels &channels) {
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
  std::map<const ChannelKind *, KeptUnits> first;
  for (const ChannelGroup &group : groups) {
    std::optional<KeptUnits> kept = keptUnits(group, plans);
    if (kept)
      narrowed.push_back({group, *kept});
    if (isDropped(maps[group.consumer].layer))
      continue;
    KeptUnits now = kept.value_or(group.all);
    if (first.try_emplace(group.kind, now).first->second != now)
      uneven.insert(group.kind);
  }
  for (const auto &[group, kept] : narrowed)
    for (const ChannelProducer &producer : group.producers)
      if (int64_t own = group.keptOf(producer, kept);
          isUneven(group.kind) && own < producer.rows)
        unevenOutputs[nameOf(maps[producer.map].name)] = own;
  for (auto [mixture, kept] : llvm::zip(mixtures, experts))
    if (plans[mixture.router].structure == &keptExpertsStructure())
      fewer[maps[mixture.router].name] = {mixture, kept};
  for (const auto &[router, one] : fewer) {
    outputs[one.mixture.router] = one.kept;
    for (const std::string &tensor : one.mixture.stacked)
      slices[tensor] = {0, one.kept};
    for (const std::string &key : one.mixture.members) {
      for (int64_t e = 0; e < one.mixture.experts; ++e)
        members[ir::resolveMemberKey(key, e)].clear();
      for (auto [number, e] : llvm::enumerate(one.kept))
        members[ir::resolveMemberKey(key, e)] =
            ir::resolveMemberKey(key, int64_t(number));
    }
  }
  for (auto [state, kept] : llvm::zip(states, channels)) {
    if (kept.empty() || int64_t(kept.size()) == state.units() ||
        dropped.count(state.layer))
      continue;
    narrowStates.push_back({state, kept});
    for (const auto &[map, bias, labels] : state.rows) {
      outputs[map] = ScanState::pick(labels, kept);
      if (!bias.empty())
        slices[bias] = {0, outputs[map]};
    }
    for (const auto &[tensor, labels] : state.slices)
      slices[tensor] = {labels.dimension, ScanState::pick(labels.labels, kept)};
  }
}

std::string Layout::nameOf(const std::string &tensor) const {
  auto member = members.find(tensor);
  const std::string &name = member == members.end() ? tensor : member->second;
  if (dropped.empty() || name.empty())
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

std::optional<int64_t> Layout::keptOfTensor(const std::string &name) const {
  for (const auto &[group, kept] : narrowed) {
    for (const ChannelProducer &producer : group.producers)
      if (int64_t own = group.keptOf(producer, kept);
          producer.bias == name && own < producer.rows)
        return own;
    for (const ChannelTensor &tensor : group.tensors)
      if (tensor.name == name && kept != group.all)
        return group.keptOf({0, tensor.rows, tensor.parts, {}}, kept);
  }
  return std::nullopt;
}

const SliceLabels *Layout::keptSlices(const std::string &name) const {
  auto place = slices.find(name);
  return place == slices.end() ? nullptr : &place->second;
}

const std::vector<int64_t> *Layout::keptOutputs(size_t number) const {
  auto place = outputs.find(number);
  return place == outputs.end() ? nullptr : &place->second;
}

Replacements Layout::masksOf(int64_t layer) const {
  Replacements masks;
  for (const auto &[router, one] : fewer) {
    if (one.mixture.layer != layer)
      continue;
    Matrix mask(1, one.mixture.experts);
    for (int64_t e = 0; e < one.mixture.experts; ++e)
      if (!llvm::is_contained(one.kept, e))
        mask.at(0, e) = kClosed;
    masks[maskOf(router)] = std::move(mask);
  }
  for (const NarrowState &one : narrowStates) {
    if (one.state.layer != layer)
      continue;
    for (auto [i, labels] : llvm::enumerate(one.state.masks)) {
      // What fewer channels are scaled by counts as a part of the query.
      double factor =
          i == 0 && one.state.isScaled
              ? std::sqrt(double(one.state.channels) / double(one.channels()))
              : 1;
      Matrix mask(1, int64_t(labels.size()));
      for (int64_t entry : ScanState::pick(labels, one.kept))
        mask.at(0, entry) = factor;
      masks[stateMaskOf(one.state.name, i)] = std::move(mask);
    }
  }
  return masks;
}

std::vector<ConfigEdit> Layout::expertEdits(const Json &config) const {
  const Fewer &first = fewer.begin()->second;
  std::vector<std::string> keys;
  const Json entries = config.flatten();
  for (const auto &[pointer, value] : entries.items())
    if (value.is_number_integer() &&
        value.get<int64_t>() == first.mixture.experts)
      keys.push_back(pointer);
  llvm::sort(keys, [](const std::string &a, const std::string &b) {
    bool aIsOther = a.find("expert") == std::string::npos,
         bIsOther = b.find("expert") == std::string::npos;
    return std::tie(aIsOther, a) < std::tie(bIsOther, b);
  });
  std::vector<ConfigEdit> edits;
  for (std::string &key : keys)
    edits.push_back({{std::move(key), Json(first.kept.size())}});
  return edits;
}

std::vector<ConfigEdit> Layout::edits(const Json &config) const {
  std::vector<ConfigEdit> all{{}};
  auto with = [&](const std::vector<ConfigEdit> &others) {
    std::vector<ConfigEdit> both;
    for (const ConfigEdit &one : all)
      for (const ConfigEdit &other : others) {
        both.push_back(one);
        both.back().insert(both.back().end(), other.begin(), other.end());
      }
    all = std::move(both);
  };
  if (!fewer.empty())
    with(expertEdits(config));
  if (!narrowStates.empty())
    with(channelEdits(narrowStates.front().state,
                      narrowStates.front().channels(), config));
  std::set<const ChannelKind *> done;
  for (const auto &[group, kept] : narrowed)
    if (kept != group.all && done.insert(group.kind).second)
      if (auto own = group.kind->edits(group, kept, config))
        with(*own);
  return all;
}

std::string Layout::saidByEdits() const {
  std::set<std::string> said;
  if (!fewer.empty()) {
    const Fewer &first = fewer.begin()->second;
    said.insert(std::to_string(first.mixture.experts) + " experts, now " +
                std::to_string(first.kept.size()));
  }
  if (!narrowStates.empty())
    said.insert(std::to_string(narrowStates.front().state.channels) +
                " key channels of scans, now " +
                std::to_string(narrowStates.front().channels()));
  for (const auto &[group, kept] : narrowed)
    if (kept != group.all && group.kind->edits(group, kept, Json::object()))
      said.insert(group.kind->describe(group.all) + ", now " +
                  std::to_string(kept.units));
  return llvm::join(said, ", and ");
}

bool Layout::isUneven(const ChannelKind *kind) const {
  return uneven.count(kind);
}

Status Layout::checkImported(const ChannelGroups &imported,
                             const ScanStates &states) const {
  if (!narrowStates.empty()) {
    const ScanState &before = narrowStates.front().state;
    int64_t channels = narrowStates.front().channels();
    double scale =
        before.isScaled ? 1 / std::sqrt(double(channels)) : before.scale;
    for (const ScanState &now : states.states)
      if (now.channels != channels ||
          std::abs(now.scale - scale) > 1e-6 * scale)
        return makeError("expected scans of ", channels,
                         " key channels with scale ", scale, ", but got ",
                         now.channels, " with ", now.scale);
    if (states.states.empty())
      return makeError("expected scans, but got none");
  }
  // Of layers that differ, shapes of tensors have said it.
  for (const auto &[group, kept] : narrowed)
    for (const ChannelGroup &now : imported.groups)
      if (now.kind == group.kind && !isUneven(group.kind) &&
          now.all.units != kept.units)
        return makeError("expected ", group.kind->describe(kept), ", but got ",
                         group.kind->describe(now.all));
  return {};
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
  if (!unevenOutputs.empty())
    found.insert("layers of several widths (key 'linnet.outputs' in "
                 "config.json), which other programs do not read");
  return {found.begin(), found.end()};
}

Status Layout::configure(Json &config, const std::string &file) const {
  std::set<const ChannelKind *> done;
  for (const auto &[group, kept] : narrowed)
    if (!isUneven(group.kind) && done.insert(group.kind).second)
      if (Status status = group.kind->configure(group, kept, config, file);
          !status)
        return status;
  for (const auto &[name, count] : unevenOutputs)
    config["linnet"]["outputs"][name] = count;
  for (const auto &[pointer, value] : edit)
    config[Json::json_pointer(pointer)] = value;
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
