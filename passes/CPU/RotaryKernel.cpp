//===- RotaryKernel.cpp - rotary position embedding -----------------------===//
//
// A model's cosines and sines stand in a table that the runtime computes once,
// rows being absolute positions. Without a known context they are computed on
// the spot.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/RowLoops.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

namespace {
/// Arguments: x, y, the position, and the table if there is one.
class RotaryKernel {
public:
  RotaryKernel(KernelBuilder &k, RotaryOp op, bool hasTable)
      : k(k), op(op), hasTable(hasTable),
        pairs(op.getInverseFrequencies().size()), lanes(k.target.lanes) {}

  void emit() {
    SmallVector<Value> sizes;
    Value items = countRows(k, 1, 3, sizes);
    k.share(items, [&](Value item) {
      place = k.delinearize(item, sizes);
      position = k.add(k.argument(2), place[1]);
      if (hasTable)
        k.forColumns(pairs, [&](Value pair, Value valid) {
          auto part = [&](int64_t number) {
            return k.loadColumns(k.argument(3), {position, k.cst(number), pair},
                                 valid);
          };
          rotate(pair, valid, part(0), part(1));
        });
      else
        computeAngles();
      int64_t width = k.argumentType(1).getShape().back();
      k.forColumns(width - 2 * pairs, [&](Value column, Value valid) {
        SmallVector<Value> entry = at(k.add(column, k.cst(2 * pairs)));
        k.storeColumns(k.loadColumns(k.argument(0), entry, valid),
                       k.argument(1), entry, valid);
      });
    });
  }

private:
  SmallVector<Value> at(Value column) {
    SmallVector<Value> indices = place;
    indices.push_back(column);
    return indices;
  }

  void computeAngles() {
    ArrayRef<float> frequencies = op.getInverseFrequencies();
    Value word = arith::IndexCastOp::create(k, k.getI64Type(), position);
    Value real = arith::SIToFPOp::create(k, k.getF32Type(), word);
    Value scaling = k.splat(op.getScaling().convertToDouble(), lanes);
    for (int64_t pair = 0; pair < pairs; pair += lanes) {
      SmallVector<float> part(lanes, 0.0f);
      int64_t count = std::min(lanes, pairs - pair);
      llvm::copy(frequencies.slice(pair, count), part.begin());
      Value f = arith::ConstantOp::create(
          k, DenseElementsAttr::get(k.vector(lanes), ArrayRef<float>(part)));
      Value angle = k.mul(k.splat(real, lanes), f);
      rotate(k.cst(pair), count < lanes ? k.cst(count) : Value(),
             k.mul(math::CosOp::create(k, angle), scaling),
             k.mul(math::SinOp::create(k, angle), scaling));
    }
  }

  void rotate(Value pair, Value valid, Value cosine, Value sine) {
    Value x = k.argument(0), y = k.argument(1);
    auto turned = [&](Value a, Value b) {
      return std::pair{k.sub(k.mul(a, cosine), k.mul(b, sine)),
                       k.fma(b, cosine, k.mul(a, sine))};
    };
    if (!op.getInterleaved()) {
      SmallVector<Value> first = at(pair),
                         second = at(k.add(pair, k.cst(pairs)));
      auto [a, b] = turned(k.loadColumns(x, first, valid),
                           k.loadColumns(x, second, valid));
      k.storeColumns(a, y, first, valid);
      k.storeColumns(b, y, second, valid);
      return;
    }
    SmallVector<Value> entry = at(k.mul(pair, k.cst(2)));
    Value both = valid ? k.mul(valid, k.cst(2)) : Value();
    Value mixed =
        both ? k.load(x, entry, 2 * lanes, both) : k.load(x, entry, 2 * lanes);
    auto parts = vector::DeinterleaveOp::create(k, mixed);
    auto [a, b] = turned(parts.getRes1(), parts.getRes2());
    Value result = vector::InterleaveOp::create(k, a, b);
    k.storeColumns(result, y, entry, both);
  }

  KernelBuilder &k;
  RotaryOp op;
  bool hasTable;
  int64_t pairs, lanes;
  SmallVector<Value> place;
  Value position;
};
} // namespace

static LogicalResult lowerRotary(FunctionLowering &f, Operation *source) {
  auto op = cast<RotaryOp>(source);
  SmallVector<KernelArgument> arguments{
      KernelArgument::read(denseRows(f, op, op.getInput())),
      KernelArgument::write(denseRows(f, op, op.getResult())),
      KernelArgument::index(f.index(op.getPosition()))};
  auto model = op->getParentOfType<ModuleOp>()->getAttrOfType<DictionaryAttr>(
      kModelAttr);
  auto context =
      model ? model.getAs<IntegerAttr>("max_context") : IntegerAttr();
  int64_t pairs = op.getInverseFrequencies().size();
  bool hasTable = context && context.getInt() > 0 && pairs > 0;
  if (hasTable) {
    Builder &b = f.builder();
    int64_t rows = context.getInt();
    Buffer table = f.derivedWeight(
        {b.getNamedAttr("kind", b.getStringAttr("rotary")),
         b.getNamedAttr("inverse_frequencies", op.getInverseFrequenciesAttr()),
         b.getNamedAttr("scaling", op.getScalingAttr()),
         b.getNamedAttr("rows", b.getI64IntegerAttr(rows))},
        MemRefType::get({rows, 2, pairs}, b.getF32Type()));
    arguments.push_back(KernelArgument::read(table));
  }
  f.call(op, hasTable ? "rotary" : "rotary_computed", arguments,
         [&](KernelBuilder &k) { RotaryKernel(k, op, hasTable).emit(); });
  return success();
}

void linnet::addRotaryLowering(OpLoweringMap &map) {
  map[RotaryOp::getOperationName()] = lowerRotary;
}
