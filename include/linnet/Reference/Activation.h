//===- Activation.h - activations of numbers ------------------*- C++ -*-===//

#ifndef LINNET_REFERENCE_ACTIVATION_H
#define LINNET_REFERENCE_ACTIVATION_H

#include "dialects/Linnet/Linnet.h"

namespace linnet::reference {

/// act(x) in f64, as `linnet.activation` says.
double applyActivation(mlir::linnet::Activation kind, double x);

} // namespace linnet::reference

#endif // LINNET_REFERENCE_ACTIVATION_H
