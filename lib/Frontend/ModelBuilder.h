//===- ModelBuilder.h - the frame and the blocks of a model ---*- C++ -*-===//
//
// What every importer is written with. An importer calls begin, embed, stack
// and head in this order; the bodies it passes write one function each with
// the blocks below, so that they read like the equations of the family.
//
// Weights are checked against the archive where they are named. The first
// problem is kept and the weight gets the expected type, so that bodies need
// no error paths; finish() reports it.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_FRONTEND_MODELBUILDER_H
#define LIB_FRONTEND_MODELBUILDER_H

#include "Config.h"
#include "Rope.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Checkpoint/Archive.h"
#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Frontend/StoredStructures.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace linnet {

/// The dialect's operations, attributes and enums.
namespace ir = mlir::linnet;

/// The context of models whose state does not grow with it, unless an option
/// says otherwise.
inline constexpr int64_t kUnboundedContext = int64_t(1) << 20;

/// What a runtime must know of a model.
struct ModelFacts {
  /// Encoders see all tokens, take token types and a key mask, and return
  /// hidden states.
  bool encoder = false;
  int64_t vocabulary = 0;
  int64_t hidden = 0;
  int64_t layers = 0;
  /// Tokens the model was made for.
  int64_t maxPositions = 0;
  /// Whether it cannot go beyond them (learned positions).
  bool fixedPositions = false;
};

/// The arguments of @embed.
struct EmbedInputs {
  mlir::Value tokens;     // [B, T] i32
  mlir::Value position;   // index: number of tokens before the first
  mlir::Value tokenTypes; // [B, T] i32, encoders only
};

/// The arguments of a layer function.
struct LayerInputs {
  mlir::Value x;        // [B, T, hidden]
  mlir::Value position; // index
  mlir::Value keyMask;  // [B, T] i32, encoders only
  /// What the layer before handed on beside x (of stackHanding).
  mlir::Value handed;
  /// One of the layers that the function serves.
  int64_t number = 0;
};

/// How a linear map is stored.
struct LinearOptions {
  bool bias = false;
  ir::Storage storage = ir::Storage::OutIn;
};

/// Softmax attention beyond q, k, v.
struct AttentionOptions {
  double scale = 1.0;
  bool causal = true;
  std::optional<int64_t> window = std::nullopt;
  mlir::Value keyMask = {};
  /// Scores become softCap tanh(score / softCap).
  std::optional<double> softCap = std::nullopt;
  /// Without values: how much of the keys is values.
  std::optional<int64_t> valueWidth = std::nullopt;
};

/// How a router chooses; as linnet.route says.
struct RouteOptions {
  ir::RouteScore score = ir::RouteScore::Softmax;
  int64_t chosen = 1;
  /// Whether the chosen weights are divided by their sum plus `eps`.
  bool normalize = true;
  double eps = 0;
  double scale = 1;
  int64_t groups = 1, topGroups = 1;
  ir::GroupRule rule = ir::GroupRule::Best;
  /// A bias [experts] of the choice, or empty.
  std::string bias = {};
};

/// The experts of each token and their weights.
struct Choice {
  mlir::Value indices, weights;
};

class ModelBuilder {
public:
  ModelBuilder(mlir::MLIRContext &context, const Archive &archive,
               Config config, std::string modelType,
               std::optional<int64_t> maxContext);

  Config &config() { return configuration; }
  const std::string &modelType() const { return type; }
  mlir::MLIRContext *context() const { return b.getContext(); }

  /// The activation that `key` of the configuration names.
  ir::Activation readActivation(std::string_view key, std::string_view dflt);

  //===--- names (Weights.cpp)
  //---------------------------------------------===//

  /// The first of `prefixes` under which the archive has `probe`, else the
  /// first of all.
  std::string choosePrefix(llvm::StringRef probe,
                           llvm::ArrayRef<llvm::StringRef> prefixes) const;
  /// Weights ending in `ending` may instead end in `older`.
  void alias(llvm::StringRef ending, llvm::StringRef older);
  /// Tensors matching `glob` (`*` is any text) need not be used.
  void ignore(llvm::StringRef glob);
  /// Whether the head is the embedding: as `tie_word_embeddings` says; without
  /// it `dflt`, or true if the archive has no `headKey`.
  bool isTied(llvm::StringRef headKey, bool dflt);

  //===--- the frame -----------------------------------------------------===//

  /// Fails if the configuration had an error; nothing is built before.
  Status begin(const ModelFacts &facts);
  /// Writes @embed: names in `body` start with `prefix`.
  void embed(llvm::StringRef prefix,
             llvm::function_ref<mlir::Value(const EmbedInputs &)> body);
  /// Writes one function per distinct layer. Names in `body` start with
  /// `prefix`, the layer's number and a dot. Two layers are the same if their
  /// `kinds` (one per layer, or empty) and the types of their tensors agree.
  void stack(llvm::StringRef prefix, const std::vector<std::string> &kinds,
             llvm::function_ref<mlir::Value(const LayerInputs &)> body);
  /// The same for layers that hand on a second value of x's shape; the first
  /// layer gets x there.
  void stackHanding(llvm::StringRef prefix,
                    const std::vector<std::string> &kinds,
                    llvm::function_ref<std::pair<mlir::Value, mlir::Value>(
                        const LayerInputs &)>
                        body);
  /// Writes @head, which treats tokens independently: `x` to logits.
  void head(llvm::StringRef prefix,
            llvm::function_ref<mlir::Value(mlir::Value x)> body);
  /// Writes @forward, checks that every tensor is used and hands the module
  /// over.
  Result<mlir::OwningOpRef<mlir::ModuleOp>> finish();

  //===--- weights
  //(Weights.cpp)--------------------------------------------===//

  /// The tensor at prefix + `name`, as stored.
  mlir::Value weight(llvm::StringRef name, llvm::ArrayRef<int64_t> shape);
  /// The same in f32, for elementwise use.
  mlir::Value wideWeight(llvm::StringRef name, llvm::ArrayRef<int64_t> shape);
  /// Runs `body`, whose names start with `outer` instead: of tensors that
  /// layers share.
  mlir::Value within(llvm::StringRef outer,
                     llvm::function_ref<mlir::Value()> body);

  //===--- blocks (Blocks.cpp) -------------------------------------------===//

  /// Rows of table `name`.weight `[rows, width]`.
  mlir::Value embedding(mlir::Value ids, llvm::StringRef name, int64_t rows,
                        int64_t width);
  /// Absolute positions `[B, T]` of tokens `[B, T]`.
  mlir::Value positions(mlir::Value tokens, mlir::Value position);
  /// `name`.weight (and .bias) applied to the last dimension of `x`; where the
  /// configuration says so, the matrix follows from factors, and small entries
  /// of `x` are left out.
  mlir::Value linear(mlir::Value x, llvm::StringRef name, int64_t out,
                     LinearOptions options = {});
  /// x / sqrt(mean(x^2) + eps) * w, with `unitOffset` * (1 + w).
  mlir::Value rmsNorm(mlir::Value x, llvm::StringRef name, double eps,
                      bool unitOffset = false);
  /// RMS norm with a gate, usually silu, before or after it, over `groups`
  /// parts.
  mlir::Value gatedRmsNorm(mlir::Value x, mlir::Value gate,
                           llvm::StringRef name, double eps,
                           ir::GateOrder order, int64_t groups = 1,
                           ir::Activation act = ir::Activation::Silu);
  /// (x - mean) / sqrt(var + eps) * w + b.
  mlir::Value layerNorm(mlir::Value x, llvm::StringRef name, double eps,
                        bool bias = true);
  /// x / sqrt(sum(x^2) + eps).
  mlir::Value l2Norm(mlir::Value x, double eps);
  mlir::Value rotary(mlir::Value x, mlir::Value position, const Rope &rope);
  /// q `[B, T, H, D]`, k and v `[B, T, Hk, D]`; v null: see the options.
  mlir::Value attention(mlir::Value q, mlir::Value k, mlir::Value v,
                        const AttentionOptions &options);
  /// down(act(gate(x)) * up(x)) of `name`.{gate,up,down}_proj.
  mlir::Value gatedMlp(mlir::Value x, llvm::StringRef name, int64_t width,
                       ir::Activation act, bool bias = false);
  /// Causal depthwise convolution over time with `taps` taps.
  mlir::Value shortConv(mlir::Value x, llvm::StringRef name, int64_t taps,
                        ir::Activation act, bool bias);
  /// The same with given taps [channels, 1, taps].
  mlir::Value shortConv(mlir::Value x, mlir::Value w, ir::Activation act);
  /// The recurrence; operands as linnet.scan says.
  mlir::Value scan(mlir::Value q, mlir::Value k, mlir::Value v,
                   mlir::Attribute transition,
                   llvm::ArrayRef<mlir::Value> parameters, double scale = 1.0,
                   int64_t microSteps = 1);
  /// The same read before the token's update, of which `bonus` [1, 1, H, K]
  /// times as much is added.
  mlir::Value scanBefore(mlir::Value q, mlir::Value k, mlir::Value v,
                         mlir::Attribute transition,
                         llvm::ArrayRef<mlir::Value> parameters,
                         mlir::Value bonus);
  /// Layer norm of each of `groups` parts, times silu(gate) if there is a gate.
  mlir::Value groupNorm(mlir::Value x, llvm::StringRef name, double eps,
                        int64_t groups, mlir::Value gate = {},
                        bool bias = true);
  /// Matrix `w` [out, in] applied to the last dimension, plus `bias` [out].
  mlir::Value linear(mlir::Value x, mlir::Value w, mlir::Value bias);
  /// diag(W_1, ..., W_n) applied to the last dimension, plus `bias` [out] if
  /// given: `blocks` are the matrices, stored as said.
  mlir::Value blockLinear(mlir::Value x, mlir::Value blocks,
                          ir::Storage storage, mlir::Value bias = {});
  /// x W_h + bias_h for every head of `x` `[B, T, heads D]`: `weightName`
  /// `[heads, D, D]` is stored [in, out], `biasName` `[heads, D]`.
  mlir::Value linearPerHead(mlir::Value x, llvm::StringRef weightName,
                            llvm::StringRef biasName, int64_t heads);
  /// x_{t-1} - x_t, where x_{-1} = 0.
  mlir::Value tokenShift(mlir::Value x);
  /// x / sqrt(mean(x^2) + eps).
  mlir::Value rmsNorm(mlir::Value x, double eps);
  /// z_t = log(e^{z_{t-1} + decay_t} + e^{x_t}), or the maximum of the two
  /// exponents, and z_{t-1}; `decay` fits `x` or is absent.
  std::pair<mlir::Value, mlir::Value>
  logCumsumExp(mlir::Value x, mlir::Value decay, bool maximum = false);
  mlir::Value activation(ir::Activation kind, mlir::Value x);
  /// act(gate) * up.
  mlir::Value glu(ir::Activation kind, mlir::Value gate, mlir::Value up);

  //===--- experts (Experts.cpp) -----------------------------------------===//

  /// The tensors at `name` with 0, 1, ... for `{*}`, of `shape` each.
  mlir::Value stackedWeight(llvm::StringRef name, int64_t count,
                            llvm::ArrayRef<int64_t> shape);
  /// The choice among `experts` by the linear map `name` of `x`.
  Choice route(mlir::Value x, llvm::StringRef name, int64_t experts,
               const RouteOptions &options);
  /// The weighted sum of the chosen experts.
  mlir::Value experts(mlir::Value x, const Choice &choice,
                      llvm::ArrayRef<mlir::Value> factors, ir::Activation act);
  /// Experts with `names` (gate, up, down, or up and down) below `prefix`,
  /// which holds `{*}`, of inner width `width`.
  mlir::Value experts(mlir::Value x, const Choice &choice,
                      llvm::StringRef prefix,
                      llvm::ArrayRef<const char *> names, int64_t count,
                      int64_t width, ir::Activation act);

  //===--- glue (Glue.cpp) -----------------------------------------------===//

  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  /// x + w and x * w where dimension j of `w` lies along dimension dims[j] of
  /// `x`; both f32.
  mlir::Value addAlong(mlir::Value x, mlir::Value w,
                       llvm::ArrayRef<int64_t> dims);
  mlir::Value mulAlong(mlir::Value x, mlir::Value w,
                       llvm::ArrayRef<int64_t> dims);
  /// min(max(x, low), high); an infinite bound is left out.
  mlir::Value clamp(mlir::Value x, double low, double high);
  /// -exp(x): how rates are stored as logarithms.
  mlir::Value negativeExp(mlir::Value x);
  /// `[N, M]` to `[M, N]`.
  mlir::Value transpose(mlir::Value x);
  /// `[B, T, H D]` to `[B, T, H, D]` and back.
  mlir::Value splitHeads(mlir::Value x, int64_t heads);
  mlir::Value mergeHeads(mlir::Value x);
  /// The same for heads that are a part of wider ones (of a split).
  mlir::Value mergeParts(mlir::Value x);
  /// Along the last dimension.
  mlir::Value concat(llvm::ArrayRef<mlir::Value> parts);
  mlir::Value zerosLike(mlir::Value x);
  /// `[B, T, 1]` to `[B, T]`.
  mlir::Value dropUnit(mlir::Value x);
  /// Log decays [1, 1, heads] of lightning attention in this layer of `layers`
  /// (Qin et al. 2024): they follow from its number.
  mlir::Value lightningDecay(int64_t heads, int64_t layers);
  /// A weight as a vector.
  mlir::Value flat(mlir::Value w);
  /// Rows [begin, begin + count) of a weight.
  mlir::Value rows(mlir::Value w, int64_t begin, int64_t count);
  /// Unit dimensions put before a weight of static shape.
  mlir::Value prependUnits(mlir::Value x, int64_t count);
  /// Consecutive parts of the last dimension with these widths.
  llvm::SmallVector<mlir::Value> split(mlir::Value x,
                                       llvm::ArrayRef<int64_t> widths);
  /// factor * x.
  mlir::Value scaled(mlir::Value x, double factor);
  /// cap tanh(x / cap).
  mlir::Value softCap(mlir::Value x, double cap);
  mlir::Value negative(mlir::Value x);
  /// s_t = e^{step_t rate} s_{t-1} + x_t, every channel by itself: `x` and
  /// `step` `[B, T, D]`, `rate` `[D]`.
  mlir::Value vectorScan(mlir::Value x, mlir::Value step, mlir::Value rate);
  /// sqrt(1 - e^{2 logDecay}) x, but x at position 0: keeps the variance of
  /// what a decaying sum of it adds up to.
  mlir::Value keepVariance(mlir::Value x, mlir::Value logDecay,
                           mlir::Value position);
  /// Each head of `[B, T, H, D]` `times` times, one after the other.
  mlir::Value repeatHeads(mlir::Value x, int64_t times);
  /// x / (sum(x) + eps) over the last dimension.
  mlir::Value sumNorm(mlir::Value x, double eps);
  /// Numbers of the family.
  mlir::Value constant(llvm::ArrayRef<float> values,
                       llvm::ArrayRef<int64_t> shape);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  /// x + amount * difference; `amount` is of x's shape or [channels].
  mlir::Value lerp(mlir::Value x, mlir::Value difference, mlir::Value amount);
  /// Row `number` of a weight, of one dimension less.
  mlir::Value row(mlir::Value w, int64_t number);
  /// The rows of a matrix in `count` equal blocks: `[count, N / count, M]`.
  mlir::Value rowBlocks(mlir::Value w, int64_t count);
  /// Columns [begin, begin + count) of a matrix: entries of dimension 1.
  mlir::Value columns(mlir::Value w, int64_t begin, int64_t count);
  /// `x`, whose dimension j lies along dims[j], in a static shape.
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<int64_t> shape,
                        llvm::ArrayRef<int64_t> dims);
  /// A weight as one dimension.
  mlir::Value flatten(mlir::Value w);
  /// The sum over the last dimension of `[B, T, H, D]`.
  mlir::Value sumLast(mlir::Value x);
  mlir::Value exp(mlir::Value x);
  mlir::Value abs(mlir::Value x);
  /// x / w; as mulAlong.
  mlir::Value divAlong(mlir::Value x, mlir::Value w,
                       llvm::ArrayRef<int64_t> dims);
  /// max(x, first) at position 0, else x: all of `[B, T, D]`.
  mlir::Value maximumAtStart(mlir::Value x, mlir::Value first,
                             mlir::Value position);
  /// `w` at each token of `x` `[B, T, ...]`: `[H, D]` to `[B, T, H, D]`.
  mlir::Value atEveryToken(mlir::Value x, mlir::Value w);
  /// Over the last dimension.
  mlir::Value softmax(mlir::Value x);
  /// 1 - e^x and log(1 - x), without cancellation.
  mlir::Value oneMinusExp(mlir::Value x);
  mlir::Value logOneMinus(mlir::Value x);
  /// 1 - sum_{0 < l <= layer} softmax_l(table), [D] of a table [layers, D].
  mlir::Value shareOfLaterLayers(mlir::Value table);
  /// e^{x - z} and z_{t-1} - z_t for `x` `[B, T, C]` and the running
  /// z_t = log(e^{x_0} + ... + e^{x_t}): with these as the weight and the log
  /// decay of what is written, a sum over time is a mean.
  std::pair<mlir::Value, mlir::Value> runningMean(mlir::Value x);

private:
  struct LayerGroup {
    std::string function;
    int64_t first;
  };

  /// Reads `linnet.structures` of the configuration (Structured.cpp).
  void readStructures();
  /// Writes the head that `linnet.output_projection` of the configuration asks
  /// an encoder for (Projection.cpp).
  void projectOutput();
  /// Reads `linnet.outputs` of the configuration (Outputs.cpp).
  void readOutputs();
  /// As many outputs as the map whose matrix is at `key` has: `out`, if the
  /// configuration does not say otherwise.
  int64_t outputsOf(llvm::StringRef key, int64_t out) const;
  /// Reads `linnet.thresholds` of the configuration (Thresholds.cpp).
  void readThresholds();
  /// `x`, the input of the map `name` whose matrix is at `key`: without its
  /// small entries if the configuration says so.
  mlir::Value leaveOutSmall(mlir::Value x, llvm::StringRef name,
                            llvm::StringRef key);
  /// A map of x's last dimension to `out` whose factors `stored` names.
  mlir::Value structuredLinear(mlir::Value x, llvm::StringRef name,
                               llvm::StringRef key,
                               const StoredStructure &stored, int64_t out,
                               mlir::Value bias);
  /// The tensor at `key`, which may hold `{}`, as stored.
  mlir::Value weightAt(const std::string &key, llvm::ArrayRef<int64_t> shape,
                       bool integers = false);

  void writeLayers(
      llvm::StringRef prefix, const std::vector<std::string> &kinds,
      llvm::function_ref<llvm::SmallVector<mlir::Value>(const LayerInputs &)>
          body);
  mlir::func::FuncOp startFunction(llvm::StringRef name, mlir::TypeRange inputs,
                                   bool isPrivate);
  void endFunction(mlir::ValueRange results);
  std::map<int64_t, std::string> signaturesOfLayers() const;
  void writeForward();
  Status checkLeftovers() const;
  /// Whether tensor `name` is layer `number` of this stack and what follows.
  bool parseLayerName(llvm::StringRef name, int64_t &number,
                      llvm::StringRef &rest) const;
  bool isIgnored(llvm::StringRef name) const;
  std::string locate(llvm::StringRef name) const;
  /// Notes that tensor `key` of `shape` is used; its type, which is a floating
  /// one, or with `integers` perhaps I32, I16 or I8.
  DataType use(const std::string &key, llvm::ArrayRef<int64_t> shape,
               bool integers = false);
  mlir::RankedTensorType activationType(llvm::ArrayRef<int64_t> feature);
  mlir::RankedTensorType tokensType();
  mlir::Location named(llvm::StringRef name);
  /// The sizes of an activation: the function's B and T, then x's own.
  llvm::SmallVector<mlir::OpFoldResult> sizesOf(mlir::Value x);
  mlir::Value emptyLike(mlir::Value x);
  mlir::Value
  combineAlong(mlir::Value x, mlir::Value w, llvm::ArrayRef<int64_t> dims,
               llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                              mlir::Value, mlir::Value)>
                   body);

  mlir::Value
  mapEach(mlir::Value x,
          llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                         mlir::Value)>
              body);

  const Archive &archive;
  Config configuration;
  std::string type;
  std::optional<int64_t> maxContext;
  ModelFacts facts;

  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::ImplicitLocOpBuilder b;

  std::vector<std::pair<std::string, std::string>> aliases;
  std::vector<std::string> ignored;
  StoredStructures structures;
  /// Outputs of matrices that have others than the sizes say.
  std::map<std::string, int64_t> outputs;
  /// Matrices whose inputs have thresholds.
  std::set<std::string> thresholds;
  std::string layerPrefix;
  std::vector<LayerGroup> groups;
  std::vector<int32_t> order; // group of each layer
  unsigned carried = 1;       // values that layers hand on
  int64_t outputWidth = 0;    // of the head; 0: there is none

  // Where the body under construction stands: `prefix` may end in "{}.", and
  // then `layer` is the layer argument and `number` a layer it serves.
  std::string prefix;
  mlir::Value layer;
  int64_t number = 0;
  int32_t group = -1; // -1 outside of layers
  /// B and T of its first argument, built when first needed.
  mlir::Value batch, time;
  /// Keys that were named, with the group that named them.
  std::set<std::pair<int32_t, std::string>> used;
};

#define LINNET_FAMILY(name, function) Status function(ModelBuilder &);
#include "Families.def"
#undef LINNET_FAMILY

} // namespace linnet

#endif // LIB_FRONTEND_MODELBUILDER_H
