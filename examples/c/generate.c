/*===- generate.c - continue a prompt of token ids -----------------------===
 *
 * Usage: generate COMPILED_DIRECTORY COUNT TOKEN...
 *
 * Reads the prompt's tokens, then takes the likeliest next token COUNT times
 * and prints the ids. Build it with any C11 compiler:
 *
 *   cc -std=c11 generate.c -I linnet/include -L linnet/lib -llinnet_runtime
 *
 *===----------------------------------------------------------------------===*/

#include "linnet/Runtime/linnet.h"

#include <stdio.h>
#include <stdlib.h>

static int32_t likeliest(const float *logits, int64_t count) {
  int32_t best = 0;
  for (int64_t i = 1; i < count; ++i)
    if (logits[i] > logits[best])
      best = (int32_t)i;
  return best;
}

/* Whether `token` ends a text is the model's business: see "eos" in
   linnet_model_manifest(). This example always takes `count` tokens. */
static int generate(linnet_session *session, const int32_t *prompt,
                    int64_t length, int64_t count, float *logits,
                    int64_t width) {
  if (linnet_prefill(session, prompt, length, logits, LINNET_ROWS_LAST) !=
      LINNET_OK)
    return 0;
  for (int64_t i = 0; i < count; ++i) {
    int32_t token = likeliest(logits, width);
    printf(i == 0 ? "%d" : " %d", (int)token);
    fflush(stdout);
    if (i + 1 < count && linnet_decode(session, &token, logits) != LINNET_OK) {
      printf("\n");
      return 0;
    }
  }
  printf("\n");
  return 1;
}

/* Parses a whole argument as an integer of at least `least`. */
static int parse(const char *text, long least, int32_t *value) {
  char *end = NULL;
  long parsed = strtol(text, &end, 10);
  if (*text == 0 || *end != 0 || parsed < least || parsed > INT32_MAX) {
    fprintf(stderr, "expected an integer of at least %ld, but got '%s'\n",
            least, text);
    return 0;
  }
  *value = (int32_t)parsed;
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: %s COMPILED_DIRECTORY COUNT TOKEN...\n", argv[0]);
    return 1;
  }
  linnet_model *model = NULL;
  linnet_session *session = NULL;
  int32_t count = 0;
  int64_t length = argc - 3;
  int32_t *prompt = malloc((size_t)length * sizeof(*prompt));
  float *logits = NULL;
  int done = prompt != NULL && parse(argv[2], 1, &count);
  for (int64_t i = 0; i < length && done; ++i)
    done = parse(argv[3 + i], 0, &prompt[i]);

  if (done) {
    done = 0;
    if (linnet_model_open(argv[1], NULL, &model) != LINNET_OK ||
        linnet_session_create(model, &session) != LINNET_OK) {
      fprintf(stderr, "%s\n", linnet_last_error());
    } else if (linnet_model_batch(model) != 1) {
      fprintf(stderr, "expected a model compiled for one sequence\n");
    } else {
      int64_t width = linnet_model_output_width(model);
      logits = malloc((size_t)width * sizeof(*logits));
      done = logits != NULL &&
             generate(session, prompt, length, count, logits, width);
      if (!done)
        fprintf(stderr, "%s\n", linnet_last_error());
    }
  }

  linnet_session_destroy(session);
  linnet_model_close(model);
  free(logits);
  free(prompt);
  return done ? 0 : 1;
}
