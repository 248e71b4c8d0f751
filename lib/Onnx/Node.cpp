//===- Node.cpp - a node under import -------------------------------------===//

#include "Node.h"

#include "linnet/Support/Quote.h"

#include <algorithm>

using namespace mlir;

namespace linnet::onnx {
namespace {

/// AttributeProto.AttributeType.
enum AttributeType : int32_t {
  kFloat = 1,
  kInt = 2,
  kString = 3,
  kTensor = 4,
  kFloats = 6,
  kInts = 7,
  kStrings = 8
};

const char *nameOf(int32_t type) {
  switch (type) {
  case kFloat:
    return "a float";
  case kInt:
    return "an integer";
  case kString:
    return "a string";
  case kTensor:
    return "a tensor";
  case kFloats:
    return "floats";
  case kInts:
    return "integers";
  case kStrings:
    return "strings";
  default:
    return "something else";
  }
}

} // namespace

std::string Node::describe() const {
  std::string name = proto.name();
  if (name.empty() && proto.output_size())
    name = proto.output(0);
  return "node " + quoteName(name) + " (" + proto.op_type() + ")";
}

void Node::checkAttributes() {
  for (const AttributeProto &attribute : proto.attribute())
    require(asked.count(attribute.name()), "attribute ",
            quoteName(attribute.name()), " is not known to Linnet");
}

Tensor &Node::operand(unsigned i) {
  g.read(input(i));
  return input(i);
}

void Node::requireSizes(unsigned i, std::string_view name,
                        ArrayRef<Size> sizes) {
  if (has(i))
    require(ArrayRef(input(i).sizes) == sizes, "expected ", name, " of shape ",
            formatSizes(sizes), ", but got ", formatSizes(input(i).sizes));
}

SmallVector<Size> Node::entries(unsigned i, std::string_view name) {
  if (require(has(i) && input(i).entries.has_value(), "expected ", name,
              " that is known at import, but got one that is computed"))
    return *input(i).entries;
  return {};
}

SmallVector<int64_t> Node::integersOf(unsigned i, std::string_view name) {
  SmallVector<int64_t> values;
  for (const Size &entry : entries(i, name)) {
    require(entry.isStatic(), "expected ", name,
            " that is known at import, but got one that depends on an open "
            "dimension (--dim NAME=N fixes it)");
    values.push_back(entry.getFactor());
  }
  return values;
}

const AttributeProto *Node::find(const char *name, int32_t type) {
  asked.insert(name);
  for (const AttributeProto &attribute : proto.attribute()) {
    if (attribute.name() != name)
      continue;
    if (require(attribute.type() == type, "expected ", nameOf(type),
                " for attribute '", name, "', but got ",
                nameOf(attribute.type())))
      return &attribute;
    return nullptr;
  }
  return nullptr;
}

bool Node::hasAttribute(const char *name) const {
  return llvm::any_of(proto.attribute(), [&](const AttributeProto &attribute) {
    return attribute.name() == name;
  });
}

int64_t Node::integer(const char *name, int64_t dflt) {
  const AttributeProto *attribute = find(name, kInt);
  return attribute ? attribute->i() : dflt;
}

int64_t Node::requiredInteger(const char *name) {
  require(hasAttribute(name), "expected attribute '", name,
          "', but got none of that name");
  return integer(name, 0);
}

double Node::number(const char *name, double dflt) {
  const AttributeProto *attribute = find(name, kFloat);
  return attribute ? attribute->f() : dflt;
}

std::string Node::choice(const char *name, ArrayRef<const char *> choices,
                         size_t dflt) {
  const AttributeProto *attribute = find(name, kString);
  if (!attribute)
    return choices[dflt];
  std::string listed;
  for (const char *choice : choices) {
    if (attribute->s() == choice)
      return choice;
    listed += (listed.empty() ? "" : ", ") + std::string(choice);
  }
  fail("expected attribute '", name, "' out of ", listed, ", but got ",
       quoteName(attribute->s()));
  return choices[dflt];
}

SmallVector<int64_t> Node::integers(const char *name) {
  const AttributeProto *attribute = find(name, kInts);
  if (!attribute)
    return {};
  return SmallVector<int64_t>(attribute->ints().begin(),
                              attribute->ints().end());
}

SmallVector<float> Node::numbers(const char *name) {
  const AttributeProto *attribute = find(name, kFloats);
  if (!attribute)
    return {};
  return SmallVector<float>(attribute->floats().begin(),
                            attribute->floats().end());
}

std::vector<std::string> Node::strings(const char *name) {
  const AttributeProto *attribute = find(name, kStrings);
  if (!attribute)
    return {};
  return {attribute->strings().begin(), attribute->strings().end()};
}

std::shared_ptr<const StoredTensor> Node::stored(const char *name) {
  const AttributeProto *attribute = find(name, kTensor);
  if (!attribute)
    return nullptr;
  Result<StoredTensor> tensor = reader.read(attribute->t());
  if (!tensor) {
    fail(tensor.error());
    return nullptr;
  }
  return std::make_shared<StoredTensor>(tensor.take());
}

void Node::ignore(std::initializer_list<const char *> names) {
  asked.insert(names.begin(), names.end());
}

int64_t Node::normalizeAxis(int64_t axis, int64_t rank) {
  if (!require(axis >= -rank && axis < rank, "expected an axis of ", -rank,
               " to ", rank - 1, ", but got ", axis))
    return 0;
  return axis < 0 ? axis + rank : axis;
}

SmallVector<int64_t> Node::normalizeAxes(ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<int64_t> normal;
  for (int64_t axis : axes)
    normal.push_back(normalizeAxis(axis, rank));
  llvm::sort(normal);
  require(std::adjacent_find(normal.begin(), normal.end()) == normal.end(),
          "expected axes that differ, but got one twice");
  return normal;
}

Result<Tensor> makeStored(MLIRContext *context, StoredTensor stored) {
  Tensor tensor;
  tensor.sizes.assign(stored.shape.begin(), stored.shape.end());
  tensor.element = elementTypeOf(context, stored.dtype);
  if (!tensor.element || tensor.element.isF64())
    return makeError("tensor ", quoteName(stored.name),
                     ": expected floats of at most 32 bits or signed integers, "
                     "but got ",
                     nameOfDataType(numberOf(stored.dtype)));
  if (tensor.isFloat()) {
    tensor.element = Float32Type::get(context);
  } else {
    // Integers are shapes, axes and the like; they stand in the IR.
    constexpr size_t kMaxEntries = 4096;
    if (stored.size() > kMaxEntries)
      return makeError("tensor ", quoteName(stored.name), ": expected at most ",
                       kMaxEntries, " integers, but got ", stored.size());
    tensor.entries.emplace();
    for (size_t i = 0; i < stored.size(); ++i)
      tensor.entries->push_back(stored.integer(i));
  }
  tensor.stored = std::make_shared<StoredTensor>(std::move(stored));
  return tensor;
}

} // namespace linnet::onnx
