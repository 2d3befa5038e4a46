#!/usr/bin/env python3
"""Writes the test vectors of formats/rvd.md, from that page alone.

    python3 make_vectors.py            write vectors.json, numbers.txt, valid/ and invalid/
    python3 make_vectors.py --check    compare them with what would be written
    python3 make_vectors.py --example  print the example of the specification

Needs nothing but the standard library, and shares no code with repconv.
"""

import copy
import hashlib
import json
import random
import struct
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
MAGIC = bytes.fromhex("89 52 56 44 0D 0A 1A 0A")


# Canonical JSON (section "Manifest"). Python's repr finds the shortest digits; only setting them
# differs from ECMAScript.

def number(value):
    if isinstance(value, int):
        assert abs(value) < 2**53
        return str(value)
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    n = len(whole) + int(exponent or 0)
    digits = whole + fraction
    n -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    k = len(digits)
    sign = "-" if value < 0 else ""
    if k <= n <= 21:
        return sign + digits + "0" * (n - k)
    if 0 < n <= 21:
        return sign + digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return sign + "0." + "0" * -n + digits
    rest = "." + digits[1:] if k > 1 else ""
    return sign + digits[0] + rest + "e" + ("+" if n > 0 else "-") + str(abs(n - 1))


def string(text):
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    return '"' + "".join(
        short.get(c) or ("\\u%04x" % ord(c) if ord(c) < 32 else c) for c in text) + '"'


def canonical(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(string(key) + ":" + canonical(value[key]) for key in keys) + "}"


# Tensors.

SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1,
    "bool": 1, "complex64": 8, "complex128": 16,
}


class Tensor:
    def __init__(self, name, type, shape, data, role=None):
        self.name, self.type, self.shape, self.data, self.role = name, type, shape, data, role
        count = 1
        for size in shape:
            count *= size
        assert len(data) == count * SIZES[type], name


def floats(name, shape, role=None, type="float32", start=0):
    """Small multiples of 1/8, which every floating-point type holds exactly."""
    count = 1
    for size in shape:
        count *= size
    values = [((start + 5 * i) % 17 - 8) / 8 for i in range(count)]
    if type == "bfloat16":
        data = b"".join(struct.pack("<f", value)[2:] for value in values)
    else:
        code = {"float64": "d", "float32": "f", "float16": "e"}[type]
        data = struct.pack("<%d%s" % (count, code), *values)
    return Tensor(name, type, shape, data, role)


def digest(tensors):
    """Section "Content digest"."""
    parts = []
    for tensor in sorted(tensors, key=lambda tensor: tensor.name.encode()):
        name, type = tensor.name.encode(), tensor.type.encode()
        text = struct.pack("<Q", len(name)) + name + struct.pack("<Q", len(type)) + type
        text += struct.pack("<Q", len(tensor.shape))
        text += b"".join(struct.pack("<Q", size) for size in tensor.shape)
        parts.append(hashlib.sha256(text + tensor.data).digest())
    return hashlib.sha256(b"".join(parts)).hexdigest()


# Files.

def align(offset):
    return -(-offset // 64) * 64


def entries(tensors):
    """The member `tensors` of the manifest, and the bytes between header and manifest."""
    result, data = [], b""
    for tensor in tensors:
        data += bytes(align(len(data)) - len(data))
        entry = {
            "name": tensor.name, "type": tensor.type, "shape": tensor.shape, "codec": "raw",
            "offset": 64 + len(data), "bytes": len(tensor.data), "storedBytes": len(tensor.data),
            "crc32": "%08x" % zlib.crc32(tensor.data),
        }
        if tensor.role:
            entry["role"] = tensor.role
        layout = {"kernel": "OIHW", "weight": "OI"}.get(tensor.role)
        if layout:
            entry["layout"] = layout
        result.append(entry)
        data += tensor.data
    return result, data + bytes(align(len(data)) - len(data))


def header(text, data, version=1, minimum=1, flags=0, reserved=bytes(16), manifest_offset=None,
           manifest_length=None, manifest_crc=None):
    manifest_offset = 64 + len(data) if manifest_offset is None else manifest_offset
    manifest_length = len(text) if manifest_length is None else manifest_length
    manifest_crc = zlib.crc32(text) if manifest_crc is None else manifest_crc
    start = MAGIC + struct.pack(
        "<IIQQQI", version, minimum, flags, manifest_offset, manifest_length, manifest_crc) + reserved
    return start + struct.pack("<I", zlib.crc32(start))


def file(text, data, **fields):
    """A file of any manifest text and data, with the checksums that belong to them."""
    return header(text, data, **fields) + data + text


class Model:
    def __init__(self, tensors, **members):
        self.tensors = tensors
        described, self.data = entries(tensors)
        self.manifest = copy.deepcopy(
            dict(members, tensors=described, content={"sha256": digest(tensors)}))

    @property
    def text(self):
        return canonical(self.manifest).encode()

    def file(self, **fields):
        return file(self.text, self.data, **fields)


# Valid files.

def provenance(**changes):
    return dict({
        "sourceSHA256": hashlib.sha256(b"a checkpoint").hexdigest(), "container": "PyTorch zip",
        "dialect": "official", "epsilons": [1e-05], "arithmetic": "float64, rounded once",
        "tool": "make_vectors.py 1",
    }, **changes)


class Graph:
    """Nodes that refer to tensors by index, given their names."""

    def __init__(self, tensors):
        self.index = {tensor.name: i for i, tensor in enumerate(tensors)}
        self.nodes = []

    def node(self, op, *inputs, block=None, **members):
        """Appends a node, which takes the last value unless told otherwise, and returns its value. A
        member that is a name of a tensor becomes its index."""
        node = {"op": op, "inputs": list(inputs) if inputs else [len(self.nodes)]}
        for key, value in members.items():
            node[key] = self.index[value] if isinstance(value, str) else value
        if block:
            node["block"] = block
        self.nodes.append(node)
        return len(self.nodes)

    def convolution(self, name, *inputs, stride=(1, 1), padding=(1, 1), dilation=(1, 1), groups=1,
                    bias=True, block=None):
        members = {"bias": name + ".bias"} if bias else {}
        return self.node(
            "convolution", *inputs, weight=name + ".weight", stride=list(stride),
            padding=list(padding), dilation=list(dilation), groups=groups, block=block, **members)


IMAGENET = {"channelOrder": "RGB", "scale": 1, "mean": [0.485, 0.456, 0.406],
            "standardDeviation": [0.229, 0.224, 0.225], "size": 224}


def minimal():
    return Model([Tensor("b", "float32", [2], struct.pack("<ff", 1, -2))])


def chain(**members):
    """Convolutions, pooling and a linear layer: a network that is no RepVGG."""
    tensors = [
        floats("stem.weight", [4, 3, 3, 3], "kernel"), floats("stem.bias", [4], "bias", start=3),
        floats("body.weight", [4, 2, 3, 1], "kernel", start=1), floats("body.bias", [4], "bias"),
        floats("head.weight", [5, 4], "weight", start=2), floats("head.bias", [5], "bias"),
    ]
    graph = Graph(tensors)
    graph.convolution("stem", stride=(2, 2), block="stem")
    graph.node("relu", block="stem")
    graph.convolution(
        "body", stride=(2, 1), padding=(2, 0), dilation=(2, 1), groups=2, block="body")
    graph.node("relu", block="body")
    graph.node("global-average-pool")
    graph.node("flatten")
    graph.node("linear", weight="head.weight", bias="head.bias")
    return Model(tensors, **dict(dict(
        architecture="Chain-2", classes=5, input=IMAGENET, provenance=provenance(),
        graph=graph.nodes), **members))


def attention(**members):
    """Squeeze-and-Excitation, of nodes that there are anyhow; mixed types."""
    tensors = [
        floats("stage0.weight", [6, 3, 1, 1], "kernel"),
        floats("stage0.bias", [6], "bias", type="float64"),
        floats("stage0.se.down.weight", [2, 6, 1, 1], "kernel", type="float16"),
        floats("stage0.se.down.bias", [2], "bias"),
        floats("stage0.se.up.weight", [6, 2, 1, 1], "kernel", type="bfloat16"),
        floats("stage0.se.up.bias", [6], "bias"),
    ]
    graph = Graph(tensors)
    stage = graph.convolution("stage0", padding=(0, 0))
    graph.node("global-average-pool")
    graph.convolution("stage0.se.down", padding=(0, 0))
    graph.node("relu")
    graph.convolution("stage0.se.up", padding=(0, 0))
    gate = graph.node("sigmoid")
    graph.node("multiply", stage, gate)
    graph.node("relu")
    return Model(tensors, **dict(dict(
        input={"channelOrder": "BGR", "scale": 255, "mean": [103.53, 116.28, 123.675],
               "standardDeviation": [57.375, 57.12, 58.395]},
        provenance=provenance(epsilons=[1e-06, 0.001]), graph=graph.nodes), **members))


def residual(**members):
    """A graph with branches: a sum, a gate of each channel, and values taken twice."""
    tensors = [
        floats("stem.weight", [4, 3, 3, 3], "kernel"),
        floats("left.weight", [4, 1, 3, 3], "kernel", start=1), floats("left.bias", [4], "bias"),
        floats("right.weight", [4, 4, 1, 1], "kernel", start=2),
        floats("out.weight", [2, 8, 1, 1], "kernel", start=4), floats("out.bias", [2], "bias"),
    ]
    graph = Graph(tensors)
    stem = graph.convolution("stem", bias=False, block="stem")
    left = graph.convolution("left", stem, groups=4, block="body")
    right = graph.convolution("right", stem, padding=(0, 0), bias=False, block="body")
    total = graph.node("add", left, right, block="body")
    pooled = graph.node("global-average-pool", total, block="body")
    gated = graph.node("multiply", pooled, total, block="body")
    joined = graph.node("concatenate", gated, stem)
    graph.convolution("out", joined, padding=(0, 0))
    return Model(tensors, **dict(dict(graph=graph.nodes), **members))


def operations(**members):
    """A graph with every operation."""
    tensors = [
        floats("a.weight", [8, 3, 3, 3], "kernel"), floats("a.bias", [8], "bias"),
        floats("slope", [8], "slope", start=2), floats("gamma", [8], "factor", start=1),
        floats("beta", [8], "shift", start=3), floats("one", [1], "factor", start=12),
        floats("b.weight", [8, 8, 1, 1], "kernel", start=5),
        floats("head.weight", [8, 4], "weight", start=7),
    ]
    graph = Graph(tensors)
    graph.convolution("a", stride=(2, 2))
    graph.node("prelu", slope="slope")
    graph.node("scale", factor="gamma", shift="beta")
    graph.node("relu6")
    graph.node("scale", factor="one")
    graph.node("gelu")
    graph.node("max-pool", kernel=[3, 2], stride=[2, 1], padding=[1, 0])
    graph.node("gelu-tanh")
    left = graph.convolution("b", padding=(0, 0), bias=False)
    graph.node("hard-swish")
    right = graph.node("average-pool", kernel=[3, 3], stride=[1, 1], padding=[1, 1])
    total = graph.node("add", left, right)
    graph.node("silu")
    shuffled = graph.node("pixel-shuffle", factor=2)
    graph.node("upsample-nearest", total, factor=[2, 2])
    graph.node("global-average-pool")
    graph.node("hard-sigmoid")
    graph.node("flatten")
    shares = graph.node("softmax")
    graph.node("tanh", shuffled)
    graph.node("concatenate", shuffled, len(graph.nodes))
    graph.node("sigmoid")
    graph.node("relu")
    graph.node("global-average-pool")
    graph.node("flatten")
    scores = graph.node("linear", weight="head.weight")
    graph.node("multiply", shares, scores)
    return Model(tensors, **dict(dict(classes=8, graph=graph.nodes), **members))


def types():
    """Every element type, without a graph; scalars, tensors without elements, and names that sort
    and compare in ways of their own."""
    tensors = [Tensor("num_batches_tracked", "int64", [], struct.pack("<q", -(2**62) - 1))]
    for name, size in SIZES.items():
        data = bytes((7 * i + len(name)) % 256 for i in range(3 * size))
        tensors.append(Tensor("type." + name, name, [3, 1], data))
    tensors += [
        Tensor("empty in the middle", "float32", [3, 0, 2], b""),
        Tensor("deep", "uint8", [1] * 64, b"\x2a"),
        Tensor("e\u0301", "uint8", [1], b"\x01"),      # decomposed
        Tensor("\u00e9", "uint8", [1], b"\x02"),        # composed
        Tensor("\U0001F600", "uint8", [1], b"\x03"),    # after the next by UTF-8, before by UTF-16
        Tensor("\uFB33", "uint8", [1], b"\x04"),
        Tensor('"\\/\b\t\n\f\r\u0001\u001f\u007f', "uint8", [1], b"\x05"),
        Tensor("empty at the end", "int64", [0], b""),
    ]
    return Model(tensors, provenance=provenance(epsilons=[], dialect="d\u00e9j\u00e0 vu"))


def aligned():
    """The last tensor ends at a multiple of 64, so that no padding precedes the manifest."""
    return Model(
        [Tensor("b", "uint8", [1], b"\xff"), Tensor("a", "uint8", [64], bytes(range(64)))],
        provenance=provenance())


def later():
    """What a later version may add without raising the minimum reader version."""
    model = chain()
    for part in (model.manifest, model.manifest["tensors"][0], model.manifest["graph"][0],
                 model.manifest["input"], model.manifest["provenance"], model.manifest["content"]):
        part["a later member"] = [None, True, {"number": -1.5e-07}]
    return model


VALID = {
    # name: (model, fields of the header, whether a writer of version 1 writes it, about)
    "minimal": (minimal(), {}, True, "one tensor and no optional member: the specification's example"),
    "empty": (Model([], provenance=provenance(epsilons=[])), {}, True, "no tensors"),
    "types": (types(), {}, True, "every element type, a scalar, tensors without elements, odd names"),
    "aligned": (aligned(), {}, True, "no padding before the manifest"),
    "chain": (chain(), {}, True, "convolutions, pooling and a linear layer, with all metadata"),
    "squeeze-excitation": (attention(), {}, True, "a gate of channels, mixed types"),
    "residual": (residual(), {}, True, "values that are taken twice, summed, multiplied, concatenated"),
    "operations": (operations(), {}, True, "every operation"),
    "later": (later(), {"version": 2}, False, "format version 2, minimum 1, unknown members"),
}


# Invalid files: one rule broken in each.

def invalid():
    def flip(data, offset, mask=1):
        return data[:offset] + bytes([data[offset] ^ mask]) + data[offset + 1:]

    base = minimal()
    good = base.file()
    start = 64 + len(base.data)

    yield "zip", "not-rvd", b"PK\x03\x04" + good[4:]
    yield "text-mode", "not-rvd", good.replace(b"\r\n", b"\n", 1)
    yield "seven-bit", "not-rvd", bytes(byte & 127 for byte in good[:8]) + good[8:]
    yield "cut-in-header", "truncated", good[:40]
    yield "cut-after-header", "truncated", good[:64]
    yield "cut-in-data", "truncated", good[:68]
    yield "cut-in-padding", "truncated", good[:start - 1]
    yield "cut-before-manifest", "truncated", good[:start]
    yield "cut-in-manifest", "truncated", good[:-1]
    yield "manifest-offset-huge", "truncated", base.file(manifest_offset=2**64 - 64)
    yield "one-byte-more", "trailing-bytes", good + b"\0"
    yield "header-bit", "header-checksum", flip(good, 32)
    yield "header-checksum-bit", "header-checksum", flip(good, 63, 128)
    yield "needs-version-2", "unsupported-version", base.file(version=2, minimum=2)
    yield "minimum-zero", "header-invalid", base.file(minimum=0)
    yield "minimum-above-version", "header-invalid", base.file(version=0)
    yield "flags", "header-invalid", base.file(flags=1 << 63)
    yield "reserved", "header-invalid", base.file(reserved=bytes(15) + b"\1")
    yield "manifest-offset-not-aligned", "header-invalid", file(base.text, base.data[:-8])
    yield "manifest-in-header", "header-invalid", base.file(manifest_offset=0)
    yield "manifest-too-long", "header-invalid", base.file(manifest_length=2**24 + 1)
    yield "manifest-bit", "manifest-checksum", flip(good, start + base.text.index(b"float32"))
    yield "manifest-checksum-bit", "manifest-checksum", base.file(manifest_crc=0)
    yield "padding-before-manifest", "padding", flip(good, start - 1)
    yield "tensor-bit", "tensor-checksum", flip(good, 64 + 7, 128)

    # Manifest text that is not canonical, or not JSON.
    text = base.text

    def syntax(name, old, new):
        assert old in text, name
        return name, "manifest-syntax", file(text.replace(old, new, 1), base.data)

    yield syntax("space", b'"offset":', b'"offset": ')
    yield "line-feed-at-end", "manifest-syntax", file(text + b"\n", base.data)
    yield syntax("keys-unsorted", b'"bytes":8,"codec":"raw"', b'"codec":"raw","bytes":8')
    yield syntax("key-twice", b'"codec":"raw",', b'"codec":"raw","codec":"raw",')
    by_utf_8 = text[:-1] + ',"\uFB33":1,"\U0001F600":2}'.encode()
    yield "keys-by-utf-8", "manifest-syntax", file(by_utf_8, base.data)
    yield syntax("number-with-point", b'"bytes":8', b'"bytes":8.0')
    yield syntax("number-with-exponent", b'"bytes":8', b'"bytes":8e0')
    yield syntax("number-leading-zero", b'"bytes":8', b'"bytes":08')
    yield syntax("number-minus-zero", b'"bytes":8', b'"a":-0,"bytes":8')
    yield syntax("number-not-shortest", b'"bytes":8', b'"a":0.10000000000000001,"bytes":8')
    yield syntax("number-short-exponent", b'"bytes":8', b'"a":1e-7000,"bytes":8')
    yield syntax("number-python", b'"bytes":8', b'"a":1e-05,"bytes":8')
    yield syntax("number-inexact", b'"bytes":8', b'"a":9007199254740993,"bytes":8')
    yield syntax("number-infinite", b'"bytes":8', b'"a":1e999,"bytes":8')
    yield syntax("number-nan", b'"bytes":8', b'"a":NaN,"bytes":8')
    yield syntax("escape-of-letter", b'"raw"', b'"r\\u0061w"')
    yield syntax("escape-of-solidus", b'"name":"b"', b'"name":"b\\/"')
    yield syntax("escape-not-short", b'"name":"b"', b'"name":"b\\u000a"')
    yield syntax("escape-upper-case", b'"name":"b"', b'"name":"b\\u001F"')
    yield syntax("escape-surrogate", b'"name":"b"', b'"name":"b\\ud800"')
    yield syntax("control-character", b'"name":"b"', b'"name":"b\x01"')
    yield syntax("utf-8-overlong", b'"name":"b"', b'"name":"b\xc0\x80"')
    yield syntax("utf-8-surrogate", b'"name":"b"', b'"name":"b\xed\xa0\x80"')
    yield syntax("byte-order-mark", b'{"content"', b'\xef\xbb\xbf{"content"')
    yield syntax("comma-at-end", b'"type":"float32"}]', b'"type":"float32"},]')
    yield syntax("comma-missing", b'"codec":"raw",', b'"codec":"raw"')
    yield syntax("single-quotes", b'"raw"', b"'raw'")
    yield "manifest-cut", "manifest-syntax", file(text[:-1], base.data)
    yield "manifest-empty", "manifest-syntax", file(b"", base.data)
    deep = b'"a":' + b"[" * 32 + b"]" * 32 + b","
    yield "too-deep", "manifest-syntax", file(b"{" + deep + text[1:], base.data)

    # Manifests that say something wrong.
    def change(name, expected, make, edit):
        model = make()
        edit(model.manifest)
        return name, expected, model.file()

    def tensor(label, expected="manifest-invalid", /, **members):
        def edit(manifest):
            manifest["tensors"][0].update(members)
            for key in [key for key, value in members.items() if value is ...]:
                del manifest["tensors"][0][key]
        return change(label, expected, minimal, edit)

    for member in ("name", "type", "shape", "codec", "offset", "storedBytes", "bytes", "crc32"):
        yield tensor("tensor-without-" + member, **{member: ...})
    yield tensor("name-empty", name="")
    yield tensor("name-number", name=1)
    yield tensor("role-null", role=None)
    yield tensor("shape-fraction", shape=[1.5])
    yield tensor("shape-negative", shape=[-2, -1])
    yield tensor("shape-string", shape="2")
    yield tensor("shape-2-to-53", shape=[0, 2.0**53], bytes=0, storedBytes=0)
    yield tensor("shape-overflow", shape=[2**32, 2**32], bytes=0, storedBytes=0)
    yield tensor("shape-overflow-bytes", shape=[2**31, 2**31], bytes=0, storedBytes=0)
    yield tensor("shape-65-axes", shape=[1] * 64 + [2])
    yield tensor("bytes-wrong", bytes=4)
    yield tensor("stored-bytes-wrong", storedBytes=4)
    yield tensor("crc-upper-case", crc32=minimal().manifest["tensors"][0]["crc32"].upper())
    yield tensor("crc-short", crc32="0")
    yield tensor("layout-axes", layout="OIHW")
    yield tensor("layout-unknown", "unsupported-layout", layout="HWIO")
    yield tensor("type-unknown", "unsupported-type", type="float4_e2m1")
    yield tensor("codec-unknown", "unsupported-codec", codec="planes-deflate")
    yield tensor("offset-not-aligned", "placement", offset=68)
    yield tensor("offset-in-header", "placement", offset=0)
    yield tensor("offset-beyond", "placement", offset=128)

    def top(label, expected="manifest-invalid", /, **members):
        def edit(manifest):
            manifest.update(members)
            for key in [key for key, value in members.items() if value is ...]:
                del manifest[key]
        return change(label, expected, minimal, edit)

    yield "manifest-array", "manifest-invalid", file(b"[]", b"")
    yield top("no-tensors", tensors=...)
    yield top("tensors-object", tensors={})
    yield top("tensors-of-strings", tensors=["b"])
    yield top("no-content", content=...)
    yield top("content-short", content={"sha256": minimal().manifest["content"]["sha256"][:-1]})
    yield top("content-upper-case", content={"sha256": "A" * 64})
    yield top("content-other", "content", content={"sha256": "0" * 64})
    yield top("architecture-null", architecture=None)
    yield top("classes-zero", classes=0)
    yield top("classes-string", classes="10")
    for name, members in {
        "channel-order": {"channelOrder": "GBR"}, "scale-zero": {"scale": 0},
        "mean-of-two": {"mean": [0.5, 0.5]}, "deviation-zero": {"standardDeviation": [1, 0, 1]},
        "size-zero": {"size": 0}, "size-null": {"size": None},
    }.items():
        yield top("input-" + name, input=dict(IMAGENET, **members))
    for name, members in {
        "source": {"sourceSHA256": "unknown"}, "tool-missing": {"tool": ...},
        "epsilon-negative": {"epsilons": [-1e-05]}, "epsilons-order": {"epsilons": [1e-03, 1e-05]},
        "epsilon-twice": {"epsilons": [1e-05, 1e-05]},
    }.items():
        members = {key: value for key, value in provenance(**members).items() if value is not ...}
        yield top("provenance-" + name, provenance=members)

    # Places in the data.
    def place(name, expected, edit):
        """Two tensors of 65 and 3 bytes at 64 and 192, and the manifest at 256."""
        model = Model([Tensor("a", "uint8", [65], bytes(range(65))), Tensor("b", "uint8", [3], b"xyz")])
        data = edit(model.manifest["tensors"], model.data)
        return name, expected, file(model.text, model.data if data is None else data)

    def move(index, offset):
        def edit(tensors, data):
            tensors[index]["offset"] = offset
        return edit

    def overlap(tensors, data):
        tensors[1].update(offset=128, crc32="%08x" % zlib.crc32(data[64:67]))
        return data[:128]

    def hole(tensors, data):
        tensors[1]["offset"] = 256
        return data[:128] + bytes(64) + data[128:]

    def swapped(tensors, data):
        tensors.reverse()

    def same_name(tensors, data):
        tensors[1]["name"] = "a"

    yield place("overlap", "placement", overlap)
    yield place("hole", "placement", hole)
    yield place("order", "placement", swapped)
    yield place("hole-before-manifest", "placement", lambda tensors, data: data + bytes(64))
    yield place("manifest-inside-tensors", "placement", lambda tensors, data: data[:128])
    yield place("same-place", "placement", move(1, 64))
    yield place("padding-between", "padding", lambda tensors, data: flip(data, 65))
    yield place("padding-behind-last", "padding", lambda tensors, data: flip(data, 131))
    yield place("name-twice", "manifest-invalid", same_name)
    yield place("first-tensor-bit", "tensor-checksum", lambda tensors, data: flip(data, 64, 16))

    # Graphs.
    def graph(name, edit, make=chain, expected="graph"):
        return change(name, expected, make, lambda manifest: edit(manifest["graph"], manifest))

    def set(index, **members):
        return lambda graph, manifest: graph[index].update(members)

    def append(*nodes):
        return lambda graph, manifest: graph.extend(nodes)

    def simple(op, *inputs, **members):
        return dict({"op": op, "inputs": list(inputs)}, **members)

    def only(*nodes):
        def edit(graph, manifest):
            graph[:] = nodes
            for member in ("classes", "input"):
                manifest.pop(member, None)
        return edit

    def without(index, member):
        return lambda graph, manifest: graph[index].pop(member)

    yield graph("graph-empty", lambda graph, manifest: graph.clear())
    yield graph("op-unknown", set(1, op="mish"), expected="unsupported-operation")
    yield graph("op-squeeze-excitation", set(1, op="squeeze-excitation"), expected="unsupported-operation")
    yield graph("op-missing", without(1, "op"), expected="manifest-invalid")
    yield graph("inputs-missing", without(1, "inputs"), expected="manifest-invalid")
    yield graph("inputs-number", set(1, inputs=1), expected="manifest-invalid")
    yield graph("inputs-negative", set(1, inputs=[-1]), expected="manifest-invalid")
    yield graph("inputs-none", set(1, inputs=[]))
    yield graph("inputs-two-of-relu", set(1, inputs=[1, 1]))
    yield graph("inputs-one-of-add", append(simple("add", 7)))
    yield graph("inputs-one-of-concatenate", only(simple("concatenate", 0)))
    yield graph("input-of-itself", set(1, inputs=[2]))
    yield graph("input-of-later-node", set(1, inputs=[3]))
    yield graph("input-beyond", set(1, inputs=[99]))
    yield graph("value-unused", lambda graph, manifest: graph.insert(7, simple("relu", 6)))
    yield graph("value-unused-first", set(1, inputs=[0]))
    yield graph("block-null", set(0, block=None), expected="manifest-invalid")
    yield graph("weight-missing", without(0, "weight"), expected="manifest-invalid")
    yield graph("weight-name", set(0, weight="stem.weight"), expected="manifest-invalid")
    yield graph("weight-null", set(0, weight=None), expected="manifest-invalid")
    yield graph("weight-beyond", set(0, weight=6))
    yield graph("weight-of-bias", set(0, weight=1))
    yield graph("bias-null", set(0, bias=None), expected="manifest-invalid")
    yield graph("bias-beyond", set(0, bias=2**53 - 1))
    yield graph("bias-of-other", set(0, bias=5))
    yield graph("stride-missing", without(0, "stride"), expected="manifest-invalid")
    yield graph("stride-zero", set(0, stride=[0, 1]))
    yield graph("stride-one-number", set(0, stride=[1]))
    yield graph("stride-number", set(0, stride=1), expected="manifest-invalid")
    yield graph("padding-null", set(0, padding=None), expected="manifest-invalid")
    yield graph("dilation-large", set(0, dilation=[2**31, 1]))
    yield graph("groups-zero", set(0, groups=0))
    yield graph("groups-other", set(2, groups=1))
    yield graph("groups-no-divisor", set(0, groups=3))
    yield graph("groups-pair", set(0, groups=[1, 1]), expected="manifest-invalid")
    yield graph("convolution-of-vector", lambda graph, manifest: graph.append(
        dict(graph[2], inputs=[7])))
    yield graph("pool-of-vector", append(simple("global-average-pool", 7)))
    yield graph("flatten-twice", append(simple("flatten", 7)))
    yield graph("linear-of-map", set(6, inputs=[5]))
    yield graph("linear-other-channels", lambda graph, manifest: graph.append(
        dict(graph[6], inputs=[7])))
    yield graph("flatten-other-size", lambda graph, manifest: manifest.update(graph=[
        simple("average-pool", 0, kernel=[2, 2], stride=[2, 2], padding=[0, 0]),
        simple("global-average-pool", 1), simple("upsample-nearest", 2, factor=[2, 1]),
        simple("flatten", 3), simple("linear", 4, weight=4)]))
    yield graph("classes-other", lambda graph, manifest: manifest.update(classes=6))
    yield graph("classes-of-map", lambda graph, manifest: graph.__delitem__(slice(5, None)))
    yield graph("first-of-other-channels", lambda graph, manifest: graph[0].update(weight=2))
    yield graph("excitation-swapped", lambda graph, manifest: (
        graph[2].update(weight=4, bias=5), graph[4].update(weight=2, bias=3)), attention)
    yield graph("excitation-bias", set(4, bias=3), attention)
    yield graph("add-other-channels", only(
        simple("convolution", 0, weight=0, bias=1, stride=[1, 1], padding=[1, 1], dilation=[1, 1],
               groups=1), simple("add", 0, 1)))
    yield graph("add-vector-to-map", only(
        simple("global-average-pool", 0), simple("flatten", 1), simple("add", 0, 2)))
    yield graph("multiply-sizes", only(
        simple("global-average-pool", 0), simple("upsample-nearest", 1, factor=[2, 2]),
        simple("upsample-nearest", 1, factor=[1, 3]), simple("multiply", 2, 3)))
    yield graph("concatenate-sizes", only(
        simple("global-average-pool", 0), simple("upsample-nearest", 1, factor=[2, 2]),
        simple("concatenate", 1, 2)))
    yield graph("concatenate-vectors", only(
        simple("global-average-pool", 0), simple("flatten", 1), simple("concatenate", 2, 2)))
    yield graph("factor-channels", only(
        simple("convolution", 0, weight=0, bias=1, stride=[1, 1], padding=[1, 1], dilation=[1, 1],
               groups=1), simple("scale", 1, factor=5)))
    yield graph("shift-channels", only(simple("scale", 0, factor=1, shift=5)))
    yield graph("slope-matrix", only(simple("prelu", 0, slope=4)))
    yield graph("slope-missing", only(simple("prelu", 0)), expected="manifest-invalid")
    yield graph("pool-padding", only(
        simple("max-pool", 0, kernel=[3, 3], stride=[1, 1], padding=[1, 3])))
    yield graph("pool-kernel-zero", only(
        simple("average-pool", 0, kernel=[0, 3], stride=[1, 1], padding=[0, 0])))
    yield graph("pool-too-small", only(
        simple("global-average-pool", 0),
        simple("max-pool", 1, kernel=[2, 1], stride=[1, 1], padding=[0, 0])))
    yield graph("shuffle-channels", only(
        simple("convolution", 0, weight=0, bias=1, stride=[1, 1], padding=[1, 1], dilation=[1, 1],
               groups=1), simple("pixel-shuffle", 1, factor=3)))
    yield graph("shuffle-zero", only(simple("pixel-shuffle", 0, factor=0)))
    yield graph("upsample-fraction", only(simple("upsample-nearest", 0, factor=[1.5, 2])),
                expected="manifest-invalid")

    integers = chain()
    integers.tensors[0].type = "int32"
    members = {key: value for key, value in integers.manifest.items() if key != "tensors"}
    members.pop("content")
    yield "weight-of-integers", "graph", Model(integers.tensors, **members).file()


def numbers():
    """Doubles and their canonical text: edges, then random bits and random decimals."""
    values = [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
              1e-05, 1e-06, 9.999999999999999e-07, 1e-07, 1e20, 1e21, 999999999999999900000.0,
              123456789012345680000.0, 9007199254740991.0, 9007199254740992.0, 18014398509481984.0,
              1424953923781206.25, 0.1, 1 / 3, 2.0**-44, 1e23, 100.0, 255.0, 0.001, -1.5]
    values += [2.0**power for power in range(-1074, 1024, 7)]
    values += [sign * float("%de%d" % (digit, power))
               for power in range(-25, 26) for sign, digit in ((1, 1), (-1, 25), (1, 123456789))]
    source = random.Random(2024)
    while len(values) < 1200:
        value = struct.unpack("<d", source.randbytes(8))[0]
        if value - value == 0:
            values.append(value)
    values += [round(source.uniform(-300, 300), source.randint(0, 8)) for _ in range(300)]
    return "".join("%s %s\n" % (struct.pack(">d", value).hex(), number(value)) for value in values)


def vectors():
    files, table = {}, []
    for name, (model, fields, writer, about) in VALID.items():
        path = "valid/%s.rvd" % name
        files[path] = model.file(**fields)
        table.append({
            "file": path, "expected": "valid", "about": about, "writer": writer,
            "content": model.manifest["content"]["sha256"],
            "tensors": [{"name": t.name, "type": t.type, "shape": t.shape, "data": t.data.hex()}
                        for t in model.tensors]})
    for name, expected, data in invalid():
        path = "invalid/%s.rvd" % name
        assert path not in files, path
        files[path] = data
        table.append({"file": path, "expected": expected})
    lines = ",\n".join(" " + json.dumps(row) for row in table)
    files["vectors.json"] = ("[\n" + lines + "\n]\n").encode()
    files["numbers.txt"] = numbers().encode()
    return files


def example():
    data = minimal().file()
    print(minimal().text.decode(), end="\n\n")
    for offset in range(0, len(data), 16):
        row = data[offset:offset + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        print("%04x  %-47s  %s" % (offset, row.hex(" "), shown))


def main():
    if sys.argv[1:] == ["--example"]:
        return example()
    wrong = 0
    for path, data in vectors().items():
        path = HERE / path
        if sys.argv[1:] == ["--check"]:
            if not path.exists() or path.read_bytes() != data:
                print("differs:", path.relative_to(HERE))
                wrong = 1
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
