//===- ResultTest.cpp -----------------------------------------------------===//

#include "linnet/Support/Result.h"

#include <gtest/gtest.h>

#include <memory>

using namespace linnet;

TEST(Result, HoldsAValue) {
  Result<int> result = 7;
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 7);
}

TEST(Result, HoldsAnError) {
  Result<int> result = makeError("expected ", 3, ", but got ", 4);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().str(), "expected 3, but got 4");
}

TEST(Result, TakesMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  ASSERT_TRUE(result);
  std::unique_ptr<int> taken = result.take();
  EXPECT_EQ(*taken, 5);
}

TEST(Result, ReachesMembers) {
  Result<std::string> result = std::string("abc");
  EXPECT_EQ(result->size(), 3u);
}

TEST(Status, IsSuccessByDefault) { EXPECT_TRUE(Status()); }

TEST(Status, HoldsAnError) {
  Status status = makeError("no");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().str(), "no");
}
