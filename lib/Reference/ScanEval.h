//===- ScanEval.h - the recurrence on tensors -----------------*- C++ -*-===//

#ifndef LIB_REFERENCE_SCANEVAL_H
#define LIB_REFERENCE_SCANEVAL_H

#include "Interpreter.h"

namespace linnet::reference {

/// The operands of linnet.scan.
struct ScanTensors {
  const HostTensor &query, &key, &value;
  ir::TransitionAttrInterface transition;
  std::vector<const HostTensor *> parameters = {};
  const HostTensor *bonus = nullptr, *initial = nullptr, *resets = nullptr;
  double scale = 1;
  bool pre = false, reverse = false;
  int64_t microSteps = 1;
};

struct ScanOutputs {
  HostTensor result, state;
};

/// Runs the recurrence token by token.
Result<ScanOutputs> runScan(const ScanTensors &in,
                            const Interpreter &interpreter);

} // namespace linnet::reference

#endif // LIB_REFERENCE_SCANEVAL_H
