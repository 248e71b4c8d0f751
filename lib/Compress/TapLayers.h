//===- TapLayers.h - layers as functions that show their inside *- C++ -*-===//
//
// To see what enters a linear map of a layer, the layer is written again as a
// function whose results are those values (a tap). Maps whose inputs depend on
// the same maps before them make a stage: its values are had as soon as the
// stages before are known. A stage goes on from values that the stages before
// it hold: each part of a layer runs once for each model, not once for each
// stage behind it.
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

/// Where a value inside of a layer is had: it is given to the layer, a result
/// of the tap, or held by a stage before.
enum class TapPlace { Carried, Shown, Held };
struct TapValue {
  TapPlace place = TapPlace::Shown;
  size_t number = 0;

  bool isCarried() const { return place == TapPlace::Carried; }
  auto operator<=>(const TapValue &) const = default;
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

/// What makes a map's input of other maps' outputs: an elementwise function.
struct TapChannels {
  /// The keys of those maps, which have one input.
  std::vector<std::string> producers;
  TapValue input;
  /// From their outputs to the map's input, for any entries.
  std::string function;
  /// Entries of each for a token.
  int64_t width = 0;
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
  /// Where its input comes from, if that is maps of one input.
  std::optional<TapChannels> channels;
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

/// A tap of the queries and keys that a scan takes.
struct TapScan {
  /// The key of the matrix that makes the queries.
  std::string matrix;
  std::string function;
  TapValue query, key;
};

struct TapStage {
  std::string function;
  std::vector<TapSite> sites;
  /// Held values that the function takes, behind what layers take.
  std::vector<size_t> takes;
  /// Results that are held from here on, and as which.
  struct Held {
    size_t result, number;
  };
  std::vector<Held> holds;
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
  /// What is left behind the last stage, a stage without sites, and what the
  /// carried values are behind it.
  TapStage rest;
  std::vector<TapValue> restResults;
  /// The values that stages hold: numbers for each token. What is wider than
  /// twice the carried values is none of them, and is computed again.
  std::vector<int64_t> heldWidths;
  std::vector<TapMixture> mixtures;
  std::vector<TapScan> scans;
  /// The function from carried values to carried values, and what each is
  /// afterwards.
  std::string whole;
  std::vector<TapValue> carriedResults;
  std::vector<TapWeight> weights;
  /// Stage `number`; the one behind the last is the rest.
  const TapStage &stage(size_t number) const {
    return number < stages.size() ? stages[number] : rest;
  }
  /// Whether held value `held` is there while stage `number` runs, which makes
  /// it or needs it, or a later one does.
  bool isHeld(size_t held, size_t number) const;
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
/// its number otherwise than in names of weights. Scans have taps and masks
/// (TapStates.h) only `withStates`.
Result<TappedModel> tapLayers(mlir::ModuleOp module, const Archive &archive,
                              bool withStates = false);

/// The tensor at `key` as taps name it: the same for all layers.
std::string tapWeightName(const std::string &key);

} // namespace linnet::compress

#endif // LIB_COMPRESS_TAPLAYERS_H
