//===- ArchiveOverlayTest.cpp - new tensors over an archive ---------------===//

#include "MakeSafetensors.h"
#include "test/unit/Support/TestFiles.h"

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Checkpoint/Safetensors.h"

using namespace linnet;
using namespace linnet::test;

using Names = std::vector<std::string>;

namespace {

/// An archive of a: F32 [2] = 1, 2 and b: F32 [1] = 3 in DIR/model.safetensors.
class ArchiveOverlay : public ::testing::Test {
protected:
  void SetUp() override {
    std::string data;
    for (float value : {1.0f, 2.0f, 3.0f})
      data.append(reinterpret_cast<const char *>(&value), 4);
    path =
        dir.put("model.safetensors",
                makeSafetensors(
                    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                    R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                    data));
    archive = Archive::open(path).take();
  }
  void TearDown() override { archive.discardOverlay(); }

  static std::vector<float> floats(const Archive &from, const char *name) {
    const Archive::Tensor *tensor = from.find(name);
    return tensor ? valuesOf<float>(tensor->data, tensor->bytes)
                  : std::vector<float>{};
  }

  TemporaryDirectory dir;
  std::string path;
  Archive archive;
};

} // namespace

TEST_F(ArchiveOverlay, Wins) {
  ASSERT_TRUE(succeeds(
      archive.overlay("a", DataType::F32, {1, 3}, bytesOf<float>({7, 8, 9}))));
  EXPECT_EQ(floats(archive, "a"), (std::vector<float>{7, 8, 9}));
  EXPECT_EQ(archive.find("a")->shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(archive.find("a")->fileIndex, Archive::kNoFile);
  EXPECT_EQ(archive.fileOf(*archive.find("a")), "the overlay");
  EXPECT_EQ(floats(archive, "b"), std::vector<float>{3});
  EXPECT_EQ(archive.size(), 2u);
}

TEST_F(ArchiveOverlay, AddsNewNames) {
  ASSERT_TRUE(
      succeeds(archive.overlay("c", DataType::U8, {}, bytesOf<char>({'x'}))));
  EXPECT_EQ(archive.names(), (Names{"a", "b", "c"}));
  EXPECT_EQ(archive.overlayNames(), Names{"c"});
}

TEST_F(ArchiveOverlay, CanBeReplacedAndSurvivesMoves) {
  ASSERT_TRUE(
      succeeds(archive.overlay("c", DataType::F32, {1}, bytesOf<float>({1}))));
  ASSERT_TRUE(succeeds(
      archive.overlay("c", DataType::F32, {2}, bytesOf<float>({2, 3}))));
  Archive moved = std::move(archive);
  EXPECT_EQ(floats(moved, "c"), (std::vector<float>{2, 3}));
  EXPECT_TRUE(moved.hasUnsavedOverlay());
  archive = std::move(moved);
  EXPECT_EQ(floats(archive, "c"), (std::vector<float>{2, 3}));
}

TEST_F(ArchiveOverlay, ChecksWhatIsAdded) {
  auto one = bytesOf<float>({1});
  EXPECT_TRUE(failsWith(archive.overlay("c", DataType::F32, {2}, one),
                        "tensor 'c' for the overlay: expected 8 bytes for F32 "
                        "[2], but got 4"));
  EXPECT_TRUE(
      failsWith(archive.overlay("c", DataType::F32, {-1}, one), "shape [-1]"));
  EXPECT_TRUE(
      failsWith(archive.overlay("", DataType::F32, {1}, one), "another name"));
  EXPECT_TRUE(
      failsWith(archive.overlay("\xff", DataType::F32, {1}, one), "not UTF-8"));
  EXPECT_FALSE(archive.hasUnsavedOverlay());
  EXPECT_EQ(archive.names(), (Names{"a", "b"}));
}

TEST_F(ArchiveOverlay, RemovesTensors) {
  ASSERT_TRUE(succeeds(archive.remove("a")));
  EXPECT_EQ(archive.find("a"), nullptr);
  EXPECT_EQ(archive.names(), Names{"b"});
  EXPECT_EQ(archive.removedNames(), Names{"a"});
  EXPECT_TRUE(archive.hasUnsavedOverlay());
  EXPECT_TRUE(failsWith(archive.remove("a"), "tensor 'a' not found"));
  // An overlay of a removed name brings it back.
  ASSERT_TRUE(
      succeeds(archive.overlay("a", DataType::F32, {1}, bytesOf<float>({5}))));
  EXPECT_EQ(archive.removedNames(), Names{});
  EXPECT_EQ(floats(archive, "a"), std::vector<float>{5});
  // Removing an overlaid tensor does not uncover the one below.
  ASSERT_TRUE(succeeds(archive.remove("a")));
  EXPECT_EQ(archive.find("a"), nullptr);
}

TEST_F(ArchiveOverlay, UndoneBeforeSavingIsNotALoss) {
  ASSERT_TRUE(
      succeeds(archive.overlay("c", DataType::U8, {1}, bytesOf<char>({'x'}))));
  EXPECT_TRUE(archive.hasUnsavedOverlay());
  ASSERT_TRUE(succeeds(archive.remove("c")));
  EXPECT_FALSE(archive.hasUnsavedOverlay());
}

TEST_F(ArchiveOverlay, UndoneAfterSavingIsAChange) {
  ASSERT_TRUE(
      succeeds(archive.overlay("c", DataType::U8, {1}, bytesOf<char>({'x'}))));
  ASSERT_TRUE(succeeds(archive.saveOverlay(dir.file("o"))));
  ASSERT_TRUE(succeeds(archive.remove("c")));
  EXPECT_TRUE(archive.hasUnsavedOverlay());
  EXPECT_TRUE(failsWith(archive.checkOverlaySaved(), "was not saved"));
}

TEST_F(ArchiveOverlay, SavesAndLoads) {
  ASSERT_TRUE(succeeds(
      archive.overlay("c", DataType::F32, {2}, bytesOf<float>({4, 5}))));
  ASSERT_TRUE(succeeds(archive.remove("a")));
  EXPECT_TRUE(failsWith(archive.checkOverlaySaved(),
                        "was not saved (tensor 'c', ...)"));
  ASSERT_TRUE(succeeds(archive.saveOverlay(dir.file("o.safetensors"))));
  EXPECT_FALSE(archive.hasUnsavedOverlay());
  EXPECT_TRUE(succeeds(archive.checkOverlaySaved()));

  Archive fresh = Archive::open(path).take();
  ASSERT_TRUE(succeeds(fresh.loadOverlay(dir.file("o.safetensors"))));
  EXPECT_EQ(fresh.names(), (Names{"b", "c"}));
  EXPECT_EQ(floats(fresh, "c"), (std::vector<float>{4, 5}));
  EXPECT_EQ(fresh.files().size(), 2u);
  EXPECT_EQ(fresh.fileOf(*fresh.find("c")), dir.file("o.safetensors"));
  EXPECT_EQ(fresh.overlayNames(), Names{"c"});
  EXPECT_EQ(fresh.removedNames(), Names{"a"});
  EXPECT_FALSE(fresh.hasUnsavedOverlay());

  // Loaded, extended and saved over itself: nothing gets lost.
  ASSERT_TRUE(
      succeeds(fresh.overlay("d", DataType::U8, {1}, bytesOf<char>({'x'}))));
  EXPECT_TRUE(fresh.hasUnsavedOverlay());
  ASSERT_TRUE(succeeds(fresh.saveOverlay(dir.file("o.safetensors"))));
  Archive again = Archive::open(path).take();
  ASSERT_TRUE(succeeds(again.loadOverlay(dir.file("o.safetensors"))));
  EXPECT_EQ(again.names(), (Names{"b", "c", "d"}));
  EXPECT_EQ(floats(again, "c"), (std::vector<float>{4, 5}));
}

TEST_F(ArchiveOverlay, SavesEverythingAsOneFile) {
  ASSERT_TRUE(
      succeeds(archive.overlay("c", DataType::F32, {1}, bytesOf<float>({4}))));
  ASSERT_TRUE(succeeds(archive.remove("b")));
  ASSERT_TRUE(succeeds(archive.saveAll(dir.file("all.safetensors"))));
  EXPECT_FALSE(archive.hasUnsavedOverlay());
  Archive all = Archive::open(dir.file("all.safetensors")).take();
  EXPECT_EQ(all.names(), (Names{"a", "c"}));
  EXPECT_EQ(floats(all, "a"), (std::vector<float>{1, 2}));
  EXPECT_EQ(floats(all, "c"), std::vector<float>{4});
  EXPECT_EQ(SafetensorsFile::open(dir.file("all.safetensors"))
                ->metadata()
                .at("format"),
            "pt");
}

TEST_F(ArchiveOverlay, NeverReplacesTheCheckpoint) {
  ASSERT_TRUE(
      succeeds(archive.overlay("c", DataType::U8, {1}, bytesOf<char>({'x'}))));
  std::string before = slurp(path);
  std::filesystem::create_hard_link(path, dir.file("alias"));
  for (const std::string &target :
       {path, dir.str() + "/./model.safetensors", dir.file("alias")}) {
    EXPECT_TRUE(failsWith(archive.saveOverlay(target), "reads its tensors"));
    EXPECT_TRUE(failsWith(archive.saveAll(target), "reads its tensors"));
  }
  EXPECT_EQ(slurp(path), before);
  EXPECT_TRUE(archive.hasUnsavedOverlay());
}

TEST_F(ArchiveOverlay, AFailedSaveLosesNothing) {
  ASSERT_TRUE(
      succeeds(archive.overlay("c", DataType::U8, {1}, bytesOf<char>({'x'}))));
  EXPECT_TRUE(failsWith(archive.saveOverlay(dir.file("no/o")), "no such file"));
  EXPECT_TRUE(failsWith(archive.saveAll(dir.str()), "is a directory"));
  EXPECT_TRUE(archive.hasUnsavedOverlay());
  EXPECT_NE(archive.find("c"), nullptr);
  EXPECT_EQ(dir.list(), Names{"model.safetensors"});
}

TEST_F(ArchiveOverlay, DiscardingMustBeSaid) {
  ASSERT_TRUE(
      succeeds(archive.overlay("c", DataType::U8, {1}, bytesOf<char>({'x'}))));
  archive.discardOverlay();
  EXPECT_FALSE(archive.hasUnsavedOverlay());
  EXPECT_NE(archive.find("c"), nullptr);
  ASSERT_TRUE(
      succeeds(archive.overlay("d", DataType::U8, {1}, bytesOf<char>({'x'}))));
  EXPECT_TRUE(archive.hasUnsavedOverlay());
}

TEST_F(ArchiveOverlay, LosingItSilentlyWarns) {
  ::testing::internal::CaptureStderr();
  {
    Archive lost = Archive::open(path).take();
    ASSERT_TRUE(
        succeeds(lost.overlay("c", DataType::U8, {1}, bytesOf<char>({'x'}))));
    Archive other;
    other = std::move(lost);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "warning: the overlay over " + path +
                " was not saved (tensor 'c')\n");
}

TEST_F(ArchiveOverlay, SavedOrDiscardedDoesNotWarn) {
  ::testing::internal::CaptureStderr();
  {
    Archive saved = Archive::open(path).take();
    ASSERT_TRUE(succeeds(saved.remove("a")));
    ASSERT_TRUE(succeeds(saved.saveOverlay(dir.file("o"))));
    Archive discarded = Archive::open(path).take();
    ASSERT_TRUE(succeeds(discarded.remove("a")));
    discarded.discardOverlay();
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST_F(ArchiveOverlay, RefusesAnOverlayOfAnotherCheckpoint) {
  auto overlay = [&](std::string_view removed) {
    return dir.put("o",
                   makeSafetensors(R"({"__metadata__":{"linnet.removed":")" +
                                       std::string(removed) +
                                       R"("},"b":{"dtype":"U8","shape":[0],)"
                                       R"("data_offsets":[0,0]}})",
                                   ""));
  };
  EXPECT_TRUE(failsWith(archive.loadOverlay(overlay(R"([\"x\"])")),
                        "removes tensor 'x', which is not in"));
  EXPECT_TRUE(failsWith(archive.loadOverlay(overlay(R"([\"b\"])")),
                        "removes tensor 'b', which it also adds"));
  EXPECT_TRUE(failsWith(archive.loadOverlay(overlay("[1]")),
                        "expected a list of strings"));
  EXPECT_TRUE(
      failsWith(archive.loadOverlay(overlay("null")), "linnet.removed"));
  EXPECT_TRUE(
      failsWith(archive.loadOverlay(overlay("[")), "linnet.removed:1:"));
  EXPECT_TRUE(failsWith(archive.loadOverlay(dir.file("none")), "no such file"));
  // A refused overlay changed nothing.
  EXPECT_EQ(floats(archive, "b"), std::vector<float>{3});
  EXPECT_EQ(archive.files().size(), 1u);
  EXPECT_FALSE(archive.hasUnsavedOverlay());
}

TEST_F(ArchiveOverlay, StandsAloneWithoutACheckpoint) {
  Archive empty;
  ASSERT_TRUE(
      succeeds(empty.overlay("a", DataType::F32, {1}, bytesOf<float>({1}))));
  ASSERT_TRUE(succeeds(empty.saveOverlay(dir.file("o.safetensors"))));
  EXPECT_EQ(Archive::open(dir.file("o.safetensors"))->names(), Names{"a"});
}
