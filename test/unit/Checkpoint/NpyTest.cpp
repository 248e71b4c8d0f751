//===- NpyTest.cpp - numpy arrays in and out ------------------------------===//

#include "MakeSafetensors.h"
#include "test/unit/Support/TestFiles.h"

#include "linnet/Checkpoint/Npy.h"

#include <csignal>
#include <sys/resource.h>
#include <unistd.h>

using namespace linnet;
using namespace linnet::test;

using namespace std::string_literals;
using Shape = std::vector<int64_t>;

namespace {

/// A file of this version with this dictionary, unpadded.
std::string npy(int version, std::string_view dictionary,
                std::string_view data) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    bytes += static_cast<char>(dictionary.size() >> (8 * i));
  bytes += dictionary;
  bytes += data;
  return bytes;
}

std::string dictionary(std::string_view descr, std::string_view shape,
                       std::string_view fortran = "False") {
  return "{'descr': '" + std::string(descr) +
         "', 'fortran_order': " + std::string(fortran) +
         ", 'shape': " + std::string(shape) + ", }";
}

std::string text(const std::vector<std::byte> &bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

struct BadNpy {
  std::string name;
  std::string bytes;
  std::string error;
};

class HostileNpy : public ::testing::TestWithParam<BadNpy> {};

} // namespace

TEST(Npy, ReadsEveryVersion) {
  for (int version : {1, 2, 3}) {
    Result<NpyArray> array =
        parseNpy(npy(version, dictionary("<i2", "(2, 1)"), "\1\0\2\0"s), "f");
    ASSERT_TRUE(succeeds(array));
    EXPECT_EQ(array->dtype, DataType::I16);
    EXPECT_EQ(array->shape, (Shape{2, 1}));
    EXPECT_EQ(array->toF64(), (std::vector<double>{1, 2}));
  }
}

TEST(Npy, ReadsEveryType) {
  struct {
    const char *descr;
    DataType type;
  } cases[] = {
      {"<f8", DataType::F64}, {"<f4", DataType::F32}, {"<f2", DataType::F16},
      {"<i8", DataType::I64}, {"<i4", DataType::I32}, {"<i2", DataType::I16},
      {"|i1", DataType::I8},  {"|u1", DataType::U8},  {"|b1", DataType::BOOL},
      {"=f4", DataType::F32}, {"<i1", DataType::I8}};
  for (const auto &[descr, type] : cases) {
    Result<NpyArray> array =
        parseNpy(npy(1, dictionary(descr, "(3,)"),
                     std::string(3 * dataTypeSize(type), 0)),
                 "f");
    ASSERT_TRUE(succeeds(array));
    EXPECT_EQ(array->dtype, type);
    EXPECT_EQ(array->size(), 3u);
  }
}

TEST(Npy, ReadsScalarsAndEmptyArrays) {
  EXPECT_EQ(parseNpy(npy(1, dictionary("|u1", "()"), "x"), "f")->shape,
            Shape{});
  EXPECT_EQ(parseNpy(npy(1, dictionary("<f8", "(3, 0)"), ""), "f")->shape,
            (Shape{3, 0}));
  EXPECT_EQ(
      parseNpy(npy(1, dictionary("<f8", "(0, 3)", "True"), ""), "f")->shape,
      (Shape{0, 3}));
}

TEST(Npy, ToleratesOtherSpellingsOfTheHeader) {
  for (const char *header :
       {"{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"|u1\"}",
        "  { 'descr' : '|u1' ,\n'fortran_order':True,'shape':( 2 , ) , } \n",
        "{'fortran_order': False, 'descr': '|u1', 'shape': (2)}"}) {
    Result<NpyArray> array = parseNpy(npy(1, header, "ab"), "f");
    ASSERT_TRUE(succeeds(array)) << header;
    EXPECT_EQ(array->shape, Shape{2});
  }
}

TEST(Npy, TransposesFortranOrder) {
  // [[1, 2, 3], [4, 5, 6]] column by column.
  Result<NpyArray> matrix = parseNpy(
      npy(1, dictionary("|u1", "(2, 3)", "True"), "\1\4\2\5\3\6"), "f");
  ASSERT_TRUE(succeeds(matrix));
  EXPECT_EQ(text(matrix->bytes), "\1\2\3\4\5\6");
  EXPECT_EQ(matrix->shape, (Shape{2, 3}));
}

TEST(Npy, TransposesThreeDimensions) {
  constexpr int kA = 2, kB = 3, kC = 4;
  std::string columns(kA * kB * kC * 2, '\0');
  for (int a = 0; a < kA; ++a)
    for (int b = 0; b < kB; ++b)
      for (int c = 0; c < kC; ++c)
        columns[2 * (a + kA * (b + kB * c))] =
            static_cast<char>((a * kB + b) * kC + c);
  Result<NpyArray> array =
      parseNpy(npy(1, dictionary("<i2", "(2, 3, 4)", "True"), columns), "f");
  ASSERT_TRUE(succeeds(array));
  Result<std::vector<int64_t>> values = array->toI64();
  ASSERT_TRUE(succeeds(values));
  for (int i = 0; i < kA * kB * kC; ++i)
    EXPECT_EQ((*values)[i], i);
}

TEST(Npy, WritesExactlyWhatNumpyWrites) {
  // The fixtures were written by numpy.
  TemporaryDirectory dir;
  int count = 0;
  for (const auto &entry :
       std::filesystem::recursive_directory_iterator(LINNET_ORACLE_DIR)) {
    if (entry.path().extension() != ".npy")
      continue;
    ++count;
    Result<NpyArray> array = readNpy(entry.path().string());
    ASSERT_TRUE(succeeds(array));
    ASSERT_TRUE(succeeds(writeNpy(dir.file("f.npy"), *array)));
    EXPECT_TRUE(slurp(dir.file("f.npy")) == slurp(entry.path().string()))
        << entry.path();
  }
  EXPECT_GT(count, 40);
}

TEST(Npy, ReadsAKnownFixture) {
  Result<NpyArray> tokens = readNpy(LINNET_ORACLE_DIR "/hf/llama/tokens.npy");
  ASSERT_TRUE(succeeds(tokens));
  EXPECT_EQ(tokens->shape, (Shape{2, 37}));
  Result<std::vector<int64_t>> ids = tokens->toI64();
  ASSERT_TRUE(succeeds(ids));
  for (int64_t id : *ids)
    EXPECT_TRUE(id >= 0 && id < 96);
}

TEST(Npy, RoundTripsEveryShape) {
  TemporaryDirectory dir;
  for (const Shape &shape : {Shape{}, Shape{1}, Shape{3}, Shape{2, 3}, Shape{0},
                             Shape{2, 0, 5}, Shape(64, 1)}) {
    std::vector<double> values(*elementCount(shape));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = 0.5 * double(i);
    ASSERT_TRUE(succeeds(
        writeNpy(dir.file("f.npy"), NpyArray::fromF64(shape, values))));
    Result<NpyArray> back = readNpy(dir.file("f.npy"));
    ASSERT_TRUE(succeeds(back));
    EXPECT_EQ(back->shape, shape);
    EXPECT_EQ(back->toF64(), values);
    std::string bytes = slurp(dir.file("f.npy"));
    EXPECT_EQ((bytes.size() - values.size() * 8) % 64, 0u) << "aligned data";
  }
}

TEST(Npy, PadsHeadersOfEveryLength) {
  // Each further dimension adds three characters, so 64 ranks meet every
  // length modulo the alignment.
  TemporaryDirectory dir;
  for (size_t rank = 0; rank <= 64; ++rank) {
    NpyArray array = NpyArray::fromF64(Shape(rank, 1), {0.5});
    ASSERT_TRUE(succeeds(writeNpy(dir.file("f.npy"), array)));
    Result<NpyArray> back = readNpy(dir.file("f.npy"));
    ASSERT_TRUE(succeeds(back));
    EXPECT_EQ(back->shape.size(), rank);
    EXPECT_EQ(slurp(dir.file("f.npy")).size() % 64, 8u);
  }
}

TEST(Npy, ConvertsBetweenTypes) {
  EXPECT_EQ(NpyArray::fromF32({2}, {1.5f, -2}).toF64(),
            (std::vector<double>{1.5, -2}));
  EXPECT_EQ(NpyArray::fromI32({2}, {3, -4}).toF32(),
            (std::vector<float>{3, -4}));
  EXPECT_EQ(*NpyArray::fromI64({1}, {INT64_MAX}).toI64(),
            std::vector<int64_t>{INT64_MAX});
  EXPECT_EQ(*NpyArray::fromF64({2}, {-0x1p63, 7}).toI64(),
            (std::vector<int64_t>{INT64_MIN, 7}));
  EXPECT_EQ(NpyArray::fromF64({0}, {}).toF32(), std::vector<float>{});
}

TEST(Npy, IntegersMustBeIntegers) {
  EXPECT_TRUE(failsWith(NpyArray::fromF32({2}, {1, 1.5f}).toI64(),
                        "expected integers, but element 1 is 1.5"));
  EXPECT_TRUE(failsWith(NpyArray::fromF64({1}, {0x1p63}).toI64(), "element 0"));
  EXPECT_TRUE(
      failsWith(NpyArray::fromF64({1}, {std::stod("nan")}).toI64(), "nan"));
}

TEST(Npy, RefusesToWriteNonsense) {
  TemporaryDirectory dir;
  NpyArray array = NpyArray::fromF32({2}, {1, 2});
  array.dtype = DataType::BF16;
  EXPECT_TRUE(failsWith(writeNpy(dir.file("f"), array),
                        "npy has no element type BF16"));
  array.dtype = DataType::F32;
  for (const Shape &shape : {Shape{3}, Shape{-2}, Shape(65, 1), Shape{}}) {
    array.shape = shape;
    EXPECT_TRUE(failsWith(writeNpy(dir.file("f"), array), "does not describe"));
  }
  array.shape = {2};
  array.bytes.push_back(std::byte(0));
  EXPECT_TRUE(failsWith(writeNpy(dir.file("f"), array), "does not describe"));
  EXPECT_TRUE(dir.list().empty());
}

TEST(Npy, ReportsUnwritablePlaces) {
  TemporaryDirectory dir;
  NpyArray array = NpyArray::fromF32({2}, {1, 2});
  EXPECT_TRUE(failsWith(writeNpy(dir.file("no/f"), array), "no such file"));
  EXPECT_TRUE(failsWith(writeNpy(dir.str(), array), "is a directory"));
}

TEST(NpyDeathTest, AFullDiskLeavesNothing) {
  TemporaryDirectory dir;
  EXPECT_EXIT(
      {
        std::signal(SIGXFSZ, SIG_IGN);
        rlimit limit;
        limit.rlim_cur = limit.rlim_max = 1000;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        Status status = writeNpy(
            dir.file("f"), NpyArray::fromF64({500}, std::vector<double>(500)));
        fprintf(stderr, "%s\n", status ? "ok" : status.error().str().c_str());
        ::_exit(status ? 0 : 1);
      },
      ::testing::ExitedWithCode(1), "file too large");
  EXPECT_TRUE(dir.list().empty());
}

TEST(Npy, ReadsFromPipesAndReportsMissingFiles) {
  TemporaryDirectory dir;
  EXPECT_TRUE(failsWith(readNpy(dir.file("none.npy")),
                        "/none.npy': no such file or directory"));
  EXPECT_TRUE(failsWith(readNpy(dir.str()), "is a directory"));
  EXPECT_TRUE(failsWith(readNpy(dir.put("e.npy", "")), "magic"));
}

TEST_P(HostileNpy, IsRefusedInOneLine) {
  EXPECT_TRUE(failsWith(parseNpy(GetParam().bytes, "f.npy"), GetParam().error));
  EXPECT_TRUE(failsWith(parseNpy(GetParam().bytes, "f.npy"), "f.npy: "));
}

static std::vector<BadNpy> badNpy() {
  std::string good = dictionary("|u1", "(2,)");
  std::vector<BadNpy> cases = {
      {"Empty", "", "magic bytes are missing"},
      {"OtherFile", "PK\x03\x04 a zip file", "magic bytes are missing"},
      {"MagicOnly", "\x93NUMPY", "truncated npy header"},
      {"NoLength", "\x93NUMPY\1"s + "\0\1"s, "truncated npy header"},
      {"Version2NoLength", "\x93NUMPY\2"s + "\0\1\0"s, "truncated npy header"},
      {"Version0", npy(0, good, "ab"), "version 1, 2 or 3, but got 0"},
      {"Version4", npy(4, good, "ab"), "version 1, 2 or 3, but got 4"},
      {"HeaderBeyondFile", "\x93NUMPY\1"s + "\0\xff\xff{}"s,
       "the npy header claims 65535 bytes, but the file has 2"},
      {"HeaderBeyondFile32", "\x93NUMPY\2"s + "\0\xff\xff\xff\xff{}"s,
       "claims 4294967295 bytes"},
      {"HeaderTooLong", npy(2, std::string(70000, ' '), ""), "at most 65536"},
      {"NoDictionary", npy(1, "", ""), "expected '{' in the npy header"},
      {"Unterminated", npy(1, "{'descr': '<f4'", ""), "got its end"},
      {"UnterminatedString", npy(1, "{'descr", ""), "expected a key"},
      {"NoColon", npy(1, "{'descr' '<f4'}", ""), "expected a key"},
      {"NoComma", npy(1, "{'descr': '<f4' 'shape': ()}", ""), "','"},
      {"EmptyDictionary", npy(1, "{}", ""), "missing key 'descr'"},
      {"NoShape", npy(1, "{'descr': '<f4', 'fortran_order': False}", ""),
       "missing key 'shape'"},
      {"NoOrder", npy(1, "{'descr': '<f4', 'shape': ()}", ""),
       "missing key 'fortran_order'"},
      {"UnknownKey", npy(1, "{'extra': 1}", ""), "unknown key 'extra'"},
      {"DuplicateKey", npy(1, "{'shape': (), 'shape': ()}", ""),
       "duplicate key 'shape'"},
      {"Trailing", npy(1, good + "x", "ab"), "expected the end"},
      {"BadOrder", npy(1, dictionary("|u1", "(2,)", "Maybe"), "ab"),
       "expected True or False in the npy header, but got 'Maybe"},
      {"BigEndian", npy(1, dictionary(">f4", "(1,)"), "abcd"),
       "but got '>f4' (big-endian)"},
      {"Object", npy(1, dictionary("|O", "(1,)"), ""), "but got '|O'"},
      {"Unicode", npy(1, dictionary("<U4", "(1,)"), ""),
       "expected element type <f8, <f4, <f2, <i8, <i4, <i2, |i1, |u1, |b1, but "
       "got '<U4'"},
      {"Unsigned32", npy(1, dictionary("<u4", "(1,)"), "abcd"), "'<u4'"},
      {"EmptyDescr", npy(1, dictionary("", "(1,)"), ""), "but got ''"},
      {"EscapedDescr", npy(1, dictionary("<\\x66", "(1,)"), ""),
       "expected an element type"},
      {"Structured",
       npy(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}",
           ""),
       "got a structured one"},
      {"ShapeList", npy(1, dictionary("|u1", "[2]"), "ab"), "expected '('"},
      {"ShapeNegative", npy(1, dictionary("|u1", "(-2,)"), "ab"),
       "non-negative dimensions, but got -2"},
      {"ShapeFraction", npy(1, dictionary("|u1", "(2.0,)"), "ab"),
       "expected ',' or ')'"},
      {"ShapeText", npy(1, dictionary("|u1", "(a,)"), "ab"), "a dimension"},
      {"ShapeOpen", npy(1, "{'shape': (2, ", "ab"), "a dimension"},
      {"ShapeOf2To63", npy(1, dictionary("|u1", "(9223372036854775808,)"), ""),
       "a dimension overflows 64 bits"},
      {"ShapeProductOverflows",
       npy(1, dictionary("|u1", "(4294967296, 4294967296)"), ""),
       "shape [4294967296, 4294967296] overflows 64 bits"},
      {"ShapeTimesSizeOverflows",
       npy(1, dictionary("<f8", "(2305843009213693952,)"), ""), "overflows"},
      {"ShapeOfManyDimensions",
       npy(1,
           dictionary(
               "|u1", "(" +
                          [] {
                            std::string ones;
                            for (int i = 0; i < 65; ++i)
                              ones += "1,";
                            return ones;
                          }() +
                          ")"),
           "a"),
       "at most 64 dimensions"},
      {"Huge", npy(1, dictionary("<f8", "(1099511627776,)"), "abcd"),
       "expected 8796093022208 bytes of data for shape [1099511627776], but "
       "got 4"},
      {"Truncated", npy(1, good, "a"),
       "expected 2 bytes of data for shape "
       "[2], but got 1"},
      {"TrailingData", npy(1, good, "abc"), "but got 3"},
      {"ControlCharacters", npy(1, "{'a\nb': 1}", ""), "'a\\x0ab'"},
  };
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Table, HostileNpy, ::testing::ValuesIn(badNpy()),
                         [](const auto &info) { return info.param.name; });

TEST(HostileNpy, EveryTruncationIsRefused) {
  std::string bytes = slurp(LINNET_ORACLE_DIR "/hf/llama/tokens.npy");
  ASSERT_FALSE(bytes.empty());
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parseNpy(std::string_view(bytes).substr(0, size), "f"));
}
