#!/usr/bin/env python3
"""Writes training checkpoints of whole RepVGGs and MobileOnes, in the containers of several frameworks. Needs NumPy.

    checkpoints.py NETWORK FORMAT FILE      checkpoints.py B3 pytorch b3.pth

The weights are random numbers of the size of trained ones; the same network has the same in every format. Tensors are
made one after the other as they are written, so that a network larger than memory can be written too.
"""
import collections
import pickle
import struct
import sys
import types
import zipfile

import numpy as np

# Name: blocks in stages 1 to 4, the factors of their widths 64, 128, 256 and 512, and the groups of every second layer.
NETWORKS = {
    "A0": ((2, 4, 14, 1), (0.75, 0.75, 0.75, 2.5), 1),
    "B1g4": ((4, 6, 16, 1), (2, 2, 2, 4), 4),
    "B1": ((4, 6, 16, 1), (2, 2, 2, 4), 1),
    "B3": ((4, 6, 16, 1), (3, 3, 3, 5), 1),
    "4GB": ((4, 6, 16, 1), (9, 9, 9, 15), 1),  # no such network is trained: B3, three times as wide
}

# The same of MobileOnes, and how many convolutions alike a layer has. All of them can be run; `bench.py` takes RepVGGs.
MOBILEONES = {
    "MobileOne-S0": ((2, 8, 10, 1), (0.75, 1, 1, 2), 4),
    "MobileOne-S1": ((2, 8, 10, 1), (1.5, 1.5, 2, 2.5), 1),
}


class Tensor:
    """A tensor to be: its values are made when `array` is asked for."""

    def __init__(self, seed, shape, kind, spread=0.0):
        self.seed, self.shape, self.kind, self.spread = seed, shape, kind, spread
        self.dtype = np.dtype("<i8" if kind == "counter" else "<f4")
        self.size = int(np.prod(shape, dtype=np.int64))
        self.nbytes = self.size * self.dtype.itemsize

    def array(self):
        random = np.random.Generator(np.random.PCG64(self.seed))
        if self.kind == "counter":
            return np.array(600600, dtype=self.dtype)
        if self.kind == "normal":
            values = random.standard_normal(self.shape, dtype=np.float32)
            values *= np.float32(self.spread)
            return values
        low, high = {"gamma": (0.2, 1.2), "shift": (-0.5, 0.5), "variance": (0.01, 2)}[self.kind]
        return random.uniform(low, high, self.shape).astype(np.float32)

    def bytes(self):
        array = self.array()
        return memoryview(array).cast("B") if array.ndim else array.tobytes()


def state_dict(network):
    """The names of the official code, in its order, and what they stand for."""
    state = collections.OrderedDict()

    def add(name, shape, kind, spread=0.0):
        state[name] = Tensor(len(state), shape, kind, spread)

    def batch_norm(prefix, channels):
        for field, kind in (("weight", "gamma"), ("bias", "shift"), ("running_mean", "shift"),
                            ("running_var", "variance")):
            add(f"{prefix}.{field}", (channels,), kind)
        add(f"{prefix}.num_batches_tracked", (), "counter")

    def branch(path, inputs, outputs, size, groups):
        add(f"{path}.conv.weight", (outputs, inputs // groups, size, size), "normal",
            (2 * groups / (size * size * inputs)) ** 0.5)
        batch_norm(f"{path}.bn", outputs)

    def repvgg_block(path, inputs, outputs, stride, groups=1):
        if inputs == outputs and stride == 1:
            batch_norm(f"{path}.rbr_identity", outputs)
        branch(f"{path}.rbr_dense", inputs, outputs, 3, groups)
        branch(f"{path}.rbr_1x1", inputs, outputs, 1, groups)

    def mobileone_block(path, inputs, outputs, stride, size, groups):
        if inputs == outputs and stride == 1:
            batch_norm(f"{path}.rbr_skip", outputs)
        if size > 1:
            branch(f"{path}.rbr_scale", inputs, outputs, 1, groups)
        for index in range(MOBILEONES[network][2]):
            branch(f"{path}.rbr_conv.{index}", inputs, outputs, size, groups)

    blocks, factors, alike_or_groups = (NETWORKS | MOBILEONES)[network]
    widths = [int(factor * width) for factor, width in zip(factors, (64, 128, 256, 512))]
    previous = min(64, widths[0])
    if network in MOBILEONES:
        mobileone_block("stage0", 3, previous, 2, 3, 1)
    else:
        repvgg_block("stage0", 3, previous, 2)
    layer = 0
    for stage, (count, width) in enumerate(zip(blocks, widths), 1):
        for index in range(count):
            layer += 1
            stride = 2 if index == 0 else 1
            if network in MOBILEONES:
                mobileone_block(f"stage{stage}.{2 * index}", previous, previous, stride, 3, previous)
                mobileone_block(f"stage{stage}.{2 * index + 1}", previous, width, 1, 1, 1)
            else:
                repvgg_block(f"stage{stage}.{index}", previous, width, stride,
                             alike_or_groups if layer % 2 == 0 else 1)
            previous = width
    add("linear.weight", (1000, previous), "normal", 0.03)
    add("linear.bias", (1000,), "normal", 0.03)
    return state


# PyTorch, without PyTorch: classes of the right names, to be pickled by reference.

def fake_torch():
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        pass
    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    return torch


def torch_pickle(state, has_views):
    """The state dict as PyTorch pickles it, and its storages by key.

    has_views: whether a persistent id says which part of the storage it means, as in the legacy format.
    """
    import io
    torch = fake_torch()
    storages = {}

    class Storage:
        def __init__(self, tensor):
            self.tensor = tensor

    class Pickled:
        def __init__(self, tensor):
            self.tensor = tensor

        def __reduce__(self):
            strides, step = [], 1
            for size in reversed(self.tensor.shape):
                strides.insert(0, step)
                step *= size
            return torch_rebuild, (Storage(self.tensor), 0, self.tensor.shape, tuple(strides), False,
                                   collections.OrderedDict())

    torch_rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2

    class Pickler(pickle._Pickler):
        def persistent_id(self, value):
            if not isinstance(value, Storage):
                return None
            key = str(len(storages))
            storages[key] = value.tensor
            kind = "LongStorage" if value.tensor.kind == "counter" else "FloatStorage"
            id = ("storage", getattr(torch, kind), key, "cpu", value.tensor.size)
            return id + (None,) if has_views else id

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(
        collections.OrderedDict((name, Pickled(tensor)) for name, tensor in state.items()))
    return stream.getvalue(), storages


def write_pytorch(state, path):
    """What torch.save writes since PyTorch 1.6."""
    data, storages = torch_pickle(state, has_views=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        def add(name, content):
            info = zipfile.ZipInfo("archive/" + name)
            padding = -(archive.fp.tell() + 30 + len(info.filename) + 4) % 64
            info.extra = struct.pack("<HH", 0x4246, padding) + b"Z" * padding
            with archive.open(info, "w") as member:
                member.write(content)
        add("data.pkl", data)
        add("byteorder", b"little")
        for key, tensor in storages.items():
            add(f"data/{key}", tensor.bytes())
        add("version", b"3\n")


def write_pytorch_legacy(state, path):
    """What torch.save wrote before, and writes with _use_new_zipfile_serialization=False."""
    data, storages = torch_pickle(state, has_views=True)
    machine = {"protocol_version": 1001, "little_endian": True,
               "type_sizes": {"short": 2, "int": 4, "long": 4}}
    with open(path, "wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, machine):
            pickle.dump(value, file, protocol=2)
        file.write(data)
        pickle.dump(sorted(storages), file, protocol=2)
        for key in sorted(storages):
            file.write(struct.pack("<q", storages[key].size))
            file.write(storages[key].bytes())


def write_megengine(state, path):
    """What megengine.save writes of BaseCls's RepVGG: a pickle of NumPy arrays."""
    arrays = collections.OrderedDict()
    for name, tensor in sorted(state.items()):
        if tensor.kind == "counter":
            continue
        array = tensor.array()
        if array.ndim == 1 and not name.startswith("linear."):
            array = array.reshape(1, -1, 1, 1)
        arrays[name.replace("linear.", "head.fc.")] = array
    with open(path, "wb") as file:
        pickle.dump(arrays, file, protocol=4)


# Name of a format: how its files end, what writes them. A format that joins here joins the table of `make bench`.
FORMATS = {
    "pytorch": (".pth", write_pytorch),
    "pytorch-legacy": (".legacy.pth", write_pytorch_legacy),
    "megengine": (".pkl", write_megengine),
}

if __name__ == "__main__":
    if sys.argv[1:] == ["--formats"]:
        print(*FORMATS)
        sys.exit()
    if len(sys.argv) != 4 or sys.argv[1] not in NETWORKS | MOBILEONES or sys.argv[2] not in FORMATS:
        sys.exit(f"{__doc__}\nnetworks: {', '.join(NETWORKS | MOBILEONES)}\nformats:  {', '.join(FORMATS)}")
    FORMATS[sys.argv[2]][1](state_dict(sys.argv[1]), sys.argv[3])
