//===- Session.cpp - the state of one batch of sequences ------------------===//

#include "Session.h"

#include "SparseCopy.h"

#include <algorithm>
#include <cstring>

namespace linnet {

Outcome checkTokens(const int32_t *tokens, int64_t count, int64_t n,
                    int64_t vocabulary) {
  for (int64_t i = 0; i < count * n; ++i)
    if (tokens[i] < 0 || tokens[i] >= vocabulary)
      return fail(LINNET_ERROR_TOKEN, "token ", i % n, " of sequence ", i / n,
                  ": expected 0 to ", vocabulary - 1, ", but got ", tokens[i]);
  return {};
}

/// Most tokens of one step.
static int64_t blockOf(const Model &model) {
  return model.findPhase(kPrefillPhase)->spec.maxTokens;
}

/// No session gets further than the context, so none goes further back.
static int64_t limitOf(const Model &model, int64_t n) {
  int64_t context = model.manifest().maxContext;
  return context > 0 ? std::min(n, context) : n;
}

Outcome Session::allocate() {
  int64_t bytes = 0;
  std::vector<int64_t> offsets;
  for (const StateSpec &state : owner->manifest().states) {
    offsets.push_back(bytes);
    bytes += roundUp(state.bytes, kTensorAlignment);
  }
  memory = Buffer::allocate(bytes);
  if (bytes > 0 && !memory.data())
    return fail(LINNET_ERROR_MEMORY, "cannot allocate ", bytes,
                " bytes of state");
  for (int64_t offset : offsets)
    states.push_back(memory.data() + offset);
  return keepFrom(nullptr, 0);
}

Outcome Session::create(std::shared_ptr<Model> model,
                        std::unique_ptr<Session> &session) {
  if (model->manifest().kind != Manifest::ModelKind::CausalLM)
    return fail(LINNET_ERROR_UNSUPPORTED,
                "expected a causal-lm for a session, but got ",
                modelKindName(model->manifest().kind));
  std::unique_ptr<Session> created(new Session(std::move(model)));
  if (Outcome outcome = created->allocate(); !outcome)
    return outcome;
  session = std::move(created);
  return {};
}

Outcome Session::clone(std::unique_ptr<Session> &copy) const {
  if (Outcome outcome = create(owner, copy); !outcome)
    return outcome;
  copySparse(copy->memory.data(), memory.data(), memory.size());
  copy->consumed = consumed;
  return copy->keepFrom(history.get(), history->limit());
}

void Session::reset() {
  memory.clear();
  consumed = 0;
  history->restart(0);
}

Outcome Session::truncate(int64_t position) {
  if (position < 0 || position > consumed)
    return fail(LINNET_ERROR_ARGUMENT, "expected a position of 0 to ", consumed,
                ", but got ", position);
  if (position == consumed)
    return {};
  for (const StateSpec &state : owner->manifest().states)
    if (state.kind != StateSpec::Kind::Append)
      return fail(LINNET_ERROR_UNSUPPORTED, "state '", state.name,
                  "' cannot be rewound: it is rewritten by every token");
  consumed = position;
  history->cut(position);
  return {};
}

Outcome Session::keepFrom(const History *past, int64_t n) {
  std::unique_ptr<History> created;
  if (Outcome outcome = History::create(owner->manifest(), blockOf(*owner), n,
                                        consumed, created);
      !outcome)
    return outcome;
  if (past)
    created->adopt(*past, consumed);
  history = std::move(created);
  return {};
}

Outcome Session::keep(int64_t n) {
  if (n < 0)
    return fail(LINNET_ERROR_ARGUMENT,
                "expected at least 0 tokens to keep, but got ", n);
  n = limitOf(*owner, n);
  return n == history->limit() ? Outcome{} : keepFrom(history.get(), n);
}

int64_t Session::keepBytes(const Model &model, int64_t n) {
  return History::bytes(model.manifest(), blockOf(model), limitOf(model, n));
}

Outcome Session::rollback(int64_t n) {
  if (n < 0 || n > kept())
    return fail(LINNET_ERROR_ARGUMENT, "expected 0 to ", kept(),
                " tokens to roll back, but got ", n);
  if (n == 0)
    return {};
  const int64_t target = consumed - n;
  consumed = history->restore(target, states.data());
  // Inside of a step: its first tokens again, as if the rest had never come.
  if (int64_t again = target - consumed; again > 0) {
    std::vector<int32_t> tokens = history->tokens(consumed, target);
    step(tokens.data(), again, again, nullptr, 0, again);
  }
  return {};
}

Outcome Session::restore(const Session &snapshot) {
  if (&snapshot == this)
    return {};
  const Manifest &mine = owner->manifest(), &other = snapshot.owner->manifest();
  if (mine.id != other.id)
    return fail(LINNET_ERROR_STATE, "expected a session of compilation ",
                mine.id, ", but got one of ", other.id);
  if (!std::ranges::equal(mine.states, other.states, {}, &StateSpec::bytes,
                          &StateSpec::bytes))
    return fail(LINNET_ERROR_STATE, "expected a session with states of the "
                                    "same sizes, but got other ones");
  memory.clear();
  copySparse(memory.data(), snapshot.memory.data(), memory.size());
  consumed = snapshot.consumed;
  history->adopt(*snapshot.history, consumed);
  return {};
}

Outcome Session::feed(const int32_t *tokens, int64_t n, float *outputs,
                      linnet_rows rows) {
  const Manifest &manifest = owner->manifest();
  if (!tokens)
    return fail(LINNET_ERROR_ARGUMENT, "expected tokens, but got null");
  if (n < 1 || n > INT32_MAX)
    return fail(LINNET_ERROR_ARGUMENT, "expected 1 to ", INT32_MAX,
                " tokens, but got ", n);
  if (rows != LINNET_ROWS_LAST && rows != LINNET_ROWS_ALL &&
      rows != LINNET_ROWS_NONE)
    return fail(LINNET_ERROR_ARGUMENT,
                "expected rows last, all or none, but got ", int(rows));
  if (rows != LINNET_ROWS_NONE && !outputs)
    return fail(LINNET_ERROR_ARGUMENT,
                "expected room for outputs, but got null");
  if (manifest.maxContext > 0 && n > manifest.maxContext - consumed)
    return fail(LINNET_ERROR_CONTEXT, "expected at most ", manifest.maxContext,
                " tokens of context, but got ", n, " after ", consumed);
  if (Outcome outcome =
          checkTokens(tokens, manifest.batch, n, manifest.vocabSize);
      !outcome)
    return outcome;

  const int64_t block = blockOf(*owner);
  const int64_t width = owner->outputWidth();
  for (int64_t begin = 0; begin < n; begin += block) {
    int64_t count = std::min(block, n - begin);
    history->record(consumed, tokens + begin, n, count, states.data());
    if (rows == LINNET_ROWS_ALL)
      step(tokens + begin, n, count, outputs + begin * width, n * width, 0);
    else if (rows == LINNET_ROWS_LAST && begin + count == n)
      step(tokens + begin, n, count, outputs, width, count - 1);
    else
      step(tokens + begin, n, count, nullptr, 0, count);
  }
  return {};
}

/// One block: tokens[b * stride + i] in, outputs from `firstRow` on to
/// outputs[b * outputStride + ...].
void Session::step(const int32_t *tokens, int64_t stride, int64_t n,
                   float *outputs, int64_t outputStride, int64_t firstRow) {
  const int64_t batch = owner->manifest().batch;
  const int64_t rowFloats = (n - firstRow) * owner->outputWidth();
  // Generated code sees dense [batch][n] and [batch][rows][width].
  const int32_t *dense = tokens;
  if (batch > 1 && stride != n) {
    blockTokens.resize(batch * n);
    for (int64_t b = 0; b < batch; ++b)
      std::copy_n(tokens + b * stride, n, blockTokens.begin() + b * n);
    dense = blockTokens.data();
  }
  float *target = outputs;
  bool scatter = rowFloats > 0 && batch > 1 && outputStride != rowFloats;
  if (scatter) {
    blockOutputs.resize(batch * rowFloats);
    target = blockOutputs.data();
  }
  // Code for one token writes its row whether it is wanted or not.
  if (n == 1 && !outputs) {
    blockOutputs.resize(batch * owner->outputWidth());
    target = blockOutputs.data();
    firstRow = 0;
  }

  const Phase *phase = n == 1 ? owner->findPhase(kDecodePhase) : nullptr;
  if (!phase)
    phase = owner->findPhase(kPrefillPhase);
  const void *inputList[] = {dense};
  void *outputList[] = {target};
  LinnetInvocation invocation{};
  invocation.states = states.data();
  invocation.inputs = inputList;
  invocation.outputs = outputList;
  invocation.tokens = n;
  invocation.position = consumed;
  invocation.first_row = firstRow;
  owner->run(*phase, invocation);
  consumed += n;

  if (scatter)
    for (int64_t b = 0; b < batch; ++b)
      std::copy_n(blockOutputs.begin() + b * rowFloats, rowFloats,
                  outputs + b * outputStride);
}

} // namespace linnet
