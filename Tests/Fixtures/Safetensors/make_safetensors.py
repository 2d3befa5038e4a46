"""Writes tensors as the safetensors library does, and what they hold.

    python3 make_safetensors.py      needs torch and safetensors; written with 2.15.0 and 0.8.0

`types.safetensors`: every element type that repconv reads, scalars, tensors without elements, odd names.
`shared.safetensors`: a model of which two layers share their weight, by `save_model`.
`tensors.tsv`: for each tensor of these files, in the order of `load_file`, the file, name (percent-encoded),
element type, shape and bytes. `type-*.safetensors`: types that repconv does not read.

`plain-train.safetensors` is a trained network as `save_file(..., metadata={"format": "pt"})` wrote it; what it
holds is in `../PyTorch/states.tsv`.
"""
import os
from urllib.parse import quote

import torch
from safetensors.torch import load_file, save_file, save_model

here = os.path.dirname(os.path.abspath(__file__))
count = torch.arange(24).reshape(2, 3, 4)

tensors = {
    str(dtype).removeprefix("torch."): (count * 37 - 111).to(dtype)
    for dtype in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn,
        torch.float8_e5m2, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint64,
        torch.uint32, torch.uint16, torch.uint8, torch.bool, torch.complex64)
}
tensors.update({
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(3, 0, 2),
    "also empty": torch.zeros(0),
    "odd": torch.arange(3, dtype=torch.uint8),
    "clé/\"quoted\"\\\t\n\x01": torch.ones(1),
    "\U0001f600": torch.ones(1),
    "": torch.ones(1),
})


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(2, 2)
        self.second = torch.nn.Linear(2, 2)
        self.second.weight = self.first.weight


def path(name):
    return os.path.join(here, name)


save_file(tensors, path("types.safetensors"), metadata={"format": "pt"})
torch.manual_seed(1)
save_model(Tied(), path("shared.safetensors"))
for dtype in (torch.float8_e8m0fnu, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float4_e2m1fn_x2):
    raw = torch.arange(4, dtype=torch.uint8)
    name = str(dtype).removeprefix("torch.")
    save_file({"w": raw.view(dtype)}, path("type-%s.safetensors" % name))

with open(path("tensors.tsv"), "w") as table:
    for file in ("types.safetensors", "shared.safetensors"):
        for name, tensor in load_file(path(file)).items():
            kind = str(tensor.dtype).removeprefix("torch.")
            shape = "x".join(map(str, tensor.shape)) or "scalar"
            raw = bytes(tensor.reshape(-1).contiguous().view(torch.uint8)) if tensor.numel() else b""
            print(file, quote(name), kind, shape, raw.hex(), sep="\t", file=table)
