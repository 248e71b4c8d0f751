"""Copies a checkpoint, with norms whose eps is next to nothing."""

import json
import os
import shutil
import sys

source, target = sys.argv[1:]
shutil.copytree(source, target, copy_function=shutil.copyfile)
path = os.path.join(target, "config.json")
config = json.load(open(path))
for key in ("layer_norm_epsilon", "rms_norm_eps", "norm_eps", "layer_norm_eps"):
    if key in config:
        config[key] = 1e-12
json.dump(config, open(path, "w"))
