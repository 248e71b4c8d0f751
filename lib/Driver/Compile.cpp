//===- Compile.cpp - the stages of a compilation, in order ----------------===//

#include "linnet/Driver/Compile.h"

#include "Stages.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Driver/Codegen.h"
#include "linnet/Driver/Input.h"
#include "linnet/Driver/Link.h"
#include "linnet/Driver/Package.h"
#include "linnet/Support/File.h"
#include "passes/Pipelines/Pipelines.h"

#include "mlir/Transforms/Passes.h"

namespace linnet {
namespace {

/// One compilation: the module goes through the stages in place.
class Compilation {
public:
  Compilation(const CompileOptions &options, CompileReport &report)
      : options(options), report(report), stages(report) {}

  Status load(const std::string &input);
  /// Takes a module of another owner's context.
  void adopt(mlir::ModuleOp given, const std::string &from) {
    module = given;
    source = from;
  }
  /// Up to and with the stage that `options.emit` names; `text` receives what
  /// it leaves, unless that is a directory.
  Status transform(std::string *text);
  Status writeDirectory(AtomicDirectory &directory);

  ~Compilation() {
    // After a crash the module may be in any state; taking it apart could
    // crash again.
    if (report.internal) {
      (void)owned.release();
      (void)context.release();
    }
  }

private:
  Status openArchive();
  Status limitContext();
  Status lowerModel();
  Status reportFallbacks();
  void printModule(std::string *text);

  const CompileOptions &options;
  CompileReport &report;
  StageRunner stages;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> owned;
  mlir::ModuleOp module;
  std::string source, archiveName;
  std::optional<Archive> archive;
  Target target;
  std::vector<std::string> exported;
  std::vector<ObjectCode> objects;
};

Status Compilation::load(const std::string &input) {
  source = input;
  context = makeContext();
  return stages.run("import", [&]() -> Status {
    auto loaded =
        loadModel(*context, input, options.maxContext, report.detected);
    if (!loaded)
      return loaded.error();
    owned = loaded.take();
    module = *owned;
    return {};
  });
}

/// Opened early: a model without its weights should fail before the work.
Status Compilation::openArchive() {
  Result<std::string> path = archivePath(module, source);
  if (!path)
    return path.error();
  archiveName = *path;
  if (path->empty())
    return {};
  Result<Archive> opened = Archive::open(*path);
  if (!opened)
    return opened.error();
  archive = opened.take();
  return {};
}

/// A model's positions may be a table: a longer context would read beyond it.
Status Compilation::limitContext() {
  auto model =
      module->getAttrOfType<mlir::DictionaryAttr>(mlir::linnet::kModelAttr);
  if (!model || !options.maxContext)
    return {};
  auto limit = model.getAs<mlir::IntegerAttr>("max_context");
  if (limit && limit.getInt() > 0 && limit.getInt() < *options.maxContext)
    return makeError("expected --max-context of at most ", limit.getInt(),
                     ", the model's, but got ", *options.maxContext);
  mlir::NamedAttrList facts(model);
  mlir::Builder builder(module.getContext());
  facts.set("max_context", builder.getI64IntegerAttr(*options.maxContext));
  module->setAttr(mlir::linnet::kModelAttr,
                  facts.getDictionary(module.getContext()));
  return {};
}

void Compilation::printModule(std::string *text) {
  llvm::raw_string_ostream stream(*text);
  module->print(stream, mlir::OpPrintingFlags().enableDebugInfo());
  stream << "\n";
}

Status Compilation::reportFallbacks() {
  auto list = module->getAttrOfType<mlir::ArrayAttr>("linnet.fallbacks");
  if (!list || list.empty())
    return {};
  for (mlir::Attribute entry : list)
    if (auto line = mlir::dyn_cast<mlir::StringAttr>(entry))
      report.warnings.push_back("slow path: " + line.str());
  if (options.failOnFallback)
    return makeError(
        "expected no slow path, but got ", list.size(),
        " (--fail-on-fallback); the first: ", report.warnings.front());
  return {};
}

/// The passes from the model to kernels.
Status Compilation::lowerModel() {
  mlir::linnet::CpuPipelineOptions cpu;
  cpu.maxContext = options.maxContext.value_or(0);
  cpu.batch = options.batch;
  cpu.blockTokens = options.blockTokens;
  cpu.exactDecode = options.exactDecode;
  cpu.vectorBits = target.vectorBits;
  cpu.vectorRegisters = target.vectorRegisters;
  cpu.byteDots = target.dotsBytes();
  bool isFunction = false;
  for (mlir::Operation &op : module.getOps())
    isFunction |= op.hasAttr("linnet.phase");
  if (!isFunction) {
    if (Status status =
            stages.runPasses("thread-state", module,
                             [&](mlir::OpPassManager &passes) {
                               mlir::linnet::buildThreadStateStage(passes, cpu);
                             });
        !status)
      return status;
    if (Status status =
            stages.runPasses("specialise", module,
                             [&](mlir::OpPassManager &passes) {
                               mlir::linnet::buildSpecializeStage(passes, cpu);
                             });
        !status)
      return status;
  }
  if (options.emit == Emit::Linalg)
    return {};
  return stages.runPasses("lower-cpu", module,
                          [&](mlir::OpPassManager &passes) {
                            mlir::linnet::buildLowerCpuStage(passes, cpu);
                          });
}

Status Compilation::transform(std::string *text) {
  if (Status status = options.check(); !status)
    return status;
  Result<Target> resolved = resolveTarget(options.mcpu);
  if (!resolved)
    return resolved.error();
  target = resolved.take();
  if (Status status = limitContext(); !status)
    return status;
  if (Status status =
          stages.runPasses("fold", module,
                           [](mlir::OpPassManager &passes) {
                             passes.addPass(mlir::createCanonicalizerPass());
                             passes.addPass(mlir::createCSEPass());
                           });
      !status)
    return status;
  if (options.emit == Emit::Mlir) {
    printModule(text);
    return {};
  }
  if (options.emit == Emit::Shared)
    if (Status status = openArchive(); !status)
      return status;
  if (Status status = lowerModel(); !status)
    return status;
  if (options.emit == Emit::Linalg) {
    printModule(text);
    return {};
  }
  if (Status status = reportFallbacks(); !status)
    return status;

  exported = exportedFunctions(module);
  return stages.runInternal("llvm", module, [&]() -> Status {
    // The attributes are read when packaging; the conversion may drop them.
    mlir::OwningOpRef<mlir::ModuleOp> lowered = module.clone();
    if (Status status = lowerToLLVMDialect(*lowered, target); !status)
      return status;
    CodegenOptions codegen;
    codegen.optLevel = options.optLevel;
    codegen.threads = options.threads;
    codegen.single = options.emit == Emit::Object;
    if (options.emit == Emit::Llvm) {
      auto printed = compileToLLVMText(*lowered, target, exported, codegen);
      if (!printed)
        return printed.error();
      *text = printed.take();
      return {};
    }
    auto compiled = compileToObjects(*lowered, target, exported, codegen);
    if (!compiled)
      return compiled.error();
    objects = compiled.take();
    if (options.emit == Emit::Object)
      *text = objects.front();
    return {};
  });
}

Status Compilation::writeDirectory(AtomicDirectory &directory) {
  Archive *weights = archive ? &*archive : nullptr;
  Manifest manifest;
  if (Status status = stages.run(
          "package",
          [&]() -> Status {
            Result<Manifest> described =
                describeModule(module, weights, target, source, options);
            if (!described)
              return described.error();
            manifest = described.take();
            if (Status status = packageWeights(directory, weights,
                                               options.bundle, manifest);
                !status)
              return status;
            return packageTokenizer(directory, archiveName);
          });
      !status)
    return status;

  manifest.id = identify(manifest, objects, options);
  Result<ObjectCode> identity =
      compileIdentity(manifest.id, manifest.abi, target);
  if (!identity)
    return identity.error();
  objects.push_back(identity.take());
  std::string library = directory.file(manifest.library);
  if (Status status = stages.run(
          "link", [&] { return linkSharedLibrary(objects, library); });
      !status)
    return status;
  exported.push_back(kLibraryIdSymbol);
  exported.push_back(kLibraryAbiSymbol);
  if (Status status = stages.runInternal(
          "check", module, [&] { return checkLibrary(library, exported); });
      !status)
    return status;
  if (Status status =
          writeFileAtomically(directory.file("model.h"), headerText(manifest));
      !status)
    return status;
  if (Status status = writeManifest(directory.path(), manifest); !status)
    return status;
  return directory.commit();
}

Result<AtomicDirectory> createOutput(const std::string &out,
                                     const CompileOptions &options) {
  Result<AtomicDirectory> directory = AtomicDirectory::create(
      out, options.force ? std::string(kManifestFile) : std::string());
  if (!directory && !options.force)
    if (AtomicDirectory::create(out, std::string(kManifestFile)))
      return makeError(directory.error().str(),
                       "; --force replaces a compiled directory");
  return directory;
}

} // namespace

int CompileReport::exitCode(const Status &status) const {
  return status ? 0 : internal ? 2 : 1;
}

Status CompileOptions::check() const {
  if (optLevel < 0 || optLevel > 3)
    return makeError("expected -O0 to -O3, but got -O", optLevel);
  if (batch < 1 || batch > 4096)
    return makeError("expected --batch of 1 to 4096, but got ", batch);
  if (blockTokens < 1 || blockTokens > 65536)
    return makeError("expected --block-tokens of 1 to 65536, but got ",
                     blockTokens);
  if (maxContext && (*maxContext < 1 || *maxContext > (int64_t(1) << 31)))
    return makeError("expected --max-context of 1 to ", int64_t(1) << 31,
                     ", but got ", *maxContext);
  return {};
}

Status compileToDirectory(const std::string &input, const std::string &out,
                          const CompileOptions &options,
                          CompileReport &report) {
  if (Status status = options.check(); !status)
    return status;
  Result<AtomicDirectory> directory = createOutput(out, options);
  if (!directory)
    return directory.error();
  Compilation compilation(options, report);
  if (Status status = compilation.load(input); !status)
    return status;
  if (Status status = compilation.transform(nullptr); !status)
    return status;
  return compilation.writeDirectory(*directory);
}

Status compileModule(mlir::ModuleOp module, const std::string &source,
                     const std::string &out, const CompileOptions &options,
                     CompileReport &report) {
  Result<AtomicDirectory> directory = createOutput(out, options);
  if (!directory)
    return directory.error();
  Compilation compilation(options, report);
  compilation.adopt(module, source);
  if (Status status = compilation.transform(nullptr); !status)
    return status;
  return compilation.writeDirectory(*directory);
}

Status compileToFile(const std::string &input, const std::string &out,
                     const CompileOptions &options, CompileReport &report) {
  Result<AtomicFile> file =
      AtomicFile::create(out == "-" ? "/dev/stdout" : out);
  if (!file)
    return file.error();
  Compilation compilation(options, report);
  if (Status status = compilation.load(input); !status)
    return status;
  std::string text;
  if (Status status = compilation.transform(&text); !status)
    return status;
  if (Status status = file->write(text); !status)
    return status;
  return file->commit();
}

} // namespace linnet
