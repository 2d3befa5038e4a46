"""The `.rvd` files that repconv writes, read by examples/python/rvd.py: their tensors are exact, and their graph, run in
PyTorch node by node, computes what the trained network computed.

usage: check_rvd.py REPCONV
"""
import numpy as np
import torch

from interop import FIXTURES, ROOT, Checks, expect, expect_logits, expect_rounded, fixtures, load_npz
from rvd_network import read, run


def check_tensors(checks, fixture):
    _, tensors = read(checks.fused(fixture, ".rvd"))
    expect_rounded(tensors, fixture.fused())


def check_graph(checks, fixture):
    manifest, tensors = read(checks.fused(fixture, ".rvd"))
    images, logits = fixture.images_and_logits()
    expect_logits(run(manifest, tensors, images), logits)


def check_vector(name):
    """What the formulas of the format give is what PyTorch's functions of these names give."""
    manifest, tensors = read(f"{ROOT}/formats/vectors/valid/{name}.rvd")
    answers = load_npz(f"{FIXTURES}/Expected/operations.npz")
    got = run(manifest, tensors, answers[f"{name}.0"], torch.float64)
    wanted = answers[f"{name}.{len(manifest['graph'])}"]
    expect(got.shape == wanted.shape, f"the result is {got.shape}, not {wanted.shape}")
    difference = np.abs(got - wanted).max() / np.abs(wanted).max()
    expect(difference < 1e-12, f"the results differ by {difference:.2g} of the largest")


def check_same_bytes(checks, fixture):
    def content():
        with open(checks.fused(fixture, ".rvd"), "rb") as file:
            return file.read()
    expect(content() == content(), "two runs wrote different bytes")


def main():
    checks = Checks()
    digests = {}
    for name in ("chain", "squeeze-excitation", "residual", "operations"):
        with checks.check(f"the graph of {name}.rvd gives in PyTorch what the formulas say"):
            check_vector(name)
    for fixture in fixtures("PyTorch", "MegEngine"):
        with checks.check(f"{fixture.name} fuses to the exact tensors"):
            check_tensors(checks, fixture)
        with checks.check(f"{fixture.name} fuses to the same bytes again"):
            check_same_bytes(checks, fixture)
        if fixture.exact:
            with checks.check(f"{fixture.name} fuses to a graph that computes the logits"):
                check_graph(checks, fixture)
            with checks.check(f"{fixture.name} has the content digest of every file of its model"):
                manifest, _ = read(checks.fused(fixture, ".rvd"))
                digest = manifest["content"]["sha256"]
                expect(digests.setdefault(fixture.model, digest) == digest, "it has another one")
    checks.finish()


if __name__ == "__main__":
    main()
