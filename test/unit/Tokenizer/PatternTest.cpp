//===- PatternTest.cpp - Oniguruma's patterns by PCRE2 --------------------===//

#include "lib/Tokenizer/Pattern.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::tokenizer;

namespace {

std::vector<std::string> matches(const std::string &pattern,
                                 const std::string &text,
                                 bool literal = false) {
  const Result<Pattern> compiled = Pattern::compile(pattern, literal);
  if (!compiled) {
    ADD_FAILURE() << compiled.error().str();
    return {};
  }
  const Result<std::vector<Pattern::Range>> ranges = compiled->findAll(text);
  if (!ranges) {
    ADD_FAILURE() << ranges.error().str();
    return {};
  }
  std::vector<std::string> parts;
  for (const auto &[begin, end] : *ranges)
    parts.push_back(text.substr(begin, end - begin));
  return parts;
}

std::string compileError(const std::string &pattern) {
  const Result<Pattern> compiled = Pattern::compile(pattern, false);
  return compiled ? "" : compiled.error().str();
}

using Parts = std::vector<std::string>;

TEST(Pattern, ReadsClassesAsUnicodeDoes) {
  EXPECT_EQ(matches("\\w+", "naïve_x\u0301 \u0e01\u0e31"),
            (Parts{"naïve_x\u0301", "\u0e01\u0e31"}));
  EXPECT_EQ(matches("[\\w]+|\\W", "a-b"), (Parts{"a", "-", "b"}));
  // U+180E, the Mongolian vowel separator, is no white space.
  EXPECT_EQ(matches("\\s+", "a\u00a0\u3000b\u180ec"), (Parts{"\u00a0\u3000"}));
  EXPECT_EQ(matches("[^\\s]+", "a\u180e b"), (Parts{"a\u180e", "b"}));
  EXPECT_EQ(matches("\\h+", "xBEEF y"), (Parts{"BEEF"}));
  EXPECT_EQ(matches("\\H+|[\\h]", "xB y"), (Parts{"x", "B", " y"}));
  EXPECT_EQ(matches("\\d+", "12\u0663"), (Parts{"12\u0663"}));
  EXPECT_EQ(matches("\\u4E16", "世界"), (Parts{"世"}));
  EXPECT_EQ(matches("[]a]+", "[a]"), (Parts{"a]"}));
}

TEST(Pattern, FoldsCaseBeyondLatin) {
  EXPECT_EQ(matches("(?i:'s)", "'S'ſ"), (Parts{"'S", "'ſ"}));
}

TEST(Pattern, AnchorsAtLines) {
  EXPECT_EQ(matches("^.+$", "one\ntwo\r\n"), (Parts{"one", "two\r"}));
}

TEST(Pattern, SkipsEmptyMatches) {
  EXPECT_EQ(matches("b*", "aébb"), (Parts{"bb"}));
  EXPECT_EQ(matches("(?=é)", "aé"), (Parts{}));
}

TEST(Pattern, TakesLiteralsAsTheyAre) {
  EXPECT_EQ(matches("a.[", "a.[axb", true), (Parts{"a.["}));
}

TEST(Pattern, RefusesWhatReadsDifferently) {
  for (const char *pattern :
       {"a{1,3}+", "[a[b]]", "[a&&b]", "\\bword", "(?m:.)", "\\v", "\\K",
        "(*UTF)a", "[\\W]", "\\u12", "\\pL", "\\Qa\\E"})
    EXPECT_NE(compileError(pattern).find("expected a pattern without"),
              std::string::npos)
        << pattern << ": " << compileError(pattern);
  EXPECT_NE(compileError("\\p{N}+"), compileError("a{2}+"));
}

TEST(Pattern, RefusesInvalidPatterns) {
  for (const char *pattern : {"(", "[a", "a\\", "\\p{Nonsense}", "*", "[b-a]"})
    EXPECT_NE(compileError(pattern), "") << pattern;
}

TEST(Pattern, StopsCatastrophicBacktracking) {
  const Result<Pattern> pattern = Pattern::compile("(a+)+(a+)+(?=[bc])", false);
  ASSERT_TRUE(pattern);
  const auto ranges = pattern->findAll(std::string(200, 'a') + "!");
  ASSERT_FALSE(ranges);
  EXPECT_NE(ranges.error().str().find("match limit"), std::string::npos)
      << ranges.error().str();
}

TEST(Pattern, SurvivesDeepBacktracking) {
  // Each repetition of the group needs stack: past the compiled matcher's
  // limit the interpreter takes over, and past its own there is an error.
  const Result<Pattern> pattern = Pattern::compile("(?:(a)|b)*c", false);
  ASSERT_TRUE(pattern);
  const auto small = pattern->findAll(std::string(100'000, 'a') + "c");
  ASSERT_TRUE(small) << small.error().str();
  EXPECT_EQ(small->size(), 1u);
  const auto large = pattern->findAll(std::string(4'000'000, 'a') + "c");
  EXPECT_TRUE(large ? large->size() == 1 : !large.error().str().empty());
}

TEST(Pattern, TakesLongRunsInLinearTime) {
  const std::string spaces(4'000'000, ' ');
  EXPECT_EQ(matches("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", spaces + "x").size(), 2u);
}

} // namespace
