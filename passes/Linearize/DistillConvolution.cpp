//===- DistillConvolution.cpp - long filters as recurrences ---------------===//

#include "dialects/Linnet/Linnet.h"
#include "linnet/Checkpoint/Archive.h"
#include "linnet/Numerics/ModalFit.h"
#include "passes/Form/TransitionTerms.h"
#include "passes/Linearize/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Remarks.h"

#include <memory>
#include <optional>

namespace mlir::linnet {
#define GEN_PASS_DEF_DISTILLCONVOLUTION
#include "passes/Linearize/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
/// A matrix of filters, row by row.
struct Filters {
  int64_t count, taps;
  std::vector<double> values;
};

/// Modes of all filters, as many for each.
struct Distilled {
  std::vector<::linnet::ModalFilter> fits;
  int64_t modes = 0;
  double error = 0;
};

struct DistillConvolution
    : mlir::linnet::impl::DistillConvolutionBase<DistillConvolution> {
  using DistillConvolutionBase::DistillConvolutionBase;

  void runOnOperation() override {
    if (order < 1 || !(maxError > 0)) {
      getOperation().emitError("expected an order of at least 1 and a positive "
                               "max-error, but got ")
          << int64_t(order) << " and " << double(maxError);
      return signalPassFailure();
    }
    SmallVector<LongConvOp> convolutions;
    getOperation().walk([&](LongConvOp op) { convolutions.push_back(op); });
    for (LongConvOp op : convolutions)
      distill(op);
  }

private:
  void distill(LongConvOp op);
  std::optional<Filters> readFilters(LongConvOp op, std::string &obstacle);
  std::optional<Filters> readWeight(WeightOp weight, std::string &obstacle);
  std::optional<Distilled> fit(const Filters &filters, std::string &obstacle);
  void decline(LongConvOp op, StringRef reason) {
    ++declined;
    remark::missed(op.getLoc(), remark::RemarkOpts::name("not distilled")
                                    .category("linnet-distill-convolution"))
        << remark::reason("{0}", reason);
  }

  std::shared_ptr<::linnet::Archive> archive;
};
} // namespace

std::optional<Filters> DistillConvolution::readWeight(WeightOp weight,
                                                      std::string &obstacle) {
  if (weight.getLayer()) {
    obstacle = "its filter differs from layer to layer";
    return std::nullopt;
  }
  auto path = getOperation()->getAttrOfType<StringAttr>(kArchiveAttr);
  if (!path) {
    obstacle = "its filter is a weight of no archive";
    return std::nullopt;
  }
  if (!archive) {
    auto opened = ::linnet::Archive::open(path.str());
    if (!opened) {
      obstacle = opened.error().str();
      return std::nullopt;
    }
    archive = std::make_shared<::linnet::Archive>(opened.take());
  }
  auto type = cast<RankedTensorType>(weight.getType());
  auto tensor = archive->require(
      weight.getKey().str(),
      std::vector<int64_t>(type.getShape().begin(), type.getShape().end()));
  if (!tensor) {
    obstacle = tensor.error().str();
    return std::nullopt;
  }
  Filters filters{type.getDimSize(0), type.getDimSize(1), {}};
  filters.values.resize(size_t(type.getNumElements()));
  ::linnet::convertToF64((*tensor)->data, (*tensor)->dtype,
                         filters.values.data(), filters.values.size());
  return filters;
}

std::optional<Filters> DistillConvolution::readFilters(LongConvOp op,
                                                       std::string &obstacle) {
  Operation *source = op.getFilter().getDefiningOp();
  if (auto weight = dyn_cast_or_null<WeightOp>(source))
    return readWeight(weight, obstacle);
  DenseFPElementsAttr constant;
  if (auto op = dyn_cast_or_null<arith::ConstantOp>(source))
    constant = dyn_cast<DenseFPElementsAttr>(op.getValue());
  if (!constant) {
    obstacle = "its filter is computed";
    return std::nullopt;
  }
  auto type = constant.getType();
  Filters filters{type.getDimSize(0), type.getDimSize(1), {}};
  for (APFloat value : constant.getValues<APFloat>()) {
    bool losesInfo = false;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    filters.values.push_back(value.convertToDouble());
  }
  return filters;
}

/// The fewest modes, among powers of two, whose worst filter is within the
/// bound.
std::optional<Distilled> DistillConvolution::fit(const Filters &filters,
                                                 std::string &obstacle) {
  double nearest = 0;
  for (int64_t states = 1; states <= order; states *= 2) {
    Distilled result;
    for (int64_t row = 0; row < filters.count; ++row) {
      auto fitted = ::linnet::fitModes(
          filters.values.data() + row * filters.taps, filters.taps, states);
      if (!fitted) {
        obstacle = fitted.error().str();
        return std::nullopt;
      }
      result.modes = std::max(result.modes, int64_t(fitted->poles.size()));
      // A NaN has to stay.
      if (!(fitted->error <= result.error))
        result.error = fitted->error;
      result.fits.push_back(fitted.take());
    }
    nearest = result.error;
    if (result.error <= maxError)
      return result;
  }
  llvm::raw_string_ostream(obstacle)
      << "expected a relative error of at most " << double(maxError) << " with "
      << order << " states, but got " << nearest;
  return std::nullopt;
}

/// x + skip (.) input, the sum of a recurrence and its direct terms.
static Value addDirect(ImplicitLocOpBuilder &b, LongConvOp op, Value output,
                       Value direct) {
  MLIRContext *context = b.getContext();
  auto all = b.getMultiDimIdentityMap(3);
  auto channel = AffineMap::get(3, 0, getAffineDimExpr(2, context), context);
  SmallVector<Value> inputs{op.getInput(), direct};
  if (op.getSkip())
    inputs.push_back(op.getSkip());
  SmallVector<AffineMap> maps{all};
  maps.append(inputs.size() - 1, channel);
  maps.push_back(all);
  SmallVector<utils::IteratorType> iterators(3, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, TypeRange{output.getType()}, inputs, ValueRange{output}, maps,
             iterators,
             [&](OpBuilder &nested, Location loc, ValueRange in) {
               Value factor = in[1];
               if (op.getSkip())
                 factor = arith::AddFOp::create(nested, loc, factor, in[2]);
               Value term = arith::MulFOp::create(nested, loc, in[0], factor);
               linalg::YieldOp::create(nested, loc,
                                       ValueRange{arith::AddFOp::create(
                                           nested, loc, in.back(), term)});
             })
      .getResult(0);
}

/// The scan of the modes: columns are the channels that share a filter.
static Value buildScan(ImplicitLocOpBuilder &b, LongConvOp op,
                       const Distilled &distilled) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  int64_t filters = int64_t(distilled.fits.size()), modes = distilled.modes,
          channels = type.getDimSize(2);
  std::vector<float> decays, angles, query, direct,
      key(size_t(2 * modes), 0.0f);
  std::fill_n(key.begin(), modes, 1.0f);
  for (const ::linnet::ModalFilter &fit : distilled.fits) {
    std::vector<float> re(modes), im(modes);
    for (int64_t n = 0; n < modes; ++n) {
      bool used = n < int64_t(fit.poles.size());
      // A mode without weight, for filters that need fewer.
      std::complex<double> pole = used ? fit.poles[n] : 1.0,
                           weight = used ? fit.weights[n] : 0.0;
      decays.push_back(float(std::log(std::abs(pole))));
      angles.push_back(float(std::arg(pole)));
      re[n] = float(weight.real());
      im[n] = float(-weight.imag());
    }
    llvm::append_range(query, re);
    llvm::append_range(query, im);
    direct.insert(direct.end(), channels / filters, float(fit.direct));
  }
  auto constant = [&](ArrayRef<int64_t> shape, const std::vector<float> &from) {
    auto attribute = DenseElementsAttr::get(
        RankedTensorType::get(shape, b.getF32Type()), ArrayRef<float>(from));
    return Value(arith::ConstantOp::create(b, attribute));
  };
  SmallVector<ReassociationIndices> heads{{0}, {1}, {2, 3}};
  auto valueType = RankedTensorType::get(
      {type.getDimSize(0), type.getDimSize(1), filters, channels / filters},
      type.getElementType());
  Value value =
      tensor::ExpandShapeOp::create(b, valueType, op.getInput(), heads);
  SmallVector<Value> parameters{constant({1, 1, filters, modes}, decays),
                                constant({1, 1, filters, modes}, angles)};
  // A decay and an angle per pair of rows.
  NormalForm form;
  form.logDecay = {{0}};
  form.phase = 1;
  TransitionAttrInterface transition =
      TransitionTerms::find(form, {"thp", "thp"}, b.getContext());
  auto scan = ScanOp::create(
      b, constant({1, 1, filters, 2 * modes}, query),
      constant({1, 1, 1, 2 * modes}, key), value, parameters,
      /*bonus=*/Value(), /*initial=*/Value(), transition, APFloat(1.0),
      Readout::Post, /*reverse=*/false, ScanForm::Auto);
  Value output = tensor::CollapseShapeOp::create(b, scan.getResult(), heads);
  return addDirect(b, op, output, constant({channels}, direct));
}

void DistillConvolution::distill(LongConvOp op) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  if (op.getTail() || !op.getNewTail().use_empty())
    return decline(op, "its state is explicit; run before "
                       "linnet-thread-state");
  if (!type.getElementType().isF32() || type.isDynamicDim(2))
    return decline(op, "its channels are not a known number of f32");
  std::string obstacle;
  std::optional<Filters> filters = readFilters(op, obstacle);
  std::optional<Distilled> distilled;
  if (filters)
    distilled = fit(*filters, obstacle);
  if (distilled && distilled->modes == 0)
    obstacle = "its filter has one tap";
  if (!obstacle.empty())
    return decline(op, obstacle);
  ImplicitLocOpBuilder b(op.getLoc(), op);
  op.getResult().replaceAllUsesWith(buildScan(b, op, *distilled));
  remark::passed(op.getLoc(), remark::RemarkOpts::name("distilled")
                                  .category("linnet-distill-convolution"))
      << remark::reason("{0} taps as {1} complex modes", filters->taps,
                        distilled->modes)
      << remark::metric("RelativeError", distilled->error);
  op.erase();
  ++distilledCount;
}
