//===- ModelFile.h - the message behind a file ----------------*- C++ -*-===//

#ifndef LIB_ONNX_MODELFILE_H
#define LIB_ONNX_MODELFILE_H

#include "lib/Onnx/Onnx.pb.h"
#include "linnet/Support/Result.h"

#include <cstdint>
#include <string>

namespace linnet::onnx {

/// The opsets that Operators.def was written for. The first is where shapes
/// and axes of the operators settled on inputs.
inline constexpr int64_t kFirstOpset = 7, kLastOpset = 28;

/// Parses the model at `path` and checks what does not need its operators: a
/// graph is there, names are UTF-8, and the default operator set is known.
Result<ModelProto> readModel(const std::string &path);

/// The version of an operator set that `model` imports, or 0. The default set
/// is called "" or "ai.onnx".
int64_t opsetOf(const ModelProto &model, const std::string &domain);

/// "ai.onnx" for the default operator set, otherwise the domain.
std::string domainName(const std::string &domain);

} // namespace linnet::onnx

#endif // LIB_ONNX_MODELFILE_H
