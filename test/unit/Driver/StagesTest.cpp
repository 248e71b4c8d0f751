//===- StagesTest.cpp - failures of stages --------------------------------===//
//
// Bugs of the compiler cannot be had on demand, so stages are made to fail
// here.
//
//===----------------------------------------------------------------------===//

#include "lib/Driver/Stages.h"

#include "linnet/Driver/Input.h"
#include "linnet/Support/File.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include "llvm/Support/ErrorHandling.h"

#include <csignal>
#include <gtest/gtest.h>
#include <unistd.h>

namespace linnet {
namespace {

/// Runs `act` on the functions' parent.
struct ActPass
    : mlir::PassWrapper<ActPass, mlir::OperationPass<mlir::ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ActPass)
  using Act = mlir::LogicalResult (*)(mlir::ModuleOp);
  explicit ActPass(Act act) : act(act) {}
  llvm::StringRef getArgument() const override { return "act"; }
  void runOnOperation() override {
    if (mlir::failed(act(getOperation())))
      signalPassFailure();
  }
  Act act;
};

struct Stages : testing::Test {
  Stages() : context(makeContext()) {
    module = mlir::parseSourceString<mlir::ModuleOp>(
        "func.func @f(%x: i64) -> i64 { return %x : i64 }", context.get());
  }
  ~Stages() override {
    if (!report.reproducer.empty())
      unlink(report.reproducer.c_str());
  }
  Status runPass(ActPass::Act act) {
    StageRunner runner(report);
    return runner.runPasses("test", *module, [&](mlir::OpPassManager &passes) {
      passes.addPass(std::make_unique<ActPass>(act));
    });
  }
  void expectReproducer() {
    ASSERT_FALSE(report.reproducer.empty());
    Result<std::string> text = readFile(report.reproducer);
    ASSERT_TRUE(bool(text));
    EXPECT_NE(text->find("func.func @f"), std::string::npos);
    EXPECT_TRUE(
        bool(mlir::parseSourceString<mlir::ModuleOp>(*text, context.get())))
        << "expected a reproducer that parses";
  }

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  CompileReport report;
};

TEST_F(Stages, ErrorOfAPassIsTheUsers) {
  Status status = runPass([](mlir::ModuleOp op) -> mlir::LogicalResult {
    return op.emitError("no kernel\nsecond line");
  });
  ASSERT_FALSE(bool(status));
  EXPECT_NE(status.error().str().find("no kernel"), std::string::npos);
  EXPECT_EQ(status.error().str().find('\n'), std::string::npos);
  EXPECT_FALSE(report.internal);
  EXPECT_TRUE(report.reproducer.empty());
  EXPECT_EQ(report.exitCode(status), 1);
  EXPECT_EQ(report.stages.size(), 1u);
}

TEST_F(Stages, WarningsAreKept) {
  Status status = runPass([](mlir::ModuleOp op) -> mlir::LogicalResult {
    op.emitWarning("slow");
    return mlir::success();
  });
  EXPECT_TRUE(bool(status));
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_NE(report.warnings[0].find("slow"), std::string::npos);
  EXPECT_EQ(report.exitCode(status), 0);
}

TEST_F(Stages, SilentFailureIsABug) {
  Status status = runPass([](mlir::ModuleOp) { return mlir::failure(); });
  ASSERT_FALSE(bool(status));
  EXPECT_EQ(report.exitCode(status), 2);
  expectReproducer();
}

TEST_F(Stages, InvalidIRIsABug) {
  Status status = runPass([](mlir::ModuleOp op) -> mlir::LogicalResult {
    auto function = *op.getOps<mlir::func::FuncOp>().begin();
    function.getBody().front().getTerminator()->erase();
    return mlir::success();
  });
  ASSERT_FALSE(bool(status));
  EXPECT_EQ(report.exitCode(status), 2);
  expectReproducer();
}

TEST_F(Stages, CrashIsCaught) {
  Status status = runPass([](mlir::ModuleOp) -> mlir::LogicalResult {
    raise(SIGSEGV);
    return mlir::success();
  });
  ASSERT_FALSE(bool(status));
  EXPECT_EQ(status.error().str(), "internal error in stage test: crashed");
  EXPECT_EQ(report.exitCode(status), 2);
  expectReproducer();
  // As a compilation does: what crashed is not taken apart.
  (void)module.release();
  (void)context.release();
}

TEST_F(Stages, FatalErrorIsCaught) {
  Status status;
  {
    StageRunner runner(report);
    status = runner.runInternal("test", *module, []() -> Status {
      llvm::report_fatal_error("cannot select");
    });
  }
  ASSERT_FALSE(bool(status));
  EXPECT_EQ(report.exitCode(status), 2);
  expectReproducer();
}

TEST_F(Stages, UserErrorOfAStageIsNoBug) {
  StageRunner runner(report);
  Status status = runner.run(
      "import", []() -> Status { return makeError("no such model"); });
  ASSERT_FALSE(bool(status));
  EXPECT_EQ(status.error().str(), "no such model");
  EXPECT_EQ(report.exitCode(status), 1);
}

} // namespace
} // namespace linnet
