"""Writes the files beside this script: small trained RepVGGs in the containers and names of real frameworks.

    make_fixtures.py pytorch        trains the models; PyTorch/ and the states and logits of Expected/ (PyTorch 2.15)
    make_fixtures.py pytorch-1.13   the files of an older PyTorch, from those states (PyTorch 1.13)
    make_fixtures.py megengine      MegEngine/, from those states (MegEngine 1.13)
    make_fixtures.py expected       the exact fused kernels of Expected/, from those states (NumPy)

A second argument names another folder to write to. Run `pytorch` first, the rest in any order, each in a Python that
has the framework. Training again gives other weights, so regenerate all of it together or nothing.
"""
import argparse
import collections
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
BATCH_NORM_EPSILON = 1e-5
GROUPS = {"g2": {f"stage{s}.1": 2 for s in (1, 2, 3)}, "g4": {f"stage{s}.1": 4 for s in (1, 2, 3)}}


def load_npz(path):
    with np.load(path) as z:
        return collections.OrderedDict((k, z[k]) for k in z.files)


# PyTorch


def stage_pytorch(out):
    import torch
    import repvgg_torch
    os.makedirs(f"{out}/PyTorch", exist_ok=True)
    for name, make in repvgg_torch.MODELS.items():
        m = make()
        opt, acc, (vx, vy) = repvgg_torch.fit(m, 32, 5 if name == "plain" else 2, seed=7)
        m.eval()
        with torch.no_grad():
            logits = m(vx[:16])
            logits64 = m.double()(vx[:16].double())
            m.float()
        sd = m.state_dict()
        torch.save(sd, f"{out}/PyTorch/{name}-train.pth")
        np.savez(f"{out}/Expected/{name}-state.npz", **{k: v.numpy() for k, v in sd.items()})
        np.savez(f"{out}/Expected/{name}-logits.npz", images=vx[:16].numpy(), labels=vy[:16].numpy(),
                 logits=logits.numpy(), logits64=logits64.numpy(), accuracy=np.float64(acc))
        if name == "plain":
            np.savez_compressed(f"{out}/Expected/digits-validation.npz",
                                images=vx.numpy().astype(np.float16), labels=vy.numpy())
            pytorch_variants(f"{out}/PyTorch", m, sd, opt, acc)


def pytorch_variants(p, m, sd, opt, acc):
    """The one network `plain` in the ways that people and tools save it."""
    import torch

    def prefixed(prefix):
        return collections.OrderedDict((prefix + k, v) for k, v in sd.items())

    def cast(dtype):
        return {k: (v.to(dtype) if v.is_floating_point() else v) for k, v in sd.items()}

    torch.save(sd, f"{p}/plain-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 5, "arch": "RepVGG-tiny", "state_dict": prefixed("module."), "best_acc1": torch.tensor(acc),
                "optimizer": opt.state_dict(), "args": argparse.Namespace(lr=.1, data="x", workers=4)},
               f"{p}/plain-ddp-checkpoint.pth.tar")
    torch.save({"model": sd, "model_ema": {k: v * 1 for k, v in sd.items()}, "max_accuracy": acc, "epoch": 5},
               f"{p}/plain-swin-style.pth")
    torch.save(prefixed("_orig_mod."), f"{p}/plain-compiled.pth")
    torch.save({"state_dict": dict(prefixed("model.backbone.")), "pytorch-lightning_version": "2.2.0",
                "global_step": 135, "hyper_parameters": {"lr": .1}}, f"{p}/plain-lightning.ckpt")
    torch.save(cast(torch.float16), f"{p}/plain-half.pth")
    torch.save(cast(torch.bfloat16), f"{p}/plain-bfloat16.pth")
    torch.save(cast(torch.float64), f"{p}/plain-double.pth")

    flat = torch.cat([v.reshape(-1) for v in sd.values() if v.is_floating_point()])
    views, at = collections.OrderedDict(), 0
    for k, v in sd.items():
        if v.is_floating_point():
            views[k] = flat[at:at + v.numel()].view(v.shape)
            at += v.numel()
        else:
            views[k] = v
    torch.save(views, f"{p}/plain-shared-storage.pth")
    torch.save({k: (v.to(memory_format=torch.channels_last) if v.dim() == 4 else v) for k, v in sd.items()},
               f"{p}/plain-channels-last.pth")
    torch.save(m, f"{p}/plain-whole-module.pth")
    torch.jit.script(torch.nn.Linear(2, 2)).save(f"{p}/not-a-checkpoint-torchscript.pt")


def stage_pytorch_1_13(out):
    import torch
    for name in ("plain", "g2"):
        state = load_npz(f"{out}/Expected/{name}-state.npz")
        sd = collections.OrderedDict((k, torch.from_numpy(v.copy())) for k, v in state.items())
        torch.save(sd, f"{out}/PyTorch/{name}-legacy-torch1.13.pth", _use_new_zipfile_serialization=False)
        torch.save(sd, f"{out}/PyTorch/{name}-zip-torch1.13.pth")


# MegEngine


def megengine_state(state, name, basecls=True, old_bn=False):
    """A PyTorch state as MegEngine holds it: grouped kernels in five axes, SE biases as (1,C,1,1), no batch counters.

    `basecls` gives the names of BaseCls, otherwise `dense`, `pointwise`, `identity`. `old_bn` shapes the BatchNorm
    vectors as (1,C,1,1), which MegEngine up to 1.0 did.
    """
    names = {"linear.": "head.fc.", ".se.down.": ".se.f_ex.0.", ".se.up.": ".se.f_ex.2."} if basecls else {
        "rbr_1x1": "pointwise", "rbr_dense": "dense", "rbr_identity": "identity"}
    new = collections.OrderedDict()
    for k, v in state.items():
        if k.endswith("num_batches_tracked"):
            continue
        groups = GROUPS.get(name, {}).get(k.split(".rbr_")[0], 1)
        if v.ndim == 4 and ".rbr_" in k and groups > 1:
            v = v.reshape(groups, v.shape[0] // groups, *v.shape[1:])
        if old_bn and v.ndim == 1 and (".bn." in k or ".rbr_identity." in k):
            v = v.reshape(1, -1, 1, 1)
        if ".se." in k and k.endswith("bias"):
            v = v.reshape(1, -1, 1, 1)
        for official, theirs in names.items():
            k = k.replace(official, theirs)
        new[k] = np.ascontiguousarray(v)
    return new


def megengine_module(state, name):
    """The same network as MegEngine modules, its parameters set from the PyTorch state."""
    import megengine.functional as F
    import megengine.module as M

    class Block(M.Module):
        def forward(self, x):
            y = self.rbr_dense(x) + self.rbr_1x1(x)
            if self.rbr_identity is not None:
                y = y + self.rbr_identity(x)
            return F.relu(y)

        def __init__(self, i, o, stride, groups=1):
            super().__init__()
            self.rbr_identity = M.BatchNorm2d(i) if i == o and stride == 1 else None
            self.rbr_dense = M.ConvBn2d(i, o, 3, stride, 1, groups=groups, bias=False)
            self.rbr_1x1 = M.ConvBn2d(i, o, 1, stride, 0, groups=groups, bias=False)

    class Head(M.Module):
        def forward(self, x):
            return self.fc(x.mean(axis=(2, 3)))

        def __init__(self, i, o):
            super().__init__()
            self.fc = M.Linear(i, o)

    class Net(M.Module):
        def forward(self, x):
            return self.head(self.stage4(self.stage3(self.stage2(self.stage1(self.stage0(x))))))

        def __init__(self):
            super().__init__()
            c = [state[f"stage{s}.0.rbr_dense.conv.weight"].shape[0] for s in range(1, 5)]
            p = state["stage0.rbr_dense.conv.weight"].shape[0]
            self.stage0 = Block(3, p, 2)
            for s in range(1, 5):
                blocks = []
                n = 1 + max(int(k.split(".")[1]) for k in state if k.startswith(f"stage{s}."))
                for b in range(n):
                    groups = GROUPS.get(name, {}).get(f"stage{s}.{b}", 1)
                    blocks.append(Block(p, c[s - 1], 2 if b == 0 else 1, groups))
                    p = c[s - 1]
                setattr(self, f"stage{s}", M.Sequential(*blocks))
            self.head = Head(p, state["linear.weight"].shape[0])

    # A pickled module names its classes; they live in the training script, as most people's do.
    for cls in (Block, Head, Net):
        cls.__module__, cls.__qualname__ = "__main__", cls.__name__
        setattr(sys.modules["__main__"], cls.__name__, cls)
    net = Net()
    want = megengine_state(state, name)
    have = net.state_dict()
    assert set(have) == set(want), set(have) ^ set(want)
    net.load_state_dict({k: want[k].reshape(have[k].shape) for k in have})
    net.eval()
    return net


def stage_megengine(out):
    import megengine as mge
    d = f"{out}/MegEngine"
    os.makedirs(d, exist_ok=True)
    for name in ("plain", "g2", "g4", "se"):
        state = load_npz(f"{out}/Expected/{name}-state.npz")
        basecls = megengine_state(state, name)
        mge.save(basecls, f"{d}/{name}-basecls.pkl")
        mge.save(megengine_state(state, name, basecls=False), f"{d}/{name}-renamed.pkl")
        if name == "plain":
            for protocol in (2, 3, 5):
                mge.save(basecls, f"{d}/plain-basecls-protocol{protocol}.pkl", pickle_protocol=protocol)
            mge.save(megengine_state(state, name, old_bn=True), f"{d}/plain-basecls-bn4d.pkl")
            mge.save({"epoch": 119, "state_dict": basecls, "acc1": np.float32(72.25)},
                     f"{d}/plain-training-checkpoint.pkl")
            mge.save(collections.OrderedDict((k, mge.Parameter(v)) for k, v in basecls.items()),
                     f"{d}/plain-tensors.pkl")
        if name in ("plain", "g2"):
            net = megengine_module(state, name)
            ref = load_npz(f"{out}/Expected/{name}-logits.npz")
            got = net(mge.tensor(ref["images"])).numpy()
            print(name, "MegEngine against PyTorch, largest difference", float(np.abs(got - ref["logits"]).max()))
            mge.save(net.state_dict(), f"{d}/{name}-module-state.pkl")
            mge.save(net, f"{d}/{name}-whole-module.pkl")
            mge.save(net.state_dict, f"{d}/{name}-bound-method.pkl")


# The exact answer


def fused(state, eps=BATCH_NORM_EPSILON):
    """The deploy tensors of a training state in float64, straight from the algebra, under the official names."""
    s = {k: v.astype(np.float64) for k, v in state.items()}
    result = {}
    for k in [k for k in s if k.endswith(".rbr_dense.conv.weight")]:
        block = k[:-len(".rbr_dense.conv.weight")]
        weight, bias = 0, 0
        for branch in ("rbr_dense", "rbr_1x1", "rbr_identity"):
            if branch == "rbr_identity":
                if f"{block}.rbr_identity.weight" not in s:
                    continue
                kernel = np.zeros_like(s[k])
                for o in range(kernel.shape[0]):
                    kernel[o, o % kernel.shape[1], 1, 1] = 1
                bn = f"{block}.rbr_identity."
            else:
                kernel = s[f"{block}.{branch}.conv.weight"]
                if kernel.shape[2] == 1:
                    kernel = np.pad(kernel, ((0, 0), (0, 0), (1, 1), (1, 1)))
                bn = f"{block}.{branch}.bn."
            t = s[bn + "weight"] / np.sqrt(s[bn + "running_var"] + eps)
            weight = weight + kernel * t[:, None, None, None]
            bias = bias + s[bn + "bias"] - s[bn + "running_mean"] * t
        result[f"{block}.rbr_reparam.weight"] = weight
        result[f"{block}.rbr_reparam.bias"] = bias
    for k in s:
        if ".rbr_" not in k and "aux" not in k:
            result[k] = s[k]
    return result


def stage_expected(out):
    for name in ("plain", "g2", "g4", "se", "plus"):
        np.savez(f"{out}/Expected/{name}-fused64.npz", **fused(load_npz(f"{out}/Expected/{name}-state.npz")))


STAGES = {"pytorch": stage_pytorch, "pytorch-1.13": stage_pytorch_1_13,
          "megengine": stage_megengine, "expected": stage_expected}

if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in STAGES:
        sys.exit(__doc__)
    folder = sys.argv[2] if len(sys.argv) == 3 else HERE
    os.makedirs(f"{folder}/Expected", exist_ok=True)
    STAGES[sys.argv[1]](folder)
