//===- Export.cpp - IR to ONNX models -------------------------------------===//
//
// The frame: inputs, outputs, names and the walk over the operations.
//
//===----------------------------------------------------------------------===//

#include "linnet/Onnx/Export.h"

#include "GraphExport.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;

namespace linnet {
namespace onnx {

std::string GraphExport::describe(Operation *op) const {
  std::string text = "'" + op->getName().getStringRef().str() + "'";
  if (auto name = dyn_cast<NameLoc>(op->getLoc()))
    text += " of " + quoteName(name.getName().getValue());
  return text;
}

std::string GraphExport::fresh(const std::string &base) {
  std::string name = base;
  for (unsigned i = 1; !taken.insert(name).second; ++i)
    name = base + "_" + std::to_string(i);
  return name;
}

std::string GraphExport::nameFor(Value value, const std::string &base) {
  if (auto wanted = outputs.find(value); wanted != outputs.end())
    return wanted->second;
  return fresh(base);
}

NodeProto &GraphExport::addNode(const char *type, Operation *op) {
  NodeProto &node = *graph.add_node();
  node.set_op_type(type);
  auto name = op ? dyn_cast<NameLoc>(op->getLoc()) : NameLoc();
  std::string base = name ? name.getName().str() : type;
  // Nodes have a name space of their own.
  std::string unique = base;
  for (unsigned i = 1; !nodes.insert(unique).second; ++i)
    unique = base + "_" + std::to_string(i);
  node.set_name(unique);
  return node;
}

Status GraphExport::declareValue(ValueInfoProto &info, const std::string &name,
                                 Type type, ArrayAttr dims) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  int32_t number = tensor ? numberOf(tensor.getElementType()) : 0;
  if (!number) {
    std::string written;
    llvm::raw_string_ostream(written) << type;
    return makeError("@", function.getName().str(),
                     ": expected tensors of a type that ONNX has, but got ",
                     written);
  }
  info.set_name(name);
  auto &proto = *info.mutable_type()->mutable_tensor_type();
  proto.set_elem_type(number);
  proto.mutable_shape();
  // Functions of the dialect share what they leave open.
  constexpr const char *shared[] = {"batch", "time"};
  for (auto [d, size] : llvm::enumerate(tensor.getShape())) {
    auto &dim = *proto.mutable_shape()->add_dim();
    StringAttr given =
        dims && d < dims.size() ? dyn_cast<StringAttr>(dims[d]) : StringAttr();
    if (!ShapedType::isDynamic(size))
      dim.set_dim_value(size);
    else if (given && !given.empty())
      dim.set_dim_param(given.str());
    else if (!dims && d < std::size(shared))
      dim.set_dim_param(shared[d]);
  }
  return {};
}

Status GraphExport::declareInputs() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned i = argument.getArgNumber();
    auto given =
        function.getArgAttrOfType<StringAttr>(i, mlir::linnet::kNameAttr);
    std::string name =
        fresh(given ? given.str() : "input_" + std::to_string(i));
    names[argument] = name;
    if (Status status = declareValue(
            *graph.add_input(), name, argument.getType(),
            function.getArgAttrOfType<ArrayAttr>(i, "linnet.dims"));
        !status)
      return status;
  }
  return {};
}

/// Reserves the names of the outputs, before any other value is named.
Status GraphExport::declareOutputs() {
  auto last = cast<func::ReturnOp>(function.getBody().front().getTerminator());
  for (OpOperand &operand : last->getOpOperands()) {
    unsigned i = operand.getOperandNumber();
    auto given = dyn_cast_or_null<StringAttr>(
        function.getResultAttr(i, mlir::linnet::kNameAttr));
    std::string name =
        fresh(given ? given.str() : "output_" + std::to_string(i));
    Value value = operand.get();
    while (auto cast = value.getDefiningOp<tensor::CastOp>())
      value = cast.getSource();
    outputs.try_emplace(value, name);
    auto dims =
        dyn_cast_or_null<ArrayAttr>(function.getResultAttr(i, "linnet.dims"));
    if (Status status = declareValue(*graph.add_output(), name,
                                     operand.get().getType(), dims);
        !status)
      return status;
  }
  return {};
}

/// Operations that are written when something asks for their result.
static bool isOnDemand(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::EmptyOp,
             tensor::DimOp, tensor::CastOp, tensor::ExtractSliceOp,
             arith::ConstantOp, arith::ExtFOp, arith::TruncFOp, ir::WeightOp>(
             op) ||
         (op->getNumResults() == 1 && (op->getResult(0).getType().isIndex() ||
                                       matchMovement(op->getResult(0))));
}

Status GraphExport::exportOp(Operation *op) {
  if (auto scan = dyn_cast<ir::ScanOp>(op))
    return exportScan(scan);
  if (auto conv = dyn_cast<ir::ShortConvOp>(op))
    return exportConv(conv);
  if (isOnDemand(op))
    return {};
  return problem(op, "is not an operation that ONNX export knows: expected "
                     "linnet.scan, linnet.short_conv and views of tensors");
}

Status GraphExport::run() {
  graph.set_name(function.getName().str());
  if (Status status = declareInputs(); !status)
    return status;
  if (Status status = declareOutputs(); !status)
    return status;
  Block &body = function.getBody().front();
  for (Operation &op : body.without_terminator())
    if (Status status = exportOp(&op); !status)
      return status;
  Operation *last = body.getTerminator();
  for (auto [value, info] : llvm::zip(last->getOperands(), graph.output())) {
    Result<std::string> name = use(value);
    if (!name)
      return name.error();
    if (*name == info.name())
      continue;
    // An input, or a value that is returned twice.
    NodeProto &node = addNode("Identity");
    node.add_input(*name);
    node.add_output(info.name());
  }
  model.set_ir_version(kExportIrVersion);
  OperatorSetIdProto &opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(kExportOpset);
  if (usesContributed) {
    OperatorSetIdProto &contributed = *model.add_opset_import();
    contributed.set_domain(kContributed);
    contributed.set_version(1);
  }
  return {};
}

/// The function that the options name.
static Result<func::FuncOp> findFunction(ModuleOp module,
                                         const std::string &name) {
  func::FuncOp found;
  std::string known;
  unsigned count = 0;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal() || function.isPrivate())
      continue;
    known += (known.empty() ? "@" : ", @") + function.getName().str();
    ++count;
    if (name.empty() || function.getName() == name)
      found = function;
  }
  if (!found || (name.empty() && count > 1))
    return makeError("expected a function of ", known.empty() ? "none" : known,
                     ", but got ",
                     name.empty() ? "none (--function=NAME)" : quoteName(name));
  return found;
}

} // namespace onnx

Result<std::string> exportOnnx(ModuleOp module,
                               const OnnxExportOptions &options) {
  Result<func::FuncOp> function = onnx::findFunction(module, options.function);
  if (!function)
    return function.error();
  if (!function->getBody().hasOneBlock())
    return makeError("@", function->getName().str(),
                     ": expected one block, but got control flow");
  onnx::ModelProto model;
  model.set_producer_name("linnet");
  if (Status status =
          onnx::GraphExport(model, *function, options.archive).run();
      !status)
    return status.error();
  std::string bytes;
  if (model.ByteSizeLong() > size_t(std::numeric_limits<int>::max()) ||
      !model.SerializeToString(&bytes))
    return makeError("expected a model of at most 2 GiB, but got ",
                     model.ByteSizeLong(), " bytes");
  return bytes;
}

} // namespace linnet
