//===- fuzz-safetensors.cpp - the header of a safetensors file ------------===//
//
// Whatever is accepted must tile the data section and survive being written
// again.
//
//===----------------------------------------------------------------------===//

#include "test/fuzz/Invariant.h"

#include "linnet/Checkpoint/Safetensors.h"
#include "linnet/Checkpoint/SafetensorsWriter.h"

using namespace linnet;

/// The same tensors in a file laid out by the writer.
static void checkRewritten(const SafetensorsHeader &header) {
  std::vector<TensorSpec> specs;
  for (const TensorInfo &tensor : header.tensors) {
    // The reader is more tolerant: it has no reason to refuse an empty name.
    if (tensor.name.empty())
      return;
    specs.push_back({tensor.name, tensor.dtype, tensor.shape});
  }
  Result<SafetensorsLayout> layout =
      layOutSafetensors(specs, header.metadata, "copy");
  check(static_cast<bool>(layout));
  Result<SafetensorsHeader> back =
      parseSafetensorsHeader(layout->header, layout->fileSize, "copy");
  check(static_cast<bool>(back));
  check(back->tensors.size() == header.tensors.size());
  check(back->metadata == header.metadata);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char *>(data), size);
  Result<SafetensorsHeader> header =
      parseSafetensorsHeader(bytes, size, "fuzz");
  if (!header) {
    checkMessage(header.error().str());
    return 0;
  }
  size_t covered = header->dataBegin;
  double sum = 0;
  for (const TensorInfo &tensor : header->tensors) {
    check(tensor.begin == covered);
    covered = tensor.end;
    size_t elements = tensor.bytes() / dataTypeSize(tensor.dtype);
    check(elementCount(tensor.shape) == static_cast<int64_t>(elements));
    for (size_t i = 0; i < elements; ++i)
      sum += loadAsDouble(data + tensor.begin, tensor.dtype, i);
  }
  check(covered == size);
  volatile double used = sum;
  (void)used;
  checkRewritten(*header);
  return 0;
}
