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
  return {};
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
  return {};
}

void Session::reset() {
  memory.clear();
  consumed = 0;
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

  const int64_t block = owner->findPhase(kPrefillPhase)->spec.maxTokens;
  const int64_t width = owner->outputWidth();
  for (int64_t begin = 0; begin < n; begin += block) {
    int64_t count = std::min(block, n - begin);
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
