//===- LinkTest.cpp - objects to a library --------------------------------===//

#include "CompileText.h"

#include "linnet/Support/File.h"

namespace linnet {
namespace {

/// `count` kernels of some size that one exported function calls.
std::string manyKernels(int count) {
  std::string text, calls;
  for (int i = 0; i < count; ++i) {
    std::string name = "kernel" + std::to_string(i);
    text += "func.func private @" + name +
            "(%m: memref<64x64xf32>) {\n"
            "  %zero = arith.constant 0 : index\n"
            "  %one = arith.constant 1 : index\n"
            "  %n = arith.constant 64 : index\n"
            "  scf.for %i = %zero to %n step %one {\n"
            "    %v = vector.load %m[%i, %zero] : memref<64x64xf32>, "
            "vector<64xf32>\n"
            "    %e = math.exp %v : vector<64xf32>\n"
            "    %c = arith.constant dense<" +
            std::to_string(i + 1) +
            ".0> : vector<64xf32>\n"
            "    %s = arith.addf %e, %c : vector<64xf32>\n"
            "    vector.store %s, %m[%i, %zero] : memref<64x64xf32>, "
            "vector<64xf32>\n"
            "  }\n  return\n}\n";
    calls += "  call @" + name + "(%m) : (memref<64x64xf32>) -> ()\n";
  }
  return text +
         "func.func @run(%m: memref<64x64xf32>) attributes {linnet.phase = "
         "\"run\"} {\n" +
         calls + "  return\n}\n";
}

std::string linkedBytes(const std::vector<ObjectCode> &objects) {
  ScratchDirectory directory;
  std::string path = directory.path + "/model.so";
  Status status = linkSharedLibrary(objects, path);
  EXPECT_TRUE(bool(status)) << (status ? "" : status.error().str());
  Result<std::string> bytes = readFile(path);
  EXPECT_TRUE(bool(bytes));
  return bytes ? *bytes : "";
}

TEST(Link, EqualInputsGiveEqualBytes) {
  Result<Target> target = resolveTarget("x86-64-v3");
  ASSERT_TRUE(bool(target));
  CodegenOptions one, two;
  one.threads = 1;
  two.threads = 2;
  auto first = compileText(manyKernels(40), *target, one);
  auto second = compileText(manyKernels(40), *target, two);
  ASSERT_TRUE(bool(first)) << first.error().str();
  ASSERT_TRUE(bool(second));
  EXPECT_GT(first->size(), 1u) << "expected several parts";
  EXPECT_EQ(*first, *second);
  std::string bytes = linkedBytes(*first);
  EXPECT_FALSE(bytes.empty());
  EXPECT_EQ(bytes, linkedBytes(*second));
}

TEST(Link, PartsCallEachOther) {
  LoadedText library(manyKernels(40));
  auto *run = library.find<void(float *)>("run");
  ASSERT_NE(run, nullptr);
  std::vector<float> values(64 * 64, -200.0f);
  run(values.data());
  // The last kernel adds 40 to e^(large) = inf; the first e^-200 = 0.
  EXPECT_TRUE(std::isinf(values[0]));
  LoadedText two(manyKernels(2));
  std::fill(values.begin(), values.end(), -200.0f);
  two.find<void(float *)>("run")(values.data());
  EXPECT_FLOAT_EQ(values[0], std::exp(1.0f) + 2.0f);
}

TEST(Link, ReportsForeignSymbols) {
  Result<Target> target = resolveTarget("x86-64-v3");
  ASSERT_TRUE(bool(target));
  auto objects = compileText(R"(
    func.func private @elsewhere(memref<4xf32>)
    func.func @run(%m: memref<4xf32>) attributes {linnet.phase = "run"} {
      call @elsewhere(%m) : (memref<4xf32>) -> ()
      return
    })",
                             *target);
  ASSERT_TRUE(bool(objects));
  ScratchDirectory directory;
  std::string path = directory.path + "/model.so";
  ASSERT_TRUE(bool(linkSharedLibrary(*objects, path)));
  Status status = checkLibrary(path, {"run"});
  ASSERT_FALSE(bool(status));
  EXPECT_NE(status.error().str().find("elsewhere"), std::string::npos);
}

TEST(Link, ReportsMissingSymbols) {
  Result<Target> target = resolveTarget("x86-64-v3");
  ASSERT_TRUE(bool(target));
  Result<ObjectCode> identity = compileIdentity("0123456789abcdef", 1, *target);
  ASSERT_TRUE(bool(identity));
  ScratchDirectory directory;
  std::string path = directory.path + "/model.so";
  ASSERT_TRUE(bool(linkSharedLibrary({*identity}, path)));
  EXPECT_TRUE(bool(checkLibrary(path, {"linnet_library_id"})));
  Status status = checkLibrary(path, {"linnet_prefill"});
  ASSERT_FALSE(bool(status));
  EXPECT_NE(status.error().str().find("linnet_prefill"), std::string::npos);
  void *handle = dlopen(path.c_str(), RTLD_NOW);
  ASSERT_NE(handle, nullptr) << dlerror();
  EXPECT_STREQ(static_cast<const char *>(dlsym(handle, "linnet_library_id")),
               "0123456789abcdef");
  EXPECT_EQ(*static_cast<const int64_t *>(dlsym(handle, "linnet_library_abi")),
            1);
  dlclose(handle);
}

TEST(Link, UnwritablePathIsAnError) {
  Result<Target> target = resolveTarget("x86-64-v3");
  ASSERT_TRUE(bool(target));
  Result<ObjectCode> identity = compileIdentity("id", 1, *target);
  ASSERT_TRUE(bool(identity));
  Status status = linkSharedLibrary({*identity}, "/nonexistent/model.so");
  ASSERT_FALSE(bool(status));
  EXPECT_NE(status.error().str().find("/nonexistent/model.so"),
            std::string::npos);
  // The linker still works afterwards.
  ScratchDirectory directory;
  EXPECT_TRUE(
      bool(linkSharedLibrary({*identity}, directory.path + "/model.so")));
}

} // namespace
} // namespace linnet
