//===- ExpertsKernel.cpp - mixtures of experts on the CPU -----------------===//
//
// A choice is one (token, j). Choices are sorted by expert once; then every
// linear map runs panel by panel over the choices of each expert that has any,
// so that a matrix is read once per step and those of idle experts never are.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/ActivationMath.h"
#include "passes/CPU/RegisterTile.h"
#include "passes/CPU/RowLoops.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::linnet;

static Value loadIndex(KernelBuilder &k, Value memref, ValueRange indices) {
  return arith::IndexCastOp::create(k, k.getIndexType(),
                                    k.loadScalar(memref, indices));
}
static void storeIndex(KernelBuilder &k, Value index, Value memref,
                       ValueRange indices) {
  k.storeScalar(arith::IndexCastOp::create(k, k.getI32Type(), index), memref,
                indices);
}

/// Choices sorted by expert, all of i32.
struct Sorting {
  /// [E + 2]: the choices of expert e have ranks [first[e], first[e + 1]).
  Buffer first;
  /// [E + 1]: the number of experts with choices, then those experts.
  Buffer busy;
  /// [choices]: choice at a rank, rank of a choice.
  Buffer choices, ranks;
};

/// Counting sort by one thread: a few operations per choice.
static void emitSort(KernelBuilder &k, int64_t experts, int64_t chosen) {
  enum { Indices, First, Busy, Choices, Ranks };
  Value first = k.argument(First), zero = k.cst(0), one = k.cst(1);
  SmallVector<Value> sizes;
  Value rows = countRows(k, Indices, 2, sizes);
  auto forChoices = [&](llvm::function_ref<void(Value, Value)> body) {
    k.loop(rows, [&](Value row) {
      SmallVector<Value> at = k.delinearize(row, sizes);
      k.loop(chosen, [&](Value number) {
        Value expert =
            loadIndex(k, k.argument(Indices), {at[0], at[1], number});
        // Never outside of the arrays, whatever the caller says.
        expert = k.minimum(k.maximum(expert, zero), k.cst(experts - 1));
        body(k.add(k.mul(row, k.cst(chosen)), number), expert);
      });
    });
  };
  auto increase = [&](Value at) {
    Value value = loadIndex(k, first, at);
    storeIndex(k, k.add(value, one), first, at);
    return value;
  };
  k.onlyIf(k.less(k.thread, one), [&] {
    k.loop(experts + 2, [&](Value at) { storeIndex(k, zero, first, at); });
    forChoices([&](Value, Value expert) { increase(k.add(expert, k.cst(2))); });
    SmallVector<Value> count = k.loop(
        zero, k.cst(experts), one, ValueRange{zero},
        [&](Value expert, ValueRange carried) {
          Value at = k.add(expert, k.cst(2));
          Value choices = loadIndex(k, first, at);
          // An idle expert's place is taken by the next busy one.
          Value next = k.add(carried[0], one);
          storeIndex(k, expert, k.argument(Busy), next);
          storeIndex(k, k.add(choices, loadIndex(k, first, k.add(expert, one))),
                     first, at);
          return SmallVector<Value>{arith::SelectOp::create(
              k, k.less(zero, choices), next, carried[0])};
        });
    storeIndex(k, count[0], k.argument(Busy), zero);
    // first[e + 1] runs from the first rank of e to that of e + 1.
    forChoices([&](Value choice, Value expert) {
      Value rank = increase(k.add(expert, one));
      storeIndex(k, choice, k.argument(Choices), rank);
      storeIndex(k, rank, k.argument(Ranks), choice);
    });
  });
}

namespace {
/// The packed panels of one matrix per expert.
struct ExpertPanels {
  /// A table of addresses, or [E, panels, in, width].
  Buffer place;
  MemRefType panels; // of one expert
  int64_t in, out;
  bool table;
};

/// y[rank] = W_e x[rank], or x[token of rank], for the choices of each expert.
class ExpertLinear {
public:
  enum Argument { X, W, Y, First, Busy, Choices };

  ExpertLinear(KernelBuilder &k, const ExpertPanels &weights, int64_t chosen)
      : k(k), weights(weights), chosen(chosen),
        gathers(k.argumentType(X).getRank() == 3) {}

  void emit() {
    Value panels = k.cst(weights.panels.getDimSize(0));
    Value busy = loadIndex(k, k.argument(Busy), k.cst(0));
    k.share(k.mul(panels, busy), [&](Value item) {
      // Panels outside: threads then share every expert.
      SmallVector<Value> place = k.delinearize(item, {panels, busy});
      Value expert = loadIndex(k, k.argument(Busy), k.add(place[1], k.cst(1)));
      emitPanel(place[0], expert);
    });
  }

private:
  void emitPanel(Value panel, Value expert) {
    const int64_t vectors = k.target.panelVectors(), lanes = k.target.lanes;
    const int64_t in = weights.in;
    Value matrix;
    if (weights.table)
      matrix = k.view(k.loadScalar(k.argument(W), expert), weights.panels);
    auto weight = [&](unsigned v, Value inner) {
      Value lane = k.cst(v * lanes);
      return matrix
                 ? k.load(matrix, {panel, inner, lane}, lanes)
                 : k.load(k.argument(W), {expert, panel, inner, lane}, lanes);
    };
    unsigned unroll = in % 4 == 0 ? 4 : in % 2 == 0 ? 2 : 1;
    Value lower = loadIndex(k, k.argument(First), expert);
    Value upper = loadIndex(k, k.argument(First), k.add(expert, k.cst(1)));
    forRowTiles(k, lower, upper, k.target.tileRows(),
                [&](Value rank, unsigned rows) {
                  SmallVector<SmallVector<Value>> sources;
                  for (unsigned r = 0; r < rows; ++r)
                    sources.push_back(sourceOf(k.add(rank, k.cst(r))));
                  TileAccumulators sums(rows * vectors, k.splat(0.0, lanes));
                  sums = multiplyTile(
                      k, rows, vectors, k.cst(0), k.cst(in),
                      rows == 1 ? unroll : 1, sums,
                      [&](unsigned r, Value inner) {
                        SmallVector<Value> at = sources[r];
                        at.push_back(inner);
                        return k.loadScalar(k.argument(X), at);
                      },
                      weight);
                  for (unsigned r = 0; r < rows; ++r)
                    for (int64_t v = 0; v < vectors; ++v)
                      store(sums[r * vectors + v], k.add(rank, k.cst(r)),
                            k.add(k.mul(panel, k.cst(vectors * lanes)),
                                  k.cst(v * lanes)));
                });
  }

  /// Where the input of the choice at `rank` begins.
  SmallVector<Value> sourceOf(Value rank) {
    if (!gathers)
      return {rank};
    Value row = arith::DivUIOp::create(
        k, loadIndex(k, k.argument(Choices), rank), k.cst(chosen));
    return k.delinearize(row, {k.extent(X, 0), k.extent(X, 1)});
  }

  void store(Value sum, Value rank, Value column) {
    int64_t lanes = k.target.lanes, width = k.target.panelWidth();
    Value valid;
    if (weights.out % width)
      valid = k.maximum(
          k.cst(0), k.minimum(k.cst(lanes), k.sub(k.cst(weights.out), column)));
    k.storeColumns(sum, k.argument(Y), {rank, column}, valid);
  }

  KernelBuilder &k;
  const ExpertPanels &weights;
  int64_t chosen;
  bool gathers;
};
} // namespace

/// Packs computed matrices [E, out, in].
static Buffer packOnCall(FunctionLowering &f, Operation *op, Value factor,
                         ArrayRef<int64_t> shape, int64_t out) {
  f.fallback(op, "its matrices are computed, so they are packed on every call");
  Buffer source = f.buffer(factor);
  Buffer panels = f.temporary(shape, f.builder().getF32Type());
  f.call(op, "pack_experts",
         {KernelArgument::read(source), KernelArgument::write(panels)},
         [&](KernelBuilder &k) {
           SmallVector<Value> sizes;
           Value rows = countRows(k, 1, 3, sizes);
           k.share(rows, [&](Value item) {
             SmallVector<Value> at = k.delinearize(item, sizes);
             k.loop(shape[3], [&](Value lane) {
               Value column = k.add(k.mul(at[1], k.cst(shape[3])), lane);
               Value safe = k.minimum(column, k.cst(out - 1));
               Value value = k.loadScalar(k.argument(0), {at[0], safe, at[2]});
               value = arith::SelectOp::create(k, k.less(column, k.cst(out)),
                                               value, k.f32(0));
               k.storeScalar(value, k.argument(1), {at[0], at[1], at[2], lane});
             });
           });
         });
  return panels;
}

static ExpertPanels panelsOf(FunctionLowering &f, Operation *op, Value factor) {
  auto type = cast<RankedTensorType>(factor.getType());
  Builder &b = f.builder();
  int64_t experts = type.getDimSize(0), width = f.target().panelWidth();
  Type element = type.getElementType();
  if (!element.isBF16() && !element.isF16())
    element = b.getF32Type();
  ExpertPanels panels;
  panels.out = type.getDimSize(1);
  panels.in = type.getDimSize(2);
  SmallVector<int64_t> shape{(panels.out + width - 1) / width, panels.in,
                             width};
  SmallVector<int64_t> whole{experts};
  llvm::append_range(whole, shape);
  SmallVector<NamedAttribute> layout{
      b.getNamedAttr("kind", b.getStringAttr("panel")),
      b.getNamedAttr("transposed", b.getBoolAttr(false)),
      b.getNamedAttr("width", b.getI64IntegerAttr(width))};
  auto weight = factor.getDefiningOp<WeightOp>();
  panels.table = weight && weight.isStacked();
  if (panels.table) {
    panels.place = f.weightTable(weight, layout);
  } else if (auto place =
                 f.weight(factor, layout, MemRefType::get(whole, element))) {
    panels.place = *place;
  } else {
    element = b.getF32Type();
    panels.place = packOnCall(f, op, factor, whole, panels.out);
  }
  panels.panels = MemRefType::get(shape, element);
  return panels;
}

/// act(gate) * up, or act(up), in place of the first factor's output.
static void emitInner(KernelBuilder &k, ExpertsOp op) {
  enum { Gate, Indices, Up };
  int64_t inner = op.getInnerWidth();
  SmallVector<Value> sizes;
  Value choices = countRows(k, Indices, 3, sizes);
  k.share(choices, [&](Value rank) {
    k.forColumns(inner, [&](Value column, Value valid) {
      Value value = k.loadColumns(k.argument(Gate), {rank, column}, valid);
      value = emitActivation(k, op.getActivation(), value);
      if (op.isFused())
        value = k.mul(value, k.loadColumns(k.argument(Gate),
                                           {rank, k.add(column, k.cst(inner))},
                                           valid));
      else if (op.isGated())
        value =
            k.mul(value, k.loadColumns(k.argument(Up), {rank, column}, valid));
      k.storeColumns(value, k.argument(Gate), {rank, column}, valid);
    });
  });
}

/// The weighted sum of a token's choices.
static void emitCombine(KernelBuilder &k, int64_t chosen) {
  enum { Outputs, Ranks, Weights, Y };
  forVectors(k, Y, [&](ArrayRef<Value> at, Value valid) {
    Value row = k.add(k.mul(at[0], k.extent(Y, 1)), at[1]);
    Value sum = k.loop(
        k.cst(0), k.cst(chosen), k.cst(1),
        ValueRange(k.splat(0.0, k.target.lanes)),
        [&](Value number, ValueRange carried) {
          Value rank = loadIndex(k, k.argument(Ranks),
                                 k.add(k.mul(row, k.cst(chosen)), number));
          Value weight =
              k.splat(k.loadScalar(k.argument(Weights), {at[0], at[1], number}),
                      k.target.lanes);
          Value output =
              k.loadColumns(k.argument(Outputs), {rank, at[2]}, valid);
          return SmallVector<Value>{k.fma(weight, output, carried[0])};
        })[0];
    k.storeColumns(sum, k.argument(Y), at, valid);
  });
}

static LogicalResult lowerExperts(FunctionLowering &f, Operation *source) {
  auto op = cast<ExpertsOp>(source);
  Type f32 = f.builder().getF32Type(), i32 = f.builder().getI32Type();
  Buffer x = denseRows(f, op, op.getInput());
  Buffer indices = f.buffer(op.getIndices());
  Buffer weights = f.buffer(op.getWeights());
  Buffer y = denseRows(f, op, op.getResult());
  auto down = cast<RankedTensorType>(op.getFactors().back().getType());
  int64_t experts = down.getDimSize(0), chosen = indices.type.getDimSize(2);
  int64_t most = indices.type.getNumElements();

  Sorting sorting{f.temporary({experts + 2}, i32),
                  f.temporary({experts + 1}, i32), f.temporary({most}, i32),
                  f.temporary({most}, i32)};
  // Working memory of the sort is written before it is read.
  f.call(op, "experts_sort",
         {KernelArgument::read(indices), KernelArgument::write(sorting.first),
          KernelArgument::write(sorting.busy),
          KernelArgument::write(sorting.choices),
          KernelArgument::write(sorting.ranks)},
         [&](KernelBuilder &k) { emitSort(k, experts, chosen); });

  auto multiply = [&](Value factor, Buffer from) {
    ExpertPanels panels = panelsOf(f, op, factor);
    Buffer to = f.temporary({most, panels.out}, f32);
    std::string identity =
        llvm::formatv("{0} {1} {2}", panels.in, panels.out, panels.panels);
    f.call(
        op, "experts_linear",
        {KernelArgument::read(from), KernelArgument::read(panels.place),
         KernelArgument::write(to), KernelArgument::read(sorting.first),
         KernelArgument::read(sorting.busy),
         KernelArgument::read(sorting.choices)},
        [&](KernelBuilder &k) { ExpertLinear(k, panels, chosen).emit(); },
        identity + " " + std::to_string(chosen));
    return to;
  };
  Buffer inner = multiply(op.getFactors()[0], x);
  SmallVector<KernelArgument> arguments{KernelArgument::update(inner),
                                        KernelArgument::read(indices)};
  if (op.getFactors().size() == 3)
    arguments.push_back(KernelArgument::read(multiply(op.getFactors()[1], x)));
  f.call(op, "experts_inner", arguments,
         [&](KernelBuilder &k) { emitInner(k, op); });
  Buffer outputs = multiply(op.getFactors().back(), inner);
  f.call(op, "experts_combine",
         {KernelArgument::read(outputs), KernelArgument::read(sorting.ranks),
          KernelArgument::read(weights), KernelArgument::write(y)},
         [&](KernelBuilder &k) { emitCombine(k, chosen); });
  return success();
}

void linnet::addExpertsLowering(OpLoweringMap &map) {
  map[ExpertsOp::getOperationName()] = lowerExperts;
}
