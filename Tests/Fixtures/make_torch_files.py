"""Writes TorchFiles/: small files by a real PyTorch, of what checkpoints hold beside plain weights.

Usage: make_torch_files.py, with PyTorch 1.6 (the first with the zip format; only state dicts), 1.13
(needs NumPy < 2) and 2.15; each names its files after itself. The values are fixed, so that only the frameworks' own changes change a file.

`TorchFiles/tensors-<version>.tsv` lists what they hold, by PyTorch's own account: file, path of the
state dict, name, element type, shape, little-endian row-major bytes in hexadecimal.
"""
import collections
import os
import pickle

import torch
from torch import nn


def no_source(*_, **__):
    raise OSError


# Legacy files carry the source code of modules' classes where it can be found; leave PyTorch's out.
torch.serialization.get_source_lines_and_file = no_source

VERSION = ".".join(torch.__version__.split(".")[:2])
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "TorchFiles")
rows = []


def describe(file, path, state):
    for name, t in state.items():
        t = t.detach()
        if VERSION == "1.6":  # cannot view as bytes
            data = t.numpy().tobytes()
        else:
            data = bytes(t.contiguous().flatten().view(torch.uint8).tolist()) if t.numel() else b""
        shape = "x".join(map(str, t.shape)) or "scalar"
        rows.append((file, path, name, str(t.dtype)[len("torch."):], shape, data.hex()))


def name(kind, suffix="pth"):
    return f"{kind}-{VERSION}.{suffix}"


def save(kind, value, states, **k):
    torch.save(value, os.path.join(OUT, name(kind)), **k)
    for path, state in states.items():
        describe(name(kind), path, state)


def fill(module):
    """Distinct small numbers in every parameter and buffer."""
    start = 0
    for t in module.state_dict().values():
        t.copy_(torch.arange(start, start + t.numel()).reshape(t.shape))
        start += t.numel()
    return module


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, stride=(2, 1), padding=1, groups=2, bias=False)
        self.bn = nn.BatchNorm2d(4, eps=1e-3)
        self.same = nn.Conv1d(1, 1, 1, padding="same")
        self.again = self.conv
        self.nothing = None
        self.register_module("gone", None)
        self.register_parameter("absent", None)
        self.register_buffer("kept", torch.arange(3))
        self.register_buffer("cache", torch.zeros(2), persistent=False)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.act = torch.relu


def main():
    os.makedirs(OUT, exist_ok=True)
    linear = fill(nn.Linear(3, 2)).state_dict()
    for protocol in (2, 3, 4, 5):
        save(f"zip-protocol{protocol}", linear, {"": linear}, pickle_protocol=protocol)
        save(f"legacy-protocol{protocol}", linear, {"": linear}, pickle_protocol=protocol,
             _use_new_zipfile_serialization=False)
        file = name(f"plain-protocol{protocol}", "pkl")
        with open(os.path.join(OUT, file), "wb") as f:
            pickle.dump(linear, f, protocol=protocol)
        describe(file, "", linear)

    if VERSION == "1.6":
        return

    net = fill(Net())
    save("module", net, {"": net.state_dict()})
    save("module-legacy", net, {"": net.state_dict()}, _use_new_zipfile_serialization=False)
    save("module-protocol4", {"model": net, "ema": net, "epoch": 3},
         {"model": net.state_dict(), "ema": net.state_dict()}, pickle_protocol=4)
    wrapped = nn.DataParallel(net)
    save("data-parallel", {"net": wrapped}, {"net": wrapped.state_dict()})
    averaged = torch.optim.swa_utils.AveragedModel(fill(nn.Linear(2, 1))).state_dict()
    save("averaged", averaged, {"": averaged})

    base = torch.arange(12, dtype=torch.float32)
    tagged = base[:2].clone()
    tagged.tag = "a tensor with an attribute"
    tensors = collections.OrderedDict(
        strided=base.reshape(3, 4).t(), slice=base[3:9:2], expanded=base[5:6].expand(3),
        overlapping=base.as_strided((2, 3), (1, 1)), scalar=torch.tensor(7), empty=torch.zeros(0, 3),
        channels_last=base.reshape(1, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        parameter=nn.Parameter(base[:2].clone()), tagged=tagged, bfloat16=base.bfloat16(),
        half=base.half(), double=base.double(), bool=base > 5, complex=torch.complex(base, -base),
        int8=base.to(torch.int8), uint8=base.to(torch.uint8), int16=base.short(), int32=base.int())
    if VERSION != "1.13":
        tensors["float8"] = base.to(torch.float8_e4m3fn)
        tensors["uint16"] = base.to(torch.uint16)
        tensors["buffer"] = nn.Buffer(base[:2].clone())
    save("tensors", tensors, {"": tensors})
    save("tensors-legacy", tensors, {"": tensors}, _use_new_zipfile_serialization=False)


main()
with open(os.path.join(OUT, f"tensors-{VERSION}.tsv"), "w") as f:
    for row in rows:
        f.write("\t".join(row) + "\n")
