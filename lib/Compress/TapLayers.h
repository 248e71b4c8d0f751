//===- TapLayers.h - layers as functions that show their inside *- C++ -*-===//
//
// To see what enters a linear map of a layer, the layer is written again as a
// function whose results are those values (a tap). Maps whose inputs depend on
// the same maps before them make a stage: its values are had as soon as the
// stages before are known.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_TAPLAYERS_H
#define LIB_COMPRESS_TAPLAYERS_H

#include "TapExperts.h"
#include "TapReach.h"

#include "linnet/Checkpoint/Archive.h"

#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>
#include <vector>

namespace linnet::compress {

/// A value inside of a layer: one of those that it is given, or a result of
/// the tap.
struct TapValue {
  bool isCarried = false;
  size_t number = 0;
};

/// What a map's outputs reach, and a tap that shows it.
struct TapReach {
  ReachKind kind;
  /// Of channels and values: the key of the map that takes them.
  std::string consumer;
  /// Of channels, shows the consumer's input, and the same with all outputs
  /// shifted by kTapShift; of queries and keys both of them, as attention takes
  /// them. Of values there is none.
  std::string function;
  std::vector<TapValue> shown;
  /// Heads of queries, and of keys and values.
  int64_t queryHeads = 0, keyHeads = 0;
};

/// A linear map whose input a tap shows.
struct TapSite {
  /// Of the matrix; `{}` is the layer's number.
  std::string key;
  TapValue input;
  /// What the map's result is added to, where that is all that becomes of it
  /// and no map of this stage or a later one is in it.
  std::optional<TapValue> residual;
  /// Where its outputs go, if that is known.
  std::optional<TapReach> reach;
};

/// A tap of what the experts of a mixture make of each token.
struct TapMixture {
  /// The key of the router's matrix.
  std::string router;
  std::string function;
  /// Of all choices of a token their experts (bits of i32), and for each choice
  /// its expert's output times its weight.
  TapValue indices;
  std::vector<TapValue> outputs;
};

struct TapStage {
  std::string function;
  std::vector<TapSite> sites;
};

/// A tensor that a tapped layer reads.
struct TapWeight {
  /// As in the checkpoint, with `{}` for the layer and `{*}` for members.
  std::string key;
  std::vector<int64_t> shape;
  /// The matrix of a site, which taps read as f32.
  bool isSite = false;
  /// It is no tensor of the checkpoint but this.
  std::optional<TapVector> vector;
};

/// A layer function as taps. They take the carried values and the invariants,
/// in the layer's order; tensors are named by tapWeightName().
struct TappedLayer {
  std::vector<TapStage> stages;
  std::vector<TapMixture> mixtures;
  /// The function from carried values to carried values, and what each is
  /// afterwards.
  std::string whole;
  std::vector<TapValue> carriedResults;
  std::vector<TapWeight> weights;
  /// Which arguments of the functions are carried values.
  size_t carried = 0;
};

/// What a model takes beside a position.
enum class ModelInput { Tokens, TokenTypes, KeyMask };

/// What precedes the layers, what follows them, and the layers.
struct TappedModel {
  bool isEncoder = false;
  /// The model's arguments but for the position, and those of them that layers
  /// take after the carried values.
  std::vector<ModelInput> inputs, invariants;
  /// From the inputs to the carried values; entry i of `carriedResult` is the
  /// result that carried value i is.
  std::string begin;
  std::vector<size_t> carriedResult;
  /// From carried values to the model's output; empty where that is one of
  /// them.
  std::string end;
  TapValue output;
  std::vector<TappedLayer> layers;
  /// Which of `layers` each layer of the model is.
  std::vector<size_t> order;
};

/// Adds the functions to `module`, a model as imported. Errors: no causal
/// language model and no encoder with one stack of layers; a layer that uses
/// its number otherwise than in names of weights.
Result<TappedModel> tapLayers(mlir::ModuleOp module, const Archive &archive);

/// The tensor at `key` as taps name it: the same for all layers.
std::string tapWeightName(const std::string &key);

} // namespace linnet::compress

#endif // LIB_COMPRESS_TAPLAYERS_H
