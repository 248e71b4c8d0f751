"""PyTorch eager on a checkpoint directory, as one JSON line.

usage: bench-torch.py DIR THREADS [--prompt-length=512 --generate=64 --repetitions=3]

Prefill: tokens/s over a prompt into an empty cache, logits of the last token
only. Decode: tokens/s over greedy steps after a prompt of 128 tokens. Both
the median of the repetitions, after one warm-up.
"""
import argparse
import json
import os
import statistics
import time

parser = argparse.ArgumentParser()
parser.add_argument("dir")
parser.add_argument("threads", type=int)
parser.add_argument("--prompt-length", type=int, default=512)
parser.add_argument("--generate", type=int, default=64)
parser.add_argument("--repetitions", type=int, default=3)
parser.add_argument("--dtype", default="float32")
a = parser.parse_args()
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: a.threads])
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(a.threads)

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.set_verbosity_error()
torch.set_num_threads(a.threads)
torch.manual_seed(0)
model = AutoModelForCausalLM.from_pretrained(a.dir, dtype=getattr(torch, a.dtype)).eval()
ids = torch.randint(1, model.config.vocab_size, (1, a.prompt_length))
short = ids[:, :128]


def prefill():
    start = time.perf_counter()
    model(input_ids=ids, use_cache=True, logits_to_keep=1)
    return time.perf_counter() - start


def decode():
    out = model(input_ids=short, use_cache=True, logits_to_keep=1)
    # State-space models call their cache by another name.
    cache = next(name for name in ("past_key_values", "cache_params") if hasattr(out, name))
    start = time.perf_counter()
    for _ in range(a.generate):
        out = model(input_ids=out.logits[:, -1:].argmax(-1), **{cache: getattr(out, cache)},
                    use_cache=True, logits_to_keep=1)
    return time.perf_counter() - start


with torch.inference_mode():
    prefill()
    p = statistics.median(prefill() for _ in range(a.repetitions))
    decode()
    d = statistics.median(decode() for _ in range(a.repetitions))
print(json.dumps({"peer": "torch-eager", "version": torch.__version__, "threads": a.threads,
                  "prefill_tokens_per_s": a.prompt_length / p, "decode_tokens_per_s": a.generate / d}))
