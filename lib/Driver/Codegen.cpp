//===- Codegen.cpp - kernels to machine code ------------------------------===//
//
// The LLVM module is cut into parts of about equal size, which are optimised
// and compiled side by side, each in an LLVM context of its own. How it is cut
// depends on the module alone, so the objects do not depend on the machine.
//
//===----------------------------------------------------------------------===//

#include "linnet/Driver/Codegen.h"

#include "passes/Pipelines/Pipelines.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"

#include <atomic>
#include <mutex>
#include <numeric>
#include <thread>

namespace linnet {
namespace {

/// Instructions per part: enough that starting a part costs little.
constexpr size_t kPartInstructions = 1500;
constexpr size_t kMaxParts = 32;

std::unique_ptr<llvm::TargetMachine> createMachine(const Target &target,
                                                   int level) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  llvm::Triple triple(target.triple);
  std::string problem;
  const llvm::Target *found =
      llvm::TargetRegistry::lookupTarget(triple, problem);
  if (!found)
    return nullptr;
  constexpr llvm::CodeGenOptLevel levels[] = {
      llvm::CodeGenOptLevel::None, llvm::CodeGenOptLevel::Less,
      llvm::CodeGenOptLevel::Default, llvm::CodeGenOptLevel::Aggressive};
  // The processor's name would bring in features by itself: only the listed
  // ones are wanted.
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(
      triple, "x86-64", target.featureString(), llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, levels[level]));
}

/// No library function may be assumed, but those every loader provides.
llvm::TargetLibraryInfoImpl libraryFunctions(const llvm::Triple &triple) {
  llvm::TargetLibraryInfoImpl info(triple);
  info.disableAllFunctions();
  info.setAvailable(llvm::LibFunc_memcpy);
  info.setAvailable(llvm::LibFunc_memset);
  info.setAvailable(llvm::LibFunc_memmove);
  return info;
}

/// Sets what every function of the module shares.
void prepare(llvm::Module &module, const Target &target,
             llvm::TargetMachine &machine,
             const std::vector<std::string> &exported) {
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  module.setSourceFileName("linnet");
  module.setPICLevel(llvm::PICLevel::BigPIC);
  std::string bits = std::to_string(target.vectorBits);
  for (llvm::Function &function : module) {
    if (function.isIntrinsic())
      continue;
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", "x86-64");
    function.addFnAttr("tune-cpu", target.tune);
    function.addFnAttr("target-features", target.featureString());
    // Otherwise some processors' descriptions would cut 512-bit vectors in
    // half.
    function.addFnAttr("prefer-vector-width", bits);
    function.addFnAttr("min-legal-vector-width", bits);
    bool visible = llvm::is_contained(exported, function.getName());
    function.setLinkage(visible ? llvm::GlobalValue::ExternalLinkage
                                : llvm::GlobalValue::InternalLinkage);
    if (visible) {
      function.setVisibility(llvm::GlobalValue::DefaultVisibility);
      function.setDSOLocal(true);
    }
  }
}

/// Runs `passes(builder)` over the module.
template <typename Build>
void runPasses(llvm::Module &module, llvm::TargetMachine &machine,
               Build &&passes) {
  llvm::PipelineTuningOptions tuning;
  // Kernels are vectors already; joining what is left of scalars costs compile
  // time and gains nothing.
  tuning.SLPVectorization = false;
  tuning.LoopVectorization = true;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::TargetLibraryInfoImpl library =
      libraryFunctions(machine.getTargetTriple());
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::ModulePassManager manager = passes(builder);
  manager.run(module, modules);
}

void optimise(llvm::Module &module, llvm::TargetMachine &machine, int level) {
  runPasses(module, machine, [&](llvm::PassBuilder &builder) {
    switch (level) {
    case 0:
      return builder.buildO0DefaultPipeline(llvm::OptimizationLevel::O0);
    case 1:
      return builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O1);
    case 2:
      return builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2);
    default:
      return builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3);
    }
  });
}

Result<ObjectCode> emitObject(llvm::Module &module,
                              llvm::TargetMachine &machine) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  llvm::TargetLibraryInfoImpl library =
      libraryFunctions(machine.getTargetTriple());
  passes.add(new llvm::TargetLibraryInfoWrapperPass(library));
  if (machine.addPassesToEmitFile(passes, stream, nullptr,
                                  llvm::CodeGenFileType::ObjectFile))
    return makeError("the target cannot emit object files");
  passes.run(module);
  return ObjectCode(bytes.data(), bytes.size());
}

/// The LLVM IR of `module`, prepared and without what nothing uses.
Result<std::unique_ptr<llvm::Module>>
translate(mlir::ModuleOp module, llvm::LLVMContext &context,
          const Target &target, llvm::TargetMachine &machine,
          const std::vector<std::string> &exported) {
  mlir::registerBuiltinDialectTranslation(*module.getContext());
  mlir::registerLLVMDialectTranslation(*module.getContext());
  std::unique_ptr<llvm::Module> translated =
      mlir::translateModuleToLLVMIR(module, context, "linnet");
  if (!translated)
    return makeError("cannot translate the module to LLVM IR");
  prepare(*translated, target, machine, exported);
  std::string problem;
  llvm::raw_string_ostream stream(problem);
  if (llvm::verifyModule(*translated, &stream))
    return makeError("invalid LLVM IR: ",
                     llvm::StringRef(problem).split('\n').first.str());
  runPasses(*translated, machine, [](llvm::PassBuilder &) {
    llvm::ModulePassManager passes;
    passes.addPass(llvm::AlwaysInlinerPass());
    passes.addPass(llvm::GlobalDCEPass());
    return passes;
  });
  return translated;
}

/// Assigns each function with a body to a part, the largest first to the
/// smallest part. Returns the number of parts.
size_t partition(llvm::Module &module, llvm::StringMap<size_t> &partOf) {
  std::vector<std::pair<size_t, llvm::Function *>> functions;
  size_t total = 0;
  for (llvm::Function &function : module)
    if (!function.isDeclaration()) {
      functions.push_back({function.getInstructionCount(), &function});
      total += functions.back().first;
    }
  size_t parts =
      std::min({total / kPartInstructions + 1, functions.size(), kMaxParts});
  parts = std::max<size_t>(parts, 1);
  llvm::sort(functions, [](const auto &x, const auto &y) {
    return std::make_pair(y.first, x.second->getName()) <
           std::make_pair(x.first, y.second->getName());
  });
  std::vector<size_t> load(parts);
  for (auto &[size, function] : functions) {
    size_t smallest = std::min_element(load.begin(), load.end()) - load.begin();
    load[smallest] += size;
    partOf[function->getName()] = smallest;
  }
  return parts;
}

/// Reads part `number` of the module, and nothing else of it: every part goes
/// through this.
llvm::Expected<std::unique_ptr<llvm::Module>>
readPart(llvm::StringRef bitcode, size_t number,
         const llvm::StringMap<size_t> &partOf, llvm::LLVMContext &context) {
  auto module = llvm::getLazyBitcodeModule(
      llvm::MemoryBufferRef(bitcode, "linnet"), context);
  if (!module)
    return module.takeError();
  for (llvm::Function &function : **module) {
    if (function.isDeclaration())
      continue;
    if (partOf.lookup(function.getName()) != number)
      function.deleteBody();
    else if (llvm::Error error = function.materialize())
      return error;
  }
  if (llvm::Error error = (*module)->materializeAll())
    return error;
  return module;
}

/// Compiles part `number` of the module in a context of its own.
Result<ObjectCode> compilePart(llvm::StringRef bitcode, size_t number,
                               const llvm::StringMap<size_t> &partOf,
                               const Target &target, int level) {
  llvm::LLVMContext context;
  auto module = readPart(bitcode, number, partOf, context);
  if (!module)
    return makeError("cannot read bitcode back: ",
                     llvm::toString(module.takeError()));
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, level);
  optimise(**module, *machine, level);
  return emitObject(**module, *machine);
}

/// Functions that other parts call are no longer internal, but stay hidden
/// from other libraries.
void openToOtherParts(llvm::Module &module) {
  for (llvm::Function &function : module)
    if (function.hasInternalLinkage()) {
      function.setLinkage(llvm::GlobalValue::ExternalLinkage);
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
      function.setDSOLocal(true);
    }
}

Result<std::vector<ObjectCode>> compileParts(llvm::Module &module,
                                             const Target &target, int level,
                                             unsigned threads) {
  llvm::StringMap<size_t> partOf;
  size_t parts = partition(module, partOf);
  if (parts > 1)
    openToOtherParts(module);
  llvm::SmallVector<char, 0> bitcode;
  llvm::raw_svector_ostream stream(bitcode);
  llvm::WriteBitcodeToFile(module, stream);
  llvm::StringRef text(bitcode.data(), bitcode.size());

  std::vector<Result<ObjectCode>> results(parts, ObjectCode());
  std::atomic<size_t> next = 0;
  std::atomic<bool> crashed = false;
  auto work = [&] {
    for (size_t part; (part = next++) < parts;) {
      // A crash on a thread of ours would not reach the caller's recovery.
      llvm::CrashRecoveryContext recovery;
      if (!recovery.RunSafely([&] {
            results[part] = compilePart(text, part, partOf, target, level);
          }))
        crashed = true;
    }
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < std::min<size_t>(threads, parts); ++i)
    others.emplace_back(work);
  work();
  for (std::thread &thread : others)
    thread.join();
  if (crashed)
    return makeError("LLVM crashed while compiling");
  std::vector<ObjectCode> objects;
  for (Result<ObjectCode> &result : results) {
    if (!result)
      return result.error();
    objects.push_back(result.take());
  }
  return objects;
}

} // namespace

std::vector<std::string> exportedFunctions(mlir::ModuleOp module) {
  std::vector<std::string> names;
  for (mlir::Operation &op : module.getOps())
    if (op.hasAttr("linnet.phase"))
      if (auto symbol = mlir::dyn_cast<mlir::SymbolOpInterface>(op))
        names.push_back(symbol.getName().str());
  return names;
}

Status lowerToLLVMDialect(mlir::ModuleOp module, const Target &target) {
  mlir::PassManager passes(module.getContext());
  mlir::linnet::LowerToLLVMOptions options;
  options.expandF16 = !target.has("f16c");
  mlir::linnet::buildLowerToLLVMPipeline(passes, options);
  if (mlir::failed(passes.run(module)))
    return makeError("cannot lower the kernels to the LLVM dialect");
  return {};
}

/// createMachine() for a target that came from outside.
static Result<std::unique_ptr<llvm::TargetMachine>>
requireMachine(const Target &target, int optLevel) {
  std::unique_ptr<llvm::TargetMachine> machine =
      createMachine(target, optLevel);
  if (!machine)
    return makeError("LLVM has no code generator for ", target.triple);
  return machine;
}

Result<std::vector<ObjectCode>>
compileToObjects(mlir::ModuleOp module, const Target &target,
                 const std::vector<std::string> &exported,
                 const CodegenOptions &options) {
  auto machine = requireMachine(target, options.optLevel);
  if (!machine)
    return machine.error();
  llvm::LLVMContext context;
  auto translated = translate(module, context, target, **machine, exported);
  if (!translated)
    return translated.error();
  if (options.single) {
    optimise(**translated, **machine, options.optLevel);
    Result<ObjectCode> object = emitObject(**translated, **machine);
    if (!object)
      return object.error();
    return std::vector<ObjectCode>{object.take()};
  }
  unsigned threads =
      options.threads ? options.threads : std::thread::hardware_concurrency();
  return compileParts(**translated, target, options.optLevel,
                      std::max(threads, 1u));
}

Result<std::string> compileToLLVMText(mlir::ModuleOp module,
                                      const Target &target,
                                      const std::vector<std::string> &exported,
                                      const CodegenOptions &options) {
  auto machine = requireMachine(target, options.optLevel);
  if (!machine)
    return machine.error();
  llvm::LLVMContext context;
  auto translated = translate(module, context, target, **machine, exported);
  if (!translated)
    return translated.error();
  optimise(**translated, **machine, options.optLevel);
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*translated)->print(stream, nullptr);
  return text;
}

Result<ObjectCode> compileIdentity(const std::string &id, int64_t abi,
                                   const Target &target) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, 0);
  if (!machine)
    return makeError("LLVM has no code generator for ", target.triple);
  llvm::LLVMContext context;
  llvm::Module module("linnet", context);
  auto define = [&](llvm::Constant *value, const char *name) {
    new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                             llvm::GlobalValue::ExternalLinkage, value, name);
  };
  define(llvm::ConstantDataArray::getString(context, id), "linnet_library_id");
  define(llvm::ConstantInt::get(llvm::Type::getInt64Ty(context), abi),
         "linnet_library_abi");
  prepare(module, target, *machine, {});
  return emitObject(module, *machine);
}

} // namespace linnet
