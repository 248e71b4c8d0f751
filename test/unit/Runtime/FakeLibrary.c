/*===- FakeLibrary.c - a compiled library written by hand ----------------===
 *
 * Stands in for generated code in tests of the runtime. Built several times
 * with different identities, see CMakeLists.txt.
 *
 *===----------------------------------------------------------------------===*/

#include "linnet/Runtime/Invocation.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#ifdef FAKE_ID
const char linnet_library_id[] = FAKE_ID;
#endif
#ifndef FAKE_ABI
#define FAKE_ABI LINNET_ABI_VERSION
#endif
const int64_t linnet_library_abi = FAKE_ABI;

#ifdef FAKE_TRAP
/* What code for another processor may do as soon as it is loaded. */
__attribute__((constructor)) static void trap(void) { abort(); }
#endif

#ifndef FAKE_BATCH
#define FAKE_BATCH 1
#endif
enum { kWidth = 16, kMaxContext = 64 };

/* What the last calls were asked to do, for the test to read. */
typedef struct FakeCall {
  int64_t decode, tokens, position, first_row;
} FakeCall;
FakeCall fake_calls[64];
int64_t fake_call_count;

/* A language model without weights. State 0 is the running sum of all tokens
   of each sequence, state 1 a cache of the tokens by position. The logits of a
   token at position p are (p * 16 + j) * 1024 + sum of the tokens up to p, so
   every output tells from which tokens at which place it came; threads work on
   alternate rows and need each other's part of the sums. With FAKE_CACHE, state
   0 is only written, and a session can be truncated. */
static void step(const LinnetInvocation *call, int64_t thread, int64_t threads,
                 int64_t decode) {
  int64_t *sums = call->states[0];
  int32_t *cache = call->states[1];
  const int32_t *tokens = call->inputs[0];
  int64_t *prefix = call->workspace;
  int64_t n = call->tokens;
  /* Scratch of the threads must not overlap. */
  int64_t *mine =
      (int64_t *)((char *)call->scratch + thread * call->scratch_stride);
  *mine = thread;
  if (thread == 0) {
    FakeCall entry = {decode, n, call->position, call->first_row};
    fake_calls[fake_call_count++ % 64] = entry;
    for (int64_t b = 0; b < FAKE_BATCH; ++b)
      for (int64_t t = 0; t < n; ++t)
        cache[b * kMaxContext + call->position + t] = tokens[b * n + t];
  }
  call->barrier(call->barrier_argument);
  /* The last thread continues what the first one wrote. */
  if (thread == threads - 1)
    for (int64_t b = 0; b < FAKE_BATCH; ++b) {
#ifdef FAKE_CACHE
      int64_t sum = 0, first = 0;
#else
      int64_t sum = sums[b], first = call->position;
#endif
      for (int64_t p = first; p < call->position + n; ++p) {
        sum += cache[b * kMaxContext + p];
        if (p >= call->position)
          prefix[b * n + p - call->position] = sum;
      }
      sums[b] = sum;
    }
  call->barrier(call->barrier_argument);
  float *out = call->outputs[0];
  int64_t rows = n - call->first_row;
  for (int64_t i = thread; i < FAKE_BATCH * rows; i += threads) {
    int64_t b = i / rows, t = i % rows + call->first_row;
    for (int64_t j = 0; j < kWidth; ++j)
      out[i * kWidth + j] = (float)(((call->position + t) * 16 + j) * 1024 +
                                    prefix[b * n + t] % 1024);
  }
  if (*mine != thread)
    abort();
}

void fake_prefill(const LinnetInvocation *call, int64_t thread,
                  int64_t threads) {
  step(call, thread, threads, 0);
}

void fake_decode(const LinnetInvocation *call, int64_t thread,
                 int64_t threads) {
  step(call, thread, threads, 1);
}

/* outputs[i] receives inputs[i][0] bytes of weight i. */
void fake_dump(const LinnetInvocation *call, int64_t thread, int64_t threads) {
  (void)threads;
  if (thread != 0)
    return;
  const int64_t *counts = call->inputs[0];
  for (int64_t i = 0; counts[i] >= 0; ++i)
    memcpy(call->outputs[i], call->weights[i], (size_t)counts[i]);
}

/* outputs[0][i] = address of weight i. */
void fake_addresses(const LinnetInvocation *call, int64_t thread,
                    int64_t threads) {
  (void)threads;
  if (thread == 0)
    for (int64_t i = 0; i < ((const int64_t *)call->inputs[0])[0]; ++i)
      ((int64_t *)call->outputs[0])[i] = (int64_t)call->weights[i];
}

/* outputs[0][thread] = half of the smallest normal float, by arithmetic. */
void fake_denormal(const LinnetInvocation *call, int64_t thread,
                   int64_t threads) {
  (void)threads;
  volatile float smallest = FLT_MIN;
  ((float *)call->outputs[0])[thread] = smallest * 0.5f;
}

/* hidden[b][t][j] = token * 100 + token type * 10 + mask. */
void fake_encode(const LinnetInvocation *call, int64_t thread,
                 int64_t threads) {
  const int32_t *tokens = call->inputs[0], *mask = call->inputs[1],
                *types = call->inputs[2];
  float *out = call->outputs[0];
  for (int64_t i = thread; i < FAKE_BATCH * call->tokens; i += threads)
    for (int64_t j = 0; j < kWidth; ++j)
      out[i * kWidth + j] = (float)(tokens[i] * 100 + types[i] * 10 + mask[i]);
}
