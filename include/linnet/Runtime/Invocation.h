/*===- Invocation.h - what generated code and the runtime agree on -*- C -*-===
 *
 * A compiled library exports, per phase, one function
 *   void NAME(const LinnetInvocation *, int64_t thread, int64_t threads);
 * which every thread of a pool enters with the same invocation (one parallel
 * region per step). Every field is 8 bytes wide: generated code addresses
 * field i at byte 8 * i. Changing this file means raising LINNET_ABI_VERSION.
 *
 *===----------------------------------------------------------------------===*/

#ifndef LINNET_RUNTIME_INVOCATION_H
#define LINNET_RUNTIME_INVOCATION_H

#include <stdint.h>

#define LINNET_ABI_VERSION 1

typedef struct LinnetInvocation {
  void *const *weights;      /* 0: materialised weights, by manifest slot */
  void *const *states;       /* 1: state buffers, by manifest slot, updated */
  const void *const *inputs; /* 2: input tensors, row major, by position */
  void *const *outputs;      /* 3: output tensors, row major, by position */
  void *workspace;           /* 4: shared by the threads, 64-byte aligned */
  void *scratch;             /* 5: thread t owns scratch + t * scratch_stride */
  int64_t scratch_stride;    /* 6: bytes, a multiple of 64 */
  int64_t tokens;            /* 7: tokens per batch row in this step */
  int64_t position;          /* 8: tokens consumed before this step */
  int64_t first_row;         /* 9: first token whose outputs are wanted;
                                0 where a step has one token */
  void (*barrier)(void *);   /* 10: all threads meet here */
  void *barrier_argument;    /* 11 */
} LinnetInvocation;

typedef void (*LinnetPhase)(const LinnetInvocation *, int64_t thread,
                            int64_t threads);

#endif /* LINNET_RUNTIME_INVOCATION_H */
