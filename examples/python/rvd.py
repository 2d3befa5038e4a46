"""Reads .rvd files, neural networks in deploy form, with NumPy.

    import rvd
    weights = rvd.load("model.rvd")          # a dictionary of arrays, by name

    file = rvd.open("model.rvd")             # or piece by piece, mapped into memory
    file.metadata, file.graph, file.manifest
    for tensor in file.tensors:
        print(tensor.name, tensor.type, tensor.shape, tensor.values().mean())
    file.verify()                            # every rule of the format, and the content digest

`python -m rvd model.rvd` lists a file and verifies it.

Written from repconv's formats/rvd.md alone. A file that is damaged or breaks a rule raises `Error`,
which says where, and has the name of the condition that the specification gives. A tensor's checksum
is checked when the tensor is first read.
"""

import hashlib
import io
import json
import math
import mmap
import struct
import sys
import zlib

import numpy as np

__all__ = ["Error", "File", "Tensor", "load", "open"]
__version__ = "1.0"

VERSION = 1  # of the format
FRAME = 262144  # decoded bytes that are compressed together
LARGEST = 2**53 - 1

# What NumPy calls the types; of those that it does not have, the bits.
TYPES = {
    "float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2", "float8_e4m3fn": "u1",
    "float8_e5m2": "u1", "int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "i1",
    "uint64": "<u8", "uint32": "<u4", "uint16": "<u2", "uint8": "u1", "bool": "?",
    "complex64": "<c8", "complex128": "<c16",
}
LAYOUTS = {"OIHW": 4, "OI": 2}


class Error(ValueError):
    """A file that cannot be used. `condition` is one of the specification's table, such as
    `tensor-checksum`; `tensor` the name of the tensor, or None."""

    def __init__(self, condition, problem, tensor=None):
        super().__init__(problem)
        self.condition, self.problem, self.tensor, self.path = condition, problem, tensor, None

    def __str__(self):
        where = [] if self.path is None else [str(self.path)]
        where += [] if self.tensor is None else ["tensor " + _shown(self.tensor)]
        return ": ".join([*where, self.problem])


def load(path):
    """The tensors of a file by name, in the order of the file: arrays that share memory with it where
    they are stored as NumPy has them, and can be written to without changing it.

    Weights in steps (`int8` with scales) become their values in float32, and their scales are left
    out; bfloat16 and the 8-bit floating-point types become float32, which holds them exactly."""
    with open(path) as file:
        scales = {id(tensor.scales) for tensor in file.tensors}
        return {tensor.name: tensor.values() for tensor in file.tensors if id(tensor) not in scales}


def open(path):
    """A file, whose header and manifest are checked."""
    return File(path)


class File:
    """An open file. Its tensors are `tensors`, in the order in which they are stored, which is how
    the graph counts them; or `file[name]`."""

    def __init__(self, path):
        self.path = path
        with io.open(path, "rb") as stream:
            try:  # private: arrays that share the memory can be changed, the file cannot
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
            except ValueError:  # an empty file has no map
                self._map = b""
        self._data = memoryview(self._map)
        try:
            self.manifest, self._end = self._read()
        except Error as error:
            error.path = path
            self.close()
            raise
        self.metadata = self.manifest.get("metadata", {})
        self.content = self.manifest["content"]["sha256"]
        self._names = {tensor.name: tensor for tensor in self.tensors}
        self._graph = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Forgets the file; arrays that share its memory keep that."""
        self._data = None
        try:
            self._map.close()
        except (AttributeError, BufferError):
            pass

    def __getitem__(self, name):
        return self._names[name]

    def __contains__(self, name):
        return name in self._names

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self.tensors)

    @property
    def graph(self):
        """The nodes, as the manifest has them, or None; every rule of a graph is checked."""
        if self._graph is None and "graph" in self.manifest:
            with _At(self.path):
                _check_graph(self.manifest, self.tensors)
            self._graph = self.manifest["graph"]
        return self._graph

    def verify(self):
        """Checks all that the specification asks of a verifier."""
        with _At(self.path):
            self.graph
            end = 64
            for tensor in self.tensors:
                _zeros(self._data[end:tensor.offset], tensor.name)
                end = tensor.offset + tensor.stored_bytes
            _zeros(self._data[end:self._end], None)
            for tensor in self.tensors:
                tensor.stored()
            for tensor in self.tensors:
                tensor._check_scales()
            digests = {tensor.name.encode(): tensor._digest() for tensor in self.tensors}
            content = hashlib.sha256(b"".join(digests[name] for name in sorted(digests))).hexdigest()
            _check(content == self.content, "content",
                   f"the content digest is {content}, the manifest says {self.content}")

    def _read(self):
        data = self._data
        _check(data[:8] == b"\x89RVD\r\n\x1a\n", "not-rvd", "not an RVD file")
        _check(len(data) >= 64, "truncated", f"cut short: {len(data)} bytes")
        version, minimum, flags, start, length, crc = struct.unpack_from("<IIQQQI", data, 8)
        _check(zlib.crc32(data[:60]) == struct.unpack_from("<I", data, 60)[0], "header-checksum",
               "the header is damaged")
        _check(minimum <= VERSION, "unsupported-version", f"needs a reader of version {minimum}")
        _check(1 <= minimum <= version and not flags and not any(data[44:60]) and start % 64 == 0
               and start >= 64 and length <= 2**24, "header-invalid", "a header that no writer writes")
        _check(len(data) >= start + length, "truncated",
               f"cut short: {len(data)} of {start + length} bytes")
        _check(len(data) == start + length, "trailing-bytes",
               f"{len(data) - start - length} bytes too many")
        text = bytes(data[start:])
        _check(zlib.crc32(text) == crc, "manifest-checksum", "the manifest is damaged")

        manifest = _parse(text)
        entries = _member(manifest, "tensors", "objects", "the manifest")
        for index, entry in enumerate(entries):
            _check_tensor(entry, f"tensors[{index}]")
        names = [entry["name"] for entry in entries]
        _invalid(len(set(names)) == len(names), "two tensors have one name")
        _check_scales_indices(entries)
        _check_rest(manifest)
        for entry in entries:
            for key, known in (("type", TYPES), ("codec", ("raw", "planes-zstd")), ("layout", LAYOUTS)):
                _check(entry.get(key, "OI") in known, "unsupported-" + key,
                       f"{key} '{entry.get(key)}', which this reader does not know", entry["name"])
        end = 64
        for entry in entries:
            _check(entry["offset"] == _align(end), "placement",
                   f"it is at byte {entry['offset']} and not at {_align(end)}", entry["name"])
            end = entry["offset"] + entry["storedBytes"]
        _check(start == _align(end), "placement", "the manifest does not follow the last tensor")

        self.tensors = tuple(Tensor(self, entry) for entry in entries)
        for tensor, entry in zip(self.tensors, entries):
            if "scales" in entry:
                tensor.scales = self.tensors[entry["scales"]]
        return manifest, start


class Tensor:
    """A tensor of an open file.

    `type` is the format's name of the element type, `dtype` the one of `raw()`; `scales` is the tensor
    of the scales, or None; `codec` is `raw` or `planes-zstd`."""

    def __init__(self, file, entry):
        self.name, self.type, self.shape = entry["name"], entry["type"], tuple(entry["shape"])
        self.codec, self.role, self.layout = entry["codec"], entry.get("role"), entry.get("layout")
        self.offset, self.stored_bytes, self.bytes = (
            entry["offset"], entry["storedBytes"], entry["bytes"])
        self.dtype, self.scales = np.dtype(TYPES[self.type]), None
        self._file, self._sizes, self._crc = file, entry.get("frames"), int(entry["crc32"], 16)
        self._checked = self._scales_checked = False

    def __repr__(self):
        return f"<Tensor {_shown(self.name)} {self.type} {list(self.shape)} {self.codec}>"

    def stored(self):
        """The stored bytes, mapped; they have the right checksum."""
        if self._file._data is None:
            raise ValueError("the file is closed")
        stored = self._file._data[self.offset:self.offset + self.stored_bytes]
        if not self._checked:
            with _At(self._file.path):
                crc = zlib.crc32(stored)
                _check(crc == self._crc, "tensor-checksum",
                       f"damaged: its checksum is {crc:08x} and not {self._crc:08x}", self.name)
            self._checked = True
        return stored

    def raw(self):
        """The elements as they are stored: integers of weights in steps, bits (unsigned integers) of
        the types that NumPy does not have. Shares memory with the file if the codec is raw."""
        if self.codec == "raw":
            return np.frombuffer(self.stored(), self.dtype).reshape(self.shape)
        result, end = np.empty(self.bytes, np.uint8), 0
        for frame in self._frames():
            result[end:end + frame.size] = frame
            end += frame.size
        return result.view(self.dtype).reshape(self.shape)

    def values(self):
        """What the elements stand for: `raw()`, but weights in steps times their scales, and types
        that NumPy does not have as float32."""
        raw = self.raw()
        if self.scales is not None:
            self._check_scales()
            scales = self.scales.raw().astype(np.float32, copy=False)
            values = raw.astype(np.float32)
            with np.errstate(over="ignore"):  # scales of 1e38 are allowed
                values *= scales.reshape((-1,) + (1,) * (raw.ndim - 1))
            return values
        if self.type == "bfloat16":
            return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
        if self.type == "float8_e5m2":
            return (raw.astype(np.uint16) << np.uint16(8)).view(np.float16).astype(np.float32)
        if self.type == "float8_e4m3fn":
            return _E4M3FN[raw]
        return raw.astype(raw.dtype.newbyteorder("="), copy=False)

    def _frames(self):
        """The decoded bytes, a frame at a time."""
        stored = self.stored()
        if self.codec == "raw":
            yield np.frombuffer(stored, np.uint8)
            return
        with _At(self._file.path):
            decompress, end = _decompressor(self.name), 0
            for index, sizes in enumerate(self._sizes):
                count = min(FRAME, self.bytes - index * FRAME) // self.dtype.itemsize
                frame = np.empty((count, len(sizes)), np.uint8)
                for k, size in enumerate(sizes):
                    plane = stored[end:end + size]
                    end += size
                    if size < count:
                        plane = _plane(decompress, plane, count, f"frame {index}, plane {k}", self.name)
                    frame[:, k] = np.frombuffer(plane, np.uint8)
                yield frame.reshape(-1)

    def _check_scales(self):
        if self.scales is None or self._scales_checked:
            return
        with _At(self._file.path):
            scales = self.scales.raw()
            _check(bool(np.all(np.isfinite(scales) & (scales > 0))), "scales",
                   "a scale is not a finite number greater than 0", self.scales.name)
        self._scales_checked = True

    def _digest(self):
        name, type = self.name.encode(), self.type.encode()
        digest = hashlib.sha256(struct.pack("<Q", len(name)) + name + struct.pack("<Q", len(type)) + type)
        digest.update(struct.pack(f"<{len(self.shape) + 1}Q", len(self.shape), *self.shape))
        for frame in self._frames():
            digest.update(frame)
        if self.scales is not None:
            name = self.scales.name.encode()
            digest.update(struct.pack("<Q", len(name)) + name)
        return digest.digest()


class _At:
    """Adds the path to errors."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        pass

    def __exit__(self, type, error, trace):
        if isinstance(error, Error):
            error.path = self.path


def _check(condition, name, problem, tensor=None):
    if not condition:
        raise Error(name, problem, tensor)


def _invalid(condition, problem, tensor=None):
    _check(condition, "manifest-invalid", problem, tensor)


def _align(offset):
    return -(-offset // 64) * 64


def _zeros(padding, name):
    _check(not any(padding), "padding", "the padding before it is damaged" if name is not None
           else "the padding before the manifest is damaged", name)


def _shown(name):
    return f"'{name}'" if name.isprintable() else repr(name)


def _e4m3fn(bits):
    exponent, mantissa = bits >> 3 & 15, bits & 7
    value = math.ldexp(8 + mantissa, exponent - 10) if exponent else math.ldexp(mantissa, -9)
    return (-1 if bits & 128 else 1) * (math.nan if bits & 127 == 127 else value)


_E4M3FN = np.array([_e4m3fn(bits) for bits in range(256)], np.float32)


# Zstandard, section "Codecs".

def _decompressor(name):
    """A function from the bytes of one frame and the size of its content to that content."""
    try:
        from compression import zstd  # Python 3.14
    except ImportError:
        zstd = None
    if zstd is not None:
        def decompress(plane, count):
            decompressor = zstd.ZstdDecompressor()
            content = decompressor.decompress(plane, count + 1)
            if not decompressor.eof or decompressor.unused_data:
                raise ValueError("it does not end where it should")
            return content
        return decompress
    try:
        import zstandard
    except ImportError:
        raise ImportError(f"tensor {_shown(name)} is compressed with Zstandard, and Python has no "
                          "decoder before 3.14: pip install zstandard") from None
    decompressor = zstandard.ZstdDecompressor()
    return lambda plane, count: decompressor.decompress(
        plane, max_output_size=count, allow_extra_data=False)


def _plane(decompress, plane, count, where, name):
    problem = f"{where}: not a Zstandard frame of {count} bytes"
    _check(_content_size(bytes(plane[:18])) == count, "encoding", problem, name)
    try:
        content = decompress(plane, count)
    except Exception as error:  # each library has its own
        raise Error("encoding", f"{problem} ({error})", name) from None
    _check(len(content) == count, "encoding", problem, name)
    return content


def _content_size(start):
    """What the header of a frame says of its content, or None (RFC 8878, 3.1.1.1)."""
    if len(start) < 5 or start[:4] != b"\x28\xb5\x2f\xfd":
        return None
    flags = start[4]
    single = flags >> 5 & 1
    place = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    size = (single, 2, 4, 8)[flags >> 6]
    if flags & 8 or size == 0 or len(start) < place + size:
        return None
    return int.from_bytes(start[place:place + size], "little") + (256 if size == 2 else 0)


# The manifest, section "Manifest".

def _parse(text):
    def number(digits):
        value = int(digits) if len(digits) < 20 else float(digits)
        return value if abs(value) <= LARGEST else float(digits)

    def constant(name):
        raise ValueError(name)

    try:
        manifest = json.loads(text.decode(), parse_int=number, parse_constant=constant)
        canonical = _canonical(manifest, 0).encode()
    except (ValueError, OverflowError, RecursionError) as error:
        raise Error("manifest-syntax", f"the manifest is not JSON: {error}") from None
    _check(canonical == text, "manifest-syntax", "the manifest is not in canonical form")
    _invalid(isinstance(manifest, dict), "the manifest is no object")
    return manifest


def _canonical(value, depth):
    if isinstance(value, (list, dict)) and depth == 32:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(
            _string(key) + ":" + _canonical(value[key], depth + 1) for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_canonical(item, depth + 1) for item in value) + "]"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        return _number(value)
    return {None: "null", True: "true", False: "false"}.get(value) if value is None or isinstance(
        value, bool) else str(value)


def _string(text):
    return json.dumps(text, ensure_ascii=False)


def _number(value):
    """As ECMAScript writes it: Python finds the shortest digits, and sets them otherwise."""
    if not math.isfinite(value):
        raise ValueError("a number that is too large")
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    n = len(whole) + int(exponent or 0)
    digits = whole + fraction
    n -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= n <= 21:
        return sign + digits.ljust(n, "0")
    if 0 < n <= 21:
        return sign + digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return sign + "0." + "0" * -n + digits
    rest = "." + digits[1:] if len(digits) > 1 else ""
    return sign + digits[0] + rest + "e" + ("+" if n > 0 else "-") + str(abs(n - 1))


def _integer(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _real(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _array(each):
    return lambda value: isinstance(value, list) and all(map(each, value))


def _digits(count):
    return lambda value: isinstance(value, str) and len(value) == count and all(
        digit in "0123456789abcdef" for digit in value)


KINDS = {
    "integer": _integer,
    "string": lambda value: isinstance(value, str),
    "object": lambda value: isinstance(value, dict),
    "integers": _array(_integer),
    "objects": _array(lambda value: isinstance(value, dict)),
    "strings": _array(lambda value: isinstance(value, str)),
    "numbers": _array(_real),
    "number": _real,
    "digest": _digits(64),
    "checksum": _digits(8),
}


def _member(object, key, kind, where, optional=False):
    if key not in object:
        _invalid(optional, f"{where} has no member '{key}'")
        return None
    _invalid(KINDS[kind](object[key]), f"'{key}' of {where} is not what it should be ({kind})")
    return object[key]


def _check_tensor(entry, where):
    name = _member(entry, "name", "string", where)
    _invalid(name, f"the name of {where} is empty")
    where = "tensor " + _shown(name)
    type = _member(entry, "type", "string", where)
    shape = _member(entry, "shape", "integers", where)
    codec = _member(entry, "codec", "string", where)
    for key in ("offset", "storedBytes", "bytes"):
        _member(entry, key, "integer", where)
    _member(entry, "crc32", "checksum", where)
    _member(entry, "role", "string", where, True)
    layout = _member(entry, "layout", "string", where, True)
    _invalid(len(shape) <= 64, "it has more than 64 axes", name)
    _invalid(LAYOUTS.get(layout, len(shape)) == len(shape), f"layout {layout} of {len(shape)} axes", name)
    if type not in TYPES:
        return
    size = np.dtype(TYPES[type]).itemsize
    bytes = size * math.prod(shape)
    _invalid(bytes <= LARGEST and entry["bytes"] == bytes,
             f"it has {entry['bytes']} bytes, which are not those of its shape", name)
    if codec == "raw":
        _invalid(entry["storedBytes"] == bytes, "its stored bytes are not its bytes", name)
        _invalid("frames" not in entry, "frames of a tensor that is not compressed", name)
    elif codec == "planes-zstd":
        frames = entry.get("frames")
        _invalid(isinstance(frames, list) and len(frames) == -(-bytes // FRAME), "wrong frames", name)
        for index, planes in enumerate(frames):
            count = min(FRAME, bytes - index * FRAME) // size
            _invalid(_array(_integer)(planes) and len(planes) == size
                     and all(1 <= plane <= count for plane in planes), f"wrong frame {index}", name)
        _invalid(sum(map(sum, frames)) == entry["storedBytes"],
                 "its frames are not of as many bytes as are stored", name)


def _check_scales_indices(entries):
    taken = set()
    for entry in entries:
        if "scales" not in entry or entry["type"] not in TYPES:
            continue
        name, index = entry["name"], entry["scales"]
        _invalid(_integer(index) and index < len(entries), "its scales are no tensor", name)
        _invalid(entry["type"] == "int8" and len(entry["shape"]) in (2, 4),
                 "it has scales, which only int8 tensors of 2 or 4 axes have", name)
        scales = entries[index]
        _invalid(scales["type"] == "float32" and scales["shape"] == entry["shape"][:1],
                 "its scales are not one float32 for each output channel", name)
        _invalid(index not in taken, "its scales are those of another tensor too", name)
        taken.add(index)


def _check_rest(manifest):
    top = "the manifest"
    _member(_member(manifest, "content", "object", top), "sha256", "digest", "content")
    _member(manifest, "architecture", "string", top, True)
    classes = _member(manifest, "classes", "integer", top, True)
    _invalid(classes != 0, "the number of classes is 0")
    _member(manifest, "graph", "objects", top, True)

    input = _member(manifest, "input", "object", top, True)
    if input is not None:
        _invalid(_member(input, "channelOrder", "string", "input") in ("RGB", "BGR"),
                 "an unknown order of channels")
        _invalid(_member(input, "scale", "number", "input") > 0, "the scale of the input is not positive")
        mean = _member(input, "mean", "numbers", "input")
        deviation = _member(input, "standardDeviation", "numbers", "input")
        _invalid(len(mean) == len(deviation) == 3 and min(deviation) > 0, "a wrong normalisation")
        size = _member(input, "size", "integer", "input", True)
        _invalid(size is None or 1 <= size <= 65535, "the size of the input is not from 1 to 65535")

    provenance = _member(manifest, "provenance", "object", top, True)
    if provenance is not None:
        _member(provenance, "sourceSHA256", "digest", "provenance", True)
        _member(provenance, "biasCorrection", "string", "provenance", True)
        for key in ("container", "dialect", "arithmetic", "tool"):
            _member(provenance, key, "string", "provenance")
        epsilons = _member(provenance, "epsilons", "numbers", "provenance")
        _invalid(epsilons == sorted(set(epsilons)) and all(e >= 0 for e in epsilons),
                 "epsilons that are negative or not ascending")

    metadata = _member(manifest, "metadata", "object", top, True)
    if metadata is not None:
        _invalid(metadata, "the metadata is empty")
        labels = _member(metadata, "labels", "strings", "metadata", True)
        _invalid(labels is None or labels, "there are no labels")
        _invalid(labels is None or classes in (None, len(labels)), "not one label for each class")
        for key in ("license", "homepage", "task"):
            _invalid(_member(metadata, key, "string", "metadata", True) != "", f"'{key}' is empty")
        authors = _member(metadata, "authors", "strings", "metadata", True)
        _invalid(authors is None or authors and all(authors), "the authors are empty")
        custom = _member(metadata, "custom", "object", "metadata", True)
        _invalid(custom is None or custom and all(custom) and KINDS["strings"](list(custom.values())),
                 "'custom' is not of strings with names")


# The graph, section "Graph".

# Number of values taken (None: two or more); operands, OPTIONAL ones with '?'; attributes, pairs
# with '2'. Of norms also a number, `epsilon`.
OPERATIONS = {
    "convolution": (1, "weight bias?", "stride2 padding2 dilation2 groups"),
    "linear": (1, "weight bias?", ""),
    "scale": (1, "factor shift?", ""),
    "batch-norm": (1, "gamma beta mean variance", ""),
    "layer-norm": (1, "gamma beta", ""),
    "global-response-norm": (1, "gamma beta?", ""),
    "attention": (1, "", "heads"),
    "prelu": (1, "slope", ""),
    "add": (2, "", ""),
    "multiply": (2, "", ""),
    "concatenate": (None, "", ""),
    "flatten": (1, "", ""),
    "upsample-nearest": (1, "", "factor2"),
    "pixel-shuffle": (1, "", "factor"),
    "global-average-pool": (1, "", ""),
    "average-pool": (1, "", "kernel2 stride2 padding2"),
    "max-pool": (1, "", "kernel2 stride2 padding2"),
    **dict.fromkeys(("relu", "relu6", "sigmoid", "silu", "tanh", "gelu", "gelu-tanh", "hard-sigmoid",
                     "hard-swish", "softmax"), (1, "", "")),
}


def _check_graph(manifest, tensors):
    nodes = manifest["graph"]
    for index, node in enumerate(nodes):
        where = f"node {index} of the graph"
        op = _member(node, "op", "string", where)
        _member(node, "inputs", "integers", where)
        _member(node, "block", "string", where, True)
        _, operands, attributes = OPERATIONS.get(op, (0, "", ""))
        for key in operands.split():
            _member(node, key.rstrip("?"), "integer", where, key.endswith("?"))
        for key in attributes.split():
            _member(node, key.rstrip("2"), "integers" if key.endswith("2") else "integer", where)
        if op.endswith("-norm"):
            _member(node, "epsilon", "number", where)
    for node in nodes:
        _check(node["op"] in OPERATIONS, "unsupported-operation",
               f"the operation '{node['op']}', which this reader does not know")

    def need(condition, problem):
        _check(condition, "graph", f"{where}: {problem}")

    where = "the graph"
    need(nodes, "it is empty")
    shapes, used = [_input_shape(manifest, tensors)], set()
    scales = {id(tensor.scales) for tensor in tensors}
    for index, node in enumerate(nodes):
        op, inputs = node["op"], node["inputs"]
        where = f"node {index} of the graph ({op})"
        count, operands, attributes = OPERATIONS[op]
        need(len(inputs) == count if count else len(inputs) > 1, f"it takes {len(inputs)} values")
        need(max(inputs) <= index, "it takes a value that is not there yet")
        used.update(inputs)
        members = {}
        for key in operands.replace("?", "").split():
            if key not in node:
                continue
            need(node[key] < len(tensors), f"'{key}' is no tensor")
            tensor = members[key] = tensors[node[key]]
            steps = tensor.type == "int8" and tensor.scales is not None and key == "weight"
            need(tensor.type in ("float64", "float32", "float16", "bfloat16") or steps,
                 f"'{key}' is {tensor.type}")
            need(0 not in tensor.shape and id(tensor) not in scales, f"'{key}' is no operand")
        for key in attributes.split():
            key, pair = key.rstrip("2"), key.endswith("2")
            numbers = node[key] if pair else [node[key]]
            need(len(numbers) == 1 + pair and all(
                (key != "padding") <= number < 2**31 for number in numbers), f"a wrong '{key}'")
            members[key] = node[key]
        need(not op.endswith("-norm") or node["epsilon"] > 0, "its epsilon is not greater than 0")
        shape = _shape(op, [shapes[value] for value in inputs], members, need)
        need(all(size is None or size <= LARGEST for size in shape), "a result that is too large")
        shapes.append(shape)
    where = "the graph"
    need(all(value in used for value in range(len(nodes))), "a value is not used")
    if "classes" in manifest:
        need(len(shapes[-1]) == 1 and shapes[-1][0] in (None, manifest["classes"]),
             "its result is not one number for each class")


def _input_shape(manifest, tensors):
    """Of the network's input: C, H and W, where None is not known."""
    channels = 3 if "input" in manifest else None
    for node in manifest["graph"]:
        if channels is None and node["op"] == "convolution" and 0 in node["inputs"]:
            if node["weight"] < len(tensors) and len(tensors[node["weight"]].shape) == 4:
                channels = tensors[node["weight"]].shape[1] * node["groups"]
            break
    return (channels, None, None)


def _shape(op, shapes, members, need):
    """The shape of a result: (C, H, W) of a map, (C,) of a vector, where None is not known."""
    def same(one, other):
        return one is None or other is None or one == other

    def windows(kernel, stride, padding, dilation=(1, 1)):
        result = []
        for size, k, s, p, d in zip(shapes[0][1:], kernel, stride, padding, dilation):
            reach = d * (k - 1) + 1
            need(size is None or size + 2 * p >= reach, "its map is smaller than its kernel")
            result.append(None if size is None else (size + 2 * p - reach) // s + 1)
        return result

    def vector(key, *lengths):
        if key in members:
            shape = members[key].shape
            need(len(shape) == 1 and any(same(shape[0], length) for length in lengths),
                 f"'{key}' has the wrong shape")

    a = shapes[0]
    if op in ("convolution", "flatten", "upsample-nearest", "pixel-shuffle", "global-average-pool",
              "average-pool", "max-pool", "global-response-norm", "attention"):
        need(len(a) == 3, "it takes a vector")
    if op == "convolution":
        weight, groups = members["weight"].shape, members["groups"]
        need(len(weight) == 4, "its weight has not four axes")
        need(weight[0] % groups == 0 and same(a[0], weight[1] * groups), "its channels do not fit")
        vector("bias", weight[0])
        return weight[0], *windows(
            weight[2:], members["stride"], members["padding"], members["dilation"])
    if op == "linear":
        weight = members["weight"].shape
        need(len(weight) == 2 and same(a[0], weight[1]), "its weight does not fit")
        vector("bias", weight[0])
        return weight[0], *a[1:]
    if op in ("scale", "prelu"):
        for key in members:
            vector(key, 1, a[0])
        need(len({tensor.shape for tensor in members.values()} - {(1,)}) <= 1,
             "its factor and shift have different shapes")
        return a
    if op.endswith("-norm"):
        channels = members["gamma"].shape
        need(len(channels) == 1 and same(channels[0], a[0]), "its gamma does not fit")
        for key in members:
            vector(key, channels[0])
        return channels[0], *a[1:]
    if op == "attention":
        need(a[0] is None or a[0] % (3 * members["heads"]) == 0, "its heads do not divide the channels")
        return None if a[0] is None else a[0] // 3, *a[1:]
    if op in ("add", "multiply"):
        b = shapes[1]
        need(len(a) == len(b) and same(a[0], b[0]), "its values do not fit")
        channels = b[0] if a[0] is None else a[0]
        if len(a) == 1:
            return (channels,)
        if a[1:] == (1, 1):
            return (channels, *b[1:])
        if b[1:] == (1, 1) or a[1:] == b[1:]:
            return (channels, *a[1:])
        need(all(map(same, a, b)) or all(map(same, a[1:], (1, 1))) or all(map(same, b[1:], (1, 1))),
             "its values do not fit")
        return (channels, None, None)
    if op == "concatenate":
        need(all(len(shape) == 3 for shape in shapes), "it takes a vector")
        sizes = []
        for axis in (1, 2):
            known = {shape[axis] for shape in shapes} - {None}
            need(len(known) <= 1, "its maps have different sizes")
            sizes.append(known.pop() if known else None)
        channels = [shape[0] for shape in shapes]
        return None if None in channels else sum(channels), *sizes
    if op == "flatten":
        return (None if None in a else math.prod(a),)
    if op == "upsample-nearest":
        u, v = members["factor"]
        return a[0], *(None if size is None else size * f for size, f in zip(a[1:], (u, v)))
    if op == "pixel-shuffle":
        r = members["factor"]
        need(a[0] is None or a[0] % (r * r) == 0, "the square of its factor does not divide the channels")
        return (None if a[0] is None else a[0] // (r * r),
                *(None if size is None else size * r for size in a[1:]))
    if op == "global-average-pool":
        return a[0], 1, 1
    if op in ("average-pool", "max-pool"):
        need(all(p < k for p, k in zip(members["padding"], members["kernel"])),
             "its padding is not smaller than its kernel")
        return a[0], *windows(members["kernel"], members["stride"], members["padding"])
    return a


def main(arguments):
    if not arguments or arguments[0].startswith("-"):
        print("usage: python -m rvd FILE...", file=sys.stderr)
        return 2
    failed = 0
    for path in arguments:
        try:
            with open(path) as file:
                for tensor in file.tensors:
                    name = tensor.name if tensor.name.isprintable() else repr(tensor.name)
                    shape = "x".join(map(str, tensor.shape)) or "scalar"
                    how = "" if tensor.codec == "raw" else f" {tensor.codec} {tensor.stored_bytes} bytes"
                    how += "" if tensor.scales is None else " with scales"
                    print(f"{name:40} {tensor.type:10} {shape}{how}")
                for key, value in file.metadata.items():
                    print(f"{key}: {len(value) if key == 'labels' else ascii(value)}")
                file.verify()
                print(f"{path}: sound, {len(file)} tensors, content SHA-256 {file.content}")
        except (OSError, ImportError, Error) as error:
            print(f"error: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
