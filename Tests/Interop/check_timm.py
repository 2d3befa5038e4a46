"""Names that repconv writes for timm load in timm with strict=True, and compute there what they did; and they are those
that timm itself gives the tensors of the authors' files.

usage: check_timm.py REPCONV
"""
import json
import os
import types
from functools import partial

import numpy as np
import timm
import torch
from timm.models.fastvit import FastVit, RepConditionalPosEnc, checkpoint_filter_fn

from interop import FIXTURES, Checks, expect, load_npz

FASTVIT = os.path.join(FIXTURES, "Families", "fastvit")
# Of the largest value. The training form has the same numbers as the file; fused kernels are rounded to float32.
TOLERANCES = {"train": 1e-12, "deploy": 1e-6}


def load(path):
    file = torch.load(path, weights_only=True)
    return file.get("state_dict", file)


def fastvit(arguments, deploy):
    """timm's network for the arguments of the authors' constructor."""
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    arguments.pop("downsamples")  # all but the first, which takes none
    if not arguments.pop("use_layer_scale", True):
        arguments["layer_scale_init_value"] = None
    if "pos_embs" in arguments:
        arguments["pos_embs"] = tuple(
            p and partial(RepConditionalPosEnc, spatial_shape=tuple(p)) for p in arguments["pos_embs"])
    return FastVit(**arguments, inference_mode=deploy).double().eval()


def expect_same(got, wanted):
    expect(set(got) == set(wanted), f"names differ: {sorted(set(got) ^ set(wanted))[:4]}")
    for name, tensor in wanted.items():
        expect(torch.equal(got[name], tensor), f"{name} differs")


def check_names(checks, path):
    """The same names as timm's own conversion of the authors' files gives."""
    out = checks.output("renamed.pth")
    checks.repconv("import", path, "-o", out, "--names", "fastvit-timm")
    expect_same(load(out), checkpoint_filter_fn(load(path), types.SimpleNamespace(head=None)))
    back = checks.output("back.pth")
    checks.repconv("import", out, "-o", back, "--names", "fastvit")
    expect_same(load(back), load(path))


def check_network(checks, folder, path, form):
    """timm's network loads the file strictly and gives what the authors' network gave."""
    with open(os.path.join(folder, "case.json")) as file:
        arguments = json.load(file)["constructor"]["args"]
    out = checks.output("network.pth")
    if form == "train":
        checks.repconv("import", path, "-o", out, "--names", "fastvit-timm")
    else:
        checks.repconv("fuse", path, out, "--names", "fastvit-timm")
    network = fastvit(arguments, deploy=form == "deploy")
    network.load_state_dict(load(out), strict=True)
    answers = load_npz(os.path.join(folder, "io.npz"))
    with torch.no_grad():
        got = network(torch.from_numpy(answers["input0"])).numpy()
    difference = np.abs(got - answers["output0"]).max() / np.abs(answers["output0"]).max()
    expect(difference < TOLERANCES[form], f"the results differ by {difference:.2g} of the largest")


def main():
    checks = Checks()
    print(f"PyTorch {torch.__version__}, timm {timm.__version__}")
    for case in ("apple-t8-like", "apple-sa12-like", "apple-no-layer-scale"):
        folder = os.path.join(FASTVIT, case)
        path = os.path.join(folder, "fastvit.pth.tar")
        with checks.check(f"{case} gets the names that timm gives it, and its own again"):
            check_names(checks, path)
        for form in ("train", "deploy"):
            with checks.check(f"{case} loads and computes the same in timm, {form} form"):
                check_network(checks, folder, path, form)
    checks.finish()


if __name__ == "__main__":
    main()
