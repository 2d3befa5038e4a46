#!/usr/bin/env python3
"""Writes the networks of formats/vectors as ONNX files with ONNX's own library: ONNXVectors/NAME-OPSET.onnx.

    python3 make_onnx.py

What repconv makes of `NAME.rvd` is to be the same to the byte. The mapping of operations is that of formats/onnx.md; it
shares no code with repconv. Needs NumPy, onnx (1.23.2 was used) and onnxruntime (1.31.1), which has to load every file.
"""
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "examples" / "python"))
sys.dont_write_bytecode = True
import rvd  # noqa: E402

FILES = [("chain", 13), ("metadata", 17), ("residual", 13), ("quantized", 13), ("operations", 11), ("operations", 13),
         ("operations", 20)]
FORMAT_VERSIONS = {11: 6, 13: 7, 17: 8, 20: 9}
SIZE = (10, 12)
SIMPLE = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "add": "Add", "multiply": "Mul",
          "global-average-pool": "GlobalAveragePool"}
TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int8): TensorProto.INT8,
         np.dtype(np.int64): TensorProto.INT64}


class Names:
    """Each once: of a wanted name that is taken, the next with a number."""

    def __init__(self, taken):
        self.taken = set(taken)

    def next(self, wanted):
        name, number = wanted, 0
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        return name


class Model:
    def __init__(self, file, opset):
        self.file, self.opset = file, opset
        self.manifest = file.manifest
        self.entries = self.manifest["tensors"]
        self.nodes, self.initializers, self.taken = [], [], {}
        self.names = Names([entry["name"] for entry in self.entries] + ["input", "output"])
        self.values, self.ranks = ["input"], [4]

    def node(self, operation, *inputs, owner=None, **attributes):
        owner = owner or self.block
        name = self.names.next(f"{owner}/{operation}" if owner else operation)
        self.nodes.append(helper.make_node(operation, inputs, [name], name, **attributes))
        return name

    def initializer(self, key, name, array):
        """An array under a name that is in use or not, once."""
        if key not in self.taken:
            self.taken[key] = name
            self.initializers.append(
                helper.make_tensor(name, TYPES[array.dtype], array.shape, array.tobytes(), raw=True))
        return self.taken[key]

    def constant(self, name, array):
        key = ("constant", name, array.tobytes())
        return self.taken.get(key) or self.initializer(key, self.names.next("constant/" + name), array)

    def integers(self, name, *numbers):
        """A vector of integers, under the name that it first got."""
        array = np.array(numbers, np.int64)
        key = ("integers", array.tobytes())
        return self.taken.get(key) or self.initializer(key, self.names.next("constant/" + name), array)

    def number(self, value):
        return self.constant(str(float(value)), np.float32(value))

    def tensor(self, index, shape=None):
        if index is None:
            return []
        entry = self.entries[index]
        if shape:
            return [self.initializer((index, shape), entry["name"], self.file.tensors[index].values().reshape(shape))]
        if "scales" not in entry:
            return [self.initializer(index, entry["name"], self.file.tensors[index].values())]
        name = self.initializer(
            index, entry["name"], self.file.tensors[index].raw())
        if ("weights", index) not in self.taken:
            scales = self.entries[entry["scales"]]["name"]
            self.initializer(entry["scales"], scales, self.file.tensors[entry["scales"]].values())
            self.taken["weights", index] = self.node("DequantizeLinear", name, scales, owner=name, axis=0)
        return [self.taken["weights", index]]

    def channels(self, index, rank):
        """One number for each channel beside a value of so many axes, or one for all."""
        array = self.file.tensors[index].values()
        if rank == 4 and len(array) > 1:
            array = array.reshape(-1, 1, 1)
        name = self.entries[index]["name"]
        key = (index, array.shape) if array.ndim > 1 else index
        if key not in self.taken and any(t.name == name for t in self.initializers):
            name = self.names.next(name)
        return self.initializer(key, name, array)

    def add(self, node):
        x, rank = [self.values[v] for v in node["inputs"]], self.ranks[node["inputs"][0]]
        self.block = node.get("block")
        op = node["op"]
        if op in SIMPLE:
            value = self.node(SIMPLE[op], *x)
        else:
            value = getattr(self, op.replace("-", "_"))(node, rank, *x)
        self.values.append(value)
        self.ranks.append(2 if op == "flatten" else rank)

    # MARK: Operations

    def convolution(self, node, rank, x):
        shape = self.entries[node["weight"]]["shape"]
        return self.node(
            "Conv", x, *self.tensor(node["weight"]), *self.tensor(node.get("bias")), dilations=node["dilation"],
            group=node["groups"], kernel_shape=shape[2:], pads=node["padding"] * 2, strides=node["stride"])

    def linear(self, node, rank, x):
        if rank == 4:
            shape = (*self.entries[node["weight"]]["shape"], 1, 1)
            return self.node("Conv", x, *self.tensor(node["weight"], shape), *self.tensor(node.get("bias")),
                             dilations=[1, 1], group=1, kernel_shape=[1, 1], pads=[0] * 4, strides=[1, 1])
        return self.node("Gemm", x, *self.tensor(node["weight"]), *self.tensor(node.get("bias")),
                         alpha=1.0, beta=1.0, transB=1)

    def batch_norm(self, node, rank, x):
        vectors = [name for key in ("gamma", "beta", "mean", "variance") for name in self.tensor(node[key])]
        return self.node("BatchNormalization", x, *vectors, epsilon=node["epsilon"])

    def reduce(self, operation, x, *axes):
        if self.opset < 18:
            return self.node(operation, x, axes=axes, keepdims=1)
        return self.node(operation, x, self.integers("axes", *axes), keepdims=1)

    def layer_norm(self, node, rank, x):
        centred = self.node("Sub", x, self.reduce("ReduceMean", x, 1))
        variance = self.reduce("ReduceMean", self.node("Mul", centred, centred), 1)
        deviation = self.node("Sqrt", self.node("Add", variance, self.number(node["epsilon"])))
        value = self.node("Mul", self.node("Div", centred, deviation), self.channels(node["gamma"], rank))
        return self.node("Add", value, self.channels(node["beta"], rank))

    def global_response_norm(self, node, rank, x):
        lengths = self.reduce("ReduceL2", x, 2, 3)
        mean = self.node("Add", self.reduce("ReduceMean", lengths, 1), self.number(node["epsilon"]))
        factors = self.node("Mul", self.node("Div", lengths, mean), self.channels(node["gamma"], rank))
        value = self.node("Mul", x, self.node("Add", factors, self.number(1)))
        return self.node("Add", value, self.channels(node["beta"], rank)) if "beta" in node else value

    def attention(self, node, rank, x):
        channels, height, width = self.shape(x)
        heads, third = node["heads"], channels // 3

        def part(index):
            sliced = self.node("Slice", x, self.integers("from", index * third),
                               self.integers("to", (index + 1) * third), self.integers("axis", 1))
            return self.node("Reshape", sliced, self.integers("heads", 0, heads, third // heads, height * width))

        scale = self.number(1 / (third / heads) ** 0.5)
        queries = self.node("Transpose", part(0), perm=[0, 1, 3, 2])
        scores = self.node("MatMul", self.node("Mul", queries, scale), part(1))
        shares = self.node("Softmax", scores, axis=3)
        values = part(2)
        sums = self.node("MatMul", values, self.node("Transpose", shares, perm=[0, 1, 3, 2]))
        return self.node("Reshape", sums, self.integers("map", 0, third, height, width))

    def shape(self, value):
        """Channels, height and width of a value, by ONNX's own inference."""
        graph = onnx.GraphProto(
            node=self.nodes, name="so far", initializer=self.initializers,
            input=[helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, *SIZE])],
            output=[helper.make_tensor_value_info(value, TensorProto.FLOAT, None)])
        model = onnx.ModelProto(ir_version=FORMAT_VERSIONS[self.opset], graph=graph,
                                opset_import=[onnx.OperatorSetIdProto(version=self.opset)])
        found = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.output[0]
        return [d.dim_value for d in found.type.tensor_type.shape.dim][1:]

    def scale(self, node, rank, x):
        value = self.node("Mul", x, self.channels(node["factor"], rank))
        return self.node("Add", value, self.channels(node["shift"], rank)) if "shift" in node else value

    def prelu(self, node, rank, x):
        return self.node("PRelu", x, self.channels(node["slope"], rank))

    def relu6(self, node, rank, x):
        return self.node("Clip", x, self.number(0), self.number(6))

    def silu(self, node, rank, x):
        return self.node("Mul", x, self.node("Sigmoid", x))

    def gelu(self, node, rank, x):
        if self.opset >= 20:
            return self.node("Gelu", x, approximate="none")
        value = self.node("Erf", self.node("Div", x, self.number(2 ** 0.5)))
        return self.node("Mul", self.node("Mul", x, self.node("Add", value, self.number(1))), self.number(0.5))

    def gelu_tanh(self, node, rank, x):
        if self.opset >= 20:
            return self.node("Gelu", x, approximate="tanh")
        cube = self.node("Mul", x, self.node("Mul", x, x))
        inner = self.node("Add", x, self.node("Mul", self.number(0.044715), cube))
        value = self.node("Tanh", self.node("Mul", self.number((2 / np.pi) ** 0.5), inner))
        return self.node("Mul", self.number(0.5), self.node("Mul", x, self.node("Add", self.number(1), value)))

    def hard_sigmoid(self, node, rank, x):
        return self.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)

    def hard_swish(self, node, rank, x):
        return self.node("HardSwish", x) if self.opset >= 14 else self.node("Mul", x, self.hard_sigmoid(node, rank, x))

    def softmax(self, node, rank, x):
        assert rank == 2
        return self.node("Softmax", x, axis=1)

    def max_pool(self, node, rank, x):
        return self.node("MaxPool", x, kernel_shape=node["kernel"], pads=node["padding"] * 2, strides=node["stride"])

    def average_pool(self, node, rank, x):
        if node["padding"] != [0, 0]:
            x = self.node("Pad", x, self.integers("padding", *([0, 0, *node["padding"]] * 2)), mode="constant")
        return self.node("AveragePool", x, kernel_shape=node["kernel"], pads=[0] * 4, strides=node["stride"])

    def concatenate(self, node, rank, *x):
        return self.node("Concat", *x, axis=1)

    def flatten(self, node, rank, x):
        return self.node("Flatten", x, axis=1)

    def upsample_nearest(self, node, rank, x):
        region = self.constant("nothing", np.zeros(0, np.float32)) if self.opset < 13 else ""
        factors = self.constant("factors", np.array([1, 1, *node["factor"]], np.float32))
        return self.node("Resize", x, region, factors, coordinate_transformation_mode="asymmetric", mode="nearest",
                         nearest_mode="floor")

    def pixel_shuffle(self, node, rank, x):
        return self.node("DepthToSpace", x, blocksize=node["factor"], mode="CRD")

    # MARK: The file

    def proto(self):
        for node in self.manifest["graph"]:
            self.add(node)
        self.nodes[-1].output[0] = "output"
        model = onnx.ModelProto(
            ir_version=FORMAT_VERSIONS[self.opset], producer_name="make_onnx.py", producer_version="1",
            opset_import=[onnx.OperatorSetIdProto(version=self.opset)],
            graph=onnx.GraphProto(
                node=self.nodes, name=self.manifest.get("architecture", "network"), initializer=self.initializers,
                input=[helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, *SIZE])]))
        model.graph.output.append(
            helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", *self.shape("output")]))
        helper.set_model_props(model, about(self.file))
        return model


def about(file):
    """What is known of a network, as files of other formats say it."""
    known = {key: value for key, value in file.manifest.items() if key not in ("tensors", "graph", "content")}
    return {"content_sha256": file.manifest["content"]["sha256"],
            **({"repconv": canonical({**known, "version": 1})} if known else {})}


def canonical(value):
    """JSON as RFC 8785 has it, of what these manifests consist of: keys in the order of their UTF-16 code units."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        assert value >= 1e-6
        return np.format_float_positional(value, trim="-")
    return json.dumps(value, ensure_ascii=False)


def main():
    for name, opset in FILES:
        with rvd.open(HERE.parent.parent / "formats" / "vectors" / "valid" / f"{name}.rvd") as file:
            model = Model(file, opset).proto()
        onnx.checker.check_model(model, full_check=True)
        path = HERE / "ONNXVectors" / f"{name}-{opset}.onnx"
        path.write_bytes(model.SerializeToString())
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
