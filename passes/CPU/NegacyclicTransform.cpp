//===- NegacyclicTransform.cpp - products of real polynomials -------------===//

#include "passes/CPU/NegacyclicTransform.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace mlir::linnet;

NegacyclicTransform::NegacyclicTransform(KernelBuilder &k, int64_t size)
    : k(k), size(size), lanes(k.target.lanes) {
  int64_t first = 0, count = 1;
  for (int64_t points = size; points > 1;) {
    // Radix 2 once, for sizes that are no power of four.
    int64_t radix = llvm::Log2_64(points) % 2 ? 2 : 4;
    points /= radix;
    levels.push_back({radix, points, first, count});
    first += count;
    count *= radix;
  }
  roots = rootTable();
}

/// A constant of the module, shared by the kernels of this size.
Value NegacyclicTransform::rootTable() {
  auto module =
      k.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  std::string name = "negacyclic_roots_" + std::to_string(size);
  int64_t polynomials =
      levels.empty() ? 1 : levels.back().first + levels.back().count;
  auto type = MemRefType::get({polynomials, 6}, k.getF32Type());
  if (!module.lookupSymbol(name)) {
    // Turns of the roots: x^M = i is a quarter turn.
    std::vector<double> turns{0.25}, next;
    std::vector<float> entries;
    for (const Level &level : levels) {
      next.clear();
      for (double turn : turns) {
        double root = turn / double(level.radix);
        for (int power = 1; power <= 3; ++power) {
          double angle = 2 * std::numbers::pi * root * power;
          entries.push_back(float(std::cos(angle)));
          entries.push_back(float(std::sin(angle)));
        }
        for (double more : {0.0, 0.5, 0.25, 0.75})
          if (level.radix == 4 || more == 0.0 || more == 0.5)
            next.push_back(root + more);
      }
      turns = next;
    }
    entries.resize(size_t(polynomials) * 6);
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto values = DenseElementsAttr::get(
        RankedTensorType::get(type.getShape(), type.getElementType()),
        ArrayRef<float>(entries));
    memref::GlobalOp::create(builder, k.getLoc(), name,
                             builder.getStringAttr("private"), type, values,
                             /*constant=*/true, /*alignment=*/IntegerAttr());
  }
  return memref::GetGlobalOp::create(k, type, name);
}

ComplexLanes NegacyclicTransform::load(Value buffer, Value block,
                                       Value point) const {
  auto part = [&](int64_t number) {
    return k.load(buffer, {block, point, k.cst(number), k.cst(0)}, lanes);
  };
  return {part(0), part(1)};
}

void NegacyclicTransform::store(ComplexLanes value, Value buffer, Value block,
                                Value point) const {
  k.store(value.re, buffer, {block, point, k.cst(0), k.cst(0)});
  k.store(value.im, buffer, {block, point, k.cst(1), k.cst(0)});
}

double NegacyclicTransform::cost(int64_t size) {
  // A radix-4 step is 3 products (4 operations) and 8 sums (2) of 4 points.
  return 7 * double(size) * double(llvm::Log2_64(size)) / 2;
}

//===----------------------------------------------------------------------===//
// Complex arithmetic
//===----------------------------------------------------------------------===//

namespace {
Value negate(KernelBuilder &k, Value x) { return arith::NegFOp::create(k, x); }

/// A factor times a vector, or times its conjugate.
ComplexLanes multiply(KernelBuilder &k, ComplexLanes factor, ComplexLanes x,
                      bool conjugate) {
  if (!x.im)
    return {k.mul(factor.re, x.re), k.mul(factor.im, x.re)};
  Value crossed = k.mul(factor.im, x.im), turned = k.mul(factor.re, x.im);
  if (conjugate)
    return {k.fma(factor.re, x.re, crossed),
            k.fma(negate(k, factor.im), x.re, turned)};
  return {k.fma(factor.re, x.re, negate(k, crossed)),
          k.fma(factor.im, x.re, turned)};
}

ComplexLanes add(KernelBuilder &k, ComplexLanes x, ComplexLanes y) {
  return {k.add(x.re, y.re), x.im ? k.add(x.im, y.im) : y.im};
}
ComplexLanes subtract(KernelBuilder &k, ComplexLanes x, ComplexLanes y) {
  return {k.sub(x.re, y.re), x.im ? k.sub(x.im, y.im) : negate(k, y.im)};
}
/// x + i y and x - i y.
ComplexLanes addTurned(KernelBuilder &k, ComplexLanes x, ComplexLanes y) {
  return {k.sub(x.re, y.im), k.add(x.im, y.re)};
}
ComplexLanes subtractTurned(KernelBuilder &k, ComplexLanes x, ComplexLanes y) {
  return {k.add(x.re, y.im), k.sub(x.im, y.re)};
}
} // namespace

//===----------------------------------------------------------------------===//
// Transforms
//===----------------------------------------------------------------------===//

void NegacyclicTransform::forPoints(const Level &level, Body body) const {
  k.loop(level.count, [&](Value polynomial) {
    SmallVector<ComplexLanes> factors;
    Value row = k.add(polynomial, k.cst(level.first));
    for (int64_t power = 0; power + 1 < level.radix; ++power) {
      auto part = [&](int64_t number) {
        return k.splat(k.loadScalar(roots, {row, k.cst(2 * power + number)}),
                       lanes);
      };
      factors.push_back({part(0), part(1)});
    }
    Value base = k.mul(polynomial, k.cst(level.radix * level.part));
    k.loop(level.part, [&](Value point) { body(k.add(base, point), factors); });
  });
}

void NegacyclicTransform::forward(Value buffer, Value block) {
  bool real = true;
  for (const Level &level : levels) {
    forPoints(level, [&](Value point, ArrayRef<ComplexLanes> factors) {
      SmallVector<ComplexLanes> a;
      SmallVector<Value> at;
      for (int64_t m = 0; m < level.radix; ++m) {
        at.push_back(k.add(point, k.cst(m * level.part)));
        if (real)
          a.push_back(
              {k.load(buffer, {block, at[m], k.cst(0), k.cst(0)}, lanes),
               Value()});
        else
          a.push_back(load(buffer, block, at[m]));
        if (m)
          a[m] = multiply(k, factors[m - 1], a[m], /*conjugate=*/false);
      }
      if (level.radix == 2) {
        store(add(k, a[0], a[1]), buffer, block, at[0]);
        store(subtract(k, a[0], a[1]), buffer, block, at[1]);
        return;
      }
      ComplexLanes even = add(k, a[0], a[2]), odd = subtract(k, a[0], a[2]);
      ComplexLanes sum = add(k, a[1], a[3]), gap = subtract(k, a[1], a[3]);
      store(add(k, even, sum), buffer, block, at[0]);
      store(subtract(k, even, sum), buffer, block, at[1]);
      store(addTurned(k, odd, gap), buffer, block, at[2]);
      store(subtractTurned(k, odd, gap), buffer, block, at[3]);
    });
    real = false;
  }
}

void NegacyclicTransform::inverse(Value buffer, Value block) {
  for (const Level &level : llvm::reverse(levels))
    forPoints(level, [&](Value point, ArrayRef<ComplexLanes> factors) {
      SmallVector<ComplexLanes> o;
      SmallVector<Value> at;
      for (int64_t m = 0; m < level.radix; ++m) {
        at.push_back(k.add(point, k.cst(m * level.part)));
        o.push_back(load(buffer, block, at[m]));
      }
      SmallVector<ComplexLanes> a;
      ComplexLanes even = add(k, o[0], o[1]), sum = subtract(k, o[0], o[1]);
      if (level.radix == 2) {
        a = {even, sum};
      } else {
        ComplexLanes odd = add(k, o[2], o[3]), gap = subtract(k, o[2], o[3]);
        a = {add(k, even, odd), subtractTurned(k, sum, gap),
             subtract(k, even, odd), addTurned(k, sum, gap)};
      }
      for (int64_t m = 0; m < level.radix; ++m)
        store(m ? multiply(k, factors[m - 1], a[m], /*conjugate=*/true) : a[m],
              buffer, block, at[m]);
    });
}
