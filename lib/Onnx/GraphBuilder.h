//===- GraphBuilder.h - what operators are imported with ------*- C++ -*-===//
//
// Values with their sizes, and the ways to make new ones. Callers check that
// sizes fit before they build.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_ONNX_GRAPHBUILDER_H
#define LIB_ONNX_GRAPHBUILDER_H

#include "Size.h"
#include "StoredTensor.h"

#include "dialects/Linnet/ElementType.h"
#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace linnet::onnx {

/// The dialect's operations, attributes and enums.
namespace ir = mlir::linnet;

/// A value of the graph.
struct Tensor {
  Sizes sizes;
  mlir::Type element;
  /// Null as long as the tensor is only stored.
  mlir::Value value = {};
  std::shared_ptr<const StoredTensor> stored = {};
  /// The elements, row-major, of integers that are known at import.
  std::optional<llvm::SmallVector<Size>> entries = {};

  int64_t rank() const { return int64_t(sizes.size()); }
  bool isFloat() const { return mlir::isa<mlir::FloatType>(element); }
};

/// Makes one element of the arguments' elements, or, as the operations are
/// elementwise, whole tensors of whole tensors.
using ElementBody = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

class GraphBuilder {
public:
  GraphBuilder(mlir::MLIRContext &context);

  mlir::ImplicitLocOpBuilder b;

  //===--- sizes ---------------------------------------------------------===//

  /// A new symbol for the size that `value` (of type index) holds.
  Size newSymbol(mlir::Value value);
  mlir::OpFoldResult build(const Size &size);
  llvm::SmallVector<mlir::OpFoldResult> build(llvm::ArrayRef<Size> sizes);
  mlir::RankedTensorType typeOf(llvm::ArrayRef<Size> sizes,
                                mlir::Type element) const;
  /// The sum, which is a symbol of its own if it is not static.
  Size sum(llvm::ArrayRef<Size> sizes);

  //===--- tensors -------------------------------------------------------===//

  /// The value of `tensor`; stored ones become constants if they have one
  /// element or are integers, otherwise weights. Floats are f32.
  mlir::Value read(Tensor &tensor);
  /// The same, but a stored tensor is a weight in its own type.
  mlir::Value readWeight(Tensor &tensor);

  mlir::Value empty(llvm::ArrayRef<Size> sizes, mlir::Type element);
  /// body of the inputs, whose dimensions lie along the last of `sizes`; those
  /// of size 1 broadcast.
  mlir::Value pointwise(llvm::MutableArrayRef<Tensor *> inputs,
                        llvm::ArrayRef<Size> sizes, mlir::Type element,
                        ElementBody body);
  /// Dimension d of the result is dimension order[d]. Of a transposition it
  /// makes one transposition, or none.
  mlir::Value transpose(const Tensor &x, llvm::ArrayRef<int64_t> order);
  /// The same elements in `sizes`, grouped as groupSizes says.
  mlir::Value reshape(const Tensor &x, llvm::ArrayRef<Size> sizes,
                      llvm::ArrayRef<SizeGroup> groups);
  /// The same for sizes that are known to fit.
  Tensor reshaped(const Tensor &x, llvm::ArrayRef<Size> sizes);
  /// Entries offset, offset + step, ... of dimension `dim`.
  Tensor slice(const Tensor &x, int64_t dim, const Size &offset,
               const Size &count, int64_t step = 1);
  Tensor concat(llvm::ArrayRef<Tensor> parts, int64_t dim, const Size &total);
  /// Each entry of dimension `dim` `times` times, one after the other.
  Tensor repeat(const Tensor &x, int64_t dim, int64_t times);
  /// The scalar `value` of f32.
  mlir::Value scalar(double value);
  /// `combine` over dimensions `axes`, which stay with size 1, from `start`.
  Tensor reduce(const Tensor &x, llvm::ArrayRef<int64_t> axes, double start,
                ElementBody combine);

  /// The stored tensors that became weights, by key.
  const std::map<std::string, std::shared_ptr<const StoredTensor>> &
  weights() const {
    return named;
  }

private:
  mlir::Value constantOf(const Tensor &tensor);

  std::vector<mlir::Value> symbols;
  std::map<std::string, std::shared_ptr<const StoredTensor>> named;
  struct Transposition {
    mlir::Value source;
    llvm::SmallVector<int64_t> order;
  };
  llvm::DenseMap<mlir::Value, Transposition> transpositions;
};

using mlir::linnet::elementTypeOf;

} // namespace linnet::onnx

#endif // LIB_ONNX_GRAPHBUILDER_H
