//===- ScanEval.cpp - the recurrence and the short convolution ------------===//
//
// A transition is known only by its operands and its normal form: no
// transition is named here.
//
//===----------------------------------------------------------------------===//

#include "ScanEval.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace linnet::reference {

namespace {
constexpr StringRef kLetters = "bthkvm";

/// Extents of b, t, h, k, v and m, or an index into them. Operands of
/// different m have the extents of k there.
using Index = std::array<int64_t, 6>;

/// Row r of the K/2 pairs of a complex state is rows r and K/2 + r.
int64_t pairsOf(const Index &extents) { return extents[3] / 2; }

/// An operand read through its letters: a dimension of size 1 broadcasts, Hx
/// heads serve head h with entry h / (H / Hx).
class Broadcast {
public:
  static Result<Broadcast> create(StringRef name, const HostTensor &tensor,
                                  StringRef letters, const Index &extents);

  double at(const Index &index) const {
    int64_t offset = 0;
    for (int letter = 0; letter < 6; ++letter)
      offset += index[letter] / divisors[letter] * strides[letter];
    return values[offset + index[3] % pairs * pairStride];
  }

private:
  const double *values = nullptr;
  Index strides = {0, 0, 0, 0, 0, 0};
  Index divisors = {1, 1, 1, 1, 1, 1};
  int64_t pairs = 1, pairStride = 0;
};

/// The operands of one recurrence.
struct Recurrence {
  Index extents;
  Broadcast query, key, value;
  std::vector<Broadcast> parameters;
  std::optional<Broadcast> bonus;
  ir::NormalForm form;
  int64_t mixed = 1;                  // rows of a block
  const HostTensor *resets = nullptr; // [B, T]
  double scale;
  bool pre, reverse;
  int64_t microSteps;

  /// Runs head h of batch row b: `state` [K, V] is updated in place, `out`
  /// points at o[b, 0, h, 0].
  void run(int64_t b, int64_t h, double *state, double *out) const;

private:
  void decay(Index at, double *state) const;
  void turn(Index at, double *state) const;
  void mix(Index at, double *state) const;
  void transition(Index at, double *state) const;
  void write(Index at, double *state) const;
  void read(Index at, const double *state, double *out) const;
};
} // namespace

Result<Broadcast> Broadcast::create(StringRef name, const HostTensor &tensor,
                                    StringRef letters, const Index &extents) {
  Broadcast operand;
  operand.values = tensor.values.data();
  std::vector<int64_t> strides = stridesOf(tensor.shape);
  bool fits = tensor.shape.size() == letters.size();
  for (size_t d = 0; fits && d < letters.size(); ++d) {
    bool isPair = letters[d] == 'p';
    size_t letter = kLetters.find(isPair ? 'k' : letters[d]);
    int64_t size = tensor.shape[d],
            full = isPair ? pairsOf(extents) : extents[letter];
    fits = ir::fitsByBroadcast(letters[d], size, full);
    if (!fits || size == 1)
      continue;
    if (isPair) {
      operand.pairs = std::max<int64_t>(full, 1);
      operand.pairStride = strides[d];
      continue;
    }
    operand.strides[letter] = strides[d];
    // An m indexes only its own entries.
    operand.divisors[letter] =
        size == full || letters[d] == 'm' ? 1 : full / size;
  }
  if (fits)
    return operand;
  return makeError("expected ", name.str(), " of dimensions ", letters.str(),
                   " that fit b, t, h, k, v = ",
                   formatDims(llvm::ArrayRef<int64_t>(extents).take_front(5)),
                   ", but got ", formatDims(tensor.shape));
}

/// S = D_t S; an erased entry is exactly zero whatever it was.
void Recurrence::decay(Index at, double *state) const {
  if (form.logDecay.empty())
    return;
  for (at[3] = 0; at[3] < extents[3]; ++at[3])
    for (at[4] = 0; at[4] < extents[4]; ++at[4]) {
      double log = 0;
      for (llvm::ArrayRef<int> term : form.logDecay) {
        double product = 1;
        for (int operand : term)
          product *= parameters[operand].at(at);
        log += product;
      }
      double &entry = state[at[3] * extents[4] + at[4]];
      double decay = std::exp(log);
      entry = decay == 0 ? 0 : decay * entry;
    }
}

/// Turns the complex rows of the state.
void Recurrence::turn(Index at, double *state) const {
  int64_t pairs = extents[3] / 2;
  for (at[3] = 0; at[3] < pairs; ++at[3])
    for (at[4] = 0; at[4] < extents[4]; ++at[4]) {
      double angle = parameters[form.phase].at(at);
      double &re = state[at[3] * extents[4] + at[4]];
      double &im = state[(at[3] + pairs) * extents[4] + at[4]];
      double old = re;
      re = std::cos(angle) * old - std::sin(angle) * im;
      im = std::sin(angle) * old + std::cos(angle) * im;
    }
}

/// S = A_t S, block by block; an entry of zero reads nothing, whatever is
/// there.
void Recurrence::mix(Index at, double *state) const {
  std::vector<double> column(mixed);
  for (int64_t first = 0; first < extents[3]; first += mixed)
    for (at[4] = 0; at[4] < extents[4]; ++at[4]) {
      for (int64_t j = 0; j < mixed; ++j)
        column[j] = state[(first + j) * extents[4] + at[4]];
      for (at[3] = first; at[3] < first + mixed; ++at[3]) {
        double sum = 0;
        for (at[5] = 0; at[5] < mixed; ++at[5])
          if (double factor = parameters[form.mixing].at(at); factor != 0)
            sum += factor * column[at[5]];
        state[at[3] * extents[4] + at[4]] = sum;
      }
      at[5] = 0;
    }
}

/// S = D_t S + b (a^T S).
void Recurrence::transition(Index at, double *state) const {
  std::vector<double> reads;
  if (form.hasReader())
    for (at[4] = 0; at[4] < extents[4]; ++at[4]) {
      double sum = 0;
      for (at[3] = 0; at[3] < extents[3]; ++at[3])
        sum +=
            state[at[3] * extents[4] + at[4]] * parameters[form.reader].at(at);
      reads.push_back(sum);
    }
  decay(at, state);
  if (form.hasPhase())
    turn(at, state);
  if (form.hasMixing())
    mix(at, state);
  if (form.hasReader())
    for (at[3] = 0; at[3] < extents[3]; ++at[3])
      for (at[4] = 0; at[4] < extents[4]; ++at[4])
        state[at[3] * extents[4] + at[4]] +=
            parameters[form.writer].at(at) * reads[at[4]];
}

/// S += k v^T, or for a tied perturbation S += beta k (v - S^T k)^T on the
/// decayed S.
void Recurrence::write(Index at, double *state) const {
  for (at[4] = 0; at[4] < extents[4]; ++at[4]) {
    double written = value.at(at);
    if (form.tied) {
      for (at[3] = 0; at[3] < extents[3]; ++at[3])
        written -= state[at[3] * extents[4] + at[4]] * key.at(at);
      at[3] = 0;
      written *= parameters[form.beta].at(at);
    }
    for (at[3] = 0; at[3] < extents[3]; ++at[3])
      state[at[3] * extents[4] + at[4]] += key.at(at) * written;
    at[3] = 0;
  }
}

/// o = scale S^T q.
void Recurrence::read(Index at, const double *state, double *out) const {
  for (at[4] = 0; at[4] < extents[4]; ++at[4]) {
    double sum = 0;
    for (at[3] = 0; at[3] < extents[3]; ++at[3])
      sum += state[at[3] * extents[4] + at[4]] * query.at(at);
    at[3] = 0;
    if (bonus)
      for (; at[3] < extents[3]; ++at[3])
        sum += bonus->at(at) * key.at(at) *
               value.at({at[0], at[1], at[2], 0, at[4], 0}) * query.at(at);
    at[3] = 0;
    out[at[4]] = scale * sum;
  }
}

void Recurrence::run(int64_t b, int64_t h, double *state, double *out) const {
  int64_t tokens = extents[1], heads = extents[2], valueWidth = extents[4];
  for (int64_t i = 0; i < tokens; ++i) {
    int64_t t = reverse ? tokens - 1 - i : i;
    Index at{b, t, h, 0, 0, 0};
    double *row = out + t * heads * valueWidth;
    if (resets && resets->values[b * tokens + t] != 0)
      std::fill_n(state, extents[3] * extents[4], 0.0);
    if (pre)
      read(at, state, row);
    for (int64_t step = 0; step < microSteps; ++step) {
      at[2] = step * heads + h;
      transition(at, state);
      write(at, state);
    }
    at[2] = h;
    if (!pre)
      read(at, state, row);
  }
}

Result<ScanOutputs> runScan(const ScanTensors &in,
                            const Interpreter &interpreter) {
  const HostTensor &value = in.value;
  int64_t keyWidth = in.key.shape.back();
  int64_t steps = in.microSteps;
  if (value.shape[2] % steps != 0)
    return makeError("expected heads that ", steps,
                     " micro-steps divide, but got ", value.shape[2]);
  Index extents{value.shape[0], value.shape[1], value.shape[2] / steps,
                keyWidth,       value.shape[3], keyWidth};
  // One group of heads per step: head h of step s is head s H + h.
  Index grouped = extents;
  grouped[2] *= steps;

  Recurrence recurrence;
  recurrence.extents = extents;
  recurrence.form = in.transition.getNormalForm();
  if (recurrence.form.hasMixing())
    recurrence.mixed = in.parameters[recurrence.form.mixing]->shape.back();
  recurrence.scale = in.scale;
  recurrence.pre = in.pre;
  recurrence.reverse = in.reverse;
  recurrence.microSteps = steps;
  Status status;
  if (recurrence.form.hasPhase() && keyWidth % 2)
    status = makeError("expected an even key width for a complex state, but "
                       "got ",
                       keyWidth);
  auto bind = [&](StringRef name, const HostTensor &operand, StringRef letters,
                  const Index &extents) {
    Result<Broadcast> bound =
        Broadcast::create(name, operand, letters, extents);
    if (!bound && status)
      status = bound.error();
    return bound ? *bound : Broadcast();
  };
  recurrence.query = bind("the query", in.query, "bthk", extents);
  recurrence.key = bind("the key", in.key, "bthk", grouped);
  recurrence.value = bind("the value", in.value, "bthv", grouped);
  for (auto [operand, dims] :
       llvm::zip(in.parameters, in.transition.getOperandDims()))
    recurrence.parameters.push_back(
        bind("a transition operand", *operand, "b" + dims.str(), grouped));
  if (in.bonus)
    recurrence.bonus = bind("the bonus", *in.bonus, "bthk", extents);

  if (in.resets && status)
    status = expectShape("resets", in.resets->shape, {extents[0], extents[1]});
  recurrence.resets = in.resets;

  Result<HostTensor> state =
      makeZeros({extents[0], extents[2], extents[3], extents[4]});
  if (!state)
    return state.error();
  if (in.initial) {
    if (status)
      status = expectShape("a state", in.initial->shape, state->shape);
    if (status)
      state->values = in.initial->values;
  }
  Result<HostTensor> out =
      makeZeros({extents[0], extents[1], extents[2], extents[4]});
  if (!out)
    return out.error();
  if (!status)
    return status.error();
  int64_t heads = extents[2], entries = extents[3] * extents[4];
  // Without tokens there is no output to point into.
  int64_t rows = extents[1] == 0 ? 0 : extents[0] * heads;
  interpreter.parallelFor(
      rows, 20.0 * state->size() * extents[1], [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          int64_t b = i / heads, h = i % heads;
          recurrence.run(b, h, state->values.data() + i * entries,
                         out->values.data() +
                             (b * extents[1] * heads + h) * extents[4]);
        }
      });
  return ScanOutputs{out.take(), state.take()};
}

/// `tensor` with a time dimension of one, as a step becomes a scan.
static HostTensor withTime(const HostTensor &tensor) {
  HostTensor result = tensor;
  if (!result.shape.empty())
    result.shape.insert(result.shape.begin() + 1, 1);
  return result;
}

/// Evaluates scan and step; a step's operands lack the time dimension.
template <typename OpT>
static Status evalRecurrence(OpT op, Scope &scope, bool reverse) {
  constexpr bool kStep = std::is_same_v<OpT, ir::StepOp>;
  std::vector<HostTensor> timed;
  timed.reserve(op->getNumOperands());
  auto get = [&](Value operand) -> const HostTensor & {
    if (!kStep)
      return scope.get(operand);
    return timed.emplace_back(withTime(scope.get(operand)));
  };
  ScanTensors tensors{get(op.getQuery()), get(op.getKey()), get(op.getValue()),
                      op.getTransition()};
  for (Value operand : op.getParameters())
    tensors.parameters.push_back(&get(operand));
  if (op.getBonus())
    tensors.bonus = &get(op.getBonus());
  if (op.getInitial())
    tensors.initial = &scope.get(op.getInitial());
  if constexpr (!kStep)
    if (op.getResets())
      tensors.resets = &scope.get(op.getResets());
  tensors.scale = op.getScale().convertToDouble();
  tensors.pre = op.getReadout() == ir::Readout::Pre;
  tensors.reverse = reverse;
  tensors.microSteps = op.getMicroSteps();
  Result<ScanOutputs> outputs = runScan(tensors, scope.interpreter);
  if (!outputs)
    return outputs.error();
  if (kStep)
    outputs->result.shape.erase(outputs->result.shape.begin() + 1);
  if (Status status = scope.set(op.getResult(), std::move(outputs->result));
      !status)
    return status;
  return scope.set(op.getState(), std::move(outputs->state));
}

static Status evalScan(ir::ScanOp op, Scope &scope) {
  return evalRecurrence(op, scope, op.getReverse());
}

static Status evalStep(ir::StepOp op, Scope &scope) {
  return evalRecurrence(op, scope, /*reverse=*/false);
}

static Status evalShortConv(ir::ShortConvOp op, Scope &scope) {
  const HostTensor &x = scope.get(op.getInput());
  const HostTensor &weight = scope.get(op.getWeight());
  int64_t batch = x.shape[0], tokens = x.shape[1], channels = x.shape[2];
  int64_t taps = weight.shape[2], before = taps - 1;
  if (Status status =
          expectShape("a weight", weight.shape, {channels, 1, taps});
      !status)
    return status;
  Result<HostTensor> tail = makeZeros({batch, before, channels});
  if (!tail)
    return tail.error();
  if (op.getTail()) {
    const HostTensor &given = scope.get(op.getTail());
    if (Status status = expectShape("a tail", given.shape, tail->shape);
        !status)
      return status;
    tail->values = given.values;
  }
  /// Token t of row b, from the tail where t < 0.
  auto input = [&](int64_t b, int64_t t, int64_t c) {
    return t < 0 ? tail->values[(b * before + before + t) * channels + c]
                 : x.values[(b * tokens + t) * channels + c];
  };
  HostTensor y = x;
  HostTensor newTail = *tail;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t t = 0; t < tokens; ++t) {
        double sum = op.getBias() ? scope.get(op.getBias()).values[c] : 0;
        for (int64_t j = 0; j < taps; ++j)
          sum += weight.values[c * taps + j] * input(b, t - before + j, c);
        y.values[(b * tokens + t) * channels + c] =
            applyActivation(op.getActivation(), sum);
      }
      for (int64_t j = 0; j < before; ++j)
        newTail.values[(b * before + j) * channels + c] =
            input(b, tokens - before + j, c);
    }
  if (Status status = scope.set(op.getResult(), std::move(y)); !status)
    return status;
  return scope.set(op.getNewTail(), std::move(newTail));
}

void addScanOps(OpTable &table) {
  table.add(evalScan);
  table.add(evalStep);
  table.add(evalShortConv);
}

} // namespace linnet::reference
