//===- Elementwise.cpp - arithmetic of one element at a time --------------===//

#include "Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace linnet::onnx {

/// The sizes of a result that broadcasts its operands (the last dimensions of
/// all lie on each other).
static Sizes broadcast(Node &node, MutableArrayRef<Tensor *> operands) {
  Sizes result;
  for (Tensor *operand : operands)
    if (operand->rank() > int64_t(result.size()))
      result.insert(result.begin(), operand->rank() - result.size(), Size(1));
  for (Tensor *operand : operands) {
    size_t first = result.size() - operand->sizes.size();
    for (auto [d, size] : llvm::enumerate(operand->sizes)) {
      Size &into = result[first + d];
      if (size == into || size.is(1))
        continue;
      // Two open sizes may or may not be equal.
      node.require(into.is(1), "expected shapes that broadcast",
                   into.isStatic() && size.isStatic()
                       ? ""
                       : " at every run (--dim NAME=N fixes a size)",
                   ", but got ", formatSizes(operands[0]->sizes), " and ",
                   formatSizes(operands.back()->sizes));
      into = size;
    }
  }
  return result;
}

/// Sets the result of `body` over all inputs; `floats` says of what type they
/// must be.
static void setPointwise(Node &node, bool floats, ElementBody body) {
  SmallVector<Tensor *> operands;
  for (unsigned i = 0; i < node.inputCount(); ++i) {
    operands.push_back(&node.input(i));
    node.require(node.input(i).isFloat() == floats &&
                     node.input(i).element == node.input(0).element,
                 "expected inputs of one type, ",
                 floats ? "floats" : "integers", ", but got others");
  }
  Sizes sizes = broadcast(node, operands);
  if (!node.ok())
    return;
  Type element = node.input(0).element;
  node.set(0,
           {sizes, element, node.g.pointwise(operands, sizes, element, body)});
}

//===----------------------------------------------------------------------===//
// Two operands
//===----------------------------------------------------------------------===//

/// Entry by entry at import, if both operands are known and one is a scalar or
/// both are alike.
static bool foldEntries(
    Node &node,
    llvm::function_ref<std::optional<Size>(const Size &, const Size &)> fold) {
  Tensor &a = node.input(0), &b = node.input(1);
  if (!a.entries || !b.entries || a.element != b.element)
    return false;
  size_t count = std::max(a.entries->size(), b.entries->size());
  auto fits = [&](const Tensor &x) {
    return x.entries->size() == 1 || x.entries->size() == count;
  };
  if (!fits(a) || !fits(b) || a.rank() > 1 || b.rank() > 1)
    return false;
  Tensor result{a.rank() >= b.rank() ? a.sizes : b.sizes, a.element};
  if (result.rank())
    result.sizes[0] = int64_t(count);
  result.entries.emplace();
  auto at = [](const Tensor &x, size_t i) {
    return (*x.entries)[x.entries->size() == 1 ? 0 : i];
  };
  for (size_t i = 0; i < count; ++i) {
    std::optional<Size> entry = fold(at(a, i), at(b, i));
    if (!entry)
      return false;
    result.entries->push_back(*entry);
  }
  node.set(0, result);
  return true;
}

template <typename FloatOp, typename IntOp>
static void setArithmetic(Node &node) {
  bool floats = node.input(0).isFloat();
  setPointwise(node, floats,
               [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                 if (floats)
                   return FloatOp::create(b, loc, args[0], args[1]);
                 return IntOp::create(b, loc, args[0], args[1]);
               });
}

void importAdd(Node &node) {
  GraphBuilder &g = node.g;
  if (!foldEntries(node, [&](const Size &a, const Size &b) {
        return std::optional<Size>(g.sum({a, b}));
      }))
    setArithmetic<arith::AddFOp, arith::AddIOp>(node);
}

void importSub(Node &node) {
  GraphBuilder &g = node.g;
  if (!foldEntries(node, [&](const Size &a, const Size &b) {
        if (a == b)
          return std::optional<Size>(Size(0));
        return b.isStatic() ? std::optional<Size>(g.sum({a, Size(-1) * b}))
                            : std::nullopt;
      }))
    setArithmetic<arith::SubFOp, arith::SubIOp>(node);
}

/// Whether `sigmoid` is the sigmoid of `x`.
static bool isSigmoidOf(const Tensor &sigmoid, const Tensor &x) {
  auto op = sigmoid.value ? sigmoid.value.getDefiningOp<ir::ActivationOp>()
                          : ir::ActivationOp();
  return op && op.getKind() == ir::Activation::Sigmoid &&
         op.getInput() == x.value;
}

void importMul(Node &node) {
  // x sigmoid(x) is how models without the operator write silu.
  for (unsigned i : {0, 1})
    if (isSigmoidOf(node.input(i), node.input(1 - i))) {
      const Tensor &x = node.input(1 - i);
      node.set(0, {x.sizes, x.element,
                   ir::ActivationOp::create(node.g.b, ir::Activation::Silu,
                                            x.value)});
      return;
    }
  if (!foldEntries(node, [](const Size &a, const Size &b) {
        return std::optional<Size>(a * b);
      }))
    setArithmetic<arith::MulFOp, arith::MulIOp>(node);
}

void importDiv(Node &node) {
  // Quotients of shapes; those of data are rounded in ways of their own.
  if (foldEntries(node, [](const Size &a, const Size &b) {
        // Numbers divide towards zero; -1 would overflow for the least one.
        if (a.isStatic() && b.isStatic() && b.getFactor() > 0)
          return std::optional<Size>(a.getFactor() / b.getFactor());
        return a.dividedBy(b);
      }))
    return;
  if (node.require(node.input(0).isFloat(), "expected floats or integers that "
                                            "divide at import, but got others"))
    setPointwise(node, true, [](OpBuilder &b, Location loc, ValueRange args) {
      return arith::DivFOp::create(b, loc, args[0], args[1]).getResult();
    });
}

/// x^n for the exponents that models have: the same with fewer roundings.
static Value buildPower(OpBuilder &b, Location loc, Value x, double exponent) {
  auto times = [&](Value y) -> Value {
    return arith::MulFOp::create(b, loc, x, y);
  };
  if (exponent == 1)
    return x;
  if (exponent == 2)
    return times(x);
  if (exponent == 3)
    return times(times(x));
  if (exponent == 0.5)
    return math::SqrtOp::create(b, loc, x);
  if (exponent == -0.5)
    return math::RsqrtOp::create(b, loc, x);
  return {};
}

void importPow(Node &node) {
  Tensor &x = node.input(0);
  Tensor exponent = node.input(1);
  std::optional<double> known;
  if (exponent.entries && exponent.entries->size() == 1)
    known = double(exponent.entries->front().getFactor());
  else if (exponent.stored && exponent.stored->size() == 1)
    known = loadAsDouble(exponent.stored->data, exponent.stored->dtype, 0);
  if (!node.require(x.isFloat() && (exponent.isFloat() || known),
                    "expected floats and a float or known exponent, but got "
                    "others"))
    return;
  if (known && exponent.rank() <= x.rank())
    if (Value power = buildPower(node.g.b, node.g.b.getLoc(),
                                 node.operand(0).value, *known)) {
      node.set(0, {x.sizes, x.element, power});
      return;
    }
  if (!exponent.isFloat()) {
    exponent.element = x.element;
    exponent.value = arith::ConstantOp::create(
        node.g.b, DenseElementsAttr::get(
                      node.g.typeOf(exponent.sizes, x.element), float(*known)));
  }
  Tensor *operands[] = {&x, &exponent};
  Sizes sizes = broadcast(node, operands);
  if (!node.ok())
    return;
  node.set(
      0,
      {sizes, x.element,
       node.g.pointwise(
           operands, sizes, x.element,
           [](OpBuilder &b, Location loc, ValueRange args) {
             return math::PowFOp::create(b, loc, args[0], args[1]).getResult();
           })});
}

void importMin(Node &node) {
  setPointwise(node, true, [](OpBuilder &b, Location loc, ValueRange args) {
    Value least = args[0];
    for (Value other : args.drop_front())
      least = arith::MinimumFOp::create(b, loc, least, other);
    return least;
  });
}

void importMax(Node &node) {
  setPointwise(node, true, [](OpBuilder &b, Location loc, ValueRange args) {
    Value most = args[0];
    for (Value other : args.drop_front())
      most = arith::MaximumFOp::create(b, loc, most, other);
    return most;
  });
}

//===----------------------------------------------------------------------===//
// One operand
//===----------------------------------------------------------------------===//

template <typename OpT>
static void setUnary(Node &node) {
  setPointwise(node, true, [](OpBuilder &b, Location loc, ValueRange args) {
    return OpT::create(b, loc, args[0])->getResult(0);
  });
}

void importNeg(Node &node) { setUnary<arith::NegFOp>(node); }
void importExp(Node &node) { setUnary<math::ExpOp>(node); }
void importLog(Node &node) { setUnary<math::LogOp>(node); }
void importSqrt(Node &node) { setUnary<math::SqrtOp>(node); }
void importAbs(Node &node) { setUnary<math::AbsFOp>(node); }
void importErf(Node &node) { setUnary<math::ErfOp>(node); }
void importSin(Node &node) { setUnary<math::SinOp>(node); }
void importCos(Node &node) { setUnary<math::CosOp>(node); }

void importReciprocal(Node &node) {
  ImplicitLocOpBuilder &b = node.g.b;
  Tensor one{{}, b.getF32Type()};
  one.value = arith::ConstantOp::create(
      b, DenseElementsAttr::get(node.g.typeOf({}, one.element), 1.0f));
  if (!node.require(node.input(0).isFloat(),
                    "expected floats, but got integers"))
    return;
  Sizes sizes = node.input(0).sizes;
  Tensor *operands[] = {&one, &node.input(0)};
  node.set(
      0,
      {sizes, one.element,
       node.g.pointwise(
           operands, sizes, one.element,
           [](OpBuilder &b, Location loc, ValueRange args) {
             return arith::DivFOp::create(b, loc, args[0], args[1]).getResult();
           })});
}

static void setActivation(Node &node, ir::Activation kind) {
  if (node.require(node.input(0).isFloat(),
                   "expected floats, but got integers"))
    node.set(0,
             {node.input(0).sizes, node.input(0).element,
              ir::ActivationOp::create(node.g.b, kind, node.operand(0).value)});
}

void importSigmoid(Node &node) { setActivation(node, ir::Activation::Sigmoid); }
void importTanh(Node &node) { setActivation(node, ir::Activation::Tanh); }
void importRelu(Node &node) { setActivation(node, ir::Activation::Relu); }
void importSoftplus(Node &node) {
  setActivation(node, ir::Activation::Softplus);
}

void importGelu(Node &node) {
  std::string kind = node.choice("approximate", {"none", "tanh"});
  if (node.ok())
    setActivation(node, kind == "none" ? ir::Activation::Gelu
                                       : ir::Activation::GeluTanh);
}

void importSwish(Node &node) {
  double alpha = node.number("alpha", 1);
  if (node.require(alpha == 1, "expected alpha 1, but got ", alpha))
    setActivation(node, ir::Activation::Silu);
}

void importIdentity(Node &node) { node.set(0, node.input(0)); }

void importCast(Node &node) {
  node.ignore({"saturate", "round_mode"});
  int64_t number = node.requiredInteger("to");
  std::optional<DataType> type = dataTypeOf(int32_t(number));
  Tensor &x = node.input(0);
  MLIRContext *context = node.g.b.getContext();
  Type element = type ? elementTypeOf(context, *type) : Type();
  if (!node.ok() || !node.require(element && !element.isF64(),
                                  "expected a cast to a type that Linnet has, "
                                  "but got one to ",
                                  nameOfDataType(int32_t(number))))
    return;
  ImplicitLocOpBuilder &b = node.g.b;
  // Activations are f32 whatever their type says, also between two casts.
  if (x.isFloat() && isa<FloatType>(element)) {
    node.set(0, x);
    return;
  }
  if (isa<FloatType>(element))
    element = b.getF32Type();
  // Integers that are known stay known.
  if (!x.isFloat() && !isa<FloatType>(element) && x.entries &&
      !element.isInteger(1)) {
    Tensor result{x.sizes, element};
    result.entries = x.entries;
    node.set(0, result);
    return;
  }
  node.require(!element.isInteger(1), "expected a cast to numbers, but got one "
                                      "to BOOL");
  if (!node.ok())
    return;
  Value value = node.operand(0).value;
  RankedTensorType result = node.g.typeOf(x.sizes, element);
  unsigned from = x.element.getIntOrFloatBitWidth(),
           to = element.getIntOrFloatBitWidth();
  Value converted;
  if (x.isFloat())
    converted = arith::FPToSIOp::create(b, result, value);
  else if (isa<FloatType>(element))
    converted = x.element.isInteger(1)
                    ? Value(arith::UIToFPOp::create(b, result, value))
                    : Value(arith::SIToFPOp::create(b, result, value));
  else if (to > from)
    converted = x.element.isInteger(1)
                    ? Value(arith::ExtUIOp::create(b, result, value))
                    : Value(arith::ExtSIOp::create(b, result, value));
  else if (to < from)
    converted = arith::TruncIOp::create(b, result, value);
  else
    converted = value;
  node.set(0, {x.sizes, element, converted});
}

} // namespace linnet::onnx
