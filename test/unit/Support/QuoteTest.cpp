//===- QuoteTest.cpp ------------------------------------------------------===//

#include "linnet/Support/Quote.h"

#include <gtest/gtest.h>

using namespace linnet;

TEST(Quote, LeavesOrdinaryNamesAlone) {
  EXPECT_EQ(quoteName("model.layers.0"), "'model.layers.0'");
  EXPECT_EQ(quoteName(""), "''");
  EXPECT_EQ(quoteName("größe"), "'größe'");
}

TEST(Quote, EscapesWhatWouldBreakTheLine) {
  EXPECT_EQ(quoteName("a\nb\x7f"), "'a\\x0ab\\x7f'");
  EXPECT_EQ(quoteName(std::string_view("a\0b", 3)), "'a\\x00b'");
  EXPECT_EQ(quoteName("a\xff"), "'a\\xff'");
}

TEST(Quote, CutsLongNames) {
  std::string quoted = quoteName(std::string(10000, 'x'));
  EXPECT_EQ(quoted, "'" + std::string(200, 'x') + "...'");
}

TEST(Utf8, AcceptsEveryLength) {
  EXPECT_TRUE(isUtf8(""));
  EXPECT_TRUE(isUtf8("a\u00e9\u20ac\U0001F600"));
  EXPECT_TRUE(isUtf8("\xF4\x8F\xBF\xBF")) << "U+10FFFF";
  EXPECT_TRUE(isUtf8("\xED\x9F\xBF\xEE\x80\x80")) << "around the surrogates";
}

TEST(Utf8, RejectsMalformedSequences) {
  for (std::string_view bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x80\x80",
        "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFE", "\xFF", "ok\xF0\x9F\x98"})
    EXPECT_FALSE(isUtf8(bad)) << quoteName(bad);
}
