#!/usr/bin/env python3
"""One recurrence in chunks of 64 tokens by PyTorch's batched products.

usage: scan-torch.py CLASS T H K V THREADS REPEAT

The chunk form of the literature (Yang et al. 2024; Dao and Gu 2024), f32: all
chunks' scores at once, then one step per chunk for the state. Decays are mild
here, so that exp(G) and exp(-G) of a chunk are safe. Prints the median time of
a pass in ms as JSON.
"""
import json
import statistics
import sys
import time

import torch

CHUNK = 64


def chunks(x):
    batch, length, heads, width = x.shape
    return x.reshape(batch, length // CHUNK, CHUNK, heads, width).permute(0, 3, 1, 2, 4).contiguous()


def decayed(x, y, prefix_x, prefix_y):
    """x_i . y_j with the decay between them, for all pairs of a chunk."""
    return (x * torch.exp(prefix_x)) @ (y * torch.exp(-prefix_y)).transpose(-1, -2)


def run(q, k, v, g, a=None, b=None, beta=None, scalar=False):
    """g: log decays [B, T, H, K] or [B, T, H, 1]; a, b: a rank-1 term; beta:
    the rate of a delta rule."""
    q, k, v, g = map(chunks, (q, k, v, g))
    total = torch.cumsum(g, dim=-2)
    through, last = torch.exp(total), total[..., -1:, :]
    lower = torch.ones(CHUNK, CHUNK, device=q.device).tril()
    strict = lower.tril(-1)
    if scalar:
        gaps = torch.exp((total - total.transpose(-1, -2)).masked_fill(lower == 0, -torch.inf))
        product = lambda x, y, mask: (x @ y.transpose(-1, -2)) * gaps * mask
    else:
        product = lambda x, y, mask: decayed(x, y, total, total) * mask
    scores, to_end = product(q, k, lower), torch.exp(last - total) * k
    reads = q * through
    eye = torch.eye(CHUNK, device=q.device)
    if beta is not None:
        beta = chunks(beta)
        inverse = torch.linalg.solve_triangular(eye + beta * product(k, k, strict), eye.expand(*scores.shape), upper=False)
        values, corrections = inverse @ (beta * v), inverse @ (beta * k * through)
    if a is not None:
        a, b = chunks(a), chunks(b)
        before = total - g
        p = lambda x, y, mask: decayed(x, y, before, total) * mask
        inverse = torch.linalg.solve_triangular(eye - p(a, b, strict), eye.expand(*scores.shape), upper=False)
        a_values, a_reads = inverse @ (p(a, k, strict) @ v), inverse @ (a * torch.exp(before))
        b_scores, b_end = product(q, b, lower), torch.exp(last - total) * b
    state = torch.zeros(*q.shape[:2], q.shape[-1], v.shape[-1], dtype=q.dtype)
    outputs = []
    whole = torch.exp(last).transpose(-1, -2)
    for c in range(q.shape[2]):
        if beta is not None:
            written = values[:, :, c] - corrections[:, :, c] @ state
        else:
            written = v[:, :, c]
        out = reads[:, :, c] @ state + scores[:, :, c] @ written
        update = to_end[:, :, c].transpose(-1, -2) @ written
        if a is not None:
            w = a_values[:, :, c] + a_reads[:, :, c] @ state
            out = out + b_scores[:, :, c] @ w
            update = update + b_end[:, :, c].transpose(-1, -2) @ w
        state = whole[:, :, c] * state + update
        outputs.append(out)
    return torch.stack(outputs, 2), state


def run_complex(q, k, v, g):
    """The same with complex rows; g complex [B, T, H, K]."""
    q, k, v, g = map(chunks, (q, k, v, g))
    total = torch.cumsum(g, dim=-2)
    last = total[..., -1:, :]
    lower = torch.ones(CHUNK, CHUNK).tril()
    reads, scores = q * torch.exp(total), decayed(q, k, total, total).real * lower
    to_end, whole = torch.exp(last - total) * k, torch.exp(last).transpose(-1, -2)
    state = torch.zeros(*q.shape[:2], q.shape[-1], v.shape[-1], dtype=q.dtype)
    outputs = []
    for c in range(q.shape[2]):
        outputs.append((reads[:, :, c] @ state).real + scores[:, :, c] @ v[:, :, c])
        state = whole[:, :, c] * state + to_end[:, :, c].transpose(-1, -2) @ v[:, :, c].to(q.dtype)
    return torch.stack(outputs, 2), state


def main():
    kind = sys.argv[1]
    length, heads, keys, values, threads, repeat = map(int, sys.argv[2:8])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    wide, narrow = (1, length, heads, keys), (1, length, heads, 1)
    q, k, v = torch.randn(wide), torch.randn(wide), torch.randn(1, length, heads, values)
    k = torch.nn.functional.normalize(k, dim=-1)
    decay = torch.full(wide if "diagonal" in kind else narrow, 0.0 if kind.endswith("none") or kind == "none" or "<none>" in kind else -0.1)
    if kind == "complex":
        half = (1, length, heads, keys // 2)
        call = lambda: run_complex(torch.randn(half, dtype=torch.complex64), torch.randn(half, dtype=torch.complex64), v,
                                   torch.full(half, -0.1 + 0.3j))
    elif kind.startswith("delta"):
        call = lambda: run(q, k, v, decay, beta=torch.full(narrow, 0.5), scalar="diagonal" not in kind)
    elif kind.startswith("rank_one"):
        call = lambda: run(q, k, v, decay.expand(wide).contiguous(), a=k, b=-0.5 * k)
    else:
        call = lambda: run(q, k, v, decay, scalar="diagonal" not in kind)
    with torch.no_grad():
        call()
        times = []
        for _ in range(repeat):
            begin = time.perf_counter()
            call()
            times.append((time.perf_counter() - begin) * 1000)
    print(json.dumps({"median_ms": statistics.median(times)}))


main()
