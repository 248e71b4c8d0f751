//===- RoundTripTest.cpp - import and export undo each other --------------===//

#include "lib/Onnx/Onnx.pb.h"
#include "linnet/Onnx/Export.h"
#include "linnet/Onnx/Import.h"
#include "linnet/Support/File.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

namespace fs = std::filesystem;
using namespace linnet;

namespace {

/// The recurrences of the oracle, which stand alone in their models.
std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const fs::directory_entry &entry :
       fs::directory_iterator(LINNET_ORACLE_DIR "/onnx")) {
    std::string name = entry.path().filename();
    if (name.starts_with("attention-") || name.starts_with("conv-"))
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct Exported {
  std::string text;
  onnx::ModelProto model;
};

class OnnxRoundTrip : public testing::TestWithParam<std::string> {
protected:
  std::string scratch(const char *ending) const {
    return testing::TempDir() + "round-trip-" + GetParam() +
           std::to_string(getpid()) + ending;
  }

  /// Imports `path` and exports what came of it.
  Exported passThrough(const std::string &path) {
    Exported result;
    OnnxImportOptions importOptions;
    importOptions.weights = scratch(".safetensors");
    auto module = importOnnx(context, path, importOptions);
    EXPECT_TRUE(module) << module.error().str();
    if (!module)
      return result;
    std::optional<Archive> archive;
    if (fs::exists(importOptions.weights)) {
      auto opened = Archive::open(importOptions.weights);
      EXPECT_TRUE(opened);
      archive = opened.take();
      fs::remove(importOptions.weights);
    }
    llvm::raw_string_ostream stream(result.text);
    // The archive is another file each time.
    (*module)->getOperation()->removeAttr("linnet.archive");
    (*module)->print(stream);
    OnnxExportOptions exportOptions;
    exportOptions.archive = archive ? &*archive : nullptr;
    auto bytes = exportOnnx(**module, exportOptions);
    EXPECT_TRUE(bytes) << bytes.error().str();
    if (bytes) {
      EXPECT_TRUE(result.model.ParseFromString(*bytes));
      EXPECT_TRUE(writeFileAtomically(scratch(".onnx"), *bytes));
    }
    return result;
  }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
};

/// What a node says, without hints and defaults, names of one function alike.
std::map<std::string, std::string> meaningOf(const onnx::NodeProto &node) {
  std::map<std::string, std::string> meaning;
  meaning["type"] = node.op_type();
  for (const std::string &name : node.input())
    meaning["inputs"] += name + ",";
  for (const std::string &name : node.output())
    meaning["outputs"] += name + ",";
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    std::string value = attribute.s() + "/" + std::to_string(attribute.i()) +
                        "/" + std::to_string(attribute.f());
    if (attribute.s() == "swish")
      value = "silu/0/0.000000";
    meaning["attribute " + attribute.name()] = value;
  }
  return meaning;
}

TEST_P(OnnxRoundTrip, TheNodesComeBack) {
  std::string path = LINNET_ORACLE_DIR "/onnx/" + GetParam() + "/model.onnx";
  auto bytes = readFile(path);
  ASSERT_TRUE(bytes);
  onnx::ModelProto original;
  ASSERT_TRUE(original.ParseFromString(*bytes));
  onnx::ModelProto result = passThrough(path).model;
  fs::remove(scratch(".onnx"));
  ASSERT_EQ(result.graph().node_size(), original.graph().node_size());
  for (int i = 0; i < original.graph().node_size(); ++i)
    EXPECT_EQ(meaningOf(result.graph().node(i)),
              meaningOf(original.graph().node(i)));
  auto expectSame = [](const auto &list, const auto &expected) {
    ASSERT_EQ(list.size(), expected.size());
    for (int i = 0; i < expected.size(); ++i)
      EXPECT_EQ(list[i].SerializeAsString(), expected[i].SerializeAsString())
          << expected[i].name();
  };
  expectSame(result.graph().input(), original.graph().input());
  expectSame(result.graph().output(), original.graph().output());
  expectSame(result.graph().initializer(), original.graph().initializer());
}

TEST_P(OnnxRoundTrip, TheFunctionComesBack) {
  std::string path = LINNET_ORACLE_DIR "/onnx/" + GetParam() + "/model.onnx";
  Exported first = passThrough(path);
  ASSERT_TRUE(first.model.has_graph());
  Exported second = passThrough(scratch(".onnx"));
  fs::remove(scratch(".onnx"));
  EXPECT_EQ(first.text, second.text);
}

std::string testName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, OnnxRoundTrip, testing::ValuesIn(cases()),
                         testName);

} // namespace
