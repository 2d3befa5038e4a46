"""Shared by the scripts beside: seeded weights, writing a case, checking it.

A case is a folder: the checkpoint files, fused.npz (the project's own fusion
run in float64), io.npz (one input batch and the train form's outputs in
float64, eval mode), case.json (what is what).
"""
import argparse
import contextlib
import io
import json
import os
import sys

import h5py
import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)


def arguments(*extra):
    p = argparse.ArgumentParser()
    p.add_argument("--source", required=True, help="folder with the project's own code")
    p.add_argument("--commit", required=True, help="the commit of that code")
    p.add_argument("--out", required=True, help="folder that gets <family>/<case>/")
    p.add_argument("--seed", type=int, default=11)
    p.add_argument("--set", choices=("public", "holdout"), default="public")
    for e in extra:
        p.add_argument(e, default=None)
    a = p.parse_args()
    sys.path.insert(0, a.source)
    return a


@contextlib.contextmanager
def quiet():
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def float64():
    """Fusion code makes helper tensors of the default type (1/9, eye, ones)."""
    old = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(old)


def randomize(model, seed, special=None, gain=1.6, shift=0.25):
    """Weights like those of a trained net: no zeros, no ones, sane BN, outputs that depend on the input."""
    g = torch.Generator().manual_seed(seed)

    def uniform(t, a, b):
        t.data.copy_(torch.rand(t.shape, generator=g, dtype=torch.float64) * (b - a) + a)

    def normal(t, s):
        t.data.copy_(torch.randn(t.shape, generator=g, dtype=torch.float64) * s)

    done = set()
    count = 0
    for name, m in model.named_modules():
        if "running_var" in m._buffers and m.running_var is not None:
            count += 1
            uniform(m.running_var, 0.5, 2)
            normal(m.running_mean, 0.3)
            if m.weight is not None:
                uniform(m.weight, 0.5, 1.5)
                normal(m.bias, 0.3)
                m.bias.data += shift
                done.update((id(m.weight), id(m.bias)))
            if m.num_batches_tracked is not None:
                m.num_batches_tracked.fill_(1000 + count)
        elif isinstance(m, (nn.LayerNorm, nn.GroupNorm)) and m.weight is not None:
            uniform(m.weight, 0.5, 1.5)
            normal(m.bias, 0.3)
            done.update((id(m.weight), id(m.bias)))
    for name, p in model.named_parameters():
        if id(p) in done or (special and special(name, p, uniform, normal)):
            continue
        if p.ndim >= 2 and p.numel() > p.shape[0]:
            normal(p, gain * (p.numel() / p.shape[0]) ** -0.5)
        elif p.ndim >= 2:
            normal(p, 0.6)
        else:
            normal(p, 0.2)
    return g


def flat_hdf5(tensors, path, deps=None):
    """One dataset per tensor, no groups, no attributes."""
    with h5py.File(path, "w") as f:
        for k, v in tensors.items():
            f.create_dataset(str(k).replace("/", "+"), data=v.detach().cpu().numpy() if torch.is_tensor(v) else v)
        if deps is not None:
            f.create_dataset("deps", data=deps)


def outputs_of(y):
    if torch.is_tensor(y):
        return [y]
    if isinstance(y, dict):
        return [t for k in sorted(y) for t in outputs_of(y[k])]
    if isinstance(y, (list, tuple)):
        return [t for e in y for t in outputs_of(e)]
    return []


def pretty(info):
    lines = []
    for k, v in info.items():
        if k == "fused":
            v = "{\n  " + ",\n  ".join("%s: %s" % (json.dumps(n), json.dumps(e)) for n, e in v.items()) + "}"
        else:
            v = json.dumps(v)
        lines.append(" %s: %s" % (json.dumps(k), v))
    return "{\n" + ",\n".join(lines) + "\n}\n"


class Case:
    def __init__(self, args, family, name, project, **facts):
        self.dir = os.path.join(args.out, family, name)
        os.makedirs(self.dir, exist_ok=True)
        for old in os.listdir(self.dir):
            os.remove(os.path.join(self.dir, old))
        self.info = {"family": family, "case": name, "project": project, "commit": args.commit,
                     "set": args.set, "seed": args.seed, "epsilon": 1e-5, "files": {}}
        self.info.update(facts)

    def path(self, name, **facts):
        self.info["files"][name] = facts
        return os.path.join(self.dir, name)

    def save_torch(self, obj, name, **facts):
        torch.save(obj, self.path(name, **facts))

    def finish(self, model, fuse, inputs, train_state=None, run=None, deploy_state=None, groups=None,
               run_deploy=None, tolerance=1e-10):
        """model: the train form in float32. fuse(model in float64) -> the deploy model (None: in place).

        groups(deploy key, train key) -> True where that train tensor goes into that deploy tensor.
        """
        with quiet(), torch.no_grad(), float64():
            train = {k: v.clone() for k, v in (train_state or model.state_dict()).items()}
            model = model.double().eval()
            x = [i.double() if i.is_floating_point() else i for i in inputs]
            call = run or (lambda m, *i: m(*i))
            before = [t.clone() for t in outputs_of(call(model, *x))]
            other = outputs_of(call(model, *[-i if i.is_floating_point() else i for i in x]))
            alive = max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(before, other))
            fused = fuse(model)
            fused = model if fused is None else fused
            if hasattr(fused, "eval"):
                fused.eval()
            after = outputs_of((run_deploy or call)(fused, *x))
            state = deploy_state(fused) if deploy_state else fused.state_dict()
            deploy = {k: v.detach().clone() for k, v in state.items()}
        assert before and len(before) == len(after), (len(before), len(after))
        assert all(torch.isfinite(t).all() for t in before)
        scale = max(float(t.abs().max()) for t in before)
        worst = max(float((a - b).abs().max()) for a, b in zip(before, after))
        passing, made, counters, out = [], {}, [], {}
        for k, v in deploy.items():
            if k.endswith("num_batches_tracked"):
                counters.append(k)
            elif k in train and train[k].shape == v.shape and torch.equal(train[k].double(), v.double()):
                passing.append(k)
                out[k] = train[k].numpy()
            else:
                assert v.dtype in (torch.float64, torch.int64), (k, v.dtype)
                out[k] = v.numpy()
                made[k] = []
        left = [k for k in train if k not in passing and not k.endswith("num_batches_tracked")]
        for k in made:
            if groups:
                made[k] = [t for t in train if groups(k, t) and not t.endswith("num_batches_tracked")]
            if not made[k]:
                block = k.rsplit(".", 2)[0] + "." if k.count(".") > 1 else ""
                made[k] = [t for t in left if t.startswith(block)]
        used = {t for ts in made.values() for t in ts}
        np.savez(os.path.join(self.dir, "fused.npz"), **out)
        np.savez(os.path.join(self.dir, "io.npz"),
                 **{"input%d" % n: i.numpy() for n, i in enumerate(x)},
                 **{"output%d" % n: o.numpy() for n, o in enumerate(before)})
        self.info.update(
            fused=made, pass_through=passing,
            dropped=[k for k in left if k not in used], counters_kept=counters,
            train_keys=len(train), deploy_keys=len(deploy),
            float64_check={"largest_output": scale, "largest_difference": worst})
        with open(os.path.join(self.dir, "case.json"), "w") as f:
            f.write(pretty(self.info))
        size = sum(os.path.getsize(os.path.join(self.dir, n)) for n in os.listdir(self.dir))
        good = worst <= tolerance * max(1, scale)
        print("%-40s %7.1f KB  keys %4d -> %4d, made %3d, dropped %d  largest %.3g  difference %.2g  alive %.2g %s" % (
            self.info["family"] + "/" + self.info["case"], size / 1024, len(train), len(deploy), len(made),
            len(self.info["dropped"]), scale, worst, alive, "ok" if good and alive > 1e-3 else "DIFFERS" if alive > 1e-3 else "DEAD"))
        return good
