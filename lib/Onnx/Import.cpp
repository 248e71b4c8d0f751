//===- Import.cpp - ONNX models to IR -------------------------------------===//

#include "linnet/Onnx/Import.h"

#include "ModelFile.h"
#include "Node.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Transforms/RegionUtils.h"

#include <filesystem>

using namespace mlir;

namespace linnet {
namespace onnx {
namespace {

constexpr StringLiteral kDimsAttr = "linnet.dims";

class GraphImport {
public:
  GraphImport(MLIRContext &context, const ModelProto &model,
              const std::string &path, const OnnxImportOptions &options)
      : model(model), graph(model.graph()), path(path), options(options),
        g(context), reader(path) {}

  Result<OwningOpRef<ModuleOp>> run();

private:
  Status declareInputs();
  Status checkDims() const;
  Status declareInitializers();
  Status checkOperators();
  Status importNode(const NodeProto &proto);
  Status define(const std::string &name, Tensor tensor);
  Result<Tensor *> use(const std::string &name, const std::string &reader);
  Result<Tensor> describe(const ValueInfoProto &info);
  ArrayAttr namesOf(ArrayRef<Size> sizes);
  Status finish();
  Status writeWeights();

  const ModelProto &model;
  const GraphProto &graph;
  const std::string &path;
  const OnnxImportOptions &options;
  GraphBuilder g;
  TensorReader reader;
  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
  std::map<std::string, Tensor> values;
  std::map<std::string, Size> dims;
};

} // namespace

Status GraphImport::define(const std::string &name, Tensor tensor) {
  if (values.emplace(name, std::move(tensor)).second)
    return {};
  return makeError("value ", quoteName(name),
                   " is defined twice: expected names that differ");
}

Result<Tensor *> GraphImport::use(const std::string &name,
                                  const std::string &by) {
  if (auto found = values.find(name); found != values.end())
    return &found->second;
  for (const NodeProto &node : graph.node())
    if (llvm::is_contained(node.output(), name))
      return makeError(by, " reads ", quoteName(name),
                       " before it is computed: expected nodes in an order "
                       "without cycles");
  return makeError(by, " reads ", quoteName(name),
                   ", which no input, initializer or node defines");
}

/// The type of an input. Floats become f32; `element` is as declared.
Result<Tensor> GraphImport::describe(const ValueInfoProto &info) {
  const auto &type = info.type().tensor_type();
  auto dtype = dataTypeOf(type.elem_type());
  Tensor tensor;
  if (info.type().has_tensor_type() && dtype)
    tensor.element = elementTypeOf(g.b.getContext(), *dtype);
  if (!tensor.element || tensor.element.isF64())
    return makeError("value ", quoteName(info.name()),
                     ": expected a tensor of floats of at most 32 bits or of "
                     "signed integers, but got ",
                     info.type().has_tensor_type()
                         ? nameOfDataType(type.elem_type())
                         : "another type");
  if (!type.has_shape())
    return makeError("value ", quoteName(info.name()),
                     ": expected a shape, but got none");
  for (const auto &dim : type.shape().dim()) {
    // Open sizes of the result are filled in once there is an argument.
    int64_t size = dim.has_dim_value() ? dim.dim_value() : -1;
    if (auto fixed = options.dims.find(dim.dim_param());
        !dim.has_dim_value() && fixed != options.dims.end())
      size = fixed->second;
    if (dim.has_dim_value() && size < 0)
      return makeError("value ", quoteName(info.name()),
                       ": expected sizes of at least 0, but got ", size);
    tensor.sizes.push_back(size);
  }
  return tensor;
}

Status GraphImport::declareInputs() {
  std::set<std::string> stored;
  for (const TensorProto &initializer : graph.initializer())
    stored.insert(initializer.name());
  SmallVector<const ValueInfoProto *> inputs;
  SmallVector<Type> types;
  for (const ValueInfoProto &info : graph.input()) {
    // Old models list their weights among the inputs.
    if (stored.count(info.name()))
      continue;
    Result<Tensor> described = describe(info);
    if (!described)
      return described.error();
    SmallVector<int64_t> shape;
    for (const Size &size : described->sizes)
      shape.push_back(size.is(-1) ? ShapedType::kDynamic : size.getFactor());
    inputs.push_back(&info);
    types.push_back(RankedTensorType::get(shape, described->element));
  }
  ImplicitLocOpBuilder &b = g.b;
  function =
      func::FuncOp::create(b, "main", b.getFunctionType(types, TypeRange()));
  b.setInsertionPointToStart(function.addEntryBlock());
  std::vector<Tensor> arguments;
  for (auto [i, info] : llvm::enumerate(inputs)) {
    Tensor tensor{{},
                  cast<ShapedType>(types[i]).getElementType(),
                  function.getArgument(i)};
    for (auto [d, dim] :
         llvm::enumerate(info->type().tensor_type().shape().dim())) {
      int64_t size = cast<ShapedType>(types[i]).getDimSize(d);
      if (!ShapedType::isDynamic(size)) {
        tensor.sizes.push_back(size);
        continue;
      }
      auto make = [&] {
        return g.newSymbol(tensor::DimOp::create(b, tensor.value, d));
      };
      // Dimensions of one name have one size.
      if (dim.dim_param().empty())
        tensor.sizes.push_back(make());
      else if (auto known = dims.find(dim.dim_param()); known != dims.end())
        tensor.sizes.push_back(known->second);
      else
        tensor.sizes.push_back(
            dims.emplace(dim.dim_param(), make()).first->second);
    }
    function.setArgAttr(i, mlir::linnet::kNameAttr,
                        b.getStringAttr(info->name()));
    function.setArgAttr(i, kDimsAttr, namesOf(tensor.sizes));
    arguments.push_back(std::move(tensor));
  }
  for (auto [info, tensor] : llvm::zip(inputs, arguments)) {
    if (tensor.isFloat() && !tensor.element.isF32()) {
      tensor.element = b.getF32Type();
      tensor.value = arith::ExtFOp::create(
          b, g.typeOf(tensor.sizes, tensor.element), tensor.value);
    }
    if (Status status = define(info->name(), std::move(tensor)); !status)
      return status;
  }
  return {};
}

/// A size that was given for a name which no input has is a mistake.
Status GraphImport::checkDims() const {
  for (const auto &[name, size] : options.dims) {
    bool known = false;
    for (const ValueInfoProto &info : graph.input())
      for (const auto &dim : info.type().tensor_type().shape().dim())
        known |= dim.has_dim_param() && dim.dim_param() == name;
    if (!known)
      return makeError("expected the name of an open dimension, but got ",
                       quoteName(name));
  }
  return {};
}

Status GraphImport::declareInitializers() {
  for (const TensorProto &initializer : graph.initializer()) {
    Result<StoredTensor> stored = reader.read(initializer);
    if (!stored)
      return stored.error();
    Result<Tensor> tensor = makeStored(g.b.getContext(), stored.take());
    if (!tensor)
      return tensor.error();
    if (Status status = define(initializer.name(), tensor.take()); !status)
      return status;
  }
  return {};
}

/// All operators that are missing in one message: one at a time would be a
/// guessing game.
Status GraphImport::checkOperators() {
  std::string first, others;
  std::set<std::string> seen;
  for (const NodeProto &proto : graph.node()) {
    Node node(g, reader, proto, opsetOf(model, proto.domain()), {});
    Result<const Operator *> found = findOperator(proto, node);
    if (found || !seen.insert(proto.op_type()).second)
      continue;
    if (first.empty())
      first = found.error().str();
    else
      others += (others.empty() ? "; nor are the operators of " : ", ") +
                node.describe();
  }
  return first.empty() ? Status() : makeError(first, others);
}

Status GraphImport::importNode(const NodeProto &proto) {
  SmallVector<Tensor *> inputs;
  g.b.setLoc(NameLoc::get(g.b.getStringAttr(
      !proto.name().empty() || proto.output().empty() ? proto.name()
                                                      : proto.output(0))));
  int64_t opset = opsetOf(model, proto.domain());
  std::string called = Node(g, reader, proto, opset, {}).describe();
  for (const std::string &name : proto.input()) {
    inputs.push_back(nullptr);
    if (name.empty())
      continue;
    Result<Tensor *> found = use(name, called);
    if (!found)
      return found.error();
    inputs.back() = *found;
  }
  Node node(g, reader, proto, opset, inputs);
  Result<const Operator *> found = findOperator(proto, node);
  if (!found)
    return found.error();
  const Operator &op = **found;
  if (proto.input_size() < op.least || proto.input_size() > op.most)
    node.fail("expected ", op.least, " to ", op.most, " inputs, but got ",
              proto.input_size());
  for (int i = 0; i < op.least; ++i)
    node.require(node.has(i), "expected input ", i, ", but got none");
  if (proto.output_size() < 1 || proto.output_size() > op.results)
    node.fail("expected 1 to ", op.results, " outputs, but got ",
              proto.output_size());
  if (node.ok())
    op.import(node);
  node.checkAttributes();
  if (!node.ok())
    return node.status();
  for (auto [i, name] : llvm::enumerate(proto.output()))
    if (!name.empty())
      if (Status status = define(name, node.output(i)); !status)
        return makeError(called, ": ", status.error().str());
  return {};
}

/// The symbolic names of `sizes`, empty where there is none.
ArrayAttr GraphImport::namesOf(ArrayRef<Size> sizes) {
  SmallVector<Attribute> names;
  for (const Size &size : sizes) {
    auto named = llvm::find_if(
        dims, [&](const auto &entry) { return entry.second == size; });
    names.push_back(g.b.getStringAttr(
        size.isStatic() || named == dims.end() ? "" : named->first));
  }
  return g.b.getArrayAttr(names);
}

Status GraphImport::finish() {
  ImplicitLocOpBuilder &b = g.b;
  b.setLoc(function.getLoc());
  SmallVector<Value> results;
  for (const ValueInfoProto &info : graph.output()) {
    Result<Tensor *> found = use(info.name(), "the graph's output");
    if (!found)
      return found.error();
    Tensor &tensor = **found;
    Value value = g.read(tensor);
    // Without a declaration outputs are what the nodes made of them.
    if (info.type().tensor_type().has_shape()) {
      Result<Tensor> declared = describe(info);
      if (!declared)
        return declared.error();
      bool fits = declared->rank() == tensor.rank() &&
                  declared->isFloat() == tensor.isFloat() &&
                  (tensor.isFloat() || declared->element == tensor.element);
      for (auto [size, given] : llvm::zip(declared->sizes, tensor.sizes))
        fits &= size.is(-1) || !given.isStatic() || size == given;
      if (!fits)
        return makeError("output ", quoteName(info.name()), ": expected ",
                         formatSizes(declared->sizes), " as declared, but got ",
                         formatSizes(tensor.sizes),
                         tensor.isFloat() ? " of floats" : " of integers");
      if (declared->element != tensor.element)
        value = arith::TruncFOp::create(
            b, g.typeOf(tensor.sizes, declared->element), value);
    }
    results.push_back(value);
  }
  func::ReturnOp::create(b, results);
  function.setType(b.getFunctionType(function.getArgumentTypes(),
                                     ValueRange(results).getTypes()));
  for (auto [i, info] : llvm::enumerate(graph.output())) {
    function.setResultAttr(i, mlir::linnet::kNameAttr,
                           b.getStringAttr(info.name()));
    function.setResultAttr(i, kDimsAttr, namesOf(values.at(info.name()).sizes));
  }
  IRRewriter rewriter(b.getContext());
  (void)runRegionDCE(rewriter, function->getRegions());
  // Nor do cells stay whose recurrences nothing reads.
  for (auto cell : llvm::make_early_inc_range(module->getOps<func::FuncOp>()))
    if (cell.isPrivate() && SymbolTable::symbolKnownUseEmpty(cell, *module))
      cell.erase();
  return {};
}

Status GraphImport::writeWeights() {
  // Weights that nothing reads any more are not worth a place in the file.
  std::set<std::string> used;
  module->walk(
      [&](ir::WeightOp weight) { used.insert(weight.getKey().str()); });
  if (used.empty())
    return {};
  if (options.weights.empty())
    return makeError(path, ": expected a file for its weights (--weights, or "
                           "-o FILE), but got none");
  std::vector<TensorSpec> specs;
  for (const std::string &key : used) {
    const StoredTensor &tensor = *g.weights().at(key);
    specs.push_back({key, tensor.dtype, tensor.shape});
  }
  Result<SafetensorsWriter> writer =
      SafetensorsWriter::create(options.weights, specs);
  if (!writer)
    return writer.error();
  for (const std::string &key : used) {
    const StoredTensor &tensor = *g.weights().at(key);
    if (Status status = writer->append(key, tensor.data, tensor.bytes); !status)
      return status;
  }
  std::error_code code;
  std::filesystem::path absolute =
      std::filesystem::absolute(options.weights, code);
  (*module)->setAttr(
      ir::kArchiveAttr,
      g.b.getStringAttr(code ? options.weights
                             : absolute.lexically_normal().string()));
  return writer->commit();
}

Result<OwningOpRef<ModuleOp>> GraphImport::run() {
  module = ModuleOp::create(g.b.getLoc());
  g.b.setInsertionPointToEnd(module->getBody());
  if (Status status = checkDims(); !status)
    return makeError(path, ": ", status.error().str());
  if (Status status = declareInputs(); !status)
    return makeError(path, ": ", status.error().str());
  if (Status status = declareInitializers(); !status)
    return makeError(path, ": ", status.error().str());
  if (Status status = checkOperators(); !status)
    return makeError(path, ": ", status.error().str());
  for (const NodeProto &node : graph.node())
    if (Status status = importNode(node); !status)
      return makeError(path, ": ", status.error().str());
  if (Status status = finish(); !status)
    return makeError(path, ": ", status.error().str());

  std::string messages;
  ScopedDiagnosticHandler handler(g.b.getContext(),
                                  [&](Diagnostic &diagnostic) {
                                    messages += diagnostic.str() + "; ";
                                    return success();
                                  });
  if (failed(verify(*module)))
    return makeError("internal error: the imported module does not verify: ",
                     messages);
  if (Status status = writeWeights(); !status)
    return status.error();
  return std::move(module);
}

} // namespace onnx

Result<OwningOpRef<ModuleOp>> importOnnx(MLIRContext &context,
                                         const std::string &path,
                                         const OnnxImportOptions &options) {
  Result<onnx::ModelProto> model = onnx::readModel(path);
  if (!model)
    return model.error();
  return onnx::GraphImport(context, *model, path, options).run();
}

} // namespace linnet
