//===- KernelTimesTest.cpp - a table of measured kernels ------------------===//

#include "lib/Compress/KernelTimes.h"

#include "gtest/gtest.h"

using namespace linnet;
using namespace linnet::compress;

namespace {

LinearMap mapOf(int64_t rows, int64_t columns) {
  LinearMap map;
  map.name = "w";
  map.rows = rows;
  map.columns = columns;
  map.dtype = DataType::BF16;
  return map;
}

KernelTimes measure(const std::vector<LinearMap> &maps,
                    llvm::ArrayRef<const MapStructure *> structures,
                    const CompressOptions &options = {}) {
  Result<KernelTimes> times =
      KernelTimes::measure(maps, structures, options, CompressReport());
  EXPECT_TRUE(bool(times)) << times.error().str();
  return times.take();
}

TEST(KernelTimesTest, MeasuresEachShapeAndStructureOnce) {
  LinearMap wide = mapOf(40, 72), high = mapOf(72, 40);
  KernelTimes times =
      measure({wide, high, wide}, {&lowRankStructure(), &int8Structure()});
  // The dense one and int8 at one size, factors at three.
  Json list = times.describe();
  EXPECT_EQ(list.size(), 10u);
  for (const Json &entry : list) {
    EXPECT_GT(entry["seconds"].get<double>(), 0);
    EXPECT_GT(entry["bytes"].get<int64_t>(), 0);
  }
  EXPECT_GT(times.secondsOf(wide, denseStructure(), {}), 0);
  EXPECT_GT(times.secondsOf(high, int8Structure(), {{"group", 64}}), 0);
}

TEST(KernelTimesTest, LiesBetweenWhatWasMeasured) {
  LinearMap map = mapOf(40, 72);
  KernelTimes times = measure({map}, {&lowRankStructure()});
  std::vector<std::pair<double, double>> points;
  for (const Json &entry : times.describe())
    if (entry["structure"] == "low_rank")
      points.emplace_back(entry["bytes"].get<double>(),
                          entry["seconds"].get<double>());
  ASSERT_EQ(points.size(), 3u);
  // A rank takes 2 (40 + 72) bytes.
  for (int64_t rank = 8; rank <= 24; rank += 8) {
    double bytes = double(rank) * 224;
    for (size_t i = 1; i < points.size(); ++i) {
      auto [low, below] = points[i - 1];
      auto [high, above] = points[i];
      if (bytes < low || bytes > high)
        continue;
      double expected = below + (above - below) * (bytes - low) / (high - low);
      EXPECT_NEAR(times.secondsOf(map, lowRankStructure(), {{"rank", rank}}),
                  expected, 1e-12);
    }
  }
}

TEST(KernelTimesTest, ScalesLargeShapesByBytes) {
  // As many columns as are measured, four times the rows.
  LinearMap part = mapOf(KernelTimes::kMeasuredSide, 48),
            whole = mapOf(4 * KernelTimes::kMeasuredSide, 48);
  KernelTimes times = measure({whole}, {&int8Structure()});
  EXPECT_EQ(times.describe().size(), 2u);
  PlanNumbers group = {{"group", 48}};
  EXPECT_NEAR(times.secondsOf(whole, int8Structure(), group),
              4 * times.secondsOf(part, int8Structure(), group), 1e-12);
}

TEST(KernelTimesTest, TakesWholeShapesWherePartsDoNotDivide) {
  // 1032 inputs are groups of three, 1024 are none.
  CompressOptions options;
  options.patternKept = 1;
  options.patternSize = 3;
  LinearMap map = mapOf(16, 1032);
  KernelTimes times = measure({map}, {&groupSparseStructure()}, options);
  std::vector<PlanNumbers> candidates =
      groupSparseStructure().candidates(map, options);
  ASSERT_FALSE(candidates.empty());
  EXPECT_GT(times.secondsOf(map, groupSparseStructure(), candidates[0]), 0);
}

TEST(KernelTimesTest, PlainMatricesGainNothing) {
  LinearMap map = mapOf(40, 72);
  KernelTimes times = measure({map}, {&sparseStructure()});
  EXPECT_EQ(times.describe().size(), 1u);
  EXPECT_EQ(times.secondsOf(map, sparseStructure(), {{"kept", 36}}),
            times.secondsOf(map, denseStructure(), {}));
}

} // namespace
