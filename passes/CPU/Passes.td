//===- Passes.td - passes for the CPU -------------------------------------===//

#ifndef PASSES_CPU_TD
#define PASSES_CPU_TD

include "mlir/Pass/PassBase.td"

def LowerCpu : Pass<"linnet-lower-cpu", "::mlir::ModuleOp"> {
  let summary = "Lower phases to loops over vectors";
  let description = [{
    Precondition: phases made by `linnet-specialize-phases`; structures
    expanded.

    Effect: each phase becomes a function that every thread of a pool enters
    (one parallel region per step). Tensors become slices of one workspace,
    planned by lifetime; weights and states become pointers from tables whose
    slots the module's `linnet.slots` and `linnet.states` describe. Every
    operation becomes a call of a kernel, in scf, vector and arith, that
    splits its own work among the threads; equal kernels are emitted once.
    Barriers stand only between kernels that depend on each other.

    Declines: an operation without a CPU kernel is an error naming it.

    Exact or approximate: f32 arithmetic, sums reordered.

    Options: `vector-bits`: width of the vector registers.
    `vector-registers`: how many there are.

    Statistics: kernels, calls, barriers, workspace bytes.

    Example: test/Passes/CPU/lower-cpu.mlir.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "256",
           "width of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "16",
           "number of vector registers">];
  let statistics = [
    Statistic<"kernels", "kernels", "kernels emitted">,
    Statistic<"calls", "calls", "kernel calls">,
    Statistic<"barriers", "barriers", "barriers placed">];
  let dependentDialects = [
    "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
    "::mlir::math::MathDialect", "::mlir::func::FuncDialect",
    "::mlir::arith::ArithDialect"];
}

#endif // PASSES_CPU_TD
