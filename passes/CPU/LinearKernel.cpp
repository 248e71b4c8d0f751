//===- LinearKernel.cpp - linear maps on the CPU --------------------------===//
//
// Dense, or dense blocks on the diagonal, or blocks at places of their own.
// Weights are packed once at load into panels [N / NR][K][NR], block after
// block, which LinearEmitter multiplies.
//
//===----------------------------------------------------------------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/DiagKernel.h"
#include "passes/CPU/FunctionLowering.h"
#include "passes/CPU/LinearEmitter.h"
#include "passes/CPU/LinearFusion.h"
#include "passes/CPU/LinearPanels.h"
#include "passes/CPU/PermutationKernel.h"
#include "passes/CPU/RowLoops.h"
#include "passes/CPU/SkippingKernel.h"

using namespace mlir;
using namespace mlir::linnet;

static LogicalResult lowerLinear(FunctionLowering &f, Operation *operation) {
  auto op = cast<LinearOp>(operation);
  if (isa<PermutationStructureAttr>(op.getStructure()))
    return lowerPermutation(f, op);
  if (isa<DiagStructureAttr>(op.getStructure()))
    return lowerDiag(f, op);
  if (skipsZeros(f, op))
    return lowerSkippingLinear(f, op);
  std::optional<PanelForm> form = panelFormOf(op.getStructure());
  if (!form)
    return op.emitOpError("expected a dense structure (run "
                          "linnet-expand-structures), but got ")
           << op.getStructure();
  TypeRange factors = op.getFactors().getTypes();
  LinearShape shape = form->stored(
      *op.getStructure().inferShape(factors, [&] { return op.emitOpError(); }),
      factors);
  const int64_t vectors = panelVectorsFor(f.target(), *form, shape);
  SmallVector<Buffer> tables;
  Buffer w;
  if (form->codes || form->pattern) {
    form->words = form->codes && takesWords(f.target(), form->codes, shape);
    for (Value factor : op.getFactors())
      if (std::optional<Buffer> stored =
              panelsOfWeight(f, factor, vectors, form->words && tables.empty()))
        tables.push_back(*stored);
    if (tables.size() != factors.size())
      return op.emitOpError("expected ")
             << (form->codes ? "codes, scales and zeros"
                             : "values and positions")
             << " that are weights";
    w = tables.front();
    tables.erase(tables.begin());
  } else if (form->shifted) {
    w = denseRows(f, op, op.getFactors()[0]);
  } else {
    w = panelsOf(f, op, shape, vectors, form->storage == Storage::InOut);
  }
  if (form->kept)
    tables.push_back(wholeFactor(f, op, op.getFactors()[1]));
  OrderedRows x = rowsOf(f, op.getInput());
  auto [y, addends] = resultOf(f, op);
  int64_t rank = x.place.type.getRank();
  if (rank < 1 || rank > 4)
    return op.emitOpError("expected an input of rank 1 to 4, but got ") << rank;
  SmallVector<KernelArgument> arguments{KernelArgument::read(x.place),
                                        KernelArgument::read(w),
                                        KernelArgument::write(y)};
  LinearArguments numbers;
  auto append = [&](const Buffer &buffer) {
    arguments.push_back(KernelArgument::read(buffer));
    return unsigned(arguments.size() - 1);
  };
  if (op.getBias())
    numbers.bias = append(f.buffer(op.getBias()));
  for (auto [place, table] :
       llvm::zip(std::array{&numbers.table, &numbers.zeros}, tables))
    *place = append(table);
  if (x.order)
    numbers.order = append(*x.order);
  for (const OrderedRows &addend : addends) {
    numbers.addends.push_back({append(addend.place), std::nullopt});
    if (addend.order)
      numbers.addends.back().order = append(*addend.order);
  }
  bool manyRows = hasManyRows(x.place);
  bool exact = op->getParentOfType<ModuleOp>()->hasAttr(kExactDecodeAttr);
  f.call(
      op, manyRows ? "linear" : "linear_row", arguments, [&](KernelBuilder &k) {
        LinearEmitter emitter(k, shape, *form, vectors, numbers, exact);
        if (manyRows)
          return emitter.emitManyRows();
        const MemRefType &type = x.place.type;
        emitter.emitFewRows(type.getRank() == 1 ? 1 : type.getDimSize(0), true);
      });
  return success();
}

void linnet::addLinearLowering(OpLoweringMap &map) {
  map[LinearOp::getOperationName()] = lowerLinear;
}