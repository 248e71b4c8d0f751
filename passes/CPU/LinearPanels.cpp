//===- LinearPanels.cpp - where packed matrices come from -----------------===//

#include "passes/CPU/LinearPanels.h"

#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::linnet;

std::optional<PanelForm> linnet::panelFormOf(StructureAttrInterface structure) {
  if (auto dense = dyn_cast<DenseStructureAttr>(structure))
    return PanelForm{dense.getStorage(), {}, {}, {}};
  if (auto blocks = dyn_cast<BlockDiagonalStructureAttr>(structure))
    return PanelForm{blocks.getStorage(), {}, {}, {}};
  if (auto codes = dyn_cast<QuantizedStructureAttr>(structure))
    return PanelForm{Storage::OutIn, codes, {}, {}};
  if (auto kept = dyn_cast<BlockSparseStructureAttr>(structure))
    return PanelForm{Storage::OutIn, {}, kept, {}};
  if (auto pattern = dyn_cast<NmSparseStructureAttr>(structure))
    return PanelForm{Storage::OutIn, {}, {}, pattern};
  if (isa<ToeplitzStructureAttr>(structure))
    return PanelForm{Storage::OutIn, {}, {}, {}, /*shifted=*/true};
  return std::nullopt;
}

int64_t linnet::panelVectorsFor(const CpuTarget &target, int64_t out) {
  // Tiles of two vectors have so many rows that their addresses take the
  // registers of other things.
  constexpr int64_t kFewest = 3;
  auto stored = [&](int64_t vectors) {
    return int64_t(llvm::alignTo(llvm::divideCeil(out, target.lanes), vectors));
  };
  const int64_t usual = target.panelVectors();
  int64_t best = usual;
  for (int64_t vectors = usual - 1; vectors >= kFewest; --vectors)
    if (stored(vectors) < stored(best))
      best = vectors;
  // A sixteenth less pays for shorter rows.
  return 16 * stored(best) <= 15 * stored(usual) ? best : usual;
}

int64_t linnet::panelVectorsFor(const CpuTarget &target, const PanelForm &form,
                                const LinearShape &shape) {
  return form.kept ? target.panelVectors()
                   : panelVectorsFor(target, shape.blockOut());
}

/// The panels of a part of a weight that has all outputs but only some of the
/// inputs, which lie along dimension `inputs`: they are a part of the weight's.
static std::optional<Buffer> partOfWeight(FunctionLowering &f, Value factor,
                                          ArrayRef<NamedAttribute> layout,
                                          MemRefType packed, unsigned inputs) {
  auto slice = factor.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !slice.getSource().getDefiningOp<WeightOp>() ||
      slice.getSourceType().getRank() != 2 || slice.getType().getRank() != 2 ||
      slice.getType().getDimSize(1 - inputs) !=
          slice.getSourceType().getDimSize(1 - inputs) ||
      !areAllConstantIntValue(slice.getMixedStrides(), 1))
    return std::nullopt;
  auto begin = getConstantIntValue(slice.getMixedOffsets()[inputs]);
  if (!begin)
    return std::nullopt;
  SmallVector<int64_t> shape(packed.getShape());
  shape[1] = slice.getSourceType().getDimSize(inputs);
  auto all = MemRefType::get(shape, packed.getElementType());
  Buffer part = *f.weight(slice.getSource(), layout, all);
  auto [strides, offset] = all.getStridesAndOffset();
  ImplicitLocOpBuilder &b = f.builder();
  int32_t skipped = *begin * strides[1];
  part.pointer =
      LLVM::GEPOp::create(b, part.pointer.getType(), packed.getElementType(),
                          part.pointer, ArrayRef<LLVM::GEPArg>{skipped});
  part.type =
      MemRefType::get(packed.getShape(), packed.getElementType(),
                      StridedLayoutAttr::get(b.getContext(), 0, strides));
  return part;
}

/// The panels of matrices [n, rows, columns] that are the same rows of each of
/// n equal parts of a weight's rows.
static std::optional<Buffer> rowBlocksOfWeight(FunctionLowering &f,
                                               Value factor,
                                               ArrayRef<NamedAttribute> layout,
                                               MemRefType packed) {
  if (cast<RankedTensorType>(factor.getType()).getRank() != 3)
    return std::nullopt;
  int64_t begin = 0, rows = cast<ShapedType>(factor.getType()).getDimSize(1);
  if (auto slice = factor.getDefiningOp<tensor::ExtractSliceOp>()) {
    RankedTensorType source = slice.getSourceType();
    if (source.getRank() != 3 ||
        source.getDimSize(0) != slice.getType().getDimSize(0) ||
        source.getDimSize(2) != slice.getType().getDimSize(2) ||
        !areAllConstantIntValue(slice.getMixedStrides(), 1) ||
        !getConstantIntValue(slice.getMixedOffsets()[1]))
      return std::nullopt;
    begin = *getConstantIntValue(slice.getMixedOffsets()[1]);
    factor = slice.getSource();
  }
  int64_t count = 1;
  if (auto expand = factor.getDefiningOp<tensor::ExpandShapeOp>()) {
    if (expand.getSrcType().getRank() != 2 ||
        expand.getReassociationIndices()[0].size() != 2)
      return std::nullopt;
    count = expand.getResultType().getDimSize(0);
    factor = expand.getSrc();
  }
  SmallVector<NamedAttribute> blocks(layout);
  Builder &b = f.builder();
  blocks.push_back(b.getNamedAttr(
      "row_blocks", b.getDenseI64ArrayAttr({count, begin, rows})));
  return f.weight(factor, blocks, packed);
}

/// Packs a matrix, or matrices, that are computed.
static Buffer packOnCall(FunctionLowering &f, LinearOp op, MemRefType packed,
                         const LinearShape &shape, bool transposed) {
  f.fallback(op, "its matrix is computed, so it is packed on every call");
  Buffer source = f.buffer(op.getFactors()[0]);
  Buffer panels = f.temporary(packed.getShape(), f.builder().getF32Type());
  int64_t width = packed.getDimSize(2), out = shape.blockOut();
  f.call(op, transposed ? "pack_transposed" : "pack",
         {KernelArgument::read(source), KernelArgument::write(panels)},
         [&](KernelBuilder &k) {
           int64_t each = packed.getDimSize(0) / shape.blocks;
           SmallVector<Value> sizes{k.cst(shape.blocks), k.cst(each),
                                    k.cst(shape.blockIn())};
           k.share(
               k.cst(packed.getDimSize(0) * shape.blockIn()), [&](Value item) {
                 SmallVector<Value> at = k.delinearize(item, sizes);
                 Value panel = k.add(k.mul(at[0], k.cst(each)), at[1]);
                 k.loop(width, [&](Value lane) {
                   Value column = k.add(k.mul(at[1], k.cst(width)), lane);
                   Value inside = k.less(column, k.cst(out));
                   Value safe = k.minimum(column, k.cst(out - 1));
                   SmallVector<Value> entry;
                   if (k.argumentType(0).getRank() == 3)
                     entry.push_back(at[0]);
                   entry.append(
                       {transposed ? at[2] : safe, transposed ? safe : at[2]});
                   Value value = k.loadScalar(k.argument(0), entry);
                   value = arith::SelectOp::create(k, inside, value, k.f32(0));
                   k.storeScalar(value, k.argument(1), {panel, at[2], lane});
                 });
               });
         });
  return panels;
}

static SmallVector<NamedAttribute> panelLayout(FunctionLowering &f,
                                               int64_t width, bool transposed) {
  Builder &b = f.builder();
  return {b.getNamedAttr("kind", b.getStringAttr("panel")),
          b.getNamedAttr("transposed", b.getBoolAttr(transposed)),
          b.getNamedAttr("width", b.getI64IntegerAttr(width))};
}

/// The type that a panel of weights of `type` has.
static Type panelElement(Builder &b, Type type) {
  bool isStored = type.isBF16() || type.isF16() || type.isInteger(8);
  return isStored ? type : b.getF32Type();
}

std::optional<Buffer> linnet::panelsOfWeight(FunctionLowering &f, Value factor,
                                             int64_t vectors, bool words) {
  auto matrix = cast<RankedTensorType>(factor.getType());
  int64_t width = vectors * f.target().lanes;
  Builder &b = f.builder();
  SmallVector<NamedAttribute> layout =
      panelLayout(f, width, /*transposed=*/false);
  SmallVector<int64_t> shape{
      int64_t(llvm::divideCeil(matrix.getDimSize(0), width)),
      matrix.getDimSize(1), width};
  Type element = panelElement(b, matrix.getElementType());
  if (words) {
    layout.push_back(b.getNamedAttr("together", b.getI64IntegerAttr(4)));
    shape[1] /= 4;
    element = b.getI32Type();
  }
  return f.weight(factor, layout, MemRefType::get(shape, element));
}

bool linnet::takesWords(const CpuTarget &target, QuantizedStructureAttr codes,
                        const LinearShape &shape) {
  return target.dotsBytes && codes.getBits() == 4 && shape.in % 8 == 0 &&
         (codes.getGroup() % 8 == 0 || codes.getGroup() >= shape.in);
}

Buffer linnet::panelsOf(FunctionLowering &f, LinearOp op,
                        const LinearShape &shape, int64_t vectors,
                        bool transposed) {
  Value factor = op.getFactors()[0];
  auto matrix = cast<RankedTensorType>(factor.getType());
  int64_t in = shape.blockIn();
  int64_t width = vectors * f.target().lanes;
  Builder &b = f.builder();
  Type element = panelElement(b, matrix.getElementType());
  int64_t panels = shape.blocks * llvm::divideCeil(shape.blockOut(), width);
  auto packed = MemRefType::get({panels, in, width}, element);

  SmallVector<NamedAttribute> layout = panelLayout(f, width, transposed);
  auto w = f.weight(factor, layout, packed);
  if (!w)
    w = partOfWeight(f, factor, layout, packed, transposed ? 0 : 1);
  if (!w)
    w = rowBlocksOfWeight(f, factor, layout, packed);
  if (!w)
    w = packOnCall(f, op, MemRefType::get(packed.getShape(), b.getF32Type()),
                   shape, transposed);
  return *w;
}

bool linnet::hasManyRows(const Buffer &x) {
  return x.type.getRank() == 4 ||
         (x.type.getRank() == 3 &&
          (x.dynamicTokens || x.type.getDimSize(1) > 1));
}

Buffer linnet::wholeFactor(FunctionLowering &f, LinearOp op, Value factor) {
  auto type = cast<RankedTensorType>(factor.getType());
  Builder &b = f.builder();
  std::optional<Buffer> weight =
      f.weight(factor, {b.getNamedAttr("kind", b.getStringAttr("raw"))},
               MemRefType::get(type.getShape(), type.getElementType()));
  return weight ? *weight : denseRows(f, op, factor);
}
