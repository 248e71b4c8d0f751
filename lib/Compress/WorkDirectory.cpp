//===- WorkDirectory.cpp - finished parts of a run ------------------------===//

#include "WorkDirectory.h"

#include "linnet/Checkpoint/Safetensors.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Hash.h"
#include "linnet/Support/Quote.h"

#include <filesystem>

namespace linnet::compress {
namespace {

namespace fs = std::filesystem;

/// Changes when what the same numbers lead to does.
constexpr const char *kVersion = "1";
constexpr const char *kDense = "dense", *kMatrix = "matrix";

using Stored = std::vector<std::vector<std::byte>>;

/// What was kept.
class KeptMap : public FittedMap {
public:
  KeptMap(Stored stored, Matrix dense, std::vector<int64_t> kept)
      : stored(std::move(stored)), dense(std::move(dense)),
        kept(std::move(kept)) {}
  Matrix toDense() const override { return dense; }
  Result<Stored> store(const LinearMap &) override { return stored; }
  const std::vector<int64_t> *keptInputs() const override {
    return kept.empty() ? nullptr : &kept;
  }

private:
  Stored stored;
  Matrix dense;
  std::vector<int64_t> kept;
};

/// The tensors of a kept map. What loses channels is whole until all maps that
/// share them are there.
std::vector<TensorSpec> specsOf(const LinearMap &map, const MapPlan &plan) {
  bool isWhole = plan.structure->attribute(map, plan.numbers).empty();
  std::vector<TensorSpec> specs =
      isWhole ? denseStructure().factors(map, {})
              : plan.structure->factors(map, plan.numbers);
  for (TensorSpec &spec : specs)
    if (spec.name.empty())
      spec.name = kMatrix;
  specs.push_back({kDense, DataType::F32, {map.rows, map.columns}});
  return specs;
}

} // namespace

Result<WorkDirectory> WorkDirectory::open(const std::string &root,
                                          const std::string &kind,
                                          const std::string &content) {
  WorkDirectory work;
  if (root.empty())
    return work;
  Hasher hash;
  hash.update(kVersion).update(content);
  work.directory = root + "/" + kind + "-" + toHex(hash.finish());
  std::error_code code;
  fs::create_directories(work.directory, code);
  if (code)
    return systemError("create", work.directory, code.value());
  return work;
}

bool WorkDirectory::has(const std::string &name) const {
  std::error_code ignored;
  return !directory.empty() && fs::exists(fileOf(name), ignored);
}

Result<Json> WorkDirectory::readJson(const std::string &name) const {
  return readJsonFile(fileOf(name));
}

Status WorkDirectory::writeJson(const std::string &name,
                                const Json &content) const {
  if (directory.empty())
    return {};
  return writeFileAtomically(fileOf(name), formatJson(content) + "\n");
}

Status WorkDirectory::keep(const LinearMap &map, const MapPlan &plan,
                           FittedMap &fitted, double error) const {
  if (directory.empty())
    return {};
  std::vector<TensorSpec> specs = specsOf(map, plan);
  Result<Stored> stored = fitted.store(map);
  if (!stored)
    return stored.error();
  const Matrix dense = fitted.toDense();
  std::vector<float> values(dense.data(), dense.data() + dense.size());
  stored->push_back(bytesOf(values));
  Result<SafetensorsWriter> writer =
      SafetensorsWriter::create(fileOf(map.name + ".safetensors"), specs);
  if (!writer)
    return writer.error();
  for (size_t i = 0; i < specs.size(); ++i)
    if (Status status = writer->append(specs[i].name, (*stored)[i].data(),
                                       (*stored)[i].size());
        !status)
      return status;
  if (Status status = writer->commit(); !status)
    return status;
  Json more = {{"error", error}, {"refit", fitted.isRefit}};
  if (const std::vector<int64_t> *kept = fitted.keptInputs())
    more["kept_inputs"] = *kept;
  // Last: where it is, the tensors are.
  return writeJson(map.name + ".json", more);
}

Result<WorkDirectory::Kept> WorkDirectory::find(const LinearMap &map,
                                                const MapPlan &plan) const {
  std::string name = map.name + ".json";
  if (!has(name))
    return Kept();
  Result<Json> more = readJson(name);
  if (!more)
    return more.error();
  Result<double> error = getDouble(*more, "error", fileOf(name));
  if (!error)
    return error.error();
  Result<bool> refit = getBool(*more, "refit", fileOf(name));
  if (!refit)
    return refit.error();
  Result<std::vector<int64_t>> kept =
      getInts(*more, "kept_inputs", fileOf(name), std::vector<int64_t>());
  if (!kept)
    return kept.error();
  Result<SafetensorsFile> file =
      SafetensorsFile::open(fileOf(map.name + ".safetensors"));
  if (!file)
    return file.error();
  Stored stored;
  Matrix dense(map.rows, map.columns);
  for (const TensorSpec &spec : specsOf(map, plan)) {
    const TensorInfo *tensor = file->find(spec.name);
    if (!tensor || tensor->dtype != spec.dtype || tensor->shape != spec.shape)
      return makeError(
          quoteName(file->path()), ": expected a tensor ", quoteName(spec.name),
          " of type ", dataTypeName(spec.dtype), " and shape ",
          formatShape(spec.shape), ", but got ", tensor ? "another" : "none");
    const std::byte *begin = file->data(*tensor);
    if (spec.name == kDense)
      convertToF64(begin, spec.dtype, dense.data(), size_t(dense.size()));
    else
      stored.emplace_back(begin, begin + tensor->bytes());
  }
  Kept found{std::make_unique<KeptMap>(std::move(stored), std::move(dense),
                                       kept.take()),
             *error};
  found.fitted->isRefit = *refit;
  return found;
}

} // namespace linnet::compress
