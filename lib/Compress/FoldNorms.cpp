//===- FoldNorms.cpp - weights of norms in the next maps ------------------===//

#include "FoldNorms.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

Result<std::vector<double>>
gainOf(ir::NormOp norm, const LayerFunction &function, const Archive &archive) {
  if (!norm.getWeight())
    return std::vector<double>(
        size_t(mlir::cast<mlir::ShapedType>(norm.getInput().getType())
                   .getShape()
                   .back()),
        1.0);
  auto weight = norm.getWeight().getDefiningOp<ir::WeightOp>();
  if (!weight)
    return makeError("expected a norm's weight to be a tensor");
  Result<std::vector<double>> gain =
      readValues(archive, function.nameOf(weight));
  if (gain && norm.getUnitOffset())
    for (double &g : *gain)
      g += 1;
  return gain;
}

namespace {

/// A map that takes a norm's output.
struct Taker {
  ir::LinearOp linear;
  std::string matrix, bias;
  size_t inDimension = 1;
};

class NormFolder {
public:
  NormFolder(const LayerFunction &function, const SingleUses &single,
             const Archive &archive, TensorEdits &edits)
      : function(function), single(single), archive(archive), edits(edits) {}

  /// Whether it was folded; if not, and there was something to fold, `obstacle`
  /// says why.
  Result<bool> fold(ir::NormOp norm, std::string &obstacle) {
    takers.clear();
    std::optional<std::string> weight = single.find(function, norm.getWeight());
    if (!weight)
      obstacle = "other norms share it";
    else if (Value bias = norm.getBias())
      obstacle = checkBias(norm, bias);
    if (obstacle.empty())
      findTakers(norm.getResult(), obstacle);
    if (obstacle.empty() && takers.empty())
      obstacle = "nothing takes its output";
    if (!obstacle.empty())
      return false;
    Result<std::vector<double>> gain = gainOf(norm, function, archive);
    if (!gain)
      return gain.error();
    std::vector<double> shift;
    if (norm.getBias()) {
      Result<std::vector<double>> read =
          readValues(archive, *single.find(function, norm.getBias()));
      if (!read)
        return read.error();
      shift = read.take();
    }
    auto isValue = [](const std::vector<double> &values, double value) {
      return llvm::all_of(values, [&](double v) { return v == value; });
    };
    // Folded before.
    if (isValue(*gain, 1) && isValue(shift, 0))
      return false;
    for (const Taker &taker : takers) {
      if (!shift.empty())
        if (Status status = addShift(taker, shift); !status)
          return status.error();
      edits.scale(taker.matrix, taker.inDimension, *gain);
    }
    edits.fill(*weight, norm.getUnitOffset() ? 0 : 1);
    if (norm.getBias())
      edits.fill(*single.find(function, norm.getBias()), 0);
    return true;
  }

private:
  std::string checkBias(ir::NormOp norm, Value bias) const {
    if (norm.getGate() && norm.getGateOrder() == ir::GateOrder::After)
      return "its bias is gated";
    return single.find(function, bias) ? "" : "other norms share its bias";
  }

  void findTakers(Value value, std::string &obstacle) {
    for (mlir::OpOperand &use : value.getUses()) {
      mlir::Operation *user = use.getOwner();
      if (auto joined = mlir::dyn_cast<mlir::tensor::CollapseShapeOp>(user)) {
        findTakers(joined.getResult(), obstacle);
        continue;
      }
      auto linear = mlir::dyn_cast<ir::LinearOp>(user);
      if (!linear || linear.getInput() != value) {
        obstacle = "its output goes to '" +
                   user->getName().getStringRef().str() + "', too";
        return;
      }
      addTaker(linear, obstacle);
    }
  }

  void addTaker(ir::LinearOp linear, std::string &obstacle) {
    auto dense = mlir::dyn_cast<ir::DenseStructureAttr>(linear.getStructure());
    if (!dense) {
      obstacle = "its output goes to a map of another structure";
      return;
    }
    Value factor = linear.getFactors().front();
    std::optional<std::string> matrix = single.find(function, factor);
    if (!matrix) {
      auto weight = factor.getDefiningOp<ir::WeightOp>();
      obstacle = weight ? quoteName(weight.getKey()) +
                              ", which takes its output, is read elsewhere, too"
                        : "a matrix that is computed takes its output";
      return;
    }
    Taker taker{linear, *matrix, "",
                dense.getStorage() == ir::Storage::OutIn ? size_t(1)
                                                         : size_t(0)};
    if (linear.getBias())
      if (auto bias = single.find(function, linear.getBias()))
        taker.bias = *bias;
    // Asked for by norms with a bias only.
    if (taker.bias.empty() && hasShift(linear))
      obstacle = quoteName(*matrix) + " has no bias to take its bias";
    takers.push_back(taker);
  }

  /// Whether the norm before `linear` has a bias.
  static bool hasShift(ir::LinearOp linear) {
    Value value = linear.getInput();
    while (auto joined = value.getDefiningOp<mlir::tensor::CollapseShapeOp>())
      value = joined.getSrc();
    auto norm = value.getDefiningOp<ir::NormOp>();
    return norm && norm.getBias();
  }

  /// W b to the map's bias.
  Status addShift(const Taker &taker, const std::vector<double> &shift) {
    Result<std::vector<double>> matrix = readValues(archive, taker.matrix);
    if (!matrix)
      return matrix.error();
    const std::vector<int64_t> &shape = archive.find(taker.matrix)->shape;
    size_t columns = size_t(shape[1]);
    bool outIn = taker.inDimension == 1;
    std::vector<double> sums(size_t(shape[outIn ? 0 : 1]), 0.0);
    for (size_t i = 0; i < matrix->size(); ++i) {
      size_t r = i / columns, c = i % columns;
      sums[outIn ? r : c] +=
          (*matrix)[i] * shift[(outIn ? c : r) % shift.size()];
    }
    edits.add(taker.bias, sums);
    return {};
  }

  const LayerFunction &function;
  const SingleUses &single;
  const Archive &archive;
  TensorEdits &edits;
  std::vector<Taker> takers;
};

} // namespace

Result<int64_t> foldNorms(const std::vector<LayerFunction> &functions,
                          const Archive &archive, TensorEdits &edits,
                          std::set<std::string> &declined) {
  SingleUses single(functions);
  int64_t folded = 0;
  for (const LayerFunction &function : functions) {
    NormFolder folder(function, single, archive, edits);
    llvm::SmallVector<ir::NormOp> norms;
    mlir::func::FuncOp(function.function).walk([&](ir::NormOp norm) {
      if (norm.getWeight())
        norms.push_back(norm);
    });
    for (ir::NormOp norm : norms) {
      std::string obstacle;
      Result<bool> done = folder.fold(norm, obstacle);
      if (!done)
        return done.error();
      folded += *done;
      auto weight = norm.getWeight().getDefiningOp<ir::WeightOp>();
      if (!obstacle.empty())
        declined.insert((weight ? weight.getKey().str() : "a norm's weight") +
                        ": " + obstacle);
    }
  }
  return folded;
}

} // namespace linnet::compress
