//===- ArchiveIndexTest.cpp - index files and file lookup -----------------===//

#include "lib/Checkpoint/ArchiveIndex.h"
#include "test/unit/Support/TestFiles.h"

using namespace linnet;
using namespace linnet::test;

TEST(ShardIndex, ReadsTheWeightMap) {
  Result<ShardIndex> index = parseShardIndex(
      R"({"metadata":{"total_size":8},"weight_map":)"
      R"({"a":"2.safetensors","b":"1.safetensors","c":"2.safetensors"}})",
      "i");
  ASSERT_TRUE(succeeds(index));
  EXPECT_EQ(index->shards,
            (std::vector<std::string>{"1.safetensors", "2.safetensors"}));
  EXPECT_EQ(index->weightMap.at("c"), "2.safetensors");
}

TEST(ShardIndex, ReadsTheFixture) {
  std::string path =
      LINNET_ORACLE_DIR "/hf/llama-sharded/model.safetensors.index.json";
  Result<ShardIndex> index = parseShardIndex(slurp(path), path);
  ASSERT_TRUE(succeeds(index));
  EXPECT_EQ(index->shards.size(), 3u);
}

TEST(ShardIndex, RefusesMalformedOnes) {
  auto parse = [](std::string_view text) {
    return parseShardIndex(text, "i.json");
  };
  EXPECT_TRUE(failsWith(parse(""), "i.json:1:1"));
  EXPECT_TRUE(failsWith(parse("[]"), "expected an object"));
  EXPECT_TRUE(failsWith(parse("{}"), "i.json: missing key 'weight_map'"));
  EXPECT_TRUE(failsWith(parse(R"({"weight_map":[]})"), "expected an object"));
  EXPECT_TRUE(failsWith(parse(R"({"weight_map":{}})"), "is empty"));
  EXPECT_TRUE(failsWith(parse(R"({"weight_map":{"a":1}})"),
                        "tensor 'a': expected the name of a shard file, but "
                        "got 1"));
  EXPECT_TRUE(failsWith(parse(R"({"weight_map":{"a":"f","a":"f"}})"),
                        "duplicate key \"a\""));
}

TEST(ShardIndex, CannotReachOutsideItsDirectory) {
  for (const char *name :
       {"", ".", "..", "/etc/passwd", "../f", "a/b", "f\\u0000.safetensors"})
    EXPECT_TRUE(failsWith(
        parseShardIndex(R"({"weight_map":{"a":")" + std::string(name) + "\"}}",
                        "i"),
        "expected the name of a shard file"))
        << name;
}

TEST(FindCheckpointFiles, PrefersTheStandardNames) {
  TemporaryDirectory dir;
  dir.put("other.safetensors", "");
  EXPECT_EQ(findCheckpointFiles(dir.str())->single,
            dir.file("other.safetensors"));
  EXPECT_EQ(findCheckpointFiles(dir.str() + "//")->single,
            dir.file("other.safetensors"));
  dir.put("model.safetensors.index.json", "");
  EXPECT_EQ(findCheckpointFiles(dir.str())->index,
            dir.file("model.safetensors.index.json"));
  EXPECT_EQ(findCheckpointFiles(dir.str())->single, "");
  dir.put("model.safetensors", "");
  EXPECT_EQ(findCheckpointFiles(dir.str())->single,
            dir.file("model.safetensors"));
}

TEST(FindCheckpointFiles, TakesFilesAsTheyAre) {
  TemporaryDirectory dir;
  EXPECT_EQ(findCheckpointFiles(dir.put("x.safetensors", ""))->single,
            dir.file("x.safetensors"));
  EXPECT_EQ(findCheckpointFiles(dir.put("x.safetensors.index.json", ""))->index,
            dir.file("x.safetensors.index.json"));
}

TEST(FindCheckpointFiles, RefusesToGuess) {
  TemporaryDirectory dir;
  EXPECT_TRUE(failsWith(findCheckpointFiles(dir.str()),
                        "expected a .safetensors file, but found none"));
  dir.put("pytorch_model.bin", "");
  EXPECT_TRUE(failsWith(findCheckpointFiles(dir.str()), "must be converted"));
  dir.put(".hidden.safetensors", "");
  EXPECT_TRUE(failsWith(findCheckpointFiles(dir.str()), "found none"));
  dir.put("a.safetensors", "");
  dir.put("b.safetensors", "");
  EXPECT_TRUE(failsWith(findCheckpointFiles(dir.str()),
                        "expected model.safetensors or one .safetensors file, "
                        "but got 2 such files (a.safetensors, b.safetensors)"));
  dir.put("c.safetensors", "");
  EXPECT_TRUE(failsWith(findCheckpointFiles(dir.str()), "3 such files"));
  EXPECT_TRUE(
      failsWith(findCheckpointFiles(dir.file("none")), "/none': no such file"));
  EXPECT_TRUE(failsWith(findCheckpointFiles(""), "no such file"));
  EXPECT_TRUE(failsWith(findCheckpointFiles(dir.file("a.safetensors/x")),
                        "not a directory"));
}
