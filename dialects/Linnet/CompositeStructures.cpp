//===- CompositeStructures.cpp - products and sums of structures ----------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::linnet;

using Parts = ArrayRef<StructureAttrInterface>;
using EmitError = function_ref<InFlightDiagnostic()>;

unsigned linnet::countFactors(Parts parts) {
  unsigned count = 0;
  for (StructureAttrInterface part : parts)
    count += part.getNumFactors();
  return count;
}

/// Calls `visit` with each part and its share of `factors` (a range of factors
/// in order), from the first on.
template <typename Range, typename Visit>
static void forEachPart(Parts parts, Range factors, Visit visit) {
  for (StructureAttrInterface part : parts) {
    unsigned count = part.getNumFactors();
    visit(part, factors.take_front(count));
    factors = factors.drop_front(count);
  }
}

static LogicalResult verifyParts(EmitError emitError, Parts parts) {
  if (parts.empty())
    return emitError() << "expected at least one part, but got none";
  for (StructureAttrInterface part : parts)
    if (!part)
      return emitError() << "expected parts that are structures";
  return success();
}

/// The shapes of all parts.
static FailureOr<SmallVector<LinearShape>>
shapesOf(Parts parts, TypeRange factors, EmitError emitError) {
  unsigned count = countFactors(parts);
  if (factors.size() != count) {
    emitError() << "expected " << count << " factors, but got "
                << factors.size();
    return failure();
  }
  SmallVector<LinearShape> shapes;
  forEachPart(parts, factors, [&](StructureAttrInterface part, TypeRange own) {
    auto number = shapes.size();
    auto shape = part.inferShape(
        own, [&] { return emitError() << "part " << number << ": "; });
    if (succeeded(shape))
      shapes.push_back(*shape);
  });
  if (shapes.size() != parts.size())
    return failure();
  return shapes;
}

static std::string findObstacleOf(Parts parts, unsigned number,
                                  const FactorValue &factor) {
  for (StructureAttrInterface part : parts) {
    if (number < part.getNumFactors())
      return part.findObstacle(number, factor);
    number -= part.getNumFactors();
  }
  return {};
}

static int64_t flopsOf(Parts parts, TypeRange factors) {
  int64_t flops = 0;
  forEachPart(parts, factors, [&](StructureAttrInterface part, TypeRange own) {
    flops += part.getFlops(own);
  });
  return flops;
}

namespace {
/// A whole matrix [out, in].
struct WholeMatrix {
  int64_t out = 0, in = 0;
  std::vector<double> values;
};
} // namespace

/// The matrices of all parts, zeros outside of their blocks and all.
static SmallVector<WholeMatrix> matricesOf(Parts parts,
                                           ArrayRef<FactorValue> factors) {
  SmallVector<WholeMatrix> matrices;
  forEachPart(parts, factors,
              [&](StructureAttrInterface part, ArrayRef<FactorValue> own) {
                SmallVector<Type> types;
                for (const FactorValue &factor : own)
                  types.push_back(factor.type);
                // The factors fit: nothing is to be said.
                LinearShape shape = *part.inferShape(types, [&] {
                  return emitError(UnknownLoc::get(part.getContext()));
                });
                std::vector<double> blocks = part.toDense(own);
                WholeMatrix whole{
                    shape.out, shape.in,
                    std::vector<double>(size_t(shape.out * shape.in), 0.0)};
                for (int64_t o = 0; o < shape.out; ++o) {
                  int64_t first = o / shape.blockOut() * shape.blockIn();
                  std::copy_n(&blocks[size_t(o * shape.blockIn())],
                              shape.blockIn(),
                              &whole.values[size_t(o * shape.in + first)]);
                }
                matrices.push_back(std::move(whole));
              });
  return matrices;
}

//===----------------------------------------------------------------------===//
// product
//===----------------------------------------------------------------------===//

LogicalResult ProductStructureAttr::verify(EmitError emitError, Parts parts) {
  return verifyParts(emitError, parts);
}

FailureOr<LinearShape>
ProductStructureAttr::inferShape(TypeRange factors, EmitError emitError) const {
  auto shapes = shapesOf(getParts(), factors, emitError);
  if (failed(shapes))
    return failure();
  for (size_t i = 1; i < shapes->size(); ++i)
    if ((*shapes)[i - 1].in != (*shapes)[i].out)
      return emitError() << "expected part " << i << " to give the "
                         << (*shapes)[i - 1].in << " features that part "
                         << i - 1 << " takes, but got " << (*shapes)[i].out;
  return LinearShape{shapes->back().in, shapes->front().out};
}

std::string
ProductStructureAttr::findObstacle(unsigned number,
                                   const FactorValue &factor) const {
  return findObstacleOf(getParts(), number, factor);
}

std::vector<double>
ProductStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  SmallVector<WholeMatrix> matrices = matricesOf(getParts(), factors);
  WholeMatrix product = std::move(matrices.front());
  for (const WholeMatrix &next : ArrayRef(matrices).drop_front()) {
    WholeMatrix result{product.out, next.in,
                       std::vector<double>(size_t(product.out * next.in), 0.0)};
    for (int64_t o = 0; o < product.out; ++o)
      for (int64_t k = 0; k < product.in; ++k)
        if (double left = product.values[size_t(o * product.in + k)])
          for (int64_t i = 0; i < next.in; ++i)
            result.values[size_t(o * next.in + i)] +=
                left * next.values[size_t(k * next.in + i)];
    product = std::move(result);
  }
  return product.values;
}

Value ProductStructureAttr::buildApply(OpBuilder &builder, Location loc,
                                       Value input, ValueRange factors) const {
  Value result = input;
  for (StructureAttrInterface part : llvm::reverse(getParts())) {
    unsigned count = part.getNumFactors();
    result = LinearOp::create(builder, loc, result, factors.take_back(count),
                              Value(), part);
    factors = factors.drop_back(count);
  }
  return result;
}

int64_t ProductStructureAttr::getFlops(TypeRange factors) const {
  return flopsOf(getParts(), factors);
}

//===----------------------------------------------------------------------===//
// sum
//===----------------------------------------------------------------------===//

LogicalResult SumStructureAttr::verify(EmitError emitError, Parts parts) {
  return verifyParts(emitError, parts);
}

FailureOr<LinearShape> SumStructureAttr::inferShape(TypeRange factors,
                                                    EmitError emitError) const {
  auto shapes = shapesOf(getParts(), factors, emitError);
  if (failed(shapes))
    return failure();
  const LinearShape &first = shapes->front();
  for (auto [i, shape] : llvm::enumerate(*shapes))
    if (shape.in != first.in || shape.out != first.out)
      return emitError() << "expected part " << i << " to map " << first.in
                         << " features to " << first.out
                         << ", as part 0 does, but got " << shape.in << " to "
                         << shape.out;
  return LinearShape{first.in, first.out};
}

std::string SumStructureAttr::findObstacle(unsigned number,
                                           const FactorValue &factor) const {
  return findObstacleOf(getParts(), number, factor);
}

std::vector<double>
SumStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  SmallVector<WholeMatrix> matrices = matricesOf(getParts(), factors);
  std::vector<double> sum = std::move(matrices.front().values);
  for (const WholeMatrix &next : ArrayRef(matrices).drop_front())
    for (size_t i = 0; i < sum.size(); ++i)
      sum[i] += next.values[i];
  return sum;
}

Value SumStructureAttr::buildApply(OpBuilder &builder, Location loc,
                                   Value input, ValueRange factors) const {
  Value result;
  for (StructureAttrInterface part : getParts()) {
    unsigned count = part.getNumFactors();
    Value term = LinearOp::create(builder, loc, input,
                                  factors.take_front(count), Value(), part);
    factors = factors.drop_front(count);
    result = result ? arith::AddFOp::create(builder, loc, result, term) : term;
  }
  return result;
}

int64_t SumStructureAttr::getFlops(TypeRange factors) const {
  return flopsOf(getParts(), factors);
}
