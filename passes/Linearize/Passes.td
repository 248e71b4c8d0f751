//===- Passes.td - passes of the Linearize phase --------------------------===//

#ifndef PASSES_LINEARIZE_TD
#define PASSES_LINEARIZE_TD

include "mlir/Pass/PassBase.td"

def DistillConvolution : Pass<"linnet-distill-convolution", "::mlir::ModuleOp"> {
  let summary = "Approximate long filters by recurrences";
  let description = [{
    Precondition: `linnet.long_conv` before its state is threaded, whose filter
    is a constant or a weight of the module's archive.

    Effect: the convolution becomes a `linnet.scan` with a complex
    time-invariant transition, whose state is as large as the number of modes
    rather than as long as the filter, plus the first tap's direct term. The
    poles come from the Hankel matrix of the taps (Kung 1978), the weights are
    least squares over all taps; the number of states is the smallest power of
    two within the bound. Massaroli et al. 2023, "Laughing Hyena distillery".

    The modes are constants or, with `archive`, weights named after the filter's
    key, for each layer that has one; all have as many modes as the worst needs.

    Declines: filters that are computed, or differ from layer to layer without
    `archive`; explicit state; filters that no recurrence of `order` states is
    near enough to. A missed remark says which and how near it came.

    Exact or approximate: approximate; the remark states the relative l2 error
    of the worst filter, over its whole length. Beyond its length a filter is
    zero and the recurrence goes on.

    Options: `order`: most real states of a filter. `max-error`: the bound.
    `archive`: the safetensors file to write with the modes and all other
    weights, from then on the module's archive.

    Statistics: convolutions distilled and declined.

    Example: test/Passes/Linearize/distill-convolution.mlir.
  }];
  let options = [
    Option<"order", "order", "int64_t", "64", "most real states of a filter">,
    Option<"maxError", "max-error", "double", "1e-3",
           "largest relative l2 error of a filter">,
    Option<"archivePath", "archive", "std::string", "",
           "write the weights with the modes to this file">];
  let statistics = [
    Statistic<"distilledCount", "distilled", "convolutions distilled">,
    Statistic<"declined", "declined", "convolutions declined">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::arith::ArithDialect"];
}

#endif // PASSES_LINEARIZE_TD
