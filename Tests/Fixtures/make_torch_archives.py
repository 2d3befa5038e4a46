"""Writes TorchArchives/: PyTorch files put together by hand, sound and hostile, a few hundred bytes
each. Python 3.8 or later.

Usage: make_torch_archives.py [--check], the latter to compare with PyTorch (2.15) what the sound ones
hold.

`TorchArchives/tensors.tsv` lists what the sound ones must read as: file, path of the state dict, name,
element type, shape, little-endian row-major bytes in hexadecimal.
"""
import io
import itertools
import os
import struct
import sys
import zipfile

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "TorchArchives")


# A pickler for objects that Python does not have to have: names, calls and persistent ids.

class Global:
    def __init__(self, name):
        self.module, self.name = name.rsplit(".", 1)


class Call:
    """A call of a global; `new` for NEWOBJ instead of REDUCE."""

    def __init__(self, function, *args, state=None, entries=(), new=False):
        self.function = Global(function) if isinstance(function, str) else function
        self.args, self.state, self.entries, self.new = args, state, entries, new


class Persistent:
    def __init__(self, *parts):
        self.parts = parts


class Memo:
    """An object that is written once and fetched from the memo after that."""

    def __init__(self, value=None):
        self.value = value


class Pickler:
    def __init__(self, legacy=False):
        self.memo, self.legacy = {}, legacy

    def dumps(self, value, protocol=2):
        return b"\x80" + bytes([protocol]) + self.save(value) + b"."

    def save(self, x):
        save = self.save
        if x is None:
            return b"N"
        if x is True or x is False:
            return b"\x88" if x else b"\x89"
        if isinstance(x, int):
            if -2**31 <= x < 2**31:
                return b"J" + struct.pack("<i", x)
            data = x.to_bytes((x.bit_length() + 8) // 8, "little", signed=True)
            return b"\x8a" + bytes([len(data)]) + data
        if isinstance(x, float):
            return b"G" + struct.pack(">d", x)
        if isinstance(x, str):
            return b"X" + struct.pack("<I", len(x.encode())) + x.encode()
        if isinstance(x, bytes):  # as Python 2 wrote its strings
            return b"T" + struct.pack("<i", len(x)) + x
        if isinstance(x, tuple):
            return b"(" + b"".join(map(save, x)) + b"t"
        if isinstance(x, list):
            return b"](" + b"".join(map(save, x)) + b"e"
        if isinstance(x, dict):
            return b"}" + self.items(x.items())
        if isinstance(x, Global):
            return b"c" + x.module.encode() + b"\n" + x.name.encode() + b"\n"
        if isinstance(x, Persistent):  # of storages; legacy files have a sixth element
            return save(x.parts + (None,) * (self.legacy and len(x.parts) == 5)) + b"Q"
        if isinstance(x, Memo):
            if x in self.memo:
                return b"j" + struct.pack("<I", self.memo[x])
            index = self.memo[x] = len(self.memo)
            put = b"r" + struct.pack("<I", index)
            if isinstance(x.value, Call):
                return self.call(x.value, put)
            if isinstance(x.value, dict):
                return b"}" + put + self.items(x.value.items())
            return save(x.value) + put
        if isinstance(x, Call):
            return self.call(x, b"")
        raise TypeError(x)

    def call(self, x, put):
        data = self.save(x.function) + self.save(x.args) + (b"\x81" if x.new else b"R") + put
        data += self.items(x.entries)
        if x.state is not None:
            data += self.save(x.state) + b"b"
        return data

    def items(self, items):
        items = list(items)
        return b"(" + b"".join(self.save(k) + self.save(v) for k, v in items) + b"u" if items else b""


def ordered(entries, **k):
    return Call("collections.OrderedDict", entries=list(entries.items()), **k)


HOOKS = ordered({})
FORMATS = {
    "Double": ("float64", "<d"), "Float": ("float32", "<f"), "Half": ("float16", "<e"),
    "BFloat16": ("bfloat16", None), "Long": ("int64", "<q"), "Int": ("int32", "<i"),
    "Short": ("int16", "<h"), "Char": ("int8", "<b"), "Byte": ("uint8", "<B"),
    "Bool": ("bool", "<B"), "ComplexDouble": ("complex128", None), "ComplexFloat": ("complex64", None),
}
SIZES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2,
         "int8": 1, "uint8": 1, "bool": 1, "complex128": 16, "complex64": 8, "float8_e4m3fn": 1,
         "float8_e5m2": 1, "uint16": 2, "uint32": 4, "uint64": 8}
TWELVE = struct.pack("<12f", *range(12))


class File:
    """Storages by key, and what their elements are."""

    def __init__(self, **storages):
        self.storages = dict(storages or {"0": TWELVE})

    def storage(self, key="0", kind="Float", count=None, tail=()):
        size = SIZES[FORMATS[kind][0]] if kind in FORMATS else 1
        if count is None:
            count = len(self.storages[key]) // size
        name = f"torch.{kind}Storage" if kind in FORMATS else kind
        return Persistent("storage", Global(name), key, "cpu", count, *tail)

    def tensor(self, sizes, strides, offset=0, key="0", kind="Float", **k):
        return Call("torch._utils._rebuild_tensor_v2", self.storage(key, kind, **k), offset, sizes,
                    strides, False, HOOKS)

    def expected(self, sizes, strides, offset=0, key="0", kind="Float", type=None):
        """Element by element, as the formula says."""
        type = type or FORMATS[kind][0]
        size = SIZES[type]
        data = b""
        for index in itertools.product(*map(range, sizes)):
            at = (offset + sum(i * s for i, s in zip(index, strides))) * size
            data += self.storages[key][at:at + size]
        return type, "x".join(map(str, sizes)) or "scalar", data.hex()

    def zip(self, root, folder="archive/", members=None, extra=None, method=zipfile.ZIP_STORED,
            pickle=None):
        out = io.BytesIO()
        if members is None:
            members = {"data.pkl": pickle or Pickler().dumps(root)}
            members.update({f"data/{k}": v for k, v in self.storages.items()})
            members["version"] = b"3\n"
        members.update(extra or {})
        with zipfile.ZipFile(out, "w", method) as z:
            for name, data in members.items():
                info = zipfile.ZipInfo(folder + name)
                info.compress_type = method
                z.writestr(info, data)
        return out.getvalue()

    def legacy(self, root, keys=None, counts=None, version=1001, tail=b"", little=True, magic=None):
        out = magic or b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
        out += Pickler().dumps(version)
        out += Pickler().dumps({"protocol_version": 1001, "little_endian": little, "type_sizes": {}})
        out += Pickler(legacy=True).dumps(root)
        keys = sorted(self.storages) if keys is None else keys
        out += Pickler().dumps(keys)
        for key in keys:
            key = key.decode() if isinstance(key, bytes) else str(key)
            data = self.storages.get(key, b"")
            out += struct.pack("<q", (counts or {}).get(key, len(data) // 4)) + data
        return out + tail


def geometries():
    yield "contiguous", (3, 4), (4, 1), 0
    yield "transposed", (4, 3), (1, 4), 0
    yield "channels_last", (1, 3, 2, 2), (12, 1, 6, 3), 0
    yield "slice", (2, 2), (4, 2), 5
    yield "expanded", (3, 2), (0, 1), 4
    yield "overlapping", (2, 3), (1, 1), 0
    yield "scalar", (), (), 7
    yield "empty", (0, 3), (3, 1), 0
    yield "empty_beyond_the_end", (2, 0), (9, 9), 99
    yield "ones", (1, 4, 1, 1), (77, 1, 5, 9), 8


def module(cls, parameters=None, buffers=None, modules=None, transient=None, **attributes):
    state = {"training": True, "_parameters": ordered(parameters or {}), "_buffers": ordered(buffers or {}),
             "_modules": ordered(modules or {})}
    if transient is not None:
        state["_non_persistent_buffers_set"] = Call("__builtin__.set", list(transient))
    state.update(attributes)
    return Call(cls, state=state, new=True)


def sound():
    """name, file, [(state dict path, name, type, shape, bytes)]"""
    f = File()
    root = {name: f.tensor(s, t, o) for name, s, t, o in geometries()}
    expected = [("", name) + f.expected(s, t, o) for name, s, t, o in geometries()]
    yield "geometry", f.zip(root), expected
    yield "geometry-legacy", f.legacy(root), expected
    yield "deflated", f.zip(root, method=zipfile.ZIP_DEFLATED), expected
    yield "odd-folder", f.zip(root, folder="we.ird näme v1/"), expected
    yield "with-folders", f.zip(root, members={
        "": b"", "data/": b"", "data.pkl": Pickler().dumps(root), "data/0": TWELVE, "version": b"3\n"}), expected

    data = bytes(range(1, 49))
    f = File(**{str(i): data for i in range(len(FORMATS))})
    root, expected, big = {}, [], []
    for i, kind in enumerate(FORMATS):
        type = FORMATS[kind][0]
        n = len(data) // SIZES[type]
        root[kind] = f.tensor((n,), (1,), key=str(i), kind=kind)
        expected.append(("", kind) + f.expected((n,), (1,), key=str(i), kind=kind))
        width = SIZES[type] // (2 if type.startswith("complex") else 1)
        swapped = b"".join(data[j:j + width][::-1] for j in range(0, len(data), width))
        big.append(("", kind, type, str(n), swapped.hex()))
    yield "types", f.zip(root), expected
    yield "types-big-endian", f.zip(root, extra={"byteorder": b"big"}), big

    f = File()
    s, row = f.storage(), ((2,), (1,))
    v2 = f.tensor((2,), (1,), 3)
    untyped = f.storage(kind="torch.storage.UntypedStorage")
    raw = f.storage(kind="torch.UntypedStorage")
    pair = f.expected((2,), (1,), 3)
    root = {
        "rebuild_tensor": Call("torch._utils._rebuild_tensor", s, 3, *row),
        "size": Call("torch._utils._rebuild_tensor_v2", s, 3, Call("torch.Size", (2,)), (1,), False, HOOKS),
        "metadata": Call("torch._utils._rebuild_tensor_v2", s, 3, *row, False, HOOKS, {"conj": False}),
        "six": Call("torch._utils._rebuild_tensor_v2", f.storage(tail=(None,)), 3, *row, False, HOOKS),
        "cuda": Call("torch._utils._rebuild_tensor_v2",
                     Persistent("storage", Global("torch.cuda.FloatStorage"), "0", "cuda:1", 12), 3, *row, False, HOOKS),
        "parameter": Call("torch._utils._rebuild_parameter", v2, True, HOOKS),
        "with_state": Call("torch._utils._rebuild_parameter_with_state", v2, True, HOOKS, {"tag": 1}),
        "parameter_v2": Call("torch._utils._rebuild_parameter_v2", v2, True, HOOKS, {}),
        "from_type_v2": Call("torch._tensor._rebuild_from_type_v2", Global("torch._utils._rebuild_tensor_v2"),
                             Global("my.Tensor"), v2.args, {"tag": 1}),
        "from_type": Call("torch.tensor._rebuild_from_type", Global("torch._utils._rebuild_tensor_v2"),
                          Global("my.Tensor"), v2.args, {}),
        "fastai": Call("fastai.torch_core._fa_rebuild_tensor", Global("fastai.torch_core.TensorImage"), *v2.args),
        "from_cpu": Call("torch._utils._rebuild_device_tensor_from_cpu_tensor", v2, Global("torch.float32"), "xla:0", False),
        "oldest": Call("torch.FloatTensor", state=(s, 3, (2,), (1,))),
        "variable": Call("torch.autograd.variable.Variable", v2, state=(True, False, HOOKS)),
    }
    dtype = Call("numpy.dtype", "f4", False, True, state=(3, "<", None, None, None, -1, -1, 0))
    array = Call("numpy.core.multiarray._reconstruct", Global("numpy.ndarray"), (0,), b"b",
                 state=(1, (2,), dtype, False, TWELVE[12:20]))
    root["from_numpy"] = Call("torch._utils._rebuild_device_tensor_from_numpy", array, Global("torch.bfloat16"), "xla:0", False)
    expected = [("", name) + pair for name in root]
    root["float8"] = Call("torch._utils._rebuild_tensor_v3", untyped, 3, (4,), (2,), False, HOOKS, Global("torch.float8_e4m3fn"))
    expected.append(("", "float8") + f.expected((4,), (2,), 3, type="float8_e4m3fn"))
    root["uint16"] = Call("torch._utils._rebuild_tensor_v3", raw, 3, (4,), (2,), False, HOOKS, Global("torch.uint16"), {})
    expected.append(("", "uint16") + f.expected((4,), (2,), 3, type="uint16"))
    yield "functions", f.zip(root), expected

    # Views of storages, integer keys and Python 2's strings occur only in legacy files.
    f = File(**{"94449045876608": TWELVE, "17": TWELVE[:16]})
    key = b"94449045876608"
    view = Persistent(b"storage", Global("torch.FloatStorage"), key, b"cpu", 12, (b"1", 4, 6))
    whole = Persistent(b"storage", Global("torch.FloatStorage"), 17, b"cpu", 4, None)
    items = [[b"view", Call("torch._utils._rebuild_tensor_v2", view, 1, (2, 2), (2, 1), False, HOOKS)],
             [b"whole", Call("torch._utils._rebuild_tensor_v2", whole, 0, (4,), (1,), False, HOOKS)]]
    expected = [("", "view") + f.expected((2, 2), (2, 1), 5, key="94449045876608"),
                ("", "whole") + f.expected((4,), (1,), key="17")]
    yield "legacy-python2", f.legacy(Call("collections.OrderedDict", items), keys=[17, key]), expected
    yield "legacy-trailing-bytes", File().legacy(ordered({"w": v2}), tail=b"left over"), [("", "w") + pair]
    yield "legacy-big-endian", File().legacy(ordered({"w": v2}), little=False), [("", "w") + pair]
    # Protocol 4 puts a frame around the magic number.
    framed = b"\x80\x04\x95\x0d" + bytes(7) + b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    yield "legacy-framed", File().legacy(ordered({"w": v2}), magic=framed), [("", "w") + pair]

    # A state dict twice, by reference; beside it what training scripts keep.
    f = File()
    state = ordered({"w": f.tensor((2,), (1,), 3)}, state={"_metadata": ordered({"": {"version": 1}})})
    shared = Memo(state)
    config = Call("yacs.config.CfgNode", new=True, entries=[("LR", 0.1)], state={"__immutable__": True})
    root = {"model": shared, "ema": shared, "config": config, "epoch": 3, "best": None,
            "args": Call("argparse.Namespace", new=True, state={"lr": 0.1}),
            "evil": Call("os.system", "echo this must not run")}
    yield "training", f.zip(root), [("model", "w") + pair, ("ema", "w") + pair]

    # Modules: members that are None, shared or not persistent; one behind DataParallel.
    f = File()
    t = f.tensor((2,), (1,), 3)
    conv = Memo(module("torch.nn.modules.conv.Conv2d", {"weight": t, "bias": None}, stride=(2, 1),
                       padding=(1, 1), dilation=(1, 1), groups=2))
    bn = module("torch.nn.modules.batchnorm.BatchNorm2d", {"weight": t}, {"mean": t, "cache": t, "no": None},
                transient=["cache"], eps=0.001)
    net = module("my.Net", modules={"conv": conv, "bn": bn, "gone": None, "again": conv},
                 buffers={"own": t})
    names = ["own", "conv.weight", "bn.weight", "bn.mean", "again.weight"]
    yield "module", f.zip(net), [("", n) + pair for n in names]
    parallel = module("torch.nn.parallel.data_parallel.DataParallel", modules={"module": net})
    yield "modules-in-a-dict", f.zip({"model": parallel, "epoch": 1}), [
        ("model", "module." + n) + pair for n in names]
    legacy = Persistent("module", Global("my.Net"), "/home/me/net.py", "class Net: pass")
    net.function = legacy
    bound = Call("__builtin__.getattr", net, "state_dict")
    yield "module-bound-method", f.zip({"state_dict": bound}), [("state_dict", n) + pair for n in names]
    yield "module-legacy", f.legacy(net), [("", n) + pair for n in names]


def hostile():
    f = File()
    w = f.tensor((2,), (1,), 3)
    s = f.storage()

    def v2(*args):
        return f.zip({"w": Call("torch._utils._rebuild_tensor_v2", *args, False, HOOKS)})

    good = {"data.pkl": Pickler().dumps({"w": w}), "data/0": TWELVE, "version": b"3\n"}
    yield "no-folder", f.zip(None, folder="", members=good)
    yield "nested-folder", f.zip(None, folder="a/b/", members=good)
    yield "two-folders", f.zip(None, folder="", members={"a/" + k: v for k, v in good.items()}, extra={"b/data.pkl": b""})
    yield "no-storage", f.zip(None, members={"data.pkl": good["data.pkl"]})
    yield "storage-short", f.zip(None, members=dict(good, **{"data/0": TWELVE[:-1]}))
    yield "storage-long", f.zip(None, members=dict(good, **{"data/0": TWELVE + b"x"}))
    yield "key-traversal", f.zip({"w": Call("torch._utils._rebuild_tensor_v2", Persistent(
        "storage", Global("torch.ByteStorage"), "../data.pkl", "cpu", 10), 0, (2,), (1,), False, HOOKS)})
    yield "byteorder", f.zip(None, members=good, extra={"byteorder": b"middle"})
    yield "offset-negative", v2(s, -1, (2,), (1,))
    yield "stride-negative", v2(s, 11, (2,), (-1,))
    yield "size-negative", v2(s, 0, (-2,), (1,))
    yield "ranks-differ", v2(s, 0, (2, 2), (1,))
    yield "size-is-text", v2(s, 0, ("2",), (1,))
    yield "beyond-the-end", v2(s, 10, (3,), (1,))
    yield "strides-overflow", v2(s, 0, (3, 3), (2**62, 2**62))
    yield "offset-overflow", v2(s, 2**62, (3,), (1,))
    yield "sizes-overflow", v2(s, 0, (2**40, 2**40), (0, 0))
    yield "bytes-overflow", v2(s, 0, (2**31, 2**31), (0, 0))
    yield "rank-65", v2(s, 0, (1,) * 65, (1,) * 65)
    yield "view-bomb", v2(s, 0, (2**30, 2**30), (0, 0))
    yield "view-bombs", f.zip({str(i): f.tensor((2**22,), (0,)) for i in range(5)})
    yield "storage-overflow", v2(f.storage(count=2**62), 0, (3,), (1,))
    yield "storage-class", v2(f.storage(kind="torch.FancyStorage"), 0, (3,), (1,))
    yield "storage-is-no-class", v2(Persistent("storage", "FloatStorage", "0", "cpu", 12), 0, (3,), (1,))
    yield "storage-without-count", v2(Persistent("storage", Global("torch.FloatStorage"), "0", "cpu"), 0, (3,), (1,))
    yield "storage-view", v2(f.storage(tail=(("1", 0, 2),)), 0, (2,), (1,))
    yield "storage-missing", v2(None, 0, (3,), (1,))
    yield "storage-untyped", v2(f.storage(kind="torch.UntypedStorage"), 0, (3,), (1,))
    yield "storage-quantised", v2(f.storage(kind="torch.QInt8Storage"), 0, (3,), (1,))
    yield "few-arguments", f.zip({"w": Call("torch._utils._rebuild_tensor_v2", s, 0)})
    yield "conj", f.zip({"w": Call("torch._utils._rebuild_tensor_v2", s, 0, (2,), (1,), False, HOOKS, {"conj": True})})
    yield "neg", f.zip({"w": Call("torch._utils._rebuild_tensor_v2", s, 0, (2,), (1,), False, HOOKS, {"neg": True})})
    yield "quantised", f.zip({"w": Call("torch._utils._rebuild_qtensor", s, 0, (2,), (1,), (
        Global("torch.per_tensor_affine"), 0.5, 0), False, HOOKS)})
    yield "sparse", f.zip({"w": Call("torch._utils._rebuild_sparse_tensor", Global("torch.sparse_coo"), (w, w, (2,)))})
    yield "meta", f.zip({"w": Call("torch._utils._rebuild_meta_tensor_no_storage", Global("torch.float32"), (2,), (1,), False)})
    yield "subclass", f.zip({"w": Call("torch._utils._rebuild_wrapper_subclass", Global("my.T"), Global("torch.float32"),
                                       (2,), (1,), 0, None, "cpu", False)})
    yield "type-unknown", f.zip({"w": Call("torch._utils._rebuild_tensor_v3", f.storage(kind="torch.UntypedStorage"), 0, (2,), (1,),
                                           False, HOOKS, Global("torch.complex32"))})
    wrapped = w
    for _ in range(20):
        wrapped = Call("torch._utils._rebuild_parameter", wrapped, True, HOOKS)
    yield "wrappers", f.zip({"w": wrapped})
    yield "control-characters", f.zip({"\x1b[2Jw": Call("torch._utils._rebuild_tensor_v2", s, 10, (3,), (1,), False, HOOKS)})

    inside = Memo()
    inside.value = module("my.Net", modules={"self": inside})
    yield "module-in-itself", f.zip(inside)
    net = module("my.Leaf", {"w": w})
    for _ in range(150):
        net = module("my.Net", modules={"a": net})
    yield "modules-deep", f.zip(net)
    net = module("my.Leaf")
    for _ in range(20):
        net = Memo(net)
        net = module("my.Net", modules={"a": net, "b": net})
    yield "modules-shared", f.zip(net)

    yield "legacy-version", f.legacy({"w": w}, version=1000)
    yield "legacy-count", f.legacy({"w": w}, counts={"0": 11})
    yield "legacy-unknown-key", f.legacy({"w": w}, keys=["0", "1"])
    yield "legacy-key-twice", f.legacy({"w": w}, keys=["0", "0"])
    yield "legacy-no-key", f.legacy({"w": w}, keys=[])
    yield "legacy-keys-no-list", f.legacy({"w": w}, keys={})
    yield "legacy-classes-differ", f.legacy({"w": w, "v": f.tensor((2,), (1,), kind="Int", count=9)})
    yield "legacy-view-outside", f.legacy({"w": Call("torch._utils._rebuild_tensor_v2", f.storage(
        tail=(("1", 8, 6),)), 0, (2,), (1,), False, HOOKS)})
    yield "legacy-view-overrun", f.legacy({"w": Call("torch._utils._rebuild_tensor_v2", f.storage(
        tail=(("1", 0, 6),)), 5, (2,), (1,), False, HOOKS)})
    yield "pickle-without-bytes", Pickler().dumps({"w": w})

    # What pickle.dump makes of a tensor has a legacy file of its storage inside.
    def inside(*args):
        return Pickler().dumps({"w": Call("torch._utils._rebuild_tensor_v2", Call("torch.storage._load_from_bytes", *args),
                                          0, (2,), (1,), False, HOOKS)})

    sound = f.legacy(s)
    yield "inside-cut", inside(sound[:-1])
    yield "inside-itself", inside(f.legacy(Call("torch.storage._load_from_bytes", sound), keys=[]))
    yield "inside-no-storage", inside(f.legacy({"w": w}))
    yield "inside-another-pickle", inside(Pickler().dumps({"a": 1}))
    yield "inside-zip", inside(f.zip({"w": w}))
    yield "inside-nothing", inside(b"")
    yield "inside-text", inside("text")
    yield "inside-two", inside(sound, sound)


def check(name, data, expected):
    import torch
    with open(os.path.join(OUT, name), "rb") as f:
        root = torch.load(f, weights_only=False, map_location="cpu")
    for path, key, type, shape, data in expected:
        t = root[path] if path else root
        t = t[key]
        t = t.detach().data if hasattr(t, "detach") else t
        assert str(t.dtype) == "torch." + type, (name, key, t.dtype)
        assert ("x".join(map(str, t.shape)) or "scalar") == shape, (name, key, t.shape)
        assert bytes(t.contiguous().flatten().view(torch.uint8).tolist()).hex() == data, (name, key)
    print(name, "agrees with PyTorch", torch.__version__)


def main():
    sys.setrecursionlimit(10_000)
    os.makedirs(OUT, exist_ok=True)
    rows = []
    for name, data, expected in sound():
        name = f"sound-{name}.pth"
        with open(os.path.join(OUT, name), "wb") as f:
            f.write(data)
        rows += [(name,) + row for row in expected]
        # What needs classes that are not installed, or calls os.system, is not for PyTorch to load.
        if "--check" in sys.argv and not any(w in name for w in ("module", "functions", "training")):
            check(name, data, expected)
    for name, data in hostile():
        with open(os.path.join(OUT, f"hostile-{name}.pth"), "wb") as f:
            f.write(data)
    with open(os.path.join(OUT, "tensors.tsv"), "w") as f:
        for row in rows:
            f.write("\t".join(row) + "\n")


main()
