//===- Evaluator.cpp - the interpreter's core -----------------------------===//
//
// Calls functions, walks their bodies, and keeps weights.
//
//===----------------------------------------------------------------------===//

#include "linnet/Reference/Evaluator.h"

#include "Interpreter.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

#include <new>
#include <system_error>
#include <thread>

namespace linnet {

using namespace reference;

Evaluator::Evaluator(std::unique_ptr<Interpreter> interpreter)
    : interpreter(std::move(interpreter)) {}
Evaluator::Evaluator(Evaluator &&) noexcept = default;
Evaluator &Evaluator::operator=(Evaluator &&) noexcept = default;
Evaluator::~Evaluator() = default;

Result<Evaluator> Evaluator::create(mlir::ModuleOp module,
                                    const Archive *archive) {
  // The functions below rely on what verifiers promise.
  if (!module || failed(mlir::verify(module)))
    return makeError("expected a valid module");
  return Evaluator(std::make_unique<Interpreter>(module, archive));
}

void Evaluator::setThreads(unsigned threads) {
  interpreter->threads = std::max(1u, threads);
}

Result<std::vector<HostTensor>> Evaluator::run(StringRef function,
                                               std::vector<HostTensor> inputs) {
  // Shapes are the user's; the machine may not have the memory for them.
  try {
    std::vector<TensorRef> arguments;
    for (HostTensor &input : inputs)
      arguments.push_back(std::make_shared<HostTensor>(std::move(input)));
    Result<std::vector<TensorRef>> results =
        interpreter->call(function, std::move(arguments));
    if (!results)
      return results.error();
    std::vector<HostTensor> tensors;
    for (const TensorRef &result : *results)
      tensors.push_back(*result);
    return tensors;
  } catch (const std::bad_alloc &) {
    return makeError("@", function.str(), ": not enough memory to evaluate");
  }
}

namespace reference {

//===----------------------------------------------------------------------===//
// Scope
//===----------------------------------------------------------------------===//

/// An error unless a value of `type` can have this shape.
static Status checkFits(Type type, ArrayRef<int64_t> shape) {
  bool fits = true;
  if (auto tensor = mlir::dyn_cast<mlir::TensorType>(type)) {
    if (tensor.hasRank())
      fits = succeeded(mlir::verifyCompatibleShape(tensor.getShape(), shape));
  } else if (type.isIntOrIndexOrFloat()) {
    fits = shape.empty();
  } else {
    return makeError("unsupported type ", formatType(type));
  }
  if (fits)
    return {};
  return makeError("expected ", formatType(type), ", but got shape ",
                   formatDims(shape));
}

int64_t Scope::getIndex(Value value) const {
  return static_cast<int64_t>(get(value).values[0]);
}

Status Scope::set(Value value, HostTensor tensor) {
  return set(value, std::make_shared<HostTensor>(std::move(tensor)));
}

Status Scope::set(Value value, TensorRef tensor) {
  if (Status status = checkFits(value.getType(), tensor->shape); !status)
    return status;
  values[value] = std::move(tensor);
  return {};
}

//===----------------------------------------------------------------------===//
// Interpreter
//===----------------------------------------------------------------------===//

Interpreter::Interpreter(mlir::ModuleOp module, const Archive *archive)
    : threads(std::max(1u, std::thread::hardware_concurrency())),
      symbols(module), archive(archive) {}

const EvalFunction *OpTable::find(Operation *op) const {
  auto found = functions.find(op->getName().getStringRef());
  return found == functions.end() ? nullptr : &found->second;
}

static const OpTable &opTable() {
  static const OpTable table = [] {
    OpTable table;
    addFunctionOps(table);
    addLinearOps(table);
    addNormOps(table);
    addAttentionOps(table);
    addScanOps(table);
    addAccumulateOps(table);
    addConvolutionOps(table);
    addRecurrenceOps(table);
    addExpertOps(table);
    addGlueOps(table);
    addTensorOps(table);
    return table;
  }();
  return table;
}

/// Where an operation comes from: the tensor's or the file's name.
static std::string formatLocation(Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto name = mlir::dyn_cast<mlir::NameLoc>(op->getLoc()))
    stream << name.getName().getValue();
  else
    op->getLoc().print(stream);
  return text;
}

Status Interpreter::evaluate(Operation *op, Scope &scope) {
  Status status;
  if (const EvalFunction *function = opTable().find(op))
    status = (*function)(op, scope);
  else if (mlir::isa<mlir::linalg::LinalgOp>(op))
    status = evalLinalg(op, scope);
  else
    status = makeError("unknown to the reference evaluator");
  if (status)
    return {};
  // A message from inside a callee already says where.
  if (mlir::isa<mlir::func::CallOp, ir::StackOp, ir::RecurrenceOp>(op))
    return status;
  return makeError("'", op->getName().getStringRef().str(), "' at ",
                   formatLocation(op), ": ", status.error().str());
}

/// Errors when an argument does not fit, or holds fractions for integers.
static Status checkArgument(const HostTensor &tensor, Type type) {
  Result<int64_t> count = countElements(tensor.shape);
  if (!count)
    return count.error();
  if (*count != tensor.size())
    return makeError("expected ", *count, " values for shape ",
                     formatDims(tensor.shape), ", but got ", tensor.size());
  if (Status status = checkFits(type, tensor.shape); !status)
    return status;
  if (!mlir::getElementTypeOrSelf(type).isIntOrIndex())
    return {};
  for (double value : tensor.values)
    // The comparison also turns NaN away.
    if (!(std::abs(value) <= 9007199254740992.0) || value != std::floor(value))
      return makeError("expected integers, but got ", value);
  return {};
}

Result<std::vector<TensorRef>>
Interpreter::call(StringRef name, std::vector<TensorRef> arguments) {
  constexpr unsigned kMaxDepth = 200;
  auto function = symbols.lookup<mlir::func::FuncOp>(name);
  if (!function || function.isExternal())
    return makeError("expected a function with a body, but found no @",
                     name.str());
  if (!llvm::hasSingleElement(function.getBody()))
    return makeError("@", name.str(),
                     ": expected a body of one block, but got ",
                     function.getBody().getBlocks().size());
  if (depth == kMaxDepth)
    return makeError("@", name.str(), ": calls nest deeper than ", kMaxDepth);
  if (arguments.size() != function.getNumArguments())
    return makeError("@", name.str(), ": expected ", function.getNumArguments(),
                     " arguments, but got ", arguments.size());
  Scope scope(*this);
  for (auto [number, value] : llvm::enumerate(function.getArguments())) {
    Status status = checkArgument(*arguments[number], value.getType());
    if (status)
      status = scope.set(value, std::move(arguments[number]));
    if (!status) {
      auto label = function.getArgAttrOfType<mlir::StringAttr>(
          number, mlir::linnet::kNameAttr);
      std::string which = label ? " ('" + label.str() + "')" : "";
      return makeError("@", name.str(), ": argument ", number, which, ": ",
                       status.error().str());
    }
  }
  mlir::Block &body = function.getBody().front();
  ++depth;
  Status status;
  for (Operation &op : body.without_terminator())
    if (status = evaluate(&op, scope); !status)
      break;
  --depth;
  if (!status)
    return status.error();
  std::vector<TensorRef> results;
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(scope.getRef(value));
  return results;
}

void Interpreter::parallelFor(
    int64_t count, double work,
    llvm::function_ref<void(int64_t, int64_t)> body) const {
  // Starting a thread costs about as much as this many flops.
  constexpr double kWorthAThread = 2e5;
  int64_t parts = std::min<int64_t>(
      {int64_t(threads), count, int64_t(work / kWorthAThread) + 1});
  if (parts <= 1)
    return body(0, count);
  std::vector<std::thread> workers;
  for (int64_t part = 1; part < parts; ++part) {
    auto run = [=] { body(count * part / parts, count * (part + 1) / parts); };
    try {
      workers.emplace_back(run);
    } catch (const std::system_error &) {
      run(); // The system has no thread to spare.
    }
  }
  body(0, count / parts);
  for (std::thread &worker : workers)
    worker.join();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// The stored dtype that an element type stands for, or nothing.
static std::optional<DataType> dataTypeOf(Type type) {
  if (type.isF64())
    return DataType::F64;
  if (type.isF32())
    return DataType::F32;
  if (type.isF16())
    return DataType::F16;
  if (type.isBF16())
    return DataType::BF16;
  if (mlir::isa<mlir::Float8E4M3FNType>(type))
    return DataType::F8E4M3;
  if (mlir::isa<mlir::Float8E5M2Type>(type))
    return DataType::F8E5M2;
  if (type.isUnsignedInteger(8))
    return DataType::U8;
  if (type.isSignlessInteger(64))
    return DataType::I64;
  if (type.isSignlessInteger(32))
    return DataType::I32;
  if (type.isSignlessInteger(16))
    return DataType::I16;
  if (type.isSignlessInteger(8))
    return DataType::I8;
  if (type.isSignlessInteger(1))
    return DataType::BOOL;
  return std::nullopt;
}

/// The tensor `key` of the archive in f64.
Result<TensorRef> Interpreter::loadTensor(const std::string &key,
                                          RankedTensorType type) {
  if (!archive)
    return makeError("expected a weight archive for key '", key,
                     "', but got none");
  Result<const Archive::Tensor *> tensor = archive->require(key);
  if (!tensor)
    return tensor.error();
  std::optional<DataType> dtype = dataTypeOf(type.getElementType());
  if (!dtype || *dtype != (*tensor)->dtype)
    return makeError("'", key, "': expected ", formatType(type), ", but got ",
                     dataTypeName((*tensor)->dtype), " in ",
                     archive->fileOf(**tensor));
  Result<HostTensor> values = makeZeros((*tensor)->shape);
  if (!values)
    return makeError("'", key, "': ", values.error().str());
  convertToF64((*tensor)->data, *dtype, values->values.data(),
               values->values.size());
  return TensorRef(std::make_shared<HostTensor>(values.take()));
}

Result<TensorRef> Interpreter::loadWeight(const std::string &key,
                                          RankedTensorType type) {
  auto found = weights.find(key);
  if (found == weights.end()) {
    bool stacked = StringRef(key).contains(ir::kMember);
    RankedTensorType single = type;
    if (stacked)
      single = RankedTensorType::get(type.getShape().drop_front(),
                                     type.getElementType());
    Result<TensorRef> tensor =
        loadTensor(stacked ? ir::resolveMemberKey(key, 0) : key, single);
    if (!tensor)
      return tensor.error();
    if (stacked) {
      HostTensor stack = **tensor;
      for (int64_t i = 1; i < type.getDimSize(0); ++i) {
        std::string name = ir::resolveMemberKey(key, i);
        Result<TensorRef> member = loadTensor(name, single);
        if (!member)
          return member.error();
        if (Status status = expectShape("'" + name + "'", (*member)->shape,
                                        (*tensor)->shape);
            !status)
          return status.error();
        llvm::append_range(stack.values, (*member)->values);
      }
      stack.shape.insert(stack.shape.begin(), type.getDimSize(0));
      tensor = TensorRef(std::make_shared<HostTensor>(std::move(stack)));
    }
    found = weights.emplace(key, tensor.take()).first;
  }
  if (ArrayRef<int64_t>(found->second->shape) != type.getShape())
    return makeError("'", key, "': expected shape ",
                     formatDims(type.getShape()), ", but got ",
                     formatDims(found->second->shape));
  return found->second;
}

Result<TensorRef> Interpreter::getDense(ir::StructureAttrInterface structure,
                                        mlir::TypeRange types,
                                        ArrayRef<TensorRef> factors,
                                        ir::LinearShape shape) {
  if (auto dense = mlir::dyn_cast<ir::DenseStructureAttr>(structure))
    if (dense.getStorage() == ir::Storage::OutIn)
      return factors[0];
  std::pair<const void *, std::vector<const HostTensor *>> key{
      structure.getAsOpaquePointer(), {}};
  llvm::SmallVector<ir::FactorValue> values;
  for (auto [factor, type] : llvm::zip_equal(factors, types)) {
    key.second.push_back(factor.get());
    values.push_back({mlir::cast<RankedTensorType>(type), factor->values});
  }
  auto found = denseMatrices.find(key);
  if (found != denseMatrices.end())
    return found->second;
  for (auto [number, value] : llvm::enumerate(values))
    if (std::string obstacle = structure.findObstacle(unsigned(number), value);
        !obstacle.empty())
      return makeError("factor ", number, ": ", obstacle);
  TensorRef dense = std::make_shared<HostTensor>(
      std::vector<int64_t>{shape.out, shape.blockIn()},
      structure.toDense(values));
  // Only weights keep their address for as long as the evaluator lives.
  bool kept = llvm::all_of(factors, [&](const TensorRef &factor) {
    return llvm::any_of(weights,
                        [&](auto &entry) { return entry.second == factor; });
  });
  if (kept)
    denseMatrices.emplace(std::move(key), dense);
  return dense;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Result<int64_t> countElements(ArrayRef<int64_t> shape) {
  // 32 GiB of doubles.
  constexpr int64_t kMaxElements = int64_t(1) << 32;
  int64_t count = 1;
  for (int64_t size : shape) {
    if (size < 0)
      return makeError("expected no negative dimension, but got ",
                       formatDims(shape));
    if (size != 0 && count > kMaxElements / size)
      return makeError("shape ", formatDims(shape),
                       " is too large for the reference evaluator");
    count *= size;
  }
  return count;
}

std::vector<int64_t> stridesOf(ArrayRef<int64_t> shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (int64_t d = int64_t(shape.size()) - 2; d >= 0; --d)
    strides[d] = strides[d + 1] * shape[d + 1];
  return strides;
}

Result<HostTensor> makeZeros(ArrayRef<int64_t> shape) {
  Result<int64_t> count = countElements(shape);
  if (!count)
    return count.error();
  return HostTensor(shape.vec(), std::vector<double>(*count, 0.0));
}

Status expectShape(StringRef what, ArrayRef<int64_t> got,
                   ArrayRef<int64_t> expected) {
  if (got == expected)
    return {};
  return makeError("expected ", what.str(), " of shape ", formatDims(expected),
                   ", but got ", formatDims(got));
}

std::string formatDims(ArrayRef<int64_t> shape) {
  return formatShape(shape.vec());
}

std::string formatType(Type type) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  type.print(stream);
  return text;
}

} // namespace reference
} // namespace linnet
