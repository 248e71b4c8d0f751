//===- SafetensorsHostileTest.cpp - files that lie ------------------------===//
//
// Each file claims something false; each is refused in one line that names the
// file and, where there is one, the tensor.
//
//===----------------------------------------------------------------------===//

#include "MakeSafetensors.h"
#include "test/unit/Support/TestFiles.h"

#include "linnet/Checkpoint/Safetensors.h"

#include <chrono>
#include <unistd.h>

using namespace linnet;
using namespace linnet::test;
using namespace std::string_literals;

namespace {

struct HostileFile {
  std::string name;
  std::string bytes;
  std::string error;
};

class HostileSafetensors : public ::testing::TestWithParam<HostileFile> {};

/// A file with one tensor "w" and four bytes of data.
std::string oneTensor(std::string_view dtype, std::string_view shape,
                      std::string_view offsets) {
  return makeSafetensors("{\"w\":{\"dtype\":" + std::string(dtype) +
                             ",\"shape\":" + std::string(shape) +
                             ",\"data_offsets\":" + std::string(offsets) + "}}",
                         "abcd");
}

/// A file with U8 tensors "a" and "b" at these ranges and `size` data bytes.
std::string twoTensors(size_t aBegin, size_t aEnd, size_t bBegin, size_t bEnd,
                       size_t size) {
  auto entry = [](std::string_view name, size_t begin, size_t end) {
    return "\"" + std::string(name) + R"(":{"dtype":"U8","shape":[)" +
           std::to_string(end - begin) + R"(],"data_offsets":[)" +
           std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  return makeSafetensors("{" + entry("a", aBegin, aEnd) + "," +
                             entry("b", bBegin, bEnd) + "}",
                         std::string(size, 'x'));
}

const std::string kGood =
    R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";

std::vector<HostileFile> hostileFiles() {
  return {
      // The length field.
      {"Empty", "", "at least 8 bytes, but got 0"},
      {"SevenBytes", "\1\0\0\0\0\0", "at least 8 bytes, but got"},
      {"NoHeader", rawSafetensors(0, "", ""), "begin with '{'"},
      {"HeaderBeyondFile", rawSafetensors(kGood.size() + 5, kGood, "abcd"),
       "but the file has"},
      {"HeaderOf2To63", rawSafetensors(uint64_t(1) << 63, kGood, "abcd"),
       "claims 9223372036854775808 bytes"},
      {"HeaderOfAllOnes", rawSafetensors(~uint64_t(0), kGood, "abcd"),
       "claims 18446744073709551615 bytes"},
      {"HeaderWrapsAround", rawSafetensors(~uint64_t(0) - 7, kGood, "abcd"),
       "claims 18446744073709551608 bytes"},
      {"HeaderTooShort", rawSafetensors(kGood.size() - 1, kGood, "abcd"),
       "header:1:"},
      {"GitLfsPointer",
       "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
       "git-lfs pointer"},
      {"Pickle", "\x80\x02}q\0(X\x03\0\0\0abc"s, "claims"},
      // The JSON.
      {"NotJson", makeSafetensors("{nonsense", ""), "header:1:2:"},
      {"Array", makeSafetensors("[]", ""), "begin with '{'"},
      {"LeadingSpace", makeSafetensors(" {}", ""), "begin with '{'"},
      {"TrailingText", makeSafetensors("{} x", ""), "end of the document"},
      {"DuplicateTensor",
       makeSafetensors(
           R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
           R"("w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
           "abcd"),
       "duplicate key \"w\""},
      {"DuplicateField",
       makeSafetensors(R"({"w":{"dtype":"U8","dtype":"U8","shape":[4],)"
                       R"("data_offsets":[0,4]}})",
                       "abcd"),
       "duplicate key \"dtype\""},
      {"DuplicateMetadata",
       makeSafetensors(R"({"__metadata__":{},"__metadata__":{}})", ""),
       "duplicate key \"__metadata__\""},
      {"BadUtf8Name", makeSafetensors("{\"\xff\":{}}", ""), "invalid UTF-8"},
      {"OverlongUtf8Name", makeSafetensors("{\"\xC0\xAF\":{}}", ""),
       "invalid UTF-8"},
      {"SurrogateName", makeSafetensors("{\"\\ud800\":{}}", ""), "surrogate"},
      {"NulInHeader", makeSafetensors(std::string("{\0}", 3), ""), "0x00"},
      // The metadata.
      {"MetadataList", makeSafetensors(R"({"__metadata__":[]})", ""),
       "expected __metadata__ to be an object, but got []"},
      {"MetadataNumber", makeSafetensors(R"({"__metadata__":{"a":1}})", ""),
       "expected a string at __metadata__ key 'a', but got 1"},
      // One tensor's claims.
      {"TensorNumber", makeSafetensors(R"({"w":1})", ""),
       "tensor 'w' in FILE: expected an object, but got 1"},
      {"TensorFloatObject", makeSafetensors(R"({"w":{"__float__":"NaN"}})", ""),
       "tensor 'w' in FILE: expected an object"},
      {"NoDtype",
       makeSafetensors(R"({"w":{"shape":[],"data_offsets":[0,0]}})", ""),
       "but got nothing"},
      {"DtypeUnknown", oneTensor("\"F4\"", "[4]", "[0,4]"),
       "tensor 'w' in FILE: expected dtype to be one of F64, F32, F16, BF16, "
       "F8_E4M3, F8_E5M2, I64, I32, I16, I8, U8, BOOL, but got \"F4\""},
      {"DtypeLowerCase", oneTensor("\"f32\"", "[1]", "[0,4]"), "\"f32\""},
      {"DtypeNumber", oneTensor("32", "[1]", "[0,4]"), "but got 32"},
      {"ShapeMissing",
       makeSafetensors(R"({"w":{"dtype":"U8","data_offsets":[0,0]}})", ""),
       "list of non-negative integers, but got nothing"},
      {"ShapeNumber", oneTensor("\"U8\"", "4", "[0,4]"), "but got 4"},
      {"ShapeNegative", oneTensor("\"U8\"", "[-4]", "[0,4]"), "but got [-4]"},
      {"ShapeFraction", oneTensor("\"U8\"", "[4.0]", "[0,4]"), "but got [4.0]"},
      {"ShapeText", oneTensor("\"U8\"", "[\"4\"]", "[0,4]"), "[\"4\"]"},
      {"ShapeNull", oneTensor("\"U8\"", "[null]", "[0,4]"), "[null]"},
      {"ShapeInfinity", oneTensor("\"U8\"", "[Infinity]", "[0,4]"),
       "shape to be a list"},
      {"ShapeOf2To63", oneTensor("\"U8\"", "[9223372036854775808]", "[0,4]"),
       "but got [9223372036854775808]"},
      {"ShapeOf2To64", oneTensor("\"U8\"", "[18446744073709551616]", "[0,4]"),
       "shape to be a list"},
      {"ShapeProductOverflows",
       oneTensor("\"U8\"", "[4294967296,4294967296]", "[0,4]"),
       "shape [4294967296, 4294967296] overflows 64 bits"},
      {"ShapeProductWrapsToFour",
       oneTensor("\"U8\"", "[4611686018427387905,4]", "[0,4]"), "overflows"},
      {"ShapeTimesSizeOverflows",
       oneTensor("\"F64\"", "[2305843009213693952]", "[0,4]"), "overflows"},
      {"ShapeZeroHidesOverflow",
       oneTensor("\"U8\"", "[9223372036854775807,2,0]", "[0,0]"), "overflows"},
      {"OffsetsMissing",
       makeSafetensors(R"({"w":{"dtype":"U8","shape":[]}})", ""),
       "data_offsets to be two non-negative integers, but got nothing"},
      {"OffsetsOne", oneTensor("\"U8\"", "[4]", "[4]"), "but got [4]"},
      {"OffsetsThree", oneTensor("\"U8\"", "[4]", "[0,4,4]"), "[0,4,4]"},
      {"OffsetsNegative", oneTensor("\"U8\"", "[4]", "[-4,0]"), "[-4,0]"},
      {"OffsetsFraction", oneTensor("\"U8\"", "[4]", "[0,4.0]"), "[0,4.0]"},
      {"OffsetsBackwards", oneTensor("\"U8\"", "[4]", "[4,0]"),
       "data_offsets [4, 0] run backwards"},
      {"OffsetsBeyondFile", oneTensor("\"U8\"", "[5]", "[0,5]"),
       "data_offsets [0, 5] exceed the 4 bytes of data"},
      {"OffsetsAt2To63",
       oneTensor("\"U8\"", "[4]", "[9223372036854775804,9223372036854775807]"),
       "exceed the 4 bytes"},
      {"OffsetsUnsigned",
       oneTensor("\"U8\"", "[4]", "[0,18446744073709551615]"),
       "two non-negative integers"},
      {"SizeTooSmall", oneTensor("\"F32\"", "[2]", "[0,4]"),
       "expected 8 bytes for F32 [2], but got 4"},
      {"SizeTooLarge", oneTensor("\"U8\"", "[3]", "[0,4]"),
       "expected 3 bytes for U8 [3], but got 4"},
      // The tensors among each other.
      {"Overlap", twoTensors(0, 4, 2, 6, 6),
       "tensor 'b' in FILE: its data overlaps that of tensor 'a'"},
      {"Same", twoTensors(0, 4, 0, 4, 4), "overlaps"},
      {"Inside", twoTensors(0, 8, 2, 4, 8), "overlaps"},
      {"EmptyInside", twoTensors(0, 8, 2, 2, 8), "overlaps"},
      {"Gap", twoTensors(0, 2, 4, 6, 6),
       "tensor 'b' in FILE: 2 bytes before its data belong to no tensor"},
      {"GapAtTheStart", twoTensors(1, 2, 2, 4, 4),
       "tensor 'a' in FILE: 1 bytes before"},
      {"TrailingData", twoTensors(0, 2, 2, 4, 5),
       "expected 4 bytes of data as the header describes, but got 5"},
      {"DataWithoutTensors", makeSafetensors("{}", "x"), "expected 0 bytes"},
      {"TruncatedData", twoTensors(0, 2, 2, 4, 3), "truncated"},
      // Names that would break the line.
      {"NewlineInName", makeSafetensors("{\"a\\nb\":1}", ""),
       "tensor 'a\\x0ab' in FILE"},
      {"LongName",
       makeSafetensors("{\"" + std::string(5000, 'n') + "\":1}", ""), "..."},
  };
}

} // namespace

TEST_P(HostileSafetensors, IsRefusedInOneLine) {
  TemporaryDirectory dir;
  std::string path = dir.put("f.safetensors", GetParam().bytes);
  std::string expected = GetParam().error;
  if (size_t at = expected.find("FILE"); at != expected.npos)
    expected.replace(at, 4, path);
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  EXPECT_TRUE(failsWith(file, expected));
  EXPECT_TRUE(failsWith(file, path)) << "names the file";
}

INSTANTIATE_TEST_SUITE_P(Table, HostileSafetensors,
                         ::testing::ValuesIn(hostileFiles()),
                         [](const auto &info) { return info.param.name; });

TEST(HostileSafetensors, TheTableStartsFromAGoodFile) {
  TemporaryDirectory dir;
  EXPECT_TRUE(succeeds(
      SafetensorsFile::open(dir.put("f", makeSafetensors(kGood, "abcd")))));
  EXPECT_TRUE(
      succeeds(SafetensorsFile::open(dir.put("f", twoTensors(0, 2, 2, 4, 4)))));
}

TEST(HostileSafetensors, EveryTruncationIsRefused) {
  TemporaryDirectory dir;
  std::string bytes = makeSafetensors(kGood, "abcd");
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(SafetensorsFile::open(dir.put("f", bytes.substr(0, size))))
        << size;
}

TEST(HostileSafetensors, HundredMegabytesOfNestingFailAtOnce) {
  TemporaryDirectory dir;
  std::string header = "{\"w\":" + std::string(99'999'000, '[');
  std::string path = dir.put("f", makeSafetensors(header, ""));
  auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(failsWith(SafetensorsFile::open(path), "nested deeper"));
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - begin;
  EXPECT_LT(seconds.count(), 1.0);
}

TEST(HostileSafetensors, AHeaderAboveTheLimitIsNotParsed) {
  TemporaryDirectory dir;
  std::string path = dir.put("f", rawSafetensors(100'000'001, "{", ""));
  ASSERT_EQ(::truncate(path.c_str(), 200'000'000), 0);
  EXPECT_TRUE(failsWith(SafetensorsFile::open(path),
                        "at most 100000000 bytes, but got 100000001"));
}

TEST(HostileSafetensors, OtherThanFilesAreRefused) {
  TemporaryDirectory dir;
  EXPECT_TRUE(failsWith(SafetensorsFile::open(dir.str()), "is a directory"));
  EXPECT_TRUE(failsWith(SafetensorsFile::open(dir.file("none")), "no such"));
  EXPECT_TRUE(failsWith(SafetensorsFile::open("/dev/zero"), "not a regular"));
}

TEST(HostileSafetensors, APrefixWithoutTheWholeHeaderIsRefused) {
  std::string bytes = makeSafetensors(kGood, "abcd");
  EXPECT_TRUE(
      failsWith(parseSafetensorsHeader(std::string_view(bytes).substr(0, 20),
                                       bytes.size(), "f"),
                "f: the header is incomplete"));
}
