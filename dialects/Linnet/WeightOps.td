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

def Linnet_SeededBasisOp : Linnet_Op<"seeded_basis", [Pure]> {
  let summary = "A matrix that follows from a seed";
  let description = [{
    `B[j, i] = 2 u - 1`, where u in [0, 1) are the upper 53 bits of number i of
    the SplitMix64 stream (Steele, Lea and Flood 2014) that starts at
    `seed` + 1000003 j (mod 2^64). What `#linnet.seeded` is made of.

    Shapes: the result is `[terms, block]`, static, of f32, to which kernels
    round the entries; the reference evaluator does not.

    Corner cases: a row does not depend on how many there are, nor an entry on
    how long rows are.

    Constraints: C1: the seed is 0 or more. C2: the shape is static.

    Lifespan: created by `linnet-expand-structures`; gone after
    `linnet-lower-cpu`. The data never stands in the IR: the runtime computes it
    once at load, for all that ask for the same.

    ```mlir
    %b = linnet.seeded_basis 12345 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins I64Attr:$seed);
  let results = (outs 2DTensorOf<[F32]>:$result);
  let assemblyFormat = "$seed attr-dict `:` type($result)";
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
