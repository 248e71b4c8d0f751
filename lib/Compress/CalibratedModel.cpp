//===- CalibratedModel.cpp - a checkpoint ready to run on windows ---------===//

#include "CalibratedModel.h"

#include "linnet/Driver/Input.h"
#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Support/Quote.h"

namespace linnet::compress {

static mlir::DictionaryAttr factsOf(mlir::ModuleOp module) {
  auto facts =
      module->getAttrOfType<mlir::DictionaryAttr>(mlir::linnet::kModelAttr);
  return facts ? facts : mlir::DictionaryAttr::get(module.getContext());
}

/// 0 if it is not there.
static int64_t factOf(mlir::ModuleOp module, const char *key) {
  auto value = factsOf(module).getAs<mlir::IntegerAttr>(key);
  return value ? value.getInt() : 0;
}

int64_t hiddenSizeOf(mlir::ModuleOp module) {
  return factOf(module, "hidden_size");
}

bool isEncoder(mlir::ModuleOp module) {
  auto kind = factsOf(module).getAs<mlir::StringAttr>("kind");
  return kind && kind.getValue() == "encoder";
}

Result<Windows> readWindowsFor(mlir::ModuleOp module,
                               const CompressOptions &options) {
  return readWindows(options, {.isEncoder = isEncoder(module),
                               .vocabularySize = factOf(module, "vocab_size"),
                               .maxContext = factOf(module, "max_context")});
}

Result<std::unique_ptr<CalibratedModel>>
CalibratedModel::load(const std::string &directory, const Archive &archive) {
  auto model = std::make_unique<CalibratedModel>();
  model->directory = directory;
  model->archive = &archive;
  std::string detected;
  model->context = makeContext();
  auto loaded = loadModel(*model->context, directory, std::nullopt, detected);
  if (!loaded)
    return loaded.error();
  model->module = loaded.take();
  model->found = findLinearMaps(*model->module, archive);
  return model;
}

Status CalibratedModel::openRunner(const Windows &windows) {
  Result<TapRunner> created = TapRunner::create(*module, *archive, found,
                                                windows.batch, windows.length);
  if (!created)
    return makeError(quoteName(directory), ": ", created.error().str());
  runner.emplace(created.take());
  return {};
}

} // namespace linnet::compress
