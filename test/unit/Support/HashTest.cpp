//===- HashTest.cpp - against published XXH64 values ----------------------===//

#include "linnet/Support/Hash.h"

#include <gtest/gtest.h>

using namespace linnet;

TEST(Hash, MatchesPublishedVectors) {
  EXPECT_EQ(toHex(hashBytes("")), "ef46db3751d8e999");
  EXPECT_EQ(toHex(hashBytes("a")), "d24ec4f1a98c6e5b");
  EXPECT_EQ(toHex(hashBytes("abc")), "44bc2cf5ad770999");
  // Longer than one stripe, with a tail of every kind (8, 4 and single bytes).
  EXPECT_EQ(toHex(hashBytes("Call me Ishmael. Some years ago--never mind how "
                            "long precisely-")),
            "02a2e85470d6fd96");
}

TEST(Hash, DependsOnTheSeed) {
  EXPECT_NE(hashBytes("abc", 3, /*seed=*/1), hashBytes("abc"));
  EXPECT_EQ(hashBytes("abc", 3, /*seed=*/0), hashBytes("abc"));
}

TEST(Hash, DoesNotDependOnHowTheInputIsCut) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += static_cast<char>(i * 37);
  for (size_t length = 0; length <= text.size(); ++length) {
    uint64_t whole = hashBytes(text.data(), length);
    for (size_t piece : {1, 3, 7, 31, 32, 33, 64, 100}) {
      Hasher hasher;
      for (size_t at = 0; at < length; at += piece)
        hasher.update(text.data() + at, std::min(piece, length - at));
      ASSERT_EQ(hasher.finish(), whole) << length << " in pieces of " << piece;
    }
  }
}

TEST(Hash, FinishDoesNotEndTheStream) {
  Hasher hasher;
  hasher.update("ab");
  EXPECT_EQ(hasher.finish(), hashBytes("ab"));
  hasher.update("c");
  EXPECT_EQ(hasher.finish(), hashBytes("abc"));
}

TEST(Hash, IntegersAreEightLittleEndianBytes) {
  EXPECT_EQ(Hasher().update(uint64_t(0x0807060504030201)).finish(),
            hashBytes("\x01\x02\x03\x04\x05\x06\x07\x08"));
}

TEST(Hash, EmptyUpdatesChangeNothing) {
  EXPECT_EQ(Hasher().update(nullptr, 0).update("abc").update("").finish(),
            hashBytes("abc"));
}

TEST(Hash, HexHasSixteenDigits) {
  EXPECT_EQ(toHex(0), "0000000000000000");
  EXPECT_EQ(toHex(0x1f), "000000000000001f");
  EXPECT_EQ(toHex(~uint64_t(0)), "ffffffffffffffff");
}
