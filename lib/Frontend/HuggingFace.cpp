//===- HuggingFace.cpp - import of checkpoint directories -----------------===//

#include "linnet/Frontend/HuggingFace.h"

#include "ModelBuilder.h"

#include <filesystem>

using namespace linnet;

namespace {

struct Family {
  const char *modelType;
  Status (*import)(ModelBuilder &);
};

constexpr Family kFamilies[] = {
#define LINNET_FAMILY(name, function) {name, function},
#include "Families.def"
#undef LINNET_FAMILY
};

/// The configuration, with the token ids of generation_config.json (newer and
/// more complete than those of config.json) laid over it.
Result<Json> readConfiguration(const std::string &dir) {
  Result<Json> config = readJsonFile(dir + "/config.json");
  std::string generation = dir + "/generation_config.json";
  std::error_code code;
  if (!config || !config->is_object() ||
      !std::filesystem::exists(generation, code))
    return config;
  Result<Json> extra = readJsonFile(generation);
  if (!extra)
    return extra;
  for (const char *key : {"bos_token_id", "eos_token_id"})
    if (const Json *value = findJson(*extra, key))
      (*config)[key] = *value;
  return config;
}

} // namespace

std::vector<std::string> linnet::supportedModelTypes() {
  std::vector<std::string> names;
  for (const Family &family : kFamilies)
    names.push_back(family.modelType);
  return names;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
linnet::importHuggingFace(mlir::MLIRContext &context, const std::string &dir,
                          const ImportOptions &options) {
  Result<Json> json = readConfiguration(dir);
  if (!json)
    return json.error();
  Config config(json.take(), dir + "/config.json");
  std::string type = config.text("model_type");
  // Weights that need unpacking would be read as if they were plain.
  config.unsupported("quantization_config");
  if (Status status = config.status(); !status)
    return status.error();

  const Family *family = nullptr;
  std::string supported;
  for (const Family &candidate : kFamilies) {
    supported +=
        (supported.empty() ? "" : ", ") + std::string(candidate.modelType);
    if (type == candidate.modelType)
      family = &candidate;
  }
  if (!family) {
    config.reject("model_type", "one of " + supported);
    return config.status().error();
  }

  Result<Archive> archive = Archive::open(dir);
  if (!archive)
    return archive.error();
  ModelBuilder builder(context, *archive, std::move(config), type,
                       options.maxContext);
  if (Status status = family->import(builder); !status)
    return status.error();
  return builder.finish();
}
