"""Compiles and runs every model of the oracle and compares its outputs.

    compiled.py BIN ORACLE SCRATCH

prints one line per case; exit status 1 if one failed.
"""

import pathlib
import subprocess
import sys

binaries, oracle, scratch = map(pathlib.Path, sys.argv[1:])
scratch.mkdir(parents=True, exist_ok=True)
failed = 0
# What the names begin with says what has kernels.
for folder in sorted(path for path in oracle.iterdir() if path.is_dir() and not path.name.startswith("reference-")):
    module = scratch / f"{folder.name}.mlir"
    tensors = lambda kind: [folder / f"{kind}_{i}.npy" for i in range(len(list(folder.glob(f"{kind}_*.npy"))))]
    run = [binaries / "linnet-run", "run", module, "--function=main", "--threads=2",
           # Halves have eleven bits.
           "--tolerance=" + ("1e-3" if "half" in folder.name else "5e-6")]
    run += [f"--input=@{path}" for path in tensors("input")] + [f"--expected=@{path}" for path in tensors("output")]
    for command in ([binaries / "linnet-import", folder / "model.onnx", "-o", module], run):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode:
            break
    print(f"{folder.name}: {'passed' if done.returncode == 0 else 'FAILED ' + done.stderr + done.stdout}")
    failed += done.returncode != 0
print(f"{failed} failed")
sys.exit(failed != 0)
