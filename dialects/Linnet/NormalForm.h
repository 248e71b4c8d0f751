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

/// Over what a decay extends: nothing, one number per head, key rows, value
/// columns, or the whole K x V state.
enum class DecayShape { None, Scalar, Key, Value, Full };

/// One transition in the terms of the normal form; numbers index the
/// transition operands, -1 means absent.
struct NormalForm {
  DecayShape decay = DecayShape::None;
  /// Operand holding log decays of that shape.
  int logDecay = -1;
  /// Value-shaped operand that multiplies the log decay (Mamba-1's step).
  int logDecayFactor = -1;
  /// Rank-1 perturbation tied to the key: a = D k, b = -beta k, and the key
  /// written is beta k (the delta rule: decay first, then correct).
  bool tied = false;
  /// Operand of shape "th": the rate beta of a tied perturbation.
  int beta = -1;

  bool hasPerturbation() const { return tied; }
};

/// Execution forms of a scan.
enum class ScanForm { Step, Sequential, Chunkwise, Quadratic };

/// The name of a form as options and remarks spell it.
StringRef stringifyScanForm(ScanForm form);

/// Forms that the normal form admits: a full decay has no matrix form.
SmallVector<ScanForm> deriveLegalForms(const NormalForm &form);

/// Flops per token and head, after reference figures R0, R1, D, W of the
/// chunkwise literature (FLA; Yang et al. 2024, "Parallelizing linear
/// transformers with the delta rule").
double deriveCost(const NormalForm &normalForm, ScanForm form, int64_t k,
                  int64_t v, int64_t chunk);

/// Widths of a linear map.
struct LinearShape {
  int64_t in;
  int64_t out;
};

/// A factor's values for StructureAttrInterface::toDense.
struct FactorValue {
  ArrayRef<int64_t> shape;
  ArrayRef<double> values;
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
