//===- LinearPanels.h - where packed matrices come from -------*- C++ -*-===//

#ifndef PASSES_CPU_LINEARPANELS_H
#define PASSES_CPU_LINEARPANELS_H

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"

namespace mlir::linnet {

/// How panels hold a structure's matrix.
struct PanelForm {
  Storage storage = Storage::OutIn;
  /// Null for weights that are floats.
  QuantizedStructureAttr codes;
  /// Null if every input is stored.
  BlockSparseStructureAttr kept;
  /// Null unless some of each group of inputs are stored.
  NmSparseStructureAttr pattern;
  /// Whether there are no panels: an input's weights are a part of one vector,
  /// which begins one number earlier for each input.
  bool shifted = false;
  /// Codes in words of 32 bits, of inputs that follow each other.
  bool words = false;

  /// The matrix that panels hold of one of this shape.
  LinearShape stored(LinearShape shape, TypeRange factors) const {
    if (kept)
      shape.in = cast<ShapedType>(factors[0]).getDimSize(1);
    return shape;
  }
};

/// The form of a structure that has panels, or a vector in place of them.
std::optional<PanelForm> panelFormOf(StructureAttrInterface structure);

/// Vectors of a panel's row for matrices of `out` rows: fewer than usual where
/// that leaves much less of the last panel empty.
int64_t panelVectorsFor(const CpuTarget &target, int64_t out);
/// The same for a map of `shape`; where blocks are stored, as usual.
int64_t panelVectorsFor(const CpuTarget &target, const PanelForm &form,
                        const LinearShape &shape);

/// The panels [blocks N / NR][K][NR] of the factor of `op`, whose blocks are
/// [N][K], or [K][N] if `transposed`, with NR of so many vectors: packed at
/// load if it is a weight or a part of one, else on every call.
Buffer panelsOf(FunctionLowering &f, LinearOp op, const LinearShape &shape,
                int64_t vectors, bool transposed);

/// The panels [N / NR][K][NR] of `factor`, a weight [N][K] of floats or of i8,
/// in its own type, or those [N / NR][K / 4][NR] of words of four i8; nothing
/// if it is no weight.
std::optional<Buffer> panelsOfWeight(FunctionLowering &f, Value factor,
                                     int64_t vectors, bool words = false);

/// Whether codes of a map of `shape` are to lie in words: they can be
/// multiplied so, and fill them.
bool takesWords(const CpuTarget &target, QuantizedStructureAttr codes,
                const LinearShape &shape);

/// Whether the rows of x lie along its tokens (and heads): else they are few,
/// the sequences of a batch.
bool hasManyRows(const Buffer &x);

/// A factor of `op` in its own order and type, its rows dense.
Buffer wholeFactor(FunctionLowering &f, LinearOp op, Value factor);

} // namespace mlir::linnet

#endif // PASSES_CPU_LINEARPANELS_H
