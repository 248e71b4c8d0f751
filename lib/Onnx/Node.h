//===- Node.h - a node under import ---------------------------*- C++ -*-===//
//
// What an operator's function sees of its node. The first problem is kept and
// questions after it get a harmless answer; a function that asked returns
// early on `!node.ok()` before it builds.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_ONNX_NODE_H
#define LIB_ONNX_NODE_H

#include "GraphBuilder.h"

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

namespace linnet::onnx {

class Node {
public:
  /// `inputs` and `outputs` are as many as the node has; absent ones are null.
  Node(GraphBuilder &g, TensorReader &reader, const NodeProto &proto,
       int64_t opset, llvm::ArrayRef<Tensor *> inputs)
      : g(g), opset(opset), reader(reader), proto(proto), inputs(inputs),
        outputs(proto.output_size()) {}

  GraphBuilder &g;
  const int64_t opset;

  //===--- problems ------------------------------------------------------===//

  /// "node 'attention' (LinearAttention)".
  std::string describe() const;
  template <typename... Parts>
  void fail(const Parts &...parts) {
    if (problem)
      problem = makeError(describe(), ": ", parts...);
  }
  /// Keeps another's problem.
  void fail(const Error &error) { fail(error.str()); }
  /// Fails unless `fits`.
  template <typename... Parts>
  bool require(bool fits, const Parts &...parts) {
    if (!fits)
      fail(parts...);
    return fits;
  }
  bool ok() const { return bool(problem); }
  const Status &status() const { return problem; }
  /// Fails on attributes that nobody asked for.
  void checkAttributes();

  //===--- inputs and outputs --------------------------------------------===//

  unsigned inputCount() const { return inputs.size(); }
  unsigned outputCount() const { return outputs.size(); }
  bool has(unsigned i) const { return i < inputs.size() && inputs[i]; }
  Tensor &input(unsigned i) { return *inputs[i]; }
  /// Input `i` with its value built.
  Tensor &operand(unsigned i);
  /// Fails unless input `i` is absent or has these sizes.
  void requireSizes(unsigned i, std::string_view name,
                    llvm::ArrayRef<Size> sizes);
  /// The entries of input `i`, integers that must be known at import.
  llvm::SmallVector<Size> entries(unsigned i, std::string_view name);
  /// The same where they may not hang on open dimensions.
  llvm::SmallVector<int64_t> integersOf(unsigned i, std::string_view name);
  void set(unsigned i, Tensor tensor) { outputs[i] = std::move(tensor); }
  Tensor &output(unsigned i) { return outputs[i]; }
  const std::string &outputName(unsigned i) const { return proto.output(i); }

  //===--- attributes ----------------------------------------------------===//

  bool hasAttribute(const char *name) const;
  int64_t integer(const char *name, int64_t dflt);
  int64_t requiredInteger(const char *name);
  double number(const char *name, double dflt);
  /// One of `choices`, the first if there is no such attribute.
  std::string choice(const char *name, llvm::ArrayRef<const char *> choices,
                     size_t dflt = 0);
  llvm::SmallVector<int64_t> integers(const char *name);
  llvm::SmallVector<float> numbers(const char *name);
  std::vector<std::string> strings(const char *name);
  /// The stored tensor of the attribute, or null.
  std::shared_ptr<const StoredTensor> stored(const char *name);
  /// Attributes that do not change the result.
  void ignore(std::initializer_list<const char *> names);

  /// Axis `axis` of a tensor of rank `rank`, counted from the end if negative.
  int64_t normalizeAxis(int64_t axis, int64_t rank);
  llvm::SmallVector<int64_t> normalizeAxes(llvm::ArrayRef<int64_t> axes,
                                           int64_t rank);

private:
  const AttributeProto *find(const char *name, int32_t type);

  TensorReader &reader;
  const NodeProto &proto;
  llvm::SmallVector<Tensor *> inputs;
  std::vector<Tensor> outputs;
  Status problem;
  std::set<std::string> asked;
};

/// A tensor of a stored one.
Result<Tensor> makeStored(mlir::MLIRContext *context, StoredTensor stored);

/// Reads a node's inputs and attributes and sets its outputs, or fails.
using Importer = void (*)(Node &);

/// A line of Operators.def.
struct Operator {
  std::string_view domain, type;
  int64_t since, until;
  int least, most, results;
  Importer import;
};

/// What imports `proto`, of which `node` is the description; an error if
/// nothing does in its opset.
Result<const Operator *> findOperator(const NodeProto &proto, const Node &node);

/// As many inputs or outputs as a model gives.
inline constexpr int kMany = 1 << 20;

#define LINNET_ONNX_OP(domain, type, since, until, least, most, results,       \
                       function)                                               \
  void function(Node &);
#include "Operators.def"
#undef LINNET_ONNX_OP

} // namespace linnet::onnx

#endif // LIB_ONNX_NODE_H
