//===- LinearCodes.cpp - linear maps of codes on the CPU ------------------===//
//
// Codes become floats where narrow floats do. One row scales sums of codes: of
// each group s (sum of c x - z sum of x), where the sums of x are the same for
// all outputs. LinearWords.cpp has those of processors that multiply bytes.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/LinearEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::linnet;

/// Inputs that share a scale for it to pay to scale their sum.
static constexpr int64_t kScaledGroup = 16;

bool LinearEmitter::scalesSums() const {
  return codes && !exact && codes.getGroup() >= kScaledGroup;
}

Value LinearEmitter::loadCodes(const Panel &panel, Value inner, Value lane) {
  if (words)
    return loadOfWords(panel, inner, lane);
  const int64_t lanes = k.target.lanes;
  Value stored =
      k.load(k.argument(W), {panel.number, rowOf(inner), lane}, lanes);
  Value code =
      arith::ExtSIOp::create(k, k.vector(lanes, k.getI32Type()), stored);
  if (codes.getBits() == 4) {
    // The half that belongs to the input goes to the top, and back with its
    // sign.
    Value odd = arith::AndIOp::create(k, inner, k.cst(1));
    Value shift = k.sub(k.cst(28), k.mul(odd, k.cst(4)));
    auto splat = [&](Value value) {
      return k.splat(arith::IndexCastOp::create(k, k.getI32Type(), value),
                     lanes);
    };
    code = arith::ShLIOp::create(k, code, splat(shift));
    code = arith::ShRSIOp::create(k, code, splat(k.cst(28)));
  }
  return arith::SIToFPOp::create(k, k.vector(lanes, k.getF32Type()), code);
}

Value LinearEmitter::loadZeros(const Panel &panel, Value number, Value lane) {
  const int64_t lanes = k.target.lanes;
  Value stored =
      k.load(k.argument(*arguments.zeros), {panel.number, number, lane}, lanes);
  return arith::SIToFPOp::create(
      k, k.vector(lanes, k.getF32Type()),
      arith::ExtSIOp::create(k, k.vector(lanes, k.getI32Type()), stored));
}

Value LinearEmitter::sumOfInputs(Value row, bool rowsAreBatch, Value begin,
                                 Value end, bool isWhole) {
  const int64_t lanes = k.target.lanes;
  auto at = [&](Value column) {
    return placeOfRow(k.cst(0), row, rowsAreBatch, column);
  };
  // Inputs in an order of their own lie anywhere.
  if (arguments.order) {
    Value zero = arith::ConstantOp::create(k, k.getF32FloatAttr(0));
    return k.loop(
        begin, end, k.cst(1), ValueRange{zero},
        [&](Value inner, ValueRange sum) {
          Value x = k.loadScalar(k.argument(X), at(inputOf(Panel(), 0, inner)));
          return SmallVector<Value>{arith::AddFOp::create(k, sum[0], x)};
        })[0];
  }
  auto add = [&](Value column, ValueRange sum) {
    Value valid;
    if (!isWhole)
      valid = k.minimum(k.cst(lanes), k.sub(end, column));
    Value x = k.loadColumns(k.argument(X), at(column), valid);
    return SmallVector<Value>{arith::AddFOp::create(k, sum[0], x)};
  };
  return k.reduceSum(k.loop(begin, end, k.cst(lanes),
                            ValueRange{k.splat(0.0, lanes)}, add)[0]);
}

void LinearEmitter::sumGroups(int64_t rows, bool rowsAreBatch) {
  const int64_t size = std::min<int64_t>(codes.getGroup(), in),
                groups = llvm::divideCeil(in, size), lanes = k.target.lanes;
  groupSums = k.scratch({rows, groups}, k.getF32Type());
  for (int64_t r = 0; r < rows; ++r)
    k.loop(groups, [&](Value number) {
      Value begin = k.mul(number, k.cst(size)), end = k.add(begin, k.cst(size));
      if (in % size)
        end = k.minimum(end, k.cst(in));
      bool isWhole = size % lanes == 0 && in % size % lanes == 0;
      Value sum = sumOfInputs(k.cst(r), rowsAreBatch, begin, end, isWhole);
      k.storeScalar(arith::NegFOp::create(k, sum), groupSums,
                    {k.cst(r), number});
    });
}

Value LinearEmitter::signedTable() {
  SmallVector<float> table;
  for (int code = 0; code < 16; ++code)
    table.push_back(float(code < 8 ? code : code - 16));
  return arith::ConstantOp::create(
      k, DenseElementsAttr::get(k.vector(16, k.getF32Type()),
                                ArrayRef<float>(table)));
}

std::pair<Value, Value> LinearEmitter::splitPairs(Value bytes) {
  const int64_t lanes = k.target.lanes;
  Type integers = k.vector(lanes, k.getI32Type()),
       floats = k.vector(lanes, k.getF32Type());
  auto splat = [&](int64_t value) {
    return k.splat(arith::ConstantIntOp::create(k, k.getI32Type(), value),
                   lanes);
  };
  if (k.target.looksUp16()) {
    // One look-up that sees the lowest 4 bits of a lane, in place of two shifts
    // and a conversion.
    Value values = signedTable();
    Value pair = arith::ExtUIOp::create(k, integers, bytes);
    return {lookUp16(values, pair),
            lookUp16(values, arith::ShRUIOp::create(k, pair, splat(4)))};
  }
  Value pair = arith::ExtSIOp::create(k, integers, bytes);
  Value low = arith::ShRSIOp::create(
      k, arith::ShLIOp::create(k, pair, splat(28)), splat(28));
  Value high = arith::ShRSIOp::create(k, pair, splat(4));
  return {arith::SIToFPOp::create(k, floats, low),
          arith::SIToFPOp::create(k, floats, high)};
}

TileAccumulators LinearEmitter::multiplyPairs(ArrayRef<Panel> panels,
                                              int64_t rows, Value begin,
                                              int64_t size,
                                              TileAccumulators sums,
                                              TileColumnScalar left) {
  const int64_t columns = vectors * panels.size(), lanes = k.target.lanes;
  const int64_t step = size % 4 == 0 ? 4 : 2;
  return k.loop(
      begin, k.add(begin, k.cst(size)), k.cst(step), sums,
      [&](Value first, ValueRange carried) {
        SmallVector<Value> totals(carried);
        for (int64_t u = 0; u < step; u += 2) {
          Value even = u ? k.add(first, k.cst(u)) : first,
                odd = k.add(first, k.cst(u + 1));
          SmallVector<std::pair<Value, Value>> x;
          for (int64_t r = 0; r < rows; ++r)
            x.push_back({k.splat(left(r, 0, even), lanes),
                         k.splat(left(r, 0, odd), lanes)});
          for (int64_t v = 0; v < columns; ++v) {
            if (v % vectors == 0)
              fetchAhead(panels[v / vectors], even);
            auto [low, high] =
                splitPairs(k.load(k.argument(W),
                                  {panels[v / vectors].number, rowOf(even),
                                   k.cst(v % vectors * lanes)},
                                  lanes));
            for (int64_t r = 0; r < rows; ++r) {
              Value &sum = totals[r * columns + v];
              sum = k.fma(x[r].second, high, k.fma(x[r].first, low, sum));
            }
          }
        }
        return totals;
      });
}

TileAccumulators LinearEmitter::multiplyGroups(ArrayRef<Panel> panels,
                                               int64_t rows,
                                               TileAccumulators sums,
                                               TileColumnScalar left) {
  const unsigned columns = vectors * panels.size();
  auto laneOf = [&](unsigned v) {
    return k.cst((v % vectors) * k.target.lanes);
  };
  // The sum of a group's codes is scaled once, and so is its zero's.
  auto addGroup = [&](Value number, Value begin, int64_t size,
                      ValueRange totals) {
    TileAccumulators zeros(totals.size(), k.splat(0.0, k.target.lanes));
    TileAccumulators group =
        codes.getBits() == 4 && size % 2 == 0
            ? multiplyPairs(panels, rows, begin, size, zeros, left)
            : multiplyTile(
                  k, rows, columns, columns, begin, k.add(begin, k.cst(size)),
                  unrollFor(size), zeros, left, [&](unsigned v, Value inner) {
                    if (v % vectors == 0)
                      fetchAhead(panels[v / vectors], inner);
                    return loadCodes(panels[v / vectors], inner, laneOf(v));
                  });
    TileAccumulators result(totals);
    for (unsigned v = 0; v < columns; ++v) {
      Value scale = loadScales(panels[v / vectors], number, laneOf(v)), zero;
      if (groupSums)
        zero = loadZeros(panels[v / vectors], number, laneOf(v));
      for (int64_t r = 0; r < rows; ++r) {
        Value sum = group[r * columns + v];
        if (groupSums)
          sum = k.fma(zero,
                      k.splat(k.loadScalar(groupSums, {k.cst(r), number}),
                              k.target.lanes),
                      sum);
        result[r * columns + v] = k.fma(sum, scale, result[r * columns + v]);
      }
    }
    return result;
  };
  const int64_t size = std::min<int64_t>(codes.getGroup(), in),
                whole = in / size;
  sums = k.loop(k.cst(0), k.cst(whole), k.cst(1), sums,
                [&](Value number, ValueRange totals) {
                  return addGroup(number, k.mul(number, k.cst(size)), size,
                                  totals);
                });
  if (in % size)
    sums = addGroup(k.cst(whole), k.cst(whole * size), in % size, sums);
  return sums;
}
