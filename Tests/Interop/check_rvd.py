"""The `.rvd` files that repconv writes, read by examples/read_rvd.py: their tensors are exact, and their graph, run in
PyTorch operation by operation, computes what the trained network computed.

usage: check_rvd.py REPCONV
"""
import numpy as np
import torch
import torch.nn.functional as F

from interop import Checks, expect, expect_logits, expect_rounded, fixtures
from read_rvd import read_rvd


def run_graph(graph, tensors, x):
    """The operations of formats/rvd.md, each on the result of the one before."""
    for operation in graph:
        kind = operation["op"]
        t = {k: tensors[v] for k, v in operation.items() if isinstance(v, str) and k != "op"}
        if kind == "convolution":
            x = F.conv2d(x, t["weight"], t["bias"], operation["stride"], operation["padding"], operation["dilation"],
                         operation["groups"])
        elif kind == "squeeze-excitation":
            s = torch.relu(F.conv2d(x.mean((2, 3), keepdim=True), t["squeezeWeight"], t["squeezeBias"]))
            x = x * torch.sigmoid(F.conv2d(s, t["exciteWeight"], t["exciteBias"]))
        elif kind == "relu":
            x = torch.relu(x)
        elif kind == "global-average-pool":
            x = x.mean((2, 3))
        elif kind == "linear":
            x = F.linear(x, t["weight"], t["bias"])
        else:
            raise ValueError(f"unknown operation {kind}")
    return x


def read(path):
    manifest, tensors = read_rvd(path)
    for entry in manifest["tensors"]:
        if entry["type"] == "bfloat16":  # NumPy has none, and gets its bits
            tensors[entry["name"]] = (tensors[entry["name"]].astype(np.uint32) << 16).view(np.float32)
    return manifest, tensors


def check_tensors(checks, fixture):
    _, tensors = read(checks.fused(fixture, ".rvd"))
    expect_rounded(tensors, fixture.fused())


def check_graph(checks, fixture):
    manifest, tensors = read(checks.fused(fixture, ".rvd"))
    images, logits = fixture.images_and_logits()
    with torch.no_grad():
        weights = {k: torch.tensor(v).float() for k, v in tensors.items()}
        got = run_graph(manifest["graph"], weights, torch.from_numpy(images))
    expect_logits(got.numpy(), logits)


def check_same_bytes(checks, fixture):
    def content():
        with open(checks.fused(fixture, ".rvd"), "rb") as file:
            return file.read()
    expect(content() == content(), "two runs wrote different bytes")


def main():
    checks = Checks()
    digests = {}
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
