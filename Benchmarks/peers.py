#!/usr/bin/env python3
"""Does with other people's libraries what repconv does, for Benchmarks/bench.py to measure.

    peers.py TASK IN OUT      prints how many seconds it took to import what the task needs
    peers.py --list           the tasks that this Python has the libraries for
"""
import importlib.util
import json
import sys
import time

# Task: the command of repconv it stands beside, what it does, the libraries it needs.
TASKS = {
    "torch-fuse": ("fuse to .pth", "PyTorch: load, fuse in float32, save", ["torch"]),
    "torch-load": ("inspect --json", "PyTorch: torch.load", ["torch"]),
    "torch-load-mmap": ("inspect --json", "PyTorch: torch.load(mmap=True)", ["torch"]),
    "torch-save": ("import", "PyTorch: torch.load, torch.save", ["torch"]),
    "safetensors-save": ("import", "PyTorch and safetensors: torch.load, save_file", ["torch", "safetensors"]),
    "h5py-save": ("import", "PyTorch and h5py: torch.load, a dataset for each tensor", ["torch", "h5py"]),
}


def load(path, **options):
    import torch
    return torch.load(path, map_location="cpu", weights_only=True, **options)


def torch_fuse(source, target):
    """What convert.py of DingXiaoH/RepVGG computes, less building the network and its checks."""
    import torch
    state = load(source)

    def fold(kernel, norm):
        deviation = (state[norm + ".running_var"] + 1e-5).sqrt()
        scale = (state[norm + ".weight"] / deviation).reshape(-1, 1, 1, 1)
        bias = state[norm + ".bias"] - state[norm + ".running_mean"] * state[norm + ".weight"] / deviation
        return kernel * scale, bias

    result = {}
    for name in state:
        if name.endswith(".rbr_dense.conv.weight"):
            block = name[:-len(".rbr_dense.conv.weight")]
            kernel, bias = fold(state[name], block + ".rbr_dense.bn")
            kernel1, bias1 = fold(state[block + ".rbr_1x1.conv.weight"], block + ".rbr_1x1.bn")
            kernel = kernel + torch.nn.functional.pad(kernel1, [1, 1, 1, 1])
            bias = bias + bias1
            if block + ".rbr_identity.weight" in state:
                outputs, inputs = kernel.shape[:2]
                identity = torch.zeros_like(kernel)
                identity[torch.arange(outputs), torch.arange(outputs) % inputs, 1, 1] = 1
                identity, bias0 = fold(identity, block + ".rbr_identity")
                kernel, bias = kernel + identity, bias + bias0
            result[block + ".rbr_reparam.weight"], result[block + ".rbr_reparam.bias"] = kernel, bias
        elif ".rbr_" not in name:
            result[name] = state[name]
    torch.save(result, target)


def torch_load(source, target):
    load(source)


def torch_load_mmap(source, target):
    load(source, mmap=True)


def torch_save(source, target):
    import torch
    torch.save(load(source), target)


def safetensors_save(source, target):
    from safetensors.torch import save_file
    save_file(load(source), target)


def h5py_save(source, target):
    import h5py
    with h5py.File(target, "w") as file:
        for name, tensor in load(source).items():
            file[name] = tensor.numpy()


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        has = lambda module: importlib.util.find_spec(module) is not None
        print(json.dumps({task: about[:2] for task, about in TASKS.items() if all(map(has, about[2]))}))
    elif len(sys.argv) == 4 and sys.argv[1] in TASKS:
        start = time.perf_counter()
        for library in TASKS[sys.argv[1]][2]:
            importlib.import_module("safetensors.torch" if library == "safetensors" else library)
        print(round(time.perf_counter() - start, 3))
        globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
    else:
        sys.exit(__doc__)
