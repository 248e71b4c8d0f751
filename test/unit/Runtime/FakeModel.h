//===- FakeModel.h - compiled directories made by hand --------*- C++ -*-===//
//
// Pairs a library built from FakeLibrary.c with a manifest.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_TEST_UNIT_RUNTIME_FAKEMODEL_H
#define LINNET_TEST_UNIT_RUNTIME_FAKEMODEL_H

#include "linnet/Runtime/Invocation.h"
#include "linnet/Runtime/Manifest.h"
#include "linnet/Runtime/linnet.h"
#include "linnet/Support/File.h"

#include "test/unit/Support/TestFiles.h"

#include <dlfcn.h>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace linnet::test {

inline constexpr int64_t kFakeWidth = 16;
inline constexpr int64_t kFakeContext = 64;
inline constexpr int64_t kFakeBlock = 5;

/// The parts that all fakes have in common.
inline Manifest fakeBase() {
  Manifest manifest;
  manifest.abi = LINNET_ABI_VERSION;
  manifest.id = "fake-1";
  manifest.triple = "x86_64-unknown-linux-gnu";
  manifest.cpu = "x86-64";
  manifest.features = {"sse2"};
  manifest.modelType = "fake";
  manifest.source = "/nowhere";
  return manifest;
}

/// The language model of FakeLibrary.c.
inline Manifest fakeLanguageModel(int64_t batch = 1) {
  Manifest manifest = fakeBase();
  manifest.vocabSize = 16;
  manifest.hiddenSize = 4;
  manifest.maxContext = kFakeContext;
  manifest.batch = batch;
  manifest.eos = {2};
  manifest.states = {
      {"sum", {batch}, batch * 8, StateSpec::Kind::Fixed},
      {"cache",
       {batch, kFakeContext},
       batch * kFakeContext * 4,
       StateSpec::Kind::Append},
  };
  manifest.phases = {
      {"prefill", "fake_prefill", kFakeBlock, batch * kFakeBlock * 8, 8},
      {"decode", "fake_decode", 1, batch * 8, 8},
  };
  manifest.inputs = {{"tokens", DataType::I32, {batch, -1}}};
  manifest.outputs = {{"logits", DataType::F32, {batch, -1, kFakeWidth}}};
  return manifest;
}

/// A function of FakeLibrary.c called `symbol`.
inline Manifest fakeFunction(const std::string &symbol,
                             std::vector<ArgumentSpec> inputs,
                             std::vector<ArgumentSpec> outputs) {
  Manifest manifest = fakeBase();
  manifest.kind = Manifest::ModelKind::Function;
  manifest.phases = {{"run", symbol, 1, 0, 0}};
  manifest.inputs = std::move(inputs);
  manifest.outputs = std::move(outputs);
  return manifest;
}

/// A temporary compiled directory.
class CompiledDirectory {
public:
  explicit CompiledDirectory(const Manifest &manifest,
                             const std::string &library = "FakeModel") {
    EXPECT_TRUE(succeeds(writeManifest(directory.str(), manifest)));
    std::filesystem::copy_file(std::string(LINNET_FAKES) + "/" + library +
                                   ".so",
                               directory.file("model.so"));
  }
  const char *path() const { return text.c_str(); }
  const TemporaryDirectory &files() const { return directory; }

  /// Edits manifest.json as JSON, unchecked.
  void edit(const std::function<void(Json &)> &change) const {
    auto json = readJsonFile(directory.file("manifest.json"));
    ASSERT_TRUE(succeeds(json));
    change(*json);
    directory.put("manifest.json", formatJson(*json));
  }

private:
  TemporaryDirectory directory;
  std::string text = directory.str();
};

struct ReleaseHandle {
  void operator()(linnet_model *model) const { linnet_model_close(model); }
  void operator()(linnet_session *session) const {
    linnet_session_destroy(session);
  }
};
using ModelHandle = std::unique_ptr<linnet_model, ReleaseHandle>;
using SessionHandle = std::unique_ptr<linnet_session, ReleaseHandle>;

/// Fails the test with the runtime's message on errors.
inline ModelHandle openModel(const CompiledDirectory &directory,
                             int32_t threads = 2) {
  linnet_options options = {threads};
  linnet_model *model = nullptr;
  EXPECT_EQ(linnet_model_open(directory.path(), &options, &model), LINNET_OK)
      << linnet_last_error();
  return ModelHandle(model);
}

inline SessionHandle createSession(const ModelHandle &model) {
  linnet_session *session = nullptr;
  EXPECT_EQ(linnet_session_create(model.get(), &session), LINNET_OK)
      << linnet_last_error();
  return SessionHandle(session);
}

/// Whether a call returned `code` with a well-formed message about `part`.
inline ::testing::AssertionResult refuses(linnet_status got, linnet_status code,
                                          std::string_view part) {
  if (got != code)
    return ::testing::AssertionFailure()
           << "expected '" << linnet_status_name(code) << "', but got '"
           << linnet_status_name(got) << "': " << linnet_last_error();
  Status status = makeError(linnet_last_error());
  return failsWith(status, part);
}

/// Whether opening fails that way, leaving no model behind.
inline ::testing::AssertionResult
refusesToOpen(const CompiledDirectory &directory, linnet_status code,
              std::string_view part) {
  auto *model = reinterpret_cast<linnet_model *>(1);
  linnet_options options = {1};
  linnet_status got = linnet_model_open(directory.path(), &options, &model);
  if (model)
    return ::testing::AssertionFailure() << "a model was returned";
  return refuses(got, code, part);
}

/// As in FakeLibrary.c.
struct FakeCall {
  int64_t decode, tokens, position, firstRow;
  bool operator==(const FakeCall &) const = default;
};

/// What the library of an open model was asked to do so far.
inline std::vector<FakeCall> fakeCalls(const CompiledDirectory &directory) {
  void *library = dlopen(directory.files().file("model.so").c_str(),
                         RTLD_NOW | RTLD_NOLOAD);
  if (!library)
    return {};
  auto *calls = static_cast<FakeCall *>(dlsym(library, "fake_calls"));
  auto count = *static_cast<int64_t *>(dlsym(library, "fake_call_count"));
  std::vector<FakeCall> result(calls, calls + count);
  dlclose(library);
  return result;
}

/// The first logit of position p of a sequence, see FakeLibrary.c.
inline float fakeLogit(const std::vector<int32_t> &sequence, int64_t p,
                       int64_t j = 0) {
  int64_t sum = 0;
  for (int64_t i = 0; i <= p; ++i)
    sum += sequence[i];
  return float((p * 16 + j) * 1024 + sum % 1024);
}

} // namespace linnet::test

#endif // LINNET_TEST_UNIT_RUNTIME_FAKEMODEL_H
