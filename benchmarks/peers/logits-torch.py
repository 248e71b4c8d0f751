#!/usr/bin/env python3
"""usage: logits-torch.py LINNET_RUN DIRECTORY...

Loads each checkpoint in transformers and in Linnet, both in f32, and prints the
relative RMS between their logits on 64 random tokens. Exits with 1 above 1e-5:
what linnet-compress makes narrower has to be the same model elsewhere.
"""
import os
import subprocess
import sys
import tempfile

import numpy
import torch
from transformers import AutoModelForCausalLM

tool, *directories = sys.argv[1:]
worst = 0
for directory in directories:
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    ids = torch.randint(0, model.config.vocab_size, (1, 64), generator=torch.Generator().manual_seed(1))
    with tempfile.TemporaryDirectory() as work:
        file = os.path.join(work, "logits.npy")
        subprocess.run([tool, "run", directory, "--tokens=" + ",".join(map(str, ids[0].tolist())), "--output=@" + file],
                       check=True)
        ours = torch.from_numpy(numpy.load(file)).double().reshape(64, -1)
    with torch.no_grad():
        theirs = model(ids).logits[0].double()
    error = float((ours - theirs).norm() / theirs.norm())
    print(f"{directory}: relative RMS {error:.2e}", flush=True)
    worst = max(worst, error if error == error else 1)
sys.exit(worst > 1e-5)
