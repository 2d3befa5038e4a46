"""What `repconv quantize` makes of a network, in ONNX Runtime: the signal-to-noise ratio of the logits against float32, how
often the network is right, which operations the runtime computes, and how fast.

    python int8.py REPCONV NETWORK CALIBRATION.npz VALIDATION.npz [BATCH]     # NumPy, onnx, onnxruntime

CALIBRATION has `images`, 64 of them or more; VALIDATION `images` and `labels`, which should be others. Times are of batches of
BATCH images (16), with as many threads as the runtime likes, the best of some rounds in which all files take turns.
"""
import collections
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime

ROUNDS = 12
VARIANTS = [
    ("cpu, 64 images", 64, []),
    ("cpu, 64 images, without correction", 64, ["--no-bias-correction"]),
    ("cpu, 16 images", 16, []),
    ("cpu, 16 images, without correction", 16, ["--no-bias-correction"]),
    ("cpu, 64 images, 1 layer in float", 64, ["--keep-float", "1"]),
    ("cpu, 64 images, per tensor", 64, ["--per-tensor"]),
    ("tensorrt, 64 images", 64, ["--for", "tensorrt"]),
    ("tensorrt, 64 images, without correction", 64, ["--for", "tensorrt", "--no-bias-correction"]),
    ("tensorrt, 16 images", 16, ["--for", "tensorrt"]),
]


def session(path, optimized=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if optimized:
        options.optimized_model_filepath = optimized
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def executed(path, folder):
    """The operations of the graph that the runtime makes of a file, with how many there are."""
    optimized = os.path.join(folder, "optimized.onnx")
    session(path, optimized)
    return collections.Counter(node.op_type for node in onnx.load(optimized).graph.node)


def logits(session, images, batch):
    return np.concatenate([
        session.run(None, {session.get_inputs()[0].name: images[start:start + batch]})[0]
        for start in range(0, len(images), batch)]).astype(np.float64)


def decibels(exact, found):
    return 10 * np.log10((exact ** 2).sum() / ((found - exact) ** 2).sum())


def main(repconv, network, calibration, validation, batch="16"):
    batch = int(batch)
    images = np.load(calibration)["images"].astype(np.float32)
    data = np.load(validation)
    others, labels = data["images"].astype(np.float32), data["labels"]
    with tempfile.TemporaryDirectory() as folder:
        def run(*arguments):
            subprocess.run([repconv, *arguments, "--quiet", "--force"], check=True)

        files = {}
        exact = os.path.join(folder, "float.onnx")
        run("fuse", network, exact, "--size", str(images.shape[2]))
        files["float32"] = exact
        for index, (title, count, options) in enumerate(VARIANTS):
            some = os.path.join(folder, f"{count}.npz")
            np.savez(some, images=images[:count])
            files[title] = os.path.join(folder, f"{index}.onnx")
            run("quantize", network, files[title], "--calibrate", some, *options)

        sessions = {title: session(path) for title, path in files.items()}
        results = {title: logits(each, others, batch) for title, each in sessions.items()}
        best = collections.defaultdict(lambda: float("inf"))
        for _ in range(ROUNDS):
            for title, each in sessions.items():
                start = time.perf_counter()
                logits(each, others[:batch], batch)
                best[title] = min(best[title], time.perf_counter() - start)

        print(f"{network}, {images.shape[1]}x{images.shape[2]}x{images.shape[3]}, {len(labels)} images to judge\n")
        print("| | bytes | dB | top-1 | of float32's speed | computed by |")
        print("|---|---|---|---|---|---|")
        for title, path in files.items():
            noise = "" if title == "float32" else f"{decibels(results['float32'], results[title]):.1f}"
            right = 100 * (results[title].argmax(1) == labels).mean()
            kinds = executed(path, folder)
            shown = ", ".join(f"{kind} x{kinds[kind]}" for kind in (
                "QLinearConv", "QGemm", "FusedConv", "Conv", "Gemm", "QuantizeLinear", "DequantizeLinear") if kinds[kind])
            print(f"| {title} | {os.path.getsize(path):,} | {noise} | {right:.2f} % "
                  f"| {best['float32'] / best[title]:.2f} | {shown} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
