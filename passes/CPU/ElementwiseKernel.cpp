//===- ElementwiseKernel.cpp - arith, math, linalg and tensor glue --------===//

#include "passes/CPU/LinearFusion.h"
#include "passes/CPU/Pointwise.h"
#include "passes/CPU/RowLoops.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::linnet;

/// An operand or result of a structured operation.
static PointwiseOperand makeOperand(Value value, AffineMap map) {
  PointwiseOperand operand;
  operand.tensor = value;
  operand.constant = splatConstant(value);
  operand.map = map;
  // Constants and scalars are the same everywhere.
  if (operand.constant)
    operand.map = AffineMap::get(map.getNumDims(), 0, value.getContext());
  return operand;
}

/// arith and math operations on tensors of one shape.
static LogicalResult lowerElementwise(FunctionLowering &f, Operation *op) {
  // Arithmetic on positions is emitted where it is used.
  if (op->getNumResults() == 1 && op->getResult(0).getType().isIndex())
    return success();
  auto type = op->getNumResults() == 1
                  ? dyn_cast<RankedTensorType>(op->getResult(0).getType())
                  : RankedTensorType();
  if (!type)
    return op->emitOpError("expected a tensor as the result");
  if (isFusedSum(op))
    return success();
  Pointwise pointwise;
  pointwise.op = op;
  pointwise.rank = type.getRank();
  auto identity =
      AffineMap::getMultiDimIdentityMap(type.getRank(), op->getContext());
  for (Value operand : op->getOperands())
    pointwise.inputs.push_back(makeOperand(operand, identity));
  PointwiseOperand output;
  output.tensor = op->getResult(0);
  output.map = identity;
  pointwise.outputs.push_back(output);
  return pointwise.lower(f);
}

/// Weights reach kernels as f32: there is nothing left to widen.
static LogicalResult lowerExtF(FunctionLowering &f, Operation *op) {
  if (op->getOperand(0).getDefiningOp<WeightOp>())
    return success();
  return lowerElementwise(f, op);
}

static LogicalResult lowerStructured(FunctionLowering &f, Operation *source) {
  auto op = cast<linalg::LinalgOp>(source);
  if (!op.hasPureTensorSemantics())
    return source->emitOpError("expected tensors");
  if (isFusedSum(source))
    return success();
  Pointwise pointwise;
  pointwise.op = source;
  pointwise.body = op.getBlock();
  pointwise.rank = op.getNumLoops();
  for (OpOperand *input : op.getDpsInputOperands())
    pointwise.inputs.push_back(
        makeOperand(input->get(), op.getMatchingIndexingMap(input)));
  for (OpOperand &init : op.getDpsInitsMutable()) {
    PointwiseOperand output;
    output.tensor = init.get();
    output.map = op.getMatchingIndexingMap(&init);
    pointwise.outputs.push_back(output);
  }
  return pointwise.lower(f);
}

static LogicalResult lowerConcat(FunctionLowering &f, Operation *source) {
  auto op = cast<tensor::ConcatOp>(source);
  uint64_t dim = op.getDim();
  SmallVector<KernelArgument> arguments;
  for (Value input : op.getInputs()) {
    if (cast<RankedTensorType>(input.getType()).isDynamicDim(dim))
      return op.emitOpError("expected a static dimension to join along");
    arguments.push_back(KernelArgument::read(denseRows(f, op, input)));
  }
  unsigned result = arguments.size();
  arguments.push_back(KernelArgument::write(denseRows(f, op, op.getResult())));
  f.call(op, "concat", arguments, [&](KernelBuilder &k) {
    int64_t offset = 0;
    for (unsigned number = 0; number < result; ++number) {
      forVectors(k, number, [&](ArrayRef<Value> at, Value valid) {
        SmallVector<Value> to(at);
        to[dim] = k.add(to[dim], k.cst(offset));
        k.storeColumns(k.loadColumns(k.argument(number), at, valid),
                       k.argument(result), to, valid);
      });
      offset += k.argumentType(number).getDimSize(dim);
    }
  });
  return success();
}

static bool isPointwise(Operation *op) {
  return isa<linalg::LinalgOp>(op) ||
         (op->hasTrait<OpTrait::Elementwise>() && !isa<tensor::CastOp>(op));
}

/// Constants are part of the kernels that use them, except where an operation
/// wants a tensor in memory.
static LogicalResult lowerConstant(FunctionLowering &f, Operation *source) {
  auto op = cast<arith::ConstantOp>(source);
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!dense)
    return success();
  if (dense.isSplat() && llvm::all_of(op->getUsers(), isPointwise))
    return success();
  // Entries become code.
  constexpr int64_t kMaxEntries = 4096;
  if (!dense.isSplat() && dense.getNumElements() > kMaxEntries)
    return op.emitOpError("expected a constant of at most ")
           << kMaxEntries << " entries, but got " << dense.getNumElements();
  Type element = dense.getElementType();
  if (!element.isF32() && !element.isInteger(32) && !element.isInteger(64))
    return op.emitOpError("expected a constant of f32, i32 or i64, but got ")
           << element;
  Buffer place = f.buffer(op.getResult());
  place.type = MemRefType::get({dense.getNumElements()}, element);
  f.call(op, "constant", {KernelArgument::write(place)}, [&](KernelBuilder &k) {
    if (dense.isSplat()) {
      auto value = cast<TypedAttr>(dense.getSplatValue<Attribute>());
      forEntries(k, 0, [&](ArrayRef<Value> at) {
        k.storeScalar(arith::ConstantOp::create(k, value), k.argument(0), at);
      });
      return;
    }
    // All of it by one thread.
    k.share(k.cst(1), [&](Value) {
      for (auto [i, value] : llvm::enumerate(dense.getValues<Attribute>()))
        k.storeScalar(arith::ConstantOp::create(k, cast<TypedAttr>(value)),
                      k.argument(0), k.cst(i));
    });
  });
  return success();
}

template <typename... Ops>
static void add(OpLoweringMap &map, OpLowering lowering) {
  ((map[Ops::getOperationName()] = lowering), ...);
}

void linnet::addElementwiseLowering(OpLoweringMap &map) {
  add<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::NegFOp,
      arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp,
      arith::RemFOp, arith::TruncFOp, arith::SelectOp, arith::CmpFOp,
      arith::CmpIOp, arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::AndIOp,
      arith::OrIOp, arith::XOrIOp, arith::MaxSIOp, arith::MinSIOp,
      arith::SIToFPOp, arith::UIToFPOp, arith::FPToSIOp, arith::ExtSIOp,
      arith::ExtUIOp, arith::TruncIOp>(map, lowerElementwise);
  add<math::ExpOp, math::Exp2Op, math::ExpM1Op, math::LogOp, math::Log2Op,
      math::Log10Op, math::Log1pOp, math::SqrtOp, math::RsqrtOp, math::TanhOp,
      math::ErfOp, math::ErfcOp, math::SinOp, math::CosOp, math::AbsFOp,
      math::AbsIOp, math::PowFOp, math::FmaOp, math::FloorOp, math::CeilOp,
      math::RoundOp, math::RoundEvenOp, math::TruncOp, math::CopySignOp>(
      map, lowerElementwise);
  add<arith::ExtFOp>(map, lowerExtF);
  add<arith::ConstantOp>(map, lowerConstant);
  add<linalg::GenericOp, linalg::FillOp, linalg::TransposeOp,
      linalg::BroadcastOp, linalg::MapOp, linalg::ReduceOp, linalg::CopyOp,
      linalg::AddOp, linalg::SubOp, linalg::MulOp, linalg::DivOp, linalg::MaxOp,
      linalg::MinOp, linalg::ExpOp, linalg::LogOp, linalg::NegFOp,
      linalg::AbsOp, linalg::SqrtOp, linalg::RsqrtOp, linalg::TanhOp,
      linalg::ErfOp, linalg::SquareOp, linalg::ReciprocalOp, linalg::MatmulOp,
      linalg::BatchMatmulOp>(map, lowerStructured);
  add<tensor::ConcatOp>(map, lowerConcat);
}
