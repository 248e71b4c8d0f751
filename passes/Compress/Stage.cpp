//===- Stage.cpp - stages of a compression on IR --------------------------===//

#include "passes/Compress/Stage.h"

#include "linnet/Driver/Input.h"
#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Support/Quote.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::linnet;

FailureOr<std::string> mlir::linnet::openStage(ModuleOp module,
                                               const std::string &output) {
  if (output.empty())
    return emitError(module.getLoc(),
                     "option output: expected a path, but got none"),
           failure();
  auto path = ::linnet::archivePath(module, "-");
  if (!path)
    return emitError(module.getLoc(), path.error().str()), failure();
  if (path->empty())
    return emitError(module.getLoc(),
                     "expected a module with weights (attribute ")
               << kArchiveAttr << ")",
           failure();
  return path.take();
}

/// Remarks of pass `category` on each map of `report`, and on what was left
/// alone.
static void remarkMaps(ModuleOp module, const CompressReport &report,
                       StringRef category) {
  auto locationOf = [&](StringRef name) {
    return NameLoc::get(StringAttr::get(module.getContext(), name));
  };
  for (const ::linnet::CompressedMap &map : report.maps) {
    auto &&said =
        remark::passed(locationOf(map.name),
                       remark::RemarkOpts::name("map").category(category));
    said << remark::add("{0}", map.structure);
    for (const auto &[key, number] : map.numbers)
      said << remark::metric(key, number);
    said << remark::metric("Parameters", map.parameters)
         << remark::metric("Of", map.rows * map.columns)
         << remark::metric("Error", map.error);
  }
  for (const ::linnet::CompressedMixture &mixture : report.mixtures)
    remark::passed(locationOf(mixture.router),
                   remark::RemarkOpts::name("experts").category(category))
        << remark::metric("Kept", mixture.kept.size())
        << remark::metric("Of", mixture.experts);
  for (const ::linnet::CompressedState &state : report.states)
    remark::passed(locationOf(state.name),
                   remark::RemarkOpts::name("state").category(category))
        << remark::metric("Kept", state.kept.front().size())
        << remark::metric("Of", state.channels);
  for (StringRef line : report.declined) {
    auto [name, reason] = line.split(": ");
    remark::missed(locationOf(name),
                   remark::RemarkOpts::name("left alone").category(category))
        << remark::reason("{0}", reason);
  }
  for (const std::string &note : report.notes)
    remark::analysis(module.getLoc(),
                     remark::RemarkOpts::name("note").category(category))
        << remark::add("{0}", note);
}

FailureOr<CompressReport> mlir::linnet::runStage(ModuleOp module,
                                                 CompressOptions options,
                                                 Stage stage,
                                                 StringRef category) {
  FailureOr<std::string> archive = openStage(module, options.output);
  if (failed(archive))
    return failure();
  options.input = *archive;
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  if (failed(writeBytecodeToFile(module, stream)))
    return emitError(module.getLoc(), "expected a module that can be written");
  std::unique_ptr<MLIRContext> context = ::linnet::makeContext();
  auto copy = parseSourceString<ModuleOp>(bytes, context.get());
  if (!copy)
    return emitError(module.getLoc(),
                     "expected a module that can be read again");
  CompressReport report;
  if (::linnet::Status status = stage(*copy, options, report); !status)
    return emitError(module.getLoc(), status.error().str());
  remarkMaps(module, report, category);
  return report;
}

FailureOr<CompressReport> mlir::linnet::rewriteImported(ModuleOp module,
                                                        CompressOptions options,
                                                        StringRef category) {
  FailureOr<std::string> archive = openStage(module, options.output);
  if (failed(archive))
    return failure();
  auto imported = ::linnet::importHuggingFace(*module.getContext(), *archive,
                                              ::linnet::ImportOptions());
  if (!imported)
    return emitError(module.getLoc(), imported.error().str());
  // The rewrite is one of the checkpoint: what else was done would be lost.
  if (!OperationEquivalence::isEquivalentTo(
          module, **imported, OperationEquivalence::IgnoreLocations))
    return emitError(module.getLoc(), "expected what linnet-import makes of ")
           << ::linnet::quoteName(*archive) << ", but the module was changed";
  options.input = *archive;
  CompressReport report;
  if (::linnet::Status status = ::linnet::compressCheckpoint(options, report);
      !status)
    return emitError(module.getLoc(), status.error().str());
  imported = ::linnet::importHuggingFace(*module.getContext(), options.output,
                                         ::linnet::ImportOptions());
  if (!imported)
    return emitError(module.getLoc(), imported.error().str());
  module.getBodyRegion().takeBody((*imported)->getBodyRegion());
  module->setAttrs((*imported)->getOperation()->getAttrDictionary());
  remarkMaps(module, report, category);
  return report;
}
