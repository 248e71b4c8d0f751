//===- ExpertOps.td - mixtures of experts ---------------------------------===//

#ifndef LINNET_EXPERT_OPS_TD
#define LINNET_EXPERT_OPS_TD

include "dialects/Linnet/LinearOps.td"

def Linnet_RouteOp : Linnet_InferredOp<"route", [
    DeclareOpInterfaceMethods<TokenwiseOpInterface>]> {
  let summary = "Chooses the experts of every token, and their weights";
  let description = [{
    Per token, with E logits l:

    | score | s | c |
    |-|-|-|
    | softmax | softmax over all E of l | s + bias |
    | sigmoid | 1 / (1 + e^-l) | s + bias |
    | softmax_chosen | l | l + bias |

    The E experts are `groups` runs of equal length. A group is worth its
    largest c (`best`) or the sum of its two largest (`best_two`); experts
    outside of the `top_groups` best groups cannot be chosen. The `k` experts
    with the largest c are chosen, best first. Their weights are s without
    bias (softmax_chosen: the softmax of s over the chosen), with `normalize`
    divided by (their sum + `eps`), and multiplied by `scale`.

    Shapes: `logits` `[B, T, E]`, `bias` `[E]`; `indices` `[B, T, k]` of i32,
    `weights` `[B, T, k]`.

    Corner cases: of equal c the lower number comes first. A NaN is larger
    than every number: it is chosen, and shows in the weights.

    Constraints: C1: logits are [B, T, E] with static E. C2: the bias is [E].
    C3: groups divides E, and best_two needs two experts in a group. C4: at
    most groups are kept. C5: the kept groups have k experts. C6: eps is not
    negative.

    Lifespan: created by import; gone after `linnet-lower-cpu`. Source:
    Shazeer et al. 2017; groups: DeepSeek-AI 2024.

    ```mlir
    %i, %w = linnet.route softmax %logits {k = 2 : i64, normalize}
             : (tensor<?x?x8xf32>) -> (tensor<?x?x2xi32>, tensor<?x?x2xf32>)
    %j, %v = linnet.route sigmoid %logits bias(%b) {k = 3 : i64, groups = 4 : i64, top_groups = 2 : i64, group_rule = #linnet.group_rule<best_two>, normalize, eps = 1.0e-20 : f64, scale = 2.5 : f64}
             : (tensor<?x?x8xf32>, tensor<8xf32>) -> (tensor<?x?x3xi32>, tensor<?x?x3xf32>)
    ```
  }];
  let arguments = (ins Linnet_RouteScoreAttr:$score, AnyRankedTensor:$logits,
                       Optional<1DTensorOf<[AnyFloat]>>:$bias,
                       ConfinedAttr<I64Attr, [IntPositive]>:$k,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$groups,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$top_groups,
                       DefaultValuedAttr<Linnet_GroupRuleAttr, "GroupRule::Best">:$group_rule,
                       UnitAttr:$normalize,
                       DefaultValuedAttr<F64Attr, "0.0">:$eps,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs AnyRankedTensor:$indices, AnyRankedTensor:$weights);
  let assemblyFormat = [{
    custom<Keyword>($score) $logits (`bias` `(` $bias^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Linnet_ExpertsOp : Linnet_InferredOp<"experts", [
    DeclareOpInterfaceMethods<TokenwiseOpInterface>]> {
  let summary = "The weighted sum of each token's experts";
  let description = [{
    `y[b, t] = sum_j weights[b, t, j] f_e(x[b, t])`, `e = indices[b, t, j]`,
    where with the factors

    | factors | f_e(x) |
    |-|-|
    | gate, up, down | down_e (act(gate_e x) * up_e x) |
    | gate over up, down | the same, gate_e the first I rows |
    | up, down | down_e act(up_e x) |

    The two forms of two factors are told apart by shape. Activations as in
    `linnet.activation`. Experts that no token chose are neither computed nor
    read.

    Shapes: `x`, `y` `[B, T, D]`, `indices` `[B, T, k]` of i32, `weights`
    `[B, T, k]`; `gate`, `up` `[E, I, D]`, gate over up `[E, 2 I, D]`, `down`
    `[E, D, I]`. A factor may be a stacked `linnet.weight`.

    Corner cases: an index outside of [0, E) is the caller's error: the
    reference evaluator refuses it, kernels take the nearest expert.

    Constraints: C1: x is [B, T, D] with static D. C2: indices and weights
    are [B, T, k]. C3: the factors are static and fit each other. C4: their
    inner width is D.

    Lifespan: created by import; gone after `linnet-lower-cpu`. Source:
    Shazeer et al. 2017.

    ```mlir
    %y = linnet.experts silu %x, %indices, %weights, %gate, %up, %down
         : (tensor<?x?x32xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x24x32xf32>, tensor<8x24x32xf32>, tensor<8x32x24xf32>) -> tensor<?x?x32xf32>
    %z = linnet.experts relu2 %x, %indices, %weights, %up, %down
         : (tensor<?x?x32xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>, tensor<8x24x32xf32>, tensor<8x32x24xf32>) -> tensor<?x?x32xf32>
    ```
  }];
  let arguments = (ins Linnet_ActivationAttr:$activation, AnyRankedTensor:$input,
                       RankedTensorOf<[I32]>:$indices, RankedTensorOf<[AnyFloat]>:$weights,
                       Variadic<RankedTensorOf<[AnyFloat]>>:$factors);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    custom<Keyword>($activation) $input `,` $indices `,` $weights `,` $factors
    attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// Rows of down's input.
    int64_t getInnerWidth();
    /// Whether an activated gate multiplies, and whether gate and up are one
    /// factor.
    bool isGated();
    bool isFused() { return isGated() && getFactors().size() == 2; }
  }];
  let hasVerifier = 1;
}

#endif // LINNET_EXPERT_OPS_TD
