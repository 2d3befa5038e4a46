#!/usr/bin/env python3
"""Reads an .rvd file, verifies it, and prints its tensors: python3 read_rvd.py model.rvd

To use it in a program, copy this file: read_rvd(path) returns the manifest, which is a dictionary,
and the tensors by name, NumPy arrays if NumPy is there, else bytes. It checks all that
../formats/rvd.md asks of a reader that does not run the graph, and the content digest.
"""

import hashlib
import json
import math
import mmap
import struct
import sys
import zlib

try:
    import numpy
except ImportError:
    numpy = None

# Bytes of an element; axes of a layout; what stands for types that NumPy does not have.
SIZES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1,
         "float8_e5m2": 1, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4,
         "uint16": 2, "uint8": 1, "bool": 1, "complex64": 8, "complex128": 16}
LAYOUTS = {None: 0, "OIHW": 4, "OI": 2}
BITS = {"bfloat16": "uint16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8"}


def read_rvd(path):
    with open(path, "rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def check(condition, problem):
        if not condition:
            raise ValueError(f"{path}: {problem}")

    check(data[:8] == b"\x89RVD\r\n\x1a\n", "not an RVD file")
    check(len(data) >= 64, "cut short")
    version, minimum, flags, start, length, crc = struct.unpack_from("<IIQQQI", data, 8)
    check(zlib.crc32(data[:60]) == struct.unpack_from("<I", data, 60)[0], "the header is damaged")
    check(minimum <= 1, f"needs a reader of version {minimum}")
    check(1 <= minimum <= version and flags == 0 and not any(data[44:60]), "a wrong header")
    check(start >= 64 and start % 64 == 0 and length <= 2**24, "a wrong header")
    check(len(data) == start + length, "cut short, or too long")
    check(zlib.crc32(data[start:]) == crc, "the manifest is damaged")

    manifest = json.loads(bytes(data[start:]))
    tensors, digests, end = {}, {}, 64
    for entry in manifest["tensors"]:
        name, type, shape = entry["name"], entry["type"], entry["shape"]
        check(name and name not in tensors, f"the name '{name}' twice, or empty")
        check(entry["codec"] == "raw", f"{name}: unknown codec {entry['codec']}")
        check(type in SIZES, f"{name}: unknown type {type}")
        check(LAYOUTS[entry.get("layout")] in (0, len(shape)), f"{name}: wrong layout")
        size = SIZES[type] * math.prod(shape)
        check(size == entry["bytes"] == entry["storedBytes"], f"{name}: wrong size")
        offset = -(-end // 64) * 64  # the next multiple of 64
        check(entry["offset"] == offset, f"{name}: wrong offset")
        check(not any(data[end:offset]), f"{name}: the padding before it is damaged")
        end = offset + size
        check(end <= start, f"{name}: inside the manifest")
        stored = data[offset:end]
        check(f"{zlib.crc32(stored):08x}" == entry["crc32"], f"{name}: damaged")
        key = b"".join(struct.pack("<Q", len(s)) + s for s in (name.encode(), type.encode()))
        key += struct.pack(f"<{len(shape) + 1}Q", len(shape), *shape)
        digests[name.encode()] = hashlib.sha256(key + stored).digest()
        tensors[name] = stored if numpy is None else numpy.frombuffer(
            stored, numpy.dtype(BITS.get(type, type)).newbyteorder("<")).reshape(shape)
    check(start == -(-end // 64) * 64, "the manifest does not follow the last tensor")
    check(not any(data[end:start]), "the padding before the manifest is damaged")
    content = hashlib.sha256(b"".join(digests[name] for name in sorted(digests))).hexdigest()
    check(content == manifest["content"]["sha256"], "the content digest differs")
    return manifest, tensors


if __name__ == "__main__":
    manifest = read_rvd(sys.argv[1])[0]
    for entry in manifest["tensors"]:
        print(f"{entry['name']:40} {entry['type']:10} {entry['shape']}")
    print(f"{len(manifest['tensors'])} tensors, content SHA-256 {manifest['content']['sha256']}")
