//===- RooflineTest.cpp ---------------------------------------------------===//

#include "linnet/Runtime/Roofline.h"

#include "test/unit/Support/TestFiles.h"

using namespace linnet;
using namespace linnet::test;

namespace {

// Bounds that any machine of the last decade keeps, however busy, and that a
// loop the compiler removed would break.
TEST(RooflineTest, MeasuresSomethingPossible) {
  RooflineOptions options;
  options.bufferBytes = int64_t(128) << 20;
  options.seconds = 0.05;
  auto roofline = measureRoofline(options);
  ASSERT_TRUE(succeeds(roofline));
  EXPECT_GT(roofline->bytesPerSecond, 2e8);
  EXPECT_LT(roofline->bytesPerSecond, 1e12);
  EXPECT_GT(roofline->flopsPerSecond, 1e9);
  EXPECT_LT(roofline->flopsPerSecond, 1e12);
}

TEST(RooflineTest, OddSizesAndThreads) {
  RooflineOptions options;
  options.threads = 3;
  options.bufferBytes = 1000003;
  options.seconds = 0;
  EXPECT_TRUE(succeeds(measureRoofline(options)));
  options.bufferBytes = 0;
  EXPECT_TRUE(succeeds(measureRoofline(options)));
  options.threads = 0;
  EXPECT_TRUE(failsWith(measureRoofline(options), "at least 1 thread"));
}

} // namespace
