//===- StoredTensor.h - tensors of an ONNX model --------------*- C++ -*-===//

#ifndef LIB_ONNX_STOREDTENSOR_H
#define LIB_ONNX_STOREDTENSOR_H

#include "lib/Onnx/Onnx.pb.h"
#include "linnet/Checkpoint/DataType.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Result.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace linnet::onnx {

/// The numbers of TensorProto.DataType for what Linnet stores.
std::optional<DataType> dataTypeOf(int32_t number);
int32_t numberOf(DataType type);
/// "FLOAT16", or the number if ONNX has no name for it.
std::string nameOfDataType(int32_t number);

/// A tensor with its elements, row-major and little-endian.
struct StoredTensor {
  std::string name;
  DataType dtype = DataType::F32;
  std::vector<int64_t> shape;
  const std::byte *data = nullptr;
  size_t bytes = 0;
  /// Elements that stood in a typed field of the message.
  std::vector<std::byte> owned;

  size_t size() const { return bytes / dataTypeSize(dtype); }
  /// Element `i` of integers, exactly.
  int64_t integer(size_t i) const;
};

/// Reads tensors of one model. Their data live as long as the reader and the
/// messages.
class TensorReader {
public:
  /// `path` is the model's: external data lie beside it.
  explicit TensorReader(const std::string &path);

  Result<StoredTensor> read(const TensorProto &proto);

private:
  Status readExternal(const TensorProto &proto, StoredTensor &tensor);

  std::string directory;
  std::map<std::string, MappedFile> files;
};

} // namespace linnet::onnx

#endif // LIB_ONNX_STOREDTENSOR_H
