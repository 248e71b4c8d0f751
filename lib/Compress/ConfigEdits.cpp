//===- ConfigEdits.cpp - what a configuration says of sizes ---------------===//

#include "ConfigEdits.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <tuple>

namespace linnet::compress {

ConfigEdit entriesOf(const Json &config, double before, double after) {
  ConfigEdit found;
  const Json entries = config.flatten();
  for (const auto &[pointer, value] : entries.items())
    if (value.is_number() && value.get<double>() == before)
      found.emplace_back(pointer, value.is_number_integer() &&
                                          after == double(int64_t(after))
                                      ? Json(int64_t(after))
                                      : Json(after));
  return found;
}

std::vector<ConfigEdit> withAny(const std::vector<ConfigEdit> &edits,
                                const ConfigEdit &entries) {
  std::vector<ConfigEdit> all = edits;
  for (const auto &entry : entries)
    for (const ConfigEdit &edit : edits) {
      all.push_back(edit);
      all.back().push_back(entry);
    }
  return all;
}

std::vector<ConfigEdit> withWidths(std::vector<ConfigEdit> edits,
                                   const Json &config,
                                   const std::set<int64_t> &widths,
                                   double share) {
  // So many are tried.
  constexpr size_t kMostEdits = 500;
  auto hidden = config.find("hidden_size");
  for (int64_t width : widths) {
    ConfigEdit entries =
        entriesOf(config, double(width), share * double(width));
    if (hidden != config.end() && hidden->is_number_integer()) {
      double times = double(width) / double(hidden->get<int64_t>());
      llvm::append_range(entries, entriesOf(config, times, share * times));
    }
    edits = withAny(edits, entries);
  }
  llvm::sort(edits, [](const ConfigEdit &a, const ConfigEdit &b) {
    return std::tuple(a.size(), a) < std::tuple(b.size(), b);
  });
  edits.resize(std::min(edits.size(), kMostEdits));
  return edits;
}

} // namespace linnet::compress
