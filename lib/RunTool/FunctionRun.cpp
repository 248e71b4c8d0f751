//===- FunctionRun.cpp - any function of an MLIR file ---------------------===//

#include "FunctionRun.h"

#include "CompiledModel.h"
#include "FunctionInputs.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Driver/Compile.h"
#include "linnet/Driver/Input.h"
#include "linnet/Reference/Evaluator.h"
#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>

namespace linnet::runtool {

struct FunctionRun::Impl {
  FunctionRunOptions options;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  std::vector<HostTensor> inputs;
};

FunctionRun::FunctionRun(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
FunctionRun::FunctionRun(FunctionRun &&) noexcept = default;
FunctionRun::~FunctionRun() = default;

static std::string functionNames(mlir::ModuleOp module) {
  std::string names;
  for (auto function : module.getOps<mlir::func::FuncOp>())
    if (!function.isExternal())
      names += (names.empty() ? "@" : ", @") + function.getName().str();
  return names.empty() ? "none" : names;
}

Result<FunctionRun> FunctionRun::create(const FunctionRunOptions &options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->context = makeContext();
  std::string detected;
  auto module = loadModel(*impl->context, options.file, std::nullopt, detected);
  if (!module)
    return module.error();
  impl->module = module.take();
  if (!options.archive.empty())
    (*impl->module)
        ->setAttr(mlir::linnet::kArchiveAttr,
                  mlir::StringAttr::get(impl->context.get(), options.archive));
  impl->function =
      impl->module->lookupSymbol<mlir::func::FuncOp>(options.function);
  if (!impl->function || impl->function.isExternal())
    return makeError(quoteName(options.file), ": expected a function of ",
                     functionNames(*impl->module), ", but got ",
                     quoteName(options.function));
  if (options.inputs.size() != impl->function.getNumArguments())
    return makeError("@", options.function, ": expected ",
                     impl->function.getNumArguments(),
                     " times --input, but got ", options.inputs.size());
  for (auto [spec, type] :
       llvm::zip(options.inputs, impl->function.getArgumentTypes())) {
    Result<HostTensor> input = makeInput(spec, type);
    if (!input)
      return input.error();
    impl->inputs.push_back(input.take());
  }
  return FunctionRun(std::move(impl));
}

Result<std::vector<HostTensor>> FunctionRun::runReference() const {
  Result<std::string> weights = archivePath(*impl->module, impl->options.file);
  if (!weights)
    return weights.error();
  std::optional<Archive> archive;
  if (!weights->empty()) {
    Result<Archive> opened = Archive::open(*weights);
    if (!opened)
      return opened.error();
    archive = opened.take();
  }
  Result<Evaluator> evaluator =
      Evaluator::create(*impl->module, archive ? &*archive : nullptr);
  if (!evaluator)
    return evaluator.error();
  if (impl->options.threads > 0)
    evaluator->setThreads(unsigned(impl->options.threads));
  return evaluator->run(impl->options.function, impl->inputs);
}

/// A buffer of the manifest's type for each tensor, and pointers to them.
namespace {
struct Buffers {
  std::vector<std::vector<std::byte>> bytes;
  std::vector<void *> pointers;

  void add(const ArgumentSpec &spec) {
    size_t count = size_t(elementCount(spec.shape).value_or(0));
    // The runtime takes no null, also for tensors without elements.
    bytes.emplace_back(std::max<size_t>(1, count * dataTypeSize(spec.dtype)));
    pointers.push_back(bytes.back().data());
  }
};
} // namespace

/// Prints the median and the fastest of `repeat` calls.
static Status timeCalls(int64_t repeat, llvm::function_ref<Status()> callOnce) {
  std::vector<double> times;
  for (int64_t i = 0; i < repeat; ++i) {
    auto begin = std::chrono::steady_clock::now();
    if (Status status = callOnce(); !status)
      return status;
    std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    times.push_back(spent.count());
  }
  std::sort(times.begin(), times.end());
  if (repeat > 0)
    llvm::outs() << llvm::formatv(
        "{0} more runs: median {1:F3} ms, fastest {2:F3} ms\n", repeat,
        times[times.size() / 2], times.front());
  return {};
}

static Result<std::vector<HostTensor>>
callFunction(const CompiledModel &model, const std::vector<HostTensor> &values,
             int64_t repeat, Verdict &verdict) {
  const Manifest &manifest = model.manifest;
  Buffers inputs, outputs;
  if (values.size() != manifest.inputs.size())
    return makeError("expected ", values.size(),
                     " inputs of the compiled function, but got ",
                     manifest.inputs.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const ArgumentSpec &spec = manifest.inputs[i];
    if (values[i].shape != spec.shape)
      return makeError("input ", i, ": expected shape ",
                       formatShape(spec.shape), ", but got ",
                       formatShape(values[i].shape));
    inputs.add(spec);
    convertFromF64(values[i].values.data(), spec.dtype,
                   inputs.bytes.back().data(), values[i].values.size());
  }
  for (const ArgumentSpec &spec : manifest.outputs)
    outputs.add(spec);
  auto callOnce = [&] {
    return toStatus(linnet_run_function(model.handle.get(),
                                        inputs.pointers.data(),
                                        int64_t(inputs.pointers.size()),
                                        outputs.pointers.data(),
                                        int64_t(outputs.pointers.size())),
                    verdict);
  };
  if (Status status = callOnce(); !status)
    return status.error();
  if (Status status = timeCalls(repeat, callOnce); !status)
    return status.error();
  std::vector<HostTensor> results;
  for (size_t i = 0; i < manifest.outputs.size(); ++i) {
    HostTensor result = HostTensor::filled(manifest.outputs[i].shape);
    convertToF64(outputs.bytes[i].data(), manifest.outputs[i].dtype,
                 result.values.data(), result.values.size());
    results.push_back(std::move(result));
  }
  return results;
}

Result<std::vector<HostTensor>>
FunctionRun::runCompiled(Verdict &verdict) const {
  std::vector<FunctionInput> shapes;
  std::vector<HostTensor> tensors;
  for (auto [value, type] :
       llvm::zip(impl->inputs, impl->function.getArgumentTypes())) {
    FunctionInput input;
    input.shape = value.shape;
    // Indices become constants of the code.
    if (type.isIndex())
      input.index = int64_t(value.values.front());
    else
      tensors.push_back(value);
    shapes.push_back(std::move(input));
  }
  CompileReport report;
  Result<CompiledFunction> compiled =
      compileFunction(*impl->module, impl->options.function, shapes,
                      impl->options.file, CompileOptions(), report);
  if (!compiled) {
    verdict.internal |= report.internal;
    verdict.reproducer = report.reproducer;
    return compiled.error();
  }
  for (const std::string &warning : report.warnings)
    note("warning: " + warning);
  Result<CompiledModel> model =
      openCompiled(compiled->directory(), impl->options.threads, verdict);
  if (!model)
    return model.error();
  return callFunction(*model, tensors, impl->options.repeat, verdict);
}

} // namespace linnet::runtool
