//===- MlpChannels.cpp - channels of MLPs ---------------------------------===//

#include "Channels.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {

namespace ir = mlir::linnet;

namespace {

class MlpChannels : public ChannelKind {
public:
  void find(const LayerMaps &layer, ChannelGroups &found) const override;
  std::string_view flags() const override { return "--keep-channels"; }
  bool isAsked(const CompressOptions &options) const override {
    return options.keepChannels < 1;
  }
  bool mayDiffer() const override { return true; }
  std::string_view noun() const override { return "channels between two maps"; }
  Result<KeptUnits> plan(const ChannelGroup &group,
                         const CompressOptions &options) const override;
  std::string describe(const KeptUnits &kept) const override {
    return std::to_string(kept.units) + " kept inputs";
  }
  Status configure(const ChannelGroup &group, const KeptUnits &kept,
                   Json &config, const std::string &file) const override;
};

} // namespace

void MlpChannels::find(const LayerMaps &layer, ChannelGroups &found) const {
  layer.layer().walk([&](ir::LinearOp consumer) {
    std::optional<size_t> number = layer.numberOf(consumer);
    if (!number)
      return;
    int64_t width = mlir::cast<mlir::ShapedType>(consumer.getInput().getType())
                        .getShape()
                        .back();
    ChannelGroup group{this, *number, {}, width, {width, 1}};
    for (mlir::Operation *op : producersOf(consumer.getInput())) {
      std::optional<ChannelProducer> producer =
          layer.producer(mlir::cast<ir::LinearOp>(op));
      if (!producer)
        return;
      group.producers.push_back(std::move(*producer));
    }
    if (!group.producers.empty())
      found.groups.push_back(std::move(group));
  });
}

Result<KeptUnits> MlpChannels::plan(const ChannelGroup &group,
                                    const CompressOptions &options) const {
  auto multiple = options.rankMultiple;
  int64_t kept = std::llround(options.keepChannels * double(group.width) /
                              double(multiple)) *
                 multiple;
  return KeptUnits{std::clamp<int64_t>(kept, 1, group.width), 1};
}

Status MlpChannels::configure(const ChannelGroup &group, const KeptUnits &kept,
                              Json &config, const std::string &file) const {
  if (kept == group.all ||
      replaceNumber(config, {"intermediate_size", "ffn_dim", "n_inner"},
                    group.all.units, kept.units))
    return {};
  // GPT-2's width goes without saying.
  if (!config.contains("n_embd"))
    return makeError(file, ": key 'intermediate_size': expected ",
                     group.all.units,
                     ", the channels that are left out, but it is not there");
  config["n_inner"] = kept.units;
  return {};
}

const ChannelKind &mlpChannels() {
  static const MlpChannels kind;
  return kind;
}

} // namespace linnet::compress
