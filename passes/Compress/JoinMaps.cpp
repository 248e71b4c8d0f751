//===- JoinMaps.cpp - two linear maps in a row as one ---------------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Numerics/Matrix.h"

#include "mlir/IR/Remarks.h"

#include <set>

namespace mlir::linnet {
#define GEN_PASS_DEF_JOINMAPS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;
using ::linnet::Archive;
using ::linnet::DataType;
using ::linnet::Matrix;
using ::linnet::Result;
using ::linnet::Status;

namespace {

/// y = B (A x + b) + c: `inner` is A, `outer` B.
struct Pair {
  LinearOp inner, outer;
};

/// Joins pairs of dense maps whose tensors are in one archive.
class MapJoiner {
public:
  MapJoiner(ModuleOp module, Archive &archive)
      : module(module), archive(archive) {}

  /// How many pairs became one, in chains pair by pair.
  FailureOr<int64_t> run() {
    int64_t joined = 0;
    SmallVector<LinearOp> maps;
    module.walk([&](LinearOp map) { maps.push_back(map); });
    // Inputs before outputs: a joined map is the inner one of the next.
    for (LinearOp outer : maps) {
      auto inner = outer.getInput().getDefiningOp<LinearOp>();
      if (!inner)
        continue;
      if (std::string obstacle = findObstacle({inner, outer});
          !obstacle.empty()) {
        remark::missed(
            outer.getLoc(),
            remark::RemarkOpts::name("maps kept").category("linnet-join-maps"))
            << remark::reason("{0}", obstacle);
        continue;
      }
      if (failed(join({inner, outer})))
        return failure();
      ++joined;
    }
    return joined;
  }

  /// Removes tensors that were joined and that nothing names any more.
  Status dropUnused() {
    std::set<std::string> named;
    module.walk([&](WeightOp weight) {
      int64_t members =
          weight.isStacked() ? weight.getResult().getType().getDimSize(0) : 1;
      for (int64_t layer : layersOf(weight, bool(weight.getLayer())))
        for (int64_t member = 0; member < members; ++member)
          named.insert(resolveMemberKey(
              resolveWeightKey(weight.getKey(), layer), member));
    });
    for (const std::string &name : dropped)
      if (!named.count(name) && archive.find(name))
        if (Status status = archive.remove(name); !status)
          return status;
    return {};
  }

private:
  static WeightOp matrixOf(LinearOp map) {
    return isa<DenseStructureAttr>(map.getStructure())
               ? map.getFactors().front().getDefiningOp<WeightOp>()
               : WeightOp();
  }

  /// Why the two stay; empty if they are joined.
  static std::string findObstacle(Pair pair) {
    if (!pair.inner->hasOneUse())
      return "the output between them goes elsewhere, too";
    WeightOp a = matrixOf(pair.inner), b = matrixOf(pair.outer);
    if (!a || !b)
      return "one of them is no dense map of a weight";
    for (LinearOp map : {pair.inner, pair.outer})
      if (map.getBias() && !map.getBias().getDefiningOp<WeightOp>())
        return "a bias is no weight";
    if (bool(a.getLayer()) != bool(b.getLayer()))
      return "layers share one of them";
    int64_t in = pair.inner.getInput().getType().getShape().back(),
            out = pair.outer.getResult().getType().getShape().back();
    Type joined = typeOf(pair, {out, in});
    int64_t before = sumOfBytes({a.getType(), b.getType()}),
            after = sumOfBytes({joined});
    if (after > before)
      return "together they have " + std::to_string(before) +
             " bytes, their product " + std::to_string(after);
    return {};
  }

  /// Products of f64 are f64, those of narrower types f32.
  static RankedTensorType typeOf(Pair pair, ArrayRef<int64_t> shape) {
    Builder b(pair.outer.getContext());
    bool isWide =
        llvm::all_of(ArrayRef{pair.inner, pair.outer}, [](LinearOp map) {
          return cast<ShapedType>(map.getFactors().front().getType())
              .getElementType()
              .isF64();
        });
    return RankedTensorType::get(shape, isWide ? Type(b.getF64Type())
                                               : b.getF32Type());
  }

  /// The numbers of the layers that `function` is, for keys of layers; else one
  /// that no key heeds.
  SmallVector<int64_t> layersOf(Operation *op, bool ofLayers) {
    if (!ofLayers)
      return {0};
    auto function = op->getParentOfType<func::FuncOp>();
    SmallVector<int64_t> numbers;
    module.walk([&](StackOp stack) {
      for (auto [number, index] : llvm::enumerate(stack.getOrder()))
        if (cast<FlatSymbolRefAttr>(stack.getFunctions()[size_t(index)])
                .getValue() == function.getSymName())
          numbers.push_back(int64_t(number));
    });
    return numbers;
  }

  Result<Matrix> read(WeightOp weight, int64_t layer, int64_t rows,
                      int64_t columns) {
    auto shape = cast<ShapedType>(weight.getType()).getShape();
    auto tensor = archive.require(resolveWeightKey(weight.getKey(), layer),
                                  {shape.begin(), shape.end()});
    if (!tensor)
      return tensor.error();
    std::vector<double> values(size_t(rows * columns));
    convertToF64((*tensor)->data, (*tensor)->dtype, values.data(),
                 values.size());
    return Matrix(rows, columns, std::move(values));
  }

  /// W, [out, in].
  Result<Matrix> readMatrix(LinearOp map, int64_t layer) {
    WeightOp weight = matrixOf(map);
    auto shape = cast<ShapedType>(weight.getType()).getShape();
    auto read = this->read(weight, layer, shape[0], shape[1]);
    bool isInOut = cast<DenseStructureAttr>(map.getStructure()).getStorage() ==
                   Storage::InOut;
    return read && isInOut ? read->transposed() : std::move(read);
  }

  Status store(const Matrix &values, RankedTensorType type, StringRef key,
               int64_t layer) {
    DataType dtype =
        type.getElementType().isF64() ? DataType::F64 : DataType::F32;
    std::vector<std::byte> bytes(size_t(values.size()) *
                                 ::linnet::dataTypeSize(dtype));
    ::linnet::convertFromF64(values.data(), dtype, bytes.data(),
                             size_t(values.size()));
    return archive.overlay(resolveWeightKey(key, layer), dtype,
                           type.getShape().vec(), std::move(bytes));
  }

  /// B A, and B b + c if there is one of them, of one layer.
  Status multiply(Pair pair, int64_t layer, RankedTensorType type,
                  StringRef key, RankedTensorType biasType, StringRef biasKey) {
    Result<Matrix> a = readMatrix(pair.inner, layer),
                   b = readMatrix(pair.outer, layer);
    for (Result<Matrix> *matrix : {&a, &b})
      if (!*matrix)
        return matrix->error();
    if (Status status = store(::linnet::multiply(*b, *a), type, key, layer);
        !status || !biasType)
      return status;
    Matrix bias(b->rows(), 1);
    for (LinearOp map : {pair.inner, pair.outer}) {
      if (!map.getBias())
        continue;
      auto weight = map.getBias().getDefiningOp<WeightOp>();
      int64_t rows = cast<ShapedType>(weight.getType()).getDimSize(0);
      Result<Matrix> own = read(weight, layer, rows, 1);
      if (!own)
        return own.error();
      addProduct(bias, map == pair.inner ? *b : Matrix::identity(rows), *own);
    }
    return store(bias, biasType, biasKey, layer);
  }

  LogicalResult join(Pair pair) {
    WeightOp a = matrixOf(pair.inner), b = matrixOf(pair.outer);
    int64_t in = pair.inner.getInput().getType().getShape().back(),
            out = pair.outer.getResult().getType().getShape().back();
    RankedTensorType type = typeOf(pair, {out, in}), biasType;
    if (pair.inner.getBias() || pair.outer.getBias())
      biasType = typeOf(pair, {out});
    std::string key = (b.getKey() + ".joined").str(), biasKey = key + ".bias";
    for (int64_t layer : layersOf(pair.outer, bool(b.getLayer())))
      if (Status status = multiply(pair, layer, type, key, biasType, biasKey);
          !status)
        return emitError(pair.outer.getLoc(), status.error().str());
    OpBuilder builder(pair.outer);
    auto weightAt = [&](RankedTensorType of, StringRef name) -> Value {
      return WeightOp::create(builder, pair.outer.getLoc(), of, name,
                              b.getLayer());
    };
    Value matrix = weightAt(type, key),
          bias = biasType ? weightAt(biasType, biasKey) : Value();
    auto structure =
        DenseStructureAttr::get(builder.getContext(), Storage::OutIn);
    auto map =
        LinearOp::create(builder, pair.outer.getLoc(), pair.inner.getInput(),
                         ValueRange{matrix}, bias, structure);
    remark::passed(
        pair.outer.getLoc(),
        remark::RemarkOpts::name("maps joined").category("linnet-join-maps"))
        << remark::metric("Bytes", sumOfBytes({type}))
        << remark::metric("BytesBefore",
                          sumOfBytes({a.getType(), b.getType()}));
    pair.outer.replaceAllUsesWith(map.getResult());
    SmallVector<Value> operands;
    for (LinearOp old : {pair.outer, pair.inner}) {
      operands.append(old->operand_begin() + 1, old->operand_end());
      old.erase();
    }
    for (Value operand : operands) {
      auto weight = operand.getDefiningOp<WeightOp>();
      if (!weight || !weight->use_empty())
        continue;
      for (int64_t layer : layersOf(map, bool(weight.getLayer())))
        dropped.insert(resolveWeightKey(weight.getKey(), layer));
      weight.erase();
    }
    return success();
  }

  ModuleOp module;
  Archive &archive;
  /// Tensors of weights that are gone.
  std::set<std::string> dropped;
};

struct JoinMaps : mlir::linnet::impl::JoinMapsBase<JoinMaps> {
  using JoinMapsBase::JoinMapsBase;

  void runOnOperation() override {
    if (failed(join()))
      signalPassFailure();
  }

private:
  LogicalResult join() {
    ModuleOp module = getOperation();
    auto fail = [&](const std::string &message) {
      return emitError(module.getLoc(), message);
    };
    FailureOr<std::string> path = openStage(module, output);
    if (failed(path))
      return failure();
    auto archive = Archive::open(*path);
    if (!archive)
      return fail(archive.error().str());
    MapJoiner joiner(module, *archive);
    FailureOr<int64_t> count = joiner.run();
    if (failed(count) || *count == 0)
      return LogicalResult(count);
    Status status = joiner.dropUnused();
    if (status)
      status = archive->saveAll(output);
    archive->discardOverlay();
    if (!status)
      return fail(status.error().str());
    module->setAttr(kArchiveAttr, StringAttr::get(&getContext(), output));
    joined += unsigned(*count);
    return success();
  }
};
} // namespace
