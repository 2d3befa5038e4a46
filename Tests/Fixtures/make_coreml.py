#!/usr/bin/env python3
"""Writes two networks of formats/vectors as Core ML packages: CoreML/NAME.mlpackage.

    python3 make_coreml.py

What repconv makes of `NAME.rvd` is to be the same to the byte. Messages are of coremltools' own protobuf classes, weights
of its own writer of blobs; the mapping of operations is that of formats/coreml.md, and shares no code with repconv. Every
file is loaded by coremltools, which checks the types of the program. Needs NumPy, onnx (for make_onnx.py) and coremltools
(9.0 was used).
"""
import json
import os
import re
import shutil
import sys
from pathlib import Path

# The faster one puts 'pad_type' before 'pad' where it sorts the keys of maps.
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"

import coremltools
import numpy as np
from coremltools import proto
from coremltools.converters.mil.frontend.milproto.load import load
from coremltools.libmilstoragepython import _BlobStorageWriter

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent.parent / "examples" / "python"))
import rvd  # noqa: E402
from make_onnx import Names, about  # noqa: E402

MIL = proto.MIL_pb2
FLOAT, INT, INT8, BOOL, STRING = MIL.FLOAT32, MIL.INT32, MIL.INT8, MIL.BOOL, MIL.STRING
SIZE = (10, 12)


def value_type(code, shape=()):
    result = MIL.ValueType()
    result.tensorType.dataType, result.tensorType.rank = code, len(shape)
    for size in shape:
        result.tensorType.dimensions.add().constant.size = size
    return result


def immediate(value):
    """A flag, a text, an integer or several."""
    result = MIL.Value()
    tensor = result.immediateValue.tensor
    if isinstance(value, bool):
        result.type.CopyFrom(value_type(BOOL))
        tensor.bools.values.append(value)
    elif isinstance(value, str):
        result.type.CopyFrom(value_type(STRING))
        tensor.strings.values.append(value)
    elif isinstance(value, int):
        result.type.CopyFrom(value_type(INT))
        tensor.ints.values.append(value)
    elif isinstance(value, bytes):
        result.type.CopyFrom(value_type(INT8))
        tensor.bytes.values = value
    else:
        result.type.CopyFrom(value_type(INT, (len(value),)))
        tensor.ints.values.extend(value)
    return result


class Package:
    def __init__(self, file, path):
        self.file, self.entries = file, file.manifest["tensors"]
        self.folder = path / "Data" / "com.apple.CoreML"
        (self.folder / "weights").mkdir(parents=True)
        self.writer = _BlobStorageWriter(str(self.folder / "weights" / "weight.bin"))
        self.block, self.names, self.constants, self.blobs = MIL.Block(), Names(["input", "output"]), {}, {}
        self.opset = "CoreML6" if any("scales" in entry for entry in self.entries) else "CoreML5"

    def operation(self, type, name, code, shape, inputs={}):
        operation = self.block.operations.add(type=type)
        operation.outputs.add(name=name).type.CopyFrom(value_type(code, shape))
        operation.attributes["name"].CopyFrom(immediate(name))
        for parameter, input in inputs.items():
            operation.inputs[parameter].arguments.add(name=input)
        return operation

    def constant(self, value):
        key = repr(value)
        if key not in self.constants:
            name = self.constants[key] = self.names.next("constant")
            stored = immediate(value)
            shape = (len(value),) if isinstance(value, list) else ()
            self.operation("const", name, stored.type.tensorType.dataType, shape).attributes["val"].CopyFrom(stored)
        return self.constants[key]

    def blob(self, index, shape):
        """A tensor in the file of weights."""
        array = self.file.tensors[index].raw() if "scales" in self.entries[index] else self.file.tensors[index].values()
        write = self.writer.write_int8_data if array.dtype == np.int8 else self.writer.write_float_data
        result = MIL.Value()
        result.type.CopyFrom(value_type(INT8 if array.dtype == np.int8 else FLOAT, shape))
        result.blobFileValue.fileName = "@model_path/weights/weight.bin"
        result.blobFileValue.offset = write(array.ravel())
        return result

    def tensor(self, index):
        if index not in self.blobs:
            entry = self.entries[index]
            name = self.blobs[index] = self.names.next(re.sub("[^A-Za-z0-9]", "_", entry["name"]))
            stored = self.blob(index, entry["shape"])
            if "scales" in entry:
                operation = self.operation("constexpr_affine_dequantize", name, FLOAT, entry["shape"])
                scales = self.blob(entry["scales"], entry["shape"][:1])
                for key, value in (("quantized_data", stored), ("scale", scales), ("axis", immediate(0)),
                                   ("zero_point", immediate(b"\0"))):
                    operation.attributes[key].CopyFrom(value)
            else:
                self.operation("const", name, FLOAT, entry["shape"]).attributes["val"].CopyFrom(stored)
        return self.blobs[index]

    def node(self, node, x, shape):
        """The parameters that its operation gets, in the order of their names, and the shape of its value."""
        op = node["op"]
        if op == "convolution":
            pads = [size for size in node["padding"] for _ in range(2)]
            parameters = {"dilations": node["dilation"], "groups": node["groups"], "pad": pads, "pad_type": "custom",
                          "strides": node["stride"]}
            weight = self.entries[node["weight"]]["shape"]
            sizes = [(size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for size, pad, dilation, kernel, stride
                     in zip(shape[2:], node["padding"], node["dilation"], weight[2:], node["stride"])]
            return "conv", {**self.weights(node), **self.all(parameters)}, (1, weight[0], *sizes)
        if op == "linear":
            return "linear", self.weights(node), (1, self.entries[node["weight"]]["shape"][0])
        if op == "global-average-pool":
            return "reduce_mean", self.all({"axes": [2, 3], "keep_dims": True}), (*shape[:2], 1, 1)
        if op == "flatten":
            shape = (1, int(np.prod(shape)))
            return "reshape", self.all({"shape": list(shape)}), shape
        assert op == "relu"
        return "relu", {}, shape

    def weights(self, node):
        weight = self.tensor(node["weight"])
        return {"weight": weight, **({"bias": self.tensor(node["bias"])} if "bias" in node else {})}

    def all(self, parameters):
        return {name: self.constant(value) for name, value in parameters.items()}

    def finish(self):
        channels = self.entries[self.file.manifest["graph"][0]["weight"]]["shape"][1]
        first, x = (1, channels, *SIZE), "input"
        shape = first
        for node in self.file.manifest["graph"]:
            type, parameters, shape = self.node(node, x, shape)
            owner = re.sub("[^A-Za-z0-9]", "_", node["block"] + "_") if "block" in node else ""
            last = self.operation(type, self.names.next(owner + type), FLOAT, shape, {**parameters, "x": x})
            x = last.outputs[0].name
        last.outputs[0].name = "output"
        last.attributes["name"].CopyFrom(immediate("output"))
        self.block.outputs.append("output")

        model = proto.Model_pb2.Model(specificationVersion=7 if self.opset == "CoreML6" else 6)
        for list, name, sizes in ((model.description.input, "input", first), (model.description.output, "output", shape)):
            array = list.add(name=name).type.multiArrayType
            array.shape.extend(sizes)
            array.dataType = proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT32
        metadata = model.description.metadata
        for key, text in about(self.file).items():
            metadata.userDefined[key] = text
        model.mlProgram.version = 1
        function = model.mlProgram.functions["main"]
        function.opset = self.opset
        function.inputs.add(name="input").type.CopyFrom(value_type(FLOAT, first))
        function.block_specializations[self.opset].CopyFrom(self.block)
        (self.folder / "model.mlmodel").write_bytes(model.SerializeToString(deterministic=True))
        return metadata.userDefined["content_sha256"]


def manifest(content):
    """Items are called by UUIDs of version 8, made of the content digest's two halves."""
    model, weights = (f"{half[:8]}-{half[8:12]}-8{half[13:16]}-a{half[17:20]}-{half[20:]}"
                      for half in (content[:32], content[32:]))
    items = {key: {"author": "com.apple.CoreML", "description": f"CoreML Model {what}", "name": name,
                   "path": f"com.apple.CoreML/{name}"}
             for key, what, name in sorted(((model, "Specification", "model.mlmodel"), (weights, "Weights", "weights")))}
    text = json.dumps({"fileFormatVersion": "1.0.0", "itemInfoEntries": items, "rootModelIdentifier": model}, indent=4)
    return text + "\n"


def main():
    for name in ("chain", "quantized"):
        path = HERE / "CoreML" / f"{name}.mlpackage"
        shutil.rmtree(path, ignore_errors=True)
        with rvd.open(HERE.parent.parent / "formats" / "vectors" / "valid" / f"{name}.rvd") as file:
            package = Package(file, path)
            content = package.finish()
            del package.writer
        (path / "Manifest.json").write_text(manifest(content))
        spec = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec()
        load(spec, spec.specificationVersion, str(package.folder / "weights"))
        print(path.name)


if __name__ == "__main__":
    main()
