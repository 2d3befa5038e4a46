#!/usr/bin/env python3
"""Prints, as a Markdown table, what the deploy formats and types of one network cost and change. Needs NumPy.

    formats.py REPCONV TRAIN IMAGES [--input-order rgb] [--runs N]

TRAIN is a training checkpoint, IMAGES a NumPy file with images for it. Sizes are those of the files, and against the
training checkpoint as .pth. Writing is `repconv fuse`, the whole process; loading is examples/python/rvd.py giving all
tensors as float32 arrays, and for .pth and .safetensors, where they are installed, torch.load and safetensors.numpy.
Times are medians. Logits are computed in float64, and compared with those of the training form: the largest change, the
power of the logits over that of the change, and for how many images the class is the same.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "python"))
sys.dont_write_bytecode = True
import rvd  # noqa: E402

TYPES = ("float32", "float16", "bfloat16", "int8")
# What the file is called in the table, its extension, and the options that make it.
FILES = [("`.pth`", ".pth", []), ("`.safetensors`", ".safetensors", [])] + [
    (f"`.rvd` {type}{', compressed' if compress else ''}", ".rvd",
     ["--dtype", type] + (["--compress"] if compress else []))
    for compress in (False, True) for type in TYPES]


def load_torch(path):
    import torch
    return {name: tensor.numpy() for name, tensor in torch.load(path, weights_only=True).items()}


def load_safetensors(path):
    from safetensors.numpy import load_file
    return load_file(path)


LOADERS = {".pth": load_torch, ".safetensors": load_safetensors, ".rvd": rvd.load}


def median_time(runs, action):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repconv")
    parser.add_argument("train")
    parser.add_argument("images")
    parser.add_argument("--input-order")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    order = ["--input-order", arguments.input_order] if arguments.input_order else []

    def repconv(*command):
        result = subprocess.run([arguments.repconv, *command], capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"repconv {' '.join(command)}\n{result.stderr}")

    with tempfile.TemporaryDirectory() as folder:
        def logits(path):
            out = os.path.join(folder, "logits.npz")
            if os.path.exists(out):
                os.remove(out)
            repconv("run", path, "--input", arguments.images, "--double", "-o", out, *order)
            with np.load(out) as file:
                return file[file.files[0]].astype(np.float64)

        training = os.path.join(folder, "train.pth")
        repconv("import", arguments.train, "-o", training, "-q", *order)
        whole = os.path.getsize(training)
        expected = logits(arguments.train)
        print("| file | bytes | of the training `.pth` | write | load | largest logit change | signal to noise "
              "| same class |")
        print("|---|---|---|---|---|---|---|---|")
        print(f"| training `.pth` | {whole:,} | 100 % | | | | | |")
        for title, extension, options in FILES:
            path = os.path.join(folder, "deploy" + extension)
            write = median_time(arguments.runs, lambda: repconv(
                "fuse", arguments.train, path, "--force", "-q", *order, *options))
            try:
                LOADERS[extension](path)
                load = f"{median_time(arguments.runs, lambda: LOADERS[extension](path)) * 1000:.1f} ms"
            except ImportError:
                load = ""
            change = logits(path) - expected
            noise = 10 * np.log10((expected ** 2).sum() / (change ** 2).sum())
            same = (expected.argmax(1) == (expected + change).argmax(1)).sum()
            size = os.path.getsize(path)
            print(f"| {title} | {size:,} | {100 * size / whole:.1f} % | {write * 1000:.0f} ms | {load} "
                  f"| {np.abs(change).max():.2g} | {noise:.1f} dB | {same} of {len(expected)} |")


main()
