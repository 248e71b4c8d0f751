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
/// Matrices of filters, one after the other: one per layer, or one. Layers are
/// numbered as in their weight's key.
struct Filters {
  int64_t count, taps;
  SmallVector<int64_t> layers{0};
  std::vector<double> values = {};
};

/// Modes of all filters of all layers, as many for each.
struct Distilled {
  std::vector<::linnet::ModalFilter> fits;
  int64_t modes = 0;
  double error = 0;
};

/// The recurrences of one layer as tensors.
struct ModeTensors {
  std::vector<float> decays, angles, query, direct;
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
    archive.reset();
    SmallVector<LongConvOp> convolutions;
    getOperation().walk([&](LongConvOp op) { convolutions.push_back(op); });
    int64_t number = 0;
    for (LongConvOp op : convolutions)
      if (failed(distill(op, number++)))
        return signalPassFailure();
    if (failed(saveArchive()))
      signalPassFailure();
  }

private:
  LogicalResult distill(LongConvOp op, int64_t number);
  std::optional<Filters> readFilters(LongConvOp op, std::string &obstacle);
  std::optional<Filters> readWeight(WeightOp weight, std::string &obstacle);
  std::optional<Distilled> fit(const Filters &filters, std::string &obstacle);
  FailureOr<Value> buildScan(LongConvOp op, const Filters &filters,
                             const Distilled &distilled, StringRef key);
  FailureOr<Value>
  createTensor(ImplicitLocOpBuilder &b, LongConvOp op, const Filters &filters,
               StringRef key, ArrayRef<int64_t> shape,
               llvm::function_ref<const std::vector<float> &(size_t)> layer);
  LogicalResult openArchive(std::string &obstacle);
  LogicalResult saveArchive();
  void decline(LongConvOp op, StringRef reason) {
    ++declined;
    remark::missed(op.getLoc(), remark::RemarkOpts::name("not distilled")
                                    .category("linnet-distill-convolution"))
        << remark::reason("{0}", reason);
  }

  /// Shared because passes are copied.
  std::shared_ptr<::linnet::Archive> archive;
};
} // namespace

//===----------------------------------------------------------------------===//
// Filters
//===----------------------------------------------------------------------===//

LogicalResult DistillConvolution::openArchive(std::string &obstacle) {
  if (archive)
    return success();
  auto path = getOperation()->getAttrOfType<StringAttr>(kArchiveAttr);
  if (!path) {
    obstacle = "its filter is a weight of no archive";
    return failure();
  }
  auto opened = ::linnet::Archive::open(path.str());
  if (!opened) {
    obstacle = opened.error().str();
    return failure();
  }
  archive = std::make_shared<::linnet::Archive>(opened.take());
  return success();
}

std::optional<Filters> DistillConvolution::readWeight(WeightOp weight,
                                                      std::string &obstacle) {
  if (weight.getLayer() && archivePath.empty()) {
    obstacle = "its filter differs from layer to layer, which constants cannot "
               "(option archive)";
    return std::nullopt;
  }
  if (failed(openArchive(obstacle)))
    return std::nullopt;
  auto type = cast<RankedTensorType>(weight.getType());
  Filters filters{type.getDimSize(0), type.getDimSize(1)};
  if (weight.getLayer()) {
    filters.layers.clear();
    for (int64_t layer = 0, e = int64_t(archive->size()); layer < e; ++layer)
      if (archive->find(resolveWeightKey(weight.getKey(), layer)))
        filters.layers.push_back(layer);
  }
  for (int64_t layer : filters.layers) {
    auto tensor = archive->require(
        resolveWeightKey(weight.getKey(), layer),
        std::vector<int64_t>(type.getShape().begin(), type.getShape().end()));
    if (!tensor) {
      obstacle = tensor.error().str();
      return std::nullopt;
    }
    size_t before = filters.values.size(), more = size_t(type.getNumElements());
    filters.values.resize(before + more);
    ::linnet::convertToF64((*tensor)->data, (*tensor)->dtype,
                           filters.values.data() + before, more);
  }
  if (filters.layers.empty())
    obstacle = "its filter is in no layer of the archive";
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
  Filters filters{type.getDimSize(0), type.getDimSize(1)};
  for (APFloat value : constant.getValues<APFloat>()) {
    bool losesInfo = false;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    filters.values.push_back(value.convertToDouble());
  }
  return filters;
}

/// The fewest states, among powers of two, whose worst filter is within the
/// bound.
std::optional<Distilled> DistillConvolution::fit(const Filters &filters,
                                                 std::string &obstacle) {
  double nearest = 0;
  int64_t rows = filters.count * int64_t(filters.layers.size());
  for (int64_t states = 1; states <= order; states *= 2) {
    Distilled result;
    for (int64_t row = 0; row < rows; ++row) {
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

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

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

static ModeTensors packModes(ArrayRef<::linnet::ModalFilter> fits,
                             int64_t modes, int64_t sharing) {
  ModeTensors tensors;
  for (const ::linnet::ModalFilter &fit : fits) {
    std::vector<float> re(modes), im(modes);
    for (int64_t n = 0; n < modes; ++n) {
      bool used = n < int64_t(fit.poles.size());
      // A mode without weight, for filters that need fewer.
      std::complex<double> pole = used ? fit.poles[n] : 1.0,
                           weight = used ? fit.weights[n] : 0.0;
      tensors.decays.push_back(float(std::log(std::abs(pole))));
      tensors.angles.push_back(float(std::arg(pole)));
      re[n] = float(weight.real());
      im[n] = float(-weight.imag());
    }
    llvm::append_range(tensors.query, re);
    llvm::append_range(tensors.query, im);
    tensors.direct.insert(tensors.direct.end(), sharing, float(fit.direct));
  }
  return tensors;
}

/// A constant, or where an archive is written a weight in it.
FailureOr<Value> DistillConvolution::createTensor(
    ImplicitLocOpBuilder &b, LongConvOp op, const Filters &filters,
    StringRef key, ArrayRef<int64_t> shape,
    llvm::function_ref<const std::vector<float> &(size_t)> layer) {
  auto type = RankedTensorType::get(shape, b.getF32Type());
  if (archivePath.empty())
    return Value(arith::ConstantOp::create(
        b, DenseElementsAttr::get(type, ArrayRef<float>(layer(0)))));
  if (!archive)
    archive = std::make_shared<::linnet::Archive>();
  for (auto [index, number] : llvm::enumerate(filters.layers)) {
    const std::vector<float> &values = layer(index);
    auto bytes = reinterpret_cast<const std::byte *>(values.data());
    ::linnet::Status status = archive->overlay(
        resolveWeightKey(key, number), ::linnet::DataType::F32,
        std::vector<int64_t>(shape.begin(), shape.end()),
        std::vector<std::byte>(bytes, bytes + values.size() * sizeof(float)));
    if (!status)
      return op.emitOpError(status.error().str());
  }
  auto weight = op.getFilter().getDefiningOp<WeightOp>();
  return Value(WeightOp::create(b, type, b.getStringAttr(key),
                                weight ? weight.getLayer() : Value()));
}

LogicalResult DistillConvolution::saveArchive() {
  if (!archive || !archive->hasUnsavedOverlay())
    return success();
  ::linnet::Status status = archive->saveAll(archivePath);
  archive->discardOverlay();
  if (!status)
    return getOperation().emitError(status.error().str());
  getOperation()->setAttr(kArchiveAttr,
                          StringAttr::get(&getContext(), archivePath));
  return success();
}

/// The scan of the modes: columns are the channels that share a filter.
FailureOr<Value> DistillConvolution::buildScan(LongConvOp op,
                                               const Filters &filters,
                                               const Distilled &distilled,
                                               StringRef key) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  auto type = cast<RankedTensorType>(op.getInput().getType());
  int64_t count = filters.count, modes = distilled.modes,
          channels = type.getDimSize(2);
  SmallVector<ModeTensors> layers;
  for (size_t i = 0; i < filters.layers.size(); ++i)
    layers.push_back(packModes(ArrayRef(distilled.fits).slice(i * count, count),
                               modes, channels / count));
  auto create = [&](StringRef name, ArrayRef<int64_t> shape,
                    std::vector<float> ModeTensors::*member) {
    return createTensor(b, op, filters, (key + "." + name).str(), shape,
                        [&](size_t i) -> const std::vector<float> & {
                          return layers[i].*member;
                        });
  };
  auto decays = create("decay", {1, 1, count, modes}, &ModeTensors::decays),
       angles = create("angle", {1, 1, count, modes}, &ModeTensors::angles),
       query = create("query", {1, 1, count, 2 * modes}, &ModeTensors::query),
       direct = create("direct", {channels}, &ModeTensors::direct);
  if (failed(decays) || failed(angles) || failed(query) || failed(direct))
    return failure();
  std::vector<float> ones(size_t(2 * modes), 0.0f);
  std::fill_n(ones.begin(), modes, 1.0f);
  auto written = RankedTensorType::get({1, 1, 1, 2 * modes}, b.getF32Type());
  Value writer = arith::ConstantOp::create(
      b, DenseElementsAttr::get(written, ArrayRef<float>(ones)));
  SmallVector<ReassociationIndices> heads{{0}, {1}, {2, 3}};
  auto valueType = RankedTensorType::get(
      {type.getDimSize(0), type.getDimSize(1), count, channels / count},
      type.getElementType());
  Value value =
      tensor::ExpandShapeOp::create(b, valueType, op.getInput(), heads);
  // A decay and an angle per pair of rows.
  NormalForm form;
  form.logDecay = {{0}};
  form.phase = 1;
  auto scan = ScanOp::create(
      b, *query, writer, value, ValueRange{*decays, *angles},
      /*bonus=*/Value(), /*initial=*/Value(),
      TransitionTerms::find(form, {"thp", "thp"}, b.getContext()), APFloat(1.0),
      Readout::Post, /*reverse=*/false, ScanForm::Auto);
  Value output = tensor::CollapseShapeOp::create(b, scan.getResult(), heads);
  return addDirect(b, op, output, *direct);
}

LogicalResult DistillConvolution::distill(LongConvOp op, int64_t number) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  std::string obstacle;
  std::optional<Filters> filters;
  std::optional<Distilled> distilled;
  if (op.getTail() || !op.getNewTail().use_empty())
    obstacle = "its state is explicit; run before linnet-thread-state";
  else if (!type.getElementType().isF32() || type.isDynamicDim(2))
    obstacle = "its channels are not a known number of f32";
  else
    filters = readFilters(op, obstacle);
  if (obstacle.empty())
    distilled = fit(*filters, obstacle);
  if (distilled && distilled->modes == 0)
    obstacle = "its filter has one tap";
  if (!obstacle.empty()) {
    decline(op, obstacle);
    return success();
  }
  auto weight = op.getFilter().getDefiningOp<WeightOp>();
  std::string key =
      weight ? weight.getKey().str() : "distilled." + std::to_string(number);
  FailureOr<Value> result = buildScan(op, *filters, *distilled, key);
  if (failed(result))
    return failure();
  op.getResult().replaceAllUsesWith(*result);
  remark::passed(op.getLoc(), remark::RemarkOpts::name("distilled")
                                  .category("linnet-distill-convolution"))
      << remark::reason("{0} taps as {1} complex modes", filters->taps,
                        distilled->modes)
      << remark::metric("RelativeError", distilled->error);
  op.erase();
  ++distilledCount;
  return success();
}
