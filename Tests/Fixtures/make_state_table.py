"""Writes PyTorch/states.tsv: what the tensors in PyTorch/ must read as, by way of NumPy alone.

Usage: make_state_table.py EXPECTED, the folder with plain-state.npz and the like. Needs NumPy.

One line for each tensor: state, name, element type, shape, SHA-256 of the little-endian row-major
bytes. The states `plain-half` and `plain-bfloat16` are `plain` rounded to nearest, ties to even.
"""
import hashlib
import os
import sys

import numpy as np

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "PyTorch", "states.tsv")


def bfloat16(a):
    bits = a.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")


def rows(state, arrays, convert=None, name=None):
    for key, a in arrays.items():
        kind = str(a.dtype)
        if convert and kind == "float32":
            a, kind = convert(a), name
        a = a.astype(a.dtype.newbyteorder("<"), order="C")
        shape = "x".join(map(str, a.shape)) or "scalar"
        yield state, key, kind, shape, hashlib.sha256(a.tobytes()).hexdigest()


def main(expected):
    lines = []
    for state in ("plain", "g2", "g4", "se"):
        with np.load(f"{expected}/{state}-state.npz") as z:
            arrays = {k: z[k] for k in z.files}
        lines += rows(state, arrays)
        if state == "plain":
            lines += rows("plain-half", arrays, lambda a: a.astype("<f2"), "float16")
            lines += rows("plain-bfloat16", arrays, bfloat16, "bfloat16")
    with open(OUT, "w") as f:
        for line in lines:
            f.write("\t".join(line) + "\n")


main(sys.argv[1])
