//===- ArchiveTest.cpp - files, shards and look-up ------------------------===//

#include "MakeSafetensors.h"
#include "test/unit/Support/TestFiles.h"

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Checkpoint/Safetensors.h"

using namespace linnet;
using namespace linnet::test;

using Names = std::vector<std::string>;

namespace {

/// A file of one-byte U8 tensors with these names, whose values are the first
/// characters of `values`.
std::string bytesFile(const Names &names, std::string_view values) {
  std::string header = "{";
  for (size_t i = 0; i < names.size(); ++i)
    header += (i ? ",\"" : "\"") + names[i] +
              R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  return makeSafetensors(header + "}", values);
}

/// Two shards: a, b in the first, c in the second.
void putShards(const TemporaryDirectory &dir, std::string_view weightMap) {
  dir.put("1.safetensors", bytesFile({"a", "b"}, "AB"));
  dir.put("2.safetensors", bytesFile({"c"}, "C"));
  dir.put("model.safetensors.index.json",
          "{\"weight_map\":" + std::string(weightMap) + "}");
}

} // namespace

TEST(Archive, OpensOneFile) {
  TemporaryDirectory dir;
  std::string path = dir.put("model.safetensors", bytesFile({"b", "a"}, "BA"));
  for (const std::string &opened : {path, dir.str()}) {
    Result<Archive> archive = Archive::open(opened);
    ASSERT_TRUE(succeeds(archive));
    EXPECT_EQ(archive->path(), opened);
    EXPECT_EQ(archive->names(), (Names{"a", "b"}));
    EXPECT_EQ(archive->size(), 2u);
    const Archive::Tensor *tensor = archive->find("a");
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->name, "a");
    EXPECT_EQ(tensor->dtype, DataType::U8);
    EXPECT_EQ(tensor->shape, std::vector<int64_t>{1});
    EXPECT_EQ(tensor->bytes, 1u);
    EXPECT_EQ(*tensor->data, std::byte('A'));
    EXPECT_EQ(tensor->fileIndex, 0u);
    EXPECT_EQ(slurp(path)[tensor->fileOffset], 'A');
    EXPECT_EQ(archive->fileOf(*tensor), path);
    EXPECT_EQ(archive->find("c"), nullptr);
    EXPECT_FALSE(archive->hasUnsavedOverlay());
  }
}

TEST(Archive, DescribesItsFiles) {
  TemporaryDirectory dir;
  std::string path = dir.put("model.safetensors", bytesFile({"a"}, "A"));
  Archive archive = Archive::open(path).take();
  ASSERT_EQ(archive.files().size(), 1u);
  EXPECT_EQ(archive.files()[0].path, path);
  EXPECT_EQ(archive.files()[0].size, std::filesystem::file_size(path));
  EXPECT_EQ(archive.files()[0].headerHash,
            SafetensorsFile::open(path)->headerHash());
}

TEST(Archive, OpensShards) {
  TemporaryDirectory dir;
  putShards(dir, R"({"a":"1.safetensors","b":"1.safetensors",)"
                 R"("c":"2.safetensors"})");
  for (const std::string &opened :
       {dir.str(), dir.file("model.safetensors.index.json")}) {
    Result<Archive> archive = Archive::open(opened);
    ASSERT_TRUE(succeeds(archive));
    EXPECT_EQ(archive->names(), (Names{"a", "b", "c"}));
    EXPECT_EQ(archive->files().size(), 2u);
    EXPECT_EQ(*archive->find("b")->data, std::byte('B'));
    EXPECT_EQ(*archive->find("c")->data, std::byte('C'));
    EXPECT_EQ(archive->fileOf(*archive->find("c")), dir.file("2.safetensors"));
  }
}

TEST(Archive, OpensAnIndexByABareName) {
  TemporaryDirectory dir;
  putShards(dir, R"({"a":"1.safetensors","c":"2.safetensors"})");
  auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.str());
  Result<Archive> archive = Archive::open("model.safetensors.index.json");
  std::filesystem::current_path(before);
  EXPECT_TRUE(succeeds(archive));
}

TEST(Archive, ShowsTensorsBeyondTheIndex) {
  TemporaryDirectory dir;
  putShards(dir, R"({"a":"1.safetensors","c":"2.safetensors"})");
  EXPECT_EQ(Archive::open(dir.str())->names(), (Names{"a", "b", "c"}));
}

TEST(Archive, RefusesAMissingShard) {
  TemporaryDirectory dir;
  putShards(dir, R"({"a":"1.safetensors","c":"3.safetensors"})");
  Result<Archive> archive = Archive::open(dir.str());
  EXPECT_TRUE(failsWith(archive, "/3.safetensors': no such file"));
  EXPECT_TRUE(failsWith(archive, "(a shard of "));
}

TEST(Archive, RefusesATensorMissingInItsShard) {
  TemporaryDirectory dir;
  putShards(dir, R"({"a":"1.safetensors","x":"2.safetensors"})");
  EXPECT_TRUE(failsWith(Archive::open(dir.str()),
                        "tensor 'x' is missing in " +
                            dir.file("2.safetensors") + " where "));
}

TEST(Archive, RefusesATensorPlacedInTheWrongShard) {
  TemporaryDirectory dir;
  putShards(dir, R"({"a":"2.safetensors","b":"1.safetensors"})");
  EXPECT_TRUE(failsWith(Archive::open(dir.str()), "tensor 'a' is missing in"));
}

TEST(Archive, RefusesATensorInTwoShards) {
  TemporaryDirectory dir;
  putShards(dir, R"({"a":"1.safetensors","c":"2.safetensors"})");
  dir.put("2.safetensors", bytesFile({"c", "a"}, "CA"));
  EXPECT_TRUE(failsWith(Archive::open(dir.str()),
                        "tensor 'a' stands in both " +
                            dir.file("1.safetensors") + " and " +
                            dir.file("2.safetensors")));
}

TEST(Archive, RefusesATruncatedShard) {
  TemporaryDirectory dir;
  putShards(dir, R"({"a":"1.safetensors","c":"2.safetensors"})");
  std::filesystem::resize_file(dir.file("2.safetensors"), 40);
  EXPECT_TRUE(failsWith(Archive::open(dir.str()), "2.safetensors"));
}

TEST(Archive, RefusesWhatIsNotThere) {
  TemporaryDirectory dir;
  EXPECT_TRUE(failsWith(Archive::open(dir.str()), "found none"));
  EXPECT_TRUE(failsWith(Archive::open(dir.file("none")), "no such file"));
}

TEST(Archive, ReadsTheShardedFixtureLikeAnyOther) {
  Result<Archive> archive =
      Archive::open(LINNET_ORACLE_DIR "/hf/llama-sharded");
  ASSERT_TRUE(succeeds(archive));
  EXPECT_EQ(archive->files().size(), 3u);
  EXPECT_TRUE(succeeds(archive->require("lm_head.weight", {96, 48})));
  EXPECT_EQ((*archive->require("lm_head.weight"))->dtype, DataType::BF16);
}

TEST(Archive, OpensEveryFixtureDirectory) {
  int count = 0;
  for (const auto &entry :
       std::filesystem::directory_iterator(LINNET_ORACLE_DIR "/hf")) {
    ++count;
    EXPECT_TRUE(succeeds(Archive::open(entry.path().string())));
  }
  EXPECT_GE(count, 13);
}

TEST(ArchiveRequire, ChecksTheShape) {
  Archive archive = Archive::open(LINNET_ORACLE_DIR "/hf/llama-sharded").take();
  EXPECT_TRUE(succeeds(archive.require("lm_head.weight", {96, -1})));
  std::string file =
      LINNET_ORACLE_DIR "/hf/llama-sharded/model-00003-of-00003.safetensors";
  EXPECT_TRUE(failsWith(archive.require("lm_head.weight", {48, 96}),
                        "tensor 'lm_head.weight' in " + file +
                            ": expected shape [48, 96], but got [96, 48]"));
  EXPECT_TRUE(failsWith(archive.require("lm_head.weight", {96}),
                        "expected shape [96], but got [96, 48]"));
  EXPECT_TRUE(failsWith(archive.require("lm_head.weight", {-1, 5}),
                        "expected shape [?, 5]"));
  EXPECT_TRUE(failsWith(archive.require("lm_head.weight", {}),
                        "expected shape [], but got"));
}

TEST(ArchiveRequire, SuggestsTheNearestName) {
  Archive archive = Archive::open(LINNET_ORACLE_DIR "/hf/llama").take();
  EXPECT_TRUE(failsWith(
      archive.require("model.layers.0.self_attn.q_porj.weight"),
      "tensor 'model.layers.0.self_attn.q_porj.weight' not found in " +
          archive.path() +
          "; the nearest name is 'model.layers.0.self_attn.q_proj.weight'"));
  Result<const Archive::Tensor *> far = archive.require("zzz");
  EXPECT_TRUE(failsWith(far, "not found in"));
  EXPECT_EQ(far.error().str().find("nearest"), std::string::npos);
}

TEST(ArchiveRequire, NearestNameStaysCheap) {
  Archive archive = Archive::open(LINNET_ORACLE_DIR "/hf/llama").take();
  EXPECT_EQ(archive.nearestName(std::string(100000, 'x')), "");
  EXPECT_EQ(archive.nearestName(""), "");
  EXPECT_EQ(archive.nearestName("model.norm.weigth"), "model.norm.weight");
}

TEST(Archive, AnEmptyArchiveHasNothing) {
  Archive archive;
  EXPECT_EQ(archive.size(), 0u);
  EXPECT_TRUE(archive.files().empty());
  EXPECT_TRUE(failsWith(archive.require("a"), "not found in"));
}
