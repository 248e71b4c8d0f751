//===- CInterface.cpp - the functions of linnet.h -------------------------===//
//
// Argument checks, handles and the thread's last error; the work is in Model
// and Session. No exception leaves a function of this file.
//
//===----------------------------------------------------------------------===//

#include "linnet/Runtime/linnet.h"

#include "Model.h"
#include "Outcome.h"
#include "Session.h"

#include <algorithm>
#include <exception>
#include <new>

using namespace linnet;

struct linnet_model {
  std::shared_ptr<Model> implementation;
};

struct linnet_session {
  std::unique_ptr<Session> implementation;
};

namespace {

constexpr int32_t kMaxThreads = 1024;

/// A fixed buffer rather than a string: reporting that memory is exhausted
/// must not need memory.
thread_local char lastError[1024] = "";

linnet_status report(linnet_status code, const char *message) {
  size_t length = strnlen(message, sizeof(lastError) - 1);
  std::copy_n(message, length, lastError);
  lastError[length] = 0;
  // One line, whatever a file name or a library's message holds.
  std::replace(lastError, lastError + length, '\n', ' ');
  return code;
}

/// Runs `body`, which returns an Outcome, and reports what it came to.
template <typename Body>
linnet_status guarded(Body body) {
  try {
    Outcome outcome = body();
    if (outcome)
      return LINNET_OK;
    return report(outcome.code, outcome.message.c_str());
  } catch (const std::bad_alloc &) {
    return report(LINNET_ERROR_MEMORY, "out of memory");
  } catch (const std::exception &error) {
    return report(LINNET_ERROR_INTERNAL, error.what());
  } catch (...) {
    return report(LINNET_ERROR_INTERNAL, "unknown exception");
  }
}

Outcome nullArgument(const char *what) {
  return fail(LINNET_ERROR_ARGUMENT, "expected ", what, ", but got null");
}

const Manifest *manifestOf(const linnet_model *model) {
  return model ? &model->implementation->manifest() : nullptr;
}

Outcome requireKind(const Model &model, Manifest::ModelKind kind) {
  if (model.manifest().kind == kind)
    return {};
  return fail(LINNET_ERROR_UNSUPPORTED, "expected a model of kind ",
              modelKindName(kind), ", but got ",
              modelKindName(model.manifest().kind));
}

Outcome describe(const std::vector<ArgumentSpec> &arguments, int64_t index,
                 linnet_tensor_info *info) {
  if (!info)
    return nullArgument("room for a description");
  if (index < 0 || index >= int64_t(arguments.size()))
    return fail(LINNET_ERROR_ARGUMENT, "expected an index below ",
                arguments.size(), ", but got ", index);
  const ArgumentSpec &argument = arguments[index];
  // The names of types are literals and so end in a null character.
  *info = {argument.name.c_str(), dataTypeName(argument.dtype).data(),
           int32_t(argument.shape.size()), argument.shape.data()};
  return {};
}

Outcome encode(Model &model, const int32_t *tokens, const int32_t *tokenTypes,
               const int32_t *mask, int64_t n, float *outputs) {
  const Manifest &manifest = model.manifest();
  if (Outcome outcome = requireKind(model, Manifest::ModelKind::Encoder);
      !outcome)
    return outcome;
  if (!tokens || !outputs)
    return nullArgument(tokens ? "room for outputs" : "tokens");
  const Phase &phase = *model.findPhase(kEncodePhase);
  int64_t limit = phase.spec.maxTokens;
  if (manifest.maxContext > 0)
    limit = std::min(limit, manifest.maxContext);
  if (n < 1)
    return fail(LINNET_ERROR_ARGUMENT, "expected at least 1 token, but got ",
                n);
  if (n > limit)
    return fail(LINNET_ERROR_CONTEXT, "expected at most ", limit,
                " tokens, but got ", n);
  if (Outcome outcome =
          checkTokens(tokens, manifest.batch, n, manifest.vocabSize);
      !outcome)
    return outcome;

  std::vector<int32_t> zeros, ones;
  std::vector<const void *> inputs;
  bool takesTypes = false, takesMask = false;
  for (const ArgumentSpec &input : manifest.inputs) {
    if (input.name == "tokens") {
      inputs.push_back(tokens);
    } else if (input.name == "token_types") {
      takesTypes = true;
      zeros.assign(tokenTypes ? 0 : manifest.batch * n, 0);
      inputs.push_back(tokenTypes ? tokenTypes : zeros.data());
    } else {
      takesMask = true;
      ones.assign(mask ? 0 : manifest.batch * n, 1);
      inputs.push_back(mask ? mask : ones.data());
    }
  }
  if ((tokenTypes && !takesTypes) || (mask && !takesMask))
    return fail(LINNET_ERROR_ARGUMENT, "expected no ",
                tokenTypes && !takesTypes ? "token types" : "attention mask",
                ", which this model does not take, but got some");
  void *outputList[] = {outputs};
  LinnetInvocation invocation{};
  invocation.inputs = inputs.data();
  invocation.outputs = outputList;
  invocation.tokens = n;
  model.run(phase, invocation);
  return {};
}

Outcome runFunction(Model &model, const void *const *inputs, int64_t inputCount,
                    void *const *outputs, int64_t outputCount) {
  const Manifest &manifest = model.manifest();
  if (Outcome outcome = requireKind(model, Manifest::ModelKind::Function);
      !outcome)
    return outcome;
  if (inputCount != int64_t(manifest.inputs.size()) ||
      outputCount != int64_t(manifest.outputs.size()))
    return fail(LINNET_ERROR_ARGUMENT, "expected ", manifest.inputs.size(),
                " inputs and ", manifest.outputs.size(), " outputs, but got ",
                inputCount, " and ", outputCount);
  if ((inputCount && !inputs) || (outputCount && !outputs))
    return nullArgument("lists of tensors");
  for (int64_t i = 0; i < inputCount; ++i)
    if (!inputs[i])
      return fail(LINNET_ERROR_ARGUMENT, "input ", i,
                  ": expected a tensor, but got null");
  for (int64_t i = 0; i < outputCount; ++i)
    if (!outputs[i])
      return fail(LINNET_ERROR_ARGUMENT, "output ", i,
                  ": expected a tensor, but got null");
  LinnetInvocation invocation{};
  invocation.inputs = inputs;
  invocation.outputs = outputs;
  invocation.tokens = 1;
  model.run(*model.findPhase(kRunPhase), invocation);
  return {};
}

} // namespace

const char *linnet_version(void) { return kLinnetVersion.data(); }

const char *linnet_last_error(void) { return lastError; }

const char *linnet_status_name(linnet_status status) {
  switch (status) {
  case LINNET_OK:
    return "ok";
  case LINNET_ERROR_ARGUMENT:
    return "wrong argument";
  case LINNET_ERROR_IO:
    return "file cannot be read or written";
  case LINNET_ERROR_MANIFEST:
    return "wrong manifest";
  case LINNET_ERROR_LIBRARY:
    return "wrong library";
  case LINNET_ERROR_WEIGHTS:
    return "wrong weights";
  case LINNET_ERROR_CPU:
    return "unsupported processor";
  case LINNET_ERROR_MEMORY:
    return "out of memory or threads";
  case LINNET_ERROR_TOKEN:
    return "token out of range";
  case LINNET_ERROR_CONTEXT:
    return "context overflow";
  case LINNET_ERROR_STATE:
    return "wrong state";
  case LINNET_ERROR_UNSUPPORTED:
    return "unsupported by this model";
  case LINNET_ERROR_INTERNAL:
    return "internal error";
  }
  return "unknown status";
}

linnet_status linnet_model_open(const char *directory,
                                const linnet_options *options,
                                linnet_model **model) {
  return guarded([&]() -> Outcome {
    if (!model)
      return nullArgument("room for a model");
    *model = nullptr;
    if (!directory)
      return nullArgument("a directory");
    int32_t threads = options ? options->threads : 0;
    if (threads < 0 || threads > kMaxThreads)
      return fail(LINNET_ERROR_ARGUMENT, "expected 0 to ", kMaxThreads,
                  " threads, but got ", threads);
    if (threads == 0)
      threads = std::min(availableProcessors(), kMaxThreads);
    auto handle = std::make_unique<linnet_model>();
    if (Outcome outcome = Model::open(*directory ? directory : ".", threads,
                                      handle->implementation);
        !outcome)
      return outcome;
    *model = handle.release();
    return {};
  });
}

void linnet_model_close(linnet_model *model) { delete model; }

linnet_kind linnet_model_kind(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  if (manifest && manifest->kind == Manifest::ModelKind::Encoder)
    return LINNET_KIND_ENCODER;
  if (manifest && manifest->kind == Manifest::ModelKind::Function)
    return LINNET_KIND_FUNCTION;
  return LINNET_KIND_CAUSAL_LM;
}

const char *linnet_model_type(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  return manifest ? manifest->modelType.c_str() : "";
}

int64_t linnet_model_vocab_size(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  return manifest ? manifest->vocabSize : 0;
}

int64_t linnet_model_hidden_size(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  return manifest ? manifest->hiddenSize : 0;
}

int64_t linnet_model_max_context(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  return manifest ? manifest->maxContext : 0;
}

int64_t linnet_model_batch(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  return manifest ? manifest->batch : 0;
}

int64_t linnet_model_output_width(const linnet_model *model) {
  return model ? model->implementation->outputWidth() : 0;
}

int64_t linnet_model_block_size(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  int64_t most = 0;
  if (manifest)
    for (const PhaseSpec &phase : manifest->phases)
      most = std::max(most, phase.maxTokens);
  return most;
}

int32_t linnet_model_threads(const linnet_model *model) {
  return model ? int32_t(model->implementation->threads()) : 0;
}

int64_t linnet_model_weight_bytes(const linnet_model *model) {
  return model ? model->implementation->weights().bytes() : 0;
}

int64_t linnet_model_step_bytes(const linnet_model *model) {
  return model ? model->implementation->weights().stepBytes() : 0;
}

int64_t linnet_model_state_bytes(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  return manifest ? manifest->stateBytes() : 0;
}

int64_t linnet_model_keep_bytes(const linnet_model *model, int64_t n) {
  const Manifest *manifest = manifestOf(model);
  return manifest && manifest->kind == Manifest::ModelKind::CausalLM && n > 0
             ? Session::keepBytes(*model->implementation, n)
             : 0;
}

const char *linnet_model_manifest(const linnet_model *model) {
  return model ? model->implementation->manifestText().c_str() : "";
}

int64_t linnet_model_input_count(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  return manifest ? int64_t(manifest->inputs.size()) : 0;
}

int64_t linnet_model_output_count(const linnet_model *model) {
  const Manifest *manifest = manifestOf(model);
  return manifest ? int64_t(manifest->outputs.size()) : 0;
}

linnet_status linnet_model_input(const linnet_model *model, int64_t index,
                                 linnet_tensor_info *info) {
  return guarded([&]() -> Outcome {
    return model ? describe(manifestOf(model)->inputs, index, info)
                 : nullArgument("a model");
  });
}

linnet_status linnet_model_output(const linnet_model *model, int64_t index,
                                  linnet_tensor_info *info) {
  return guarded([&]() -> Outcome {
    return model ? describe(manifestOf(model)->outputs, index, info)
                 : nullArgument("a model");
  });
}

linnet_status linnet_session_create(linnet_model *model,
                                    linnet_session **session) {
  return guarded([&]() -> Outcome {
    if (!session)
      return nullArgument("room for a session");
    *session = nullptr;
    if (!model)
      return nullArgument("a model");
    auto handle = std::make_unique<linnet_session>();
    if (Outcome outcome =
            Session::create(model->implementation, handle->implementation);
        !outcome)
      return outcome;
    *session = handle.release();
    return {};
  });
}

void linnet_session_destroy(linnet_session *session) { delete session; }

linnet_status linnet_session_clone(const linnet_session *session,
                                   linnet_session **clone) {
  return guarded([&]() -> Outcome {
    if (!clone)
      return nullArgument("room for a session");
    *clone = nullptr;
    if (!session)
      return nullArgument("a session");
    auto handle = std::make_unique<linnet_session>();
    if (Outcome outcome =
            session->implementation->clone(handle->implementation);
        !outcome)
      return outcome;
    *clone = handle.release();
    return {};
  });
}

linnet_status linnet_session_reset(linnet_session *session) {
  return guarded([&]() -> Outcome {
    if (!session)
      return nullArgument("a session");
    session->implementation->reset();
    return {};
  });
}

linnet_status linnet_session_truncate(linnet_session *session,
                                      int64_t position) {
  return guarded([&]() -> Outcome {
    return session ? session->implementation->truncate(position)
                   : nullArgument("a session");
  });
}

linnet_status linnet_session_keep(linnet_session *session, int64_t n) {
  return guarded([&]() -> Outcome {
    return session ? session->implementation->keep(n)
                   : nullArgument("a session");
  });
}

int64_t linnet_session_kept(const linnet_session *session) {
  return session ? session->implementation->kept() : 0;
}

linnet_status linnet_session_rollback(linnet_session *session, int64_t n) {
  return guarded([&]() -> Outcome {
    return session ? session->implementation->rollback(n)
                   : nullArgument("a session");
  });
}

linnet_status linnet_session_restore(linnet_session *session,
                                     const linnet_session *snapshot) {
  return guarded([&]() -> Outcome {
    if (!session || !snapshot)
      return nullArgument(session ? "a snapshot" : "a session");
    return session->implementation->restore(*snapshot->implementation);
  });
}

int64_t linnet_session_position(const linnet_session *session) {
  return session ? session->implementation->position() : 0;
}

linnet_status linnet_prefill(linnet_session *session, const int32_t *tokens,
                             int64_t n, float *outputs, linnet_rows rows) {
  return guarded([&]() -> Outcome {
    return session ? session->implementation->feed(tokens, n, outputs, rows)
                   : nullArgument("a session");
  });
}

linnet_status linnet_decode(linnet_session *session, const int32_t *tokens,
                            float *outputs) {
  return guarded([&]() -> Outcome {
    return session ? session->implementation->feed(tokens, 1, outputs,
                                                   outputs ? LINNET_ROWS_LAST
                                                           : LINNET_ROWS_NONE)
                   : nullArgument("a session");
  });
}

linnet_status linnet_encode(linnet_model *model, const int32_t *tokens,
                            const int32_t *token_types,
                            const int32_t *attention_mask, int64_t n,
                            float *outputs) {
  return guarded([&]() -> Outcome {
    return model ? encode(*model->implementation, tokens, token_types,
                          attention_mask, n, outputs)
                 : nullArgument("a model");
  });
}

linnet_status linnet_run_function(linnet_model *model,
                                  const void *const *inputs,
                                  int64_t input_count, void *const *outputs,
                                  int64_t output_count) {
  return guarded([&]() -> Outcome {
    return model ? runFunction(*model->implementation, inputs, input_count,
                               outputs, output_count)
                 : nullArgument("a model");
  });
}

linnet_status linnet_state_save(const linnet_session *session,
                                const char *path) {
  return guarded([&]() -> Outcome {
    if (!session || !path)
      return nullArgument(session ? "a path" : "a session");
    return session->implementation->save(path);
  });
}

linnet_status linnet_state_load(linnet_session *session, const char *path) {
  return guarded([&]() -> Outcome {
    if (!session || !path)
      return nullArgument(session ? "a path" : "a session");
    return session->implementation->load(path);
  });
}
