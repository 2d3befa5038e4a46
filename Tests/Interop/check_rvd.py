"""The `.rvd` files that repconv writes, read by examples/read_rvd.py: their tensors are exact, and their graph, run in
PyTorch node by node, computes what the trained network computed.

usage: check_rvd.py REPCONV
"""
import numpy as np
import torch
import torch.nn.functional as F

from interop import FIXTURES, ROOT, Checks, expect, expect_logits, expect_rounded, fixtures, load_npz
from read_rvd import read_rvd


# Each takes the values that the node takes, and the node's operands and attributes by name.
OPERATIONS = {
    "convolution": lambda x, weight, stride, padding, dilation, groups, bias=None: F.conv2d(
        x, weight, bias, stride, padding, dilation, groups),
    "linear": lambda x, weight, bias=None: F.linear(x, weight, bias),
    "scale": lambda x, factor, shift=torch.zeros(1): x * along(factor, x) + along(shift, x),
    "prelu": lambda x, slope: F.prelu(x, slope),
    "add": torch.add,
    "multiply": torch.mul,
    "concatenate": lambda *values: torch.cat(values, 1),
    "flatten": lambda x: x.flatten(1),
    "upsample-nearest": lambda x, factor: F.interpolate(x, scale_factor=tuple(map(float, factor)), mode="nearest"),
    "pixel-shuffle": lambda x, factor: F.pixel_shuffle(x, factor),
    "global-average-pool": lambda x: x.mean((2, 3), keepdim=True),
    "average-pool": lambda x, kernel, stride, padding: F.avg_pool2d(x, kernel, stride, padding),
    "max-pool": lambda x, kernel, stride, padding: F.max_pool2d(x, kernel, stride, padding),
    "relu": torch.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "hard-sigmoid": F.hardsigmoid,
    "hard-swish": F.hardswish,
    "softmax": lambda x: F.softmax(x, 1),
}
OPERANDS = {"convolution": ("weight", "bias"), "linear": ("weight", "bias"), "scale": ("factor", "shift"),
            "prelu": ("slope",)}


def along(vector, x):
    """One number for each channel, or one for all, beside x."""
    return vector.reshape((1, -1) + (1,) * (x.dim() - 2))


def run_graph(graph, tensors, x):
    """What the nodes of formats/rvd.md compute, in PyTorch."""
    values = [x]
    for node in graph:
        members = {key: value for key, value in node.items() if key not in ("op", "inputs", "block")}
        for key in OPERANDS.get(node["op"], ()):
            if key in members:
                members[key] = tensors[members[key]]
        values.append(OPERATIONS[node["op"]](*[values[v] for v in node["inputs"]], **members))
    return values[-1]


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
        weights = [torch.tensor(tensors[entry["name"]]).float() for entry in manifest["tensors"]]
        got = run_graph(manifest["graph"], weights, torch.from_numpy(images))
    expect_logits(got.numpy(), logits)


def check_vector(name):
    """What the formulas of the format give is what PyTorch's functions of these names give."""
    manifest, tensors = read(f"{ROOT}/formats/vectors/valid/{name}.rvd")
    answers = load_npz(f"{FIXTURES}/Expected/operations.npz")
    with torch.no_grad():
        weights = [torch.tensor(tensors[entry["name"]]).double() for entry in manifest["tensors"]]
        got = run_graph(manifest["graph"], weights, torch.from_numpy(answers[f"{name}.0"])).numpy()
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
