"""Checkpoints of other families than RepVGG, written by their projects' own code, are fused to what that code fuses them
to, and compute what it computes.

The answers are those of the projects (Tests/Fixtures/Families): `fused.npz` in float64, `io.npz` what the network in
evaluation makes of one batch. PyTorch loads the files and runs the graphs; no code of a project is needed.

usage: check_families.py REPCONV
"""
import json
import os

import numpy as np
import torch

from interop import FIXTURES, Checks, expect, load_npz
from rvd_network import read, run

FAMILIES = (
    "mobileone", "dbb", "acnet", "replknet", "repghost", "repvit", "fastvit", "mobileclip",
    "yolov6", "yolov7", "yolov9", "yolov10", "ultralytics", "rt-detr", "d-fine", "qarepvgg", "repoptimizers",
    "super-gradients", "unireplknet", "repmlpnet", "resrep", "orepa", "span", "ecbsr",
)
# What a case needs beside its file: which of several state dicts the answers are of, and what no tensor shows.
OPTIONS = {
    "fastvit/apple-training-ema": ["--key", "state_dict"], "super-gradients/repvgg-training-ema": ["--key", "net"],
    "span/x2-tiny": ["--key", "params_ema"], "repmlpnet/wide-map-k3": ["--map-ratio", "2:3"],
    "ecbsr/x2-tiny": ["--identity", "yes"],
}
# Where a project has two deploy forms, the names that ask for the one of the answers.
NAMES = {"replknet/31-tiny-deep-bn": "replknet-deep-bn"}
# Of the largest value: both forms in float32 differ by some 1e-6 of it.
TOLERANCE = 1e-4


def cases():
    """Folder, name and checkpoint of every case, in order."""
    for family in FAMILIES:
        root = os.path.join(FIXTURES, "Families", family)
        for case in sorted(os.listdir(root)):
            folder = os.path.join(root, case)
            # What there is no right answer to.
            if not os.path.exists(os.path.join(folder, "fused.npz")):
                continue
            with open(os.path.join(folder, "case.json")) as file:
                for name, about in sorted(json.load(file)["files"].items()):
                    if "no model" not in about.get("note", ""):
                        yield folder, f"{family}/{case}/{name}", os.path.join(folder, name)


def case_of(path):
    """`fastvit/apple-training-ema`"""
    return "/".join(os.path.dirname(path).split(os.sep)[-2:])


def options(path):
    return OPTIONS.get(case_of(path), [])


def inspect(checks, path):
    return json.loads(checks.repconv("inspect", "--json", path, *options(path)))


def check_tensors(checks, folder, path):
    """PyTorch loads the deploy file, which has the names and the nearest float32 of every value of the project's own."""
    # The answers are under the names of today; `dbb-hdf5` is what older files of the project have.
    names = NAMES.get(case_of(path)) or inspect(checks, path)["dialect"].removesuffix("-hdf5")
    out = checks.output("deploy.pth")
    checks.repconv("fuse", path, out, "--names", names, *options(path))
    got = torch.load(out, weights_only=True)
    exact = load_npz(os.path.join(folder, "fused.npz"))
    with open(os.path.join(folder, "case.json")) as file:
        case = json.load(file)
    # What the project's own fusion leaves in its deploy files, and no longer uses.
    for name in case.get("unused_in_deploy", []):
        del exact[name]
    passed = set(case.get("pass_through", []))
    counters = [name for name in got if name.endswith("num_batches_tracked")]
    expect(set(got) - set(counters) == set(exact), f"names differ: {sorted(set(got) ^ set(exact))[:4]}")
    for name, wanted in exact.items():
        if wanted.dtype.kind in "iu":
            expect(np.array_equal(got[name].numpy(), wanted), f"{name} differs")
            continue
        # What is no part of a block keeps its type, which is float16 in most files of detectors.
        kept = name in passed and got[name].dtype is torch.float16
        expect(kept or got[name].dtype is torch.float32, f"{name} is {got[name].dtype}")
        expect(got[name].shape == wanted.shape, f"{name} is {tuple(got[name].shape)}, not {wanted.shape}")
        # A sum in another order may be off by a few float64 roundings before it is rounded to float32.
        allowed = np.spacing(np.abs(np.float32(wanted))).astype(np.float64) / 2 + 1e-13 * np.abs(wanted).max()
        wrong = np.abs(got[name].float().numpy() - wanted) > allowed
        expect(not wrong.any(), f"{name}: {int(wrong.sum())} of {wrong.size} values are not the nearest float32")


def check_network(checks, folder, path):
    """The graph of the `.rvd` file, run in PyTorch, gives what the trained network gave."""
    out = checks.output("deploy.rvd")
    checks.repconv("fuse", path, out, *options(path))
    manifest, tensors = read(out)
    expect("graph" in manifest, "it has no graph")
    answers = load_npz(os.path.join(folder, "io.npz"))
    got, wanted = run(manifest, tensors, answers["input0"]), answers["output0"]
    expect(got.shape == wanted.shape, f"the result is {got.shape}, not {wanted.shape}")
    difference = np.abs(got - wanted).max() / np.abs(wanted).max()
    expect(difference < TOLERANCE, f"the results differ by {difference:.2g} of the largest")


def main():
    checks = Checks()
    print(f"PyTorch {torch.__version__}")
    for folder, name, path in cases():
        with checks.check(f"{name} fuses to what its project fuses it to"):
            check_tensors(checks, folder, path)
        if os.path.exists(os.path.join(folder, "io.npz")):
            with checks.check(f"{name} fuses to a graph that computes what its project computes"):
                check_network(checks, folder, path)
    checks.finish()


if __name__ == "__main__":
    main()
