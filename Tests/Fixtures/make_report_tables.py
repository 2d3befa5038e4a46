"""Writes Expected/report-weights.tsv and report-branches.tsv: what a report has to say of the weights of plain and g2,
by NumPy alone, from the kernels that were fused in float64 elsewhere (plain-fused64.npz) and the state dicts.

Usage: make_report_tables.py. Needs NumPy.

report-weights.tsv, a line for each kernel of the deploy form: state, name, smallest, largest, root of the mean square,
decibels in float16, in int8 with a scale for each output channel, with one for all; and the counts of 48 equal parts
from the least of all kernels of the block, fused or trained, to the greatest: of the fused kernel, and of the trained.

report-branches.tsv, a line for each branch of a block: state, block, branch, the root of the sum of squares of what it
adds to the fused kernel, and the inner product of that and the fused kernel over the square of the latter.
"""
import os

import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Expected")
EPSILON = 1e-5
PARTS = 48


def decibels(weights, rounded):
    noise = np.square(rounded - weights).sum()
    return 10 * np.log10(np.square(weights).sum() / noise) if noise else float("nan")


def steps(weights, scale):
    scale = np.float64(np.float32(scale / 127))
    return np.clip(np.rint(weights / scale), -127, 127) * scale


def branches(state, block):
    """What each branch adds to the kernel of a block."""
    def norm(prefix):
        gamma, variance = (state[f"{prefix}.{k}"].astype(np.float64) for k in ("weight", "running_var"))
        return gamma / np.sqrt(variance + EPSILON)
    dense = state[f"{block}.rbr_dense.conv.weight"].astype(np.float64)
    yield "dense", dense * norm(f"{block}.rbr_dense.bn")[:, None, None, None]
    pointwise = np.zeros_like(dense)
    pointwise[:, :, 1:2, 1:2] = state[f"{block}.rbr_1x1.conv.weight"]
    yield "pointwise", pointwise * norm(f"{block}.rbr_1x1.bn")[:, None, None, None]
    if f"{block}.rbr_identity.weight" in state:
        identity = np.zeros_like(dense)
        for channel in range(len(dense)):
            identity[channel, channel % dense.shape[1], 1, 1] = 1
        yield "identity", identity * norm(f"{block}.rbr_identity")[:, None, None, None]


def main():
    weights, shares = [], []
    for name in ("plain", "g2"):
        state, fused = (np.load(f"{FOLDER}/{name}-{kind}.npz") for kind in ("state", "fused64"))
        for key in fused.files:
            if not key.endswith("rbr_reparam.weight"):
                continue
            block, kernel = key[:-len(".rbr_reparam.weight")], fused[key]
            trained = np.concatenate(
                [state[f"{block}.{k}.conv.weight"].astype(np.float64).ravel() for k in ("rbr_dense", "rbr_1x1")])
            ends = min(kernel.min(), trained.min()), max(kernel.max(), trained.max())
            channels = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True)
            weights.append([
                name, key, kernel.min(), kernel.max(), np.sqrt(np.square(kernel).mean()),
                decibels(kernel, kernel.astype(np.float16).astype(np.float64)),
                decibels(kernel, np.concatenate([steps(k, c.item()) for k, c in zip(kernel, channels)]).reshape(kernel.shape)),
                decibels(kernel, steps(kernel, channels.max()))]
                + [" ".join(map(str, np.histogram(v, PARTS, ends)[0])) for v in (kernel, trained)])
            parts = list(branches(state, block))
            whole = sum(part for _, part in parts)
            assert np.abs(whole - kernel).max() < 1e-12
            for branch, part in parts:
                shares.append([name, block, branch, np.sqrt(np.square(part).sum()),
                               (part * whole).sum() / np.square(whole).sum()])
    for file, rows in (("weights", weights), ("branches", shares)):
        with open(f"{FOLDER}/report-{file}.tsv", "w") as out:
            for row in rows:
                out.write("\t".join(v if isinstance(v, str) else f"{v:.12g}" for v in row) + "\n")


main()
