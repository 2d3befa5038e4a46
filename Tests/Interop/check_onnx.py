"""The ONNX files that repconv writes: ONNX's own checker finds them sound, runtimes compute what `repconv run` computes,
and programs that simplify networks find nothing to do.

Runtimes: ONNX Runtime, OpenCV's DNN module (both of its engines), OpenVINO, and ncnn by way of pnnx. Networks: the
fixtures of PyTorch and of the projects of all families that are known as a whole, in both forms, the vectors of the
format .rvd, which have every operation, and networks of their published sizes.

usage: check_onnx.py REPCONV
"""
import collections
import json
import os
import subprocess
import sys

import cv2
import ncnn
import numpy as np
import onnx
import onnxruntime
import onnxsim
import onnxslim
import openvino
import torch

from check_families import cases, options
from interop import ROOT, Checks, expect, fixtures, load_npz
from repvgg_torch import RepVGG  # on the path by interop


# Of the largest value. Where repconv's own float32 is further than that from its float64, a runtime may be, too.
TOLERANCE = 1e-6
OPERATOR_SETS = (11, 13, 17, 21, 25)
# What the projects' own deploy forms leave, and a program that simplifies networks folds: BatchNorms of RepLKNet and of
# ACNet's examples, layer scales of timm's FastViT.
FOLDED = {"replknet": {"BatchNormalization"}, "acnet": {"BatchNormalization"}, "fastvit": {"Mul"}}
VECTORS = ("chain", "squeeze-excitation", "residual", "operations", "quantized")


# MARK: Runtimes. Each takes the path of a file and images, and returns what the network makes of them.

def onnx_runtime(path, images):
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    [entry] = session.get_inputs()
    type = np.float16 if entry.type == "tensor(float16)" else np.float32
    return session.run(None, {entry.name: images.astype(type)})[0].astype(np.float64)


def opencv(engine):
    def run(path, images):
        network = cv2.dnn.readNetFromONNX(path, engine)
        network.setInput(np.ascontiguousarray(images))
        return network.forward().astype(np.float64)
    return run


def open_vino(path, images):
    core = openvino.Core()
    # Its processors' default is half the precision of float32.
    compiled = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled(images)[0], np.float64)


def ncnn_by_pnnx(path, images):
    """pnnx makes ncnn's files of it, in float32."""
    shape = ",".join(map(str, (1, *images.shape[1:])))
    pnnx = os.path.join(os.path.dirname(sys.executable), "pnnx")
    run = subprocess.run([pnnx, os.path.basename(path), f"inputshape=[{shape}]", "fp16=0"],
                         cwd=os.path.dirname(path), capture_output=True, text=True)
    expect(run.returncode == 0, f"pnnx: {run.stderr[-300:]}")
    stem = path.removesuffix(".onnx")
    network = ncnn.Net()
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = False
    network.opt.use_bf16_storage = False
    expect(network.load_param(stem + ".ncnn.param") == 0, "ncnn does not read the .param")
    expect(network.load_model(stem + ".ncnn.bin") == 0, "ncnn does not read the .bin")
    results = []
    for image in images:
        extractor = network.create_extractor()
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(image)).clone())
        results.append(np.array(extractor.extract("out0")[1]))
    return np.stack(results).astype(np.float64)


RUNTIMES = {"ONNX Runtime": onnx_runtime, "OpenCV (classic)": opencv(cv2.dnn.ENGINE_CLASSIC),
            "OpenCV": opencv(cv2.dnn.ENGINE_NEW), "OpenVINO": open_vino}


# MARK: Checks

def difference(got, wanted):
    expect(got.shape == wanted.shape, f"the result is {got.shape}, not {wanted.shape}")
    return np.abs(got - wanted).max() / np.abs(wanted).max()


def expect_near(got, wanted, tolerance=TOLERANCE):
    found = difference(got, wanted)
    expect(found < tolerance, f"the results differ by {found:.2g} of the largest")


def expect_sound(path, external=False):
    """The checker finds nothing wrong, shapes follow strictly, and protobuf's own writer makes the same bytes of it."""
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path, load_external_data=not external)
    if external:
        return model
    with open(path, "rb") as file:
        expect(file.read() == model.SerializeToString(), "protobuf would write other bytes")
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    found = {value.name for value in (*inferred.graph.value_info, *inferred.graph.output)}
    missing = [node.output[0] for node in model.graph.node if node.output[0] not in found]
    expect(not missing, f"no shape is inferred of {missing[:3]}")
    return model


def expect_simple(path, folded=frozenset()):
    """Nothing can be simplified but operations in `folded`: as many nodes, and the names of the tensors are kept."""
    model = onnx.load(path)
    names = {tensor.name for tensor in model.graph.initializer}
    for name, simplified in (("onnxsim", onnxsim.simplify(model)[0]), ("onnxslim", onnxslim.slim(onnx.load(path)))):
        before, after = (collections.Counter(node.op_type for node in m.graph.node) for m in (model, simplified))
        expect(set(before - after) <= folded and not after - before,
               f"{name} takes away {dict(before - after)} and puts in {dict(after - before)}")
        if before == after:
            expect({tensor.name for tensor in simplified.graph.initializer} == names, f"{name} renames tensors")


class Subject:
    """A file that repconv reads, images for its network, and what `repconv run` makes of them, in float64."""

    def __init__(self, checks, path, images, options=()):
        self.checks, self.path, self.options = checks, path, list(options)
        self.images = np.ascontiguousarray(images, np.float32)
        self.inputs = checks.output("images.npy")
        np.save(self.inputs, self.images)
        self.wanted = self.run("--double")
        self.tolerance = max(TOLERANCE, 8 * difference(self.run(), self.wanted))

    def run(self, *more):
        out = self.checks.output("logits.npz")
        self.checks.repconv("run", self.path, "--input", self.inputs, "-o", out, *self.options, *more)
        return load_npz(out)["logits"].reshape(len(self.images), -1)

    def write(self, command, *more, name="model.onnx"):
        out = self.checks.output(name)
        self.checks.repconv(command, self.path, out, "--size", str(self.images.shape[2]), *self.options, *more)
        return out

    def expect_same(self, runtime, path, tolerance=0):
        got = runtime(path, self.images)
        expect_near(got.reshape(len(got), -1), self.wanted, max(tolerance, self.tolerance))


def check_deploy_form(checks, name, subject, runtimes=RUNTIMES):
    with checks.check(f"{name} is sound, and nothing can be simplified"):
        # Of GELU in several operations, onnxsim folds a factor into weights.
        path = subject.write("fuse", "--opset", "20")
        expect_sound(path)
        expect_simple(path, FOLDED.get(name.split("/")[0], set()))
    for title, runtime in runtimes.items():
        with checks.check(f"{name}: {title} computes it"):
            subject.expect_same(runtime, subject.write("fuse"))


def check_training_form(checks, name, subject):
    with checks.check(f"{name}: the training form is sound, and ONNX Runtime computes it"):
        path = subject.write("export", "--form", "train")
        expect_sound(path)
        subject.expect_same(onnx_runtime, path)


def check_types(checks, fixture, subject):
    """Weights in less than float32 are those that an .rvd has."""
    # OpenVINO keeps scaled weights in float16.
    for type, runtimes in (("float16", {"ONNX Runtime": 5e-3}), ("int8", {**dict.fromkeys(RUNTIMES, 0), "OpenVINO": 5e-3})):
        rvd = checks.output(f"{type}.rvd")
        checks.repconv("fuse", fixture.path, rvd, "--dtype", type)
        reduced = Subject(checks, rvd, subject.images)
        for runtime, tolerance in runtimes.items():
            with checks.check(f"{fixture.name} as {type}: {runtime} computes what the .rvd of it gives"):
                path = reduced.write("export")
                expect_sound(path)
                reduced.expect_same(RUNTIMES[runtime], path, tolerance)
    with checks.check(f"{fixture.name} as bfloat16 with operators 22 is sound"):
        expect_sound(subject.write("fuse", "--dtype", "bfloat16", "--opset", "22"))


def check_batch(checks, fixture, subject):
    with checks.check(f"{fixture.name} with a fixed number of images takes that many"):
        path = subject.write("fuse", "--batch", str(len(subject.images)))
        [entry] = onnxruntime.InferenceSession(path).get_inputs()
        expect(entry.shape == list(subject.images.shape), f"it takes {entry.shape}")
        subject.expect_same(onnx_runtime, path)


def check_metadata(checks, fixture, subject):
    with checks.check(f"{fixture.name}: ONNX Runtime hands out what is known of the network"):
        path = subject.write("fuse", "--license", "MIT")
        entries = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
        about = json.loads(entries["repconv"])
        expect(about["metadata"]["license"] == "MIT" and about["provenance"]["epsilons"] == [1e-5], str(about))
        rvd = checks.output("model.rvd")
        content = json.loads(checks.repconv("fuse", fixture.path, rvd, "--json"))["output"]["content"]
        expect(entries["content_sha256"] == content, "the .rvd has another content digest")


def check_external_data(checks):
    """A network of more than 2 GiB, most of whose weights are zero: its tensors are in a second file."""
    with checks.check("a network of more than 2 GiB is in two files, which ONNX Runtime loads"):
        width = 4096
        shapes = {"stage0.rbr_reparam": (width, 3)}
        for stage in range(1, 5):
            shapes[f"stage{stage}.0.rbr_reparam"] = (width, width)
        source = checks.output("large.safetensors")
        write_sparse(source, {
            **{f"{name}.weight": (*shape, 3, 3) for name, shape in shapes.items()},
            **{f"{name}.bias": shape[:1] for name, shape in shapes.items()},
            "linear.weight": (10, width), "linear.bias": (10,)})
        path = checks.output("large.onnx")
        report = json.loads(checks.repconv("export", source, path, "--size", "32", "--json"))
        data = report["output"]["externalData"]
        expect(data["bytes"] == os.path.getsize(path + ".data") > 2**31, str(data))
        onnx.checker.check_model(path, full_check=True)
        model = onnx.load(path, load_external_data=False)
        places = [{entry.key: entry.value for entry in tensor.external_data} for tensor in model.graph.initializer]
        expect(all(int(place["offset"]) % 4096 == 0 and place["location"] == "large.onnx.data"
                   for place in places if place), "tensors are not where they should be")
        bias = onnx_runtime(path, np.zeros((1, 3, 32, 32), np.float32))
        expect(np.array_equal(bias, np.arange(10, dtype=np.float64)[None]), f"it computes {bias}")


def write_sparse(path, shapes):
    """A safetensors file of zeros, but for the bias of the classifier, without the zeros on the disk."""
    header, end = {}, 0
    for name, shape in shapes.items():
        length = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + length]}
        end += length
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
        file.seek(8 + len(text) + header["linear.bias"]["data_offsets"][0])
        file.write(np.arange(10, dtype="<f4").tobytes())


def repvgg_a0(checks):
    """RepVGG-A0 with random parameters, as a training run leaves it."""
    torch.manual_seed(0)
    network = RepVGG([2, 4, 14, 1], [0.75, 0.75, 0.75, 2.5])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1)
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    path = checks.output("a0.pth")
    torch.save(network.state_dict(), path)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        logits = network.double().eval()(images.double()).numpy()
    return path, images.numpy(), logits


def main():
    checks = Checks()
    print(f"onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}, OpenCV {cv2.__version__}, "
          f"OpenVINO {openvino.__version__.split('-')[0]}, ncnn {ncnn.__version__}")
    random = np.random.default_rng(0)
    for name in VECTORS:
        vector = f"{ROOT}/formats/vectors/valid/{name}.rvd"
        more = [] if name == "quantized" else ["--dtype", "float32"]
        subject = Subject(checks, vector, random.standard_normal((2, 3, 12, 12)))
        for version in OPERATOR_SETS if name != "quantized" else OPERATOR_SETS[1:]:
            with checks.check(f"{name}.rvd with operators {version} is sound, and ONNX Runtime computes it"):
                path = subject.write("export", "--opset", str(version), *more)
                expect_sound(path)
                subject.expect_same(onnx_runtime, path)
        for title, runtime in RUNTIMES.items():
            with checks.check(f"{name}.rvd: {title} computes it"):
                # OpenCV's classic engine folds BatchNorms in float32.
                subject.expect_same(runtime, subject.write("export", *more), 1e-5)

    path, images, logits = repvgg_a0(checks)
    subject = Subject(checks, path, images)
    with checks.check("RepVGG-A0: 'repconv run' computes what PyTorch does"):
        expect_near(subject.wanted, logits)
    check_deploy_form(checks, "RepVGG-A0", subject, runtimes={**RUNTIMES, "ncnn by pnnx": ncnn_by_pnnx})
    check_training_form(checks, "RepVGG-A0", subject)

    small = {fixture.name: fixture for fixture in fixtures("PyTorch")}
    for name in ("plain-train.pth", "g4-train.pth", "se-train.pth", "plus-train.pth"):
        images, logits = small[name].images_and_logits()
        subject = Subject(checks, small[name].path, images[:8])
        with checks.check(f"{name}: 'repconv run' computes what PyTorch does"):
            expect_near(subject.wanted, logits[:8], 1e-5)
        check_deploy_form(checks, name, subject, runtimes={**RUNTIMES, "ncnn by pnnx": ncnn_by_pnnx})
        check_training_form(checks, name, subject)
        if name == "se-train.pth":
            check_types(checks, small[name], subject)
            check_batch(checks, small[name], subject)
            check_metadata(checks, small[name], subject)

    for folder, name, path in cases():
        if not os.path.exists(os.path.join(folder, "io.npz")):
            continue
        answers = load_npz(os.path.join(folder, "io.npz"))
        images = answers["input0"]
        size = min(images.shape[2:])
        # On maps of one pixel OpenCV's classic engine gets depthwise convolutions wrong.
        enlarged = 4 if name.startswith("dbb/mobilenet") else 1
        images = images[:, :, :size, :size].repeat(enlarged, 2).repeat(enlarged, 3)
        subject = Subject(checks, path, images, options(path))
        check_deploy_form(checks, name, subject)
        check_training_form(checks, name, subject)
    check_external_data(checks)
    checks.finish()


if __name__ == "__main__":
    main()
