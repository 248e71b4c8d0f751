//===- SafetensorsWriterTest.cpp ------------------------------------------===//

#include "MakeSafetensors.h"
#include "test/unit/Support/TestFiles.h"

#include "linnet/Checkpoint/Safetensors.h"
#include "linnet/Checkpoint/SafetensorsWriter.h"

#include <csignal>
#include <sys/resource.h>
#include <unistd.h>

using namespace linnet;
using namespace linnet::test;

using Names = std::vector<std::string>;

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
  TemporaryDirectory dir;
  Result<SafetensorsWriter> writer =
      SafetensorsWriter::create(dir.file("t.safetensors"),
                                {{"b", DataType::U8, {3}},
                                 {"a", DataType::F32, {2, 1}},
                                 {"s", DataType::F64, {}},
                                 {"e", DataType::BF16, {0, 7}}},
                                {{"format", "pt"}, {"quote", "\"\n\u00e9"}});
  ASSERT_TRUE(succeeds(writer));
  std::vector<float> a = {1.5f, -2.0f};
  double s = 0.25;
  // Any order, any pieces.
  ASSERT_TRUE(succeeds(writer->append("b", "xy", 2)));
  ASSERT_TRUE(succeeds(writer->append("s", &s, 8)));
  ASSERT_TRUE(succeeds(writer->append("a", a.data(), 8)));
  ASSERT_TRUE(succeeds(writer->append("b", "z", 1)));
  ASSERT_TRUE(succeeds(writer->append("e", nullptr, 0)));
  EXPECT_FALSE(std::filesystem::exists(dir.file("t.safetensors")));
  ASSERT_TRUE(succeeds(writer->commit()));

  Result<SafetensorsFile> file =
      SafetensorsFile::open(dir.file("t.safetensors"));
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->metadata().at("quote"), "\"\n\u00e9");
  EXPECT_EQ(file->tensors().size(), 4u);
  EXPECT_EQ(std::memcmp(file->data(*file->find("b")), "xyz", 3), 0);
  EXPECT_EQ(std::memcmp(file->data(*file->find("a")), a.data(), 8), 0);
  EXPECT_EQ(loadAsDouble(file->data(*file->find("s")), DataType::F64, 0), 0.25);
  EXPECT_EQ(file->find("e")->shape, (std::vector<int64_t>{0, 7}));
}

TEST(SafetensorsWriter, AlignsHeaderAndTensors) {
  for (int length = 1; length < 20; ++length) {
    Result<SafetensorsLayout> layout =
        layOutSafetensors({{std::string(length, 'n'), DataType::U8, {3}},
                           {"h", DataType::F16, {1}},
                           {"d", DataType::F64, {1}},
                           {"f", DataType::F32, {1}}},
                          {}, "f");
    ASSERT_TRUE(succeeds(layout));
    EXPECT_EQ(layout->header.size() % 8, 0u);
    EXPECT_EQ(layout->ranges.at("d").first % 8, 0u);
    EXPECT_EQ(layout->ranges.at("f").first % 4, 0u);
    EXPECT_EQ(layout->ranges.at("h").first % 2, 0u);
    EXPECT_EQ(layout->fileSize, layout->header.size() + 8 + 4 + 2 + 3);
  }
}

TEST(SafetensorsWriter, TheHeaderIsExactly) {
  Result<SafetensorsLayout> layout = layOutSafetensors(
      {{"b", DataType::U8, {3}}, {"a", DataType::F32, {2, 1}}},
      {{"format", "pt"}}, "f");
  ASSERT_TRUE(succeeds(layout));
  std::string json =
      R"({"__metadata__":{"format":"pt"},)"
      R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";
  EXPECT_EQ(layout->header.substr(8, json.size()), json);
  EXPECT_EQ(layout->header.find_first_not_of(' ', 8 + json.size()),
            std::string::npos);
}

TEST(SafetensorsWriter, EqualContentGivesEqualFiles) {
  TensorSpec a = {"a", DataType::F32, {2}}, b = {"b", DataType::F32, {1}};
  EXPECT_EQ(layOutSafetensors({a, b}, {}, "f")->header,
            layOutSafetensors({b, a}, {}, "f")->header);
}

TEST(SafetensorsWriter, RewritesAFixtureUnchanged) {
  TemporaryDirectory dir;
  SafetensorsFile in =
      SafetensorsFile::open(LINNET_ORACLE_DIR "/hf/llama/model.safetensors")
          .take();
  std::vector<TensorSpec> specs;
  for (const TensorInfo &tensor : in.tensors())
    specs.push_back({tensor.name, tensor.dtype, tensor.shape});
  SafetensorsWriter writer =
      SafetensorsWriter::create(dir.file("t"), specs, in.metadata()).take();
  for (const TensorInfo &tensor : in.tensors())
    ASSERT_TRUE(
        succeeds(writer.append(tensor.name, in.data(tensor), tensor.bytes())));
  ASSERT_TRUE(succeeds(writer.commit()));
  SafetensorsFile out = SafetensorsFile::open(dir.file("t")).take();
  ASSERT_EQ(out.tensors().size(), in.tensors().size());
  for (const TensorInfo &tensor : in.tensors()) {
    const TensorInfo *copy = out.find(tensor.name);
    ASSERT_NE(copy, nullptr);
    EXPECT_EQ(copy->dtype, tensor.dtype);
    EXPECT_EQ(copy->shape, tensor.shape);
    EXPECT_EQ(std::memcmp(out.data(*copy), in.data(tensor), tensor.bytes()), 0);
  }
}

TEST(SafetensorsWriter, RefusesUnusableTensors) {
  auto lay = [](std::vector<TensorSpec> tensors) {
    return layOutSafetensors(std::move(tensors), {}, "f");
  };
  EXPECT_TRUE(failsWith(lay({{"", DataType::U8, {1}}}), "another name"));
  EXPECT_TRUE(
      failsWith(lay({{"__metadata__", DataType::U8, {1}}}), "another name"));
  EXPECT_TRUE(failsWith(lay({{"\xff", DataType::U8, {1}}}), "not UTF-8"));
  EXPECT_TRUE(failsWith(lay({{"a", DataType::U8, {-1}}}),
                        "tensor 'a' for f: shape [-1] is negative"));
  EXPECT_TRUE(failsWith(lay({{"a", DataType::F64, {int64_t(1) << 60}}}),
                        "overflows 64 bits"));
  EXPECT_TRUE(failsWith(
      lay({{"a", DataType::U8, {INT64_MAX}}, {"b", DataType::U8, {INT64_MAX}}}),
      "exceed 2^63"));
  EXPECT_TRUE(
      failsWith(lay({{"a", DataType::U8, {1}}, {"a", DataType::F32, {1}}}),
                "expected its name once"));
  EXPECT_TRUE(failsWith(layOutSafetensors({}, {{"k", "\xff"}}, "f"),
                        "metadata 'k' is not UTF-8"));
}

TEST(SafetensorsWriter, ChecksWhatIsAppended) {
  TemporaryDirectory dir;
  {
    SafetensorsWriter writer =
        SafetensorsWriter::create(dir.file("t"), {{"a", DataType::F32, {2}}})
            .take();
    EXPECT_TRUE(failsWith(writer.append("b", "x", 1), "not announced"));
    EXPECT_TRUE(failsWith(writer.append("a", "123456789", 9),
                          "expected 8 bytes in all, but got at least 9"));
    ASSERT_TRUE(succeeds(writer.append("a", "12345", 5)));
    EXPECT_TRUE(failsWith(writer.append("a", "1234", 4), "got at least 9"));
    EXPECT_TRUE(failsWith(writer.commit(), "expected 8 bytes, but got 5"));
  }
  EXPECT_EQ(dir.list(), Names{});
}

TEST(SafetensorsWriter, LeavesNothingWithoutCommit) {
  TemporaryDirectory dir;
  dir.put("t", "old");
  {
    Result<SafetensorsWriter> writer =
        SafetensorsWriter::create(dir.file("t"), {{"a", DataType::U8, {1}}});
    ASSERT_TRUE(succeeds(writer));
  }
  EXPECT_EQ(dir.list(), Names{"t"});
  EXPECT_EQ(slurp(dir.file("t")), "old");
}

TEST(SafetensorsWriter, RefusesUnwritablePlaces) {
  TemporaryDirectory dir;
  EXPECT_TRUE(
      failsWith(SafetensorsWriter::create(dir.file("no/t"), {}), "no such"));
  EXPECT_TRUE(
      failsWith(SafetensorsWriter::create(dir.str(), {}), "is a directory"));
}

TEST(SafetensorsWriterDeathTest, AFullDiskLeavesNothing) {
  TemporaryDirectory dir;
  EXPECT_EXIT(
      {
        std::signal(SIGXFSZ, SIG_IGN);
        rlimit limit;
        limit.rlim_cur = limit.rlim_max = 100000;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        Result<SafetensorsWriter> writer = SafetensorsWriter::create(
            dir.file("t"), {{"a", DataType::U8, {200000}}});
        std::string data(200000, 'x');
        Status status = writer->append("a", data.data(), data.size());
        writer = makeError("done"); // destroys the writer
        fprintf(stderr, "%s\n", status ? "ok" : status.error().str().c_str());
        ::_exit(status ? 0 : 1);
      },
      ::testing::ExitedWithCode(1), "cannot write .*/t': file too large");
  EXPECT_EQ(dir.list(), Names{});
}
