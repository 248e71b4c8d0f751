//===- DeadChannels.cpp - channels that say nothing -----------------------===//

#include "DeadChannels.h"

#include "ChannelBounds.h"

namespace linnet::compress {

namespace ir = mlir::linnet;

namespace {

/// A channel that may go, and what it always is.
struct DeadChannel {
  int64_t number = 0;
  double value = 0;
};

class DeadChannelFinder {
public:
  DeadChannelFinder(const std::vector<LayerFunction> &functions,
                    const LinearMaps &found, const Archive &archive)
      : functions(functions), single(functions), found(found),
        archive(archive) {}

  Result<std::vector<DeadChannel>> find(const ChannelGroup &group) {
    const LinearMap &map = found.maps[group.consumer];
    const LayerFunction &function = functions[size_t(map.layer)];
    consumer = {};
    mlir::func::FuncOp(function.function).walk([&](ir::LinearOp linear) {
      auto weight = linear.getFactors().front().getDefiningOp<ir::WeightOp>();
      if (weight && function.nameOf(weight) == map.name)
        consumer = linear;
    });
    auto bounds =
        boundChannels(consumer.getInput(), function, archive, group.width);
    Result<Matrix> matrix = readMatrix(map, archive);
    if (!bounds || !matrix)
      return bounds ? matrix.error() : bounds.error();
    weights = matrix.take();
    bias.reset();
    if (consumer.getBias())
      bias = single.find(function, consumer.getBias());
    std::vector<DeadChannel> dead;
    for (int64_t c = 0; c < group.width; ++c) {
      const Interval &interval = (*bounds)[size_t(c)];
      if (!isTaken(c))
        dead.push_back({c, 0});
      else if (interval.isConstant() && (interval.low == 0 || bias))
        dead.push_back({c, interval.low});
    }
    return dead;
  }

  /// Of the group that was looked for last.
  void drop(const ChannelGroup &group, llvm::ArrayRef<DeadChannel> dead,
            TensorEdits &edits) const {
    std::vector<int64_t> kept;
    std::vector<double> sums(size_t(weights.rows()), 0.0);
    for (int64_t c = 0; c < group.width; ++c) {
      if (dead.empty() || dead.front().number != c) {
        kept.push_back(c);
        continue;
      }
      for (int64_t r = 0; r < weights.rows(); ++r)
        sums[size_t(r)] += weights.at(r, c) * dead.front().value;
      dead = dead.drop_front();
    }
    if (bias && llvm::any_of(sums, [](double sum) { return sum != 0; }))
      edits.add(*bias, sums);
    auto side = [&](size_t number, bool outputs) {
      bool outIn = found.maps[number].storage == ir::Storage::OutIn;
      edits.keep(found.maps[number].name, outputs == outIn ? 0 : 1, kept);
    };
    side(group.consumer, /*outputs=*/false);
    for (const ChannelProducer &producer : group.producers) {
      side(producer.map, /*outputs=*/true);
      if (!producer.bias.empty())
        edits.keep(producer.bias, 0, kept);
    }
  }

private:
  bool isTaken(int64_t channel) const {
    for (int64_t r = 0; r < weights.rows(); ++r)
      if (weights.at(r, channel) != 0)
        return true;
    return false;
  }

  const std::vector<LayerFunction> &functions;
  SingleUses single;
  const LinearMaps &found;
  const Archive &archive;
  ir::LinearOp consumer;
  Matrix weights;
  std::optional<std::string> bias;
};

} // namespace

Result<int64_t> dropDeadChannels(const std::vector<ChannelGroup> &groups,
                                 const std::vector<LayerFunction> &functions,
                                 const LinearMaps &found,
                                 const Archive &archive, TensorEdits &edits,
                                 std::set<std::string> &declined) {
  DeadChannelFinder finder(functions, found, archive);
  // The group with the fewest says how many go; a map needs one channel.
  int64_t dropped = groups.front().width - 1, most = 0;
  std::string least;
  for (const ChannelGroup &group : groups) {
    Result<std::vector<DeadChannel>> dead = finder.find(group);
    if (!dead)
      return dead.error();
    auto count = int64_t(dead->size());
    most = std::max(most, count);
    if (count < dropped || least.empty())
      least = found.maps[group.consumer].name;
    dropped = std::min(dropped, count);
  }
  if (most == 0)
    declined.insert("dead channels: there are none");
  else if (most > dropped)
    declined.insert("dead channels: up to " + std::to_string(most) +
                    " in a layer, but only " + std::to_string(dropped) +
                    " that can go before " + least +
                    " (layers have one width)");
  for (const ChannelGroup &group : groups) {
    if (dropped == 0)
      break;
    Result<std::vector<DeadChannel>> dead = finder.find(group);
    if (!dead)
      return dead.error();
    finder.drop(group, llvm::ArrayRef(*dead).take_front(size_t(dropped)),
                edits);
  }
  return dropped;
}

} // namespace linnet::compress
