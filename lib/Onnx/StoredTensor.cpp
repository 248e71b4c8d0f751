//===- StoredTensor.cpp - tensors of an ONNX model ------------------------===//

#include "StoredTensor.h"

#include "linnet/Support/Quote.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

namespace linnet::onnx {
namespace {

struct TypeName {
  int32_t number;
  const char *name;
  std::optional<DataType> type;
};

constexpr TypeName kTypes[] = {{1, "FLOAT", DataType::F32},
                               {2, "UINT8", DataType::U8},
                               {3, "INT8", DataType::I8},
                               {4, "UINT16", std::nullopt},
                               {5, "INT16", DataType::I16},
                               {6, "INT32", DataType::I32},
                               {7, "INT64", DataType::I64},
                               {8, "STRING", std::nullopt},
                               {9, "BOOL", DataType::BOOL},
                               {10, "FLOAT16", DataType::F16},
                               {11, "DOUBLE", DataType::F64},
                               {12, "UINT32", std::nullopt},
                               {13, "UINT64", std::nullopt},
                               {14, "COMPLEX64", std::nullopt},
                               {15, "COMPLEX128", std::nullopt},
                               {16, "BFLOAT16", DataType::BF16},
                               {17, "FLOAT8E4M3FN", DataType::F8E4M3},
                               {18, "FLOAT8E4M3FNUZ", std::nullopt},
                               {19, "FLOAT8E5M2", DataType::F8E5M2},
                               {20, "FLOAT8E5M2FNUZ", std::nullopt},
                               {21, "UINT4", std::nullopt},
                               {22, "INT4", std::nullopt},
                               {23, "FLOAT4E2M1", std::nullopt}};

/// The elements of a typed field, each narrowed to the low bytes that hold it:
/// the message keeps halves and bytes in int32.
template <typename List>
std::vector<std::byte> gather(const List &list, size_t elementSize) {
  std::vector<std::byte> bytes(list.size() * elementSize);
  size_t next = 0;
  for (auto value : list)
    std::memcpy(bytes.data() + elementSize * next++, &value, elementSize);
  return bytes;
}

std::vector<std::byte> gatherTyped(const TensorProto &proto, DataType type) {
  size_t size = dataTypeSize(type);
  switch (type) {
  case DataType::F32:
    return gather(proto.float_data(), size);
  case DataType::F64:
    return gather(proto.double_data(), size);
  case DataType::I64:
    return gather(proto.int64_data(), size);
  default:
    return gather(proto.int32_data(), size);
  }
}

/// A size in an external_data entry.
Result<size_t> parseSize(const std::string &text, const std::string &key,
                         const std::string &tensor) {
  size_t value = 0;
  auto [end, code] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    return makeError("tensor ", quoteName(tensor), ": expected a number for ",
                     key, " of its external data, but got ", quoteName(text));
  return value;
}

} // namespace

std::optional<DataType> dataTypeOf(int32_t number) {
  for (const TypeName &entry : kTypes)
    if (entry.number == number)
      return entry.type;
  return std::nullopt;
}

int32_t numberOf(DataType type) {
  return std::find_if(std::begin(kTypes), std::end(kTypes),
                      [&](const TypeName &entry) { return entry.type == type; })
      ->number;
}

std::string nameOfDataType(int32_t number) {
  for (const TypeName &entry : kTypes)
    if (entry.number == number)
      return entry.name;
  return std::to_string(number);
}

int64_t StoredTensor::integer(size_t i) const {
  if (dtype != DataType::I64)
    return int64_t(loadAsDouble(data, dtype, i));
  int64_t value;
  std::memcpy(&value, data + i * sizeof(value), sizeof(value));
  return value;
}

TensorReader::TensorReader(const std::string &path)
    : directory(std::filesystem::path(path).parent_path().string()) {}

Status TensorReader::readExternal(const TensorProto &proto,
                                  StoredTensor &tensor) {
  std::string location;
  size_t offset = 0;
  std::optional<size_t> length;
  for (const StringStringEntryProto &entry : proto.external_data()) {
    if (entry.key() == "location") {
      location = entry.value();
    } else if (entry.key() == "offset" || entry.key() == "length") {
      Result<size_t> value = parseSize(entry.value(), entry.key(), tensor.name);
      if (!value)
        return value.error();
      (entry.key() == "offset" ? offset : length.emplace()) = *value;
    }
  }
  // A model may name files of its own folder only.
  std::filesystem::path relative(location);
  bool leaves =
      relative.is_absolute() ||
      std::find(relative.begin(), relative.end(), "..") != relative.end();
  if (location.empty() || leaves || location.find('\0') != std::string::npos)
    return makeError("tensor ", quoteName(tensor.name),
                     ": expected external data in the model's folder, but got ",
                     quoteName(location));
  std::string path = (std::filesystem::path(directory) / relative).string();
  auto file = files.find(path);
  if (file == files.end()) {
    Result<MappedFile> mapped = MappedFile::open(path);
    if (!mapped)
      return makeError("tensor ", quoteName(tensor.name), ": ",
                       mapped.error().str());
    file = files.emplace(path, mapped.take()).first;
  }
  size_t available = file->second.size();
  if (offset > available || length.value_or(0) > available - offset)
    return makeError("tensor ", quoteName(tensor.name), ": expected bytes ",
                     offset, " to ", offset + length.value_or(0), " of ",
                     quoteName(path), ", but it has ", available);
  tensor.data = file->second.data() + offset;
  tensor.bytes = length.value_or(available - offset);
  return {};
}

Result<StoredTensor> TensorReader::read(const TensorProto &proto) {
  StoredTensor tensor;
  tensor.name = proto.name();
  std::optional<DataType> type = dataTypeOf(proto.data_type());
  if (!type)
    return makeError("tensor ", quoteName(tensor.name),
                     ": expected a data type that Linnet stores, but got ",
                     nameOfDataType(proto.data_type()));
  tensor.dtype = *type;
  tensor.shape.assign(proto.dims().begin(), proto.dims().end());
  std::optional<int64_t> count = elementCount(tensor.shape);
  // The bound keeps the count of bytes within its type as well.
  if (!count || *count > (int64_t(1) << 56))
    return makeError("tensor ", quoteName(tensor.name),
                     ": expected sizes of a tensor, but got ",
                     formatShape(tensor.shape));

  constexpr int32_t kExternal = 1;
  if (proto.data_location() == kExternal) {
    if (Status status = readExternal(proto, tensor); !status)
      return status.error();
  } else if (proto.has_raw_data()) {
    tensor.data = reinterpret_cast<const std::byte *>(proto.raw_data().data());
    tensor.bytes = proto.raw_data().size();
  } else {
    tensor.owned = gatherTyped(proto, *type);
    tensor.data = tensor.owned.data();
    tensor.bytes = tensor.owned.size();
  }
  size_t expected = size_t(*count) * dataTypeSize(*type);
  if (tensor.bytes != expected)
    return makeError("tensor ", quoteName(tensor.name), ": expected ", expected,
                     " bytes for ", formatShape(tensor.shape), " of ",
                     nameOfDataType(proto.data_type()), ", but got ",
                     tensor.bytes);
  return tensor;
}

} // namespace linnet::onnx
