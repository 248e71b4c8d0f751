//===- Passes.td - passes that make a model smaller -----------------------===//

#ifndef PASSES_COMPRESS_TD
#define PASSES_COMPRESS_TD

include "mlir/Pass/PassBase.td"

// Options that several passes have; they are those of linnet-compress.
defvar textOptions = [
  Option<"calibration", "calibration", "std::string", "",
         "a text (or tokens, @T.npy) to look at">,
  Option<"calibrationTokens", "calibration-tokens", "int64_t", "65536",
         "most tokens of it">,
  Option<"window", "window", "int64_t", "0",
         "tokens per window; 0: 256, or the model's context">];
defvar evaluationOption =
  Option<"evaluation", "evaluation", "std::string", "",
         "another text, on which original and result are compared">;
defvar resumeOption =
  Option<"resume", "resume", "std::string", "",
         "a directory that keeps what is finished">;
defvar fitToOption =
  Option<"fitTo", "fit-to", "std::string", "\"outputs\"",
         "what fits make small: outputs, scaled or weights">;
class OutputOption<string what>
    : Option<"output", "output", "std::string", "", what>;
defvar checkpointOption = OutputOption<"the checkpoint directory to write">;
defvar checkpointDialects = [
  "::mlir::linnet::LinnetDialect", "::mlir::func::FuncDialect", "::mlir::arith::ArithDialect",
  "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect", "::mlir::linalg::LinalgDialect"];

def AnalyseMaps : Pass<"linnet-analyse-maps", "::mlir::ModuleOp"> {
  let summary = "Measure what each linear map can do without";
  let description = [{
    Precondition: a model before `linnet-thread-state` in the frame of an import
    (`@forward` with one `linnet.stack`), whose archive is a checkpoint or a
    weight file.

    Effect: none on the IR. `output` gets an analysis.json: for each matrix of
    a layer its spectrum, what outputs lose in each structure of `structure`
    with each of its numbers, and how much that counts: on `calibration` by
    what the model loses when this matrix alone is cut; without a text all
    matrices count the same. The file may be edited.

    Declines: maps that cannot be replaced, by a missed remark with the reason.
    Errors: a text of fewer than 8 windows or with tokens outside of the
    vocabulary; entries that are not finite.

    Exact or approximate: losses are those of the fits, on some of the text.

    Options: `output`; `structure` and the numbers `group`, `blocks`,
    `block-height`, `block-width`, `pattern-kept`, `pattern-size`,
    `rank-multiple`; `calibration`, `calibration-tokens`, `window`,
    `sensitivity-tokens`, `fit-to`, `resume`; all as in linnet-compress.
    Statistics: maps analysed.

    Example: test/Passes/Compress/analyse-maps.mlir.
  }];
  let options = !listconcat([
    OutputOption<"the file to write">,
    ListOption<"structures", "structure", "std::string",
               "what matrices may become">,
    Option<"group", "group", "int64_t", "64",
           "codes: inputs that share a scale; 0: all of a row">,
    Option<"blocks", "blocks", "int64_t", "4",
           "blast, monarch: blocks along each side">,
    Option<"blockHeight", "block-height", "int64_t", "16",
           "block_sparse, low_rank_sparse: outputs of a block">,
    Option<"blockWidth", "block-width", "int64_t", "1",
           "block_sparse, low_rank_sparse: inputs of a block">,
    Option<"patternKept", "pattern-kept", "int64_t", "2",
           "nm_sparse: inputs kept of each group">,
    Option<"patternSize", "pattern-size", "int64_t", "4",
           "nm_sparse: inputs of each group">,
    Option<"rankMultiple", "rank-multiple", "int64_t", "8",
           "ranks are multiples of it">,
    Option<"sensitivityTokens", "sensitivity-tokens", "int64_t", "8192",
           "tokens on which cutting each matrix alone is measured; 0: none">,
    fitToOption, resumeOption], textOptions);
  let statistics = [Statistic<"analysed", "analysed", "linear maps analysed">];
}

def PlanMaps : Pass<"linnet-plan-maps", "::mlir::ModuleOp"> {
  let summary = "Spend one budget over all linear maps";
  let description = [{
    Precondition: the module that `linnet-analyse-maps` saw, and its file.

    Effect: none on the IR. `output` gets a plan.json: what each matrix becomes
    so that all together fit `budget` and the model loses least by what the
    analysis says; each step is where it avoids most damage per cost (Everett
    1963), first for each layer alone, then for at most `layer-kinds` kinds of
    layers that are alike before. The file may be edited.

    Declines: choices that need no less of what is counted than the dense
    matrix. Errors: a structure with which no matrix needs less; a budget below
    what the structures need (the message says the least); an analysis of
    another model.

    Exact or approximate: the plan is on the lower convex hull of losses and
    costs; damages of several matrices are taken to add up.

    Options: `analysis`, `budget` (`params:F`, `bytes:F`, `flops:F`,
    `latency:F`), `floor` (the least share of it that any one map keeps),
    `layer-kinds`, `output`. Statistics: maps that get a structure.

    Example: test/Passes/Compress/plan-maps.mlir.
  }];
  let options = [
    OutputOption<"the file to write">,
    Option<"analysis", "analysis", "std::string", "",
           "the file that linnet-analyse-maps wrote">,
    Option<"budget", "budget", "std::string", "",
           "the share to keep, such as params:0.5">,
    Option<"floor", "floor", "double", "0",
           "least share of what the budget counts that any one map keeps">,
    Option<"layerKinds", "layer-kinds", "int64_t", "8",
           "kinds of layers that are alike before; 0: any number">];
  let statistics = [Statistic<"planned", "planned", "linear maps with a structure">];
}

def FitMaps : Pass<"linnet-fit-maps", "::mlir::ModuleOp"> {
  let summary = "Fit linear maps to a plan, and put them into the model";
  let description = [{
    Precondition: the module that the plan was made for.

    Effect: each matrix that `plan` gives a structure becomes factors of it,
    first layer first, with `calibration` fitted to what the original computes
    on the inputs that the maps before leave (undone where held-out windows say
    that it was worse). `output` gets the weights, config.json, plan.json and
    report.json, which says how far each map, each layer and the outputs are
    from the original's. The module then is what `linnet-apply-structures`
    makes of it.

    Declines: maps that cannot be replaced, by a missed remark with the reason.
    Errors: a plan of another model, of maps that there are not, with numbers
    that a matrix cannot have, or that leaves out channels or layers
    (`linnet-narrow-layers` does); an output that exists.

    Exact or approximate: approximate, by as much as the remarks and
    report.json say; exact up to rounding for a plan that keeps everything.

    Options: `plan`, `output`, `calibration`, `calibration-tokens`, `window`,
    `evaluation`, `fit-to`, `refit`, `resume`, `force`; all as in
    linnet-compress. Statistics: maps that follow from factors.

    Example: test/Passes/Compress/fit-maps.mlir.
  }];
  let options = !listconcat([
    OutputOption<"the directory to write">,
    Option<"plan", "plan", "std::string", "",
           "the file that linnet-plan-maps wrote">,
    Option<"refit", "refit", "bool", "true",
           "let matrices make up for errors of those before them">,
    Option<"force", "force", "bool", "false",
           "replace a directory that was written so">,
    evaluationOption, fitToOption, resumeOption], textOptions);
  let statistics = [Statistic<"fitted", "fitted", "linear maps that follow from factors">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect"];
}

def ApplyStructures : Pass<"linnet-apply-structures", "::mlir::ModuleOp"> {
  let summary = "Let linear maps follow from a checkpoint's factors";
  let description = [{
    Precondition: a model before `linnet-thread-state`, as imported from the
    original of `checkpoint`.

    Effect: where the key `linnet.structures` of the checkpoint's config.json
    says how a matrix W follows from tensors, `linnet.linear #linnet.dense %x,
    %W` becomes one of that structure with those tensors. A layer function
    becomes one for each way that its layers are stored. The checkpoint is the
    module's archive from then on; an import of it gives the same module.

    Declines: nothing. Errors: factors that are none of a map of this size;
    entries of matrices that the model lacks, or that are not the matrix of one
    dense map.

    Exact or approximate: exact: the module computes what is stored.

    Options: `checkpoint`. Statistics: matrices that follow from factors.

    Example: test/Passes/Compress/apply-structures.mlir.
  }];
  let options = [
    Option<"checkpoint", "checkpoint", "std::string", "",
           "the directory with config.json and the factors">];
  let statistics = [Statistic<"applied", "applied", "matrices that follow from factors">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect"];
}

def JoinMaps : Pass<"linnet-join-maps", "::mlir::ModuleOp"> {
  let summary = "Make one linear map of two in a row";
  let description = [{
    Precondition: a module with weights, before phases are specialized.

    Effect: y = B (A x + b) + c, two dense maps of weights with nothing between,
    becomes (B A) x + (B b + c) if B A has no more bytes than the two, in chains
    pair by pair (Wu et al. 2019, SGC, for networks without activations). The
    products, of each layer, are tensors of a new archive named after B's
    tensor; those that nothing names any more are left out of it.

    Declines, by a missed remark with the reason: a product of more bytes (the
    two are a factorisation then), an output that goes elsewhere too, structured
    maps, a bias that is no weight, a map that layers share.

    Exact or approximate: exact but for one rounding per entry: products of f64
    are f64, others f32.

    Options: `output`, the weight file to write, from then on the module's
    archive; it is not written if nothing is joined. Statistics: pairs joined.

    Example: test/Passes/Compress/join-maps.mlir.
  }];
  let options = [OutputOption<"the weight file to write">];
  let statistics = [Statistic<"joined", "joined", "pairs of maps joined">];
  let dependentDialects = ["::mlir::linnet::LinnetDialect"];
}

class CheckpointPass<string flag> : Pass<flag, "::mlir::ModuleOp"> {
  let dependentDialects = checkpointDialects;
}

def NarrowLayers : CheckpointPass<"linnet-narrow-layers"> {
  let summary = "Leave out channels, heads, experts and layers";
  let description = [{
    Precondition: a module as `linnet-import` makes it of a checkpoint.

    Effect: a share of the channels between maps, of the query heads of each
    key head, of the key heads, or of the heads of scans goes, those for which the map behind can make
    up best (optimal brain surgeon on groups of its inputs), and that map is
    fitted to what is left by least squares; experts go whose outputs count
    least in the tokens that are routed to them (REAP, Lasby et al. 2025); key
    channels of scans go whose queries and keys are smallest; and
    so many layers go, those without which the model loses least. `output` gets a plain checkpoint of
    the same kind, with plan.json and report.json, and the module becomes its
    import.

    Declines: maps that lose nothing, by a missed remark with the reason.
    Errors: a module that was changed since its import; sizes that the
    configuration cannot say.

    Exact or approximate: approximate, by as much as report.json says.

    Options: `keep-channels`, `keep-heads`, `keep-kv-groups`,
    `keep-recurrent-heads`, `keep-state-channels`, `keep-experts`, `drop-layers`, `budget` (of state
    alone, `state:F`), `calibration`, `calibration-tokens`, `window`, `evaluation`, `output`; all
    as in linnet-compress. Statistics: maps that became smaller or went.

    Example: test/Passes/Compress/narrow-layers.mlir.
  }];
  let options = !listconcat([
    checkpointOption,
    Option<"keepChannels", "keep-channels", "double", "1",
           "share of the channels of each layer's MLP to keep">,
    Option<"keepHeads", "keep-heads", "double", "1",
           "share of the query heads of each key head to keep">,
    Option<"keepKvGroups", "keep-kv-groups", "double", "1",
           "share of the key heads to keep">,
    Option<"keepRecurrentHeads", "keep-recurrent-heads", "double", "1",
           "share of the heads of scans to keep">,
    Option<"keepStateChannels", "keep-state-channels", "double", "1",
           "share of the key channels of scans to keep">,
    Option<"keepExperts", "keep-experts", "double", "1",
           "share of the experts of each mixture to keep">,
    Option<"dropLayers", "drop-layers", "int64_t", "0", "layers to drop">,
    Option<"budget", "budget", "std::string", "",
           "state:F, the share to keep of what decode carries">,
    evaluationOption], textOptions);
  let statistics = [Statistic<"narrowed", "narrowed", "linear maps that lost inputs or outputs">];
}

def FoldWeights : CheckpointPass<"linnet-fold-weights"> {
  let summary = "Leave out what changes nothing";
  let description = [{
    Precondition: a module as `linnet-import` makes it of a checkpoint.

    Effect: with `norms`, the weights of norms become part of the linear maps
    behind them; with `dead`, channels go that are constant for every input, by
    bounds that are rounded outwards. `output` gets a plain checkpoint, and the
    module becomes its import.

    Declines: norms and maps that cannot, by a missed remark with the reason.
    Errors: nothing to fold; a module that was changed since its import.

    Exact or approximate: exact but for one rounding per entry.

    Options: `folds` (of `norms`, `dead`), `output`. Statistics: lines of what
    was folded.

    Example: test/Passes/Compress/fold-weights.mlir.
  }];
  let options = [
    checkpointOption,
    ListOption<"folds", "folds", "std::string", "what to fold: norms, dead">];
  let statistics = [Statistic<"folded", "folded", "notes on what was folded">];
}

def MergeAdapters : CheckpointPass<"linnet-merge-adapters"> {
  let summary = "Add to the weights what was learned beside them";
  let description = [{
    Precondition: a module as `linnet-import` makes it of a checkpoint.

    Effect: each of `adapters`, DIR or DIR:C, is added C (1) times: a LoRA
    adapter (Hu et al. 2022), or another checkpoint's difference (Ilharco et
    al. 2023). `output` gets a plain checkpoint, and the module becomes its
    import.

    Declines: nothing. Errors: adapters of another kind or for tensors that the
    checkpoint lacks; a module that was changed since its import.

    Exact or approximate: exact but for one rounding per entry.

    Options: `adapters`, `output`. Statistics: none.

    Example: test/Passes/Compress/merge-adapters.mlir.
  }];
  let options = [
    checkpointOption,
    ListOption<"adapters", "adapters", "std::string", "what to add, DIR or DIR:C">];
}

def ThresholdActivations : CheckpointPass<"linnet-threshold-activations"> {
  let summary = "Let small inputs of linear maps count as zero";
  let description = [{
    Precondition: a module as `linnet-import` makes it of a checkpoint, of a
    causal model.

    Effect: inputs of a layer's linear maps that are small beside the size of
    what they add count as zero (`linnet.threshold`), so that decode skips
    their weights: with `share:F` a share F of inputs, with `error:E` as many
    as change each map's output by E at most. `output` gets the checkpoint with
    the thresholds, and the module becomes its import.

    Declines: maps that need no threshold or allow none. Errors: as
    linnet-compress says; a module that was changed since its import.

    Exact or approximate: approximate, by as much as report.json says.

    Options: `thresholds`, `calibration`, `calibration-tokens`, `window`,
    `evaluation`, `output`. Statistics: maps with thresholds.

    Example: test/Passes/Compress/threshold-activations.mlir.
  }];
  let options = !listconcat([
    checkpointOption,
    Option<"thresholds", "thresholds", "std::string", "", "share:F or error:E">,
    evaluationOption], textOptions);
  let statistics = [Statistic<"thresholded", "thresholded", "linear maps with thresholds">];
}

def ReduceVocabulary : CheckpointPass<"linnet-reduce-vocabulary"> {
  let summary = "Leave out tokens that a text does not need";
  let description = [{
    Precondition: a module as `linnet-import` makes it of a checkpoint.

    Effect: tokens that do not occur in `text`, and are not needed to make
    those, leave tables, head and tokenizer. `output` gets a plain checkpoint,
    and the module becomes its import.

    Declines: nothing. Errors: a text without tokens; nothing that can go; a
    module that was changed since its import.

    Exact or approximate: exact for texts of kept tokens.

    Options: `text`, `evaluation`, `output`. Statistics: none.

    Example: test/Passes/Compress/reduce-vocabulary.mlir.
  }];
  let options = [
    checkpointOption,
    Option<"text", "text", "std::string", "", "the text (or tokens, @T.npy)">,
    evaluationOption];
}

def CutEmbeddings : CheckpointPass<"linnet-cut-embeddings"> {
  let summary = "Cut the outputs of an encoder";
  let description = [{
    Precondition: a module as `linnet-import` makes it of an encoder.

    Effect: outputs get `width` entries: the first (Kusupati et al. 2022), or
    with `calibration` those directions that keep cosines best. `output` gets
    the checkpoint, and the module becomes its import.

    Declines: nothing. Errors: a causal model; a width that is not below that
    of the outputs; a module that was changed since its import.

    Exact or approximate: approximate; remarks say how much cosines differ.

    Options: `width`, `calibration`, `calibration-tokens`, `window`,
    `evaluation`, `output`. Statistics: none.

    Example: test/Passes/Compress/cut-embeddings.mlir.
  }];
  let options = !listconcat([
    checkpointOption,
    Option<"width", "width", "int64_t", "0", "entries to keep">,
    evaluationOption], textOptions);
}

#endif // PASSES_COMPRESS_TD
