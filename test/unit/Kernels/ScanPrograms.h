//===- ScanPrograms.h - random recurrences --------------------*- C++ -*-===//

#ifndef TEST_UNIT_KERNELS_SCANPROGRAMS_H
#define TEST_UNIT_KERNELS_SCANPROGRAMS_H

#include "Program.h"

#include "dialects/Linnet/Linnet.h"

namespace linnet::test {

/// Appends a random scan with this transition to `program`, and expects its
/// outputs and its final state. What operands mean follows from the
/// transition's normal form: a new transition needs nothing here. Values are
/// drawn: decays from keeping everything to erasing exactly, rates up to 2,
/// resets, states that are not zero.
void addRandomScan(Program &program,
                   mlir::linnet::TransitionAttrInterface transition);

} // namespace linnet::test

#endif // TEST_UNIT_KERNELS_SCANPROGRAMS_H
