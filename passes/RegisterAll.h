//===- RegisterAll.h - every dialect, pass and pipeline -------*- C++ -*-===//

#ifndef PASSES_REGISTERALL_H
#define PASSES_REGISTERALL_H

namespace mlir {
class DialectRegistry;

namespace linnet {
/// Registers the linnet dialect, the upstream dialects that models and
/// lowered code use, and the interfaces that lowering needs.
void registerAllDialects(DialectRegistry &registry);

/// Registers every linnet pass and pipeline, and the upstream passes.
void registerAllPasses();

/// Registers the linnet passes and pipelines only, for a driver that has the
/// upstream ones.
void registerLinnetPasses();
} // namespace linnet
} // namespace mlir

#endif // PASSES_REGISTERALL_H
