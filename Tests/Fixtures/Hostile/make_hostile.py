#!/usr/bin/env python3
"""Makes the files that are made to harm whoever reads them, from nothing but the standard library.

    make_hostile.py [--check]

What `repconv check` says of each is in `expected.tsv`: the file, the exit code, and the line that tells why.

--check fails if a file here is not what this script makes.
"""

import io
import json
import struct
import sys
import warnings
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
FILES = {}


def file(name, contents):
    FILES[name] = bytes(contents)


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header, ensure_ascii=False).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(start=0, end=4, dtype="F32", shape=(1,)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def archive(members, deflated=False):
    """A zip file whose members have fixed dates, so that it is the same every time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zip_file:
        for name, contents in members:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
            zip_file.writestr(info, contents)
    return out.getvalue()


def torch_zip(data_pkl, storages=(("0", b"\0\0\x80?"),), deflated=False):
    members = [("archive/data.pkl", data_pkl)]
    members += [(f"archive/data/{key}", contents) for key, contents in storages]
    return archive(members + [("archive/version", b"3\n")], deflated)


# Pickles, opcode by opcode.


def text(value):
    value = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(value)) + value


def integer(value):
    return b"J" + struct.pack("<i", value)


def call(module, name, *arguments):
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def storage(key="0", count=1):
    return (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + integer(count) + b"tQ"
    )


def sizes(*values):
    return b"(" + b"".join(integer(value) for value in values) + b"t"


HOOKS = b"ccollections\nOrderedDict\n)R"


def tensor(offset=None, shape=None, strides=None, requires_grad=b"\x89", storage=storage()):
    return call(
        "torch._utils", "_rebuild_tensor_v2", storage, offset or integer(0), shape or sizes(1),
        strides or sizes(1), requires_grad, HOOKS)


def state_dict(*pairs):
    return b"\x80\x02}(" + b"".join(text(name) + value for name, value in pairs) + b"u."


ONE = ("w", tensor())

# What a file with nothing wrong looks like: the others differ from it in one thing.
file("sound.pth", torch_zip(state_dict(ONE)))

# Calls that Python would make. They are read, and reported by `check`.
RUNS = call("os", "system", text("true"))
EVASIONS = {
    "reduce": RUNS,
    "stack-global-through-memo": (
        text("os") + b"q\x01" + b"0" + text("system") + b"q\x02" + b"0" + b"h\x01h\x02\x93"
        + b"(" + text("true") + b"tR"
    ),
    "nested-getattr": call("builtins", "getattr", call("builtins", "__import__", text("os")), text("system")),
    "dotted-stack-global": text("builtins") + text("__import__.__class__") + b"\x93" + b"(" + text("os") + b"tR",
    "through-imports": text("torch.serialization") + text("os.system") + b"\x93" + b"(" + text("true") + b"tR",
    "from-file": call("torch", "UntypedStorage.from_file", text("/tmp/x"), b"\x88", integer(1)),
    "memmap": call("numpy", "memmap", text("/tmp/x"), text("uint8"), text("w+")),
    "inst": b"(" + text("true") + b"ios\nsystem\n",
    "obj": b"(cos\nsystem\n" + text("true") + b"o",
    "newobj": b"cos\nsystem\n(" + text("true") + b"t\x81",
    "newobj-ex": b"cos\nsystem\n(" + text("true") + b"t}\x92",
    "numpy-dispatch": call("numpy.testing._private.utils", "runstring", text("import os"), b"}"),
    "torch-dispatch": call("torch.serialization", "load", text("/tmp/other.pth")),
    "torch-hub": call("torch.hub", "load", text("a/b"), text("c")),
    "runpy": call("runpy", "run_path", text("/tmp/x.py")),
    "pip": call("pip", "main", b"(" + text("install") + text("x") + b"l"),
    "operator": call("operator", "attrgetter", text("system")),
    "functools-partial": call("functools", "partial", b"cos\nsystem\n", text("true")),
    "python-2-name": call("__builtin__", "eval", text("1")),
    "set-state-of-global": b"cos\nsystem\n)\x81}(" + text("a") + b"K\x01ub",
}
for name, opcodes in EVASIONS.items():
    file(f"runs-{name}.pth", torch_zip(b"\x80\x04}(" + text("w") + tensor() + text("x") + opcodes + b"u."))

# Pickles that Python would run before it sees that they are broken.
file("broken-after-call.pkl", b"\x80\x02" + RUNS + b"}" + text("a"))
file("broken-unknown-opcode.pkl", b"\x80\x02" + RUNS + b"\xff.")
file("broken-underflow.pkl", b"\x80\x02" + RUNS + b"00.")
file("broken-no-stop.pth", torch_zip(b"\x80\x02" + RUNS))

MACHINE = {
    "put-minus-1": b"\x80\x02Np-1\n.",
    "put-10-to-12": b"\x80\x02}p1000000000000\n.",
    "long-binput": b"\x80\x02}r\xff\xff\xff\x7f.",
    "long4-negative": b"\x80\x02\x8b\xff\xff\xff\xff.",
    "binstring-negative": b"\x80\x02T\xff\xff\xff\xff.",
    "binbytes8-2-to-63": b"\x80\x04\x8e\0\0\0\0\0\0\0\x80.",
    "binbytes8-2-to-40": b"\x80\x04\x8e\0\0\0\0\0\x01\0\0.",
    "binbytes-4-gb": b"\x80\x03B\xff\xff\xff\xff.",
    "bytearray8-2-to-33": b"\x80\x05\x96\0\0\0\0\x02\0\0\0.",
    "frame-beyond-end": b"\x80\x04\x95\xff\0\0\0\0\0\0\0}.",
    "int-of-5000-digits": b"\x80\x02I" + b"9" * 5000 + b"\n.",
    "setitems-odd": b"\x80\x02}(K\x01u.",
    "setitems-no-mark": b"\x80\x02}K\x01K\x02u.",
    "stop-on-nothing": b"\x80\x02.",
    "stack-global-numbers": b"\x80\x04K\x01K\x02\x93.",
    "get-never-put": b"\x80\x02h\x07.",
    "protocol-6": b"\x80\x06}.",
    "protocol-6-inside": b"\x80\x04\x80\x06}.",
    "extension-0": b"\x80\x02\x82\0.",
    "extension": b"\x80\x02}(" + text("a") + b"\x82\x07u.",
    "truncated": b"\x80\x02}(" + text("abc")[:6],
    "next-buffer": b"\x80\x05\x97.",
    "self-containing-list": b"\x80\x02]q\0h\0a.",
    "self-containing-dict": b"\x80\x02}q\0" + text("a") + b"h\0s.",
    "doubling-tuple": b"\x80\x02)" + b"2\x86" * 60 + b".",
    "unhashable-key": b"\x80\x02}(]K\x01u.",
}
for name, stream in MACHINE.items():
    file(f"machine-{name}.pkl", stream)

# Tensors that PyTorch would refuse.
TENSORS = {
    "offset-true": tensor(offset=b"\x88"),
    "offset-real": tensor(offset=b"G" + struct.pack(">d", 0)),
    "offset-negative": tensor(offset=integer(-1)),
    "offset-beyond": tensor(offset=integer(1)),
    "size-true": tensor(shape=b"(\x88t"),
    "size-negative": tensor(shape=sizes(-1)),
    "sizes-overflow": tensor(shape=sizes(*[2**31 - 1] * 4), strides=sizes(0, 0, 0, 0)),
    "stride-0-terabyte": tensor(shape=sizes(2**31 - 1, 512), strides=sizes(0, 0)),
    "strides-too-few": tensor(shape=sizes(1, 1)),
    "requires-grad-0": tensor(requires_grad=integer(0)),
    "requires-grad-none": tensor(requires_grad=b"N"),
    "five-arguments": call("torch._utils", "_rebuild_tensor_v2", storage(), integer(0), sizes(1), sizes(1), b"\x89"),
    "storage-missing": tensor(storage=storage("9")),
    "storage-too-long": tensor(storage=storage(count=2)),
    "key-with-dots": tensor(storage=storage("../../etc/passwd")),
    "unknown-storage": tensor(storage=storage().replace(b"FloatStorage", b"EvilStorage")),
    "sparse": call("torch._utils", "_rebuild_sparse_tensor", b"N"),
    "meta": call("torch._utils", "_rebuild_meta_tensor_no_storage", b"N"),
}
for name, value in TENSORS.items():
    file(f"tensor-{name}.pth", torch_zip(state_dict(("w", value))))

# Names whose bytes differ are two names, also where they look alike.
COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"
file(
    "canonically-equivalent.safetensors",
    safetensors({COMPOSED: entry(0, 4), DECOMPOSED: entry(4, 8)}, struct.pack("<2f", 1, 2)))
file(
    "canonically-equivalent-storages.pth",
    torch_zip(
        state_dict(("a", tensor(storage=storage(COMPOSED))), ("b", tensor(storage=storage(DECOMPOSED)))),
        [(COMPOSED, struct.pack("<f", 1)), (DECOMPOSED, struct.pack("<f", 2))]))
file("combining-marks.safetensors", safetensors({"a" + "\u0301\u0323" * 40: entry()}, bytes(4)))
file("combining-marks.pth", torch_zip(state_dict(("a" + "\u0301\u0323" * 40, tensor()))))
file("long-name.safetensors", safetensors({"a." * 32769: entry()}, bytes(4)))
file("long-name.pth", torch_zip(state_dict(("a." * 32769, tensor()))))

# safetensors: what its own library refuses, and a name that repeats.
ST = {
    "empty": b"",
    "seven-bytes": b"\x02\0\0\0\0\0\0",
    "header-too-long": struct.pack("<Q", 100_000_001) + b"{}",
    "header-beyond-end": struct.pack("<Q", 99) + b"{}",
    "header-2-to-64": struct.pack("<Q", 2**64 - 1) + b"{}",
    "no-header": struct.pack("<Q", 0),
    "byte-order-mark": safetensors(b"\xef\xbb\xbf{}"),
    "not-utf-8": safetensors(b'{"\xff":1}'),
    "zeros-behind": safetensors(b"{}\0\0"),
    "twice": safetensors(b'{"a":%b,"a":%b}' % ((json.dumps(entry()).encode(),) * 2), bytes(4)),
    "hole": safetensors({"a": entry(4, 8)}, bytes(8)),
    "overlap": safetensors({"a": entry(0, 4), "b": entry(0, 4)}, bytes(4)),
    "bytes-behind": safetensors({"a": entry()}, bytes(5)),
    "bytes-missing": safetensors({"a": entry()}, bytes(3)),
    "end-before-start": safetensors({"a": entry(4, 0)}, bytes(4)),
    "shape-overflow": safetensors({"a": entry(0, 4, shape=(2**62, 2**62))}, bytes(4)),
    "shape-negative": safetensors(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', bytes(4)),
    "shape-real": safetensors(b'{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', bytes(4)),
    "shape-zeros-in-front": safetensors(b'{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}', bytes(4)),
    "nested-129": safetensors(b'{"a":' * 129 + b"0" + b"}" * 129),
    "lone-surrogate": safetensors(b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "unknown-dtype": safetensors({"a": entry(dtype="f32")}, bytes(4)),
    "list-entry": safetensors(b'{"a":["F32",[1],[0,4]]}', bytes(4)),
}
for name, contents in ST.items():
    file(f"st-{name}.safetensors", contents)


# NumPy.
def npy(shape, descr="'<f4'", data=bytes(40)):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + data


file("npy-zeros-in-front.npy", npy("(01, 10)"))
file("npy-zeros-in-front.npz", archive([("x.npy", npy("(01, 10)"))]))
file("npy-object.npy", npy("(1,)", "'|O'"))
file("npy-expression.npy", npy("__import__('os').system('true')"))
file("npy-too-large.npy", npy("(4611686018427387904, 4)"))
file("npz-folder-with-contents.npz", archive([("x.npy", npy("(1, 10)")), ("y.npy/", npy("(1, 10)"))]))


def pickled_array(is_fortran):
    dtype = call("numpy", "dtype", text("f4"), b"\x89", b"\x88")
    dtype += b"(" + integer(3) + text("<") + b"NNN" + integer(-1) + integer(-1) + integer(0) + b"tb"
    array = call(
        "numpy._core.multiarray", "_reconstruct", b"cnumpy\nndarray\n", b"(" + integer(0) + b"t",
        call("_codecs", "encode", text("b"), text("latin1")))
    data = call("_codecs", "encode", text(struct.pack("<6f", *range(6)).decode("latin1")), text("latin1"))
    state = b"(" + integer(1) + sizes(2, 3) + dtype + is_fortran + data + b"tb"
    return b"\x80\x02}" + text("w") + array + state + b"s."


file("fortran-flag-is-2.pkl", pickled_array(integer(2)))
file("fortran-flag-is-none.pkl", pickled_array(b"N"))


# Archives.
def patched(contents, signature, offset, value, occurrence=0):
    """A record of the archive with a field changed."""
    at = -1
    for _ in range(occurrence + 1):
        at = contents.index(signature, at + 1)
    changed = bytearray(contents)
    changed[at + offset : at + offset + len(value)] = value
    return bytes(changed)


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
sound = FILES["sound.pth"]
file("zip-wrong-crc.pth", patched(patched(sound, LOCAL, 14, b"\1\2\3\4"), CENTRAL, 16, b"\1\2\3\4"))
file("zip-local-crc.pth", patched(sound, LOCAL, 14, b"\1\2\3\4"))
file("zip-local-name.pth", patched(sound, LOCAL, 30, b"brchive"))
file("zip-encrypted.pth", patched(patched(sound, LOCAL, 6, b"\1\0"), CENTRAL, 8, b"\1\0"))
file("zip-encrypted-in-directory.pth", patched(sound, CENTRAL, 8, b"\1\0"))
file("zip-method-99.pth", patched(patched(sound, LOCAL, 8, b"\x63\0"), CENTRAL, 10, b"\x63\0"))
file("zip-two-disks.pth", patched(sound, END, 4, b"\1\0"))
file("zip-hidden-member.pth", patched(sound, END, 8, b"\2\0\2\0"))
file("zip-directory-beyond-end.pth", patched(sound, END, 16, b"\xff\xff\xff\x7f"))
file("zip-million-members.pth", patched(sound, END, 8, b"\xfe\xff\xfe\xff"))
file("zip-two-end-records.pth", sound + sound[sound.index(END) :])
file("zip-cut-short.pth", sound[:-1])
file("zip-no-data-pkl.pth", archive([("archive/version", b"3\n")]))
for name, members in {
    "duplicate": [("archive/data.pkl", b"."), ("archive/data.pkl", state_dict(ONE))],
    "other-case": [("archive/data.pkl", state_dict(ONE)), ("archive/DATA.PKL", b".")],
    "parent-folder": [("../data.pkl", state_dict(ONE))],
    "absolute": [("/archive/data.pkl", state_dict(ONE))],
    "backslash": [("archive\\data.pkl", state_dict(ONE))],
    "drive": [("c:/data.pkl", state_dict(ONE))],
    "two-folders": [("archive/data.pkl", state_dict(ONE)), ("other/data/0", bytes(4))],
}.items():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file(f"zip-{name}.pth", archive(members))
overlapping = patched(sound, CENTRAL, 42, struct.pack("<I", 0), occurrence=1)
file("zip-overlapping.pth", overlapping)
file("zip-behind-7z.pth", b"7z\xbc\xaf\x27\x1c" + sound)
file("zip-behind-gzip.pth", b"\x1f\x8b\x08\0" + sound)
file("zip-behind-pickle.pth", b"\x80\x02." + sound)
file("seven-zip.pth", b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24))

# Small files that would become large.
file("bomb-tuples.pth", torch_zip(b"\x80\x02)" + b"\x85" * 6_000_000 + b".", deflated=True))


def shared_modules(depth, name, parameters=text("weight") + tensor() + b"s", attributes=0):
    """A module that holds the one below it twice, so that the last is reached 2^depth times."""

    def module(children, parameters, attributes=0):
        return (
            b"ctorch.nn.modules.container\nSequential\n)\x81}(" + text("training") + b"\x88"
            + text("_parameters") + b"}" + parameters + text("_buffers") + b"}"
            + text("_modules") + b"}" + children
            + b"".join(text(f"attribute{i}") + b"N" for i in range(attributes)) + b"ub")

    inner = module(b"", parameters, attributes)
    for _ in range(depth):
        inner += b"q\x01" + b"0"
        inner = inner + module(text("a" + name) + b"h\x01s" + text("b" + name) + b"h\x01s", b"")
    return b"\x80\x02" + inner + b"."


file("shared-modules.pth", torch_zip(shared_modules(16, "k" * 400), deflated=True))
file("shared-modules-many-attributes.pth", torch_zip(
    shared_modules(15, "", parameters=b"", attributes=4000), deflated=True))
# One tensor under 90 names, one integer likewise, in modules that are reached 2^12 times.
for what, value in {"tensors": b"h\0", "values": b"K\x01"}.items():
    members = b"".join(text(f"{i}") + value + b"s" for i in range(90))
    file(f"shared-modules-many-{what}.pth", torch_zip(
        b"\x80\x02" + tensor() + b"q\x000" + shared_modules(12, "", parameters=members)[2:]))
file("shared-dicts.pth", torch_zip(
    b"\x80\x02}(" + text("d") + b"}(" + b"".join(text(f"{i}" + "n" * 200) + tensor() for i in range(40))
    + b"uq\x01" + b"".join(text(f"alias{i}") + b"h\x01" for i in range(3000)) + b"u.", deflated=True))
file("nested-dicts.pth", torch_zip(
    b"\x80\x02" + (b"}" + text("a")) * 1200 + tensor() + b"s" * 1200 + b".", deflated=True))

if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        wrong = [name for name, contents in FILES.items() if (HERE / name).read_bytes() != contents]
        sys.exit(f"other than this script makes them: {', '.join(wrong)}" if wrong else 0)
    for name, contents in FILES.items():
        (HERE / name).write_bytes(contents)
