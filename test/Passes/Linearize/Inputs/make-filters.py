"""Writes a safetensors file with long filters.

usage: make-filters.py FILE

`filter` and `layers.{0,2}.filter` are [3, 200]: sums of two damped waves, of a
wave and a decay, and of one decay, so that they need 4, 3 and 1 real states;
`other` is one number.
"""
import json
import math
import struct
import sys


def filters(shift):
    rows = []
    for c in range(3):
        for t in range(200):
            value = 0.5 * (0.9 - 0.01 * c) ** t
            if c < 2:
                value += (0.97 + 0.005 * c) ** t * math.cos((0.3 + c + shift) * t + 0.2)
            if c < 1:
                value += 0.95 ** t * math.cos(2.0 * t) - 0.5 * 0.9 ** t  # No decay then.
            rows.append(value + (0.7 if t == 0 else 0))
    return rows


tensors = {"filter": ([3, 200], filters(0)), "layers.0.filter": ([3, 200], filters(0.1)),
           "layers.2.filter": ([3, 200], filters(0.2)), "other": ([1], [5.0])}
header, data = {}, b""
for name, (shape, values) in tensors.items():
    begin = len(data)
    data += struct.pack(f"<{len(values)}f", *values)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
text = json.dumps(header).encode()
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
