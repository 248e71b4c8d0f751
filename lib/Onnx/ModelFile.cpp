//===- ModelFile.cpp - the message behind a file --------------------------===//

#include "ModelFile.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"

#include <limits>

namespace linnet::onnx {

std::string domainName(const std::string &domain) {
  return domain.empty() ? "ai.onnx" : domain;
}

int64_t opsetOf(const ModelProto &model, const std::string &domain) {
  for (const OperatorSetIdProto &entry : model.opset_import())
    if (domainName(entry.domain()) == domainName(domain))
      return entry.version();
  return 0;
}

/// Names become names of values, weights and locations.
static Status checkNames(const GraphProto &graph, const std::string &path) {
  auto check = [&](const std::string &name) -> Status {
    if (isUtf8(name))
      return {};
    return makeError(path, ": expected names in UTF-8, but got ",
                     quoteName(name));
  };
  auto checkAll = [&](const auto &list, auto nameOf) -> Status {
    for (const auto &entry : list)
      if (Status status = check(nameOf(entry)); !status)
        return status;
    return {};
  };
  auto itself = [](const std::string &name) { return name; };
  auto named = [](const auto &entry) { return entry.name(); };
  for (const NodeProto &node : graph.node()) {
    for (const std::string &name : {node.name(), node.op_type(), node.domain()})
      if (Status status = check(name); !status)
        return status;
    if (Status status = checkAll(node.input(), itself); !status)
      return status;
    if (Status status = checkAll(node.output(), itself); !status)
      return status;
  }
  if (Status status = checkAll(graph.input(), named); !status)
    return status;
  if (Status status = checkAll(graph.output(), named); !status)
    return status;
  return checkAll(graph.initializer(), named);
}

Result<ModelProto> readModel(const std::string &path) {
  Result<std::string> bytes = readFile(path == "-" ? "/dev/stdin" : path);
  if (!bytes)
    return bytes.error();
  ModelProto model;
  // A protobuf message has no magic number: only its fields tell.
  if (bytes->size() > size_t(std::numeric_limits<int>::max()) ||
      !model.ParsePartialFromArray(bytes->data(), int(bytes->size())))
    return makeError("cannot read ", quoteName(path),
                     ": expected an ONNX model (a protobuf message of at most "
                     "2 GiB), but got something else or a truncated file");
  if (!model.has_ir_version() || !model.has_graph())
    return makeError("cannot read ", quoteName(path),
                     ": expected an ONNX model, but got a file without ",
                     model.has_graph() ? "an IR version" : "a graph");
  int64_t opset = opsetOf(model, "");
  if (opset < kFirstOpset || opset > kLastOpset)
    return makeError(path, ": expected opset ", kFirstOpset, " to ", kLastOpset,
                     " of ai.onnx, but got ",
                     opset ? std::to_string(opset) : "none");
  if (Status status = checkNames(model.graph(), path); !status)
    return status.error();
  return model;
}

} // namespace linnet::onnx
