#!/usr/bin/env python3
"""Mamba's recurrence by PyTorch, token by token.

usage: selective-scan-torch.py T CHANNELS STATES THREADS REPEAT

The discretised operands for all tokens at once, then a loop over the tokens: the
path that transformers takes where no CUDA kernel is there. Prints the median
time in ms as JSON.
"""
import json
import statistics
import sys
import time

import torch

tokens, channels, states, threads, repeat = map(int, sys.argv[1:6])
torch.set_num_threads(threads)
torch.manual_seed(0)
x, step = torch.randn(1, channels, tokens), torch.full((1, channels, tokens), 0.1)
rate = -torch.ones(channels, states)
writes, reads = torch.randn(1, tokens, states), torch.randn(1, tokens, states)


def scan():
    decay = torch.exp(rate[None, :, None, :] * step[..., None])
    written = step[..., None] * writes[:, None] * x[..., None]
    state, outputs = torch.zeros(1, channels, states), []
    for t in range(tokens):
        state = decay[:, :, t] * state + written[:, :, t]
        outputs.append(state @ reads[:, t, :, None])
    return torch.cat(outputs, -1)


times = []
with torch.inference_mode():
    for _ in range(repeat + 1):
        start = time.perf_counter()
        scan()
        times.append((time.perf_counter() - start) * 1e3)
print(json.dumps({"median_ms": statistics.median(times[1:])}))
