//===- ChannelsTest.cpp - what of a layer can be left out -----------------===//

#include "lib/Compress/Channels.h"

#include "linnet/Driver/Input.h"
#include "linnet/Numerics/ChannelPruning.h"

#include "mlir/Parser/Parser.h"

#include "test/unit/Numerics/SparseCases.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace linnet::compress {
namespace {

using namespace linnet::test;
using Channels = std::vector<int64_t>;

/// "?x?xA" or "?x?xAxB".
std::string tensorOf(int64_t a, int64_t b = 0) {
  return "tensor<?x?x" + std::to_string(a) +
         (b ? "x" + std::to_string(b) : "") + "xf32>";
}

/// %NAME, a map of `from` with `rows` outputs.
std::string mapOf(const std::string &name, int64_t rows,
                  const std::string &from = "x", int64_t columns = 24) {
  std::string matrix = "tensor<" + std::to_string(rows) + "x" +
                       std::to_string(columns) + "xf32>";
  return "%w" + name + " = linnet.weight \"l.{}." + name +
         ".weight\"[%n] : " + matrix + "\n%" + name +
         " = linnet.linear #linnet.dense %" + from + ", %w" + name + " : (" +
         tensorOf(columns) + ", " + matrix + ") -> " + tensorOf(rows) +
         " loc(\"l.{}." + name + "\")\n";
}

/// %NAMEh, the heads of %NAME.
std::string split(const std::string &name, int64_t heads, int64_t width) {
  return "%" + name + "h = tensor.expand_shape %" + name +
         " [[0], [1], [2, 3]] output_shape [%b, %t, " + std::to_string(heads) +
         ", " + std::to_string(width) + "] : " + tensorOf(heads * width) +
         " into " + tensorOf(heads, width) + "\n";
}

/// %m, attention of 4 heads of 6 over 2.
std::string attend(const std::string &q = "qh", const std::string &k = "kh",
                   const std::string &v = "vh") {
  return "%a = linnet.attention %" + q + ", %" + k + ", %" + v +
         " {causal, scale = 0.5 : f64} : (" + tensorOf(4, 6) + ", " +
         tensorOf(2, 6) + ", " + tensorOf(2, 6) + ") -> " + tensorOf(4, 6) +
         "\n%m = tensor.collapse_shape %a [[0], [1], [2, 3]] : " +
         tensorOf(4, 6) + " into " + tensorOf(24) + "\n";
}

const std::string kQueries = mapOf("q", 24), kKeys = mapOf("k", 12),
                  kValues = mapOf("v", 12),
                  kSplits =
                      split("q", 4, 6) + split("k", 2, 6) + split("v", 2, 6),
                  kMaps = kQueries + kKeys + kValues;

/// The groups of one layer function.
class Layer {
public:
  /// `body` makes %o of %x.
  explicit Layer(const std::string &body) : context(makeContext()) {
    std::string text =
        "func.func @layer(%x: tensor<?x?x24xf32>, %n: index, %p: index) -> "
        "tensor<?x?x24xf32> {\n%c0 = arith.constant 0 : index\n"
        "%c1 = arith.constant 1 : index\n"
        "%b = tensor.dim %x, %c0 : tensor<?x?x24xf32>\n"
        "%t = tensor.dim %x, %c1 : tensor<?x?x24xf32>\n" +
        body + "return %o : tensor<?x?x24xf32>\n}\n";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, context.get());
    if (!module) {
      ADD_FAILURE() << text;
      return;
    }
    // The maps in their order, as findLinearMaps() has them.
    module->walk([&](mlir::linnet::LinearOp linear) {
      auto type =
          mlir::cast<mlir::ShapedType>(linear.getFactors()[0].getType());
      auto weight =
          linear.getFactors()[0].getDefiningOp<mlir::linnet::WeightOp>();
      if (weight.getLayer())
        found.maps.push_back(
            {.name = mlir::linnet::resolveWeightKey(weight.getKey(), 3),
             .rows = type.getDimSize(0),
             .columns = type.getDimSize(1),
             .function = "layer"});
    });
    auto layer = module->lookupSymbol<mlir::func::FuncOp>("layer");
    attentionHeads().find(LayerMaps(layer, 3, found), heads);
    mlpChannels().find(LayerMaps(layer, 3, found), channels);
  }

  /// "o < q/4 k/2 v/2": a group's consumer and its producers, in how many parts
  /// their outputs go; or why there is none.
  static std::string describe(const ChannelGroups &groups,
                              const LinearMaps &found) {
    std::string text;
    for (const ChannelGroup &group : groups.groups) {
      auto nameOf = [&](size_t map) {
        return found.maps[map].name.substr(4, found.maps[map].name.size() - 11);
      };
      text += (text.empty() ? "" : ", ") + nameOf(group.consumer) + " <";
      for (const ChannelProducer &producer : group.producers) {
        text += " " + nameOf(producer.map);
        for (const ProducerPart &part : producer.parts)
          text += "/" + std::to_string(part.isOfSets ? group.all.sets
                                                     : group.all.units);
      }
    }
    for (const auto &[kind, obstacle] : groups.obstacles)
      text += obstacle;
    return text;
  }
  std::string headGroups() const { return describe(heads, found); }

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  LinearMaps found;
  ChannelGroups heads, channels;
};

/// What is found with `body` before the map behind attention.
std::string headsOf(const std::string &body) {
  return Layer(body + mapOf("o", 24, "m")).headGroups();
}

std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(AttentionHeadsTest, FindsMapsAroundAttention) {
  EXPECT_EQ(headsOf(kMaps + kSplits + attend()), "o < q/4 k/2 v/2");
}

TEST(AttentionHeadsTest, FindsNormsAndRotationsOfEachHead) {
  EXPECT_EQ(
      headsOf(kMaps + kSplits +
              "%w = linnet.weight \"l.{}.norm.weight\"[%n] : tensor<6xf32>\n"
              "%qn = linnet.norm rms %qh weight(%w) {eps = 1.0e-5 : f64} : "
              "(tensor<?x?x4x6xf32>, tensor<6xf32>) -> tensor<?x?x4x6xf32>\n"
              "%kr = linnet.rotary %kh, %p {inverse_frequencies = "
              "array<f32: 1.0, 0.1, 0.01>} : (tensor<?x?x2x6xf32>, index) -> "
              "tensor<?x?x2x6xf32>\n" +
              attend("qn", "kr")),
      "o < q/4 k/2 v/2");
}

TEST(AttentionHeadsTest, FindsGatesOfTheirOwn) {
  std::string gate =
      mapOf("g", 24) + "%s = linnet.glu sigmoid %g, %m : tensor<?x?x24xf32>\n";
  EXPECT_EQ(Layer(kMaps + kSplits + attend() + gate + mapOf("o", 24, "s"))
                .headGroups(),
            "o < q/4 k/2 v/2 g/4");
}

TEST(AttentionHeadsTest, FindsGatesBesideQueries) {
  auto part = [](const char *name, int offset) {
    return std::string("%") + name + " = tensor.extract_slice %qgh[0, 0, 0, " +
           std::to_string(offset) +
           "] [%b, %t, 4, 6] [1, 1, 1, 1] : tensor<?x?x4x12xf32> to "
           "tensor<?x?x4x6xf32>\n";
  };
  std::string body = mapOf("qg", 48) + kKeys + kValues + split("qg", 4, 12) +
                     part("qh", 0) + part("gh", 6) + split("k", 2, 6) +
                     split("v", 2, 6) + attend();
  body = replaced(body, "%m = tensor.collapse_shape %a",
                  "%s = linnet.glu sigmoid %gh, %a : tensor<?x?x4x6xf32>\n"
                  "%m = tensor.collapse_shape %s");
  EXPECT_EQ(headsOf(body), "o < qg/4 k/2 v/2");
}

TEST(AttentionHeadsTest, FindsKeysThatAreValues) {
  EXPECT_EQ(headsOf(kQueries + kKeys + split("q", 4, 6) + split("k", 2, 6) +
                    attend("qh", "kh", "kh")),
            "o < q/4 k/2");
}

/// `rows` outputs of %f from `first` on.
std::string part(const std::string &name, int64_t first, int64_t rows) {
  return "%" + name + " = tensor.extract_slice %f[0, 0, " +
         std::to_string(first) + "] [%b, %t, " + std::to_string(rows) +
         "] [1, 1, 1] : tensor<?x?x50xf32> to " + tensorOf(rows) + "\n";
}

TEST(AttentionHeadsTest, FindsPartsOfOneMap) {
  Layer layer(mapOf("f", 50) + part("v", 36, 12) + part("k", 24, 12) +
              part("q", 0, 24) + kSplits + attend() + mapOf("o", 24, "m"));
  EXPECT_EQ(layer.headGroups(), "o < f/4/2/2");
  ASSERT_EQ(layer.heads.groups.size(), 1u);
  const ChannelGroup &group = layer.heads.groups.front();
  // Head 1 with key head 0; the last two outputs are of none.
  Channels outputs = {6,  7,  8,  9,  10, 11, 24, 25, 26, 27,
                      28, 29, 36, 37, 38, 39, 40, 41, 48, 49};
  EXPECT_EQ(group.outputsFor(group.producers.front(), {6, 7, 8, 9, 10, 11}),
            outputs);
  EXPECT_EQ(group.keptOf(group.producers.front(), {1, 1}), 20);
}

TEST(AttentionHeadsTest, DeclinesPartsThatOthersUse) {
  EXPECT_EQ(headsOf(mapOf("f", 50) + part("v", 35, 12) + part("k", 24, 12) +
                    part("q", 0, 24) + kSplits + attend()),
            "layer 3: parts of a map's outputs that overlap");
  EXPECT_EQ(Layer(mapOf("f", 50) + part("v", 36, 12) + part("k", 24, 12) +
                  part("q", 0, 24) + part("z", 0, 24) + kSplits + attend() +
                  mapOf("u", 24, "m") +
                  "%o = arith.addf %u, %z : tensor<?x?x24xf32>\n")
                .headGroups(),
            "layer 3: 'linnet.linear' between its maps, which "
            "'tensor.extract_slice' uses too");
}

TEST(AttentionHeadsTest, DeclinesWhatMixesHeads) {
  std::string norm =
      "%w = linnet.weight \"l.{}.norm.weight\"[%n] : tensor<24xf32>\n"
      "%mn = linnet.norm rms %m weight(%w) {eps = 1.0e-5 : f64} : "
      "(tensor<?x?x24xf32>, tensor<24xf32>) -> tensor<?x?x24xf32>\n";
  EXPECT_EQ(Layer(kMaps + kSplits + attend() + norm + mapOf("o", 24, "mn"))
                .headGroups(),
            "layer 3: 'linnet.norm' between its maps, which is not known to "
            "act on each head alone");
  // A part of what an elementwise function makes.
  std::string slice =
      "%s = linnet.activation silu %f : tensor<?x?x48xf32>\n"
      "%q = tensor.extract_slice %s[0, 0, 0] [%b, %t, 24] [1, 1, 1] : "
      "tensor<?x?x48xf32> to tensor<?x?x24xf32>\n";
  EXPECT_EQ(
      headsOf(mapOf("f", 48) + slice + kKeys + kValues + kSplits + attend()),
      "layer 3: 'tensor.extract_slice' between its maps, which is not "
      "known to act on each head alone");
  // Half of 8 heads.
  std::string some =
      "%qh = tensor.extract_slice %fh[0, 0, 0, 0] [%b, %t, 4, 6] [1, 1, 1, 1] "
      ": tensor<?x?x8x6xf32> to tensor<?x?x4x6xf32>\n";
  EXPECT_EQ(headsOf(mapOf("f", 48) + split("f", 8, 6) + some + kKeys + kValues +
                    split("k", 2, 6) + split("v", 2, 6) + attend()),
            "layer 3: 'tensor.extract_slice' between its maps, which is not "
            "known to act on each head alone");
}

TEST(AttentionHeadsTest, DeclinesWhatOthersUse) {
  EXPECT_EQ(Layer(kMaps + kSplits + attend() + mapOf("u", 24, "m") +
                  "%o = arith.addf %u, %q : tensor<?x?x24xf32>\n")
                .headGroups(),
            "layer 3: 'linnet.linear' between its maps, which 'arith.addf' "
            "uses too");
  EXPECT_EQ(Layer(kMaps + kSplits + attend() + mapOf("u", 24, "m") +
                  "%o = arith.addf %u, %m : tensor<?x?x24xf32>\n")
                .headGroups(),
            "layer 3: attention whose result several operations use");
}

TEST(AttentionHeadsTest, DeclinesWhatIsNoMap) {
  EXPECT_EQ(headsOf(kKeys + kValues +
                    replaced(split("q", 4, 6), " %q ", " %x ") +
                    split("k", 2, 6) + split("v", 2, 6) + attend()),
            "layer 3: an argument of the layer between its maps");
  // A matrix that layers share.
  EXPECT_EQ(headsOf(replaced(kMaps, "\"l.{}.k.weight\"[%n]", "\"k.weight\"") +
                    kSplits + attend()),
            "layer 3: 'l.{}.k', which is not a matrix of the layer's own");
}

TEST(AttentionHeadsTest, DeclinesAttentionOfAnotherKind) {
  std::string latent = replaced(
      replaced(attend(), ", %vh {causal,", " {value_width = 6 : i64, causal,"),
      "tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>)", "tensor<?x?x2x6xf32>)");
  EXPECT_EQ(headsOf(kMaps + kSplits + latent),
            "layer 3: latent attention, whose keys are its values");
  std::string biased = replaced(replaced(attend(), "%vh {", "%vh bias(%s) {"),
                                "tensor<?x?x2x6xf32>)",
                                "tensor<?x?x2x6xf32>, tensor<1x4x?x?xf32>)");
  EXPECT_EQ(headsOf(kMaps + kSplits +
                    "%s = tensor.empty(%t, %t) : tensor<1x4x?x?xf32>\n" +
                    biased),
            "layer 3: attention with a bias of its scores");
}

/// Heads are no channels by themselves, and the other way round.
TEST(AttentionHeadsTest, LeavesMlpsAlone) {
  Layer attention(kMaps + kSplits + attend() + mapOf("o", 24, "m"));
  EXPECT_TRUE(attention.channels.groups.empty());
  Layer mlp(mapOf("gate", 40) + mapOf("up", 40) +
            "%g = linnet.glu silu %gate, %up : tensor<?x?x40xf32>\n" +
            mapOf("o", 24, "g", 40));
  EXPECT_EQ(mlp.headGroups(), "");
  EXPECT_EQ(Layer::describe(mlp.channels, mlp.found), "o < up/40 gate/40");
}

TEST(ChannelGroupTest, OutputsFollowInputs) {
  // 6 heads of 2 for 3 key heads; q of 4 and v of 5 outputs for each.
  ChannelGroup group{nullptr, 0, {}, 12, {6, 3}};
  ChannelProducer q{1, 24, {{0, 24, false}}, {}}, v{2, 15, {{0, 15, true}}, {}};
  EXPECT_EQ(group.unit(), 2);
  EXPECT_EQ(group.keptOf(q, {2, 2}), 8);
  EXPECT_EQ(group.keptOf(v, {2, 2}), 10);
  EXPECT_EQ(group.keptOf(q, group.all), 24);
  EXPECT_EQ(group.keptOf(v, group.all), 15);
  // Heads 1 and 4, of key heads 0 and 2.
  Channels kept = {2, 3, 8, 9};
  EXPECT_EQ(group.outputsFor(q, kept), (Channels{4, 5, 6, 7, 16, 17, 18, 19}));
  EXPECT_EQ(group.outputsFor(v, kept),
            (Channels{0, 1, 2, 3, 4, 10, 11, 12, 13, 14}));
  // Two heads of one.
  EXPECT_EQ(group.outputsFor(v, {4, 5, 6, 7}), (Channels{5, 6, 7, 8, 9}));
  // Queries, something else, keys.
  ChannelProducer fused{3, 11, {{0, 6, false}, {8, 3, true}}, {}};
  EXPECT_EQ(group.keptOf(fused, {2, 1}), 2 + 2 + 1);
  EXPECT_EQ(group.keptOf(fused, group.all), 11);
  EXPECT_EQ(group.outputsFor(fused, kept), (Channels{1, 4, 6, 7, 8, 10}));
}

//===----------------------------------------------------------------------===//
// Which heads
//===----------------------------------------------------------------------===//

Channels keptBy(const Matrix &w, const FitInputs &inputs, PlanNumbers numbers) {
  FitResult fit = keptInputsStructure().fit(w, inputs, numbers);
  EXPECT_TRUE(bool(fit));
  Channels kept = *(*fit)->keptInputs();
  const Matrix dense = (*fit)->toDense();
  for (int64_t c = 0, next = 0; c < dense.columns(); ++c) {
    bool isKept = next < int64_t(kept.size()) && kept[size_t(next)] == c;
    next += isKept;
    for (int64_t r = 0; r < dense.rows() && !isKept; ++r)
      EXPECT_EQ(dense.at(r, c), 0);
  }
  return kept;
}

/// 12 inputs in 6 heads, the energy of head h being `heavy[h]`.
Matrix headsOfEnergy(const std::vector<double> &heavy) {
  Matrix w(3, 12);
  for (int64_t c = 0; c < 12; ++c)
    w.at(c % 3, c) = std::sqrt(heavy[size_t(c / 2)] / 2);
  return w;
}

TEST(KeptHeadsTest, AreAsManyOfEachKeyHead) {
  Matrix w = headsOfEnergy({9, 8, 7, 1, 2, 3});
  for (const FitInputs &inputs :
       {FitInputs(), FitInputs(Matrix::identity(12))}) {
    EXPECT_EQ(keptBy(w, inputs,
                     {{"kept", 4}, {"unit", 2}, {"sets", 2}, {"kept_sets", 2}}),
              (Channels{0, 1, 10, 11}));
    EXPECT_EQ(keptBy(w, inputs,
                     {{"kept", 8}, {"unit", 2}, {"sets", 2}, {"kept_sets", 2}}),
              (Channels{0, 1, 2, 3, 8, 9, 10, 11}));
    // Without sets the heaviest of all.
    EXPECT_EQ(keptBy(w, inputs, {{"kept", 4}, {"unit", 2}}),
              (Channels{0, 1, 2, 3}));
  }
}

TEST(KeptHeadsTest, GoWithTheirKeyHeads) {
  Matrix w = headsOfEnergy({9, 1, 1, 4, 4, 4});
  for (const FitInputs &inputs :
       {FitInputs(), FitInputs(Matrix::identity(12))}) {
    EXPECT_EQ(keptBy(w, inputs,
                     {{"kept", 6}, {"unit", 2}, {"sets", 2}, {"kept_sets", 1}}),
              (Channels{6, 7, 8, 9, 10, 11}));
    EXPECT_EQ(keptBy(headsOfEnergy({9, 1, 3, 4, 4, 3}), inputs,
                     {{"kept", 4}, {"unit", 2}, {"sets", 2}, {"kept_sets", 1}}),
              (Channels{0, 1, 4, 5}));
  }
}

/// Where one key head goes, it is the one whose refit loses least.
TEST(KeptHeadsTest, LeaveOutWhatOthersMakeUpFor) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    Matrix w = randomMatrix(5, 12, seed), g = correlatedMoment(12, 20 + seed);
    double least = std::numeric_limits<double>::infinity();
    Channels best;
    for (int64_t out = 0; out < 3; ++out) {
      Channels kept;
      for (int64_t c = 0; c < 12; ++c)
        if (c / 4 != out)
          kept.push_back(c);
      Matrix refit = taken(refitKept(w, g, kept, {}, 0)).weights, dense(5, 12);
      for (int64_t r = 0; r < 5; ++r)
        for (size_t c = 0; c < kept.size(); ++c)
          dense.at(r, kept[c]) = refit.at(r, int64_t(c));
      if (double loss = lossOf(dense, w, g); loss < least) {
        least = loss;
        best = kept;
      }
    }
    EXPECT_EQ(keptBy(w, FitInputs(g),
                     {{"kept", 8}, {"unit", 2}, {"sets", 3}, {"kept_sets", 2}}),
              best);
  }
}

} // namespace
} // namespace linnet::compress
