//===- NormalizerTest.cpp - changes to text before it is split ------------===//

#include "lib/Tokenizer/Normalizer.h"
#include "lib/Tokenizer/Unicode.h"

#include <gtest/gtest.h>

#include <vector>

using namespace linnet;
using namespace linnet::tokenizer;

namespace {

std::string after(std::vector<Normalization> steps, std::string_view text) {
  const Result<std::string> result = normalize(text, steps);
  if (!result) {
    ADD_FAILURE() << result.error().str();
    return "";
  }
  return *result;
}

TEST(Normalizer, AppliesStepsInOrder) {
  EXPECT_EQ(after({}, "É"), "É");
  EXPECT_EQ(after({Normalization::NFD, Normalization::StripMarks}, "É"), "E");
  EXPECT_EQ(after({Normalization::StripMarks, Normalization::NFD}, "É"),
            "E\u0301");
}

TEST(Normalizer, CleansText) {
  const auto clean = [](std::string_view text) {
    return after({Normalization::CleanText}, text);
  };
  EXPECT_EQ(clean("a\tb\nc\rd"), "a b c d");
  // No-break, ideographic and line-separating space.
  EXPECT_EQ(clean("a\u00a0b\u3000c\u2028d"), "a b c d");
  EXPECT_EQ(clean(std::string_view("a\0b", 3)), "ab");
  // White space that is a control character goes.
  EXPECT_EQ(clean("a\x0b\x0c\u0085\x7f"
                  "b"),
            "ab");
  EXPECT_EQ(clean("a\u200b\u200d\u00ad\ufeff\ufffd\ue000b"), "ab");
  // Unassigned when the reference's tables were made, a format character now.
  EXPECT_EQ(clean("a\U00013430"), "a\U00013430");
  EXPECT_EQ(clean("é中😀"), "é中😀");
}

TEST(Normalizer, SpacesIdeographs) {
  const auto space = [](std::string_view text) {
    return after({Normalization::SpaceIdeographs}, text);
  };
  EXPECT_EQ(space("a中国b"), "a 中  国 b");
  // The ends of the blocks and what lies beside them.
  EXPECT_EQ(space("\u3400\u4dbf\u4dc0"), " \u3400  \u4dbf \u4dc0");
  EXPECT_EQ(space("\u4e00\u9fff\ua000"), " \u4e00  \u9fff \ua000");
  EXPECT_EQ(space("\uf900\ufaff\ufb00"), " \uf900  \ufaff \ufb00");
  EXPECT_EQ(space("\U00020000\U0002a6df"), " \U00020000  \U0002a6df ");
  EXPECT_EQ(space("\U0002b81f\U0002b820"), " \U0002b81f \U0002b820");
  EXPECT_EQ(space("かな カナ 한글"), "かな カナ 한글");
}

TEST(Normalizer, StripsNonspacingMarksOnly) {
  const auto strip = [](std::string_view text) {
    return after({Normalization::StripMarks}, text);
  };
  EXPECT_EQ(strip("e\u0301\u0308x\u20d0"), "ex");
  // A spacing mark, an enclosing mark, an accent that is part of its letter.
  EXPECT_EQ(strip("\u0915\u0903 a\u20dd é"), "\u0915\u0903 a\u20dd é");
  // Newer than the reference's tables.
  EXPECT_EQ(strip("a\u1ac0"), "a\u1ac0");
}

TEST(Normalizer, LowersEachCharacterByItself) {
  const auto lower = [](std::string_view text) {
    return after({Normalization::Lowercase}, text);
  };
  EXPECT_EQ(lower("AbÉŻ ΣΑΣ ПРИВЕТ"), "abéż σασ привет");
  EXPECT_EQ(lower("\u0130I"), "i\u0307i");
  EXPECT_EQ(lower("ẞ ǅ \U00010400"), "ß ǆ \U00010428");
}

TEST(Characters, PunctuationTakesInAsciiSymbols) {
  for (char character : std::string_view("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"))
    EXPECT_TRUE(isPunctuation(character)) << character;
  for (char character : std::string_view("09azAZ \t\x7f"))
    EXPECT_FALSE(isPunctuation(character)) << character;
  for (char32_t character : {U'«', U'—', U'。', U'¿', U'\u2e42'})
    EXPECT_TRUE(isPunctuation(character)) << uint32_t(character);
  // Symbols beyond ASCII, and punctuation newer than the reference's tables.
  for (char32_t character : {U'€', U'×', U'©', U'\u2e4f'})
    EXPECT_FALSE(isPunctuation(character)) << uint32_t(character);
}

TEST(Characters, KeepTheCategoryTheyHadInUnicode8) {
  EXPECT_TRUE(isPunctuation(0x166D));
  EXPECT_TRUE(isPunctuation(0x111C9));
  EXPECT_TRUE(isNonspacingMark(0x1734));
  for (char32_t character : {0x111C9, 0x1885, 0x1886, 0xA9BD})
    EXPECT_FALSE(isNonspacingMark(character)) << uint32_t(character);
}

TEST(Characters, AreVisitedWithTheirOffsets) {
  std::vector<std::pair<char32_t, size_t>> seen;
  forEachCharacter("aé中😀b", [&](char32_t character, size_t offset) {
    seen.emplace_back(character, offset);
  });
  EXPECT_EQ(seen,
            (std::vector<std::pair<char32_t, size_t>>{
                {U'a', 0}, {U'é', 1}, {U'中', 3}, {U'😀', 6}, {U'b', 10}}));
}

} // namespace
