//===- TensorEval.cpp - the tensor dialect --------------------------------===//

#include "Interpreter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace linnet::reference {

namespace tensor = mlir::tensor;

/// Values of mixed static and dynamic sizes.
static std::vector<int64_t> resolveSizes(ArrayRef<mlir::OpFoldResult> sizes,
                                         Scope &scope) {
  std::vector<int64_t> resolved;
  for (mlir::OpFoldResult size : sizes)
    resolved.push_back(mlir::isa<Value>(size)
                           ? scope.getIndex(mlir::cast<Value>(size))
                           : *mlir::getConstantIntValue(size));
  return resolved;
}

static Status evalEmpty(tensor::EmptyOp op, Scope &scope) {
  Result<HostTensor> y = makeZeros(resolveSizes(op.getMixedSizes(), scope));
  if (!y)
    return y.error();
  return scope.set(op.getResult(), y.take());
}

static Status evalSplat(tensor::SplatOp op, Scope &scope) {
  std::vector<int64_t> dims;
  auto dynamic = op.getDynamicSizes().begin();
  for (int64_t size : op.getType().getShape())
    dims.push_back(
        mlir::ShapedType::isDynamic(size) ? scope.getIndex(*dynamic++) : size);
  Result<HostTensor> y = makeZeros(dims);
  if (!y)
    return y.error();
  llvm::fill(y->values, scope.get(op.getInput()).values[0]);
  return scope.set(op.getResult(), y.take());
}

static Status evalDim(tensor::DimOp op, Scope &scope) {
  const HostTensor &source = scope.get(op.getSource());
  int64_t dim = scope.getIndex(op.getIndex());
  if (dim < 0 || dim >= source.rank())
    return makeError("expected a dimension below ", source.rank(), ", but got ",
                     dim);
  return scope.set(op.getResult(),
                   HostTensor::scalar(double(source.shape[dim])));
}

static Status evalCast(tensor::CastOp op, Scope &scope) {
  return scope.set(op.getResult(), scope.getRef(op.getSource()));
}

/// The source's values with another shape of as many elements.
static Status reshape(Operation *op, const HostTensor &source,
                      std::vector<int64_t> dims, Scope &scope) {
  Result<int64_t> count = countElements(dims);
  if (!count)
    return count.error();
  if (*count != source.size())
    return makeError("expected ", source.size(), " elements, but got shape ",
                     formatDims(dims));
  return scope.set(op->getResult(0),
                   HostTensor(std::move(dims), source.values));
}

static Status evalExpandShape(tensor::ExpandShapeOp op, Scope &scope) {
  return reshape(op, scope.get(op.getSrc()),
                 resolveSizes(op.getMixedOutputShape(), scope), scope);
}

static Status evalCollapseShape(tensor::CollapseShapeOp op, Scope &scope) {
  const HostTensor &source = scope.get(op.getSrc());
  std::vector<int64_t> dims;
  for (const mlir::ReassociationIndices &group : op.getReassociationIndices()) {
    dims.push_back(1);
    for (int64_t d : group)
      dims.back() *= source.shape[d];
  }
  return reshape(op, source, std::move(dims), scope);
}

namespace {
/// A strided window of a tensor.
struct Window {
  std::vector<int64_t> offsets, sizes, steps;

  template <typename OpT>
  Window(OpT op, Scope &scope)
      : offsets(resolveSizes(op.getMixedOffsets(), scope)),
        sizes(resolveSizes(op.getMixedSizes(), scope)),
        steps(resolveSizes(op.getMixedStrides(), scope)) {}

  Status check(ArrayRef<int64_t> shape) const {
    for (size_t d = 0; d < sizes.size(); ++d)
      if (sizes[d] < 0 || offsets[d] < 0 || steps[d] < 0 ||
          (sizes[d] > 0 &&
           (offsets[d] >= shape[d] || sizes[d] > shape[d] ||
            (sizes[d] > 1 &&
             steps[d] > (shape[d] - 1 - offsets[d]) / (sizes[d] - 1)))))
        return makeError("offset ", offsets[d], ", size ", sizes[d],
                         " and stride ", steps[d], " leave dimension ", d,
                         " of ", formatDims(shape));
    return {};
  }

  /// Calls `visit(i)` with the source position of each entry in order.
  void forEach(ArrayRef<int64_t> shape,
               llvm::function_ref<void(int64_t)> visit) const {
    std::vector<int64_t> strides = stridesOf(shape);
    std::vector<int64_t> index(sizes.size(), 0);
    int64_t count = 1;
    for (int64_t size : sizes)
      count *= size;
    for (int64_t i = 0; i < count; ++i) {
      int64_t position = 0;
      for (size_t d = 0; d < sizes.size(); ++d)
        position += (offsets[d] + index[d] * steps[d]) * strides[d];
      visit(position);
      for (size_t d = sizes.size(); d-- > 0;) {
        if (++index[d] < sizes[d])
          break;
        index[d] = 0;
      }
    }
  }
};
} // namespace

static Status evalExtractSlice(tensor::ExtractSliceOp op, Scope &scope) {
  const HostTensor &source = scope.get(op.getSource());
  Window window(op, scope);
  if (Status status = window.check(source.shape); !status)
    return status;
  HostTensor y;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (size_t d = 0; d < window.sizes.size(); ++d)
    if (!dropped[d])
      y.shape.push_back(window.sizes[d]);
  window.forEach(source.shape,
                 [&](int64_t i) { y.values.push_back(source.values[i]); });
  return scope.set(op.getResult(), std::move(y));
}

static Status evalInsertSlice(tensor::InsertSliceOp op, Scope &scope) {
  const HostTensor &source = scope.get(op.getSource());
  HostTensor y = scope.get(op.getDest());
  Window window(op, scope);
  if (Status status = window.check(y.shape); !status)
    return status;
  int64_t count = 1;
  for (int64_t size : window.sizes)
    count *= size;
  if (count != source.size())
    return makeError("expected a source of ", count,
                     " elements, but got shape ", formatDims(source.shape));
  int64_t next = 0;
  window.forEach(y.shape,
                 [&](int64_t i) { y.values[i] = source.values[next++]; });
  return scope.set(op.getResult(), std::move(y));
}

static Status evalConcat(tensor::ConcatOp op, Scope &scope) {
  int64_t dim = op.getDim();
  std::vector<int64_t> dims = scope.get(op.getInputs()[0]).shape;
  int64_t total = 0;
  for (Value input : op.getInputs()) {
    ArrayRef<int64_t> shape = scope.get(input).shape;
    dims[dim] = shape[dim];
    if (Status status = expectShape("an input", shape, dims); !status)
      return status;
    total += shape[dim];
  }
  dims[dim] = total;
  Result<HostTensor> y = makeZeros(dims);
  if (!y)
    return y.error();
  int64_t outer = 1;
  for (int64_t d = 0; d < dim; ++d)
    outer *= dims[d];
  auto out = y->values.begin();
  for (int64_t row = 0; row < outer; ++row)
    for (Value input : op.getInputs()) {
      const HostTensor &part = scope.get(input);
      int64_t length = part.size() / outer;
      out = std::copy_n(part.values.begin() + row * length, length, out);
    }
  return scope.set(op.getResult(), y.take());
}

void addTensorOps(OpTable &table) {
  table.add(evalEmpty);
  table.add(evalSplat);
  table.add(evalDim);
  table.add(evalCast);
  table.add(evalExpandShape);
  table.add(evalCollapseShape);
  table.add(evalExtractSlice);
  table.add(evalInsertSlice);
  table.add(evalConcat);
}

} // namespace linnet::reference
