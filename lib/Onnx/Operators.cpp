//===- Operators.cpp - the table of operators -----------------------------===//

#include "ModelFile.h"
#include "Node.h"

#include "linnet/Onnx/Import.h"
#include "linnet/Support/Quote.h"

namespace linnet::onnx {

constexpr Operator kOperators[] = {
#define LINNET_ONNX_OP(domain, type, since, until, least, most, results,       \
                       function)                                               \
  {domain, #type, since, until, least, most, results, function},
#include "Operators.def"
#undef LINNET_ONNX_OP
};

Result<const Operator *> findOperator(const NodeProto &proto,
                                      const Node &node) {
  std::string domain = domainName(proto.domain());
  const Operator *other = nullptr;
  for (const Operator &candidate : kOperators) {
    if (domainName(std::string(candidate.domain)) != domain ||
        candidate.type != proto.op_type())
      continue;
    if (candidate.since <= node.opset && node.opset <= candidate.until)
      return &candidate;
    other = &candidate;
  }
  if (other)
    return makeError(node.describe(), ": expected opset ", other->since, " to ",
                     other->until, " of ", domain, ", but got ", node.opset);
  return makeError(node.describe(), ": operator ", quoteName(proto.op_type()),
                   " of ", domain, " opset ", node.opset,
                   " is not one that Linnet imports");
}

} // namespace linnet::onnx

std::vector<std::string> linnet::supportedOnnxOperators() {
  std::vector<std::string> names;
  for (const onnx::Operator &candidate : onnx::kOperators)
    if (!llvm::is_contained(names, candidate.type))
      names.emplace_back(candidate.type);
  return names;
}
