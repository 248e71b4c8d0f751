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

    Declines: an operation without a CPU kernel is an error naming it. A slow
    path taken (say, a computed matrix packed on every call) is a missed
    remark and an entry of the module's `linnet.fallbacks`.

    Exact or approximate: f32 arithmetic, sums reordered. With `byte-dots` few
    rows are rounded to 23 bits where they meet codes, see
    `#linnet.quantized`.

    Options: `vector-bits`: width of the vector registers.
    `vector-registers`: how many there are. `byte-dots`: vectors of bytes, one
    unsigned and one signed, are multiplied and four products each added to a
    lane of 32 bits (VNNI).

    Statistics: kernels, calls, barriers, workspace bytes.

    Example: test/Passes/CPU/lower-cpu.mlir.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "256",
           "width of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "16",
           "number of vector registers">,
    Option<"byteDots", "byte-dots", "bool", "false",
           "products of bytes are summed in lanes of 32 bits (VNNI)">];
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

def ConvertKernelsToLLVM : Pass<"linnet-convert-kernels-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Convert what kernels are made of to the LLVM dialect";
  let description = [{
    Precondition: functions of scalars, vectors of rank one and memrefs, in
    `arith`, `cf`, `func`, `index`, `math`, `memref`, `ub` and `llvm`;
    `vector` operations are converted (`convert-vector-to-llvm`), views
    expanded (`expand-strided-metadata`, `lower-affine`).

    Effect: all of it becomes the LLVM dialect; memrefs at function boundaries
    are bare pointers. One conversion in the place of upstream's one per
    dialect, each of which walks the whole module: a third of their time.

    Declines: an operation that none of these dialects' patterns convert is an
    error naming it.

    Exact or approximate: exact.

    Options: none.

    Statistics: none.

    Example: test/Passes/CPU/convert-kernels-to-llvm.mlir.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def ExpandMath : Pass<"linnet-expand-math"> {
  let summary = "Write elementary functions as arithmetic";
  let description = [{
    Precondition: `math` operations on scalars or vectors of f32, bf16 or f16.

    Effect: functions become polynomials and bit operations, so that compiled
    code needs no libm and vectors stay vectors. Constant powers become
    products, square roots and quotients; `math.fma` becomes a product and a sum
    that may be contracted. What every processor has as an instruction (`sqrt`,
    `absf`, `copysign`, ...) stays. bf16 and f16 are computed in f32.

    Declines: a function without expansion (`powf` with a variable exponent,
    ...) or of f64 is an error naming it.

    Exact or approximate: relative error at most 2e-7 for exp, exp2, expm1, log,
    log1p, tanh and erf, absolute error at most 2e-7 for sin and cos of
    |x| < 1e6; infinities, NaN, signed zeros and denormal results as in IEEE
    754. Rounding functions and rsqrt are exact up to f32 rounding.

    Options: none. Statistics: number of functions expanded.

    Example: test/Passes/CPU/expand-math.mlir.
  }];
  let statistics = [Statistic<"expanded", "expanded", "functions expanded">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def ExpandHalf : Pass<"linnet-expand-half"> {
  let summary = "Write conversions of f16 and bf16 as integer arithmetic";
  let description = [{
    Precondition: `arith.extf` and `arith.truncf` on scalars or vectors.

    Effect: conversions between f32 and bf16, and with `f16` those between f32
    and f16, become shifts and masks. Processors without such instructions
    would need a library function otherwise.

    Declines: conversions to and from other types, which stay.

    Exact or approximate: exact; truncation rounds to nearest even.

    Options: `f16`: also for f16 (for targets without F16C). Statistics: number
    of conversions of f16 rewritten.

    Example: test/Passes/CPU/expand-half.mlir.
  }];
  let options = [Option<"f16", "f16", "bool", "false",
                        "rewrite conversions of f16 as well">];
  let statistics = [Statistic<"expanded", "expanded", "conversions of f16 rewritten">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::vector::VectorDialect"];
}

#endif // PASSES_CPU_TD
