//===- Weights.cpp - from names in equations to stored tensors ------------===//

#include "ModelBuilder.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/GlobPattern.h"

using namespace mlir;
using namespace ::linnet;

std::string ModelBuilder::choosePrefix(StringRef probe,
                                       ArrayRef<StringRef> prefixes) const {
  for (StringRef candidate : prefixes)
    if (archive.find((candidate + probe).str()))
      return candidate.str();
  return prefixes.front().str();
}

void ModelBuilder::alias(StringRef ending, StringRef older) {
  aliases.emplace_back(ending, older);
}

void ModelBuilder::ignore(StringRef glob) { ignored.push_back(glob.str()); }

bool ModelBuilder::isIgnored(StringRef name) const {
  return llvm::any_of(ignored, [&](const std::string &glob) {
    // Patterns are constants of the importers.
    return llvm::cantFail(llvm::GlobPattern::create(glob)).match(name);
  });
}

bool ModelBuilder::isTied(StringRef headKey, bool dflt) {
  bool stored = archive.find(headKey.str());
  bool tied = configuration.find("tie_word_embeddings")
                  ? configuration.flag("tie_word_embeddings", dflt)
                  : dflt || !stored;
  if (tied)
    ignore(headKey);
  return tied;
}

bool ModelBuilder::parseLayerName(StringRef name, int64_t &number,
                                  StringRef &rest) const {
  if (layerPrefix.empty() || !name.consume_front(layerPrefix))
    return false;
  auto [digits, tail] = name.split('.');
  // A leading zero is another name than the one the model asks for.
  if (tail.empty() || (digits.size() > 1 && digits.front() == '0') ||
      digits.getAsInteger(10, number) || number < 0)
    return false;
  rest = tail;
  return true;
}

std::string ModelBuilder::locate(StringRef name) const {
  std::string key = prefix + name.str();
  auto exists = [&](StringRef candidate) {
    std::string resolved =
        ir::resolveMemberKey(ir::resolveWeightKey(candidate, number), 0);
    return archive.find(resolved) || structures.count(resolved);
  };
  if (exists(key))
    return key;
  for (const auto &[ending, older] : aliases) {
    StringRef stem = key;
    if (stem.consume_back(ending) && exists((stem + older).str()))
      return (stem + older).str();
  }
  return key;
}

DataType ModelBuilder::use(const std::string &key, ArrayRef<int64_t> shape,
                           bool integers) {
  used.insert({StringRef(key).contains("{}") ? group : -1, key});
  Result<const Archive::Tensor *> found = archive.require(
      ir::resolveWeightKey(key, number), {shape.begin(), shape.end()});
  if (!found)
    configuration.fail(found.error());
  else if (!isFloat((*found)->dtype) &&
           !(integers && ((*found)->dtype == DataType::I32 ||
                          (*found)->dtype == DataType::I16 ||
                          (*found)->dtype == DataType::I8)))
    configuration.fail(makeError("tensor ", quoteName((*found)->name), " in ",
                                 archive.fileOf(**found),
                                 ": expected a floating-point type, but got ",
                                 dataTypeName((*found)->dtype)));
  else
    return (*found)->dtype;
  return DataType::F32;
}

Value ModelBuilder::weight(StringRef name, ArrayRef<int64_t> shape) {
  return weightAt(locate(name), shape);
}

Value ModelBuilder::weightAt(const std::string &key, ArrayRef<int64_t> shape,
                             bool integers) {
  DataType dtype = use(key, shape, integers);
  bool ofLayer = StringRef(key).contains("{}");
  return ir::WeightOp::create(
      b, NameLoc::get(b.getStringAttr(key)),
      RankedTensorType::get(shape, weightElementType(b.getContext(), dtype)),
      key, ofLayer ? layer : Value());
}

Value ModelBuilder::wideWeight(StringRef name, ArrayRef<int64_t> shape) {
  Value stored = weight(name, shape);
  auto narrow = cast<RankedTensorType>(stored.getType());
  auto wide = RankedTensorType::get(shape, b.getF32Type());
  if (narrow == wide)
    return stored;
  if (narrow.getElementTypeBitWidth() > 32)
    return arith::TruncFOp::create(b, wide, stored);
  return arith::ExtFOp::create(b, wide, stored);
}

Value ModelBuilder::within(StringRef outer, function_ref<Value()> body) {
  std::string innerPrefix = std::exchange(prefix, outer.str());
  int32_t innerGroup = std::exchange(group, -1);
  Value result = body();
  prefix = std::move(innerPrefix);
  group = innerGroup;
  return result;
}
