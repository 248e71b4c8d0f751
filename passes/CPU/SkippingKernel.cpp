//===- SkippingKernel.cpp - linear maps of few inputs ---------------------===//
//
// Of a row of inputs that are mostly zero only some weights are needed. Panels
// [N / NR][K][NR], which many rows read, have the NR weights of an input side
// by side, whole cache lines: so few rows list the inputs that are not zero,
// and read these rows of the panels alone. The list says early what is read
// next, which a processor cannot guess; it is fetched ahead.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/SkippingKernel.h"

#include "passes/CPU/LinearFusion.h"
#include "passes/CPU/LinearPanels.h"
#include "passes/CPU/RegisterTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace mlir::linnet;

namespace {
/// Bytes of weights that are under way while others are multiplied.
static constexpr int64_t kBytesAhead = 16384;
/// The share of inputs up to which a list pays.
static constexpr double kMostListed = 0.75;

class SkippingEmitter {
public:
  enum Argument { X, W, Y, Bias };

  SkippingEmitter(KernelBuilder &k, const LinearShape &shape, int64_t rows,
                  bool bias, unsigned addends)
      : k(k), in(shape.in), out(shape.out), rows(rows), bias(bias),
        addends(addends), vectors(panelVectorsFor(k.target, shape.out)),
        width(vectors * k.target.lanes) {}

  void emit();

private:
  /// Where row `r` has `column`.
  SmallVector<Value> place(int64_t r, Value column);
  /// Lists the inputs that are not zero in all rows.
  void listInputs();
  /// Panels that are `distance` apart from `first` on.
  void emitPanels(Value first, Value distance, int64_t count);
  void fetch(ArrayRef<Value> panels, Value input);
  /// Adds the products of an input with its weights in `panels`, and of all
  /// that are listed, to `sums`, row-major over rows, panels and vectors.
  TileAccumulators multiply(ArrayRef<Value> panels, Value input,
                            ValueRange sums);
  TileAccumulators multiplyListed(ArrayRef<Value> panels, ValueRange sums);
  /// Which lanes from `column` on are columns; null if all are.
  Value validLanes(Value column);
  int64_t elementBytes() const {
    return k.argumentType(W).getElementTypeBitWidth() / 8;
  }

  KernelBuilder &k;
  int64_t in, out, rows;
  bool bias;
  /// What the sums are added to: so many of the last arguments.
  unsigned addends;
  int64_t vectors, width;
  /// The list [in] of i32, how many it has, and whether these are so many that
  /// all inputs are read.
  Value list, count, readsAll;
};
} // namespace

SmallVector<Value> SkippingEmitter::place(int64_t r, Value column) {
  switch (k.argumentType(X).getRank()) {
  case 1:
    return {column};
  case 2:
    return {k.cst(r), column};
  default:
    return {k.cst(r), k.cst(0), column};
  }
}

Value SkippingEmitter::validLanes(Value column) {
  if (out % width == 0)
    return {};
  return k.maximum(k.cst(0),
                   k.minimum(k.cst(k.target.lanes), k.sub(k.cst(out), column)));
}

void SkippingEmitter::listInputs() {
  list = k.scratch({in}, k.getI32Type());
  // No branch: every input is written, and the next one over it unless it
  // counts. NaN is not zero.
  count = k.loop(
      k.cst(0), k.cst(in), k.cst(1), ValueRange{k.cst(0)},
      [&](Value input, ValueRange carried) -> SmallVector<Value> {
        Value counts;
        for (int64_t r = 0; r < rows; ++r) {
          Value x = k.loadScalar(k.argument(X), place(r, input));
          Value differs =
              arith::CmpFOp::create(k, arith::CmpFPredicate::UNE, x, k.f32(0));
          counts = counts ? Value(arith::OrIOp::create(k, counts, differs))
                          : differs;
        }
        k.storeScalar(arith::IndexCastOp::create(k, k.getI32Type(), input),
                      list, {carried[0]});
        return {k.add(carried[0], arith::IndexCastUIOp::create(
                                      k, k.getIndexType(), counts))};
      })[0];
  readsAll = k.less(k.cst(int64_t(double(in) * kMostListed)), count);
}

void SkippingEmitter::fetch(ArrayRef<Value> panels, Value input) {
  const int64_t lineWidth = 64 / elementBytes();
  for (Value panel : panels)
    for (int64_t column = 0; column < width; column += lineWidth)
      memref::PrefetchOp::create(k, k.argument(W),
                                 ValueRange{panel, input, k.cst(column)},
                                 /*isWrite=*/false, /*localityHint=*/2,
                                 /*isDataCache=*/true);
}

TileAccumulators SkippingEmitter::multiply(ArrayRef<Value> panels, Value input,
                                           ValueRange sums) {
  const int64_t columns = panels.size() * vectors;
  TileAccumulators totals(sums), weights;
  for (int64_t c = 0; c < columns; ++c)
    weights.push_back(k.load(
        k.argument(W),
        {panels[c / vectors], input, k.cst(c % vectors * k.target.lanes)},
        k.target.lanes));
  for (int64_t r = 0; r < rows; ++r) {
    Value x =
        k.splat(k.loadScalar(k.argument(X), place(r, input)), k.target.lanes);
    for (int64_t c = 0; c < columns; ++c)
      totals[r * columns + c] = k.fma(x, weights[c], totals[r * columns + c]);
  }
  return totals;
}

TileAccumulators SkippingEmitter::multiplyListed(ArrayRef<Value> panels,
                                                 ValueRange sums) {
  const int64_t ahead = std::max<int64_t>(
      1, kBytesAhead / (int64_t(panels.size()) * width * elementBytes()));
  auto inputAt = [&](Value number) {
    return Value(arith::IndexCastUIOp::create(k, k.getIndexType(),
                                              k.loadScalar(list, number)));
  };
  Value last = k.sub(count, k.cst(1));
  return k.loop(k.cst(0), count, k.cst(1), sums,
                [&](Value number, ValueRange carried) {
                  Value later = k.add(number, k.cst(ahead));
                  fetch(panels, inputAt(k.minimum(later, last)));
                  return multiply(panels, inputAt(number), carried);
                });
}

void SkippingEmitter::emitPanels(Value first, Value distance, int64_t streams) {
  SmallVector<Value> panels;
  for (int64_t s = 0; s < streams; ++s)
    panels.push_back(s ? k.add(first, k.mul(distance, k.cst(s))) : first);
  auto columnOf = [&](int64_t number) {
    return k.add(k.mul(panels[number / vectors], k.cst(width)),
                 k.cst(number % vectors * k.target.lanes));
  };
  const int64_t columns = streams * vectors;
  TileAccumulators start, sums;
  for (int64_t c = 0; c < columns; ++c)
    start.push_back(bias ? k.loadColumns(k.argument(Bias), columnOf(c),
                                         validLanes(columnOf(c)))
                         : k.splat(0.0, k.target.lanes));
  for (int64_t r = 0; r < rows; ++r)
    llvm::append_range(sums, start);
  // With few zeros a processor guesses what comes next, and faster.
  auto either = scf::IfOp::create(k, ValueRange(sums).getTypes(), readsAll,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(k);
    k.setInsertionPointToStart(either.thenBlock());
    scf::YieldOp::create(k, k.loop(k.cst(0), k.cst(in), k.cst(1), sums,
                                   [&](Value input, ValueRange carried) {
                                     return multiply(panels, input, carried);
                                   }));
    k.setInsertionPointToStart(either.elseBlock());
    scf::YieldOp::create(k, multiplyListed(panels, sums));
  }
  sums = either.getResults();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      SmallVector<Value> at = place(r, columnOf(c));
      Value valid = validLanes(columnOf(c)), sum = sums[r * columns + c];
      for (unsigned i = 0; i < addends; ++i)
        sum = arith::AddFOp::create(
            k, sum, k.loadColumns(k.argument(Bias + bias + i), at, valid));
      k.storeColumns(sum, k.argument(Y), at, valid);
    }
}

void SkippingEmitter::emit() {
  listInputs();
  // Panels read at once, whose accumulators fit the registers.
  const int64_t streams = rows == 1 ? 4 : rows == 2 ? 2 : 1;
  auto [lower, upper] = k.shareBounds(k.cst((out + width - 1) / width));
  Value distance =
      arith::DivUIOp::create(k, k.sub(upper, lower), k.cst(streams));
  Value rest = lower;
  if (streams > 1) {
    k.loop(lower, k.add(lower, distance), k.cst(1),
           [&](Value first) { emitPanels(first, distance, streams); });
    rest = k.add(lower, k.mul(distance, k.cst(streams)));
  }
  k.loop(rest, upper, k.cst(1),
         [&](Value first) { emitPanels(first, distance, 1); });
}

bool linnet::skipsZeros(FunctionLowering &f, LinearOp op) {
  if (!op.getSkipsZeros() || !isa<DenseStructureAttr>(op.getStructure()))
    return false;
  Buffer x = f.buffer(op.getInput());
  if (hasManyRows(x) || x.type.getRank() > 3)
    return false;
  int64_t rows = x.type.getRank() == 1 ? 1 : x.type.getDimSize(0);
  if (rows <= f.target().tileRows())
    return true;
  remark::missed(
      op.getLoc(),
      remark::RemarkOpts::name("zeros read").category("linnet-lower-cpu"))
      << remark::reason("expected at most {0} rows to skip what is zero in all "
                        "of them, but got {1}",
                        f.target().tileRows(), rows);
  return false;
}

LogicalResult linnet::lowerSkippingLinear(FunctionLowering &f, LinearOp op) {
  auto structure = cast<DenseStructureAttr>(op.getStructure());
  LinearShape shape = *structure.inferShape(op.getFactors().getTypes(),
                                            [&] { return op.emitOpError(); });
  Buffer x = f.buffer(op.getInput());
  auto [y, addends] = resultOf(f, op);
  SmallVector<KernelArgument> arguments{
      KernelArgument::read(x),
      KernelArgument::read(panelsOf(f, op, shape,
                                    panelVectorsFor(f.target(), shape.out),
                                    structure.getStorage() == Storage::InOut)),
      KernelArgument::write(y)};
  if (op.getBias())
    arguments.push_back(KernelArgument::read(f.buffer(op.getBias())));
  for (const OrderedRows &addend : addends)
    arguments.push_back(KernelArgument::read(addend.place));
  int64_t rows = x.type.getRank() == 1 ? 1 : x.type.getDimSize(0);
  unsigned count = addends.size();
  f.call(op, "linear_skipping", arguments, [&](KernelBuilder &k) {
    SkippingEmitter(k, shape, rows, bool(op.getBias()), count).emit();
  });
  return success();
}
