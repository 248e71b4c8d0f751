//===- LowerCpu.cpp - phases to loops over vectors ------------------------===//
#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/Passes.h"
namespace mlir::linnet {
#define GEN_PASS_DEF_LOWERCPU
#include "passes/CPU/Passes.h.inc"
} // namespace mlir::linnet
namespace {
struct LowerCpu : mlir::linnet::impl::LowerCpuBase<LowerCpu> {
  using LowerCpuBase::LowerCpuBase;
  void runOnOperation() override { signalPassFailure(); }
};
} // namespace
