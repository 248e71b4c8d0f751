//===- CompiledModel.cpp - the C interface with owners --------------------===//

#include "CompiledModel.h"

#include "linnet/Driver/Cache.h"
#include "linnet/Driver/Input.h"
#include "linnet/Support/Quote.h"

#include <filesystem>

namespace linnet::runtool {

namespace fs = std::filesystem;

Status toStatus(linnet_status status, Verdict &verdict) {
  if (status == LINNET_OK)
    return {};
  verdict.internal |= status == LINNET_ERROR_INTERNAL;
  return Error(linnet_last_error());
}

Result<SessionHandle> CompiledModel::createSession(Verdict &verdict) const {
  linnet_session *session = nullptr;
  if (Status status =
          toStatus(linnet_session_create(handle.get(), &session), verdict);
      !status)
    return status.error();
  return SessionHandle(session);
}

Status CompiledModel::requireCausal() const {
  if (manifest.kind == Manifest::ModelKind::CausalLM)
    return {};
  return makeError(quoteName(name), ": expected a causal-lm, but got ",
                   manifest.kind == Manifest::ModelKind::Encoder ? "an " : "a ",
                   modelKindName(manifest.kind), " (", manifest.modelType, ")");
}

std::vector<std::string> tokenizerPlacesOf(const std::string &source) {
  std::error_code ignored;
  if (fs::is_directory(source, ignored))
    return {source};
  fs::path parent = fs::path(source).parent_path();
  return {parent.empty() ? "." : parent.string()};
}

std::vector<std::string> CompiledModel::tokenizerPlaces() const {
  // First what the user named: messages should point there.
  std::vector<std::string> places = tokenizerPlacesOf(name);
  places.push_back(directory);
  places.push_back(tokenizerPlacesOf(manifest.source).front());
  return places;
}

bool isCompiled(const std::string &path) {
  std::error_code ignored;
  return fs::exists(path + "/" + std::string(kManifestFile), ignored);
}

Result<CompiledModel> openCompiled(const std::string &directory, int threads,
                                   Verdict &verdict) {
  CompiledModel model;
  model.name = model.directory = directory;
  linnet_options options{threads};
  linnet_model *handle = nullptr;
  if (Status status = toStatus(
          linnet_model_open(directory.c_str(), &options, &handle), verdict);
      !status)
    return status.error();
  model.handle.reset(handle);
  Result<Manifest> manifest = readManifest(directory);
  if (!manifest)
    return manifest.error();
  model.manifest = manifest.take();
  return model;
}

Result<CompiledModel> openModel(const std::string &path, int threads,
                                Verdict &verdict) {
  if (isCompiled(path))
    return openCompiled(path, threads, verdict);
  // What cannot be compiled is said before anything is begun.
  if (Result<InputKind> kind = detectInput(path); !kind)
    return kind.error();
  CompileReport report;
  bool announced = false;
  report.progress = [&](std::string_view) {
    if (!announced)
      note("compiling '" + path + "', which later runs find in the cache");
    announced = true;
  };
  Result<std::string> directory = compileCached(path, CompileOptions(), report);
  if (!directory) {
    verdict.internal |= report.internal;
    verdict.reproducer = report.reproducer;
    return directory.error();
  }
  for (const std::string &warning : report.warnings)
    note("warning: " + warning);
  Result<CompiledModel> model = openCompiled(*directory, threads, verdict);
  if (model)
    model->name = path;
  return model;
}

} // namespace linnet::runtool
