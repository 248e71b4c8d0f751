//===- Mixers.cpp - mixers that several families share --------------------===//

#include "Mixers.h"

#include <cmath>

using namespace linnet;
using llvm::StringRef;
using mlir::Value;

GroupedAttention GroupedAttention::read(Config &c, int64_t hidden,
                                        int64_t keyValueHeads) {
  GroupedAttention a{};
  a.heads = c.size("num_attention_heads");
  a.kvHeads = c.size(
      "num_key_value_heads",
      c.has("num_key_value_heads") || !keyValueHeads ? a.heads : keyValueHeads);
  c.divides("num_attention_heads", a.heads, "num_key_value_heads", a.kvHeads);
  if (!c.find("head_dim"))
    c.divides("hidden_size", hidden, "num_attention_heads", a.heads);
  a.headDim = c.size("head_dim", std::max<int64_t>(hidden / a.heads, 1));
  a.scale = 1 / std::sqrt(double(a.headDim));
  return a;
}

Value GroupedAttention::apply(ModelBuilder &m, Value h, StringRef name,
                              Value position) const {
  auto project = [&](const char *part, int64_t count) {
    Value x = m.linear(h, (name + part).str(), count * headDim, {.bias = bias});
    return m.splitHeads(x, count);
  };
  Value q = project(".q_proj", heads), k = project(".k_proj", kvHeads);
  Value v = project(".v_proj", kvHeads);
  if (rope) {
    q = m.rotary(q, position, *rope);
    k = m.rotary(k, position, *rope);
  }
  Value o = m.attention(q, k, v, {.scale = scale, .window = window});
  int64_t hidden =
      mlir::cast<mlir::RankedTensorType>(h.getType()).getShape().back();
  return m.linear(m.mergeHeads(o), (name + ".o_proj").str(), hidden,
                  {.bias = bias});
}
