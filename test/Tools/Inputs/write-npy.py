"""Writes FILE, an array of DTYPE and SHAPE: write-npy.py FILE DTYPE SHAPE
[VALUE...]. The last value given, or 0, fills up."""

import ast
import math
import struct
import sys

path, dtype, shape, *values = sys.argv[1:]
code = {"<f4": "f", "<f8": "d", "<i4": "i", "<i8": "q"}[dtype]
number = float if code in "fd" else int
count = math.prod(ast.literal_eval(shape))
filled = [number(value) for value in values]
filled += [filled[-1] if filled else number(0)] * (count - len(filled))
header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
header += " " * (-(len(header) + 11) % 64) + "\n"
with open(path, "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    file.write(struct.pack(f"<{count}{code}", *filled))
