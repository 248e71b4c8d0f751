//===- JsonAccessTest.cpp - typed access to members -----------------------===//

#include "TestFiles.h"

#include "linnet/Support/Json.h"

#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

Json config() {
  Result<Json> value = parseJson(R"({
    "int": 5, "negative": -3, "integral": 4096.0, "fraction": 1.5,
    "huge": 18446744073709551615, "far": 1e300, "inf": Infinity, "nan": NaN,
    "yes": true, "text": "silu", "nothing": null,
    "ints": [1, 2.0], "mixed": [1, "a"], "doubles": [0, Infinity],
    "strings": ["a", "b"], "object": {"k": 1}, "empty": []
  })",
                                 "c");
  EXPECT_TRUE(succeeds(value));
  return *value;
}

} // namespace

TEST(JsonAccess, ReadsIntegers) {
  Json c = config();
  EXPECT_EQ(*getInt(c, "int", "c"), 5);
  EXPECT_EQ(*getInt(c, "negative", "c"), -3);
  EXPECT_EQ(*getInt(c, "integral", "c"), 4096);
}

TEST(JsonAccess, RefusesWhatIsNoInteger) {
  Json c = config();
  EXPECT_TRUE(
      failsWith(getInt(c, "fraction", "c.json"),
                "c.json: key 'fraction': expected an integer, but got 1.5"));
  EXPECT_TRUE(failsWith(getInt(c, "text", "c"),
                        "key 'text': expected an integer, but got \"silu\""));
  EXPECT_TRUE(
      failsWith(getInt(c, "huge", "c"), "but got 18446744073709551615"));
  EXPECT_TRUE(failsWith(getInt(c, "far", "c"), "expected an integer"));
  EXPECT_TRUE(failsWith(getInt(c, "inf", "c"), "expected an integer"));
  EXPECT_TRUE(failsWith(getInt(c, "nan", "c"), "expected an integer"));
  EXPECT_TRUE(failsWith(getInt(c, "yes", "c"), "but got true"));
}

TEST(JsonAccess, IntegerLimitsOfDoubles) {
  EXPECT_EQ(*getInt(Json{{"k", -0x1p63}}, "k", "c"), INT64_MIN);
  EXPECT_TRUE(failsWith(getInt(Json{{"k", 0x1p63}}, "k", "c"), "integer"));
}

TEST(JsonAccess, AbsentAndNullGiveTheDefault) {
  Json c = config();
  EXPECT_EQ(*getInt(c, "absent", "c", 9), 9);
  EXPECT_EQ(*getInt(c, "nothing", "c", 9), 9);
  EXPECT_EQ(*getDouble(c, "nothing", "c", 0.5), 0.5);
  EXPECT_EQ(*getBool(c, "absent", "c", true), true);
  EXPECT_EQ(*getString(c, "absent", "c", "gelu"), "gelu");
  EXPECT_EQ(*getInts(c, "absent", "c", std::vector<int64_t>{7}),
            std::vector<int64_t>{7});
}

TEST(JsonAccess, ADefaultDoesNotExcuseAWrongType) {
  Json c = config();
  EXPECT_TRUE(failsWith(getInt(c, "text", "c", 9), "expected an integer"));
  EXPECT_TRUE(failsWith(getBool(c, "int", "c", true), "true or false"));
}

TEST(JsonAccess, AbsentWithoutDefaultIsAnError) {
  Json c = config();
  EXPECT_TRUE(
      failsWith(getInt(c, "absent", "c.json"), "c.json: missing key 'absent'"));
  EXPECT_TRUE(failsWith(getString(c, "nothing", "c"), "missing key 'nothing'"));
}

TEST(JsonAccess, ReadsTheOtherTypes) {
  Json c = config();
  EXPECT_EQ(*getDouble(c, "int", "c"), 5.0);
  EXPECT_EQ(*getDouble(c, "inf", "c"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(*getDouble(c, "huge", "c"), 0x1p64);
  EXPECT_EQ(*getBool(c, "yes", "c"), true);
  EXPECT_EQ(*getString(c, "text", "c"), "silu");
  EXPECT_EQ(*getInts(c, "ints", "c"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(getDoubles(c, "doubles", "c")->size(), 2u);
  EXPECT_EQ(*getStrings(c, "strings", "c"),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(getInts(c, "empty", "c")->empty());
  EXPECT_EQ(**getObject(c, "object", "c"), Json({{"k", 1}}));
}

TEST(JsonAccess, RefusesTheOtherWrongTypes) {
  Json c = config();
  EXPECT_TRUE(failsWith(getDouble(c, "text", "c"), "expected a number"));
  EXPECT_TRUE(
      failsWith(getBool(c, "int", "c"), "expected true or false, but got 5"));
  EXPECT_TRUE(failsWith(getString(c, "int", "c"), "expected a string"));
  EXPECT_TRUE(failsWith(getInts(c, "mixed", "c"), "but got [1,\"a\"]"));
  EXPECT_TRUE(failsWith(getInts(c, "int", "c"), "expected a list of integers"));
  EXPECT_TRUE(failsWith(getDoubles(c, "mixed", "c"), "a list of numbers"));
  EXPECT_TRUE(failsWith(getStrings(c, "mixed", "c"), "a list of strings"));
  EXPECT_TRUE(failsWith(getObject(c, "ints", "c"), "expected an object"));
  EXPECT_TRUE(failsWith(getObject(c, "absent", "c"), "missing key 'absent'"));
}

TEST(JsonAccess, RefusesToLookIntoOtherThanObjects) {
  Json list = {1, 2};
  EXPECT_EQ(findJson(list, "k"), nullptr);
  EXPECT_TRUE(failsWith(getInt(list, "k", "c"),
                        "expected an object with key 'k', but got [1,2]"));
  EXPECT_TRUE(failsWith(getInt(list, "k", "c", 3), "expected an object"));
}

TEST(JsonAccess, DescriptionsStayShort) {
  EXPECT_EQ(describeJson(Json(std::string(5000, 'x'))).size(), 83u);
  EXPECT_EQ(describeJson(Json(std::vector<int>(1000, 1))),
            "a list of 1000 entries");
  Json object;
  for (int i = 0; i < 20; ++i)
    object[std::to_string(i)] = i;
  EXPECT_EQ(describeJson(object), "an object of 20 entries");
  EXPECT_EQ(describeJson(Json("a\nb")), "\"a\\nb\"");
}

TEST(JsonAccess, DescriptionsAreNotCutInsideACharacter) {
  std::string text;
  for (int i = 0; i < 100; ++i)
    text += "\u20ac";
  std::string cut = describeJson(Json(text));
  ASSERT_TRUE(cut.ends_with("..."));
  EXPECT_EQ((cut.size() - 4) % 3, 0u) << "a quote, whole characters, dots";
}
