"""The int8 networks that repconv writes by images: runtimes compute them, with integers where they should, and what they
give is as near to float32 as repconv says. And networks with BatchNorms put in: PyTorch finds in them the statistics of the
images.

usage: check_int8.py REPCONV
"""
import collections
import json
import os

import cv2
import numpy as np
import onnx
import onnxruntime
import openvino
import torch

from check_onnx import expect_near, onnx_runtime, open_vino, opencv
from interop import FIXTURES, Checks, expect, fixtures, load_npz
from repvgg_torch import BLOCKS

RUNTIMES = {
    "ONNX Runtime": onnx_runtime, "OpenVINO": open_vino, "OpenCV": opencv(cv2.dnn.ENGINE_CLASSIC),
    "OpenCV's new engine": opencv(cv2.dnn.ENGINE_NEW),
}


def decibels(exact, found):
    return 10 * np.log10((exact ** 2).sum() / ((found.reshape(exact.shape) - exact) ** 2).sum())


def executed(path, folder):
    """The operations that ONNX Runtime makes of a file."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = os.path.join(folder, "optimized.onnx")
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return collections.Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


def quantized(checks, network, images, *options):
    calibration, path = checks.output("calibration.npz"), checks.output("int8.onnx")
    np.savez(calibration, images=images)
    report = json.loads(checks.repconv("quantize", network, path, "--calibrate", calibration, "--json", *options))
    return path, report


def check_target(checks, name, network, images, others, target, convolutions, least):
    """Computed by all runtimes, and near to float32."""
    exact = checks.output("float.onnx")
    checks.repconv("fuse", network, exact, "--size", str(images.shape[2]))
    wanted = onnx_runtime(exact, others)
    path, report = quantized(checks, network, images, "--for", target)
    with checks.check(f"{name} for {target} is sound"):
        onnx.checker.check_model(path, full_check=True)
    for title, runtime in RUNTIMES.items():
        with checks.check(f"{name} for {target}: {title} gives at least {least} dB"):
            found = decibels(wanted, runtime(path, others))
            expect(found >= least, f"{found:.1f} dB")
    with checks.check(f"{name} for {target}: what repconv says of the images is what ONNX Runtime gives"):
        some = images[:64]
        found = decibels(onnx_runtime(exact, some), onnx_runtime(path, some))
        expect(abs(found - report["calibration"]["decibels"]) < 0.5, f"{found:.1f}, not {report['calibration']['decibels']:.1f}")
    if target == "cpu":
        with checks.check(f"{name} for {target}: ONNX Runtime computes all convolutions with integers"):
            kinds = executed(path, checks.folder.name)
            expect(kinds["QLinearConv"] == convolutions and not kinds["Conv"] + kinds["FusedConv"], str(dict(kinds)))


def check_family(checks, case):
    """Of other families, whose parameters are random: what repconv says of the images is what ONNX Runtime gives."""
    folder = f"{FIXTURES}/Families/{case}"
    with open(f"{folder}/case.json") as file:
        network = f"{folder}/{next(iter(json.load(file)['files']))}"
    images = load_npz(f"{folder}/io.npz")["input0"].astype(np.float32)
    size = min(images.shape[2:])
    images = np.repeat(images[:, :, :size, :size], 32 // len(images), 0)
    images = images + np.random.default_rng(0).normal(0, .3, images.shape).astype(np.float32)
    with checks.check(f"{case}: ONNX Runtime computes all convolutions with integers, and gives what repconv says"):
        exact = checks.output("float.onnx")
        checks.repconv("fuse", network, exact, "--size", str(size))
        path, report = quantized(checks, network, images)
        found = decibels(onnx_runtime(exact, images), onnx_runtime(path, images))
        said = report["calibration"]["decibels"]
        expect(abs(found - said) < 0.5, f"{found:.1f} dB, not {said:.1f}")
        kinds = executed(path, checks.folder.name)
        expect(kinds["QLinearConv"] and not kinds["Conv"] + kinds["FusedConv"], str(dict(kinds)))


def check_kept(checks, network, images):
    with checks.check("layers that are kept in float32 stay so in ONNX Runtime"):
        path, report = quantized(checks, network, images, "--keep-float", "2")
        kept = [layer["name"] for layer in report["calibration"]["layers"] if layer["dtype"] == "float32"]
        expect(len(kept) == 2, str(kept))
        kinds = executed(path, checks.folder.name)
        floats = kinds["Conv"] + kinds["FusedConv"] + kinds["Gemm"]
        expect(floats >= 2 and kinds["QLinearConv"] >= 6, str(dict(kinds)))


def check_inserted(checks, network, images):
    """What PyTorch's BatchNorm makes of the images is what is in the file."""
    deploy, inserted = checks.output("deploy.pth"), checks.output("inserted.pth")
    calibration = checks.output("calibration.npz")
    np.savez(calibration, images=images)
    checks.repconv("fuse", network, deploy)
    checks.repconv("insert-bn", deploy, inserted, "--calibrate", calibration)
    state = torch.load(inserted, weights_only=True)
    plain = torch.load(deploy, weights_only=True)
    x = torch.from_numpy(images).double()
    with checks.check("BatchNorms that are put in have the statistics that PyTorch finds"), torch.no_grad():
        names = [name.removesuffix(".conv.weight") for name in state if name.endswith(".rbr_reparam.conv.weight")]
        expect(len(names) == sum(BLOCKS) + 1, str(names))
        for name in names:
            weight = state[name + ".conv.weight"].double()
            stride = 2 if name.split(".")[-2] in ("0", "stage0") else 1
            y = torch.nn.functional.conv2d(x, weight, stride=stride, padding=1)
            norm = torch.nn.BatchNorm2d(y.shape[1], momentum=None).double().train()
            norm(y)
            expect_near(state[name + ".bn.running_mean"].numpy(), norm.running_mean.numpy(), 1e-5)
            expect_near(state[name + ".bn.running_var"].numpy(), norm.running_var.numpy(), 1e-4)
            norm.load_state_dict({key: state[f"{name}.bn.{key}"].double() for key in
                                  ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")})
            own = torch.nn.functional.conv2d(
                x, plain[name + ".weight"].double(), plain[name + ".bias"].double(), stride=stride, padding=1)
            expect_near(norm.eval()(y).numpy(), own.numpy(), 1e-5)
            x = own.relu()


def main():
    checks = Checks()
    print(f"ONNX Runtime {onnxruntime.__version__}, OpenCV {cv2.__version__}, "
          f"OpenVINO {openvino.__version__.split('-')[0]}, PyTorch {torch.__version__}")
    digits = load_npz(f"{FIXTURES}/Expected/digits-validation.npz")["images"].astype(np.float32)
    images, others = digits[:64], digits[64:]
    networks = {fixture.name: fixture.path for fixture in fixtures("PyTorch")}
    for name, convolutions in (("plain-train.pth", 8), ("g4-train.pth", 8), ("se-train.pth", 24), ("plus-train.pth", 24)):
        for target in ("cpu", "tensorrt"):
            check_target(checks, name, networks[name], images, others, target, convolutions, 28)
    for case in ("mobileone/apple-s0-like", "repvit/original-distilled", "replknet/31-tiny", "unireplknet/13-11-9-7-5-3",
                 "dbb/resnet-basic", "qarepvgg/v2-groups", "fastvit/apple-t8-like", "fastvit/apple-sa12-like"):
        check_family(checks, case)
    check_kept(checks, networks["plain-train.pth"], images)
    check_inserted(checks, networks["plain-train.pth"], images)
    checks.finish()


if __name__ == "__main__":
    main()
