//===- OracleTest.cpp - imported models against ONNX's evaluator ----------===//
//
// Every folder of test/oracle/onnx: the imported model in f64 gives what ONNX's
// reference evaluator computed in f32 (generate.py there).
//
//===----------------------------------------------------------------------===//

#include "linnet/Onnx/Import.h"
#include "linnet/Reference/Evaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

namespace fs = std::filesystem;
using namespace linnet;

namespace {

/// The folders of the oracle.
std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const fs::directory_entry &entry :
       fs::directory_iterator(LINNET_ORACLE_DIR "/onnx"))
    if (entry.is_directory())
      names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<HostTensor> readAll(const std::string &folder, const char *kind) {
  std::vector<HostTensor> tensors;
  for (int i = 0;; ++i) {
    std::string path = folder + "/" + kind + "_" + std::to_string(i) + ".npy";
    if (!fs::exists(path))
      return tensors;
    auto array = readNpy(path);
    EXPECT_TRUE(array) << path;
    if (array)
      tensors.push_back(HostTensor::fromNpy(*array));
  }
}

/// |a - b| / |b|; not a number fails every comparison.
double relativeError(const HostTensor &a, const HostTensor &b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < b.values.size(); ++i) {
    difference += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
    size += b.values[i] * b.values[i];
  }
  return size == 0 ? std::sqrt(difference) : std::sqrt(difference / size);
}

class OnnxOracle : public testing::TestWithParam<std::string> {};

TEST_P(OnnxOracle, EvaluatorAgrees) {
  std::string folder = LINNET_ORACLE_DIR "/onnx/" + GetParam();
  std::string weights = testing::TempDir() + "onnx-" + GetParam() +
                        std::to_string(getpid()) + ".safetensors";
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  OnnxImportOptions options;
  options.weights = weights;
  auto module = importOnnx(context, folder + "/model.onnx", options);
  ASSERT_TRUE(module) << module.error().str();
  std::optional<Archive> archive;
  if (fs::exists(weights)) {
    auto opened = Archive::open(weights);
    ASSERT_TRUE(opened) << opened.error().str();
    archive = opened.take();
    fs::remove(weights);
  }
  auto evaluator = Evaluator::create(**module, archive ? &*archive : nullptr);
  ASSERT_TRUE(evaluator) << evaluator.error().str();
  auto results = evaluator->run("main", readAll(folder, "input"));
  ASSERT_TRUE(results) << results.error().str();

  std::vector<HostTensor> expected = readAll(folder, "output");
  ASSERT_EQ(results->size(), expected.size());
  auto main = (*module)->lookupSymbol<mlir::func::FuncOp>("main");
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ((*results)[i].shape, expected[i].shape);
    // Halves have eleven bits.
    auto type = mlir::cast<mlir::RankedTensorType>(main.getResultTypes()[i]);
    double tolerance = type.getElementTypeBitWidth() == 16 ? 1e-3 : 2e-6;
    EXPECT_LE(relativeError((*results)[i], expected[i]), tolerance)
        << "output " << i;
  }
}

std::string testName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, OnnxOracle, testing::ValuesIn(cases()),
                         testName);

} // namespace
