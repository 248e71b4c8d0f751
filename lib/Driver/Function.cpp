//===- Function.cpp - one function as a compiled directory ----------------===//

#include "linnet/Driver/Compile.h"

#include "FixShapes.h"
#include "Stages.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"
#include "passes/Form/Recursion.h"
#include "passes/Lower/Passes.h"
#include "passes/Pipelines/Pipelines.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace linnet {
namespace {

using mlir::RankedTensorType;
using mlir::ShapedType;

/// The sizes of the dimensions that a function leaves open, by name.
using OpenSizes = std::map<std::string, int64_t>;

constexpr llvm::StringLiteral kBatch = "batch", kTokens = "tokens";

/// What dimension `d` of argument `number` is called: as `linnet.dims` says,
/// otherwise by its place, as in the functions of a model.
std::optional<std::string> nameOfDimension(mlir::func::FuncOp function,
                                           unsigned number, size_t d) {
  auto dims = function.getArgAttrOfType<mlir::ArrayAttr>(number, "linnet.dims");
  if (!dims)
    return d == 0   ? std::optional(kBatch.str())
           : d == 1 ? std::optional(kTokens.str())
                    : std::nullopt;
  auto name = d < dims.size() ? mlir::dyn_cast<mlir::StringAttr>(dims[d])
                              : mlir::StringAttr();
  return name ? name.str() : std::string();
}

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
  if (llvm::is_contained(given, 0))
    return complain("no dimension of size 0", shape);
  if (!fits())
    return complain(written, shape);
  for (auto [d, declared] : llvm::enumerate(tensor.getShape())) {
    if (!ShapedType::isDynamic(declared))
      continue;
    std::optional<std::string> name = nameOfDimension(function, number, d);
    if (!name)
      return complain("dynamic sizes in the first two dimensions only",
                      written);
    // Dimensions without a name are of any size.
    if (name->empty())
      continue;
    auto [known, isNew] = open.try_emplace(*name, given[d]);
    if (known->second != given[d])
      return complain("size " + std::to_string(known->second) +
                          " in dimension " + std::to_string(d) +
                          ", as in another input",
                      shape);
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
  if (auto recursive = mlir::linnet::findRecursion(function))
    return makeError("function @", recursive.getName().str(),
                     ": expected functions that do not apply themselves");
  OpenSizes open;
  for (auto [number, input] : llvm::enumerate(inputs))
    if (Status status = fitInput(function, number, input, open); !status)
      return status.error();
  fixIndices(function, inputs);
  llvm::SmallVector<mlir::Type> types;
  for (const FunctionInput &input : inputs)
    if (!input.index)
      types.push_back(mlir::cast<RankedTensorType>(
                          function.getArgumentTypes()[types.size()])
                          .clone(input.shape));
  fixShapes(function, types);

  auto sizeOr1 = [&](llvm::StringRef dimension) {
    auto size = open.find(dimension.str());
    return size == open.end() ? 1 : size->second;
  };
  StageRunner stages(report);
  Status specialised =
      stages.runPasses("specialise", *copy, [&](mlir::OpPassManager &passes) {
        mlir::linnet::buildFunctionStage(passes, name, sizeOr1(kBatch),
                                         sizeOr1(kTokens), options.exactDecode);
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
