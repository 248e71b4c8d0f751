//===- ActivationMath.cpp - pointwise activations in kernels --------------===//

#include "passes/CPU/ActivationMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mlir::linnet;

Value linnet::emitActivation(KernelBuilder &k, Activation kind, Value x) {
  auto constant = [&](double value) -> Value {
    if (auto type = dyn_cast<VectorType>(x.getType()))
      return k.splat(value, type.getDimSize(0));
    return k.f32(value);
  };
  auto exp = [&](Value v) -> Value { return math::ExpOp::create(k, v); };
  auto negative = [&](Value v) -> Value { return arith::NegFOp::create(k, v); };
  // 1 + e^-x: infinite for very negative x, where x / inf is the right zero.
  auto onePlusExp = [&] { return k.add(constant(1), exp(negative(x))); };
  switch (kind) {
  case Activation::Identity:
    return x;
  case Activation::Silu:
    return arith::DivFOp::create(k, x, onePlusExp());
  case Activation::Gelu: {
    Value erf = math::ErfOp::create(k, k.mul(x, constant(std::sqrt(0.5))));
    return k.mul(k.mul(x, constant(0.5)), k.add(constant(1), erf));
  }
  case Activation::GeluTanh: {
    Value inner = k.fma(k.mul(k.mul(x, x), constant(0.044715)), x, x);
    Value tanh =
        math::TanhOp::create(k, k.mul(inner, constant(std::sqrt(2 / M_PI))));
    return k.mul(k.mul(x, constant(0.5)), k.add(constant(1), tanh));
  }
  case Activation::Relu:
    return k.maximum(x, constant(0));
  case Activation::Relu2: {
    Value positive = k.maximum(x, constant(0));
    return k.mul(positive, positive);
  }
  case Activation::Sigmoid:
    return arith::DivFOp::create(k, constant(1), onePlusExp());
  case Activation::Tanh:
    return math::TanhOp::create(k, x);
  case Activation::Softplus: {
    // e^-|x| cannot overflow.
    Value decay = exp(negative(math::AbsFOp::create(k, x)));
    return k.add(k.maximum(x, constant(0)), math::Log1pOp::create(k, decay));
  }
  }
  return x;
}
