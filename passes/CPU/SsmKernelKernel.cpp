//===- SsmKernelKernel.cpp - filters of time-invariant scans --------------===//

#include "passes/CPU/SsmKernelKernel.h"

#include "passes/CPU/RegisterTile.h"
#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numbers>

using namespace mlir;
using namespace mlir::linnet;

/// Taps of a block at least; the anchors and readers are about as many.
static constexpr int64_t kSmallestBlock = 64;

SsmKernelKernel::SsmKernelKernel(KernelBuilder &k, SsmKernelOp op,
                                 const SsmOperands &in)
    : k(k), op(op), in(in), form(op.getTransition().getNormalForm()),
      lanes(k.target.lanes), length(k.argumentType(in.result).getDimSize(1)),
      keys(k.argumentType(in.key.argument).getDimSize(1)) {
  block = kSmallestBlock;
  while (block * block < length)
    block *= 2;
  anchors = llvm::alignTo(llvm::divideCeil(length, block), lanes);
}

void SsmKernelKernel::emit() {
  left = k.scratch({keys, anchors}, k.getF32Type());
  right = k.scratch({keys, block}, k.getF32Type());
  if (isKrylov())
    reserveMatrices();
  k.share(k.extent(in.result, 0), [&](Value channel) { emitChannel(channel); });
}

void SsmKernelKernel::emitChannel(Value channel) {
  Value width = k.cst(op.getValueWidth());
  at.batch = at.token = k.cst(0);
  at.head = at.stepHead = arith::DivUIOp::create(k, channel, width);
  column = arith::RemUIOp::create(k, channel, width);
  isKrylov() ? emitKrylov() : emitPowers();
  emitProduct(channel);
}

Value SsmKernelKernel::loadScalar(const ScanOperand &operand, Value row,
                                  Value mixed) {
  ScanPlace place = at;
  place.mixed = mixed;
  return k.loadScalar(k.argument(operand.argument),
                      operand.indices(k, place, row, column));
}

/// The log decay of `row` (of a pair of rows where they are complex).
Value SsmKernelKernel::logDecay(Value row) {
  Value log = k.f32(0);
  for (ArrayRef<int> term : form.logDecay) {
    Value product;
    for (int operand : term) {
      Value factor = loadScalar(in.parameters[operand], row);
      product = product ? k.mul(product, factor) : factor;
    }
    log = k.add(log, product);
  }
  return log;
}

//===----------------------------------------------------------------------===//
// Powers of decays
//===----------------------------------------------------------------------===//

SsmKernelKernel::Number SsmKernelKernel::multiply(Number x, Number y) {
  if (!x.im)
    return {k.mul(x.re, y.re), Value()};
  return {k.sub(k.mul(x.re, y.re), k.mul(x.im, y.im)),
          k.fma(x.re, y.im, k.mul(x.im, y.re))};
}

/// 0, 1, 2, ... as a vector.
Value SsmKernelKernel::ascending() {
  SmallVector<float> entries(lanes);
  for (int64_t lane = 0; lane < lanes; ++lane)
    entries[lane] = float(lane);
  return arith::ConstantOp::create(
      k, DenseElementsAttr::get(k.vector(lanes), ArrayRef<float>(entries)));
}

/// e^((log + i angle) exponent) for each exponent, whole and not negative. The
/// zeroth power of a decay that erases is one.
SsmKernelKernel::Number SsmKernelKernel::powersOf(Value log, Value angle,
                                                  Value exponents) {
  Value zero = k.splat(0.0, lanes);
  Value none =
      arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ, exponents, zero);
  Value scaled = arith::SelectOp::create(k, none, zero,
                                         k.mul(k.splat(log, lanes), exponents));
  Value magnitude = math::ExpOp::create(k, scaled);
  if (!angle)
    return {magnitude, Value()};
  // Whole turns are taken off in f64: as an f32, an angle times the length
  // would be off by more than the result may be.
  Type wide = k.vector(lanes, k.getF64Type());
  auto constant = [&](double value) {
    return Value(arith::ConstantOp::create(
        k, DenseElementsAttr::get(cast<VectorType>(wide), value)));
  };
  Value turns = k.mul(arith::ExtFOp::create(k, wide, k.splat(angle, lanes)),
                      arith::ExtFOp::create(k, wide, exponents));
  turns = k.mul(turns, constant(0.5 / std::numbers::pi));
  Value round = constant(0x1.8p52); // Rounds what it is added to.
  turns = k.sub(turns, k.sub(k.add(turns, round), round));
  Value rest = arith::TruncFOp::create(
      k, k.vector(lanes), k.mul(turns, constant(2 * std::numbers::pi)));
  return {k.mul(magnitude, math::CosOp::create(k, rest)),
          k.mul(magnitude, math::SinOp::create(k, rest))};
}

/// Fills row `row` of `list` (and the pair's other row) with `count` vectors
/// first, first step, first step^2, ...
void SsmKernelKernel::emitList(Value list, Value row, Number first, Number step,
                               int64_t count, bool conjugate) {
  Value other = isComplex() ? k.add(row, k.cst(keys / 2)) : Value();
  SmallVector<Value> start{first.re};
  if (first.im)
    start.push_back(first.im);
  k.loop(k.cst(0), k.cst(count * lanes), k.cst(lanes), start,
         [&](Value place, ValueRange carried) {
           Number now{carried[0], first.im ? carried[1] : Value()};
           k.store(now.re, list, {row, place});
           if (now.im) {
             Value im = conjugate ? arith::NegFOp::create(k, now.im).getResult()
                                  : now.im;
             k.store(im, list, {other, place});
           }
           Number next = multiply(now, step);
           SmallVector<Value> result{next.re};
           if (next.im)
             result.push_back(next.im);
           return result;
         });
}

/// h = Re sum over n of w_n a_n^(a B) a_n^j, as a product of real rows: real
/// parts with real parts, imaginary ones with a minus.
void SsmKernelKernel::emitPowersOf(Value row) {
  Value log = logDecay(row);
  Value angle =
      isComplex() ? loadScalar(in.parameters[form.phase], row) : Value();
  Value q = loadScalar(in.query, row), key = loadScalar(in.key, row);
  Value scale = k.f32(op.getScale().convertToDouble());
  Number weight{k.mul(q, key), Value()};
  if (isComplex()) {
    // The real part is read by (Re q, Im q) written as rows: conj(q) k.
    Value other = k.add(row, k.cst(keys / 2));
    Value qIm = loadScalar(in.query, other), keyIm = loadScalar(in.key, other);
    weight = {k.add(weight.re, k.mul(qIm, keyIm)),
              k.sub(k.mul(q, keyIm), k.mul(qIm, key))};
    weight.im = k.splat(k.mul(scale, weight.im), lanes);
  }
  weight.re = k.splat(k.mul(scale, weight.re), lanes);

  // Powers of the steps from vector to vector, in two lanes of one vector.
  SmallVector<float> steps(lanes, float(lanes));
  steps[1] = float(lanes * block);
  Number step = powersOf(
      log, angle,
      arith::ConstantOp::create(
          k, DenseElementsAttr::get(k.vector(lanes), ArrayRef<float>(steps))));
  auto lane = [&](int64_t number) -> Number {
    auto part = [&](Value of) {
      return of ? k.splat(vector::ExtractOp::create(k, of, number), lanes)
                : Value();
    };
    return {part(step.re), part(step.im)};
  };
  emitList(right, row, powersOf(log, angle, ascending()), lane(0),
           block / lanes, /*conjugate=*/false);
  Value starts = k.mul(ascending(), k.splat(double(block), lanes));
  emitList(left, row, multiply(weight, powersOf(log, angle, starts)), lane(1),
           anchors / lanes, /*conjugate=*/true);
}

void SsmKernelKernel::emitPowers() {
  k.loop(isComplex() ? keys / 2 : keys, [&](Value row) { emitPowersOf(row); });
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

void SsmKernelKernel::emitTile(Value channel, Value anchor, unsigned rows,
                               Value first, unsigned vectors, int64_t valid) {
  TileAccumulators sums(rows * vectors, k.splat(0.0, lanes));
  sums = multiplyTile(
      k, rows, vectors, k.cst(0), k.cst(keys), keys % 2 ? 1 : 2, sums,
      [&](unsigned r, Value inner) {
        return k.loadScalar(left, {inner, k.add(anchor, k.cst(r))});
      },
      [&](unsigned v, Value inner) {
        return k.load(right, {inner, k.add(first, k.cst(v * lanes))}, lanes);
      });
  for (unsigned r = 0; r < rows; ++r)
    for (unsigned v = 0; v < vectors; ++v) {
      Value tap = k.add(k.mul(k.add(anchor, k.cst(r)), k.cst(block)),
                        k.add(first, k.cst(v * lanes)));
      k.storeColumns(sums[r * vectors + v], k.argument(in.result),
                     {channel, tap}, valid < lanes ? k.cst(valid) : Value());
    }
}

void SsmKernelKernel::emitProduct(Value channel) {
  int64_t whole = length / block, rest = length % block;
  int64_t panel = k.target.panelWidth();
  unsigned vectors = k.target.panelVectors();
  if (whole)
    k.loop(k.cst(0), k.cst(block), k.cst(panel), [&](Value first) {
      forRowTiles(k, k.cst(0), k.cst(whole), k.target.tileRows(),
                  [&](Value anchor, unsigned rows) {
                    emitTile(channel, anchor, rows, first, vectors, lanes);
                  });
    });
  int64_t done = rest / lanes * lanes;
  if (done)
    k.loop(k.cst(0), k.cst(done), k.cst(lanes), [&](Value first) {
      emitTile(channel, k.cst(whole), 1, first, 1, lanes);
    });
  if (done < rest)
    emitTile(channel, k.cst(whole), 1, k.cst(done), 1, rest - done);
}

static LogicalResult lowerSsmKernel(FunctionLowering &f, Operation *source) {
  auto op = cast<SsmKernelOp>(source);
  NormalForm form = op.getTransition().getNormalForm();
  if (form.hasPhase() && (form.hasMixing() || form.hasPerturbation()))
    return op.emitOpError("expected a transition without angles beside blocks "
                          "or a rank-1 term, but got ")
           << op.getTransition();
  SsmOperands operands;
  SmallVector<KernelArgument> arguments;
  auto read = [&](Value tensor, StringRef letters) {
    ScanOperand operand;
    operand.argument = arguments.size();
    operand.letters = letters;
    operand.heads = op.getHeads();
    Buffer place = denseRows(f, op, tensor);
    operand.sizes = SmallVector<int64_t>(place.type.getShape());
    arguments.push_back(KernelArgument::read(place));
    return operand;
  };
  operands.query = read(op.getQuery(), "hk");
  operands.key = read(op.getKey(), "hk");
  for (auto [parameter, letters] :
       llvm::zip(op.getParameters(), op.getTransition().getOperandDims()))
    operands.parameters.push_back(read(parameter, letters.drop_front()));
  operands.result = arguments.size();
  arguments.push_back(KernelArgument::write(denseRows(f, op, op.getResult())));
  f.call(op, "ssm_kernel", arguments,
         [&](KernelBuilder &k) { SsmKernelKernel(k, op, operands).emit(); });
  return success();
}

void linnet::addSsmKernelLowering(OpLoweringMap &map) {
  map[SsmKernelOp::getOperationName()] = lowerSsmKernel;
}
