//===- Passes.td - passes that choose and derive execution forms ----------===//

#ifndef PASSES_FORM_TD
#define PASSES_FORM_TD

include "mlir/Pass/PassBase.td"

def ThreadState : Pass<"linnet-thread-state", "::mlir::ModuleOp"> {
  let summary = "Give a stateless model explicit state";
  let description = [{
    Precondition: a module whose `@forward` is stateless; time is the open
    dimension 1 of its arguments.

    Effect: every stateful operation (`StatefulOpInterface`) reachable from
    `@forward` takes its state as a tensor and returns the new one; functions,
    calls and stacks pass the states through. Running T tokens at once then
    equals running them in parts, so prefill and decode are the same code. A
    stack's states are stacked along a new first dimension, one entry per
    layer of the function. The first index argument is the number of tokens
    before the first; a function without gets one.

    Declines: encoders (with a remark). A module without stateful operations
    is left as it is. In a causal model tokens may meet in stateful operations
    only: one that cannot run token by token (attention without causal mask, a
    reverse scan) and any other in which tokens meet (a sum, a slice or a
    concatenation along time, a product of tokens, one that reads the number
    of a token) is an error naming the operation and the reason.

    Exact or approximate: exact.

    Options: `max-context`: tokens a growing state (a cache) holds; 0 takes
    the model's own. `function`: the function instead of `@forward`.

    Statistics: number of operations given state.

    Example: test/Passes/Form/thread-state.mlir.
  }];
  let options = [
    Option<"maxContext", "max-context", "int64_t", "0",
           "tokens a growing state holds (0: the model's max_context)">,
    Option<"function", "function", "std::string", "",
           "the function to give state to, instead of a model's">];
  let statistics = [
    Statistic<"threaded", "threaded", "operations given explicit state">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect"];
}

def SimplifyTransitions : Pass<"linnet-simplify-transitions"> {
  let summary = "Take the cheapest transition that the operands allow";
  let description = [{
    Precondition: none.

    Effect: a `linnet.scan` whose transition operands are provably trivial gets
    the transition of the terms that are left, if the dialect (or a plugin)
    has one:

    - a log decay of zero vanishes, a constant or a filled tensor, also behind
      reshapes and broadcasts;
    - so does a perturbation `b (a^T S)` with a or b zero;
    - pairs of rows with angle zero become rows;
    - a perturbation with `b = -k`, where k = beta x is the key, and `a = x`
      (behind a decay: `a = e^g x`) becomes the delta rule with key x and rate
      beta, whose one matrix of scores replaces four;
    - a decay of one entry for all rows or columns becomes one per head.

    Declines: a scan of which nothing is provable; one whose remaining terms
    are no known transition; one whose form is set and illegal for it.

    Exact or approximate: exact.

    Options: none. Statistics: number of transitions simplified.

    Example: test/Passes/Form/simplify-transitions.mlir.
  }];
  let statistics = [Statistic<"simplified", "simplified", "transitions simplified">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect", "::mlir::tensor::TensorDialect"];
}

def SelectForm : Pass<"linnet-select-form", "::mlir::ModuleOp"> {
  let summary = "Choose how each recurrence is computed";
  let description = [{
    Precondition: none. Phases (`linnet-specialize-phases`) tell the number of
    tokens per call; other functions must have static shapes.

    Effect: every `linnet.scan` without a form gets the cheapest of those that
    are legal for its transition and that the CPU has a kernel for:
    `sequential` (token by token, the state in registers and cache),
    `chunkwise`, or `quadratic` (readers meet the writers of all earlier tokens,
    and the state only where it is given or used: pays where it is neither, for
    up to about as many tokens as it has keys); or it becomes a
    `linnet.ssm_kernel` and a `linnet.long_conv` (`convolution`), which needs a time-invariant transition, key and query and
    a state that is neither given nor used.

    On request only, as it pays with many threads and few heads and their
    number is not known here: `associative` runs up to 16 segments of the
    tokens side by side as rows of the batch, three times (what they leave of
    zeros, their transitions, and the tokens from the right states).

    The estimate of each, in multiply-adds per token and head that
    the processor could have done meanwhile, stands in a remark. The numbers
    behind it were measured: see `SelectForm.cpp`.

    Declines: a scan whose form is set; with `form` one for which that form is
    illegal, that is no convolution or has no segments of one length, that is
    shorter than a chunk or has rows that are the same for all keys (chunkwise,
    quadratic), that has a dimension of zero (such a scan is sequential unless
    asked otherwise), or whose form has no kernel on the CPU (a remark with the
    reason). With `exact-decode` a form other than `sequential` that is set is an
    error.

    Exact or approximate: exact up to the order of f32 sums.

    Options: `form`: this form wherever it is legal, whatever it costs.
    `exact-decode`: `sequential` everywhere, the one form in which a token's
    sums do not depend on how many tokens come with it; the module gets
    `linnet.exact_decode`, by which other kernels know.

    Statistics: number of forms chosen, and of those declined.

    Example: test/Passes/Form/select-form.mlir.
  }];
  let options = [
    Option<"form", "form", "std::string", "",
           "take this form wherever it is legal">,
    Option<"exactDecode", "exact-decode", "bool", "false",
           "take the form whose bits do not depend on the tokens per call">];
  let statistics = [
    Statistic<"chosen", "chosen", "forms chosen">,
    Statistic<"declined", "declined", "recurrences for which the form asked for is illegal">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::linalg::LinalgDialect"];
}

def ExpandStep : Pass<"linnet-expand-step"> {
  let summary = "Write a step as a scan over one token";
  let description = [{
    Precondition: none.

    Effect: `linnet.step` becomes `linnet.scan` on operands with a time
    dimension of one, so that lowerings know one recurrence only.

    Declines: nothing.

    Exact or approximate: exact.

    Options: none. Statistics: number of steps expanded.

    Example: test/Passes/Form/expand-step.mlir.
  }];
  let statistics = [Statistic<"expanded", "expanded", "steps expanded">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect", "::mlir::tensor::TensorDialect"];
}

def SplitAlongTime : Pass<"linnet-split-along-time"> {
  let summary = "Run stateful operations in two parts";
  let description = [{
    Precondition: stateful operations with static shapes.

    Effect: a stateful operation over T tokens becomes one over the first
    `at` tokens and one over the rest that starts from the first's state: the
    interface's split and merge. Used to test state, to shard long inputs and
    to bound a lowering's working set.

    Declines: operations of T <= `at` tokens, or that cannot stream (with a
    remark saying why).

    Exact or approximate: exact.

    Options: `at`: tokens in the first part. Statistics: operations split and
    declined.

    Example: test/Passes/Form/split-along-time.mlir.
  }];
  let options = [Option<"at", "at", "int64_t", "1", "tokens in the first part">];
  let statistics = [Statistic<"split", "split", "operations split">,
                    Statistic<"declined", "declined", "operations declined">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

#endif // PASSES_FORM_TD
