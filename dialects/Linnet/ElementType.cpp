//===- ElementType.cpp - the types of stored numbers in IR ----------------===//

#include "dialects/Linnet/ElementType.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using ::linnet::DataType;

Type mlir::linnet::elementTypeOf(MLIRContext *context, DataType type) {
  Builder b(context);
  switch (type) {
  case DataType::F64:
    return b.getF64Type();
  case DataType::F32:
    return b.getF32Type();
  case DataType::F16:
    return b.getF16Type();
  case DataType::BF16:
    return b.getBF16Type();
  case DataType::F8E4M3:
    return Float8E4M3FNType::get(context);
  case DataType::F8E5M2:
    return Float8E5M2Type::get(context);
  case DataType::I64:
    return b.getI64Type();
  case DataType::I32:
    return b.getI32Type();
  case DataType::I16:
    return b.getIntegerType(16);
  case DataType::I8:
    return b.getI8Type();
  case DataType::BOOL:
    return b.getI1Type();
  case DataType::U8:
    break;
  }
  return {};
}
