//===- Mixers.cpp - mixers that several families share --------------------===//

#include "Mixers.h"

#include <cmath>
#include <limits>

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

/// The width of a layer's input and output.
static int64_t widthOf(Value h) {
  return mlir::cast<mlir::RankedTensorType>(h.getType()).getShape().back();
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
  return m.linear(m.mergeHeads(o), (name + ".o_proj").str(), widthOf(h),
                  {.bias = bias});
}

Value MambaMixer::apply(ModelBuilder &m, Value h, StringRef name) const {
  auto at = [&](const char *part) { return (name + part).str(); };
  auto uz = m.split(m.linear(h, at(".in_proj"), 2 * inner, {.bias = bias}),
                    {inner, inner});
  Value u = m.shortConv(uz[0], at(".conv1d"), taps, act, convBias);
  auto dtBC = m.split(m.linear(u, at(".x_proj"), rank + 2 * states),
                      {rank, states, states});
  if (normEps) {
    const char *names[] = {".dt_layernorm", ".b_layernorm", ".c_layernorm"};
    for (auto [part, norm] : llvm::zip_equal(dtBC, names))
      part = normWeights ? m.rmsNorm(part, at(norm), *normEps)
                         : m.rmsNorm(part, *normEps);
  }
  Value delta =
      m.activation(ir::Activation::Softplus,
                   m.linear(dtBC[0], at(".dt_proj"), inner, {.bias = true}));
  // A_log is stored [I, N]; the scan wants [1, 1, 1, N, I].
  Value rate = m.negativeExp(m.wideWeight(at(".A_log"), {inner, states}));
  rate = m.prependUnits(m.transpose(rate), 3);

  auto transition = ir::FullTransitionAttr::get(m.context());
  Value y = m.scan(m.splitHeads(dtBC[2], 1), m.splitHeads(dtBC[1], 1),
                   m.splitHeads(m.mul(delta, u), 1), transition,
                   {m.splitHeads(delta, 1), rate});
  Value skip = m.mulAlong(u, m.wideWeight(at(".D"), {inner}), {2});
  y = m.glu(act, uz[1], m.add(m.mergeHeads(y), skip));
  return m.linear(y, at(".out_proj"), widthOf(h), {.bias = bias});
}

void Mamba2Mixer::readLimit(Config &c, std::string_view key) {
  std::vector<double> limit =
      c.numbers(key, {0.0, std::numeric_limits<double>::infinity()});
  if (limit.size() != 2 || !(limit[0] <= limit[1])) {
    c.reject(key, "two ascending numbers");
    limit = {0.0, 1.0};
  }
  low = limit[0];
  high = limit[1];
}

Mamba2Mixer Mamba2Mixer::read(Config &c, std::string_view innerKey,
                              int64_t inner, double eps) {
  int64_t heads = c.size("mamba_n_heads", 128);
  c.divides(innerKey, inner, "mamba_n_heads", heads);
  const Json *headDim = c.find("mamba_d_head");
  Mamba2Mixer mixer{.heads = heads,
                    .headDim = headDim && *headDim != "auto"
                                   ? c.size("mamba_d_head")
                                   : std::max<int64_t>(inner / heads, 1),
                    .states = c.size("mamba_d_state", 256),
                    .groups = c.size("mamba_n_groups", 1),
                    .taps = c.size("mamba_d_conv", 4),
                    .eps = eps,
                    .bias = c.flag("mamba_proj_bias", false),
                    .convBias = c.flag("mamba_conv_bias", true)};
  mixer.readLimit(c);
  if (mixer.headDim * heads != inner)
    c.reject("mamba_d_head", std::string(innerKey) + " / mamba_n_heads");
  c.divides("mamba_n_heads", heads, "mamba_n_groups", mixer.groups);
  return mixer;
}

Value Mamba2Mixer::apply(ModelBuilder &m, Value h, StringRef name) const {
  auto at = [&](const char *part) { return (name + part).str(); };
  int64_t inner = heads * headDim, mixed = inner + 2 * groups * states;
  const int64_t widths[] = {inner, groups * states, groups * states};
  Value projected =
      m.linear(h, at(".in_proj"), inner + mixed + heads, {.bias = bias});
  auto parts = m.split(projected, {inner, mixed, heads});
  if (!factors.empty()) {
    auto xBC = m.split(parts[1], widths);
    for (size_t i = 0; i < xBC.size(); ++i)
      xBC[i] = m.scaled(xBC[i], factors[i + 1]);
    parts = {m.scaled(parts[0], factors.front()), m.concat(xBC),
             m.scaled(parts[2], factors.back())};
  }
  Value z = parts[0];
  auto xBC = m.split(m.shortConv(parts[1], at(".conv1d"), taps,
                                 ir::Activation::Silu, convBias),
                     widths);
  Value x = m.splitHeads(xBC[0], heads);
  Value dt = m.addAlong(parts[2], m.wideWeight(at(".dt_bias"), {heads}), {2});
  // A softplus is positive: a lower bound of zero does nothing.
  Value delta =
      m.clamp(m.activation(ir::Activation::Softplus, dt),
              low > 0 ? low : -std::numeric_limits<double>::infinity(), high);
  Value rate = m.negativeExp(m.wideWeight(at(".A_log"), {heads}));

  auto transition = ir::ScalarTransitionAttr::get(m.context());
  Value y = m.scan(m.splitHeads(xBC[2], groups), m.splitHeads(xBC[1], groups),
                   m.mulAlong(x, delta, {0, 1, 2}), transition,
                   {m.mulAlong(delta, rate, {2})});
  y = m.add(y, m.mulAlong(x, m.wideWeight(at(".D"), {heads}), {2}));
  y = m.mergeHeads(y);
  y = norm ? m.gatedRmsNorm(y, z, at(".norm"), eps, *norm, groups)
           : m.glu(ir::Activation::Silu, z, y);
  return m.linear(y, at(".out_proj"), widthOf(h),
                  {.bias = outBias.value_or(bias)});
}

RouteOptions linnet::readGroupedRouter(Config &c, int64_t experts,
                                       const RouteOptions &defaults) {
  RouteOptions route{.score = ir::RouteScore::Sigmoid, .eps = 1e-20};
  // Two spellings are about.
  auto either = [&](const char *key, const char *other) {
    return c.has(other) ? other : key;
  };
  const char *chosen = either("num_experts_per_tok", "num_experts_per_token");
  const char *groups = either("n_group", "num_expert_group");
  route.chosen = c.size(chosen, std::min(defaults.chosen, experts), experts);
  route.normalize = c.flag(either("norm_topk_prob", "moe_renormalize"), true);
  route.scale = c.positive("routed_scaling_factor", defaults.scale);
  route.groups = c.size(groups, defaults.groups, experts);
  route.topGroups = c.size("topk_group", defaults.topGroups, route.groups);
  c.divides(either("n_routed_experts", "num_experts"), experts, groups,
            route.groups);
  int64_t length = experts / route.groups;
  if (route.groups > 1 && length < 2)
    c.reject(groups, "groups of two experts or more");
  if (route.chosen > route.topGroups * length)
    c.reject("topk_group",
             std::string("groups of ") + chosen + " experts or more");
  if (route.groups > 1)
    route.rule = ir::GroupRule::BestTwo;
  return route;
}
