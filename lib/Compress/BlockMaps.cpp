//===- BlockMaps.cpp - blocks that are products ---------------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/BlastFit.h"
#include "linnet/Numerics/BlockLowRank.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {
namespace {

constexpr const char *kRank = "rank", *kBlocks = "blocks";

using Stored = std::vector<std::vector<std::byte>>;

/// The bytes of `blocks`, which are rounded to `type`, one behind the other.
Result<std::vector<std::byte>> roundBlocks(std::vector<Matrix> &blocks,
                                           DataType type) {
  std::vector<std::byte> all;
  for (Matrix &block : blocks) {
    Result<std::vector<std::byte>> bytes = roundMatrix(block, type);
    if (!bytes)
      return bytes.error();
    all.insert(all.end(), bytes->begin(), bytes->end());
  }
  return all;
}

/// Where entry (outer, inner) of runs of `width` stands when inner ones come
/// first, and the way back.
std::vector<int32_t> shuffle(int64_t outer, int64_t inner, int64_t width) {
  std::vector<int32_t> order;
  for (int64_t i = 0; i < inner; ++i)
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t k = 0; k < width; ++k)
        order.push_back(int32_t((o * inner + i) * width + k));
  return order;
}

/// So many blocks along each side of a matrix, and a rank.
class BlockStructure : public MapStructure {
public:
  /// Fits go over the blocks so many times, or `trialRounds` where only a loss
  /// is asked for.
  BlockStructure(int64_t rounds, int64_t trialRounds)
      : rounds(rounds), trialRounds(trialRounds) {}

  std::vector<std::string> keys() const override { return {kBlocks, kRank}; }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override {
    return fitIn(rounds, target, inputs, numbers);
  }
  FitResult tryFit(const Matrix &target, const FitInputs &inputs,
                   const PlanNumbers &numbers) const override {
    return fitIn(trialRounds, target, inputs, numbers);
  }
  bool needsBudget() const override { return true; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    int64_t b = numbers.at(kBlocks);
    if (b < 1 || map.rows % b || map.columns % b)
      return makeError("key 'blocks': expected a divisor of ", map.rows,
                       " and ", map.columns, ", but got ", b);
    return checkRank(map, numbers);
  }
  std::vector<PlanNumbers>
  candidates(const LinearMap &map,
             const CompressOptions &options) const override {
    std::vector<PlanNumbers> found;
    int64_t b = options.blocks, multiple = multipleOf(options);
    if (map.rows % b || map.columns % b)
      return found;
    int64_t last = 0;
    for (double share : {0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8}) {
      auto rank = int64_t(share * double(map.parameters()) /
                          double(numbersOfRank(map, b)));
      rank = std::min(rank / multiple * multiple, mostRank(map, b));
      if (rank > last)
        found.push_back({{kBlocks, b}, {kRank, rank}});
      last = std::max(rank, last);
    }
    return found;
  }
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return numbers.at(kRank) * numbersOfRank(map, numbers.at(kBlocks));
  }

private:
  virtual FitResult fitIn(int64_t rounds, const Matrix &w,
                          const FitInputs &inputs,
                          const PlanNumbers &numbers) const = 0;
  virtual Status checkRank(const LinearMap &map,
                           const PlanNumbers &numbers) const = 0;
  /// Planned ranks are multiples of it.
  virtual int64_t multipleOf(const CompressOptions &options) const { return 1; }
  virtual int64_t mostRank(const LinearMap &map, int64_t blocks) const = 0;
  /// What one more of the rank stores.
  virtual int64_t numbersOfRank(const LinearMap &map, int64_t blocks) const = 0;

  int64_t rounds, trialRounds;
};

//===----------------------------------------------------------------------===//
// BLAST
//===----------------------------------------------------------------------===//

class BlastMap : public FittedMap {
public:
  explicit BlastMap(BlastFactors factors) : factors(std::move(factors)) {}
  Matrix toDense() const override { return factors.toDense(); }
  Result<Stored> store(const LinearMap &map) override {
    auto b = int64_t(factors.left.size());
    int64_t rank = factors.diagonals.columns();
    Result<std::vector<std::byte>> left = roundBlocks(factors.left, map.dtype),
                                   right =
                                       roundBlocks(factors.right, map.dtype);
    // Row k is what the blocks share of direction k.
    Matrix shared = factors.diagonals.transposed();
    Result<std::vector<std::byte>> middle = roundMatrix(shared, map.dtype);
    for (auto *bytes : {&left, &right, &middle})
      if (!*bytes)
        return bytes->error();
    factors.diagonals = shared.transposed();
    return Stored{left.take(), bytesOf(shuffle(rank, b, 1)), middle.take(),
                  bytesOf(shuffle(b, rank, 1)), right.take()};
  }

private:
  BlastFactors factors;
};

class BlastStructure : public BlockStructure {
public:
  BlastStructure() : BlockStructure(60, 8) {}

  std::string_view name() const override { return "blast"; }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    int64_t b = numbers.at(kBlocks), rank = numbers.at(kRank);
    return {{"left", map.dtype, {b, map.rows / b, rank}},
            {"left_order", DataType::I32, {b * rank}},
            {"diagonals", map.dtype, {rank, b, b}},
            {"right_order", DataType::I32, {b * rank}},
            {"right", map.dtype, {b, rank, map.columns / b}}};
  }
  std::string attribute(const LinearMap &, const PlanNumbers &) const override {
    return "product<[#linnet.block_diagonal, #linnet.permutation, "
           "#linnet.block_diagonal, #linnet.permutation, "
           "#linnet.block_diagonal]>";
  }

private:
  Status checkRank(const LinearMap &map,
                   const PlanNumbers &numbers) const override {
    return lowRankStructure().check(map, numbers);
  }
  int64_t multipleOf(const CompressOptions &options) const override {
    return options.rankMultiple;
  }
  int64_t mostRank(const LinearMap &map, int64_t) const override {
    return std::min(map.rows, map.columns);
  }
  int64_t numbersOfRank(const LinearMap &map, int64_t blocks) const override {
    return map.rows + map.columns + blocks * blocks;
  }

  /// Inputs count as they are large: the fit is of W diag(s), s their root mean
  /// squares, and right is divided by s again.
  FitResult fitIn(int64_t rounds, const Matrix &w, const FitInputs &inputs,
                  const PlanNumbers &numbers) const override {
    std::vector<double> scales(size_t(w.columns()), 1.0);
    if (!inputs.areIndependent()) {
      double mean = trace(inputs.moment()) / double(w.columns());
      for (int64_t i = 0; i < w.columns(); ++i)
        scales[size_t(i)] =
            std::sqrt(inputs.moment().at(i, i) + kLeastInput * mean);
    }
    Matrix scaled = w;
    for (int64_t r = 0; r < w.rows(); ++r)
      for (int64_t c = 0; c < w.columns(); ++c)
        scaled.at(r, c) *= scales[size_t(c)];
    BlastOptions options;
    options.iterations = rounds;
    Result<BlastFit> fitted =
        fitBlast(scaled, numbers.at(kBlocks), numbers.at(kRank), options);
    if (!fitted)
      return fitted.error();
    BlastFactors factors = std::move(fitted->factors);
    int64_t at = 0;
    for (Matrix &block : factors.right) {
      for (int64_t r = 0; r < block.rows(); ++r)
        for (int64_t c = 0; c < block.columns(); ++c)
          block.at(r, c) /= scales[size_t(at + c)];
      at += block.columns();
    }
    return std::unique_ptr<FittedMap>(
        std::make_unique<BlastMap>(std::move(factors)));
  }

  /// What an input counts at least, of the mean.
  static constexpr double kLeastInput = 1e-4;
};

//===----------------------------------------------------------------------===//
// Monarch
//===----------------------------------------------------------------------===//

class MonarchMap : public FittedMap {
public:
  explicit MonarchMap(BlockLowRank fitted) : fitted(std::move(fitted)) {}
  Matrix toDense() const override { return fitted.toDense(); }
  Result<Stored> store(const LinearMap &map) override {
    Result<std::vector<std::byte>> left = roundBlocks(fitted.left, map.dtype),
                                   right = roundBlocks(fitted.right, map.dtype);
    for (auto *bytes : {&left, &right})
      if (!*bytes)
        return bytes->error();
    // From (column, row, direction) to (row, column, direction).
    int64_t b = fitted.blocks, rank = fitted.left[0].columns() / b;
    return Stored{left.take(), bytesOf(shuffle(b, b, rank)), right.take()};
  }

private:
  BlockLowRank fitted;
};

class MonarchStructure : public BlockStructure {
public:
  MonarchStructure() : BlockStructure(6, 1) {}

  std::string_view name() const override { return "monarch"; }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    int64_t b = numbers.at(kBlocks), middle = b * numbers.at(kRank);
    return {{"left", map.dtype, {b, map.rows / b, middle}},
            {"order", DataType::I32, {b * middle}},
            {"right", map.dtype, {b, middle, map.columns / b}}};
  }
  std::string attribute(const LinearMap &, const PlanNumbers &) const override {
    return "product<[#linnet.block_diagonal, #linnet.permutation, "
           "#linnet.block_diagonal]>";
  }

private:
  Status checkRank(const LinearMap &map,
                   const PlanNumbers &numbers) const override {
    int64_t b = numbers.at(kBlocks), rank = numbers.at(kRank),
            most = mostRank(map, b);
    if (rank < 1 || rank > most)
      return makeError("key 'rank': expected 1 to ", most, " for blocks of ",
                       map.rows / b, " x ", map.columns / b, ", but got ",
                       rank);
    return {};
  }
  int64_t mostRank(const LinearMap &map, int64_t blocks) const override {
    return std::min(map.rows, map.columns) / blocks;
  }
  int64_t numbersOfRank(const LinearMap &map, int64_t blocks) const override {
    return blocks * (map.rows + map.columns);
  }

  FitResult fitIn(int64_t rounds, const Matrix &w, const FitInputs &inputs,
                  const PlanNumbers &numbers) const override {
    Result<BlockLowRank> fitted =
        fitBlockLowRank(w, inputs.knownMoment(), numbers.at(kBlocks),
                        numbers.at(kRank), rounds);
    if (!fitted)
      return fitted.error();
    return std::unique_ptr<FittedMap>(
        std::make_unique<MonarchMap>(fitted.take()));
  }
};

} // namespace

const MapStructure &blastStructure() {
  static const BlastStructure structure;
  return structure;
}

const MapStructure &monarchStructure() {
  static const MonarchStructure structure;
  return structure;
}

} // namespace linnet::compress
