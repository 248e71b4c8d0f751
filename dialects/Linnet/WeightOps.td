//===- WeightOps.td - weights by reference, stacks of layers --------------===//

#ifndef LINNET_WEIGHT_OPS_TD
#define LINNET_WEIGHT_OPS_TD

include "dialects/Linnet/LinnetAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Linnet_WeightOp : Linnet_Op<"weight", [Pure]> {
  let summary = "A tensor of the checkpoint, by name";
  let description = [{
    Names a tensor of the module's weight archive. The data never stands in
    the IR. With a layer operand every `{}` in the key is replaced by its
    decimal value, so that one function serves all layers of its kind.

    A key with `{*}` names a stack of tensors, its members, which the
    checkpoint stores one by one: member i of the result is the tensor at the
    key with i for `{*}`. The IR does not grow with the number of experts.

    Shapes: the result is exactly the stored shape, and its element type the
    stored dtype; a stack of N has a first dimension of N more.

    Corner cases: a missing key, another shape or another dtype is an error
    when the module is bound to an archive (run or compiled), not here.

    Constraints: C1: the key is not empty. C2: a layer operand is present if
    and only if the key contains `{}`. C3: a stack has members. Only
    `linnet.experts` has a kernel that reads stacks.

    Lifespan: created by import; gone after `linnet-lower-cpu`.

    ```mlir
    %w = linnet.weight "lm_head.weight" : tensor<96x32xf32>
    %u = linnet.weight "model.layers.{}.mlp.up_proj.weight"[%layer] : tensor<40x32xbf16>
    %e = linnet.weight "model.layers.{}.experts.{*}.up_proj.weight"[%layer] : tensor<8x40x32xbf16>
    ```
  }];
  let arguments = (ins StrAttr:$key, Optional<Index>:$layer);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$key (`[` $layer^ `]`)? attr-dict `:` type($result)";
  let extraClassDeclaration = [{
    /// Whether the key names one tensor per member of the first dimension.
    bool isStacked() { return getKey().contains("{*}"); }
  }];
  let hasVerifier = 1;
}

def Linnet_StackOp : Linnet_Op<"stack", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>, AttrSizedOperandSegments]> {
  let summary = "Layers applied one after another";
  let description = [{
    Applies `functions[order[0]]`, `functions[order[1]]`, ... to the carried
    values. The IR of a model therefore does not grow with its depth. A layer
    function takes the carried values, the layer's number (the position in
    `order`), the invariant values and its states, and returns the carried
    values and its new states.

    Shapes: the carried results have the carried operands' types. A state of a
    function that occurs n times in `order` is stacked: the operand is
    `[n, ...]` for a function argument `[...]`. States are listed function by
    function.

    Corner cases: an empty order returns the carried values.

    Constraints: C1: each function exists and fits the operands. C2: each entry of `order` names a
    function.

    Lifespan: created by import, given states by `linnet-thread-state`; gone
    after `linnet-lower-cpu`.

    ```mlir
    %y = linnet.stack [@layer] order [0, 0] carry(%x) invariant(%position)
           : (tensor<?x?x32xf32>, index) -> tensor<?x?x32xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefArrayAttr:$functions,
                       DenseI32ArrayAttr:$order,
                       Variadic<AnyType>:$carried, Variadic<AnyType>:$invariants,
                       Variadic<AnyRankedTensor>:$states);
  let results = (outs Variadic<AnyType>:$results);
  let assemblyFormat = [{
    $functions `order` $order `carry` `(` $carried `)`
    (`invariant` `(` $invariants^ `)`)? (`states` `(` $states^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // LINNET_WEIGHT_OPS_TD
