//===- FunctionRun.h - any function of an MLIR file -----------*- C++ -*-===//

#ifndef LINNET_LIB_RUNTOOL_FUNCTIONRUN_H
#define LINNET_LIB_RUNTOOL_FUNCTIONRUN_H

#include "Command.h"

#include "linnet/Reference/HostTensor.h"

#include <string>
#include <vector>

namespace linnet::runtool {

struct FunctionRunOptions {
  std::string file;
  std::string function;
  /// One per argument: "@FILE.npy"; "random:2x5x33[:SEED]", normal numbers;
  /// "random:2x5:BOUND:SEED" for integer arguments, 0 to BOUND - 1; or a
  /// number, for a scalar or a tensor filled with it.
  std::vector<std::string> inputs;
  /// Takes the place of the module's weight archive unless empty.
  std::string archive;
  int threads = 0;
  /// Runs compiled code this many times more and prints the median time.
  int64_t repeat = 0;
};

/// A function with its inputs, rounded to the types of its arguments.
class FunctionRun {
public:
  static Result<FunctionRun> create(const FunctionRunOptions &options);
  FunctionRun(FunctionRun &&) noexcept;
  ~FunctionRun();

  Result<std::vector<HostTensor>> runCompiled(Verdict &verdict) const;
  Result<std::vector<HostTensor>> runReference() const;

private:
  struct Impl;
  explicit FunctionRun(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace linnet::runtool

#endif // LINNET_LIB_RUNTOOL_FUNCTIONRUN_H
