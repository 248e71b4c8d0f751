//===- SafetensorsWriter.cpp - writing a safetensors file -----------------===//
//
// Layout and header are computed before the first byte of data arrives.
//
//===----------------------------------------------------------------------===//

#include "linnet/Checkpoint/SafetensorsWriter.h"

#include "linnet/Support/Json.h"
#include "linnet/Support/Quote.h"

#include <algorithm>

namespace linnet {
namespace {

constexpr size_t kAlignment = 8;

Status checkSpec(const TensorSpec &tensor, const std::string &path,
                 int64_t &bytes) {
  auto fail = [&](const auto &...parts) {
    return makeError("tensor ", quoteName(tensor.name), " for ", path, ": ",
                     parts...);
  };
  if (tensor.name.empty() || tensor.name == "__metadata__")
    return fail("expected another name");
  if (!isUtf8(tensor.name))
    return fail("the name is not UTF-8");
  std::optional<int64_t> count = elementCount(tensor.shape);
  if (!count || __builtin_mul_overflow(
                    *count, int64_t(dataTypeSize(tensor.dtype)), &bytes))
    return fail("shape ", formatShape(tensor.shape),
                " is negative or overflows 64 bits");
  return Status();
}

} // namespace

Result<SafetensorsLayout>
layOutSafetensors(std::vector<TensorSpec> tensors,
                  const std::map<std::string, std::string> &metadata,
                  const std::string &path) {
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorSpec &a, const TensorSpec &b) {
              size_t sizeA = dataTypeSize(a.dtype);
              size_t sizeB = dataTypeSize(b.dtype);
              return sizeA != sizeB ? sizeA > sizeB : a.name < b.name;
            });

  // Entries are joined by hand: a JSON object would reorder them by name, and
  // a header in file order is easier to read.
  std::string header = "{";
  if (!metadata.empty()) {
    for (const auto &[key, value] : metadata)
      if (!isUtf8(key) || !isUtf8(value))
        return makeError(path, ": metadata ", quoteName(key), " is not UTF-8");
    header += "\"__metadata__\":" + Json(metadata).dump();
  }
  SafetensorsLayout layout;
  int64_t end = 0;
  for (const TensorSpec &tensor : tensors) {
    int64_t bytes = 0;
    if (Status status = checkSpec(tensor, path, bytes); !status)
      return status.error();
    int64_t begin = end;
    if (__builtin_add_overflow(begin, bytes, &end))
      return makeError(path, ": the tensors exceed 2^63 bytes");
    if (!layout.ranges.emplace(tensor.name, std::pair(begin, end)).second)
      return makeError("tensor ", quoteName(tensor.name), " for ", path,
                       ": expected its name once, but got it twice");
    if (header.size() > 1)
      header += ',';
    header += Json(tensor.name).dump() + ":{\"dtype\":\"" +
              std::string(dataTypeName(tensor.dtype)) +
              "\",\"shape\":" + Json(tensor.shape).dump() +
              ",\"data_offsets\":[" + std::to_string(begin) + "," +
              std::to_string(end) + "]}";
  }
  header += '}';
  header.resize((header.size() + kAlignment - 1) / kAlignment * kAlignment,
                ' ');

  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i)
    length[i] = static_cast<char>(uint64_t(header.size()) >> (8 * i));
  layout.header = length + header;
  for (auto &[name, range] : layout.ranges) {
    range.first += layout.header.size();
    range.second += layout.header.size();
  }
  layout.fileSize = layout.header.size() + size_t(end);
  return layout;
}

Result<SafetensorsWriter>
SafetensorsWriter::create(const std::string &path,
                          std::vector<TensorSpec> tensors,
                          const std::map<std::string, std::string> &metadata) {
  Result<SafetensorsLayout> layout =
      layOutSafetensors(std::move(tensors), metadata, path);
  if (!layout)
    return layout.error();
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  SafetensorsWriter writer(file.take());
  if (Status status =
          writer.file.writeAt(0, layout->header.data(), layout->header.size());
      !status)
    return status.error();
  for (const auto &[name, range] : layout->ranges)
    writer.slots[name] = {range.first, range.second, range.first};
  return writer;
}

Status SafetensorsWriter::append(std::string_view name, const void *data,
                                 size_t bytes) {
  auto it = slots.find(std::string(name));
  if (it == slots.end())
    return makeError("tensor ", quoteName(name), " for ", file.path(),
                     ": not announced when the file was created");
  Slot &slot = it->second;
  if (bytes > slot.end - slot.next)
    return makeError("tensor ", quoteName(name), " for ", file.path(),
                     ": expected ", slot.end - slot.begin,
                     " bytes in all, but got at least ",
                     slot.next - slot.begin + bytes);
  if (Status status = file.writeAt(slot.next, data, bytes); !status)
    return status;
  slot.next += bytes;
  return Status();
}

Status SafetensorsWriter::commit() {
  for (const auto &[name, slot] : slots)
    if (slot.next != slot.end) {
      file.discard();
      return makeError("tensor ", quoteName(name), " for ", file.path(),
                       ": expected ", slot.end - slot.begin, " bytes, but got ",
                       slot.next - slot.begin);
    }
  return file.commit();
}

} // namespace linnet
