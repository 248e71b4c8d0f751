//===- Function.cpp - one function as a compiled directory ----------------===//

#include "linnet/Driver/Compile.h"

#include "Stages.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"
#include "passes/Lower/Passes.h"
#include "passes/Pipelines/Pipelines.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace linnet {
namespace {

using mlir::RankedTensorType;
using mlir::ShapedType;

/// The sizes of the two dimensions a model function may leave open.
struct OpenSizes {
  std::optional<int64_t> batch, tokens;
};

Status fitInput(mlir::func::FuncOp function, unsigned number,
                const FunctionInput &input, OpenSizes &open) {
  mlir::Type type = function.getArgumentTypes()[number];
  auto complain = [&](const std::string &expected, const auto &...got) {
    return makeError("function @", function.getName().str(), ", input ", number,
                     ": expected ", expected, ", but got ", got...);
  };
  std::string written;
  llvm::raw_string_ostream(written) << type;
  if (type.isIndex()) {
    if (!input.index)
      return complain("a value of type index", "a tensor");
    return {};
  }
  auto tensor = mlir::dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return complain("an argument of ranked tensor or index type", written);
  auto given = llvm::ArrayRef<int64_t>(input.shape);
  auto fits = [&] {
    if (int64_t(given.size()) != tensor.getRank())
      return false;
    for (auto [size, declared] : llvm::zip(given, tensor.getShape()))
      if (size < 1 || (!ShapedType::isDynamic(declared) && size != declared))
        return false;
    return true;
  };
  std::string shape;
  llvm::raw_string_ostream stream(shape);
  stream << "a tensor of shape [";
  llvm::interleaveComma(given, stream);
  stream << "]";
  if (!fits())
    return complain(written, shape);
  for (auto [d, declared] : llvm::enumerate(tensor.getShape())) {
    if (!ShapedType::isDynamic(declared))
      continue;
    if (d > 1)
      return complain("dynamic sizes in the first two dimensions only",
                      written);
    std::optional<int64_t> &size = d == 0 ? open.batch : open.tokens;
    if (size && *size != given[d])
      return complain("size " + std::to_string(*size) + " in dimension " +
                          std::to_string(d) + ", as in another input",
                      shape);
    size = given[d];
  }
  return {};
}

/// Writes index arguments into the code as constants.
void fixIndices(mlir::func::FuncOp function,
                const std::vector<FunctionInput> &inputs) {
  mlir::OpBuilder builder = mlir::OpBuilder::atBlockBegin(&function.front());
  llvm::BitVector fixed(function.getNumArguments());
  for (auto [number, input] : llvm::enumerate(inputs)) {
    mlir::BlockArgument argument = function.getArgument(number);
    if (!argument.getType().isIndex())
      continue;
    argument.replaceAllUsesWith(mlir::arith::ConstantIndexOp::create(
        builder, function.getLoc(), *input.index));
    fixed.set(number);
  }
  (void)function.eraseArguments(fixed);
}

Result<std::string> makeTemporaryDirectory() {
  std::error_code code;
  std::string base = std::filesystem::temp_directory_path(code).string();
  if (code)
    base = "/tmp";
  std::string name = base + "/linnet-function-XXXXXX";
  if (!mkdtemp(name.data()))
    return systemError("create a directory in", base, errno);
  return name;
}

} // namespace

CompiledFunction::~CompiledFunction() {
  std::error_code ignored;
  if (!path.empty())
    std::filesystem::remove_all(path, ignored);
}

Result<CompiledFunction>
compileFunction(mlir::ModuleOp module, const std::string &name,
                const std::vector<FunctionInput> &inputs,
                const std::string &source, const CompileOptions &options,
                CompileReport &report) {
  mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
  auto function = copy->lookupSymbol<mlir::func::FuncOp>(name);
  if (!function || function.isExternal())
    return makeError(quoteName(source), ": expected a function @", name,
                     " with a body, but there is none");
  if (inputs.size() != function.getNumArguments())
    return makeError("function @", name, ": expected ",
                     function.getNumArguments(), " inputs, but got ",
                     inputs.size());
  for (mlir::Type type : function.getResultTypes())
    if (!mlir::isa<RankedTensorType>(type)) {
      std::string written;
      llvm::raw_string_ostream(written) << type;
      return makeError("function @", name,
                       ": expected results of ranked tensor type, but got ",
                       written);
    }
  OpenSizes open;
  for (auto [number, input] : llvm::enumerate(inputs))
    if (Status status = fitInput(function, number, input, open); !status)
      return status.error();
  fixIndices(function, inputs);

  StageRunner stages(report);
  Status specialised =
      stages.runPasses("specialise", *copy, [&](mlir::OpPassManager &passes) {
        mlir::linnet::buildFunctionStage(passes, name, open.batch.value_or(1),
                                         open.tokens.value_or(1));
      });
  if (!specialised)
    return specialised.error();

  Result<std::string> directory = makeTemporaryDirectory();
  if (!directory)
    return directory.error();
  CompiledFunction compiled(*directory);
  CompileOptions inPlace = options;
  inPlace.emit = Emit::Shared;
  inPlace.batch = 1;
  if (Status status =
          compileModule(*copy, source, compiled.directory(), inPlace, report);
      !status) {
    if (report.internal)
      (void)copy.release();
    return status.error();
  }
  return compiled;
}

} // namespace linnet
