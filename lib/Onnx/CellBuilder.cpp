//===- CellBuilder.cpp - writes the cell of a recurrence ------------------===//

#include "CellBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;

namespace linnet::onnx {

Value Arithmetic::add(Value x, Value y) {
  return arith::AddFOp::create(b, loc, x, y);
}

Value Arithmetic::sub(Value x, Value y) {
  return arith::SubFOp::create(b, loc, x, y);
}

Value Arithmetic::mul(Value x, Value y) {
  return arith::MulFOp::create(b, loc, x, y);
}

Value Arithmetic::number(double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(float(value)));
}

Value Arithmetic::sigmoid(Value x) {
  Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
  return arith::DivFOp::create(b, loc, number(1), add(number(1), e));
}

Value Arithmetic::tanh(Value x) { return math::TanhOp::create(b, loc, x); }

Value Arithmetic::relu(Value x) {
  return arith::MaximumFOp::create(b, loc, x, number(0));
}

Value Arithmetic::hardSigmoid(Value x) {
  Value y = add(mul(number(0.2), x), number(0.5));
  return arith::MinimumFOp::create(b, loc, relu(y), number(1));
}

Value Arithmetic::softsign(Value x) {
  Value size = math::AbsFOp::create(b, loc, x);
  return arith::DivFOp::create(b, loc, x, add(number(1), size));
}

Value Arithmetic::select(Value isToken, Value value, Value kept) {
  Value inside = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                       isToken, number(0));
  return arith::SelectOp::create(b, loc, inside, value, kept);
}

Activation findActivation(StringRef name) {
  constexpr std::pair<StringLiteral, Activation> kKnown[] = {
      {"sigmoid", &Arithmetic::sigmoid},
      {"tanh", &Arithmetic::tanh},
      {"relu", &Arithmetic::relu},
      {"hardsigmoid", &Arithmetic::hardSigmoid},
      {"softsign", &Arithmetic::softsign}};
  for (const auto &[known, activation] : kKnown)
    if (name.equals_insensitive(known))
      return activation;
  return nullptr;
}

CellBuilder::CellBuilder(GraphBuilder &g, const Layer &layer, StringRef name)
    : g(g), layer(layer), outside(g.b.saveInsertionPoint()) {
  auto module = g.b.getBlock()->getParentOp()->getParentOfType<ModuleOp>();
  OpBuilder plain(g.b.getContext());
  cell = func::FuncOp::create(plain, g.b.getLoc(), name,
                              plain.getFunctionType({}, {}));
  cell.setPrivate();
  SymbolTable(module).insert(cell);
  g.b.setInsertionPointToStart(&cell.getBody().emplaceBlock());
}

Value CellBuilder::argument(Type type, unsigned at) {
  return cell.getBody().front().insertArgument(at, type, g.b.getLoc());
}

Value CellBuilder::input(const Tensor &sequence) {
  Sizes token = sequence.sizes;
  token.erase(token.begin() + 1);
  inputs.push_back(sequence.value);
  return argument(g.typeOf(token, sequence.element), inputs.size() - 1);
}

Value CellBuilder::state(Value first) {
  initial.push_back(first);
  return argument(first.getType(), cell.getBody().front().getNumArguments());
}

Value CellBuilder::use(Tensor &tensor) {
  if (tensor.stored && tensor.isFloat())
    return g.readWeight(tensor);
  invariants.push_back(tensor.value);
  return argument(tensor.value.getType(),
                  inputs.size() + invariants.size() - 1);
}

Value CellBuilder::product(Value state, Tensor matrix, Tensor bias) {
  ImplicitLocOpBuilder &b = g.b;
  Value factor = use(matrix);
  Value flat = ir::LinearOp::create(
      b, state, factor, bias.element ? use(bias) : Value(),
      ir::DenseStructureAttr::get(b.getContext(), ir::Storage::OutIn));
  OpFoldResult batch =
      layer.batch.isStatic()
          ? OpFoldResult(b.getIndexAttr(layer.batch.getFactor()))
          : OpFoldResult(tensor::DimOp::create(b, state, 0).getResult());
  int64_t gates = matrix.sizes[0].getFactor() / layer.hidden;
  Sizes sizes{layer.batch, gates, layer.hidden};
  SmallVector<OpFoldResult> built{batch, b.getIndexAttr(gates),
                                  b.getIndexAttr(layer.hidden)};
  SmallVector<ReassociationIndices> groups{{0}, {1, 2}};
  return tensor::ExpandShapeOp::create(b, g.typeOf(sizes, b.getF32Type()), flat,
                                       groups, built);
}

void CellBuilder::add(Value value, ArrayRef<int> dims) {
  SmallVector<AffineExpr> place;
  for (int dim : dims)
    place.push_back(dim < 0 ? g.b.getAffineConstantExpr(-dim - 1)
                            : g.b.getAffineDimExpr(dim));
  operands.push_back(value);
  maps.push_back(AffineMap::get(2, 0, place, g.b.getContext()));
}

ValueRange CellBuilder::combine(Value state, unsigned results, EntryBody body) {
  SmallVector<Value> outs(results, state);
  maps.append(results, g.b.getMultiDimIdentityMap(2));
  SmallVector<utils::IteratorType> loops(2, utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      g.b, ValueRange(outs).getTypes(), operands, outs, maps, loops,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        linalg::YieldOp::create(b, loc,
                                body({b, loc}, args.drop_back(results)));
      });
  operands.clear();
  maps.clear();
  return op.getResults();
}

ir::RecurrenceOp CellBuilder::finish(ValueRange results, bool reverse) {
  func::ReturnOp::create(g.b, results);
  cell.setType(g.b.getFunctionType(cell.getBody().front().getArgumentTypes(),
                                   results.getTypes()));
  g.b.restoreInsertionPoint(outside);
  Type output =
      g.typeOf({layer.batch, layer.time, layer.hidden}, g.b.getF32Type());
  return ir::RecurrenceOp::create(g.b, output, ValueRange(initial).getTypes(),
                                  cell.getName(), inputs, invariants, initial,
                                  reverse);
}

} // namespace linnet::onnx
