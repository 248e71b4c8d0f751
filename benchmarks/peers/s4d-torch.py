#!/usr/bin/env python3
"""An S4D layer's kernel and convolution by PyTorch's FFT.

usage: s4d-torch.py H N L THREADS REPEAT

As its authors publish it (Gu et al. 2022, "On the parameterization and
initialization of diagonal state space models"): the Vandermonde product over
N / 2 complex poles, then a product of real transforms of twice the length.
Prints the median time of both together and of the convolution alone as JSON.
"""
import json
import statistics
import sys
import time

import torch


def kernel(log_dt, log_a_real, a_imag, c, length):
    dt = torch.exp(log_dt)
    a = -torch.exp(log_a_real) + 1j * a_imag
    dt_a = a * dt.unsqueeze(-1)
    powers = torch.exp(dt_a.unsqueeze(-1) * torch.arange(length))
    c = c * (torch.exp(dt_a) - 1.0) / a
    return 2 * torch.einsum("hn,hnl->hl", c, powers).real


def convolve(u, k, d):
    length = u.shape[-1]
    k_f = torch.fft.rfft(k, n=2 * length)
    u_f = torch.fft.rfft(u, n=2 * length)
    return torch.fft.irfft(u_f * k_f, n=2 * length)[..., :length] + u * d.unsqueeze(-1)


def median_ms(call, repeat):
    call()
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def main():
    features, states, length, threads, repeat = map(int, sys.argv[1:6])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    log_dt = torch.rand(features) * 4.6 - 6.9
    log_a_real = torch.log(0.5 * torch.ones(features, states // 2))
    a_imag = torch.pi * torch.arange(states // 2).expand(features, -1)
    c = torch.randn(features, states // 2, dtype=torch.cfloat)
    u, d = torch.randn(1, features, length), torch.randn(features)
    with torch.no_grad():
        k = kernel(log_dt, log_a_real, a_imag, c, length)
        both = median_ms(lambda: convolve(u, kernel(log_dt, log_a_real, a_imag, c, length), d), repeat)
        alone = median_ms(lambda: convolve(u, k, d), repeat)
    print(json.dumps({"median_ms": both, "convolution_ms": alone}))


main()
