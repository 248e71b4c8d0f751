//===- FlaOracle.h - recorded recurrences as operands ---------*- C++ -*-===//
//
// test/oracle/fla/ops holds operands and results in f64 of outside
// implementations, with non-zero initial states.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_REFERENCE_FLAORACLE_H
#define TEST_UNIT_REFERENCE_FLAORACLE_H

#include "RunModule.h"

#include <string>
#include <vector>

namespace linnet::test {

inline constexpr double kTolerance = 1e-12;

/// File NAME.npy of an operation.
HostTensor load(const std::string &op, const std::string &name);

HostTensor reshape(HostTensor tensor, Shape shape);

/// Runs a scan on q, k, v and the initial state, scaled as meta.json of `op`
/// says.
std::vector<HostTensor>
runScan(const std::string &op, const std::string &transition,
        const HostTensor &q, const HostTensor &k, const HostTensor &v,
        const std::vector<HostTensor> &parameters, const HostTensor &initial,
        std::string attributes = "", std::string bonus = "");

/// The same with a scale of its own.
std::vector<HostTensor>
runScaled(double scale, const std::string &transition, const HostTensor &q,
          const HostTensor &k, const HostTensor &v,
          const std::vector<HostTensor> &parameters, const HostTensor &initial,
          std::string attributes = "", std::string bonus = "");

/// The scale of meta.json; 1 where it says none.
double loadScale(const std::string &op);

void expectResults(const std::string &op, const std::vector<HostTensor> &got);

} // namespace linnet::test

#endif // TEST_UNIT_REFERENCE_FLAORACLE_H
