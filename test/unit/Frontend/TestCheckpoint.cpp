//===- TestCheckpoint.cpp - an editable copy of a fixture -----------------===//

#include "TestCheckpoint.h"

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Checkpoint/Npy.h"
#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Reference/Evaluator.h"

#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace linnet::test {

TestCheckpoint::TestCheckpoint(std::string_view fixture)
    : mlirContext(mlir::MLIRContext::Threading::DISABLED),
      fixtureDir(std::string(LINNET_ORACLE_DIR) + "/hf/" +
                 std::string(fixture)) {
  Result<Json> json = readJsonFile(fixtureDir + "/config.json");
  Result<Archive> archive = Archive::open(fixtureDir);
  if (!json || !archive) {
    ADD_FAILURE() << (json ? archive.error() : json.error()).str();
    return;
  }
  config = json.take();
  for (const std::string &name : archive->names()) {
    const Archive::Tensor *tensor = archive->find(name);
    tensors[name] = {tensor->dtype,
                     tensor->shape,
                     {tensor->data, tensor->data + tensor->bytes}};
  }
}

TestCheckpoint::~TestCheckpoint() {
  std::error_code ignored;
  if (!dir.empty())
    std::filesystem::remove_all(dir, ignored);
}

void TestCheckpoint::rename(std::string_view part,
                            std::string_view replacement) {
  std::map<std::string, Tensor> renamed;
  size_t count = 0;
  for (auto &[name, tensor] : tensors) {
    std::string key = name;
    size_t at = key.find(part);
    if (at != std::string::npos) {
      key.replace(at, part.size(), replacement);
      ++count;
    }
    renamed[key] = std::move(tensor);
  }
  EXPECT_GT(count, 0u) << part;
  tensors = std::move(renamed);
}

void TestCheckpoint::addZeros(const std::string &name,
                              std::vector<int64_t> shape) {
  size_t bytes = *elementCount(shape) * sizeof(float);
  tensors[name] = {DataType::F32, std::move(shape),
                   std::vector<std::byte>(bytes)};
}

Status TestCheckpoint::write() {
  if (dir.empty()) {
    std::string name =
        (std::filesystem::temp_directory_path() / "linnet-frontend-XXXXXX")
            .string();
    if (!mkdtemp(name.data()))
      return makeError("no temporary directory");
    dir = name;
  }
  // Not synced: thousands of configurations are tried.
  std::ofstream(dir + "/config.json") << formatJson(config);
  if (tensors == written)
    return Status();
  std::vector<TensorSpec> specs;
  for (const auto &[name, tensor] : tensors)
    specs.push_back({name, tensor.dtype, tensor.shape});
  std::string path = dir + "/model.safetensors";
  Result<SafetensorsLayout> layout = layOutSafetensors(specs, {}, path);
  if (!layout)
    return layout.error();
  std::string content = layout->header;
  content.resize(layout->fileSize);
  for (const auto &[name, tensor] : tensors)
    std::memcpy(content.data() + layout->ranges.at(name).first,
                tensor.bytes.data(), tensor.bytes.size());
  std::ofstream(path, std::ios::binary) << content;
  written = tensors;
  return Status();
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
TestCheckpoint::import(const ImportOptions &options) {
  if (Status status = write(); !status)
    return status.error();
  return importHuggingFace(mlirContext, dir, options);
}

std::string TestCheckpoint::importError(const ImportOptions &options) {
  auto module = import(options);
  if (module) {
    ADD_FAILURE() << "expected an error, but the import succeeded";
    return "";
  }
  EXPECT_EQ(module.error().str().find('\n'), std::string::npos);
  return module.error().str();
}

double TestCheckpoint::errorAgainstFixture() {
  auto module = import();
  if (!module) {
    ADD_FAILURE() << module.error().str();
    return NAN;
  }
  Result<Archive> archive = Archive::open(dir);
  Result<Evaluator> evaluator = Evaluator::create(module->get(), &*archive);
  bool encoder = std::filesystem::exists(fixtureDir + "/hidden_f64.npy");
  auto load = [&](const char *name) {
    Result<NpyArray> array = readNpy(fixtureDir + "/" + name);
    EXPECT_TRUE(array) << name;
    return HostTensor::fromNpy(*array);
  };
  HostTensor tokens = load("tokens.npy");
  std::vector<HostTensor> inputs = {tokens, HostTensor::scalar(0)};
  if (encoder) {
    inputs.push_back(load("token_type_ids.npy"));
    inputs.push_back(HostTensor::filled(tokens.shape, 1));
  }
  auto outputs = evaluator->run("forward", inputs);
  if (!outputs) {
    ADD_FAILURE() << outputs.error().str();
    return NAN;
  }
  Result<double> error = relativeRms(
      outputs->front(), load(encoder ? "hidden_f64.npy" : "logits_f64.npy"));
  return error ? *error : NAN;
}

std::string printed(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

size_t occurrences(std::string_view text, std::string_view needle) {
  size_t count = 0;
  for (size_t at = text.find(needle); at != std::string_view::npos;
       at = text.find(needle, at + needle.size()))
    ++count;
  return count;
}

} // namespace linnet::test
