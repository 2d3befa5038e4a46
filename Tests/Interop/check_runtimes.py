"""What repconv writes for ncnn and for Core ML: ncnn computes what `repconv run` computes; coremltools reads the packages,
finds the types of their programs right, and the programs, evaluated operation by operation, compute the same.

Core ML itself runs on Apple's systems only: nothing here has run it. Networks: those of check_onnx.py.

usage: check_runtimes.py REPCONV
"""
import logging
import os

import ncnn
import numpy as np
import torch

logging.disable(logging.WARNING)  # What coremltools lacks where Core ML is not.
import coremltools  # noqa: E402
from coremltools.converters.mil.frontend.milproto.load import load  # noqa: E402
from coremltools.libmilstoragepython import _BlobStorageReader  # noqa: E402

from check_families import cases, options
from check_onnx import Subject, expect_near, repvgg_a0
from interop import ROOT, Checks, expect, fixtures, load_npz

VECTORS = ("chain", "residual", "operations")


def run_ncnn(path, images):
    network = ncnn.Net()
    settings = network.opt
    settings.use_fp16_packed = settings.use_fp16_storage = settings.use_fp16_arithmetic = False
    settings.use_bf16_storage = False
    expect(network.load_param(path) == 0, "ncnn does not read the .param")
    weights = path.removesuffix(".param") + ".bin"
    expect(network.load_model(weights) == 0, "ncnn does not read the .bin")
    results = []
    for image in images:
        extractor = network.create_extractor()
        extractor.input("input", ncnn.Mat(np.ascontiguousarray(image)).clone())
        status, result = extractor.extract("output")
        expect(status == 0, "ncnn does not compute it")
        results.append(np.array(result))
    return np.stack(results).astype(np.float64)


# MARK: Core ML's programs in float64. An operation gets its inputs by the names of its parameters.

def array(value):
    return torch.from_numpy(np.asarray(value, np.float64))


def padded(x, pad, value=0.0):
    top, bottom, left, right = (int(size) for size in pad)
    return torch.nn.functional.pad(x, (left, right, top, bottom), value=value)


def numbers(values):
    return tuple(int(value) for value in values)


def conv(x, weight, pad, strides, dilations, groups, bias=None, pad_type=None):
    expect(pad_type == "custom", pad_type)
    return torch.nn.functional.conv2d(
        padded(x, pad), weight, bias, numbers(strides), 0, numbers(dilations), int(groups))


def pool(function, value):
    def run(x, kernel_sizes, strides, pad, ceil_mode, pad_type, exclude_padding_from_average=False):
        expect(pad_type == "custom" and not ceil_mode and not exclude_padding_from_average, "another kind of pooling")
        return function(padded(x, pad, value), numbers(kernel_sizes), numbers(strides))
    return run


def vector(value, x):
    return value.reshape(1, -1, *[1] * (x.ndim - 2))


def normalize(x, gamma, beta, mean, variance, epsilon):
    return (x - vector(mean, x)) / torch.sqrt(vector(variance, x) + epsilon) * vector(gamma, x) + vector(beta, x)


def layer_norm(x, axes, gamma, beta, epsilon):
    expect(numbers(axes) == (1,), str(axes))
    mean, variance = x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + epsilon) * vector(gamma, x) + vector(beta, x)


def matmul(x, y, transpose_x, transpose_y):
    return (x.mT if transpose_x else x) @ (y.mT if transpose_y else y)


OPERATIONS = {
    "conv": conv,
    "linear": lambda x, weight, bias=None: torch.nn.functional.linear(x, weight, bias),
    "batch_norm": normalize, "layer_norm": layer_norm, "matmul": matmul,
    "add": lambda x, y: x + y, "mul": lambda x, y: x * y, "real_div": lambda x, y: x / y,
    "minimum": lambda x, y: torch.minimum(x, torch.as_tensor(y, dtype=x.dtype)),
    "reduce_mean": lambda x, axes, keep_dims: x.mean(numbers(axes), keepdim=bool(keep_dims)),
    "reduce_l2_norm": lambda x, axes, keep_dims: x.square().sum(numbers(axes), keepdim=bool(keep_dims)).sqrt(),
    "avg_pool": pool(torch.nn.functional.avg_pool2d, 0.0),
    "max_pool": pool(torch.nn.functional.max_pool2d, -np.inf),
    "concat": lambda values, axis, interleave: torch.cat(values, int(axis)),
    "reshape": lambda x, shape: x.reshape(numbers(shape)),
    "slice_by_size": lambda x, begin, size: x[tuple(
        slice(start, start + count) for start, count in zip(numbers(begin), numbers(size)))],
    "upsample_nearest_neighbor": lambda x, scale_factor_height, scale_factor_width: x.repeat_interleave(
        int(scale_factor_height), 2).repeat_interleave(int(scale_factor_width), 3),
    "pixel_shuffle": lambda x, upscale_factor: torch.nn.functional.pixel_shuffle(x, int(upscale_factor)),
    "relu": lambda x: x.clamp(min=0), "relu6": lambda x: x.clamp(0, 6), "sigmoid": lambda x: x.sigmoid(),
    "silu": lambda x: x * x.sigmoid(), "tanh": lambda x: x.tanh(),
    "gelu": lambda x, mode: torch.nn.functional.gelu(x, approximate={"EXACT": "none"}.get(mode, "tanh")),
    "sigmoid_hard": lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1),
    "softmax": lambda x, axis: x.softmax(int(axis)),
    "cast": lambda x, dtype: x,
}


def program(path):
    """A package as coremltools loads it: every operation is built, and its types and shapes are inferred."""
    model = coremltools.models.MLModel(path, skip_model_load=True)
    spec = model.get_spec()
    loaded = load(spec, spec.specificationVersion, os.path.join(path, "Data", "com.apple.CoreML", "weights"))
    return spec, loaded.functions["main"]


def expect_types(spec, function):
    """What is inferred of each value is what the file says."""
    [block] = spec.mlProgram.functions["main"].block_specializations.values()
    said = {output.name: tuple(size.constant.size for size in output.type.tensorType.dimensions)
            for operation in block.operations for output in operation.outputs}
    # Of parameters that are left out, and of scales, it makes constants of its own.
    found = {output.name: output for operation in function.operations for output in operation.outputs}
    expect(found.keys() >= said.keys(), f"there is no {min(said.keys() - found.keys(), default='')}")
    for name, shape in said.items():
        expect(tuple(found[name].shape) == shape, f"{name} is {found[name].shape}, not {shape}")


def run_core_ml(path, images):
    spec, function = program(path)
    expect_types(spec, function)
    results = []
    for image in images:
        values = {"input": array(image[None])}

        def value(argument):
            if isinstance(argument, (list, tuple)):
                return [value(part) for part in argument]
            if argument.name in values:
                return values[argument.name]
            constant = argument.val
            if constant is None:  # int8, and its scales
                constant = argument.op.materialized_val_inference()
            return array(constant) if np.ndim(constant) > 0 and np.asarray(constant).dtype.kind == "f" else constant

        for operation in function.operations:
            if operation.op_type != "const" and not operation.op_type.startswith("constexpr"):
                inputs = {name: value(argument) for name, argument in operation.inputs.items() if argument is not None}
                own = OPERATIONS[operation.op_type]
                known = own.__code__.co_varnames[:own.__code__.co_argcount]
                inputs = {name: given for name, given in inputs.items() if name in known}
                values[operation.outputs[0].name] = own(**inputs)
        results.append(values["output"][0].numpy())
    return np.stack(results)


# MARK: Checks

RUNTIMES = (("ncnn", run_ncnn, "model.param", 1e-5), ("Core ML's program", run_core_ml, "model.mlpackage", 1e-6))


def check(checks, name, subject, command, *more):
    for title, run, file, tolerance in RUNTIMES:
        with checks.check(f"{name}: {title} computes it"):
            subject.expect_same(run, subject.write(command, "--force", *more, name=file), tolerance)


def check_types(checks, fixture, subject):
    for type, formats in (("float16", RUNTIMES), ("int8", RUNTIMES[1:])):
        rvd = checks.output(f"{type}.rvd")
        checks.repconv("fuse", fixture.path, rvd, "--dtype", type)
        reduced = Subject(checks, rvd, subject.images)
        for title, run, file, tolerance in formats:
            with checks.check(f"{fixture.name} as {type}: {title} computes what the .rvd of it gives"):
                reduced.expect_same(run, reduced.write("export", "--force", name=file), tolerance)


def check_weights(checks, fixture, subject):
    """Core ML's own reader of weights finds those of the deploy form, to the bit."""
    deploy = checks.output("deploy.npz")
    checks.repconv("fuse", fixture.path, deploy)
    wanted = load_npz(deploy)
    with checks.check(f"{fixture.name}: the weights of the package are those of the deploy form"):
        path = subject.write("fuse", "--force", name="model.mlpackage")
        reader = _BlobStorageReader(os.path.join(path, "Data/com.apple.CoreML/weights/weight.bin"))
        spec, _ = program(path)
        [block] = spec.mlProgram.functions["main"].block_specializations.values()
        stored = {operation.outputs[0].name: operation.attributes["val"].blobFileValue.offset
                  for operation in block.operations
                  if operation.type == "const" and operation.attributes["val"].HasField("blobFileValue")}
        expect(len(stored) == len(wanted), f"there are {len(stored)}, not {len(wanted)}")
        for name, tensor in wanted.items():
            found = np.asarray(reader.read_float_data(stored[name.replace(".", "_")]), np.float32)
            expect(found.tobytes() == tensor.tobytes(), f"{name} is another")


def main():
    checks = Checks()
    print(f"ncnn {ncnn.__version__}, coremltools {coremltools.__version__}")
    random = np.random.default_rng(0)
    for name in VECTORS:
        subject = Subject(checks, f"{ROOT}/formats/vectors/valid/{name}.rvd", random.standard_normal((2, 3, 12, 12)))
        check(checks, f"{name}.rvd", subject, "export", "--dtype", "float32")
    path, images, _ = repvgg_a0(checks)
    check(checks, "RepVGG-A0", Subject(checks, path, images), "fuse")

    small = {fixture.name: fixture for fixture in fixtures("PyTorch")}
    for name in ("plain-train.pth", "g4-train.pth", "se-train.pth", "plus-train.pth"):
        images, _ = small[name].images_and_logits()
        subject = Subject(checks, small[name].path, images[:4])
        check(checks, name, subject, "fuse")
        check(checks, f"{name} in training form", subject, "export", "--form", "train")
        if name == "se-train.pth":
            check_types(checks, small[name], subject)
            check_weights(checks, small[name], subject)

    for folder, name, path in cases():
        if not os.path.exists(os.path.join(folder, "io.npz")):
            continue
        images = load_npz(os.path.join(folder, "io.npz"))["input0"]
        size = min(images.shape[2:])
        check(checks, name, Subject(checks, path, images[:, :, :size, :size], options(path)), "fuse")
    checks.finish()


if __name__ == "__main__":
    main()
