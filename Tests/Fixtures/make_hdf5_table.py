"""Writes HDF5/states.tsv: what the tensors in HDF5/ must read as, by way of NumPy alone.

Usage: make_hdf5_table.py EXPECTED, the folder with plain-state.npz and g2-state.npz. Needs NumPy.

One line for each tensor: file, name, element type, shape, SHA-256 of the little-endian row-major
bytes, in the order in which the reader lists them where the file defines one.
"""
import hashlib
import os
import sys

import numpy as np

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "HDF5", "states.tsv")


def rows(file, arrays):
    for name, a in arrays.items():
        kind = str(a.dtype)
        a = a.astype(a.dtype.newbyteorder("<"), order="C")
        shape = "x".join(map(str, a.shape)) or "scalar"
        yield file, name, kind, shape, hashlib.sha256(a.tobytes()).hexdigest()


def converted(state, convert):
    return {k: convert(a) if a.dtype == np.float32 else a for k, a in state.items()}


def keras(state):
    """HWIO kernels, transposed classifier; a layer for each module, with _ for . in its name."""
    leaves = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    result = {}
    for key, a in state.items():
        module, leaf = key.rsplit(".", 1)
        if leaf == "num_batches_tracked":
            continue
        if module == "linear":
            leaf, a = {"weight": ("kernel", a.T), "bias": ("bias", a)}[leaf]
        elif a.ndim == 4:
            leaf, a = "kernel", a.transpose(2, 3, 1, 0)
        else:
            leaf = leaves[leaf]
        result[f"{module.replace('.', '_')}.{leaf}"] = a
    return result


def main(expected):
    states = {}
    for name in ("plain", "g2"):
        with np.load(f"{expected}/{name}-state.npz") as z:
            states[name] = {k: z[k] for k in z.files}
    plain = states["plain"]
    lines = []
    lines += rows("plain-flat.hdf5", plain)
    lines += rows("plain-nested-gzip.h5", plain)
    lines += rows("plain-float16.h5", converted(plain, lambda a: a.astype(np.float16)))
    lines += rows("plain-bigendian-f64.h5", converted(plain, lambda a: a.astype(np.float64)))
    for name, state in states.items():
        for suffix in ("keras-legacy.h5", "keras3.weights.h5", "keras3.keras"):
            lines += rows(f"{name}-{suffix}", keras(state))
    with open(OUT, "w") as f:
        for line in lines:
            f.write("\t".join(line) + "\n")


main(sys.argv[1])
