"""Copies checkpoint `whole` to `target` with zeros in all slices of its tensors that `narrow` lacks."""

import json
import os
import shutil
import struct
import sys

whole, narrow, target = sys.argv[1:]


def read(path):
    data = bytearray(open(os.path.join(path, "model.safetensors"), "rb").read())
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return data, start, header


shutil.copytree(whole, target, copy_function=shutil.copyfile)
data, start, header = read(whole)
less, first, names = read(narrow)
assert header.keys() == names.keys()
found = 0
for name, tensor in header.items():
    shape, kept = tensor["shape"], names[name]["shape"]
    if shape == kept:
        continue
    found += 1
    (along,) = [d for d in range(len(shape)) if shape[d] != kept[d]]
    outer = 1
    for extent in shape[:along]:
        outer *= extent
    begin, end = (start + offset for offset in tensor["data_offsets"])
    size = (end - begin) // (outer * shape[along])
    own = first + names[name]["data_offsets"][0]

    def slice_of(values, base, extent, i):
        return b"".join(values[base + (o * extent + i) * size : base + (o * extent + i + 1) * size] for o in range(outer))

    at = 0
    for i in range(shape[along]):
        if at < kept[along] and slice_of(data, begin, shape[along], i) == slice_of(less, own, kept[along], at):
            at += 1
            continue
        for o in range(outer):
            place = begin + (o * shape[along] + i) * size
            data[place : place + size] = bytes(size)
    assert at == kept[along], name
assert found
open(os.path.join(target, "model.safetensors"), "wb").write(data)
