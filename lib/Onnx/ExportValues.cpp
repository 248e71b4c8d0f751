//===- ExportValues.cpp - views, constants and weights --------------------===//

#include "GraphExport.h"
#include "StoredTensor.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace linnet::onnx {

int32_t numberOf(Type element) {
  // As in GraphBuilder: what Linnet stores.
  for (DataType type :
       {DataType::F64, DataType::F32, DataType::F16, DataType::BF16,
        DataType::F8E4M3, DataType::F8E5M2, DataType::I64, DataType::I32,
        DataType::I16, DataType::I8, DataType::BOOL})
    if (elementTypeOf(element.getContext(), type) == element)
      return numberOf(type);
  return 0;
}

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

std::optional<Movement> matchMovement(Value value) {
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  if (!op || op->getNumResults() != 1 || op.getNumDpsInputs() != 1 ||
      op.getNumReductionLoops())
    return std::nullopt;
  auto yield = dyn_cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!yield || yield.getOperand(0) != op.getBlock()->getArgument(0) ||
      !maps[1].isIdentity() || !maps[0].isProjectedPermutation())
    return std::nullopt;
  Movement movement{op.getDpsInputOperand(0)->get(),
                    SmallVector<int64_t>(maps[1].getNumDims(), -1)};
  for (auto [d, expression] : llvm::enumerate(maps[0].getResults()))
    movement.order[cast<AffineDimExpr>(expression).getPosition()] = d;
  return movement;
}

Value matchRepeat(Value value, int64_t dim, int64_t times) {
  auto flat = value.getDefiningOp<tensor::CollapseShapeOp>();
  if (!flat || flat.getSrcType().getRank() != typeOf(value).getRank() + 1 ||
      flat.getReassociationIndices()[dim].size() != 2 ||
      flat.getSrcType().getDimSize(dim + 1) != times)
    return {};
  std::optional<Movement> movement = matchMovement(flat.getSrc());
  if (!movement)
    return {};
  SmallVector<int64_t> order;
  for (int64_t d = 0; d < flat.getSrcType().getRank(); ++d)
    order.push_back(d <= dim ? d : d == dim + 1 ? -1 : d - 1);
  return movement->order == order ? movement->source : Value();
}

bool mergesHeads(RankedTensorType from, RankedTensorType to) {
  int64_t rank = from.getRank();
  if (rank != to.getRank() + 1 || rank < 2 || !from.hasRank())
    return false;
  int64_t heads = from.getDimSize(rank - 2), width = from.getDimSize(rank - 1);
  return !ShapedType::isDynamic(heads) && !ShapedType::isDynamic(width) &&
         from.getShape().drop_back(2) == to.getShape().drop_back(1) &&
         to.getShape().back() == heads * width;
}

Result<std::string> GraphExport::use(Value value) {
  if (auto known = names.find(value); known != names.end())
    return known->second;
  // Each view of a chain is a call.
  constexpr unsigned kMaxViews = 1000;
  Operation *op = value.getDefiningOp();
  if (++depth > kMaxViews)
    return problem(op, "expected at most ", kMaxViews,
                   " views of views, but got more");
  auto written = write(value, op);
  --depth;
  if (written)
    names[value] = *written;
  return written;
}

Result<std::string> GraphExport::write(Value value, Operation *op) {
  // The result of a recurrence that is needed in the layout of the IR.
  if (auto result = packed.find(value); result != packed.end()) {
    if (isa<ir::ShortConvOp>(op))
      return writeTranspose(result->second, {0, 2, 1}, value);
    return writeReshape(result->second, packedType(typeOf(value)), value);
  }
  if (auto weight = dyn_cast<ir::WeightOp>(op))
    return writeWeight(weight);
  if (isa<arith::ConstantOp>(op))
    return writeConstant(value);
  // Only says what is known of a shape.
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return use(cast.getSource());
  Value source;
  std::optional<Movement> movement = matchMovement(value);
  if (movement && movement->isTransposition())
    source = movement->source;
  else if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, arith::ExtFOp,
               arith::TruncFOp>(op))
    source = op->getOperand(0);
  else
    return problem(op, "is not a view that ONNX export knows: expected "
                       "reshapes, transpositions and casts between floats");
  Result<std::string> name = use(source);
  if (!name)
    return name;
  if (movement)
    return writeTranspose(*name, movement->order, value);
  if (isa<arith::ExtFOp, arith::TruncFOp>(op))
    return writeCast(*name, typeOf(value).getElementType(), value);
  return writeReshape(*name, typeOf(source), value);
}

TensorProto &GraphExport::addInitializer(const std::string &name, int32_t type,
                                         ArrayRef<int64_t> shape) {
  TensorProto &tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  tensor.mutable_dims()->Add(shape.begin(), shape.end());
  return tensor;
}

Result<std::string> GraphExport::writeReshape(const std::string &source,
                                              RankedTensorType from,
                                              Value value) {
  RankedTensorType to = typeOf(value);
  SmallVector<int64_t> shape;
  bool leading = true, inferred = false;
  for (int64_t d = 0; d < to.getRank(); ++d) {
    int64_t size = to.getDimSize(d);
    // 0 stands for the source's size at this place, -1 for what is left over.
    leading &= d < from.getRank() && from.getDimSize(d) == size;
    if (ShapedType::isDynamic(size)) {
      if (!leading && inferred)
        return problem(value.getDefiningOp(),
                       "expected one open size that the others determine, but "
                       "got more");
      inferred |= !leading;
      size = leading ? 0 : -1;
    } else if (size == 0) {
      return problem(
          value.getDefiningOp(),
          "expected a tensor with elements to reshape, but got none");
    }
    shape.push_back(size);
  }
  std::string name = fresh("shape");
  addInitializer(name, numberOf(DataType::I64), {int64_t(shape.size())})
      .set_raw_data(shape.data(), shape.size() * sizeof(int64_t));
  NodeProto &node = addNode("Reshape");
  node.add_input(source);
  node.add_input(name);
  node.add_output(nameFor(value, "view"));
  return node.output(0);
}

std::string GraphExport::writeTranspose(const std::string &source,
                                        ArrayRef<int64_t> order, Value value) {
  NodeProto &node = addNode("Transpose");
  AttributeProto &attribute = addAttribute(node, "perm", kIntsAttribute);
  attribute.mutable_ints()->Add(order.begin(), order.end());
  node.add_input(source);
  node.add_output(nameFor(value, "transposed"));
  return node.output(0);
}

std::string GraphExport::writeCast(const std::string &source, Type element,
                                   Value value) {
  NodeProto &node = addNode("Cast");
  addAttribute(node, "to", kIntAttribute).set_i(numberOf(element));
  node.add_input(source);
  node.add_output(nameFor(value, "cast"));
  return node.output(0);
}

Result<std::string> GraphExport::writeConstant(Value value) {
  Operation *op = value.getDefiningOp();
  auto dense =
      dyn_cast<DenseElementsAttr>(cast<arith::ConstantOp>(op).getValue());
  auto type = dyn_cast<RankedTensorType>(value.getType());
  int32_t number = type ? numberOf(type.getElementType()) : 0;
  if (!dense || !number || type.getElementType().isInteger(1))
    return problem(op, "expected a dense tensor of a type that ONNX has");
  std::string name = nameFor(value, "constant");
  TensorProto &tensor = addInitializer(name, number, type.getShape());
  ArrayRef<char> raw = dense.getRawData();
  std::string bytes(raw.begin(), raw.end());
  if (dense.isSplat()) {
    bytes.clear();
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      bytes.append(raw.begin(), raw.end());
  }
  tensor.set_raw_data(std::move(bytes));
  return name;
}

Result<std::string> GraphExport::writeWeight(ir::WeightOp weight) {
  std::string key = weight.getKey().str();
  if (auto known = stored.find(key); known != stored.end())
    return known->second;
  if (weight.getLayer() || weight.isStacked())
    return problem(weight, "expected the key of one tensor, but got ",
                   quoteName(key));
  if (!archive)
    return problem(weight, "expected the module to name the archive of ",
                   quoteName(key), ", but got none");
  auto type = cast<RankedTensorType>(weight.getType());
  auto found =
      archive->require(key, {type.getShape().begin(), type.getShape().end()});
  if (!found)
    return problem(weight, found.error().str());
  const Archive::Tensor &tensor = **found;
  if (numberOf(type.getElementType()) != numberOf(tensor.dtype))
    return problem(weight, "expected ", quoteName(key), " of type ",
                   nameOfDataType(numberOf(type.getElementType())),
                   ", but got ", dataTypeName(tensor.dtype));
  std::string name = nameFor(weight, key);
  addInitializer(name, numberOf(tensor.dtype), type.getShape())
      .set_raw_data(tensor.data, tensor.bytes);
  stored[key] = name;
  return name;
}

RankedTensorType packedType(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape().drop_back());
  shape.back() *= type.getShape().back();
  return type.clone(shape);
}

Result<std::string> GraphExport::usePacked(Value value) {
  if (auto result = packed.find(value);
      result != packed.end() && typeOf(value).getRank() == 4)
    return result->second;
  if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
    if (mergesHeads(expand.getResultType(), expand.getSrcType()))
      return use(expand.getSrc());
  Result<std::string> name = use(value);
  RankedTensorType type = typeOf(value);
  if (!name || type.getRank() < 4)
    return name;
  std::string shape = fresh("shape");
  SmallVector<int64_t> sizes = {0, 0, packedType(type).getShape().back()};
  addInitializer(shape, numberOf(DataType::I64), {3})
      .set_raw_data(sizes.data(), sizes.size() * sizeof(int64_t));
  NodeProto &node = addNode("Reshape");
  node.add_input(*name);
  node.add_input(shape);
  node.add_output(fresh("packed"));
  return node.output(0);
}

Result<std::string> GraphExport::useChannelsFirst(Value value) {
  if (auto result = packed.find(value);
      result != packed.end() && value.getDefiningOp<ir::ShortConvOp>())
    return result->second;
  std::optional<Movement> movement = matchMovement(value);
  if (movement && movement->order == SmallVector<int64_t>{0, 2, 1})
    return use(movement->source);
  Result<std::string> name = use(value);
  if (!name)
    return name;
  NodeProto &node = addNode("Transpose");
  addAttribute(node, "perm", kIntsAttribute).mutable_ints()->Add(0);
  node.mutable_attribute(0)->add_ints(2);
  node.mutable_attribute(0)->add_ints(1);
  node.add_input(*name);
  node.add_output(fresh("transposed"));
  return node.output(0);
}

Result<std::string> GraphExport::useAs(Value value, Type element) {
  Result<std::string> name = use(value);
  Type own = typeOf(value).getElementType();
  if (!name || own == element)
    return name;
  NodeProto &node = addNode("Cast");
  addAttribute(node, "to", kIntAttribute).set_i(numberOf(element));
  node.add_input(*name);
  node.add_output(fresh(*name + "_wide"));
  return node.output(0);
}

AttributeProto &addAttribute(NodeProto &node, const char *name, int32_t type) {
  AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

} // namespace linnet::onnx
