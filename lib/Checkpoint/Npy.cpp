//===- Npy.cpp - numpy array files ----------------------------------------===//
//
// The header of a .npy file is a Python dictionary literal; only the three
// entries that numpy writes are understood.
//
//===----------------------------------------------------------------------===//

#include "linnet/Checkpoint/Npy.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"

#include <charconv>
#include <cstring>

namespace linnet {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
/// numpy itself has at most 64 dimensions, so real headers are short.
constexpr size_t kMaxHeaderBytes = 1 << 16;
constexpr size_t kMaxRank = 64;

struct NpyHeader {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

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

/// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
public:
  HeaderParser(std::string_view text, const std::string &what)
      : text(text), what(what) {}

  Result<NpyHeader> parse() {
    NpyHeader header;
    bool hasDescr = false, hasOrder = false, hasShape = false;
    if (!consume('{'))
      return malformed("'{'");
    while (!consume('}')) {
      std::optional<std::string> key = string();
      if (!key || !consume(':'))
        return malformed("a key");
      bool *seen = *key == "descr"           ? &hasDescr
                   : *key == "fortran_order" ? &hasOrder
                   : *key == "shape"         ? &hasShape
                                             : nullptr;
      if (!seen || *seen)
        return makeError(what, ": ", seen ? "duplicate" : "unknown", " key ",
                         quoteName(*key), " in the npy header");
      *seen = true;
      if (Status status = value(*key, header); !status)
        return status.error();
      if (!consume(',') && peek() != '}')
        return malformed("',' or '}'");
    }
    skipSpace();
    if (pos != text.size())
      return malformed("the end");
    if (!hasDescr || !hasOrder || !hasShape)
      return makeError(what, ": missing key '",
                       !hasDescr   ? "descr"
                       : !hasOrder ? "fortran_order"
                                   : "shape",
                       "' in the npy header");
    return header;
  }

private:
  Error malformed(std::string_view expected) {
    skipSpace();
    if (pos >= text.size())
      return makeError(what, ": expected ", expected,
                       " in the npy header, but got its end");
    return makeError(what, ": expected ", expected,
                     " in the npy header, but got ",
                     quoteName(text.substr(pos, 20)));
  }

  void skipSpace() {
    while (pos < text.size() &&
           (text[pos] == ' ' || text[pos] == '\n' || text[pos] == '\t'))
      ++pos;
  }

  char peek() {
    skipSpace();
    return pos < text.size() ? text[pos] : '\0';
  }

  bool consume(char c) {
    if (peek() != c)
      return false;
    ++pos;
    return true;
  }

  bool consumeWord(std::string_view word) {
    skipSpace();
    if (!text.substr(pos).starts_with(word))
      return false;
    pos += word.size();
    return true;
  }

  std::optional<std::string> string() {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      return std::nullopt;
    size_t end = text.find(quote, pos + 1);
    if (end == text.npos)
      return std::nullopt;
    std::string content(text.substr(pos + 1, end - pos - 1));
    // No type or key that is understood needs an escape.
    if (content.find('\\') != content.npos)
      return std::nullopt;
    pos = end + 1;
    return content;
  }

  Status value(const std::string &key, NpyHeader &header) {
    if (key == "shape")
      return shape(header.shape);
    if (key == "fortran_order") {
      header.fortranOrder = consumeWord("True");
      if (header.fortranOrder || consumeWord("False"))
        return Status();
      return malformed("True or False");
    }
    if (peek() == '[')
      return makeError(what, ": expected a plain element type, but got a "
                             "structured one");
    std::optional<std::string> descr = string();
    if (!descr)
      return malformed("an element type");
    header.descr = std::move(*descr);
    return Status();
  }

  Status shape(std::vector<int64_t> &out) {
    if (!consume('('))
      return malformed("'('");
    while (!consume(')')) {
      skipSpace();
      int64_t dimension = 0;
      auto [end, code] = std::from_chars(text.data() + pos,
                                         text.data() + text.size(), dimension);
      if (code == std::errc::result_out_of_range)
        return makeError(what, ": a dimension overflows 64 bits");
      if (code != std::errc())
        return malformed("a dimension");
      if (dimension < 0)
        return makeError(what, ": expected non-negative dimensions, but got ",
                         dimension);
      pos = end - text.data();
      // Python 2 wrote its long integers as 3L.
      if (pos < text.size() && text[pos] == 'L')
        ++pos;
      if (out.size() == kMaxRank)
        return makeError(what, ": expected at most ", kMaxRank, " dimensions");
      out.push_back(dimension);
      if (!consume(',') && peek() != ')')
        return malformed("',' or ')'");
    }
    return Status();
  }

  std::string_view text;
  const std::string &what;
  size_t pos = 0;
};

/// Splits `content` into header text and data.
Status splitHeader(std::string_view content, const std::string &what,
                   std::string_view &header, std::string_view &data) {
  if (!content.starts_with(kMagic))
    return makeError(what, ": expected an npy file, but its magic bytes are "
                           "missing");
  auto byte = [&](size_t i) {
    return size_t(static_cast<unsigned char>(content[i]));
  };
  if (content.size() < 10)
    return makeError(what, ": truncated npy header");
  size_t major = byte(6);
  if (major < 1 || major > 3)
    return makeError(what, ": expected npy format version 1, 2 or 3, but got ",
                     major);
  size_t lengthBytes = major == 1 ? 2 : 4;
  size_t begin = 8 + lengthBytes;
  if (content.size() < begin)
    return makeError(what, ": truncated npy header");
  size_t length = 0;
  for (size_t i = lengthBytes; i-- > 0;)
    length = length << 8 | byte(8 + i);
  if (length > content.size() - begin)
    return makeError(what, ": the npy header claims ", length,
                     " bytes, but the file has ", content.size() - begin);
  if (length > kMaxHeaderBytes)
    return makeError(what, ": expected an npy header of at most ",
                     kMaxHeaderBytes, " bytes, but got ", length);
  header = content.substr(begin, length);
  data = content.substr(begin + length);
  return Status();
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

/// The text before the data: magic, version, length, dictionary, padding.
std::string formatHeader(std::string_view descr,
                         const std::vector<int64_t> &shape) {
  std::string tuple;
  for (int64_t dimension : shape)
    tuple += (tuple.empty() ? "" : ", ") + std::to_string(dimension);
  if (shape.size() == 1)
    tuple += ",";
  std::string text = "{'descr': '" + std::string(descr) +
                     "', 'fortran_order': False, 'shape': (" + tuple + "), }";
  // numpy aligns the data to 64 bytes. A rank-64 shape fits into version 1.
  size_t total = (10 + text.size() + 1 + 63) / 64 * 64;
  text.resize(total - 11, ' ');
  text += '\n';
  std::string header(kMagic);
  header += '\x01';
  header += '\0';
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

} // namespace

Result<NpyArray> parseNpy(std::string_view content, const std::string &what) {
  std::string_view text, data;
  if (Status status = splitHeader(content, what, text, data); !status)
    return status.error();
  Result<NpyHeader> header = HeaderParser(text, what).parse();
  if (!header)
    return header.error();
  std::optional<DataType> type = parseDescr(header->descr);
  if (!type)
    return makeError(what, ": expected element type ", supportedSpellings(),
                     ", but got ", quoteName(header->descr),
                     header->descr.starts_with('>') ? " (big-endian)" : "");
  std::optional<int64_t> count = elementCount(header->shape);
  size_t elementSize = dataTypeSize(*type);
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
  if (!count || array.shape.size() > kMaxRank ||
      array.bytes.size() % dataTypeSize(array.dtype) != 0 ||
      array.size() != static_cast<size_t>(*count))
    return makeError("cannot write '", path, "': shape ",
                     formatShape(array.shape), " does not describe ",
                     array.bytes.size(), " bytes of ",
                     dataTypeName(array.dtype));
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  if (Status status = file->write(formatHeader(spelling->name, array.shape));
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
