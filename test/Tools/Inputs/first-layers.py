"""first-layers.py IN OUT COUNT: the Llama checkpoint IN with its first COUNT layers."""
import json
import pathlib
import re
import shutil
import struct
import sys

source, out, count = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
data = (source / "model.safetensors").read_bytes()
size = struct.unpack("<Q", data[:8])[0]
header, data = json.loads(data[8:8 + size]), data[8 + size:]
kept, packed = {}, b""
for name, entry in header.items():
    layer = re.match(r"model\.layers\.(\d+)\.", name)
    if name == "__metadata__" or (layer and int(layer[1]) >= count):
        continue
    begin, end = entry["data_offsets"]
    kept[name] = dict(entry, data_offsets=[len(packed), len(packed) + end - begin])
    packed += data[begin:end]
shutil.copytree(source, out)
text = json.dumps(kept).encode()
(out / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + packed)
config = json.loads((source / "config.json").read_text())
config["num_hidden_layers"] = count
(out / "config.json").write_text(json.dumps(config))
