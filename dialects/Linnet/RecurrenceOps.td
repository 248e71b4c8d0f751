//===- RecurrenceOps.td - recurrences that are not linear -----------------===//

#ifndef LINNET_RECURRENCE_OPS_TD
#define LINNET_RECURRENCE_OPS_TD

include "dialects/Linnet/LinnetAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Linnet_RecurrenceOp : Linnet_Op<"recurrence", [
    Pure, AttrSizedOperandSegments, AttrSizedResultSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<StatefulOpInterface>]> {
  let summary = "A function applied to one token after the other";
  let description = [{
    `(y_t, s_t) = cell(x_t, invariants, s_{t-1})` for t = 0, 1, ..., T - 1:
    the sequential operation for what `linnet.scan` cannot say because the
    state passes through a nonlinearity (LSTM, GRU, sLSTM). `cell` is a
    function of one token's inputs, the invariants and the states; it returns
    the token's outputs and the new states. `initial` is s_{-1}, zeros if
    absent; the final states are s_{T-1}.

    `reverse` runs from the last token to the first.

    Shapes: inputs `[B, T, ...]`, for the cell `[B, ...]`; outputs the same;
    states `[B, ...]` on both sides. Invariants are what they are.

    Products with the inputs alone belong in front, where they are one matrix
    product over all tokens; the cell keeps those with the state. Matrices
    are best `linnet.weight`s inside the cell (an invariant layer number may
    complete their keys): the CPU packs those once, but a matrix among the
    invariants on every token.

    Corner cases: T = 0 returns the initial states. An operation with state
    inside the cell starts anew at every token.

    Constraints: C1: there are inputs, outputs and states. C2: inputs and
    outputs are [B, T, ...] of one B and T; only these may be open. C3: states
    are [B, ...], and the initial ones have the types of the final ones. C4:
    the cell is a function of the tokens' types.

    Streamable unless reverse. Lifespan: created by import; gone after
    `linnet-lower-cpu`. Source: Hochreiter and Schmidhuber 1997 (LSTM); Cho et
    al. 2014 (GRU); Beck et al. 2024 (sLSTM).

    ```mlir
    %y, %h = linnet.recurrence @cell(%x) invariant(%layer) initial(%h0)
             : (tensor<?x?x32xf32>, index, tensor<?x32xf32>) -> tensor<?x?x32xf32> state(tensor<?x32xf32>)
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$cell,
                       Variadic<AnyRankedTensor>:$inputs,
                       Variadic<AnyType>:$invariants,
                       Variadic<RankedTensorOf<[AnyFloat]>>:$initial,
                       UnitAttr:$reverse);
  let results = (outs Variadic<AnyRankedTensor>:$outputs,
                      Variadic<RankedTensorOf<[AnyFloat]>>:$final);
  let assemblyFormat = [{
    $cell `(` $inputs `)` (`invariant` `(` $invariants^ `)`)?
    (`initial` `(` $initial^ `)`)? attr-dict
    `:` functional-type(operands, $outputs) `state` `(` type($final) `)`
  }];
  let extraClassDeclaration = [{
    /// The type that the cell has to have.
    FunctionType getCellType();
  }];
  let hasVerifier = 1;
}

#endif // LINNET_RECURRENCE_OPS_TD
