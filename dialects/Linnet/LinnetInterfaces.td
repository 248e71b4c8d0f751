//===- LinnetInterfaces.td - what passes may ask ops and attributes -------===//

#ifndef LINNET_INTERFACES_TD
#define LINNET_INTERFACES_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def TransitionAttrInterface : AttrInterface<"TransitionAttrInterface"> {
  let cppNamespace = "::mlir::linnet";
  let description = [{
    The transition of a linear recurrence. A transition describes itself as
    terms of the normal form

        S_t = D_t (.) S_{t-1} + b_t (a_t^T S_{t-1}) + k_t v_t^T

    and every execution form is derived from that description: a new
    transition is one attribute implementing this interface.
  }];
  let methods = [
    InterfaceMethod<[{
      The dimensions of each transition operand after the batch: letters out
      of `t`, `h`, `k`, `v`, e.g. "thk" for `[B, T, H, K]`, and `p` for the
      K/2 pairs of rows of a complex state, and `m` for any divisor of K. A
      dimension of size 1 broadcasts; `h` may be any divisor of the number of heads (head
      j reads entry j / (H / Hx)).
    }], "::llvm::SmallVector<::llvm::StringRef>", "getOperandDims", (ins)>,
    InterfaceMethod<[{
      The normal form in terms of the operands, see NormalForm.h.
    }], "::mlir::linnet::NormalForm", "getNormalForm", (ins)>,
    InterfaceMethod<[{
      The execution forms that are legal for this transition.
    }], "::llvm::SmallVector<::mlir::linnet::ScanForm>", "getLegalForms", (ins),
      "", [{
        return ::mlir::linnet::deriveLegalForms(
            $_attr.getNormalForm(), $_attr.getOperandDims());
      }]>,
    InterfaceMethod<[{
      Floating-point operations per token and head (a multiply-add counts 2)
      of `form` for key width `k`, value width `v` and chunk length `chunk`.
    }], "double", "getCost", (ins "::mlir::linnet::ScanForm":$form,
                              "int64_t":$k, "int64_t":$v, "int64_t":$chunk),
      "", [{
        return ::mlir::linnet::deriveCost($_attr.getNormalForm(), form, k, v,
                                          chunk);
      }]>
  ];
}

def StructureAttrInterface : AttrInterface<"StructureAttrInterface"> {
  let cppNamespace = "::mlir::linnet";
  let description = [{
    The structure of a linear map y = W x: how `W` ([out, in]) follows from
    the factors. A new structure is one attribute implementing this interface.
  }];
  let methods = [
    InterfaceMethod<[{
      Input and output width and diagonal blocks for factors of these types;
      emits an error and fails if the factors do not fit each other.
    }], "::mlir::FailureOr<::mlir::linnet::LinearShape>", "inferShape",
      (ins "::mlir::TypeRange":$factors,
           "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError)>,
    InterfaceMethod<[{
      How many factors there are.
    }], "unsigned", "getNumFactors", (ins)>,
    InterfaceMethod<[{
      The dense blocks on the diagonal, row major and one after the other
      (`[out, in]` if there is one), from the factors' values, to which nothing
      stands in the way (findObstacle). This is the definition of the structure.
    }], "::std::vector<double>", "toDense",
      (ins "::llvm::ArrayRef<::mlir::linnet::FactorValue>":$factors)>,
    InterfaceMethod<[{
      Why factor `number`, of a fitting type, may not have this value; empty if
      it may. Who has values at hand asks: the evaluator, and importers about
      factors of integers. Kernels read and write within bounds whatever the
      values are.
    }], "::std::string", "findObstacle",
      (ins "unsigned":$number, "const ::mlir::linnet::FactorValue &":$factor), "", [{
        return {};
      }]>,
    InterfaceMethod<[{
      Writes y = W x with simpler linear maps (bias not included), or returns
      null if the structure is primitive, that is, has a kernel of its own.
    }], "::mlir::Value", "buildApply",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$input, "::mlir::ValueRange":$factors)>,
    InterfaceMethod<[{
      Floating-point operations per input row (a multiply-add counts 2).
    }], "int64_t", "getFlops", (ins "::mlir::TypeRange":$factors)>,
    InterfaceMethod<[{
      Bytes of the factors as stored.
    }], "int64_t", "getBytes", (ins "::mlir::TypeRange":$factors), "", [{
        return ::mlir::linnet::sumOfBytes(factors);
      }]>,
    InterfaceMethod<[{
      Whether the kernel of few rows can leave out the weights of an input that
      is zero: they stand apart from those of other inputs.
    }], "bool", "canSkipInputs", (ins), "", [{
        return false;
      }]>
  ];
}

def StatefulOpInterface : OpInterface<"StatefulOpInterface"> {
  let cppNamespace = "::mlir::linnet";
  let description = [{
    An operation that carries state along time. Without state operands it
    starts from its initial state (zeros). With them it takes the state of the
    tokens before and returns the state after, so that running T tokens at
    once equals running T1 and then T - T1 from the returned state. KV
    caches, convolution tails and recurrent states all come from here.
  }];
  let methods = [
    InterfaceMethod<[{
      The states this operation needs, for a context of `maxContext` tokens.
    }], "::llvm::SmallVector<::mlir::linnet::StateSpec>", "getStateSpecs",
      (ins "int64_t":$maxContext)>,
    InterfaceMethod<[{
      Why the operation cannot run token by token; empty if it can.
    }], "::std::string", "getStreamingObstacle", (ins)>,
    InterfaceMethod<[{
      The state operands, empty if the operation starts from zeros.
    }], "::mlir::ValueRange", "getStates", (ins)>,
    InterfaceMethod<[{
      Operands (by number) that run along time in dimension 1; the rest is
      time-invariant.
    }], "::llvm::SmallVector<unsigned>", "getTimeOperands", (ins)>,
    InterfaceMethod<[{
      Builds the same operation with explicit state before the first token,
      whose absolute index is `position`. The result has the original
      results, followed by the new states where they are not results already.
    }], "::mlir::linnet::StatefulResult", "threadState",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$states,
           "::mlir::Value":$position)>
  ];
}

def TokenwiseOpInterface : OpInterface<"TokenwiseOpInterface"> {
  let cppNamespace = "::mlir::linnet";
  let description = [{
    An operation that takes the entries of some leading dimensions of an
    operand one by one: entry (i, j, ...) of these dimensions of each result
    depends on entry (i, j, ...) of the operand alone. Where time is among
    them, tokens do not meet in it.
  }];
  let methods = [
    InterfaceMethod<[{
      How many leading dimensions of operand `number` it takes entry by entry;
      0 for one that is whole in every result (a weight).
    }], "int64_t", "getTokenwiseDims", (ins "unsigned":$number)>
  ];
}

def ZerosOpInterface : OpInterface<"ZerosOpInterface"> {
  let cppNamespace = "::mlir::linnet";
  let description = [{
    An operation on entries of which it is known where zeros of its result come
    from. Who skips zeros looks at the entries themselves: an answer here says
    that looking pays, no more.
  }];
  let methods = [
    InterfaceMethod<[{
      Whether many entries of its result may be exact zeros where none of its
      operands' are.
    }], "bool", "makesZeros", (ins)>,
    InterfaceMethod<[{
      Operands (by number) of the result's shape whose zeros are zeros of the
      result, if all other entries are finite.
    }], "::llvm::SmallVector<unsigned>", "getZeroOperands", (ins)>
  ];
}

#endif // LINNET_INTERFACES_TD
