//===- FunctionInputs.cpp - --input=... as a tensor -----------------------===//

#include "FunctionInputs.h"

#include "linnet/RunTool/Tokens.h"

#include "linnet/Checkpoint/Npy.h"
#include "linnet/Support/Quote.h"
#include "linnet/Support/SplitMix64.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <numbers>

namespace linnet::runtool {
namespace {

/// Distributions of a stream of numbers.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}

  uint64_t bits() { return nextSplitMix64(state); }
  /// In (0, 1].
  double uniform() { return nextUniform(state) + 0x1p-53; }
  /// Box and Muller's transform.
  double normal() {
    double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

private:
  uint64_t state;
};

constexpr int64_t kMostElements = int64_t(1) << 28;

/// "2x5x33", or "" for a scalar.
Result<std::vector<int64_t>> parseShape(llvm::StringRef text,
                                        const std::string &spec) {
  std::vector<int64_t> shape;
  llvm::SmallVector<llvm::StringRef> sizes;
  if (!text.empty())
    text.split(sizes, 'x');
  int64_t elements = 1;
  for (llvm::StringRef size : sizes) {
    int64_t value = 0;
    if (size.getAsInteger(10, value) || value < 1 ||
        value > kMostElements / elements)
      return makeError("--input: expected sizes such as 2x5x33 of at most ",
                       kMostElements, " elements, but got ", quoteName(spec));
    elements *= value;
    shape.push_back(value);
  }
  return shape;
}

Result<HostTensor> makeRandom(const std::string &spec, bool isInteger) {
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(spec).split(parts, ':');
  // Behind "random": the shape, for integers the bound, the seed.
  size_t bounds = isInteger ? 1 : 0;
  uint64_t seed = 0, bound = 0;
  if (parts.size() < 2 + bounds || parts.size() > 3 + bounds ||
      (isInteger && (parts[2].getAsInteger(10, bound) || bound == 0)) ||
      (parts.size() == 3 + bounds && parts.back().getAsInteger(10, seed)))
    return makeError("--input: expected ",
                     isInteger ? "random:SHAPE:BOUND[:SEED] for integers"
                               : "random:SHAPE[:SEED]",
                     ", but got ", quoteName(spec));
  Result<std::vector<int64_t>> shape = parseShape(parts[1], spec);
  if (!shape)
    return shape.error();
  HostTensor tensor = HostTensor::filled(*shape);
  Random random(seed);
  for (double &value : tensor.values)
    value = isInteger ? double(random.bits() % bound) : random.normal();
  return tensor;
}

double roundTo(double value, mlir::FloatType type) {
  llvm::APFloat rounded(value);
  bool inexact = false;
  rounded.convert(type.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven,
                  &inexact);
  rounded.convert(llvm::APFloat::IEEEdouble(),
                  llvm::APFloat::rmNearestTiesToEven, &inexact);
  return rounded.convertToDouble();
}

Status fitToType(HostTensor &tensor, mlir::Type element,
                 const std::string &spec) {
  if (auto type = mlir::dyn_cast<mlir::FloatType>(element)) {
    for (double &value : tensor.values)
      value = roundTo(value, type);
    return {};
  }
  unsigned bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  double bound = std::ldexp(1.0, int(bits) - (bits > 1 ? 1 : 0));
  for (double value : tensor.values)
    if (value != std::floor(value) || value >= bound || value < -bound)
      return makeError("--input=", spec, ": expected integers of ", bits,
                       " bits, but got ", value);
  return {};
}

} // namespace

Result<HostTensor> makeInput(const std::string &spec, mlir::Type type) {
  auto shaped = mlir::dyn_cast<mlir::RankedTensorType>(type);
  mlir::Type element = shaped ? shaped.getElementType() : type;
  if (!element.isIntOrIndexOrFloat()) {
    std::string written;
    llvm::raw_string_ostream(written) << type;
    return makeError("expected an argument of numbers, but got ", written);
  }
  bool isInteger = !mlir::isa<mlir::FloatType>(element);

  HostTensor tensor;
  double number = 0;
  if (llvm::StringRef(spec).starts_with("random:")) {
    Result<HostTensor> made = makeRandom(spec, isInteger);
    if (!made)
      return made.error();
    tensor = made.take();
  } else if (!llvm::StringRef(spec).starts_with("@") &&
             !llvm::StringRef(spec).getAsDouble(number)) {
    if (!shaped)
      tensor = HostTensor::scalar(number);
    else if (shaped.hasStaticShape())
      tensor = HostTensor::filled(shaped.getShape().vec(), number);
    else
      return makeError("--input=", spec,
                       ": expected a tensor with its sizes, but got a number");
  } else if (llvm::StringRef(spec).starts_with("@") ||
             llvm::StringRef(spec).ends_with(".npy")) {
    Result<NpyArray> array = readNpy(pathOf(spec));
    if (!array)
      return array.error();
    tensor = HostTensor::fromNpy(*array);
  } else {
    return makeError("--input: expected @FILE.npy, random:SHAPE:SEED or a "
                     "number, but got ",
                     quoteName(spec));
  }
  if (Status status = fitToType(tensor, element, spec); !status)
    return status.error();
  return tensor;
}

} // namespace linnet::runtool
