//===- JsonTest.cpp - parsing and formatting ------------------------------===//

#include "TestFiles.h"

#include "linnet/Support/Json.h"

#include <chrono>
#include <cmath>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Json parsed(std::string_view text) {
  Result<Json> value = parseJson(text, "t");
  EXPECT_TRUE(succeeds(value)) << text;
  return value ? *value : Json("PARSE ERROR");
}

struct BadCase {
  std::string text;
  std::string error;
};

class JsonErrors : public ::testing::TestWithParam<BadCase> {};

} // namespace

TEST(Json, ParsesScalars) {
  EXPECT_EQ(parsed("null"), Json(nullptr));
  EXPECT_EQ(parsed(" true "), Json(true));
  EXPECT_EQ(parsed("false\n"), Json(false));
  EXPECT_EQ(parsed("\"\""), Json(""));
  EXPECT_EQ(parsed("0"), Json(0));
  EXPECT_EQ(parsed("-0").get<double>(), 0.0);
  EXPECT_EQ(parsed("-17"), Json(-17));
}

TEST(Json, ParsesContainers) {
  EXPECT_EQ(parsed("[]"), Json::array());
  EXPECT_EQ(parsed("{}"), Json::object());
  EXPECT_EQ(parsed("[1, [2, []], {\"a\": {\"b\": null}}]"),
            Json::parse("[1, [2, []], {\"a\": {\"b\": null}}]"));
}

TEST(Json, KeepsIntegersExact) {
  EXPECT_EQ(parsed("9223372036854775807").get<int64_t>(), INT64_MAX);
  EXPECT_EQ(parsed("-9223372036854775808").get<int64_t>(), INT64_MIN);
  Json large = parsed("18446744073709551615");
  ASSERT_TRUE(large.is_number_unsigned());
  EXPECT_EQ(large.get<uint64_t>(), UINT64_MAX);
  // One more than uint64 holds.
  Json larger = parsed("18446744073709551616");
  ASSERT_TRUE(larger.is_number_float());
  EXPECT_EQ(larger.get<double>(), 0x1p64);
}

TEST(Json, RoundsDecimalsCorrectly) {
  EXPECT_EQ(parsed("1e-05").get<double>(), 1e-5);
  EXPECT_EQ(parsed("0.1").get<double>(), 0.1);
  EXPECT_EQ(parsed("1E+2").get<double>(), 100.0);
  EXPECT_EQ(parsed("1.7976931348623157e308").get<double>(),
            std::numeric_limits<double>::max());
  EXPECT_EQ(parsed("5e-324").get<double>(), 0x1p-1074);
  EXPECT_EQ(parsed("1e-400").get<double>(), 0.0) << "underflow is not an error";
  EXPECT_TRUE(parsed("1.0").is_number_float());
}

TEST(Json, AcceptsBareNonFiniteTokens) {
  Json list = parsed("[Infinity, -Infinity, NaN, 0.0]");
  EXPECT_EQ(list[0].get<double>(), kInf);
  EXPECT_EQ(list[1].get<double>(), -kInf);
  EXPECT_TRUE(std::isnan(list[2].get<double>()));
  EXPECT_EQ(parsed("{\"time_step_limit\":[0.0,Infinity]}")["time_step_limit"][1]
                .get<double>(),
            kInf);
}

TEST(Json, LeavesTokensInsideStringsAlone) {
  EXPECT_EQ(parsed("[\"Infinity\", \"a \\\"NaN\\\" b\"]"),
            Json({"Infinity", "a \"NaN\" b"}));
}

TEST(Json, RewritesFloatObjects) {
  EXPECT_EQ(parsed("{\"__float__\": \"Infinity\"}").get<double>(), kInf);
  EXPECT_EQ(parsed("{\"__float__\": \"-Infinity\"}").get<double>(), -kInf);
  EXPECT_TRUE(std::isnan(parsed("{\"__float__\": \"NaN\"}").get<double>()));
}

TEST(Json, LeavesOtherFloatObjectsAlone) {
  EXPECT_TRUE(parsed("{\"__float__\": \"Inf\"}").is_object());
  EXPECT_TRUE(parsed("{\"__float__\": 1}").is_object());
  EXPECT_TRUE(parsed("{\"__float__\": \"NaN\", \"b\": 1}").is_object());
}

TEST(Json, DecodesEscapes) {
  EXPECT_EQ(parsed(R"("\"\\\/\b\f\n\r\t")"), Json("\"\\/\b\f\n\r\t"));
  EXPECT_EQ(parsed(R"("\u0041\u00e9\u20AC\uD83D\ude00")"),
            Json("A\u00e9\u20ac\U0001F600"));
  EXPECT_EQ(parsed(R"("\u0000")"), Json(std::string(1, '\0')));
  EXPECT_EQ(parsed(R"("\uffff")"), Json("\uffff"));
}

TEST(Json, KeepsUtf8) {
  EXPECT_EQ(parsed("\"\u00e9\u20ac\U0001F600\""),
            Json("\u00e9\u20ac\U0001F600"));
  EXPECT_EQ(parsed("\"\x7f\""), Json("\x7f"));
}

TEST(Json, SkipsAByteOrderMark) {
  EXPECT_EQ(parsed("\xEF\xBB\xBF{}"), Json::object());
}

TEST(Json, NestsUpToTheLimit) {
  std::string open(kMaxJsonDepth, '['), close(kMaxJsonDepth, ']');
  EXPECT_TRUE(succeeds(parseJson(open + close, "t")));
  EXPECT_TRUE(failsWith(parseJson("[" + open + close + "]", "t"),
                        "t:1:257: nested deeper than 256 levels"));
}

TEST(Json, RefusesHundredMegabytesOfNestingAtOnce) {
  for (const char *unit : {"[", "{\"a\":"}) {
    std::string text;
    while (text.size() < 100'000'000)
      text += unit;
    auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(failsWith(parseJson(text, "t"), "nested deeper"));
    std::chrono::duration<double> seconds =
        std::chrono::steady_clock::now() - begin;
    EXPECT_LT(seconds.count(), 1.0);
  }
}

TEST(Json, ReadsAnUnterminatedHundredMegabyteString) {
  std::string text = "\"" + std::string(100'000'000, 'x');
  EXPECT_TRUE(
      failsWith(parseJson(text, "t"), "expected the end of the string"));
}

TEST_P(JsonErrors, NamePlaceAndReason) {
  EXPECT_TRUE(failsWith(parseJson(GetParam().text, "f.json"), GetParam().error))
      << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Table, JsonErrors,
    ::testing::Values(
        BadCase{"", "f.json:1:1: expected a value, but got the end"},
        BadCase{"  \n ", "f.json:2:2: expected a value"},
        BadCase{"{\n  \"a\": 1,\n  \"b\" 2\n}",
                "f.json:3:7: expected ':', but got '2'"},
        BadCase{"[1, 2", "f.json:1:6: expected ',' or ']', but got the end"},
        BadCase{"[1 2]", "f.json:1:4: expected ',' or ']', but got '2'"},
        BadCase{"[1,]", "f.json:1:4: expected a value, but got ']'"},
        BadCase{"{\"a\":1,}", "f.json:1:8: expected a key, but got '}'"},
        BadCase{"{a:1}", "f.json:1:2: expected a key"},
        BadCase{"{\"a\":1 \"b\":2}", "f.json:1:8: expected ',' or '}'"},
        BadCase{"{\"a\":1,\"a\":2}", "f.json:1:8: duplicate key \"a\""},
        BadCase{"{\"a\":1,\"\\u0061\":2}", "f.json:1:8: duplicate key \"a\""},
        BadCase{"[] []", "f.json:1:4: expected the end of the document"},
        BadCase{"01", "leading zeros"}, BadCase{"-", "expected a digit"},
        BadCase{"-01", "leading zeros"},
        BadCase{"1.", "f.json:1:3: expected a digit"},
        BadCase{".5", "expected a value, but got '.'"},
        BadCase{"+1", "expected a value, but got '+'"},
        BadCase{"1e", "expected a digit"}, BadCase{"1e+", "expected a digit"},
        BadCase{"1e400", "f.json:1:1: the number is too large for a double"},
        BadCase{"-1e400", "f.json:1:1: the number is too large"},
        BadCase{"tru", "expected a value, but got 't'"},
        BadCase{"Inf", "expected a value, but got 'I'"},
        BadCase{"-Inf", "expected a digit"}, BadCase{"nan", "expected a value"},
        BadCase{"NaNa", "expected the end of the document"},
        BadCase{"'a'", "expected a value"},
        BadCase{"\"a", "expected the end of the string"},
        BadCase{"\"a\nb\"", "f.json:1:3: control character in a string"},
        BadCase{std::string("\"a\0b\"", 5), "control character in a string"},
        BadCase{std::string("\0", 1), "expected a value, but got byte 0x00"},
        BadCase{"\"\\x\"", "expected an escape character, but got 'x'"},
        BadCase{std::string("\"\\\0\"", 4), "expected an escape character"},
        BadCase{"\"\\", "expected an escape character, but got the end"},
        BadCase{"\"\\u12g4\"", "expected four hexadecimal digits"},
        BadCase{"\"\\u12", "expected four hexadecimal digits"},
        BadCase{"\"\\ud800\"", "unpaired surrogate"},
        BadCase{"\"\\ud800\\u0041\"", "unpaired surrogate"},
        BadCase{"\"\\udc00\"", "unpaired surrogate"},
        BadCase{"\"\xff\"", "f.json:1:2: invalid UTF-8 in a string"},
        BadCase{"\"\xC0\x80\"", "invalid UTF-8"},
        BadCase{"\"\xED\xA0\x80\"", "invalid UTF-8"},
        BadCase{"\"\xE2\x82\"", "invalid UTF-8"},
        BadCase{"\xff", "expected a value, but got byte 0xff"},
        BadCase{"// no\n1", "expected a value, but got '/'"}));

TEST(Json, DuplicateKeyErrorsStayShort) {
  std::string key(100'000, 'k');
  std::string text = "{\"" + key + "\":1,\"" + key + "\":2}";
  EXPECT_TRUE(failsWith(parseJson(text, "t"), "duplicate key"));
}

TEST(Json, ReadsFiles) {
  TemporaryDirectory dir;
  std::string path = dir.put("a.json", "{\"a\": 1}");
  Result<Json> value = readJsonFile(path);
  ASSERT_TRUE(succeeds(value));
  EXPECT_EQ((*value)["a"], Json(1));
}

TEST(Json, FileErrorsNameTheFile) {
  TemporaryDirectory dir;
  EXPECT_TRUE(failsWith(readJsonFile(dir.file("none.json")), "none.json"));
  EXPECT_TRUE(failsWith(readJsonFile(dir.put("bad.json", "{")),
                        "/bad.json:1:2: expected a key"));
}

TEST(Json, ReadsEveryFixtureConfiguration) {
  int count = 0;
  for (const auto &entry :
       std::filesystem::recursive_directory_iterator(LINNET_ORACLE_DIR)) {
    if (entry.path().extension() != ".json")
      continue;
    ++count;
    EXPECT_TRUE(succeeds(readJsonFile(entry.path().string())));
  }
  EXPECT_GT(count, 30);
}

TEST(Json, ReadsTheInfinityOfMamba2) {
  Result<Json> config =
      readJsonFile(LINNET_ORACLE_DIR "/hf/mamba2/config.json");
  ASSERT_TRUE(succeeds(config));
  EXPECT_EQ((*config)["time_step_limit"][0].get<double>(), 0.0);
  EXPECT_EQ((*config)["time_step_limit"][1].get<double>(), kInf);
}

TEST(Json, FormatsWhatItReadsBack) {
  Json value = {{"a", {1, 2.5, kInf, -kInf}}, {"b", "\u00e9\n"}};
  for (int indent : {-1, 0, 2}) {
    Result<Json> back = parseJson(formatJson(value, indent), "t");
    ASSERT_TRUE(succeeds(back));
    EXPECT_EQ(*back, value);
  }
  EXPECT_EQ(formatJson(Json{{"x", kInf}}, -1),
            "{\"x\":{\"__float__\":\"Infinity\"}}");
  EXPECT_EQ(formatJson(Json(std::nan("")), -1), "{\"__float__\":\"NaN\"}");
}

TEST(Json, FormattingReplacesInvalidUtf8) {
  EXPECT_EQ(formatJson(Json("a\xff"), -1), "\"a\uFFFD\"");
}
