//===- Safetensors.cpp - reading one safetensors file ---------------------===//
//
// The header is believed only after every claim in it was checked against the
// size of the file and against the other claims.
//
//===----------------------------------------------------------------------===//

#include "linnet/Checkpoint/Safetensors.h"

#include "linnet/Support/Hash.h"
#include "linnet/Support/Json.h"
#include "linnet/Support/Quote.h"

#include <algorithm>
#include <tuple>

namespace linnet {
namespace {

/// The limit of the reference implementation.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;

uint64_t readLength(std::string_view prefix) {
  uint64_t length = 0;
  for (size_t i = kLengthBytes; i-- > 0;)
    length = length << 8 | static_cast<unsigned char>(prefix[i]);
  return length;
}

/// Checks the length field and returns the JSON text of the header.
Result<std::string_view> headerText(std::string_view prefix, size_t fileSize,
                                    const std::string &path) {
  // Clones without git-lfs hold such a text in place of every large file.
  if (prefix.starts_with("version https://git-lfs"))
    return makeError(path, ": expected a safetensors file, but got a git-lfs "
                           "pointer (fetch it with 'git lfs pull')");
  if (fileSize < kLengthBytes || prefix.size() < kLengthBytes)
    return makeError(path, ": expected a safetensors file of at least ",
                     kLengthBytes, " bytes, but got ", fileSize, " bytes");
  uint64_t length = readLength(prefix);
  if (length > fileSize - kLengthBytes)
    return makeError(path, ": the header claims ", length,
                     " bytes, but the file has ", fileSize - kLengthBytes,
                     " after the length field (truncated, or not a safetensors "
                     "file)");
  if (length > kMaxHeaderBytes)
    return makeError(path, ": expected a header of at most ", kMaxHeaderBytes,
                     " bytes, but got ", length);
  if (length > prefix.size() - kLengthBytes)
    return makeError(path, ": the header is incomplete");
  std::string_view text = prefix.substr(kLengthBytes, length);
  if (!text.starts_with('{'))
    return makeError(path, ": expected the header to begin with '{' (not a "
                           "safetensors file)");
  return text;
}

/// `value` as a list of integers from 0 to 2^63 - 1.
std::optional<std::vector<int64_t>> naturals(const Json *value) {
  if (!value || !value->is_array())
    return std::nullopt;
  std::vector<int64_t> list;
  list.reserve(value->size());
  for (const Json &item : *value) {
    // Anything above int64 is kept as unsigned or as a double.
    if (!item.is_number_integer() || item.is_number_unsigned() ||
        item.get<int64_t>() < 0)
      return std::nullopt;
    list.push_back(item.get<int64_t>());
  }
  return list;
}

std::string describe(const Json *value) {
  return value ? describeJson(*value) : "nothing";
}

/// Reads one entry; offsets are still relative to the data section.
Result<TensorInfo> parseTensor(const std::string &name, const Json &entry,
                               size_t dataSize, const std::string &path) {
  auto fail = [&](const auto &...parts) {
    return makeError("tensor ", quoteName(name), " in ", path, ": ", parts...);
  };
  if (!entry.is_object())
    return fail("expected an object, but got ", describeJson(entry));

  TensorInfo tensor;
  tensor.name = name;
  const Json *dtype = findJson(entry, "dtype");
  std::optional<DataType> type;
  if (dtype && dtype->is_string())
    type = parseDataType(dtype->get_ref<const std::string &>());
  if (!type)
    return fail("expected dtype to be one of ", supportedDataTypes(),
                ", but got ", describe(dtype));
  tensor.dtype = *type;

  const Json *shape = findJson(entry, "shape");
  std::optional<std::vector<int64_t>> dimensions = naturals(shape);
  if (!dimensions)
    return fail("expected shape to be a list of non-negative integers, but "
                "got ",
                describe(shape));
  tensor.shape = std::move(*dimensions);
  std::optional<int64_t> count = elementCount(tensor.shape);
  int64_t bytes = 0;
  if (!count ||
      __builtin_mul_overflow(*count, int64_t(dataTypeSize(*type)), &bytes))
    return fail("shape ", formatShape(tensor.shape), " overflows 64 bits");

  const Json *range = findJson(entry, "data_offsets");
  std::optional<std::vector<int64_t>> offsets = naturals(range);
  if (!offsets || offsets->size() != 2)
    return fail("expected data_offsets to be two non-negative integers, but "
                "got ",
                describe(range));
  tensor.begin = (*offsets)[0];
  tensor.end = (*offsets)[1];
  if (tensor.begin > tensor.end)
    return fail("data_offsets ", formatShape(*offsets), " run backwards");
  if (tensor.end > dataSize)
    return fail("data_offsets ", formatShape(*offsets), " exceed the ",
                dataSize, " bytes of data (truncated file?)");
  if (tensor.bytes() != static_cast<size_t>(bytes))
    return fail("expected ", bytes, " bytes for ", dataTypeName(*type), " ",
                formatShape(tensor.shape), ", but got ", tensor.bytes());
  return tensor;
}

/// Sorts the tensors by place and checks that they cover the data exactly.
Status checkCoverage(std::vector<TensorInfo> &tensors, size_t dataSize,
                     const std::string &path) {
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorInfo &a, const TensorInfo &b) {
              return std::tie(a.begin, a.end, a.name) <
                     std::tie(b.begin, b.end, b.name);
            });
  size_t covered = 0;
  const TensorInfo *previous = nullptr;
  for (const TensorInfo &tensor : tensors) {
    if (tensor.begin < covered)
      return makeError("tensor ", quoteName(tensor.name), " in ", path,
                       ": its data overlaps that of tensor ",
                       quoteName(previous->name));
    if (tensor.begin > covered)
      return makeError("tensor ", quoteName(tensor.name), " in ", path, ": ",
                       tensor.begin - covered,
                       " bytes before its data belong to no tensor");
    covered = tensor.end;
    previous = &tensor;
  }
  if (covered != dataSize)
    return makeError(path, ": expected ", covered,
                     " bytes of data as the header describes, but got ",
                     dataSize);
  return Status();
}

Status readMetadata(const Json &value, std::map<std::string, std::string> &out,
                    const std::string &path) {
  if (value.is_null())
    return Status();
  if (!value.is_object())
    return makeError(path, ": expected __metadata__ to be an object, but got ",
                     describeJson(value));
  for (const auto &[key, text] : value.items()) {
    if (!text.is_string())
      return makeError(path, ": expected a string at __metadata__ key ",
                       quoteName(key), ", but got ", describeJson(text));
    out[key] = text.get_ref<const std::string &>();
  }
  return Status();
}

} // namespace

Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view prefix,
                                                 size_t fileSize,
                                                 const std::string &path) {
  Result<std::string_view> text = headerText(prefix, fileSize, path);
  if (!text)
    return text.error();
  Result<Json> json = parseJson(*text, path + ": header");
  if (!json)
    return json.error();

  SafetensorsHeader header;
  header.dataBegin = kLengthBytes + text->size();
  size_t dataSize = fileSize - header.dataBegin;
  header.tensors.reserve(json->size());
  for (const auto &[name, entry] : json->items()) {
    if (name == "__metadata__") {
      if (Status status = readMetadata(entry, header.metadata, path); !status)
        return status.error();
      continue;
    }
    Result<TensorInfo> tensor = parseTensor(name, entry, dataSize, path);
    if (!tensor)
      return tensor.error();
    header.tensors.push_back(tensor.take());
  }
  if (Status status = checkCoverage(header.tensors, dataSize, path); !status)
    return status.error();
  for (TensorInfo &tensor : header.tensors) {
    tensor.begin += header.dataBegin;
    tensor.end += header.dataBegin;
  }
  return header;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped)
    return mapped.error();
  Result<SafetensorsHeader> header =
      parseSafetensorsHeader(mapped->text(), mapped->size(), path);
  if (!header)
    return header.error();
  SafetensorsFile file;
  file.name = path;
  file.file = mapped.take();
  file.header = header.take();
  for (size_t i = 0; i < file.header.tensors.size(); ++i)
    file.index.emplace(file.header.tensors[i].name, i);
  return file;
}

const TensorInfo *SafetensorsFile::find(std::string_view tensor) const {
  auto it = index.find(std::string(tensor));
  return it == index.end() ? nullptr : &header.tensors[it->second];
}

uint64_t SafetensorsFile::headerHash() const {
  return Hasher()
      .update(file.data(), header.dataBegin)
      .update(uint64_t(file.size()))
      .finish();
}

} // namespace linnet
