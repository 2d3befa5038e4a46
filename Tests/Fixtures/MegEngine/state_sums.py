"""Writes what the MegEngine pickles must hold: for each tensor of a model its official name, its shape in
PyTorch, and the SHA-256 of its float32 values in row-major order.

    python3 state_sums.py plain-state.npz > plain-state.tsv

The `-state.npz` files hold the weights as PyTorch trained them; the pickles were written from the same
weights by MegEngine 1.13, which has no counter of batches and other names for the head.
"""
import hashlib
import sys

import numpy

with numpy.load(sys.argv[1]) as state:
    for name in state.files:
        if not name.endswith("num_batches_tracked"):
            values = numpy.ascontiguousarray(state[name], dtype="<f4")
            shape = "x".join(map(str, state[name].shape))
            print(name, shape, hashlib.sha256(values.tobytes()).hexdigest(), sep="\t")
