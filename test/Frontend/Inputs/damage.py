"""Writes damaged copies of a checkpoint directory: damage.py SOURCE TARGET."""

import json
import os
import struct
import sys

source, target = sys.argv[1:]
with open(os.path.join(source, "config.json")) as file:
    CONFIG = json.load(file)
with open(os.path.join(source, "model.safetensors"), "rb") as file:
    WEIGHTS = file.read()
LENGTH = struct.unpack("<Q", WEIGHTS[:8])[0]
HEADER = json.loads(WEIGHTS[8:8 + LENGTH])
DATA = WEIGHTS[8 + LENGTH:]


def write(name, config=None, weights=None, remove=None, **files):
    directory = os.path.join(target, name)
    os.makedirs(directory)
    with open(os.path.join(directory, "config.json"), "w") as file:
        file.write(json.dumps(CONFIG) if config is None else config)
    with open(os.path.join(directory, "model.safetensors"), "wb") as file:
        file.write(WEIGHTS if weights is None else weights)
    for path, content in files.items():
        with open(os.path.join(directory, path + ".json"), "w") as file:
            file.write(content)
    if remove:
        os.remove(os.path.join(directory, remove))


def packed(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def edited(edit, data=DATA):
    header = json.loads(json.dumps(HEADER))
    edit(header)
    return packed(header, data)


def extra(name):
    """One f32 more, called `name`."""
    def edit(header):
        header[name] = {"dtype": "F32", "shape": [1], "data_offsets": [len(DATA), len(DATA) + 4]}
    return edited(edit, DATA + b"\0" * 4)


def renamed(header):
    header["model.layers.7.x"] = header.pop("model.layers.1.mlp.up_proj.weight")


def overlapping(header):
    header["model.norm.weight"]["data_offsets"] = [0, 128]


def reshaped(header):
    header["model.layers.1.input_layernorm.weight"]["shape"] = [4, 8]


write("truncated", weights=WEIGHTS[:-1])
write("empty", weights=b"")
write("header-too-long", weights=struct.pack("<Q", len(WEIGHTS)) + WEIGHTS[8:])
write("header-length-2-63", weights=struct.pack("<Q", 1 << 63) + WEIGHTS[8:])
write("overlap", weights=edited(overlapping))
write("no-weights", remove="model.safetensors")
write("no-config", remove="config.json")
write("config-not-json", config="model_type: llama\n")
write("config-nested", config='{"a":' * 100000 + "1" + "}" * 100000)
write("config-list", config="[1]")
write("generation-not-json", generation_config="x")
write("unknown-type", config=json.dumps({**CONFIG, "model_type": "wavenet"}))
write("control-characters", weights=extra("a\nb\x1b[2J"))
write("missing-tensor", weights=edited(renamed))
write("extra-tensor", weights=extra("model.layers.0.self_attn.sinks"))
write("wrong-shape", weights=edited(reshaped))
write("many-layers", config=json.dumps({**CONFIG, "num_hidden_layers": 100000}))
