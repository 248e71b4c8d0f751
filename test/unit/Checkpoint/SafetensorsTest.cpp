//===- SafetensorsTest.cpp - well-formed files ----------------------------===//

#include "MakeSafetensors.h"
#include "test/unit/Support/TestFiles.h"

#include "linnet/Checkpoint/Safetensors.h"

#include <chrono>
#include <unistd.h>

using namespace linnet;
using namespace linnet::test;

namespace {

/// Writes `bytes` to a file and opens it.
Result<SafetensorsFile> openBytes(const TemporaryDirectory &dir,
                                  const std::string &bytes) {
  return SafetensorsFile::open(dir.put("t.safetensors", bytes));
}

} // namespace

TEST(Safetensors, ReadsTensorsInFileOrder) {
  TemporaryDirectory dir;
  Result<SafetensorsFile> file = openBytes(
      dir, makeSafetensors(R"({"b":{"dtype":"U8","shape":[2],)"
                           R"("data_offsets":[0,2]},"a":{"dtype":"I16",)"
                           R"("shape":[1,2],"data_offsets":[2,6]}})",
                           "xyabcd"));
  ASSERT_TRUE(succeeds(file));
  ASSERT_EQ(file->tensors().size(), 2u);
  const TensorInfo &first = file->tensors()[0];
  EXPECT_EQ(first.name, "b");
  EXPECT_EQ(first.dtype, DataType::U8);
  EXPECT_EQ(first.shape, std::vector<int64_t>{2});
  const TensorInfo *second = file->find("a");
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->dtype, DataType::I16);
  EXPECT_EQ(second->shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(second->bytes(), 4u);
  EXPECT_EQ(std::memcmp(file->data(*second), "abcd", 4), 0);
  EXPECT_EQ(file->find("c"), nullptr);
  EXPECT_EQ(file->find(""), nullptr);
}

TEST(Safetensors, OffsetsAreAbsolute) {
  TemporaryDirectory dir;
  std::string bytes = makeSafetensors(
      R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "xyz");
  Result<SafetensorsFile> file = openBytes(dir, bytes);
  ASSERT_TRUE(succeeds(file));
  const TensorInfo &tensor = file->tensors()[0];
  EXPECT_EQ(bytes.substr(tensor.begin, tensor.bytes()), "xyz");
  EXPECT_EQ(tensor.end, bytes.size());
}

TEST(Safetensors, ReadsEveryType) {
  TemporaryDirectory dir;
  for (const char *name : {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2",
                           "I64", "I32", "I16", "I8", "U8", "BOOL"}) {
    size_t size = dataTypeSize(*parseDataType(name));
    std::string header = "{\"a\":{\"dtype\":\"" + std::string(name) +
                         "\",\"shape\":[2],\"data_offsets\":[0," +
                         std::to_string(2 * size) + "]}}";
    Result<SafetensorsFile> file =
        openBytes(dir, makeSafetensors(header, std::string(2 * size, '\1')));
    ASSERT_TRUE(succeeds(file));
    EXPECT_EQ(dataTypeName(file->tensors()[0].dtype), name);
  }
}

TEST(Safetensors, KeepsMetadata) {
  TemporaryDirectory dir;
  Result<SafetensorsFile> file = openBytes(
      dir,
      makeSafetensors(R"({"__metadata__":{"format":"pt","x":"\u00e9"}})", ""));
  ASSERT_TRUE(succeeds(file));
  EXPECT_TRUE(file->tensors().empty());
  EXPECT_EQ(file->metadata(), (std::map<std::string, std::string>{
                                  {"format", "pt"}, {"x", "\u00e9"}}));
}

TEST(Safetensors, AcceptsEmptyFilesScalarsAndEmptyTensors) {
  TemporaryDirectory dir;
  EXPECT_TRUE(succeeds(openBytes(dir, makeSafetensors("{}", ""))));
  EXPECT_TRUE(succeeds(
      openBytes(dir, makeSafetensors(R"({"__metadata__":null})", ""))));
  Result<SafetensorsFile> file = openBytes(
      dir, makeSafetensors(
               R"({"scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
               R"("none":{"dtype":"F32","shape":[3,0],"data_offsets":[4,4]},)"
               R"("first":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
               "abcd"));
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->find("scalar")->bytes(), 4u);
  EXPECT_EQ(file->find("none")->bytes(), 0u);
  EXPECT_EQ(file->find("none")->shape, (std::vector<int64_t>{3, 0}));
}

TEST(Safetensors, AcceptsPaddingAndUnknownFields) {
  TemporaryDirectory dir;
  EXPECT_TRUE(succeeds(openBytes(
      dir, makeSafetensors(R"({"a":{"dtype":"U8","shape":[1],"extra":{},)"
                           R"("data_offsets":[0,1]}}       )",
                           "x"))));
}

TEST(Safetensors, OpensSixteenGigabytesAtOnce) {
  TemporaryDirectory dir;
  std::string path =
      dir.put("t.safetensors",
              makeSafetensors(R"({"w":{"dtype":"BF16","shape":[8589934592],)"
                              R"("data_offsets":[0,17179869184]}})",
                              ""));
  off_t size = std::filesystem::file_size(path) + 17179869184;
  ASSERT_EQ(::truncate(path.c_str(), size), 0);
  auto begin = std::chrono::steady_clock::now();
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - begin;
  ASSERT_TRUE(succeeds(file));
  EXPECT_LT(seconds.count(), 0.5);
  EXPECT_EQ(
      loadAsDouble(file->data(file->tensors()[0]), DataType::BF16, 8589934591),
      0.0);
}

TEST(Safetensors, ManyTensorsOpenQuickly) {
  TemporaryDirectory dir;
  std::string header = "{";
  for (int i = 0; i < 100000; ++i)
    header += (i ? ",\"" : "\"") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  header += "}";
  auto begin = std::chrono::steady_clock::now();
  Result<SafetensorsFile> file =
      openBytes(dir, makeSafetensors(header, std::string(100000, 'x')));
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - begin;
  ASSERT_TRUE(succeeds(file));
  EXPECT_LT(seconds.count(), 5.0);
  EXPECT_NE(file->find("99999"), nullptr);
}

TEST(Safetensors, HeaderHashSeesTheHeaderOnly) {
  TemporaryDirectory dir;
  std::string header =
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  std::string renamed = header;
  renamed[2] = 'b';
  uint64_t hash = openBytes(dir, makeSafetensors(header, "xy"))->headerHash();
  EXPECT_EQ(openBytes(dir, makeSafetensors(header, "xz"))->headerHash(), hash);
  EXPECT_NE(openBytes(dir, makeSafetensors(renamed, "xy"))->headerHash(), hash);
}

TEST(Safetensors, ReadsEveryFixture) {
  int count = 0;
  for (const char *root : {LINNET_ORACLE_DIR, LINNET_SOURCE_DIR "/examples"}) {
    for (const auto &entry :
         std::filesystem::recursive_directory_iterator(root)) {
      if (entry.path().extension() != ".safetensors")
        continue;
      ++count;
      Result<SafetensorsFile> file =
          SafetensorsFile::open(entry.path().string());
      ASSERT_TRUE(succeeds(file));
      EXPECT_FALSE(file->tensors().empty());
      EXPECT_EQ(file->metadata().at("format"), "pt");
    }
  }
  EXPECT_GE(count, 15);
}

TEST(Safetensors, ReadsAKnownTensor) {
  Result<SafetensorsFile> file =
      SafetensorsFile::open(LINNET_ORACLE_DIR "/hf/bert/model.safetensors");
  ASSERT_TRUE(succeeds(file));
  const TensorInfo *tensor =
      file->find("embeddings.position_embeddings.weight");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->dtype, DataType::F32);
  EXPECT_EQ(tensor->shape, (std::vector<int64_t>{64, 36}));
}
