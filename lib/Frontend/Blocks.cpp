//===- Blocks.cpp - the blocks importers share ----------------------------===//

#include "ModelBuilder.h"

using namespace mlir;
using namespace ::linnet;

static int64_t widthOf(Value x) {
  return cast<RankedTensorType>(x.getType()).getShape().back();
}

ir::Activation ModelBuilder::readActivation(std::string_view key,
                                            std::string_view dflt) {
  static const std::pair<std::string_view, ir::Activation> known[] = {
      {"silu", ir::Activation::Silu},
      {"swish", ir::Activation::Silu},
      {"gelu", ir::Activation::Gelu},
      {"gelu_new", ir::Activation::GeluTanh},
      {"gelu_pytorch_tanh", ir::Activation::GeluTanh},
      {"gelu_fast", ir::Activation::GeluTanh},
      {"relu", ir::Activation::Relu},
      {"relu2", ir::Activation::Relu2},
      {"sqrelu", ir::Activation::Relu2},
      {"sigmoid", ir::Activation::Sigmoid},
      {"tanh", ir::Activation::Tanh}};
  std::string name = configuration.text(key, std::string(dflt));
  std::string choices;
  for (const auto &[spelling, kind] : known) {
    if (name == spelling)
      return kind;
    choices += (choices.empty() ? "one of " : ", ") + std::string(spelling);
  }
  configuration.reject(key, choices);
  return ir::Activation::Identity;
}

Value ModelBuilder::embedding(Value ids, StringRef name, int64_t rows,
                              int64_t width) {
  Value table = weight((name + ".weight").str(), {rows, width});
  return ir::EmbeddingOp::create(b, named(name), ids, table);
}

Value ModelBuilder::positions(Value tokens, Value position) {
  return ir::PositionsOp::create(b, tokens, position);
}

Value ModelBuilder::linear(Value x, StringRef name, int64_t out,
                           LinearOptions options) {
  int64_t in = widthOf(x);
  std::string key = locate((name + ".weight").str());
  out = outputsOf(key, out);
  SmallVector<int64_t> shape = {out, in};
  if (options.storage == ir::Storage::InOut)
    shape = {in, out};
  Value bias;
  if (options.bias)
    bias = weight((name + ".bias").str(), {out});
  x = leaveOutSmall(x, name, key);
  if (auto stored = structures.find(ir::resolveWeightKey(key, number));
      stored != structures.end())
    return structuredLinear(x, name, key, stored->second, out, bias);
  Value factor = weightAt(key, shape);
  auto structure = ir::DenseStructureAttr::get(b.getContext(), options.storage);
  return ir::LinearOp::create(b, named(name), x, ValueRange{factor}, bias,
                              structure);
}

Value ModelBuilder::rmsNorm(Value x, StringRef name, double eps,
                            bool unitOffset) {
  Value w = weight((name + ".weight").str(), {widthOf(x)});
  return ir::NormOp::create(b, named(name), ir::NormKind::Rms, x, w, Value(),
                            Value(), llvm::APFloat(eps), /*groups=*/1,
                            unitOffset);
}

Value ModelBuilder::gatedRmsNorm(Value x, Value gate, StringRef name,
                                 double eps, ir::GateOrder order,
                                 int64_t groups, ir::Activation act) {
  Value w = weight((name + ".weight").str(), {widthOf(x)});
  return ir::NormOp::create(b, named(name), ir::NormKind::Rms, x, w, Value(),
                            gate, llvm::APFloat(eps), groups,
                            /*unit_offset=*/false, order, act);
}

Value ModelBuilder::layerNorm(Value x, StringRef name, double eps, bool bias) {
  Value w = weight((name + ".weight").str(), {widthOf(x)});
  Value offset;
  if (bias)
    offset = weight((name + ".bias").str(), {widthOf(x)});
  return ir::NormOp::create(b, named(name), ir::NormKind::Layer, x, w, offset,
                            Value(), llvm::APFloat(eps));
}

Value ModelBuilder::l2Norm(Value x, double eps) {
  return ir::NormOp::create(b, ir::NormKind::L2, x, Value(), Value(), Value(),
                            llvm::APFloat(eps));
}

Value ModelBuilder::rotary(Value x, Value position, const Rope &rope) {
  return ir::RotaryOp::create(b, x, position, rope.inverseFrequencies,
                              llvm::APFloat(rope.scaling), rope.interleaved);
}

Value ModelBuilder::attention(Value q, Value k, Value v,
                              const AttentionOptions &options) {
  IntegerAttr window;
  if (options.window)
    window = b.getI64IntegerAttr(*options.window);
  IntegerAttr valueWidth;
  if (options.valueWidth)
    valueWidth = b.getI64IntegerAttr(*options.valueWidth);
  FloatAttr softCap;
  if (options.softCap)
    softCap = b.getF64FloatAttr(*options.softCap);
  return ir::AttentionOp::create(b, q, k, v, /*bias=*/Value(), options.keyMask,
                                 /*cache=*/ValueRange(), /*position=*/Value(),
                                 llvm::APFloat(options.scale), options.causal,
                                 window, softCap, valueWidth)
      .getResult();
}

Value ModelBuilder::gatedMlp(Value x, StringRef name, int64_t width,
                             ir::Activation act, bool bias) {
  Value gate = linear(x, (name + ".gate_proj").str(), width, {.bias = bias});
  Value up = linear(x, (name + ".up_proj").str(), width, {.bias = bias});
  return linear(glu(act, gate, up), (name + ".down_proj").str(), widthOf(x),
                {.bias = bias});
}

Value ModelBuilder::shortConv(Value x, StringRef name, int64_t taps,
                              ir::Activation act, bool bias) {
  int64_t channels = widthOf(x);
  Value w = weight((name + ".weight").str(), {channels, 1, taps});
  Value offset;
  if (bias)
    offset = weight((name + ".bias").str(), {channels});
  return ir::ShortConvOp::create(b, named(name), x, w, offset, /*tail=*/Value(),
                                 act)
      .getResult();
}

Value ModelBuilder::shortConv(Value x, Value w, ir::Activation act) {
  return ir::ShortConvOp::create(b, named("conv"), x, w, /*bias=*/Value(),
                                 /*tail=*/Value(), act)
      .getResult();
}

Value ModelBuilder::scan(Value q, Value k, Value v, Attribute transition,
                         ArrayRef<Value> parameters, double scale,
                         int64_t microSteps) {
  return ir::ScanOp::create(b, named("scan"), q, k, v, ValueRange(parameters),
                            /*bonus=*/Value(), /*initial=*/Value(),
                            cast<ir::TransitionAttrInterface>(transition),
                            llvm::APFloat(scale), ir::Readout::Post,
                            /*reverse=*/false, ir::ScanForm::Auto, microSteps)
      .getResult();
}

Value ModelBuilder::activation(ir::Activation kind, Value x) {
  return ir::ActivationOp::create(b, kind, x);
}

Value ModelBuilder::glu(ir::Activation kind, Value gate, Value up) {
  if (gate.getType() != up.getType()) {
    configuration.fail(
        makeError(configuration.file(),
                  ": key 'linnet.outputs': expected as many outputs of a gate "
                  "as it gates, but got ",
                  widthOf(gate), " and ", widthOf(up)));
    return gate;
  }
  return ir::GluOp::create(b, kind, gate, up);
}

Value ModelBuilder::scanBefore(Value q, Value k, Value v, Attribute transition,
                               ArrayRef<Value> parameters, Value bonus) {
  return ir::ScanOp::create(b, named("scan"), q, k, v, ValueRange(parameters),
                            bonus, /*initial=*/Value(),
                            cast<ir::TransitionAttrInterface>(transition),
                            llvm::APFloat(1.0), ir::Readout::Pre)
      .getResult();
}

Value ModelBuilder::groupNorm(Value x, StringRef name, double eps,
                              int64_t groups, Value gate, bool bias) {
  Value w = weight((name + ".weight").str(), {widthOf(x)});
  Value offset;
  if (bias)
    offset = weight((name + ".bias").str(), {widthOf(x)});
  return ir::NormOp::create(b, named(name), ir::NormKind::Layer, x, w, offset,
                            gate, llvm::APFloat(eps), groups,
                            /*unit_offset=*/false, ir::GateOrder::After,
                            ir::Activation::Silu);
}

Value ModelBuilder::linear(Value x, Value w, Value bias) {
  auto structure =
      ir::DenseStructureAttr::get(b.getContext(), ir::Storage::OutIn);
  return ir::LinearOp::create(b, x, ValueRange{w}, bias, structure);
}

Value ModelBuilder::blockLinear(Value x, Value blocks, ir::Storage storage,
                                Value bias) {
  auto structure = ir::BlockDiagonalStructureAttr::get(b.getContext(), storage);
  return ir::LinearOp::create(b, x, ValueRange{blocks}, bias, structure);
}

Value ModelBuilder::linearPerHead(Value x, StringRef weightName,
                                  StringRef biasName, int64_t heads) {
  int64_t width = widthOf(x) / heads;
  return blockLinear(x, weight(weightName, {heads, width, width}),
                     ir::Storage::InOut,
                     flatten(weight(biasName, {heads, width})));
}

Value ModelBuilder::tokenShift(Value x) {
  // A convolution, which has the state already.
  Value taps = broadcast(constant({1, -1}, {2}), {widthOf(x), 1, 2}, {2});
  return shortConv(x, taps, ir::Activation::Identity);
}

Value ModelBuilder::rmsNorm(Value x, double eps) {
  return ir::NormOp::create(b, ir::NormKind::Rms, x, Value(), Value(), Value(),
                            llvm::APFloat(eps));
}

std::pair<Value, Value> ModelBuilder::logCumsumExp(Value x, Value decay,
                                                   bool maximum) {
  auto op =
      ir::LogCumsumExpOp::create(b, x, decay, /*initial=*/Value(), maximum);
  return {op.getResult(), op.getBefore()};
}
