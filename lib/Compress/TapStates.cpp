//===- TapStates.cpp - scans with a narrower state in taps ----------------===//

#include "TapStates.h"

#include "StateChannels.h"
#include "TapNorms.h"

#include "llvm/ADT/STLExtras.h"

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

std::string stateMaskOf(const std::string &name, size_t number) {
  return maskOf(name + "." + std::to_string(number));
}

MaskedStates::MaskedStates(mlir::func::FuncOp layer) {
  llvm::SmallVector<ir::ScanOp> scans;
  layer.walk([&](ir::ScanOp scan) { scans.push_back(scan); });
  for (ir::ScanOp scan : scans) {
    Result<ScanChannels> channels = findChannels(scan);
    std::string key = channels ? channels->key() : std::string();
    if (key.empty() || found.count(key))
      continue;
    found[key] = scan;
    for (auto [i, masked] : llvm::enumerate(channels->masked)) {
      mlir::OpOperand *use = masked.first;
      Value before = use->get();
      mlir::OpBuilder b(use->getOwner());
      std::string name = stateMaskOf(key, i);
      added[name] = {
          TapVector::Kind::Factor, {}, key + "." + std::to_string(i)};
      auto type = mlir::cast<mlir::RankedTensorType>(before.getType());
      auto factor = ir::WeightOp::create(
          b, scan.getLoc(),
          mlir::RankedTensorType::get(type.getShape().drop_front(2),
                                      b.getF32Type()),
          name, channels->layerNumber());
      std::vector<mlir::Operation *> ops{factor};
      use->set(multiplyLast(b, scan.getLoc(), before, factor.getResult(), ops));
      undo.push_back([use, before, ops]() {
        use->set(before);
        for (mlir::Operation *op : llvm::reverse(ops))
          op->erase();
      });
    }
  }
}

MaskedStates::~MaskedStates() {
  // Of two in a row the later one stands on the former.
  for (const std::function<void()> &step : llvm::reverse(undo))
    step();
}

} // namespace linnet::compress
