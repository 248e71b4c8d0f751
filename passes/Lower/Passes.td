//===- Passes.td - passes between the model and a target ------------------===//

#ifndef PASSES_LOWER_TD
#define PASSES_LOWER_TD

include "mlir/Pass/PassBase.td"

def ExpandStructures : Pass<"linnet-expand-structures"> {
  let summary = "Write structured linear maps as dense ones";
  let description = [{
    Precondition: none.

    Effect: a `linnet.linear` whose structure is not primitive becomes the
    simpler maps its structure attribute builds (`low_rank` becomes two dense
    maps), followed by the bias.

    Declines: primitive structures, which have a kernel.

    Exact or approximate: exact in exact arithmetic; in f32 the order of
    summation changes.

    Options: none. Statistics: number of maps expanded.

    Example: test/Passes/Lower/expand-structures.mlir.
  }];
  let statistics = [Statistic<"expanded", "expanded", "linear maps expanded">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SkipZeros : Pass<"linnet-skip-zeros"> {
  let summary = "Mark linear maps whose inputs hold many zeros";
  let description = [{
    Precondition: structures expanded; glue still in `arith` on tensors.

    Effect: a `linnet.linear` gets `skips_zeros` if zeros reach its input: from
    a relu, its square, a threshold or a maximum with zero, alone or as the gate
    of a product, through elementwise operations that keep zeros and through
    reshapes. In decode its kernel then lists the inputs that are not zero and
    reads only their weights, from the same panels that prefill reads; where
    more than three quarters are not zero, all weights.

    Declines: a structure whose kernel reads the weights of several inputs
    together (a missed remark); inputs from other functions.

    Exact or approximate: exact, bit by bit but for the sign of a zero, where
    weights are finite: a sum's terms keep their order, and those that are left
    out are zeros.

    Options: none. Statistics: number of maps marked.

    Example: test/Passes/Lower/skip-zeros.mlir.
  }];
  let statistics = [Statistic<"marked", "marked", "linear maps marked">];
}

def SpecializePhases : Pass<"linnet-specialize-phases", "::mlir::ModuleOp"> {
  let summary = "Clone the model per phase with its shapes";
  let description = [{
    Precondition: `@forward`, with explicit state for a causal model.

    Effect: `@forward` and what it calls are cloned once per phase, with the
    batch fixed. A causal model gets `prefill`, where time stays dynamic (at
    most `block-tokens` per call), and `decode` of exactly one token. An
    encoder gets `encode`, at most `max_context` tokens. Each phase's main
    function carries `linnet.phase` and `linnet.max_tokens`. All other
    functions are removed. With `function` that function becomes the one phase
    `phase`, its open first dimensions `batch` and its open second dimensions
    `tokens`.

    Declines: a module without `@forward`, or without `function` (an error).

    Exact or approximate: exact.

    Options: `batch`, `block-tokens`, `function`, `phase`, `tokens`. Statistics: number
    of phases.

    Example: test/Passes/Lower/specialize-phases.mlir.
  }];
  let options = [
    Option<"batch", "batch", "int64_t", "1", "rows of the batch">,
    Option<"blockTokens", "block-tokens", "int64_t", "256",
           "most tokens per prefill call">,
    Option<"function", "function", "std::string", "",
           "the function to make a phase of, instead of a model's">,
    Option<"phase", "phase", "std::string", "\"run\"", "the name of that phase">,
    Option<"tokens", "tokens", "int64_t", "1", "tokens of that function">];
  let statistics = [Statistic<"phases", "phases", "phases made">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect"];
}

#endif // PASSES_LOWER_TD
