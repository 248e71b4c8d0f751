//===- CompileTest.cpp - functions, caches, manifests ---------------------===//

#include "CompileText.h"

#include "linnet/Driver/Cache.h"
#include "linnet/Driver/Input.h"
#include "linnet/Driver/Package.h"
#include "linnet/Runtime/linnet.h"

#include <filesystem>
#include <fstream>

namespace linnet {
namespace {

namespace fs = std::filesystem;

std::string oracle(const char *name) {
  return std::string(LINNET_ORACLE_DIR) + "/hf/" + name;
}

/// Compiles function `name` of `text` and runs it once.
struct FunctionRun {
  FunctionRun(const std::string &text, const std::string &name,
              const std::vector<FunctionInput> &inputs) {
    context = makeContext();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, context.get());
    EXPECT_TRUE(bool(module));
    CompileOptions options;
    compiled.emplace(
        compileFunction(*module, name, inputs, "test.mlir", options, report));
  }
  std::string error() {
    EXPECT_TRUE(compiled && !*compiled);
    return compiled && !*compiled ? (*compiled).error().str() : "";
  }
  void run(const std::vector<const void *> &inputs,
           const std::vector<void *> &outputs) {
    ASSERT_TRUE(bool(*compiled)) << (*compiled).error().str();
    linnet_model *model = nullptr;
    ASSERT_EQ(
        linnet_model_open((*compiled)->directory().c_str(), nullptr, &model),
        LINNET_OK)
        << linnet_last_error();
    EXPECT_EQ(linnet_model_kind(model), LINNET_KIND_FUNCTION);
    EXPECT_EQ(linnet_run_function(model, inputs.data(), inputs.size(),
                                  outputs.data(), outputs.size()),
              LINNET_OK)
        << linnet_last_error();
    linnet_model_close(model);
  }

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  CompileReport report;
  std::optional<Result<CompiledFunction>> compiled;
};

const char *kAdd = R"(
  func.func @other() { return }
  func.func @add(%x: tensor<?x?x4xf32>, %y: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
    %z = arith.addf %x, %y : tensor<?x?x4xf32>
    return %z : tensor<?x?x4xf32>
  })";

TEST(Function, TakesItsShapesFromTheInputs) {
  FunctionRun add(kAdd, "add", {{{2, 3, 4}, {}}, {{2, 3, 4}, {}}});
  std::vector<float> x(24), y(24), z(24);
  for (int i = 0; i < 24; ++i) {
    x[i] = i;
    y[i] = 100 * i;
  }
  add.run({x.data(), y.data()}, {z.data()});
  for (int i = 0; i < 24; ++i)
    EXPECT_EQ(z[i], 101 * i);
  std::string directory = (*add.compiled)->directory();
  EXPECT_TRUE(fs::exists(directory + "/model.so"));
  add.compiled.reset();
  EXPECT_FALSE(fs::exists(directory));
}

TEST(Function, IndexArgumentsBecomeConstants) {
  const char *text = R"(
    func.func @rotate(%x: tensor<1x2x1x4xf32>, %position: index) -> tensor<1x2x1x4xf32> {
      %y = linnet.rotary %x, %position {inverse_frequencies = array<f32: 1.0, 0.0>} : (tensor<1x2x1x4xf32>, index) -> tensor<1x2x1x4xf32>
      return %y : tensor<1x2x1x4xf32>
    })";
  FunctionRun rotate(text, "rotate", {{{1, 2, 1, 4}, {}}, {{}, 3}});
  std::vector<float> x = {1, 0, 0, 0, 1, 0, 0, 0}, y(8);
  rotate.run({x.data()}, {y.data()});
  EXPECT_NEAR(y[0], std::cos(3.0), 1e-6);
  EXPECT_NEAR(y[4], std::cos(4.0), 1e-6);
}

TEST(Function, Errors) {
  auto error = [](const char *name, const std::vector<FunctionInput> &inputs) {
    return FunctionRun(kAdd, name, inputs).error();
  };
  EXPECT_EQ(error("sub", {}), "'test.mlir': expected a function @sub with a "
                              "body, but there is none");
  EXPECT_EQ(error("add", {}), "function @add: expected 2 inputs, but got 0");
  EXPECT_EQ(error("add", {{{2, 3, 5}, {}}, {{2, 3, 4}, {}}}),
            "function @add, input 0: expected tensor<?x?x4xf32>, but got a "
            "tensor of shape [2, 3, 5]");
  EXPECT_EQ(error("add", {{{2, 3, 4}, {}}, {{2, 5, 4}, {}}}),
            "function @add, input 1: expected size 3 in dimension 1, as in "
            "another input, but got a tensor of shape [2, 5, 4]");
  EXPECT_EQ(error("add", {{{2, 0, 4}, {}}, {{2, 0, 4}, {}}}),
            "function @add, input 0: expected no dimension of size 0, but got "
            "a tensor of shape [2, 0, 4]");
}

/// Sets LINNET_CACHE for the test.
struct CacheVariable {
  explicit CacheVariable(const std::string &path) {
    setenv("LINNET_CACHE", path.c_str(), 1);
  }
  ~CacheVariable() { unsetenv("LINNET_CACHE"); }
};

TEST(Cache, CompilesOnce) {
  ScratchDirectory scratch;
  CacheVariable variable(scratch.path + "/cache");
  fs::copy(oracle("mamba"), scratch.path + "/model");
  CompileOptions options;
  options.optLevel = 0;
  CompileReport first, second;
  auto compiled = compileCached(scratch.path + "/model", options, first);
  ASSERT_TRUE(bool(compiled)) << compiled.error().str();
  EXPECT_FALSE(first.stages.empty());
  auto again = compileCached(scratch.path + "/model/", options, second);
  ASSERT_TRUE(bool(again));
  EXPECT_EQ(*compiled, *again);
  EXPECT_TRUE(second.stages.empty()) << "expected a cached result";

  // A damaged entry is made again.
  CompileReport third;
  fs::remove(*compiled + "/model.so");
  ASSERT_TRUE(bool(compileCached(scratch.path + "/model", options, third)));
  EXPECT_FALSE(third.stages.empty());
  EXPECT_TRUE(fs::exists(*compiled + "/model.so"));
}

TEST(Cache, KeyFollowsContentAndOptions) {
  ScratchDirectory scratch;
  std::string model = scratch.path + "/model";
  fs::copy(oracle("llama"), model);
  CompileOptions options;
  auto key = [&] {
    Result<std::string> made = cacheKey(model, options);
    EXPECT_TRUE(bool(made));
    return made ? *made : "";
  };
  std::string plain = key();
  EXPECT_EQ(plain, key());
  options.maxContext = 64;
  EXPECT_NE(plain, key());
  options = {};
  options.mcpu = "generic";
  EXPECT_NE(plain, key());
  options = {};
  fs::last_write_time(model + "/model.safetensors",
                      fs::file_time_type::clock::now() + std::chrono::hours(1));
  std::string touched = key();
  EXPECT_NE(plain, touched);
  std::ofstream(model + "/config.json", std::ios::app) << "\n";
  EXPECT_NE(touched, key());
  EXPECT_FALSE(bool(cacheKey(scratch.path + "/nowhere", options)));
}

TEST(Cache, DirectoryFollowsTheEnvironment) {
  CacheVariable variable("/elsewhere");
  Result<std::string> path = cacheDirectory();
  ASSERT_TRUE(bool(path));
  EXPECT_EQ(*path, "/elsewhere");
}

TEST(Package, HeaderIsHarmless) {
  Manifest manifest;
  manifest.modelType = "x*/ int evil; /*\n\"";
  manifest.cpu = "znver4";
  std::string text = headerText(manifest);
  EXPECT_EQ(text.find("*/ int evil"), std::string::npos);
  EXPECT_NE(text.find("#define LINNET_MODEL_TYPE \"x?/ int evil; /???\""),
            std::string::npos)
      << text;
}

TEST(Package, IdentityIgnoresPlaces) {
  Manifest manifest;
  manifest.weightFiles.push_back({"/a/model.safetensors", 8, "hash"});
  CompileOptions options;
  std::string id = identify(manifest, {"code"}, options);
  manifest.weightFiles[0].path = "/b/model.safetensors";
  manifest.source = "elsewhere";
  EXPECT_EQ(id, identify(manifest, {"code"}, options));
  EXPECT_NE(id, identify(manifest, {"other code"}, options));
  EXPECT_NE(id, identify(manifest, {"co", "de"}, options));
  manifest.weightFiles[0].hash = "other";
  EXPECT_NE(id, identify(manifest, {"code"}, options));
}

TEST(Package, ChangedWeightsAreWritten) {
  ScratchDirectory scratch;
  Result<Archive> archive = Archive::open(oracle("llama"));
  ASSERT_TRUE(bool(archive));
  ASSERT_TRUE(bool(archive->overlay("model.norm.weight", DataType::F32, {32},
                                    std::vector<std::byte>(128))));
  Result<AtomicDirectory> directory =
      AtomicDirectory::create(scratch.path + "/out");
  ASSERT_TRUE(bool(directory));
  Manifest manifest;
  manifest.weightFiles.push_back({});
  manifest.weightFiles.push_back(
      {oracle("llama") + "/model.safetensors", 0, ""});
  Status status = packageWeights(*directory, &*archive, true, manifest);
  ASSERT_TRUE(bool(status)) << status.error().str();
  EXPECT_EQ(manifest.weightFiles[0].path, "weights.safetensors");
  EXPECT_FALSE(manifest.weightFiles[0].hash.empty());
  EXPECT_EQ(manifest.weightFiles[1].path, "model.safetensors");
  EXPECT_TRUE(fs::exists(directory->file("weights.safetensors")));
  EXPECT_TRUE(fs::exists(directory->file("model.safetensors")));
  EXPECT_FALSE(archive->hasUnsavedOverlay());
}

} // namespace
} // namespace linnet
