//===- WorkspacePlan.cpp - where tensors lie in a function's frame --------===//
//
// First fit over the free ranges of the frame; a tensor's range is free again
// after its last use, views included.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/FunctionLowering.h"
#include "passes/CPU/LinearFusion.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::linnet;

/// A cache line: no two buffers share one.
static constexpr int64_t kAlignment = 64;

int64_t FunctionLowering::reserve(int64_t bytes) {
  bytes = llvm::alignTo(std::max<int64_t>(bytes, 1), kAlignment);
  for (auto [begin, size] : freeRanges) {
    if (size < bytes)
      continue;
    freeRanges.erase(begin);
    if (size > bytes)
      freeRanges[begin + bytes] = size - bytes;
    return begin;
  }
  int64_t begin = frameEnd;
  frameEnd += bytes;
  result.frameBytes = std::max(result.frameBytes, frameEnd);
  return begin;
}

void FunctionLowering::release(int64_t begin, int64_t bytes) {
  bytes = llvm::alignTo(std::max<int64_t>(bytes, 1), kAlignment);
  auto next = freeRanges.lower_bound(begin);
  if (next != freeRanges.end() && next->first == begin + bytes) {
    bytes += next->second;
    next = freeRanges.erase(next);
  }
  if (next != freeRanges.begin()) {
    auto before = std::prev(next);
    if (before->first + before->second == begin) {
      before->second += bytes;
      return;
    }
  }
  freeRanges[begin] = bytes;
}

static int64_t sizeInBytes(MemRefType type) {
  return type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
}

/// The buffer at `begin` of the frame.
static Value frameAddress(ImplicitLocOpBuilder &b, Value workspace, Value frame,
                          int64_t begin) {
  Value offset = arith::AddIOp::create(
      b, frame, arith::ConstantOp::create(b, b.getI64IntegerAttr(begin)));
  return LLVM::GEPOp::create(b, workspace.getType(), b.getI8Type(), workspace,
                             ArrayRef<LLVM::GEPArg>{offset});
}

Buffer FunctionLowering::temporary(ArrayRef<int64_t> shape, Type element) {
  Buffer fresh;
  fresh.type = MemRefType::get(shape, element);
  int64_t bytes = sizeInBytes(fresh.type);
  fresh.begin = reserve(bytes);
  fresh.end = fresh.begin + std::max<int64_t>(bytes, 1);
  fresh.pointer =
      frameAddress(b,
                   field(InvocationField::Workspace,
                         LLVM::LLVMPointerType::get(b.getContext())),
                   frame, fresh.begin);
  temporaries.push_back({fresh.begin, bytes});
  return fresh;
}

Buffer FunctionLowering::allocate(Value tensor) {
  auto tensorType = cast<RankedTensorType>(tensor.getType());
  MemRefType type = boundedType(tensorType);
  Buffer fresh = temporary(type.getShape(), type.getElementType());
  owned[tensor] = temporaries.pop_back_val();
  fresh.dynamicTokens = hasDynamicTokens(tensorType);
  return fresh;
}

void FunctionLowering::releaseDead(Operation *op) {
  for (auto [begin, bytes] : temporaries)
    release(begin, bytes);
  temporaries.clear();
  SmallVector<Value> dead;
  for (auto &[value, range] : owned) {
    bool live = false;
    SmallVector<Value> names{value};
    while (!names.empty() && !live) {
      Value name = names.pop_back_val();
      for (Operation *user : name.getUsers()) {
        if (user->getBlock() == op->getBlock() && op->isBeforeInBlock(user))
          live = true;
        // A view keeps its source alive, and so does what is read by an order.
        if (isa<ViewLikeOpInterface>(user) ||
            user->getName().getDialectNamespace() == "tensor" ||
            isReadInOrder(*this, user))
          llvm::append_range(names, user->getResults());
      }
    }
    if (!live)
      dead.push_back(value);
  }
  // The map's order follows addresses: release in a fixed order.
  llvm::sort(dead,
             [&](Value x, Value y) { return owned[x].first < owned[y].first; });
  for (Value value : dead) {
    auto [begin, bytes] = owned[value];
    release(begin, bytes);
    owned.erase(value);
  }
}
