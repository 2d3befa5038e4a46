"""Writes a state dict as `gen_wts.py` of tensorrtx does, and what is in it.

    python3 make_wts.py     needs numpy; written with 2.4.6

`state.wts`; `state.npz`: the same tensors with their types and shapes; `state.tsv`: for each the name, element type,
shape and bytes that can be read back.
"""
import os
import struct

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(1)
state = {
    "stage0.rbr_reparam.weight": random.normal(size=(4, 3, 3, 3)).astype("f4"),
    "stage0.rbr_reparam.bias": np.array([0.0, -0.0, np.inf, np.nan], "f4"),
    "double": np.array([1 / 3, 1e-40, 1e-60, 16777217.0, 3.4028235e38]),
    "half": np.array([1 / 3, 6e-8, 65504], "f2"),
    "num_batches_tracked": np.array(16777219),
    "large": np.array([2**63 - 1, -2**63, 9007199791611905]),
    "unsigned": np.array([2**64 - 1], "u8"),
    "small": np.array([-128, 127], "i1"),
    "mask": np.array([True, False]),
    "empty": np.zeros((0, 3), "f4"),
    "clé": np.ones(1, "f4"),
}

with open(os.path.join(here, "state.wts"), "w") as f:
    f.write("{}\n".format(len(state.keys())))
    for k, v in state.items():
        vr = v.reshape(-1)
        f.write("{} {} ".format(k, len(vr)))
        for vv in vr:
            f.write(" ")
            f.write(struct.pack(">f", float(vv)).hex())
        f.write("\n")

np.savez(os.path.join(here, "state.npz"), **state)
with open(os.path.join(here, "state.tsv"), "w") as table:
    for k, v in state.items():
        raw = b"".join(struct.pack("<f", float(vv)) for vv in v.reshape(-1))
        print(k, "float32", v.size, raw.hex(), sep="\t", file=table)
