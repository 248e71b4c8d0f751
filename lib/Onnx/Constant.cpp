//===- Constant.cpp - operators that hold tensors -------------------------===//

#include "Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <array>

using namespace mlir;

namespace linnet::onnx {

void importConstant(Node &node) {
  std::shared_ptr<const StoredTensor> stored = node.stored("value");
  MLIRContext *context = node.g.b.getContext();
  // The other forms hold numbers of one type.
  auto make = [&](DataType type, const auto &list, bool isScalar) {
    StoredTensor tensor;
    tensor.dtype = type;
    if (!isScalar)
      tensor.shape = {int64_t(list.size())};
    tensor.owned.resize(list.size() * sizeof(list[0]));
    std::copy_n(reinterpret_cast<const std::byte *>(list.data()),
                tensor.owned.size(), tensor.owned.data());
    tensor.data = tensor.owned.data();
    tensor.bytes = tensor.owned.size();
    stored = std::make_shared<StoredTensor>(std::move(tensor));
  };
  if (node.hasAttribute("value_int"))
    make(DataType::I64, std::array{node.integer("value_int", 0)}, true);
  else if (node.hasAttribute("value_ints"))
    make(DataType::I64, node.integers("value_ints"), false);
  else if (node.hasAttribute("value_float"))
    make(DataType::F32, std::array{float(node.number("value_float", 0))}, true);
  else if (node.hasAttribute("value_floats"))
    make(DataType::F32, node.numbers("value_floats"), false);
  if (!node.require(stored != nullptr, "expected a tensor or numbers, but got "
                                       "another value"))
    return;
  StoredTensor copy = *stored;
  if (!copy.owned.empty())
    copy.data = copy.owned.data();
  // What the weight file calls it, if it becomes one.
  copy.name = node.outputName(0);
  Result<Tensor> tensor = makeStored(context, std::move(copy));
  if (tensor)
    node.set(0, tensor.take());
  else
    node.fail(tensor.error());
}

void importConstantOfShape(Node &node) {
  SmallVector<int64_t> shape = node.integersOf(0, "a shape");
  std::shared_ptr<const StoredTensor> stored = node.stored("value");
  double value = 0;
  if (stored && node.require(stored->size() == 1,
                             "expected one value, but got ", stored->size()))
    value = loadAsDouble(stored->data, stored->dtype, 0);
  for (int64_t size : shape)
    node.require(size >= 0, "expected sizes of at least 0, but got ", size);
  bool floats = !stored || isFloat(stored->dtype);
  if (!node.ok() || !node.require(floats, "expected floats, but got integers"))
    return;
  Type element = node.g.b.getF32Type();
  Tensor result{Sizes(shape.begin(), shape.end()), element};
  result.value = arith::ConstantOp::create(
      node.g.b, DenseElementsAttr::get(node.g.typeOf(result.sizes, element),
                                       float(value)));
  node.set(0, result);
}

} // namespace linnet::onnx
