//===- Npy.cpp - numpy array files ----------------------------------------===//
//
// Element types, size checks and memory order; the header is NpyHeader.cpp's.
//
//===----------------------------------------------------------------------===//

#include "linnet/Checkpoint/Npy.h"

#include "NpyHeader.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"

#include <cstring>

namespace linnet {
namespace {

struct TypeSpelling {
  std::string_view name;
  DataType type;
};
constexpr TypeSpelling kSpellings[] = {
    {"<f8", DataType::F64}, {"<f4", DataType::F32}, {"<f2", DataType::F16},
    {"<i8", DataType::I64}, {"<i4", DataType::I32}, {"<i2", DataType::I16},
    {"|i1", DataType::I8},  {"|u1", DataType::U8},  {"|b1", DataType::BOOL},
};

std::string supportedSpellings() {
  std::string list;
  for (const TypeSpelling &spelling : kSpellings) {
    list += list.empty() ? "" : ", ";
    list += spelling.name;
  }
  return list;
}

std::optional<DataType> parseDescr(std::string descr) {
  // Byte order does not matter for single bytes; '=' means native.
  if (descr.size() == 3 && descr[2] == '1')
    descr[0] = '|';
  else if (descr.starts_with('='))
    descr[0] = '<';
  for (const TypeSpelling &spelling : kSpellings)
    if (spelling.name == descr)
      return spelling.type;
  return std::nullopt;
}

/// Copies column-major `data` into row-major order.
void transpose(const char *data, const std::vector<int64_t> &shape,
               size_t elementSize, std::vector<std::byte> &out) {
  std::vector<size_t> strides(shape.size());
  size_t stride = elementSize;
  for (size_t i = 0; i < shape.size(); ++i) {
    strides[i] = stride;
    stride *= shape[i];
  }
  // An odometer over the row-major index; `source` follows it.
  std::vector<int64_t> index(shape.size(), 0);
  size_t source = 0;
  for (size_t at = 0; at < out.size(); at += elementSize) {
    std::memcpy(out.data() + at, data + source, elementSize);
    for (size_t i = shape.size(); i-- > 0;) {
      source += strides[i];
      if (++index[i] < shape[i])
        break;
      source -= strides[i] * shape[i];
      index[i] = 0;
    }
  }
}

template <typename T>
NpyArray makeArray(DataType type, std::vector<int64_t> shape,
                   const std::vector<T> &values) {
  NpyArray array;
  array.dtype = type;
  array.shape = std::move(shape);
  array.bytes.resize(values.size() * sizeof(T));
  if (!values.empty())
    std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  return array;
}

} // namespace

Result<NpyArray> parseNpy(std::string_view content, const std::string &what) {
  Result<NpyHeader> header = parseNpyHeader(content, what);
  if (!header)
    return header.error();
  std::optional<DataType> type = parseDescr(header->descr);
  if (!type)
    return makeError(what, ": expected element type ", supportedSpellings(),
                     ", but got ", quoteName(header->descr),
                     header->descr.starts_with('>') ? " (big-endian)" : "");
  std::optional<int64_t> count = elementCount(header->shape);
  size_t elementSize = dataTypeSize(*type);
  std::string_view data = content.substr(header->dataBegin);
  int64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, int64_t(elementSize), &bytes))
    return makeError(what, ": shape ", formatShape(header->shape),
                     " overflows 64 bits");
  if (data.size() != static_cast<size_t>(bytes))
    return makeError(what, ": expected ", bytes, " bytes of data for shape ",
                     formatShape(header->shape), ", but got ", data.size());

  NpyArray array;
  array.dtype = *type;
  array.shape = std::move(header->shape);
  array.bytes.resize(data.size());
  if (data.empty())
    return array;
  if (header->fortranOrder && array.shape.size() > 1)
    transpose(data.data(), array.shape, elementSize, array.bytes);
  else
    std::memcpy(array.bytes.data(), data.data(), data.size());
  return array;
}

Result<NpyArray> readNpy(const std::string &path) {
  // Regular files are mapped, which saves one copy; pipes are read.
  if (Result<MappedFile> mapped = MappedFile::open(path))
    return parseNpy(mapped->text(), path);
  Result<std::string> content = readFile(path);
  if (!content)
    return content.error();
  return parseNpy(*content, path);
}

Status writeNpy(const std::string &path, const NpyArray &array) {
  const TypeSpelling *spelling = nullptr;
  for (const TypeSpelling &candidate : kSpellings)
    if (candidate.type == array.dtype)
      spelling = &candidate;
  if (!spelling)
    return makeError("cannot write '", path, "': npy has no element type ",
                     dataTypeName(array.dtype));
  std::optional<int64_t> count = elementCount(array.shape);
  if (!count || array.shape.size() > kMaxNpyRank ||
      array.bytes.size() % dataTypeSize(array.dtype) != 0 ||
      array.size() != static_cast<size_t>(*count))
    return makeError("cannot write '", path, "': shape ",
                     formatShape(array.shape), " does not describe ",
                     array.bytes.size(), " bytes of ",
                     dataTypeName(array.dtype));
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  if (Status status = file->write(formatNpyHeader(spelling->name, array.shape));
      !status)
    return status;
  if (Status status = file->write(array.bytes.data(), array.bytes.size());
      !status)
    return status;
  return file->commit();
}

std::vector<double> NpyArray::toF64() const {
  std::vector<double> values(size());
  convertToF64(bytes.data(), dtype, values.data(), values.size());
  return values;
}

std::vector<float> NpyArray::toF32() const {
  std::vector<float> values(size());
  convertToF32(bytes.data(), dtype, values.data(), values.size());
  return values;
}

Result<std::vector<int64_t>> NpyArray::toI64() const {
  std::vector<int64_t> values(size());
  for (size_t i = 0; i < values.size(); ++i) {
    // int64 does not fit into a double.
    if (dtype == DataType::I64) {
      std::memcpy(&values[i], bytes.data() + i * 8, 8);
      continue;
    }
    double value = loadAsDouble(bytes.data(), dtype, i);
    if (!(value >= -0x1p63 && value < 0x1p63) ||
        value != static_cast<double>(static_cast<int64_t>(value)))
      return makeError("expected integers, but element ", i, " is ", value);
    values[i] = static_cast<int64_t>(value);
  }
  return values;
}

NpyArray NpyArray::fromF32(std::vector<int64_t> shape,
                           const std::vector<float> &values) {
  return makeArray(DataType::F32, std::move(shape), values);
}
NpyArray NpyArray::fromF64(std::vector<int64_t> shape,
                           const std::vector<double> &values) {
  return makeArray(DataType::F64, std::move(shape), values);
}
NpyArray NpyArray::fromI64(std::vector<int64_t> shape,
                           const std::vector<int64_t> &values) {
  return makeArray(DataType::I64, std::move(shape), values);
}
NpyArray NpyArray::fromI32(std::vector<int64_t> shape,
                           const std::vector<int32_t> &values) {
  return makeArray(DataType::I32, std::move(shape), values);
}

} // namespace linnet
