//===- LinnetDialect.td - the linnet dialect ---------------*- tablegen -*-===//

#ifndef LINNET_DIALECT_TD
#define LINNET_DIALECT_TD

include "mlir/IR/OpBase.td"

def Linnet_Dialect : Dialect {
  let name = "linnet";
  let cppNamespace = "::mlir::linnet";
  let summary = "Sequence models: one recurrence, one structure algebra";
  let description = [{
    Model-level operations of sequence models on tensors. Weight data never
    stands in the IR: `linnet.weight` names a tensor of a checkpoint.

    Conventions shared by all operations: `B` batch, `T` time (tokens), `H`
    heads, `K` key width, `V` value width, `D` features. Activations are
    `[B, T, ...]` with `T` in dimension 1; `B` and `T` may be dynamic, every
    other dimension is static. Values are computed in f32 (f64 in the
    reference evaluator); weights keep the dtype of the checkpoint and are
    widened when read.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 0;
  let extraClassDeclaration = [{
    /// Makes a transition known: to tables, to tests that try all, and to
    /// rewrites that look for a cheaper one. A transition with parameters is
    /// added once for each of their values. Dialects that define transitions
    /// call it where they register their attributes.
    void addTransition(TransitionAttrInterface transition);
    ::llvm::ArrayRef<TransitionAttrInterface> getTransitions() const {
      return transitions;
    }

  private:
    void addTransitions();
    ::llvm::SmallVector<TransitionAttrInterface> transitions;
  }];
}

class Linnet_Op<string mnemonic, list<Trait> traits = []>
    : Op<Linnet_Dialect, mnemonic, traits>;

#endif // LINNET_DIALECT_TD
