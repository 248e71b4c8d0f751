//===- fuzz-npy.cpp - numpy arrays ----------------------------------------===//
//
// An accepted array describes its bytes and can be read in every way.
//
//===----------------------------------------------------------------------===//

#include "test/fuzz/Invariant.h"

#include "linnet/Checkpoint/Npy.h"

using namespace linnet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char *>(data), size);
  Result<NpyArray> array = parseNpy(bytes, "fuzz");
  if (!array) {
    checkMessage(array.error().str());
    return 0;
  }
  check(elementCount(array->shape) == static_cast<int64_t>(array->size()));
  check(array->toF64().size() == array->size());
  check(array->toF32().size() == array->size());
  if (Result<std::vector<int64_t>> integers = array->toI64(); !integers)
    checkMessage(integers.error().str());
  return 0;
}
