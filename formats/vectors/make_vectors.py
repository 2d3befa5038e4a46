#!/usr/bin/env python3
"""Writes the test vectors of formats/rvd.md, from that page alone.

    python3 make_vectors.py            write vectors.json, numbers.txt, valid/ and invalid/
    python3 make_vectors.py --check    compare them with what would be written
    python3 make_vectors.py --example  print the example of the specification

Needs nothing but the standard library, and shares no code with repconv.
"""

import copy
import hashlib
import itertools
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


# Zstandard (RFC 8878): frames of raw and run-length blocks, which is what can be written in a page.

ZSTANDARD = bytes.fromhex("28 B5 2F FD")


def zstd(content, says=None, single=True, known=True, dictionary=None, descriptor=0):
    """A frame. `says` is the size of the content that its header tells, `known` whether it tells one,
    `single` whether the content is the window, and `descriptor` is added to the byte of flags."""
    says = len(content) if says is None else says
    if not known:
        flag, field = 0, b""
        assert not single
    elif says < 256 and single:
        flag, field = 0, struct.pack("<B", says)
    elif 256 <= says < 256 + 2**16:
        flag, field = 1, struct.pack("<H", says - 256)
    else:
        flag, field = 2, struct.pack("<I", says)
    start = ZSTANDARD + bytes([flag << 6 | single << 5 | (dictionary is not None) | descriptor])
    start += b"" if single else b"\x40"  # a window of 256 KB
    start += b"" if dictionary is None else bytes([dictionary])
    blocks = []  # type (0 raw, 1 run), size, bytes
    for byte, run in itertools.groupby(content):
        run = bytes(run)
        for part in (run[i:i + 2**17] for i in range(0, len(run), 2**17)):
            if len(part) >= 8:
                blocks.append((1, len(part), part[:1]))
            elif blocks and blocks[-1][0] == 0 and blocks[-1][1] + len(part) <= 2**17:
                blocks[-1] = (0, blocks[-1][1] + len(part), blocks[-1][2] + part)
            else:
                blocks.append((0, len(part), part))
    blocks = blocks or [(0, 0, b"")]
    return start + field + b"".join(
        struct.pack("<I", size << 3 | type << 1 | (i == len(blocks) - 1))[:3] + data
        for i, (type, size, data) in enumerate(blocks))


def shorter(plane, *place):
    """How a writer stores a plane."""
    coded = zstd(plane)
    return coded if len(coded) < len(plane) else plane


def skewed(count, seed):
    """Bytes with a Huffman code and repetitions in them, from the linear congruence of the C standard."""
    def numbers(state):
        while True:
            state = (1103515245 * state + 12345) % 2**31
            yield state >> 16
    source = numbers(seed)
    chunks = [bytes(96 + sum(next(source) % 4 for _ in range(4)) for _ in range(12)) for _ in range(12)]
    return b"".join(chunks[next(source) % 12][next(source) % 8:] for _ in range(count))[:count]


# What zstd 1.5.4 made of files with skewed(count, seed), by seed:
#   1: 700 bytes, zstd -1 --no-check
#   2: 900 bytes, zstd -19 --no-check
#   3: 700 bytes, zstd -3 (with a checksum of the content)
#   4: 3000 bytes, zstd -19 --no-check --zstd=wlog=10 (with a window smaller than the content)
REAL = {
    1: bytes.fromhex(
        "28b52ffd60bc015d07001289110dc0251d7b4b99a4dcfcffff8e0525dfd515c752dabfcd871d90e4b8c0b5b9"
        "51c5501b459a90a1847125b2afb465da1be5e411cb62eed7d8f7766478816b8e4122022a2bf98e4420204282"
        "1485373d01aa1c8044811d1950b5218c1b4414c8d2c0d51b060a100a0010981f40bc72dc4b646b00dece6037"
        "4c4b204bc07219a494c330c37201ab04e807bc654069005a8e2d9860038903d9176a5600e846a3242e1ac0f9"
        "85dd0a8c194215805aeea211540664e4c74e119f5fbd99b4445022519801120489198a1b09ab03714b2d7008"
        "12d034c0984025010101bdcda3623c88f96da5643ed6229b79"),
    2: bytes.fromhex(
        "28b52ffd6084029507003288100ad037949499490f00501e43a4b34190deaebf757e4b61407a4b431edf3d91"
        "08eb191aeb8e4bd6d37dccae61ba0be227761d5e7d5266c2ff489e2e8a181ae9ba23055ea8914f0aa561ff0c"
        "20426298a41e11a42c27b1a7693b5a9673299a00789537acb8f67fc605ef93441c57048b7525eaf94583f794"
        "2fe7c535a9912a2aed16d35df4d8c1a0d3875c0fd413e8536925930e18366d92c9efc51f9ce590c96d0a1d32"
        "417013abaa729d09c788a6e287933072852f9b0f9bdbed400e2a78a8b3a2ab7b83fc499f60c2e8fa4e20feea"
        "6f692a830cf502c04cb308d45e6c2a32444aaed4ce1f75ede88b167b682e6f15"),
    3: bytes.fromhex(
        "28b52ffd64bc011507007249130dc0251d84c824a5dc9bffffbfb8a31b44609fcd1773a27586bca31f622392"
        "2660cc080301efc960c532f4f6d9e462ce264a953c4cd12c16bc450522da246407379ad3286f155375f97059"
        "720245a8919a1a1ad3d2c61c20424290d43c1010c598516d39d5460c60ac58ee97ae6e627412ea884d9264c8"
        "72fe38cd5aeca1956dc83a855217a3ca8e81efc60e2faf6e37c5e567a02df62826178c14c719ac625a0b58c3"
        "ee04850540a68474d08d31c0066f860020c4950cac2d610e3bac05658fbbefc57d40c4d36a41e25a9b3cec34"
        "0927f516bff24d611027f3ae89435d1521594459"),
    4: bytes.fromhex(
        "28b52ffd4000b80a440800c248110ad0e78424494a7a0080f2c56999fa4c49f90ea72ac3ebec1ae7791b2367"
        "aba101a51775e271d19ed3a9b651a15941cbacd2489aa9fc743ad416a7c4da3835d429496490f464a8319ba4"
        "a4a0521ae610108141cee10d21041cca12a8312a753e93216c96c817ddbd705af251dd7877fd646aa092c5e1"
        "e5c74a48fd8b9307baa5e653e2d72e79c9218a9099c59f47580a8d64629595241f0d95288985dfa493046c14"
        "f8062a301df2a976fff51448fc6457120a9ad2223e0be3f605dab75d5ceba67e1e324781148369339a734b54"
        "3d0678dbbe090ea2f5d0010a3e898e2fa880ee5e03122b688ff0f23de73f526c37228346e8a60b84d6f04988"
        "4dbe54fbf78fd68f1a4a157406003068666a65666a70a8f019032044400c92ae0e1022e4c89c2d6438b573d8"
        "ed6a2558a0239a4993e03f5fe0972619c01b5b32300247b0b564ab6925a6ac4e5338c77326726fa86a322e4e"
        "89c79971b5a806a7dd4d5e25d5d84d20afd85f098bf0965b29e31b9175c651257c1f161a73c06b3695d17d9e"
        "78e3d80afa2fb1f75f063c4cbc74b4b8b75e273a19b055072c31ec3769f7c514803bd2160c4a528ec2562520"
        "60a54188759cb12dcc745b6e5a28800093f447f8edcc55cc80efc37fdfc260b4509157a7fc8e2ad06b1b841c"
        "bd050020666a65646ab8f039101ac6c8dc3907a086a2d018371f817c798fd7ed718a30961a1341484da9f104"
        "80b75c2f7833907f645affa73cdfcce9e51e7de2f49d9ee274fabfbc728d9d8579687d33926ec41adca85747"
        "da1d0423a41d3ddcee88e5b94a0715c03e023717fe95c2ad41cda9a728e1d40dee3d0ea68cb259d97f02b173"
        "6f10b2fe6e40beae610bec0ffbc9fc51394125394b43a2ff7fcff790a856bc17a06439ffce9dc0e8db17b506"
        "14b287181df1c5d07e03"),
}


# Tensors.

FRAME = 262144
SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1,
    "bool": 1, "complex64": 8, "complex128": 16,
}


class Tensor:
    """`scales` is the name of the tensor's scales."""

    def __init__(self, name, type, shape, data, role=None, scales=None):
        self.name, self.type, self.shape, self.data, self.role = name, type, shape, data, role
        self.stored, self.frames, self.scales = data, None, scales
        count = 1
        for size in shape:
            count *= size
        assert len(data) == count * SIZES[type], name

    def compressed(self, plane=None):
        """This tensor, stored with the codec planes-zstd. `plane` says how a plane of a frame is
        stored, given its bytes and the indices of frame and plane."""
        self.frames, parts, size = [], [], SIZES[self.type]
        for start in range(0, len(self.data), FRAME):
            frame = self.data[start:start + FRAME]
            planes = [(plane or shorter)(frame[k::size], len(self.frames), k) for k in range(size)]
            self.frames.append([len(stored) for stored in planes])
            parts += planes
        self.stored = b"".join(parts)
        return self


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
        text += b"".join(struct.pack("<Q", size) for size in tensor.shape) + tensor.data
        if tensor.scales is not None:
            scales = tensor.scales.encode()
            text += struct.pack("<Q", len(scales)) + scales
        parts.append(hashlib.sha256(text).digest())
    return hashlib.sha256(b"".join(parts)).hexdigest()


# Files.

def align(offset):
    return -(-offset // 64) * 64


def entries(tensors):
    """The member `tensors` of the manifest, and the bytes between header and manifest."""
    result, data = [], b""
    index = {tensor.name: i for i, tensor in enumerate(tensors)}
    for tensor in tensors:
        data += bytes(align(len(data)) - len(data))
        entry = {
            "name": tensor.name, "type": tensor.type, "shape": tensor.shape, "codec": "raw",
            "offset": 64 + len(data), "bytes": len(tensor.data), "storedBytes": len(tensor.stored),
            "crc32": "%08x" % zlib.crc32(tensor.stored),
        }
        if tensor.frames is not None:
            entry.update(codec="planes-zstd", frames=tensor.frames)
        if tensor.scales is not None:
            entry["scales"] = index[tensor.scales]
        if tensor.role:
            entry["role"] = tensor.role
        layout = {"kernel": "OIHW", "weight": "OI"}.get(tensor.role)
        if layout:
            entry["layout"] = layout
        result.append(entry)
        data += tensor.stored
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
        floats("norm.weight", [8], "gamma", start=4), floats("norm.bias", [8], "beta", start=9),
        floats("norm.running_mean", [8], "mean", start=6),
        Tensor("norm.running_var", "float32", [8], struct.pack("<8f", *(0.25 * (i + 1) for i in range(8))),
               "variance"),
        floats("qkv.weight", [24, 8], "weight", start=3), floats("qkv.bias", [24], "bias", start=8),
    ]
    graph = Graph(tensors)
    graph.convolution("a", stride=(2, 2))
    graph.node("batch-norm", gamma="norm.weight", beta="norm.bias", mean="norm.running_mean",
               variance="norm.running_var", epsilon=1e-05)
    graph.node("prelu", slope="slope")
    graph.node("scale", factor="gamma", shift="beta")
    graph.node("relu6")
    graph.node("layer-norm", gamma="norm.weight", beta="norm.bias", epsilon=1e-06)
    graph.node("scale", factor="one")
    graph.node("gelu")
    graph.node("global-response-norm", gamma="gamma", beta="beta", epsilon=1e-06)
    graph.node("max-pool", kernel=[3, 2], stride=[2, 1], padding=[1, 0])
    graph.node("gelu-tanh")
    left = graph.convolution("b", padding=(0, 0), bias=False)
    graph.node("hard-swish")
    graph.node("linear", weight="qkv.weight", bias="qkv.bias")
    graph.node("attention", heads=2)
    graph.node("global-response-norm", gamma="norm.weight", epsilon=0.5)
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


def compressed():
    """Each type that networks have, in one frame: planes that gain and planes that do not."""
    tensors = [
        floats("float32", [8, 4, 1, 3], "kernel").compressed(),
        floats("float16", [96], type="float16", start=1).compressed(),
        floats("bfloat16", [4, 30], type="bfloat16", start=2).compressed(),
        floats("float64", [64], type="float64", start=3).compressed(),
        Tensor("int8", "int8", [2, 24], b"\x05" * 24 + bytes(range(246, 256)) + b"\0" * 14).compressed(),
        Tensor("bool", "bool", [50], b"\1" * 30 + b"\0" * 20).compressed(),
        Tensor("complex128", "complex128", [20], struct.pack("<dd", 1.5, -0.25) * 20).compressed(),
        Tensor("scalar", "int64", [], struct.pack("<q", -7)).compressed(),
        Tensor("one", "float32", [1, 1], struct.pack("<f", 0.1)).compressed(),
        Tensor("raw between them", "uint8", [3], b"\1\2\3"),
        Tensor("empty", "float32", [2, 0, 3], b"").compressed(),
        Tensor("empty at the end", "int8", [0], b"").compressed(),
    ]
    for tensor in tensors:
        tensor.role = None
    return Model(tensors, provenance=provenance(epsilons=[]))


def frames():
    """Tensors of more than a frame: full last frames and short ones, of one element too."""
    ramp = struct.pack("<100f", *(0.1 * (i + 1) for i in range(100)))
    single = struct.pack("<f", -1.5)
    return Model([
        Tensor("three", "float32", [2, 65586], single * 70000 + b"\0" * 4 * 61072 + ramp).compressed(),
        Tensor("two", "float16", [131072 + 1], b"\x00\x3c" * 131072 + b"\x34\x12").compressed(),
        Tensor("one", "bfloat16", [512, 256], b"\x80\x3f" * 131072).compressed(),
        Tensor("full", "int8", [16, 32768], b"".join(
            bytes([i]) * 32768 for i in range(248, 256)) + b"\x7f" * 262144).compressed(),
        Tensor("complex", "complex64", [32769], struct.pack("<ff", 2, 3) * 32769).compressed(),
    ])


def real():
    """Planes that zstd wrote: Huffman codes, sequences, a checksum, a window smaller than the content."""
    planes = [skewed(count, seed) for seed, count in ((1, 700), (3, 700))]
    both = b"".join(bytes(pair) for pair in zip(*planes))
    return Model([
        Tensor("level 1 and 3", "bfloat16", [7, 100], both).compressed(
            lambda plane, frame, k: REAL[(1, 3)[k]]),
        Tensor("level 19", "int8", [900], skewed(900, 2)).compressed(lambda *place: REAL[2]),
        Tensor("window", "uint8", [3, 1000], skewed(3000, 4)).compressed(lambda *place: REAL[4]),
    ])


def unusual():
    """What readers take, though writers have better: a coded tensor of which no plane gains, frames
    of Zstandard with a window of their own, and an empty block at the end."""
    window = lambda plane, *place: zstd(plane, single=False)
    # A run of 56 in a block that is not the last, and a raw block of 0 bytes that is.
    end = lambda plane, *place: zstd(plane)[:-4] + struct.pack("<I", 56 << 3 | 1 << 1)[:3] + b"\x2a\1\0\0"
    return Model([
        floats("not coded", [5]).compressed(lambda plane, *place: plane),
        Tensor("window", "uint8", [300], b"\x2a" * 300).compressed(window),
        Tensor("empty block", "int8", [56], b"\x2a" * 56).compressed(end),
    ])


def steps(name, shape, role=None, start=0):
    """A tensor of type int8 in steps, and its scales: runs of numbers, and a channel of zeros."""
    row = 1
    for size in shape[1:]:
        row *= size
    data = b"".join(struct.pack("<%db" % row, *(
        0 if o == 1 else ((start + 37 * o + i // 12 * 29) % 255) - 127 for i in range(row)))
        for o in range(shape[0]))
    scales = [1 if o == 1 else 0.001 * (o + 1 + start) for o in range(shape[0])]
    return [Tensor(name, "int8", shape, data, role, scales=name + "_scale"),
            Tensor(name + "_scale", "float32", [shape[0]], struct.pack("<%df" % shape[0], *scales))]


def quantized(compress=False, **members):
    """A network with weights in steps, of convolutions and of the linear layer."""
    tensors = [
        floats("stem.weight", [4, 3, 3, 3], "kernel"), floats("stem.bias", [4], "bias", start=3),
        *steps("body.weight", [8, 4, 3, 3], "kernel"), floats("body.bias", [8], "bias"),
        *steps("depthwise.weight", [8, 1, 5, 5], "kernel", start=9),
        *steps("head.weight", [6, 8], "weight", start=4), floats("head.bias", [6], "bias"),
    ]
    if compress:
        tensors = [tensor.compressed() for tensor in tensors]
    graph = Graph(tensors)
    graph.convolution("stem", stride=(2, 2), block="stem")
    graph.node("relu", block="stem")
    graph.convolution("body", block="body")
    graph.node("relu", block="body")
    graph.convolution("depthwise", padding=(2, 2), groups=8, bias=False)
    graph.node("global-average-pool")
    graph.node("flatten")
    graph.node("linear", weight="head.weight", bias="head.bias")
    return Model(tensors, **dict(dict(
        classes=6, input=IMAGENET, provenance=provenance(biasCorrection="batch-norm-statistics"),
        graph=graph.nodes), **members))


def apart():
    """Scales before and far behind their weights, int8 without scales, and what else is allowed."""
    near, near_scale = steps("near", [3, 2])
    far, far_scale = steps("far", [2, 3, 1, 2])
    far_scale.name = far.scales = "\u00e9chelle"
    far_scale.data = far_scale.stored = struct.pack("<ff", 5e-324 + 1e-45, 3.4028234663852886e38)
    lowest, lowest_scale = steps("lowest", [1, 3])
    lowest.data = lowest.stored = b"\x80\x7f\x81"
    none, none_scale = steps("none", [0, 4])
    return Model([
        near_scale, far, Tensor("integers", "int8", [2, 2], b"\x80\xff\0\1"), near, lowest, none,
        none_scale.compressed(), Tensor("vector", "int8", [3], b"\1\2\3"), lowest_scale, far_scale,
    ])


METADATA = {
    "labels": ["tench, Tinca tinca", "\u732b", "na\u00efve \U0001F436", '"\\\n', "\u00e9"],
    "license": "CC-BY-NC-4.0", "authors": ["Ada Lovelace", "\u738b\u83f2"],
    "homepage": "https://example.org/m?a=b#c", "task": "image-classification",
    "custom": {"trained on": "ImageNet-1k", "\U0001F600": "after", "\uFB33": "", "top-1": "0.7241"},
}


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
    "compressed": (compressed(), {}, False, "the codec planes-zstd: many types, an element, no element"),
    "compressed-frames": (frames(), {}, False, "tensors of several frames"),
    "compressed-by-zstd": (real(), {}, False, "planes that zstd wrote, levels 1, 3 and 19"),
    "compressed-unusual": (unusual(), {}, False, "what only other writers of planes-zstd do"),
    "quantized": (quantized(), {}, True, "weights of type int8 with scales; bias correction"),
    "quantized-compressed": (
        quantized(True), {}, False, "the same content, stored with the codec planes-zstd"),
    "scales-apart": (apart(), {}, False, "scales in other places, -128, int8 without scales"),
    "metadata": (chain(metadata=METADATA), {}, True, "every member of the metadata"),
    "metadata-labels": (
        Model(minimal().tensors, metadata={"labels": ["", "", "only labels"]}), {}, True,
        "labels without classes, empty and twice"),
    "metadata-later": (
        Model(minimal().tensors, metadata={"a later member": 1}), {}, False,
        "metadata of which no member is known"),
}


# Invalid files: one rule broken in each.

def invalid():
    """Name, condition and bytes of each, and True if it is the graph that is wrong."""
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
        "size-zero": {"size": 0}, "size-large": {"size": 65536}, "size-null": {"size": None},
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
        return *change(name, expected, make, lambda manifest: edit(manifest["graph"], manifest)), True

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
    norm = dict(gamma=1, beta=1, mean=1, variance=1, epsilon=1e-05)
    yield graph("norm-epsilon-missing", only(simple("batch-norm", 0, **dict(norm, epsilon=None))),
                expected="manifest-invalid")
    yield graph("norm-epsilon-zero", only(simple("batch-norm", 0, **dict(norm, epsilon=0))))
    yield graph("norm-variance-missing", only(simple("batch-norm", 0, gamma=1, beta=1, mean=1, epsilon=1)),
                expected="manifest-invalid")
    yield graph("norm-mean-of-others", only(simple("batch-norm", 0, **dict(norm, mean=5))))
    yield graph("norm-channels", only(
        simple("convolution", 0, weight=0, bias=1, stride=[1, 1], padding=[1, 1], dilation=[1, 1],
               groups=1), simple("batch-norm", 1, **dict(norm, gamma=5, beta=5, mean=5, variance=5))))
    for name in "layer-norm", "global-response-norm":
        yield graph(name + "-epsilon", only(simple(name, 0, gamma=1, beta=1, epsilon=-1e-05)))
        yield graph(name + "-beta", only(simple(name, 0, gamma=1, beta=5, epsilon=1e-05)))
    yield graph("response-norm-of-vector", only(
        simple("global-average-pool", 0), simple("flatten", 1),
        simple("global-response-norm", 2, gamma=1, epsilon=1e-05)))
    yield graph("attention-heads-zero", only(simple("attention", 0, heads=0)))
    yield graph("attention-heads-other", only(
        simple("convolution", 0, weight=0, bias=1, stride=[1, 1], padding=[1, 1], dilation=[1, 1],
               groups=1), simple("attention", 1, heads=1)))
    yield graph("attention-heads-missing", only(simple("attention", 0)), expected="manifest-invalid")
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
    yield "weight-of-integers", "graph", Model(integers.tensors, **members).file(), True
    for name, index in ("weight", 2), ("linear", 7):
        model = quantized()
        model.tensors[index].scales = None
        yield name + "-int8-without-scales", "graph", Model(
            model.tensors, graph=model.manifest["graph"]).file(), True
    yield graph("scales-as-bias", set(4, bias=3), quantized)
    yield graph("scales-as-slope", set(3, op="prelu", slope=6), quantized)
    yield graph("int8-scaled-as-bias", set(2, bias=2), quantized)
    model = quantized()
    nodes = model.manifest["graph"]
    nodes[2]["bias"] = len(model.tensors)
    yield "int8-as-bias", "graph", Model(
        [*model.tensors, Tensor("integers", "int8", [8], bytes(range(8)))], graph=nodes).file(), True

    # Compressed tensors.
    def one(count=300):
        """Two planes, of which the second is coded, and a tensor behind them."""
        data = b"".join(bytes([i * 7 % 256, 60]) for i in range(count))
        return Model([Tensor("a", "float16", [count], data).compressed(),
                      Tensor("b", "uint8", [2], b"\1\2")])

    def many():
        """Frames of 131072 and 2 elements."""
        return Model([
            Tensor("a", "float16", [131072 + 2], bytes(262144) + b"\1\2\3\4").compressed()])

    def coded(label, make=one, expected="manifest-invalid", /, edit=None, **members):
        def change_first(manifest):
            tensor = manifest["tensors"][0]
            tensor.update(members)
            for key in [key for key, value in members.items() if value is ...]:
                del tensor[key]
            if edit:
                edit(tensor["frames"])
        return change(label, expected, make, change_first)

    (low, high), = one().manifest["tensors"][0]["frames"]
    assert low == 300 and high < 300
    yield coded("frames-missing", frames=...)
    yield coded("frames-null", frames=None)
    yield coded("frames-object", frames={})
    yield coded("frames-of-numbers", frames=[low, high])
    yield coded("frames-empty", frames=[])
    yield coded("frames-too-many", frames=[[low, high], [low, high]])
    yield coded("frames-one-for-each-plane", frames=[[low], [high]])
    yield coded("frames-too-few", many, edit=lambda frames: frames.pop())
    yield coded("frames-joined", many, edit=lambda frames: frames.append(frames.pop(0) + frames.pop(0)))
    yield coded("planes-too-few", frames=[[low + high]])
    yield coded("planes-too-many", frames=[[low, high - 1, 1]])
    yield coded("planes-none", frames=[[]])
    yield coded("plane-of-string", frames=[[str(low), high]])
    yield coded("plane-of-fraction", frames=[[low - 0.5, high + 0.5]])
    yield coded("plane-negative", frames=[[low + high + 1, -1]])
    yield coded("plane-zero", edit=lambda frames: frames[0].__setitem__(slice(2), [0, low + high]))
    yield coded("plane-too-long", frames=[[low + 1, high - 1]])
    yield coded("plane-too-long-in-last", many, edit=lambda frames: (
        frames[0].__setitem__(0, frames[0][0] - 1), frames[1].__setitem__(0, 3)))
    yield coded("plane-huge", frames=[[low, 2**53 - 1]])
    yield coded("frames-sum-less", frames=[[low - 1, high]])
    yield coded("frames-sum-more", frames=[[low, high + 1]])
    yield coded("frames-stored-bytes-more", storedBytes=low + high + 1)
    yield coded("frames-stored-bytes-decoded", storedBytes=600)
    yield coded("frames-bytes-stored", bytes=low + high)
    yield coded("frames-with-raw", minimal, frames=[[2, 2, 2, 2]])
    yield coded("frames-empty-with-raw", minimal, frames=[])
    yield coded("frames-of-nothing", lambda: Model([Tensor("a", "int8", [0], b"").compressed()]),
                frames=[[]])
    yield coded("frames-of-nothing-missing",
                lambda: Model([Tensor("a", "int8", [0], b"").compressed()]), frames=...)
    yield coded("codec-unknown-with-frames", one, "unsupported-codec", codec="planes-lz4")
    yield coded("codec-unknown-shorter", one, "unsupported-codec", codec="zstd", frames=...)

    def moved(name, change):
        model = one()
        return name, "placement", file(*change(model))

    def decoded_place(model):
        model.manifest["tensors"][1]["offset"] = 64 + align(600)
        return model.text, model.data

    def with_hole(model):
        model.manifest["tensors"][1]["offset"] += 64
        return model.text, model.data[:-64] + bytes(64) + model.data[-64:]

    def with_overlap(model):
        second = model.manifest["tensors"][1]
        second["offset"] -= 64
        second["crc32"] = "%08x" % zlib.crc32(model.data[second["offset"] - 64:][:2])
        return model.text, model.data[:-64]

    yield moved("compressed-place-of-decoded", decoded_place)
    yield moved("compressed-hole", with_hole)
    yield moved("compressed-overlap", with_overlap)
    model = one()
    yield "compressed-padding", "padding", file(model.text, flip(model.data, low + high))
    yield "compressed-bit", "tensor-checksum", file(model.text, flip(model.data, low + high - 1))
    model = one()
    model.manifest["content"] = {"sha256": digest([
        Tensor("a", "uint8", [low + high], model.tensors[0].stored), model.tensors[1]])}
    yield "content-of-stored-bytes", "content", model.file()

    # Planes that are no frames of Zstandard as they should be.
    def plane(name, code, make=None):
        """A tensor of three planes of 400 elements, of which one is stored as `code` says."""
        def stored(plane, frame, k):
            return code(plane) if k == 1 else shorter(plane)
        tensor = Tensor("a", "float16", [400], bytes(400) + b"\x2a" * 400).compressed(stored)
        assert tensor.frames[0][1] < 400, name
        return name, "encoding", Model([tensor, Tensor("b", "uint8", [1], b"\1")]).file()

    run = b"\x2a" * 400
    for name, stored in {
        "garbage": b"\xde\xad\xbe\xef" * 5,
        "one-byte": b"\x2a",
        "run-without-frame": b"\x2a" * 399,
        "magic-only": ZSTANDARD,
        "zlib": zlib.compress(run),
        "old-magic": b"\x27" + zstd(run)[1:],
        "decodes-to-less": zstd(run[1:], says=400),
        "decodes-to-more": zstd(run + b"\x2a", says=400),
        "decodes-to-nothing": zstd(b"", says=400),
        "decodes-to-much-more": zstd(b"\x2a" * 5000000, says=400),
        "says-less": zstd(run, says=399),
        "says-more": zstd(run, says=401),
        "says-much-more": zstd(run, says=2**32 - 1),
        "is-shorter": zstd(run[1:]),
        "is-longer": zstd(run + b"\x2a"),
        "is-empty": zstd(b""),
        "says-nothing": zstd(run, single=False, known=False),
        "byte-behind": zstd(run) + b"\0",
        "copy-behind": zstd(run) * 2,
        "empty-frame-behind": zstd(run) + zstd(b""),
        "two-halves": zstd(run[:200]) + zstd(run[200:]),
        "skippable-before": bytes.fromhex("50 2A 4D 18 01 00 00 00 00") + zstd(run),
        "skippable-behind": zstd(run) + bytes.fromhex("5F 2A 4D 18 00 00 00 00"),
        "skippable-only": bytes.fromhex("53 2A 4D 18 08 00 00 00") + bytes(8),
        "dictionary": zstd(run, dictionary=7),
        "cut": zstd(run)[:-1],
        "cut-in-header": zstd(run)[:6],
        "no-last-block": zstd(run)[:-4] + struct.pack("<I", 400 << 3 | 1 << 1)[:3] + b"\x2a",
        "reserved-flag": zstd(run, descriptor=8),
        "reserved-block": zstd(run)[:-4] + struct.pack("<I", 1 << 3 | 3 << 1 | 1)[:3] + b"\x2a",
        "checksum-missing": zstd(run, descriptor=4),
    }.items():
        yield plane("plane-" + name, lambda content: stored)
    yield "plane-in-last-frame", "encoding", Model([
        Tensor("a", "int8", [262144 + 100], bytes(262244)).compressed(
            lambda content, frame, k: zstd(content[frame:], says=len(content)))]).file()

    # Scales.
    def scaled(label, expected="manifest-invalid", /, index=2, make=quantized, graph=False, **members):
        """A member of a tensor, 2 the weight of a convolution and 3 its scales; without a graph, unless
        told otherwise, since it would be broken too."""
        def edit(manifest):
            manifest["tensors"][index].update(members)
            if not graph:
                for member in ("graph", "classes"):
                    manifest.pop(member)
        return change(label, expected, make, edit)

    yield scaled("scales-null", scales=None)
    yield scaled("scales-name", scales="body.weight_scale")
    yield scaled("scales-fraction", scales=2.5)
    yield scaled("scales-negative", scales=-1)
    yield scaled("scales-beyond", scales=10)
    yield scaled("scales-huge", scales=2**53 - 1)
    yield scaled("scales-of-itself", scales=2)
    yield scaled("scales-of-int8", scales=5)
    yield scaled("scales-of-other-length", scales=8)
    yield scaled("scales-of-kernel", scales=0)
    yield scaled("scales-of-shared", index=5, scales=3)
    yield scaled("scales-of-vector", index=4, scales=6)
    yield scaled("scales-of-float-kernel", index=0, scales=1)
    yield scaled("scales-of-scales", index=3, scales=6)
    yield scaled("scales-of-unsigned", type="uint8")
    yield scaled("scales-of-type-unknown", "unsupported-type", type="int4")
    for name, type, shape, data in (
        ("rank-2", "float32", [2, 1], bytes.fromhex("0000803f") * 2),
        ("rank-0", "float32", [], bytes.fromhex("0000803f")),
        ("float64", "float64", [2], struct.pack("<dd", 1, 1)),
        ("float16", "float16", [2], struct.pack("<ee", 1, 1)),
        ("int32", "int32", [2], struct.pack("<ii", 1, 1)),
        ("first-of-two", "float32", [3], struct.pack("<fff", 1, 1, 1)),
        ("none", "float32", [0], b""),
    ):
        yield "scales-" + name, "manifest-invalid", Model([
            Tensor("w", "int8", [2, 3], b"\1\2\3\4\5\6", scales="s"),
            Tensor("s", type, shape, data)]).file()
    for name, shape in (("rank-1", [2]), ("rank-3", [2, 1, 1]), ("rank-5", [2, 1, 1, 1, 1])):
        yield "scaled-" + name, "manifest-invalid", Model([
            Tensor("w", "int8", shape, b"\1\2", scales="s"),
            Tensor("s", "float32", [2], struct.pack("<ff", 1, 1))]).file()
    for name, bits in {
        "nan": "0000c07f", "nan-signalling": "010080ff", "infinite": "0000807f",
        "infinite-negative": "000080ff", "zero": "00000000", "zero-negative": "00000080",
        "negative": "000080bf", "negative-small": "01000080",
    }.items():
        tensors = [Tensor("w", "int8", [2, 3], b"\1\2\3\4\5\6", scales="s"),
                   Tensor("s", "float32", [2], bytes.fromhex("0000803f" + bits))]
        yield "scale-" + name, "scales", Model(tensors).file()
    long = Tensor("s", "float32", [70000], bytes.fromhex("0000803f") * 69999 + bytes(4)).compressed()
    yield "scale-zero-compressed", "scales", Model([
        Tensor("w", "int8", [70000, 1], bytes(70000), scales="s").compressed(), long]).file()
    yield "scales-encoding", "encoding", Model([
        Tensor("w", "int8", [40, 1], bytes(40), scales="s"),
        Tensor("s", "float32", [40], bytes.fromhex("0000803f") * 40).compressed(
            lambda plane, frame, k: zstd(plane) if k < 3 else zstd(plane[1:], says=40))]).file()
    model = quantized()
    without = [copy.copy(tensor) for tensor in model.tensors]
    for item in without:
        item.scales = None
    model.manifest["content"] = {"sha256": digest(without)}
    yield "content-without-scales", "content", model.file()

    # Metadata and provenance.
    for name, metadata in {
        "null": None, "array": [], "empty": {},
        "labels-empty": {"labels": []}, "labels-string": {"labels": "a"},
        "labels-of-number": {"labels": ["a", 1]}, "labels-null": {"labels": None},
        "license-empty": {"license": ""}, "license-array": {"license": ["MIT"]},
        "authors-none": {"authors": []}, "authors-empty": {"authors": ["a", ""]},
        "authors-string": {"authors": "a"}, "authors-of-null": {"authors": [None]},
        "homepage-empty": {"homepage": ""}, "homepage-number": {"homepage": 1},
        "task-empty": {"task": ""}, "task-null": {"task": None},
        "custom-empty": {"custom": {}}, "custom-array": {"custom": ["a"]},
        "custom-number": {"custom": {"top-1": 0.7}}, "custom-null": {"custom": {"a": None}},
        "custom-without-key": {"custom": {"": "a"}}, "custom-object": {"custom": {"a": {"b": "c"}}},
    }.items():
        yield top("metadata-" + name, metadata=metadata)
    yield top("labels-too-few", classes=3, metadata={"labels": ["a", "b"]})
    yield top("labels-too-many", classes=1, metadata={"labels": ["a", "b"]})
    yield top("provenance-bias-correction", provenance=provenance(biasCorrection=True))
    yield top("provenance-bias-correction-null", provenance=provenance(biasCorrection=None))


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


def row(entry, tensor):
    """What vectors.json says of a tensor."""
    result = {key: entry[key] for key in ("name", "type", "shape")}
    if len(tensor.data) <= 1024:
        result["data"] = tensor.data.hex()
    else:
        result["sha256"] = hashlib.sha256(tensor.data).hexdigest()
    result.update({key: entry[key] for key in ("codec", "scales")
                   if entry.get(key, "raw") != "raw"})
    return result


def vectors():
    files, table = {}, []
    for name, (model, fields, writer, about) in VALID.items():
        path = "valid/%s.rvd" % name
        files[path] = model.file(**fields)
        table.append({
            "file": path, "expected": "valid", "about": about, "writer": writer,
            "content": model.manifest["content"]["sha256"],
            "tensors": list(map(row, model.manifest["tensors"], model.tensors))})
    for name, expected, data, *of_graph in invalid():
        path = "invalid/%s.rvd" % name
        assert path not in files, path
        files[path] = data
        table.append({"file": path, "expected": expected, **({"graph": True} if of_graph else {})})
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
