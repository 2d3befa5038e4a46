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


# A model of timm, what `-a` calls it, and the names of its authors and of timm.
MODELS = (
    ("repvit_m0_9", "RepViT-M0.9", "repvit", "repvit-timm", {"distillation": True}),
    ("repvit_m2_3", "RepViT-M2.3", "repvit", "repvit-timm", {"distillation": False}),
    ("mobileone_s1", "MobileOne-S1", "mobileone", "mobileone-timm", {}),
    ("mobileone_s4", "MobileOne-S4", "mobileone", "mobileone-timm", {}),
)


def check_there_and_back(checks, model, authors, own):
    """timm's names become those of the authors, and these become timm's again, which load strictly."""
    there, back = checks.output("there.pth"), checks.output("back.pth")
    checks.repconv("import", save(checks, model), "-o", there, "--names", authors)
    expect(set(load(there)).isdisjoint(model.state_dict()), "the authors' names are timm's")
    checks.repconv("import", there, "-o", back, "--names", own)
    expect_same(load(back), model.state_dict())
    model.load_state_dict(load(back), strict=True)


def check_deploy(checks, model, name, own, arguments):
    """timm's own deploy form loads the fused file strictly, and gives what the training form gave."""
    out = checks.output("deploy.pth")
    checks.repconv("fuse", save(checks, model), out, "--names", own, "-a", name, "--bn-eps", "1e-5")
    image = torch.randn(2, 3, 224, 224)
    deploy = timm.create_model(model.default_cfg["architecture"], **arguments)
    deploy = timm.utils.reparameterize_model(deploy).eval()
    deploy.load_state_dict(load(out), strict=True)
    with torch.no_grad():
        wanted, got = model(image), deploy(image)
    difference = float((wanted - got).abs().max() / wanted.abs().max())
    expect(difference < 1e-4, f"the results differ by {difference:.2g} of the largest")


def save(checks, model):
    path = checks.output("model.pth")
    torch.save(model.state_dict(), path)
    return path


def random_model(name, arguments):
    """With statistics that no BatchNorm begins with."""
    torch.manual_seed(7)
    model = timm.create_model(name, **arguments).eval()
    for module in model.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    return model


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
    for name, architecture, authors, own, arguments in MODELS:
        model = random_model(name, arguments)
        with checks.check(f"{name} takes the names of its authors and timm's again"):
            check_there_and_back(checks, model, authors, own)
        with checks.check(f"{name} loads and computes the same in timm, fused"):
            check_deploy(checks, model, architecture, own, arguments)
    checks.finish()


if __name__ == "__main__":
    main()
