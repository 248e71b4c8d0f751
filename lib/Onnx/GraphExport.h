//===- GraphExport.h - a function on its way to ONNX ----------*- C++ -*-===//

#ifndef LIB_ONNX_GRAPHEXPORT_H
#define LIB_ONNX_GRAPHEXPORT_H

#include "GraphBuilder.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Onnx/Export.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <set>
#include <string>
#include <utility>

namespace linnet::onnx {

/// What a linalg.generic that only moves entries does.
struct Movement {
  mlir::Value source;
  /// Dimension d of the result is dimension order[d] of the source, or new.
  llvm::SmallVector<int64_t> order;
  bool isTransposition() const { return !llvm::is_contained(order, -1); }
};
std::optional<Movement> matchMovement(mlir::Value value);

/// `x` if `value` is `x` with each entry of dimension `dim` `times` times.
mlir::Value matchRepeat(mlir::Value value, int64_t dim, int64_t times);

/// Whether the last two dimensions of `from` are one in `to`.
bool mergesHeads(mlir::RankedTensorType from, mlir::RankedTensorType to);

class GraphExport {
public:
  GraphExport(ModelProto &model, mlir::func::FuncOp function,
              const Archive *archive)
      : model(model), graph(*model.mutable_graph()), function(function),
        archive(archive) {}

  Status run();

private:
  //===--- the frame (Export.cpp) ----------------------------------------===//

  Status declareInputs();
  Status declareOutputs();
  Status exportOp(mlir::Operation *op);
  Status declareValue(ValueInfoProto &info, const std::string &name,
                      mlir::Type type, mlir::ArrayAttr dims);
  /// `base`, with a number behind it if it is taken.
  std::string fresh(const std::string &base);
  /// The name that `value` must have as an output of the graph, or a fresh one.
  std::string nameFor(mlir::Value value, const std::string &base);
  /// A node with the name of `op`, or of its type.
  NodeProto &addNode(const char *type, mlir::Operation *op = nullptr);
  /// The problem with `op`, which keeps the model from being exported.
  template <typename... Parts>
  Error problem(mlir::Operation *op, const Parts &...parts) const {
    return makeError(describe(op), ": ", parts...);
  }
  std::string describe(mlir::Operation *op) const;

  //===--- values (ExportValues.cpp) -------------------------------------===//

  /// The name of `value`; views, constants and weights are written when they
  /// are first asked for.
  Result<std::string> use(mlir::Value value);
  Result<std::string> write(mlir::Value value, mlir::Operation *op);
  Result<std::string> writeReshape(const std::string &source,
                                   mlir::RankedTensorType from,
                                   mlir::Value value);
  std::string writeTranspose(const std::string &source,
                             llvm::ArrayRef<int64_t> order, mlir::Value value);
  std::string writeCast(const std::string &source, mlir::Type element,
                        mlir::Value value);
  Result<std::string> writeConstant(mlir::Value value);
  Result<std::string> writeWeight(ir::WeightOp weight);
  TensorProto &addInitializer(const std::string &name, int32_t type,
                              llvm::ArrayRef<int64_t> shape);
  /// `value` with its heads and their width, the last two of four dimensions,
  /// as one.
  Result<std::string> usePacked(mlir::Value value);
  /// `value` [B, T, C] as [B, C, T].
  Result<std::string> useChannelsFirst(mlir::Value value);
  /// `value` in the element type `element`, which is no narrower.
  Result<std::string> useAs(mlir::Value value, mlir::Type element);

  //===--- recurrences (ExportRecurrence.cpp) ----------------------------===//

  struct ScanHeads;
  struct ScanEnds;
  Status exportScan(ir::ScanOp scan);
  Status findHeads(ir::ScanOp scan, ScanHeads &heads);
  void narrowEnds(ScanEnds &ends, ir::ScanOp scan);
  Status exportConv(ir::ShortConvOp conv);
  /// Names the output that `views` of `value` show; `value` itself is written
  /// from it if something asks for it.
  std::string defineThrough(mlir::Value value, const std::string &base,
                            llvm::ArrayRef<mlir::Value> views);

  ModelProto &model;
  GraphProto &graph;
  mlir::func::FuncOp function;
  const Archive *archive;
  llvm::DenseMap<mlir::Value, std::string> names;
  /// Results of the recurrences in the layout of ONNX, by the value that has
  /// the layout of the IR.
  llvm::DenseMap<mlir::Value, std::string> packed;
  /// What the graph returns, with the name that it must have.
  llvm::DenseMap<mlir::Value, std::string> outputs;
  /// Names of values and of nodes.
  std::set<std::string> taken, nodes;
  /// Weights that are initializers already.
  std::map<std::string, std::string> stored;
  unsigned depth = 0;
  bool usesContributed = false;
};

/// TensorProto.DataType of an element type, or 0.
int32_t numberOf(mlir::Type element);

/// The type with its last two dimensions as one.
mlir::RankedTensorType packedType(mlir::RankedTensorType type);

/// AttributeProto.AttributeType of what is written.
inline constexpr int32_t kFloatAttribute = 1, kIntAttribute = 2,
                         kStringAttribute = 3, kIntsAttribute = 7;
AttributeProto &addAttribute(NodeProto &node, const char *name, int32_t type);

/// Where ONNX Runtime's operators are.
inline constexpr char kContributed[] = "com.microsoft";

/// The first versions with the recurrences.
inline constexpr int64_t kExportIrVersion = 13, kExportOpset = 27;

} // namespace linnet::onnx

#endif // LIB_ONNX_GRAPHEXPORT_H
