//===- Experts.h - mixtures with fewer experts ----------------*- C++ -*-===//
//
// An expert of a mixture can be left out with its matrices, its row of the
// router and its entries of the router's biases: the router chooses among
// those that are left. The same number stays in each layer, and in each of the
// groups that a router is limited to, never fewer than a token takes.
//
// In plans the router of a mixture has "kept_experts", and the key "experts"
// lists, by the name of its matrix, which ones stay.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_EXPERTS_H
#define LIB_COMPRESS_EXPERTS_H

#include "MapStructure.h"

#include "linnet/Support/Json.h"

namespace linnet::compress {

/// The experts that one router of a layer chooses among.
struct Mixture {
  int64_t layer = 0;
  /// The number of the map whose outputs are compared.
  size_t router = 0;
  /// How many there are, how many each token takes, in how many groups they
  /// stand, of how many groups a token takes them, and of how many experts a
  /// group's worth is made.
  int64_t experts = 0, chosen = 1, groups = 1, openGroups = 1, judged = 1;
  /// Tensors with one slice for each expert along their first dimension.
  std::vector<std::string> stacked = {};
  /// Names of tensors of one expert each, with `{*}` for its number.
  std::vector<std::string> members = {};

  /// The fewest experts that the router can choose among.
  int64_t least() const;
  /// The names of all of these tensors.
  std::vector<std::string> tensors() const;
};

struct Mixtures {
  /// At most one for each layer, in order.
  std::vector<Mixture> mixtures;
  /// Why there are others that nothing can be left out of: "layer 0: ...".
  std::string obstacle;
};

/// Which experts stay, ascending, for each of some mixtures; empty: nothing is
/// said of it, and all stay.
using KeptExperts = std::vector<std::vector<int64_t>>;

Mixtures findMixtures(mlir::ModuleOp module, const LinearMaps &found);

/// How many `options` keep of each of `mixtures`, rounded to what each group
/// can keep alike. Errors: no mixtures, or of several sizes; a share that
/// leaves out none, or with which a token could not take as many as it does.
Result<int64_t> countExperts(const Mixtures &mixtures,
                             const CompressOptions &options);

/// The `count` of highest score, as many of each group; of equal ones the
/// first.
std::vector<int64_t> keepBestExperts(const Mixture &mixture,
                                     llvm::ArrayRef<double> scores,
                                     int64_t count);

/// What the plan at `path` keeps, by its key "experts". Errors: names of no
/// router, lists that do not ascend.
Result<KeptExperts> readExperts(const std::string &path,
                                const Mixtures &mixtures,
                                const std::vector<LinearMap> &maps);

/// Gives routers their plan. Errors: a router that is planned otherwise; other
/// numbers in some layers or groups; fewer than least(). Layers that are
/// dropped keep what they like.
Status resolveExperts(const Mixtures &mixtures, const KeptExperts &kept,
                      const std::vector<LinearMap> &maps,
                      std::vector<MapPlan> &plans);

/// A router with fewer outputs, one for each kept expert.
const MapStructure &keptExpertsStructure();

} // namespace linnet::compress

#endif // LIB_COMPRESS_EXPERTS_H
