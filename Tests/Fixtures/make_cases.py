"""Writes Cases/: tiny checkpoints, each with one thing to be diagnosed. Made with PyTorch 2.15, NumPy 2.

Usage: make_cases.py FOLDER
"""
import collections
import os
import pickle
import sys

import numpy as np
import torch


def block(path, i, o, groups=1, identity=None, seed=0):
    """A RepVGG block's state dict with random statistics."""
    g = torch.Generator().manual_seed(seed)
    state = collections.OrderedDict()

    def bn(prefix, c):
        state[prefix + "weight"] = torch.rand(c, generator=g) + .5
        state[prefix + "bias"] = torch.rand(c, generator=g) - .5
        state[prefix + "running_mean"] = torch.rand(c, generator=g) - .5
        state[prefix + "running_var"] = torch.rand(c, generator=g) + .5
        state[prefix + "num_batches_tracked"] = torch.tensor(7)

    if identity if identity is not None else i == o:
        bn(path + "rbr_identity.", o)
    state[path + "rbr_dense.conv.weight"] = torch.randn(o, i // groups, 3, 3, generator=g)
    bn(path + "rbr_dense.bn.", o)
    state[path + "rbr_1x1.conv.weight"] = torch.randn(o, i // groups, 1, 1, generator=g)
    bn(path + "rbr_1x1.bn.", o)
    return state


def fused(state, path):
    """The deploy kernel and bias of a block without groups, in float64."""
    def fold(branch, kernel):
        p = path + branch
        t = state[p + "weight"].double() / (state[p + "running_var"].double() + 1e-5).sqrt()
        return kernel * t.view(-1, 1, 1, 1), state[p + "bias"].double() - state[p + "running_mean"].double() * t

    k3, b3 = fold("rbr_dense.bn.", state[path + "rbr_dense.conv.weight"].double())
    k1, b1 = fold("rbr_1x1.bn.", torch.nn.functional.pad(state[path + "rbr_1x1.conv.weight"].double(), [1] * 4))
    kernel, bias = k3 + k1, b3 + b1
    if path + "rbr_identity.weight" in state:
        o = kernel.shape[0]
        eye = torch.zeros(o, o, 3, 3, dtype=torch.float64)
        eye[range(o), range(o), 1, 1] = 1
        ki, bi = fold("rbr_identity.", eye)
        kernel, bias = kernel + ki, bias + bi
    return collections.OrderedDict([(path + "rbr_reparam.weight", kernel.float()), (path + "rbr_reparam.bias", bias.float())])


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def main(out):
    os.makedirs(out, exist_ok=True)

    def save(state, name, **options):
        torch.save(state, f"{out}/{name}", **options)

    one = block("body.0.", 2, 2)
    save(one, "one-block.pth")
    save(one, "one-block-legacy.pth", _use_new_zipfile_serialization=False)
    with open(f"{out}/one-block.pkl", "wb") as f:
        pickle.dump({k: v.numpy() for k, v in one.items() if v.ndim}, f, protocol=4)

    larger = collections.OrderedDict()
    larger["stem.weight"] = torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    larger.update(block("neck.block.", 2, 2))
    larger.update(block("neck.down.", 2, 4, seed=2))
    larger["head.bn.num_batches_tracked"] = torch.tensor(5)
    larger["head.scale"] = torch.tensor(2.5)
    larger["head.empty"] = torch.zeros(0, 3)
    larger["head.half"] = torch.tensor([1.5, -2], dtype=torch.float16)
    save(larger, "larger-network.pth")

    deploy = fused(one, "body.0.")
    save(deploy, "deploy-only.pth")
    save(collections.OrderedDict(**one, **deploy), "branches-and-equal-kernel.pth")
    wrong = collections.OrderedDict((k, v + 1) for k, v in deploy.items())
    save(collections.OrderedDict(**one, **wrong), "branches-and-other-kernel.pth")
    two = collections.OrderedDict(**one, **block("body.1.", 2, 2, seed=3))
    for k in [k for k in two if k.startswith("body.1.")]:
        del two[k]
    two.update(fused(block("body.1.", 2, 2, seed=3), "body.1."))
    save(two, "half-fused.pth")

    save({"model": one, "model_ema": block("body.0.", 2, 2, seed=4)}, "two-networks.pth")

    def without(*parts):
        return collections.OrderedDict((k, v) for k, v in one.items() if not any(p in k for p in parts))

    save(without("rbr_1x1"), "no-pointwise-branch.pth")
    save(without("rbr_dense.bn.running_var"), "no-variance.pth")
    save(without("rbr_identity.bias"), "part-of-identity.pth")
    misspelt = collections.OrderedDict((k.replace("rbr_dense.bn.running_var", "rbr_dense.bn.runing_var"), v) for k, v in one.items())
    save(misspelt, "misspelt.pth")
    qa = without("rbr_1x1", "rbr_identity")
    qa["body.0.rbr_1x1.weight"] = one["body.0.rbr_1x1.conv.weight"]
    for field in ("weight", "bias", "running_mean", "running_var"):
        qa[f"body.0.bn.{field}"] = one[f"body.0.rbr_dense.bn.{field}"]
    save(qa, "qarepvgg.pth")
    negative = collections.OrderedDict(one)
    negative["body.0.rbr_1x1.bn.running_var"] = torch.tensor([1.0, -1.0])
    save(negative, "negative-variance.pth")
    nan = collections.OrderedDict(one)
    nan["body.0.rbr_dense.conv.weight"] = one["body.0.rbr_dense.conv.weight"].clone()
    nan["body.0.rbr_dense.conv.weight"][1, 0, 2, 2] = float("nan")
    save(nan, "nan-weight.pth")
    shapes = collections.OrderedDict(one)
    shapes["body.0.rbr_1x1.conv.weight"] = torch.zeros(2, 1, 1, 1)
    save(shapes, "shapes-differ.pth")
    save({"conv1.weight": torch.zeros(2, 3, 7, 7), "fc.weight": torch.zeros(2, 2)}, "no-blocks.pth")
    save({"epoch": 3}, "no-tensors.pth")
    save({"model": one, "epoch": 3, "note": Call(os.system, "touch pwned"),
          "deep": [Call(eval, "__import__('os').system('touch pwned')")]}, "os-system.pth")
    with open(f"{out}/os-system.pkl", "wb") as f:
        pickle.dump({"state_dict": {k: v.numpy() for k, v in one.items() if v.ndim},
                     "note": Call(os.system, "touch pwned")}, f, protocol=4)
    quantised = collections.OrderedDict(one)
    quantised["body.0.rbr_dense.conv.weight"] = torch.zeros(2, 2, 3, 3, dtype=torch.int8)
    save(quantised, "int8-kernel.pth")

    # The expected deploy tensors, from PyTorch's float64 arithmetic.
    def record(name, tensors):
        np.savez(f"{out}/{name}-expected.npz", **{k: v.numpy() for k, v in tensors.items()})

    record("one-block", deploy)


if __name__ == "__main__":
    main(sys.argv[1])
