//===- LinearWords.cpp - few rows times words of codes --------------------===//
//
// An instruction that multiplies bytes takes four codes of an output at once.
// So a row's entries become integers: of each block of inputs the largest says
// a unit, a power of two, and three signed digits to the base of 256 hold how
// many units an entry has, to 2^-22 of the largest. Products of digits and
// codes, and their sums, are exact.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/LinearEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

/// Inputs whose codes are one word.
static constexpr int64_t kWordInputs = 8;
/// Digits of an entry, the lowest first.
static constexpr int64_t kDigits = 3;
/// An entry has less than 2^kUnitBits units on either side of 0: sums of the
/// products of kLargestBlock entries with codes fit 32 bits, digit by digit.
static constexpr int64_t kUnitBits = 22, kLargestBlock = 128;
/// Accumulators of a tile: with two halves of codes, their words and constants
/// they fill 32 registers.
static constexpr int64_t kAccumulators = 24;

namespace {
/// Integers of f32's parts, in every lane.
struct Parts {
  KernelBuilder &k;

  Value integer(int64_t value, int64_t lanes = 0) const {
    Value scalar = arith::ConstantIntOp::create(k, k.getI32Type(), value);
    return lanes ? k.splat(scalar, lanes) : scalar;
  }
  Value asIntegers(Value floats) const {
    return arith::BitcastOp::create(k, withElement(floats, k.getI32Type()),
                                    floats);
  }
  Value asFloats(Value integers) const {
    return arith::BitcastOp::create(k, withElement(integers, k.getF32Type()),
                                    integers);
  }
  Value convert(Value integers) const {
    return arith::SIToFPOp::create(k, withElement(integers, k.getF32Type()),
                                   integers);
  }

private:
  static Type withElement(Value value, Type element) {
    auto type = dyn_cast<VectorType>(value.getType());
    return type ? Type(VectorType::get(type.getShape(), element)) : element;
  }
};
} // namespace

Value LinearEmitter::loadOfWords(const Panel &panel, Value inner, Value lane) {
  const int64_t lanes = k.target.lanes;
  Value word = k.load(k.argument(W), {panel.number, rowOf(inner), lane}, lanes);
  Value place =
      k.mul(arith::RemUIOp::create(k, inner, k.cst(kWordInputs)), k.cst(4));
  auto shift = [&](Value count) {
    return k.splat(arith::IndexCastOp::create(k, k.getI32Type(), count), lanes);
  };
  if (k.target.looksUp16())
    return lookUp16(signedTable(),
                    arith::ShRUIOp::create(k, word, shift(place)));
  word = arith::ShLIOp::create(k, word, shift(k.sub(k.cst(28), place)));
  word = arith::ShRSIOp::create(k, word, shift(k.cst(28)));
  return Parts{k}.convert(word);
}

int64_t LinearEmitter::blockOf(int64_t size) const {
  int64_t block = std::min(kLargestBlock, size) / kWordInputs * kWordInputs;
  while (size % block)
    block -= kWordInputs;
  return block;
}

void LinearEmitter::splitRows(int64_t rows, bool rowsAreBatch) {
  const int64_t size = std::min<int64_t>(codes.getGroup(), in),
                whole = in / size * size, rest = in - whole;
  const int64_t block = blockOf(size), blockOfRest = rest ? blockOf(rest) : 1;
  const int64_t count = whole / block + rest / blockOfRest;
  digits = k.scratch({rows, kDigits, in / 4}, k.getI32Type());
  units = k.scratch({rows, count}, k.getF32Type());
  blockSums = k.scratch({rows, count}, k.getF32Type());
  for (int64_t row = 0; row < rows; ++row) {
    k.loop(whole / block, [&](Value number) {
      splitBlock(row, rowsAreBatch, number, k.mul(number, k.cst(block)), block);
    });
    if (!rest)
      continue;
    k.loop(rest / blockOfRest, [&](Value number) {
      Value begin = k.mul(number, k.cst(blockOfRest));
      splitBlock(row, rowsAreBatch, k.add(number, k.cst(whole / block)),
                 k.add(begin, k.cst(whole)), blockOfRest);
    });
  }
}

void LinearEmitter::splitBlock(int64_t row, bool rowsAreBatch, Value number,
                               Value begin, int64_t size) {
  const int64_t step = std::gcd(size, k.target.lanes);
  const Parts parts{k};
  auto entries = [&](Value inner) {
    auto at = [&](Value column) {
      return placeOfRow(k.cst(0), k.cst(row), rowsAreBatch, column);
    };
    if (!arguments.order)
      return k.load(k.argument(X), at(inner), step);
    SmallVector<Value> scalars;
    for (int64_t i = 0; i < step; ++i)
      scalars.push_back(k.loadScalar(
          k.argument(X),
          at(inputOf(Panel(), 0, i ? k.add(inner, k.cst(i)) : inner))));
    return Value(vector::FromElementsOp::create(
        k, k.vector(step, k.getF32Type()), scalars));
  };
  Value end = k.add(begin, k.cst(size));

  // The largest size, as of integers, and 0 times all entries: not a number if
  // one is infinite or none.
  SmallVector<Value> found = k.loop(
      begin, end, k.cst(step), {parts.integer(0, step), k.splat(0.0, step)},
      [&](Value inner, ValueRange carried) {
        Value x = entries(inner);
        Value magnitude = arith::AndIOp::create(
            k, parts.asIntegers(x), parts.integer(0x7fffffff, step));
        return SmallVector<Value>{
            arith::MaxSIOp::create(k, carried[0], magnitude),
            k.fma(x, k.splat(0.0, step), carried[1])};
      });
  Value largest =
      vector::ReductionOp::create(k, vector::CombiningKind::MAXSI, found[0]);
  Value exponent = arith::AndIOp::create(k, largest, parts.integer(0x7f800000));
  // Units that are floats.
  exponent = arith::MaxSIOp::create(k, exponent, parts.integer(23 << 23));
  auto power = [&](Value bits) { return parts.asFloats(bits); };
  Value unit = power(
      arith::SubIOp::create(k, exponent, parts.integer((kUnitBits - 1) << 23)));
  Value inverse = power(arith::SubIOp::create(
      k, parts.integer((2 * 127 + kUnitBits - 1) << 23), exponent));
  k.storeScalar(arith::AddFOp::create(k, unit, k.reduceSum(found[1])), units,
                {k.cst(row), number});

  // Adding 1.5 2^23 leaves rounded units in the lowest bits. Digits from 0 to
  // 255 that are 128 too large have those of signed ones but for the highest
  // bit.
  constexpr int64_t kBias = 0x4b400000, kHalves = 0x808080;
  Value scale = k.splat(inverse, step);
  auto sum = k.loop(
      begin, end, k.cst(step), ValueRange{parts.integer(0, step)},
      [&](Value inner, ValueRange carried) {
        Value rounded = parts.asIntegers(
            k.fma(entries(inner), scale, k.splat(12582912.0, step)));
        Value count =
            arith::SubIOp::create(k, rounded, parts.integer(kBias, step));
        Value all = arith::XOrIOp::create(
            k, arith::AddIOp::create(k, count, parts.integer(kHalves, step)),
            parts.integer(kHalves, step));
        for (int64_t digit = 0; digit < kDigits; ++digit)
          storeDigit(all, digit, row, inner);
        return SmallVector<Value>{arith::AddIOp::create(k, carried[0], count)};
      });
  Value total =
      vector::ReductionOp::create(k, vector::CombiningKind::ADD, sum[0]);
  k.storeScalar(arith::NegFOp::create(k, parts.convert(total)), blockSums,
                {k.cst(row), number});
}

void LinearEmitter::storeDigit(Value all, int64_t digit, int64_t row,
                               Value inner) {
  const Parts parts{k};
  const int64_t step = cast<VectorType>(all.getType()).getDimSize(0);
  if (digit)
    all = arith::ShRUIOp::create(k, all, parts.integer(8 * digit, step));
  Value bytes = arith::TruncIOp::create(k, k.vector(step, k.getI8Type()), all);
  // The lower halves of a word's bytes are every other code.
  SmallVector<int64_t> order;
  for (int64_t first = 0; first < step; first += kWordInputs)
    for (int64_t i : {0, 2, 4, 6, 1, 3, 5, 7})
      order.push_back(first + i);
  bytes = vector::ShuffleOp::create(k, bytes, bytes, order);
  Value fours =
      vector::BitCastOp::create(k, k.vector(step / 4, k.getI32Type()), bytes);
  k.store(
      fours, digits,
      {k.cst(row), k.cst(digit), arith::DivUIOp::create(k, inner, k.cst(4))});
}

TileAccumulators LinearEmitter::multiplyBlock(ArrayRef<Panel> panels,
                                              int64_t rows, int64_t firstColumn,
                                              int64_t count, Value number,
                                              Value group, Value begin,
                                              int64_t size) {
  const int64_t lanes = k.target.lanes;
  const Parts parts{k};
  auto panelOf = [&](int64_t v) -> const Panel & {
    return panels[(firstColumn + v) / vectors];
  };
  auto laneOf = [&](int64_t v) {
    return k.cst((firstColumn + v) % vectors * lanes);
  };
  Type bytes = k.vector(4 * lanes, k.getI8Type());
  auto asBytes = [&](Value words) {
    return vector::BitCastOp::create(k, bytes, words);
  };
  auto dot = [&](Value sum, Value unsignedCodes, Value signedDigits) {
    std::string name = "llvm.x86.avx512.vpdpbusd." + std::to_string(32 * lanes);
    return LLVM::CallIntrinsicOp::create(
               k, k.vector(lanes, k.getI32Type()), k.getStringAttr(name),
               ValueRange{sum, unsignedCodes, signedDigits})
        .getResult(0);
  };
  // Codes in two's complement are unsigned and too large by 8 once their
  // highest bit is turned.
  auto loadHalves = [&](int64_t v, Value inner) {
    Value word = k.load(k.argument(W),
                        {panelOf(v).number, rowOf(inner), laneOf(v)}, lanes);
    word = arith::XOrIOp::create(k, word, parts.integer(0x88888888, lanes));
    Value high = arith::ShRUIOp::create(k, word, parts.integer(4, lanes)),
          mask = parts.integer(0x0f0f0f0f, lanes);
    return std::array{asBytes(arith::AndIOp::create(k, word, mask)),
                      asBytes(arith::AndIOp::create(k, high, mask))};
  };

  // Words taken at once.
  const int64_t unroll = size / kWordInputs % 2 ? 1 : 2;
  TileAccumulators none(rows * count * kDigits, parts.integer(0, lanes));
  TileAccumulators sums = k.loop(
      begin, k.add(begin, k.cst(size)), k.cst(unroll * kWordInputs), none,
      [&](Value first, ValueRange carried) {
        SmallVector<Value> totals(carried);
        for (int64_t u = 0; u < unroll; ++u) {
          Value inner = u ? k.add(first, k.cst(u * kWordInputs)) : first;
          Value place = arith::DivUIOp::create(k, inner, k.cst(4));
          for (int64_t v = 0; v < count; ++v) {
            if ((firstColumn + v) % vectors == 0)
              fetchAhead(panelOf(v), inner);
            for (auto [half, word] : llvm::enumerate(loadHalves(v, inner)))
              for (int64_t r = 0; r < rows; ++r)
                for (int64_t d = 0; d < kDigits; ++d) {
                  Value four = k.loadScalar(
                      digits, {k.cst(r), k.cst(d), k.add(place, k.cst(half))});
                  Value &sum = totals[(r * count + v) * kDigits + d];
                  sum = dot(sum, word, asBytes(k.splat(four, lanes)));
                }
          }
        }
        return totals;
      });

  TileAccumulators products;
  for (int64_t r = 0; r < rows; ++r) {
    Value unit = k.splat(k.loadScalar(units, {k.cst(r), number}), lanes),
          sum = k.splat(k.loadScalar(blockSums, {k.cst(r), number}), lanes);
    for (int64_t v = 0; v < count; ++v) {
      ArrayRef<Value> own =
          ArrayRef(sums).slice((r * count + v) * kDigits, kDigits);
      // The lower digits of a sum fit an integer, all three do not.
      Value low = arith::AddIOp::create(
          k, own[0], arith::ShLIOp::create(k, own[1], parts.integer(8, lanes)));
      Value product = k.fma(parts.convert(own[2]), k.splat(65536.0, lanes),
                            parts.convert(low));
      Value zero = k.splat(8.0, lanes);
      if (codes.getHasZeros())
        zero = arith::AddFOp::create(k, loadZeros(panelOf(v), group, laneOf(v)),
                                     zero);
      product = k.fma(zero, sum, product);
      // Not the scale times the unit, which may be smaller than any float.
      product = arith::MulFOp::create(k, product, unit);
      products.push_back(arith::MulFOp::create(
          k, product, loadScales(panelOf(v), group, laneOf(v))));
    }
  }
  return products;
}

TileAccumulators LinearEmitter::multiplyWords(ArrayRef<Panel> panels,
                                              int64_t rows,
                                              TileAccumulators sums) {
  const int64_t columns = vectors * int64_t(panels.size());
  // As many vectors at once as have accumulators.
  const int64_t most = std::max<int64_t>(1, kAccumulators * k.target.registers /
                                                32 / (kDigits * rows));
  auto addBlock = [&](Value number, Value group, Value begin, int64_t size,
                      ValueRange totals) {
    TileAccumulators result(totals);
    for (int64_t first = 0; first < columns; first += most) {
      int64_t count = std::min(most, columns - first);
      TileAccumulators products =
          multiplyBlock(panels, rows, first, count, number, group, begin, size);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t v = 0; v < count; ++v) {
          Value &sum = result[r * columns + first + v];
          sum = arith::AddFOp::create(k, sum, products[r * count + v]);
        }
    }
    return result;
  };
  const int64_t size = std::min<int64_t>(codes.getGroup(), in),
                whole = in / size * size, rest = in - whole,
                block = blockOf(size);
  sums = k.loop(k.cst(0), k.cst(whole / block), k.cst(1), sums,
                [&](Value number, ValueRange totals) {
                  Value group =
                      arith::DivUIOp::create(k, number, k.cst(size / block));
                  return addBlock(number, group, k.mul(number, k.cst(block)),
                                  block, totals);
                });
  if (!rest)
    return sums;
  const int64_t blockOfRest = blockOf(rest);
  return k.loop(k.cst(0), k.cst(rest / blockOfRest), k.cst(1), sums,
                [&](Value number, ValueRange totals) {
                  Value begin = k.mul(number, k.cst(blockOfRest));
                  return addBlock(
                      k.add(number, k.cst(whole / block)), k.cst(whole / size),
                      k.add(begin, k.cst(whole)), blockOfRest, totals);
                });
}
