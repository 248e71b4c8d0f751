//===- ModelTest.cpp - opening compiled directories -----------------------===//

#include "FakeModel.h"

#include "linnet/Runtime/Usage.h"

#include <filesystem>
#include <sys/resource.h>

using namespace linnet;
using namespace linnet::test;

namespace {

TEST(ModelTest, TellsWhatItIs) {
  CompiledDirectory directory(fakeLanguageModel());
  ModelHandle model = openModel(directory, 3);
  ASSERT_TRUE(model);
  EXPECT_EQ(linnet_model_kind(model.get()), LINNET_KIND_CAUSAL_LM);
  EXPECT_STREQ(linnet_model_type(model.get()), "fake");
  EXPECT_EQ(linnet_model_vocab_size(model.get()), 16);
  EXPECT_EQ(linnet_model_hidden_size(model.get()), 4);
  EXPECT_EQ(linnet_model_max_context(model.get()), kFakeContext);
  EXPECT_EQ(linnet_model_batch(model.get()), 1);
  EXPECT_EQ(linnet_model_output_width(model.get()), kFakeWidth);
  EXPECT_EQ(linnet_model_block_size(model.get()), kFakeBlock);
  EXPECT_EQ(linnet_model_threads(model.get()), 3);
  EXPECT_EQ(linnet_model_state_bytes(model.get()), 8 + 64 * 4);
  EXPECT_EQ(linnet_model_input_count(model.get()), 1);
  EXPECT_EQ(linnet_model_output_count(model.get()), 1);
  linnet_tensor_info info;
  ASSERT_EQ(linnet_model_input(model.get(), 0, &info), LINNET_OK);
  EXPECT_STREQ(info.name, "tokens");
  EXPECT_STREQ(info.dtype, "I32");
  ASSERT_EQ(info.rank, 2);
  EXPECT_EQ(info.shape[1], -1);
  ASSERT_EQ(linnet_model_output(model.get(), 0, &info), LINNET_OK);
  EXPECT_EQ(info.shape[2], kFakeWidth);
  EXPECT_TRUE(refuses(linnet_model_output(model.get(), 1, &info),
                      LINNET_ERROR_ARGUMENT, "expected an index below 1"));
  auto json = parseJson(linnet_model_manifest(model.get()), "manifest");
  ASSERT_TRUE(succeeds(json));
  EXPECT_EQ((*json)["id"], "fake-1");
}

TEST(ModelTest, DefaultThreadsAreTheProcessors) {
  CompiledDirectory directory(fakeLanguageModel());
  linnet_model *model = nullptr;
  ASSERT_EQ(linnet_model_open(directory.path(), nullptr, &model), LINNET_OK);
  EXPECT_GE(linnet_model_threads(model), 1);
  linnet_model_close(model);
  for (int32_t threads : {-1, 1025}) {
    linnet_options options = {threads};
    EXPECT_TRUE(refuses(linnet_model_open(directory.path(), &options, &model),
                        LINNET_ERROR_ARGUMENT, "expected 0 to 1024 threads"));
  }
}

TEST(ModelTest, NullIsAnErrorOrNothing) {
  linnet_model *model = nullptr;
  EXPECT_TRUE(refuses(linnet_model_open(nullptr, nullptr, &model),
                      LINNET_ERROR_ARGUMENT, "expected a directory"));
  EXPECT_TRUE(refuses(linnet_model_open("x", nullptr, nullptr),
                      LINNET_ERROR_ARGUMENT, "expected room for a model"));
  linnet_model_close(nullptr);
  linnet_session_destroy(nullptr);
  EXPECT_EQ(linnet_model_vocab_size(nullptr), 0);
  EXPECT_EQ(linnet_model_output_width(nullptr), 0);
  EXPECT_STREQ(linnet_model_manifest(nullptr), "");
  EXPECT_EQ(linnet_session_position(nullptr), 0);
  linnet_session *session = nullptr;
  EXPECT_TRUE(refuses(linnet_session_create(nullptr, &session),
                      LINNET_ERROR_ARGUMENT, "expected a model"));
  EXPECT_TRUE(refuses(linnet_decode(nullptr, nullptr, nullptr),
                      LINNET_ERROR_ARGUMENT, "expected a session"));
  EXPECT_TRUE(refuses(linnet_model_input(nullptr, 0, nullptr),
                      LINNET_ERROR_ARGUMENT, "expected a model"));
}

TEST(ModelTest, RefusesWhatIsNotACompiledDirectory) {
  linnet_model *model = nullptr;
  EXPECT_TRUE(refuses(linnet_model_open("/nonexistent", nullptr, &model),
                      LINNET_ERROR_IO, "expected a directory written by"));
  CompiledDirectory directory(fakeLanguageModel());
  directory.files().put("manifest.json", "{\"linnet\": ");
  EXPECT_TRUE(refusesToOpen(directory, LINNET_ERROR_MANIFEST, "manifest.json"));
}

TEST(ModelTest, RefusesLibrariesThatDoNotFit) {
  Manifest manifest = fakeLanguageModel();
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(manifest, "FakeOtherId"),
                            LINNET_ERROR_LIBRARY,
                            "manifest and library come from different "
                            "compilations: expected id fake-1, but got "
                            "fake-2"));
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(manifest, "FakeOtherAbi"),
                            LINNET_ERROR_LIBRARY,
                            "expected interface version 1, but got 99"));
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(manifest, "FakeNoId"),
                            LINNET_ERROR_LIBRARY,
                            "expected a symbol 'linnet_library_id'"));
  manifest.phases[1].symbol = "fake_absent";
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(manifest), LINNET_ERROR_LIBRARY,
                            "expected a symbol 'fake_absent'"));
  // An id of which the other is a prefix is another id.
  manifest = fakeLanguageModel();
  manifest.id = "fake-";
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(manifest), LINNET_ERROR_LIBRARY,
                            "expected id fake-, but got fake-1"));
}

TEST(ModelTest, RefusesDamagedLibraries) {
  CompiledDirectory whole(fakeLanguageModel());
  std::string library = slurp(whole.files().file("model.so"));
  // Cut anywhere, down to the last byte. The loader itself accepts many of
  // these, maps what is there and dies on what is not.
  for (size_t size = 0; size < library.size();
       size += std::max<size_t>(1, library.size() / 40)) {
    CompiledDirectory directory(fakeLanguageModel());
    directory.files().put("model.so", library.substr(0, size));
    ASSERT_TRUE(refusesToOpen(directory, LINNET_ERROR_LIBRARY, "model.so"))
        << size;
  }
  CompiledDirectory directory(fakeLanguageModel());
  directory.files().put("model.so", library.substr(0, library.size() - 1));
  EXPECT_TRUE(refusesToOpen(directory, LINNET_ERROR_LIBRARY,
                            "bytes of a whole library, but got"));
  directory.files().put("model.so", std::string(100000, 'x'));
  EXPECT_TRUE(refusesToOpen(directory, LINNET_ERROR_LIBRARY,
                            "expected an ELF library"));
  std::filesystem::remove(directory.files().file("model.so"));
  EXPECT_TRUE(refusesToOpen(directory, LINNET_ERROR_LIBRARY, "model.so"));
}

// FakeTrap aborts as soon as it is loaded: the refusal must come before.
TEST(ModelTest, RefusesOtherProcessorsBeforeLoadingCode) {
  Manifest manifest = fakeLanguageModel();
  manifest.features = {"sse2", "amx-foo"};
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(manifest, "FakeTrap"),
                            LINNET_ERROR_CPU,
                            "expected a processor with amx-foo"));
  manifest.features = {};
  manifest.triple = "riscv64-unknown-linux-gnu";
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(manifest, "FakeTrap"),
                            LINNET_ERROR_CPU, "but got riscv64"));
}

TEST(ModelTest, RefusesMoreMemoryThanThereIs) {
  Manifest manifest = fakeLanguageModel();
  manifest.phases[0].workspaceBytes = int64_t(1) << 48;
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(manifest), LINNET_ERROR_MEMORY,
                            "cannot allocate"));
}

TEST(ModelTest, ErrorsBelongToTheirThread) {
  linnet_model *model = nullptr;
  EXPECT_TRUE(refuses(linnet_model_open(nullptr, nullptr, &model),
                      LINNET_ERROR_ARGUMENT, "a directory"));
  std::string other = "x";
  std::thread([&] { other = linnet_last_error(); }).join();
  EXPECT_EQ(other, "");
  for (int status = 0; status <= 12; ++status)
    EXPECT_STRNE(linnet_status_name(linnet_status(status)), "unknown status");
  EXPECT_STREQ(linnet_version(), "0.1.0");
}

TEST(ModelTest, PeakMemoryIsMeasured) {
  int64_t before = peakResidentBytes();
  EXPECT_GT(before, 1 << 20);
  constexpr int64_t kBytes = 64 << 20;
  std::unique_ptr<char[]> memory(new char[kBytes]);
  for (volatile char *p = memory.get(); p < memory.get() + kBytes; p += 512)
    *p = 1;
  EXPECT_GE(peakResidentBytes(), kBytes);
  EXPECT_GE(peakResidentBytes(), before);
}

} // namespace
