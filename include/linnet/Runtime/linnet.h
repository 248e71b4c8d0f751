/*===- linnet.h - running compiled models ----------------------*- C -*-===
 *
 * The C interface of liblinnet_runtime.so. A compiled directory (written by
 * linnet-compile) is opened as a model; sessions hold the state of one
 * conversation (or one batch of them) each.
 *
 *   linnet_model *model;
 *   linnet_session *session;
 *   linnet_model_open("out", NULL, &model);
 *   linnet_session_create(model, &session);
 *   linnet_prefill(session, prompt, n, logits, LINNET_ROWS_LAST);
 *   linnet_decode(session, &next, logits);
 *
 * Every call returns a linnet_status; the message of the last failure on the
 * calling thread is linnet_last_error(). A call that fails for a wrong
 * argument has changed nothing.
 *
 * Threads: a model owns one pool of worker threads on which steps run one
 * after the other. Any number of host threads may use different sessions of
 * one model at the same time: their steps queue. One session must not be used
 * by two host threads at once. A child of fork() must not use handles of its
 * parent.
 *
 *===----------------------------------------------------------------------===*/

#ifndef LINNET_RUNTIME_LINNET_H
#define LINNET_RUNTIME_LINNET_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LINNET_API __attribute__((visibility("default")))
#else
#define LINNET_API
#endif

/* Any int may arrive where an enumeration is expected; with a fixed type that
   is a value to refuse in C++, too, not undefined behaviour. */
#ifdef __cplusplus
#define LINNET_ENUM_TYPE : int
extern "C" {
#else
#define LINNET_ENUM_TYPE
#endif

/** What a call came to. */
typedef enum linnet_status LINNET_ENUM_TYPE {
  LINNET_OK = 0,
  /** A null pointer, a count out of range, an input the model lacks. */
  LINNET_ERROR_ARGUMENT = 1,
  /** A file cannot be read or written. */
  LINNET_ERROR_IO = 2,
  /** manifest.json is malformed or describes something impossible. */
  LINNET_ERROR_MANIFEST = 3,
  /** The library is missing a symbol or is not of the manifest's compilation.
   */
  LINNET_ERROR_LIBRARY = 4,
  /** A weight file is missing, has changed, or lacks a tensor. */
  LINNET_ERROR_WEIGHTS = 5,
  /** The library needs CPU features that this machine lacks. */
  LINNET_ERROR_CPU = 6,
  /** Memory or threads cannot be had. */
  LINNET_ERROR_MEMORY = 7,
  /** A token outside the vocabulary. */
  LINNET_ERROR_TOKEN = 8,
  /** More tokens than the model's context holds. */
  LINNET_ERROR_CONTEXT = 9,
  /** A state of another model, or a damaged state file. */
  LINNET_ERROR_STATE = 10,
  /** The model is of another kind or cannot do what was asked. */
  LINNET_ERROR_UNSUPPORTED = 11,
  /** A bug of the runtime. */
  LINNET_ERROR_INTERNAL = 12
} linnet_status;

typedef enum linnet_kind LINNET_ENUM_TYPE {
  /** Tokens in, logits of the next token out: prefill and decode. */
  LINNET_KIND_CAUSAL_LM = 0,
  /** A whole sequence in, its hidden states out: encode. */
  LINNET_KIND_ENCODER = 1,
  /** Any function of tensors: run_function. */
  LINNET_KIND_FUNCTION = 2
} linnet_kind;

/** Which rows of a prefill's outputs are wanted. */
typedef enum linnet_rows LINNET_ENUM_TYPE {
  /** The last token's: outputs are [batch][1][width]. */
  LINNET_ROWS_LAST = 0,
  /** Every token's: outputs are [batch][n][width]. */
  LINNET_ROWS_ALL = 1,
  /** None: outputs may be null. */
  LINNET_ROWS_NONE = 2
} linnet_rows;

/** A compiled model: library, weights in memory, threads. */
typedef struct linnet_model linnet_model;
/** The state of one batch of sequences. Keeps its model alive. */
typedef struct linnet_session linnet_session;

typedef struct linnet_options {
  /** Threads per step, the caller included; 0: the processors available to
      the process. At most 1024. */
  int32_t threads;
} linnet_options;

/** An input or output tensor. Pointers live as long as the model. */
typedef struct linnet_tensor_info {
  const char *name;
  /** "F32", "I32", ...: the names of safetensors. */
  const char *dtype;
  int32_t rank;
  /** `rank` sizes; -1 where the number of tokens stands. */
  const int64_t *shape;
} linnet_tensor_info;

/** "0.1.0". */
LINNET_API const char *linnet_version(void);
/** The message of the last failed call on this thread, one line; "" if there
    was none. Valid until the next call on this thread. */
LINNET_API const char *linnet_last_error(void);
/** A constant word for a status: "ok", "token out of range", ... */
LINNET_API const char *linnet_status_name(linnet_status status);

/** Opens the compiled directory `directory`: checks the CPU before any of its
    code is loaded, that manifest and library come from one compilation, and
    that the weight files are the ones it was compiled against; then brings the
    weights into the layout the code reads. `options` may be null. On failure
    *model is null. Release with linnet_model_close(). */
LINNET_API linnet_status linnet_model_open(const char *directory,
                                           const linnet_options *options,
                                           linnet_model **model);
/** Gives up the handle; sessions still open keep the model in memory. Null is
    allowed. */
LINNET_API void linnet_model_close(linnet_model *model);

/** Properties of a model; 0 (or null, or "") for a null model. */
LINNET_API linnet_kind linnet_model_kind(const linnet_model *model);
/** "llama", "mamba2", ... */
LINNET_API const char *linnet_model_type(const linnet_model *model);
LINNET_API int64_t linnet_model_vocab_size(const linnet_model *model);
LINNET_API int64_t linnet_model_hidden_size(const linnet_model *model);
/** Most tokens of a sequence; 0: not limited. */
LINNET_API int64_t linnet_model_max_context(const linnet_model *model);
/** Sequences per step. */
LINNET_API int64_t linnet_model_batch(const linnet_model *model);
/** Floats per output row: the vocabulary of a causal-lm, the hidden size of an
    encoder, 0 for a function. */
LINNET_API int64_t linnet_model_output_width(const linnet_model *model);
/** Most tokens of one prefill block; longer prompts are cut. */
LINNET_API int64_t linnet_model_block_size(const linnet_model *model);
/** Threads per step. */
LINNET_API int32_t linnet_model_threads(const linnet_model *model);
/** Bytes of weights the code reads, each buffer once, in the form they have in
    memory. */
LINNET_API int64_t linnet_model_weight_bytes(const linnet_model *model);
/** The part of them that every step reads whole: all but tables of which a
    step looks up rows (raw embeddings of floats, rotary tables). */
LINNET_API int64_t linnet_model_step_bytes(const linnet_model *model);
/** Bytes of state per session. */
LINNET_API int64_t linnet_model_state_bytes(const linnet_model *model);
/** Bytes that linnet_session_keep(session, n) takes per session: `n` copies of
    what a step overwrites (recurrent states, not caches) and `n` and a block's
    tokens. Every step copies one of them. 0 for n <= 0 and for models without
    sessions; INT64_MAX where they are beyond counting. */
LINNET_API int64_t linnet_model_keep_bytes(const linnet_model *model,
                                           int64_t n);
/** The manifest as JSON text, valid as long as the model. */
LINNET_API const char *linnet_model_manifest(const linnet_model *model);
LINNET_API int64_t linnet_model_input_count(const linnet_model *model);
LINNET_API int64_t linnet_model_output_count(const linnet_model *model);
LINNET_API linnet_status linnet_model_input(const linnet_model *model,
                                            int64_t index,
                                            linnet_tensor_info *info);
LINNET_API linnet_status linnet_model_output(const linnet_model *model,
                                             int64_t index,
                                             linnet_tensor_info *info);

/** A new session of a causal-lm at position 0. */
LINNET_API linnet_status linnet_session_create(linnet_model *model,
                                               linnet_session **session);
/** Null is allowed. */
LINNET_API void linnet_session_destroy(linnet_session *session);
/** A second session in the same state, independent from then on: a snapshot
    for linnet_session_restore(), or a branch. It keeps as many tokens as the
    first, see linnet_session_keep(). */
LINNET_API linnet_status linnet_session_clone(const linnet_session *session,
                                              linnet_session **clone);
/** Back to position 0. */
LINNET_API linnet_status linnet_session_reset(linnet_session *session);
/** Back to an earlier position. Only for models all of whose states are
    indexed by position (caches): a recurrent state cannot be rewound, for that
    see linnet_session_keep(). */
LINNET_API linnet_status linnet_session_truncate(linnet_session *session,
                                                 int64_t position);
/** From now on, enough of the past is kept that up to `n` >= 0 of the tokens
    consumed last can be rolled back, of any model. A new session keeps 0. Takes
    linnet_model_keep_bytes() of memory, which the session owns, and a copy of
    the recurrent states per step. Lowering `n` gives memory back at once; what
    fits of the past stays. LINNET_ERROR_MEMORY changes nothing. */
LINNET_API linnet_status linnet_session_keep(linnet_session *session,
                                             int64_t n);
/** How many tokens per sequence can be rolled back now: at most what is kept,
    and none from before it was, before a load or a restore whose snapshot kept
    none; 0 for null. */
LINNET_API int64_t linnet_session_kept(const linnet_session *session);
/** Forgets the last `n` tokens of every sequence, 0 <= n <=
    linnet_session_kept(), else LINNET_ERROR_ARGUMENT. All states, and so all
    outputs that follow, are then equal in every bit to those of a session that
    was given the same tokens in the same portions without the last `n`. Back to
    between two calls (or blocks) that is a copy; to inside of one, the tokens
    before are computed again. */
LINNET_API linnet_status linnet_session_rollback(linnet_session *session,
                                                 int64_t n);
/** Replaces position and state by a copy of those of `snapshot`, a session of
    the same compilation, else LINNET_ERROR_STATE. The snapshot is only read;
    the session keeps as many tokens as before, as far as the snapshot has
    them. */
LINNET_API linnet_status linnet_session_restore(linnet_session *session,
                                                const linnet_session *snapshot);
/** Tokens consumed per sequence; 0 for null. */
LINNET_API int64_t linnet_session_position(const linnet_session *session);

/** Consumes `n` >= 1 tokens per sequence: `tokens` is [batch][n]. `outputs`
    receives the rows that `rows` names, [batch][rows][output_width]. The
    prompt is cut into blocks of linnet_model_block_size() tokens. Tokens and
    context are checked before the state changes. */
LINNET_API linnet_status linnet_prefill(linnet_session *session,
                                        const int32_t *tokens, int64_t n,
                                        float *outputs, linnet_rows rows);
/** Consumes one token per sequence: `tokens` is [batch], `outputs` is
    [batch][output_width] (or null: not wanted). */
LINNET_API linnet_status linnet_decode(linnet_session *session,
                                       const int32_t *tokens, float *outputs);

/** Runs an encoder on whole sequences: `tokens`, `token_types` and
    `attention_mask` (1: a token, 0: padding) are [batch][n]; the latter two may
    be null for all 0 and all 1. `outputs` is [batch][n][output_width]. */
LINNET_API linnet_status linnet_encode(linnet_model *model,
                                       const int32_t *tokens,
                                       const int32_t *token_types,
                                       const int32_t *attention_mask, int64_t n,
                                       float *outputs);

/** Runs a model of kind function. `inputs` and `outputs` are row-major tensors
    in the manifest's order, types and shapes, whose numbers must be as given
    by linnet_model_input_count() and linnet_model_output_count(). */
LINNET_API linnet_status linnet_run_function(linnet_model *model,
                                             const void *const *inputs,
                                             int64_t input_count,
                                             void *const *outputs,
                                             int64_t output_count);

/** Writes position and state to a file, which appears whole or not at all. */
LINNET_API linnet_status linnet_state_save(const linnet_session *session,
                                           const char *path);
/** Replaces position and state by those of a file. A file of another
    compilation, or a truncated or altered one, is refused and the session is
    as before. */
LINNET_API linnet_status linnet_state_load(linnet_session *session,
                                           const char *path);

#ifdef __cplusplus
}
#endif

#endif /* LINNET_RUNTIME_LINNET_H */
