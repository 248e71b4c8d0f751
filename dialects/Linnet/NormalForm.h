//===- NormalForm.h - vocabulary of the linnet interfaces -----*- C++ -*-===//
//
// Plain types that the transition, structure and state interfaces speak in.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_LINNET_NORMALFORM_H
#define DIALECTS_LINNET_NORMALFORM_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "mlir/IR/ValueRange.h"

#include <string>
#include <vector>

namespace mlir::linnet {

/// One transition in the terms of the normal form; numbers index the
/// transition operands, -1 means absent.
struct NormalForm {
  /// The log decay of a state entry: a sum of terms, each the product of its
  /// operands at that entry. No terms: no decay. Over what the decay extends
  /// (heads, key rows, value columns, entries) follows from the dimensions of
  /// these operands.
  SmallVector<SmallVector<int, 2>, 2> logDecay;
  /// Rank-1 perturbation tied to the key: a = D k, b = -beta k, and the key
  /// written is beta k (the delta rule: decay first, then correct).
  bool tied = false;
  /// Operand of shape "th": the rate beta of a tied perturbation.
  int beta = -1;
  /// Rank-1 perturbation b (a^T S_{t-1}) with operands "thk" of its own: the
  /// reader a sees the state before the decay.
  int reader = -1, writer = -1;
  /// Operand of angles: rows r and K/2 + r are the real and the imaginary part
  /// of one complex row, which turns by this angle with its decay. Such
  /// operands have a dimension `p` of K/2 pairs in the place of `k`.
  int phase = -1;
  /// Operand "thkm" of blocks: within each block of m rows, row r becomes the
  /// sum over j of entry (r, j) times the block's row j, after the decay.
  int mixing = -1;

  bool hasPhase() const { return phase >= 0; }
  bool hasMixing() const { return mixing >= 0; }
  bool hasReader() const { return reader >= 0; }
  bool hasPerturbation() const { return tied || hasReader(); }
};

/// Execution forms of a scan; defined with the dialect's enumerations.
enum class ScanForm : uint32_t;

/// Forms that the normal form admits for operands of these dimensions: a decay
/// that varies along the value columns has no matrix form.
SmallVector<ScanForm> deriveLegalForms(const NormalForm &form,
                                       ArrayRef<StringRef> operandDims);

/// Flops per token and head, after reference figures R0, R1, D, W of the
/// chunkwise literature (FLA; Yang et al. 2024, "Parallelizing linear
/// transformers with the delta rule"). For a convolution, which needs
/// time-invariant operands, `chunk` is the number of tokens.
double deriveCost(const NormalForm &normalForm, ScanForm form, int64_t k,
                  int64_t v, int64_t chunk);

/// Widths of a linear map.
struct LinearShape {
  int64_t in;
  int64_t out;
  /// Equal blocks on the diagonal of `W`, which is zero outside of them.
  int64_t blocks = 1;
  int64_t blockIn() const { return in / blocks; }
  int64_t blockOut() const { return out / blocks; }
};

/// A factor's values for StructureAttrInterface::toDense.
struct FactorValue {
  /// Of static shape.
  RankedTensorType type;
  ArrayRef<double> values;
  ArrayRef<int64_t> shape() const { return type.getShape(); }
};

/// Bytes of tensors of these types as stored.
int64_t sumOfBytes(TypeRange types);

/// One state of a stateful operation.
struct StateSpec {
  /// Short name, unique within the operation: "keys", "tail", ...
  std::string name;
  /// Shape and element type; dimension 0 is the batch.
  RankedTensorType type;
  /// Whether the state grows along dimension 1 (a cache) or is rewritten.
  bool append;
};

/// What threadState returns.
struct StatefulResult {
  /// Replacements of the original results, in order.
  SmallVector<Value> results;
  /// The state after the last token, one per StateSpec.
  SmallVector<Value> states;
};

} // namespace mlir::linnet

#endif // DIALECTS_LINNET_NORMALFORM_H
