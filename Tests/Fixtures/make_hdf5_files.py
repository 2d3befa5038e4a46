"""Writes HDF5Files/: small files of every kind that h5py and the C library behind it can write, and some
that nobody should read.

Usage: make_hdf5_files.py. Needs h5py and NumPy. Written by h5py 3.16 with HDF5 2.0; `libver` bounds
give what older versions wrote.

HDF5Files/files.tsv says what the sound ones must read as, by way of NumPy alone: file, name, element
type, shape, SHA-256 of the little-endian row-major bytes. HDF5Files/ignored.tsv: file, name, what it is
instead of a tensor. HDF5Files/resrep-fused.npz: what resrep.h5 is, fused. Kept by hand: notes.tsv, what is
remarked on sound ones, and refusals.tsv, which has the message that each of the others gets.
"""
import hashlib
import json
import os
import zlib

import h5py
import numpy as np

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "HDF5Files")
ROWS, IGNORED = [], []
VERSIONS = {v: (v, v) for v in ("v108", "v110", "v114")}
VERSIONS["earliest"] = ("earliest", "v108")


def values(shape, dtype="<f4"):
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    if dtype.kind == "f":
        a = np.sin(np.arange(count) * 0.7 + len(shape)) * 3
    else:
        a = (np.arange(count) * 37 + 11) % 251
    return a.reshape(shape).astype(dtype)


def note(file, name, a):
    a = np.asarray(a)
    kind = str(a.dtype.newbyteorder("="))
    data = a.astype(a.dtype.newbyteorder("<"), order="C").tobytes()
    shape = "x".join(map(str, a.shape)) or "scalar"
    ROWS.append((file, name, kind, shape, hashlib.sha256(data).hexdigest()))


def put(group, file, name, a, prefix="", **how):
    group.create_dataset(name, data=a, **how)
    note(file, prefix + name.replace("+", "/"), a)


def types(file, f):
    for order in "<>":
        for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
            put(f, file, f"{'big' if order == '>' else 'little'}.{code}", values((3, 5), order + code))
    put(f, file, "bool", np.array([True, False, True]))
    put(f, file, "a+b+weight", values((2, 2)))
    put(f, file, "scalar", np.float64(-2.5))
    put(f, file, "counter", np.int64(1 << 40))
    put(f, file, "empty.first", values((0, 3)))
    put(f, file, "empty.last", values((3, 0), "<i8"))
    put(f, file, "rank5", values((2, 3, 1, 2, 2), ">f8"))
    put(f, file, "schlüssel.gewicht", values((4,)))
    shared = f.create_dataset("tied", data=values((6,)))
    note(file, "tied", values((6,)))
    f["tied.again"] = shared
    note(file, "tied.again", values((6,)))
    f["float type"] = np.dtype("<f4")
    IGNORED.append((file, "float type", "a datatype"))
    f.create_dataset("of a named type", data=values((4,)), dtype=f["float type"])
    note(file, "of a named type", values((4,)))
    for order in "<>":
        for code in ("c8", "c16"):
            a = np.array([1 + 2j, -0.5j], order + code)
            put(f, file, f"{'big' if order == '>' else 'little'}.{code}", a)
    for name, what, data, dtype in (
        ("text.variable", "text", ["one", "two"], h5py.string_dtype()),
        ("text.fixed", "text", np.array([b"one", b"two"]), None),
        ("text.scalar", "text", "alone", None),
        ("pair", "a compound", np.zeros(2, [("r", "<f4"), ("i", "<f8")]), None),
        ("record", "a compound", np.zeros(2, [("a", "<f4"), ("b", "<i4")]), None),
        ("opaque", "opaque", np.zeros(3, "V5"), None),
        ("enumeration", "an enumeration", np.zeros(2, "i1"), h5py.enum_dtype({"RED": 0, "BLUE": 1}, "i1")),
        ("reference", "a reference", np.array([f.ref], h5py.ref_dtype), None),
        ("ragged", "of variable length", np.array([np.arange(2.0), np.arange(3.0)], object), h5py.vlen_dtype("<f8")),
        ("nothing", "a dataset without elements", h5py.Empty("<f4"), None),
    ):
        f.create_dataset(name, data=data, dtype=dtype)
        IGNORED.append((file, name, what))
    f.create_dataset("matrices", (2,), np.dtype(("<f4", (2, 2))))
    IGNORED.append((file, "matrices", "an array of its own"))
    f.create_group("an empty group")
    back = f.create_group("group")
    put(back, file, "weight", values((3, 3)), prefix="group.")
    back["up"] = f["/"]
    back["itself"] = back
    IGNORED.append((file, "group.up", "the group '/' again"))
    IGNORED.append((file, "group.itself", "the group 'group' again"))


def low_level(f, name, a, chunks=None, compact=False, early=False, deflate=None, maxshape=None):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if compact:
        plist.set_layout(h5py.h5d.COMPACT)
    if chunks:
        plist.set_chunk(chunks)
    if early:
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    if deflate:
        plist.set_deflate(deflate)
    space = h5py.h5s.create_simple(a.shape, maxshape or a.shape)
    d = h5py.h5d.create(f.id, name.encode(), h5py.h5t.py_create(a.dtype, logical=True), space, plist)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(a))


def layouts(file, f, growing=True):
    a = values((23, 17, 3))
    low_level(f, "compact", a[:4], compact=True)
    note(file, "compact", a[:4])
    low_level(f, "compact.big", values((7,), ">f8"), compact=True)
    note(file, "compact.big", values((7,), ">f8"))
    for shuffle in (False, True):
        for gzip in (None, 6):
            for checksum in (False, True):
                name = "chunked" + ".shuffle" * shuffle + (".gzip" if gzip else "") + ".fletcher32" * checksum
                put(f, file, name, a, chunks=(5, 4, 2), shuffle=shuffle, compression=gzip, fletcher32=checksum)
    put(f, file, "odd size", values((101,), "<i2"), chunks=(33,), shuffle=True, fletcher32=True, compression=9)
    put(f, file, "bytes", values((50,), "u1"), chunks=(7,), fletcher32=True, shuffle=True)
    put(f, file, "big", values((40, 6), ">f8"), chunks=(9, 5), shuffle=True, compression=1)
    put(f, file, "half", values((33, 5), "<f2"), chunks=(8, 2), shuffle=True, compression=4)
    put(f, file, "whole", a, chunks=a.shape)
    put(f, file, "whole.gzip", a, chunks=a.shape, compression=4)
    put(f, file, "columns", values((64, 48)), chunks=(64, 1))
    put(f, file, "many", values((3000,)), chunks=(1,))
    put(f, file, "many.gzip", values((2100, 2)), chunks=(1, 2), compression=1)
    put(f, file, "empty", values((0, 4)), chunks=(1, 2), maxshape=(None, 4))
    low_level(f, "early", values((10, 10)), chunks=(3, 4), early=True)
    note(file, "early", values((10, 10)))
    put(f, file, "both grow", values((21, 30)), chunks=(4, 7), maxshape=(None, None))
    put(f, file, "both grow.gzip", values((21, 300)), chunks=(1, 3), maxshape=(None, None), compression=2)
    put(f, file, "bounded", values((11, 5)), chunks=(3, 2), maxshape=(40, 9), compression=2)
    if growing:
        put(f, file, "one grows", values((21, 30)), chunks=(4, 7), maxshape=(None, 30))
        put(f, file, "one grows.gzip", values((30, 21)), chunks=(4, 7), maxshape=(30, None), compression=2)
        put(f, file, "larger chunk", values((5, 5)), chunks=(64, 64), maxshape=(None, None), compression=4)
    d = f.create_dataset("shrunk", data=values((20, 6)), chunks=(3, 3), maxshape=(None, None))
    d.resize((7, 4))
    note(file, "shrunk", values((20, 6))[:7, :4])


def crowd(file, f, count=400):
    """So many links that groups take trees of more than one level."""
    g = f.create_group("layers")
    for i in range(count):
        name = f"{i * 7919 % count:04}.weight" + "x" * (i % 40)
        put(g, file, name, values((i % 4 + 1,)), prefix="layers.")


def write(name, make, **how):
    with h5py.File(f"{OUT}/{name}", "w", **how) as f:
        make(name, f)


def sound():
    write("types.h5", types)
    for version in ("earliest", "v108", "v110"):
        growing = version != "v110"
        write(f"layouts-{version}.h5", lambda n, f: layouts(n, f, growing), libver=VERSIONS[version])
    for version in ("earliest", "v108"):
        write(f"crowd-{version}.h5", crowd, libver=VERSIONS[version])
    write("types-v114.h5", types, libver=VERSIONS["v114"])

    def ordered(file, f):
        for name in ("stem", "block.10", "block.9", "head"):
            put(f, file, name, values((3,)))
        g = f.create_group("more", track_order=True)
        for i in range(20, 0, -1):
            put(g, file, f"w{i}", values((i,)), prefix="more.")

    write("ordered.h5", ordered, track_order=True)
    write("ordered-v110.h5", ordered, track_order=True, libver=VERSIONS["v110"])

    def tiny(file, f):
        put(f, file, "w", values((3, 4)))
        put(f, file, "c", values((8, 8)), chunks=(3, 3), compression=4)

    # Chunks may go without a filter, each for itself.
    def masked(file, f):
        a = values((64,))
        d = f.create_dataset("w", (64,), "<f4", chunks=(16,), shuffle=True, compression=4)
        shuffled = lambda a: a.view("u1").reshape(-1, 4).T.tobytes()
        d.id.write_direct_chunk((0,), zlib.compress(shuffled(a[:16])), 0)
        d.id.write_direct_chunk((16,), zlib.compress(a[16:32].tobytes()), 1)
        d.id.write_direct_chunk((32,), shuffled(a[32:48]), 2)
        d.id.write_direct_chunk((48,), a[48:].tobytes(), 3)
        assert (d[:] == a).all()
        note(file, "w", a)

    for version in ("earliest", "v110"):
        write(f"masked-{version}.h5", masked, libver=VERSIONS[version])

    # As ResRep saves what it prunes: biases widened, counters without axes, and numbers of its own.
    def resrep(file, f):
        kernel, bias = np.zeros((2, 2, 3, 3)), np.zeros(2)
        for branch in ("rbr_dense", "rbr_1x1", "rbr_identity"):
            conv, bn = (f"body.0.{branch}{part}" for part in (".conv.weight", ".bn"))
            if branch == "rbr_identity":
                w, bn = np.eye(2).reshape(2, 2, 1, 1), f"body.0.{branch}"
            else:
                w = values((2, 2) + ((3, 3) if branch == "rbr_dense" else (1, 1)))
                put(f, file, conv, w)
            gamma, beta, mean, variance = (
                values((2,)), values((2,), "<f8"), values((2,)) + 1, np.abs(values((2,))))
            for name, a in (("weight", gamma), ("bias", beta), ("running_mean", mean), ("running_var", variance),
                            ("num_batches_tracked", np.int64(7))):
                put(f, file, f"{bn}.{name}", a)
            scale = gamma / np.sqrt(variance.astype("f8") + 1e-5)
            kernel += np.pad(w * scale.reshape(2, 1, 1, 1), [(0, 0)] * 2 + [(1 - w.shape[2] // 2,) * 2] * 2)
            bias += beta - mean * scale
        put(f, file, "deps", np.array([2, 2]))
        np.savez(f"{OUT}/resrep-fused.npz", **{
            "body.0.rbr_reparam.weight": kernel.astype("f4"), "body.0.rbr_reparam.bias": bias.astype("f4")})

    write("resrep.h5", resrep)

    for size in (512, 4096):
        write(f"user-block-{size}.h5", tiny, userblock_size=size)
    write("user-block-v110.h5", tiny, userblock_size=512, libver=VERSIONS["v110"])
    # A user block that was put before a complete file: no address in it knows.
    write("prepended.h5", tiny)
    for version in ("earliest", "v110"):
        name = f"prepended-{version}.h5"
        write(name, tiny, libver=VERSIONS[version])
        with open(f"{OUT}/{name}", "rb") as f:
            data = f.read()
        with open(f"{OUT}/{name}", "wb") as f:
            f.write(b"#!/bin/sh\n".ljust(1024) + data)
    os.remove(f"{OUT}/prepended.h5")
    ROWS[:] = [r for r in ROWS if r[0] != "prepended.h5"]


def make(name, body, **how):
    """A file of one sound dataset and what `body` adds."""
    with h5py.File(f"{OUT}/{name}", "w", **how) as f:
        f.create_dataset("sound", data=values((2,)))
        body(f)


def readable(name, body, **how):
    """Such a file, all of which is read; `body` returns the datasets that it adds, as NumPy knows them."""
    def noting(f):
        note(name, "sound", values((2,)))
        written.update(body(f))
        # Of what a filter rounds only the file knows the values.
        rounded.update(key for key, a in written.items() if isinstance(a, h5py.Dataset))

    written, rounded = {}, set()
    make(name, noting, **how)
    with h5py.File(f"{OUT}/{name}") as f:
        for key, a in written.items():
            note(name, key, f[key][()] if key in rounded else a)


def partly_readable(name, body, what, **how):
    """Such a file, whose "w" is left alone: its numbers cannot be read."""
    note(name, "sound", values((2,)))
    IGNORED.append((name, "w", what))
    make(name, body, **how)


def filtered(*filters, chunk=(16,)):
    """A way to write an array through filters, each a number with its values."""
    def write(f, a, type=None):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk(chunk)
        for number, values in filters:
            plist.set_filter(number, 0, values)
        type = type or h5py.h5t.py_create(a.dtype, logical=True)
        d = h5py.h5d.create(f.id, b"w", type, h5py.h5s.create_simple(a.shape), plist)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, a)
        return {"w": h5py.Dataset(d)[()]}
    return write


def growing():
    """Chunks listed in extensible arrays: in each of its kinds of blocks, along each axis."""
    def body(f):
        written = {}
        # Blocks of more than 1,024 chunks are in pages; only some chunks are there.
        a = np.zeros(200_000, "i1")
        d = f.create_dataset("sparse", a.shape, a.dtype, chunks=(1,), maxshape=(None,))
        for i in (0, 3, 4, 19, 20, 500, 9000, 131_100, 140_000, 199_999):
            d[i] = a[i] = i % 100 + 1
        written["sparse"] = a
        for name, shape, chunks, maxshape, how in (
            ("rows", (20, 3), (4, 3), (None, 3), {}),
            ("columns", (5, 300, 4), (2, 3, 3), (9, None, 4), {}),
            ("columns.gzip", (5, 300, 4), (2, 3, 3), (9, None, 4), {"compression": 1, "shuffle": True}),
            ("large chunk", (5, 5), (64, 64), (None, 64), {"fletcher32": True}),
        ):
            written[name] = values(shape)
            f.create_dataset(name, data=written[name], chunks=chunks, maxshape=maxshape, **how)
        d = f.create_dataset("shrunk", data=values((90, 6)), chunks=(1, 3), maxshape=(None, 6))
        d.resize((7, 4))
        written["shrunk"] = values((90, 6))[:7, :4]
        f.create_dataset("empty", (0, 4), "<f4", chunks=(1, 2), maxshape=(None, 4))
        written["empty"] = values((0, 4))
        return written

    readable("growing.h5", body, libver=VERSIONS["v110"])


def unwritten(f):
    """What was never written has the fill value."""
    a = {
        "contiguous": np.zeros((64, 3), "<f4"), "contiguous.filled": np.full((4, 5), -1.5, "<f8"),
        "chunks": np.zeros((64, 3), "<f4"), "chunks.filled": np.full((7, 5), 1000, ">i4"),
        "some": np.zeros((64, 3), "<f4"), "some.filled": np.full((64, 3), 0.1, ">f2"),
    }
    for name, value in a.items():
        fill = value.flat[0] if name.endswith("filled") else None
        chunks = None if name.startswith("contiguous") else (8, 3) if len(value) > 7 else (2, 2)
        d = f.create_dataset(name, value.shape, value.dtype, chunks=chunks, fillvalue=fill,
                             compression="gzip" if name == "some.filled" else None)
        if name.startswith("some"):
            d[:20] = value[:20] = 1
    return a


def soft_links(f):
    f.create_dataset("inner/deeper/w", data=values((5,)))
    links = {
        "absolute": "/inner/deeper/w", "relative": "inner/deeper/w", "inner/back": "../w", "inner/here": "./deeper//w",
        "chain": "absolute", "nowhere": "inner/other", "through a dataset": "inner/deeper/w/more",
        "circle": "/circle", "round": "round and round", "round and round": "round", "a group": "inner/deeper",
        "through a group": "a group/w", "away": "elsewhere/w", "all": "/",
    }
    for name, target in links.items():
        f[name] = h5py.SoftLink(target)
    f["elsewhere"] = h5py.ExternalLink("secrets.h5", "/w")
    for i in range(20):
        f[f"steps.{i}"] = h5py.SoftLink(f"steps.{i + 1}")
    f["steps.20"] = h5py.SoftLink("sound")
    found = {"sound": values((2,))}
    for name in ["inner.deeper.w", "absolute", "relative", "inner.here", "chain", "through a group"]:
        found[name] = values((5,))
    for i in range(5, 21):  # 16 links at most
        found[f"steps.{i}"] = values((2,))
    return found


def lzf(f):
    zeros, texts = np.zeros((33, 9), "<i4"), np.frombuffer(b"abcabcabcabcabd" * 40, "u1").copy()
    a = {"w": values((40,)), "zeros": zeros, "repeats": texts, "far": np.tile(values((700,), "u1"), 20)}
    for name, value in a.items():
        f.create_dataset(name, data=value, compression="lzf", shuffle=name == "zeros", fletcher32=name == "repeats")
    return a


def odd():
    """Files that h5py reads, in which something is uncommon."""
    growing()
    readable("lzf.h5", lzf)
    for version in ("earliest", "v110"):
        readable(f"unwritten-{version}.h5", unwritten, libver=VERSIONS[version])
        name = f"soft-links-{version}.h5"
        with h5py.File(f"{OUT}/{name}", "w", libver=VERSIONS[version]) as f:
            f.create_dataset("sound", data=values((2,)))
            for key, a in soft_links(f).items():
                note(name, key, a)
        outside = "the link leads to another file, 'secrets.h5', which is not opened"
        for key, what in {
            "inner.back": "a link to '../w', where nothing is", "nowhere": "a link to 'inner/other', where nothing is",
            "through a dataset": "a link to 'inner/deeper/w/more', where nothing is",
            "circle": "a link that leads through more than 16 others",
            "round": "a link that leads through more than 16 others",
            "round and round": "a link that leads through more than 16 others",
            "a group": "a link to the group 'inner/deeper'", "all": "a link to the group '/'",
            "away": outside, "elsewhere": outside,
        }.items():
            IGNORED.append((name, key, what))
        for i in range(5):
            IGNORED.append((name, f"steps.{i}", "a link that leads through more than 16 others"))

    # What takes the HDF5 library.
    readable("n-bit.h5", lambda f: filtered((h5py.h5z.FILTER_NBIT, ()))(f, values((50,))))
    readable("szip.h5", lambda f: {"w": f.create_dataset(
        "w", data=values((70,)), chunks=(32,), compression="szip", compression_opts=("nn", 8))[()]})
    readable("deflate-twice.h5", lambda f: filtered((1, (6,)), (1, (6,)), chunk=(100_000,))(f, np.zeros(100_000, "<f4")))
    for version in ("earliest", "v110"):
        readable(f"scale-offset-{version}.h5", lambda f: {"w": f.create_dataset(
            "w", data=values((40, 3)), chunks=(10, 2), scaleoffset=2), "plain": put_plain(f)},
            libver=VERSIONS[version])

    def everything(f, version):
        """With a dataset that takes the library, what else there is must come through it as well."""
        a = filtered((h5py.h5z.FILTER_NBIT, ()))(f, values((50,)))
        a |= {"b/half": values((3, 3), ">f2"), "b/int": values((4, 1, 5), "<i8"), "bool": np.array([True, False]),
              "complex": np.array([1j, 2]), "scalar": np.float32(2), "none": values((0, 7))}
        for name, value in a.items():
            if name != "w":
                f.create_dataset(name, data=value)
        a["b/chunks"] = values((20, 30, 9), "<f8")
        f.create_dataset("b/chunks", data=a["b/chunks"], chunks=(7, 30, 4), compression=1)
        a["unwritten"] = np.full((3, 4), 7, ">u2")
        f.create_dataset("unwritten", (3, 4), ">u2", fillvalue=7)
        a["tied"] = a["b/half"]
        f["tied"] = f["b/half"]
        a["soft"] = a["b/half"]
        f["soft"] = h5py.SoftLink("/b/half")
        for name, value in (("text", "alone"), ("texts", np.array([b"one", b"two"])), ("named", np.dtype("<f4")),
                            ("reference", f.ref), ("external", h5py.ExternalLink("secrets.h5", "/w")),
                            ("nothing", h5py.SoftLink("where")), ("empty", h5py.Empty("<f4"))):
            f[name] = value
        f["b/up"] = f["/"]
        f.create_dataset("elsewhere", (4,), "<f4", external=[("/etc/passwd", 0, 16)])
        if version != "earliest":  # which has no virtual datasets
            layout = h5py.VirtualLayout((4,), "<f4")
            layout[:] = h5py.VirtualSource("elsewhere.h5", "w", (4,))
            f.create_virtual_dataset("partly elsewhere", layout)
        return {name.replace("/", "."): value for name, value in a.items()}

    for version in ("earliest", "v110"):
        name = f"everything-{version}.h5"
        readable(name, lambda f: everything(f, version), libver=VERSIONS[version])
        outside = "which is not opened"
        for key, what in {
            "text": "text", "texts": "text", "named": "a datatype", "reference": "a reference",
            "nothing": "a link to 'where', where nothing is", "empty": "a dataset without elements",
            "b.up": "the group '/' again",
            "external": "the link leads to another file, or is of a kind of its own, and is not followed",
            "elsewhere": f"the dataset keeps its numbers in another file (external storage), {outside}",
            "partly elsewhere": f"the dataset is put together from another file, 'elsewhere.h5', {outside}",
        }.items():
            if version != "earliest" or key != "partly elsewhere":
                IGNORED.append((name, key, what))

    with h5py.File(f"{OUT}/keras-library.h5", "w", libver=VERSIONS["v110"]) as f:
        keras_by_the_library(f)
    with h5py.File(f"{OUT}/unreadable-block.h5", "w") as f:
        unreadable_block(f)

    def virtual(f):
        f.create_dataset("a", data=values((3, 4)))
        layout = h5py.VirtualLayout((2, 3, 4), "<f4", )
        layout[0] = h5py.VirtualSource(f["a"])
        layout[1, :, 1:3] = h5py.VirtualSource(f["a"])[:, 1:3]
        f.create_virtual_dataset("w", layout, fillvalue=-1)
        return {"a": values((3, 4)), "w": f["w"][()]}

    readable("virtual-inside.h5", virtual)

    partly_readable("external-storage.h5", lambda f: f.create_dataset(
        "w", (4,), "<f4", external=[("/etc/passwd", 0, 16)]),
        "the dataset keeps its numbers in another file (external storage), which is not opened")

    def outside(f):
        layout = h5py.VirtualLayout((4,), "<f4")
        layout[:] = h5py.VirtualSource("elsewhere.h5", "w", (4,))
        f.create_virtual_dataset("w", layout)

    partly_readable("virtual.h5", outside,
                    "the dataset is put together from another file, 'elsewhere.h5', which is not opened")
    partly_readable("external-link.h5", lambda f: f.__setitem__("w", h5py.ExternalLink("secrets.h5", "/w")),
                    "the link leads to another file, 'secrets.h5', which is not opened")

    # Filters that no library here need have: chunks are written as if one had filtered them.
    def foreign(number, values=()):
        def body(f):
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_chunk((16,))
            plist.set_filter(number, h5py.h5z.FLAG_OPTIONAL, values)
            d = h5py.h5d.create(f.id, b"w", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((16,)), plist)
            d.write_direct_chunk((0,), bytes(20), 0)
        return body

    partly_readable("blosc.h5", foreign(32001, (2, 2, 4, 64, 5, 1, 0)),
                    "the dataset is compressed with Blosc (filter 32001), which is not read")
    for name, how in (("unknown-filter.h5", {}), ("unknown-filter-v110.h5", {"libver": VERSIONS["v110"]})):
        partly_readable(name, foreign(40000),
                        "the dataset is compressed with an unknown method (filter 40000), which is not read", **how)
    numbers = "the elements of the dataset are {}, which no tensor has"
    partly_readable("long-double.h5", lambda f: f.create_dataset("w", data=np.zeros(3, np.longdouble)),
                    numbers.format("floats of 80 bits (exponent 15, mantissa 64) in 16 bytes"))

    def odd_integer(f):
        t = h5py.h5t.STD_I32LE.copy()
        t.set_precision(24)
        h5py.h5d.create(f.id, b"w", t, h5py.h5s.create_simple((3,)))

    partly_readable("24-bit-integers.h5", odd_integer, numbers.format("integers of 24 bits in 4 bytes"))

    def float8(f):
        t = h5py.h5t.IEEE_F16LE.copy()
        t.set_fields(7, 3, 4, 0, 3)
        t.set_precision(8)
        t.set_size(1)
        t.set_ebias(7)
        h5py.h5d.create(f.id, b"w", t, h5py.h5s.create_simple((3,)))

    partly_readable("float8.h5", float8, numbers.format("floats of 8 bits (exponent 4, mantissa 3) in 1 byte"))


def unreadable_block(f):
    """resrep.h5 with one branch of its block in another file: without it the block would look like a smaller one."""
    with h5py.File(f"{OUT}/resrep.h5") as whole:
        for name in whole:
            if "rbr_identity" in name:
                f[name] = h5py.ExternalLink("resrep.h5", name)
            else:
                whole.copy(name, f)


def keras_by_the_library(f):
    """A layer of Keras whose kernel is stored in a way of which only the library knows."""
    config = {"class_name": "Sequential", "config": {"name": "x" * 70000, "layers": [
        {"class_name": "Conv2D", "config": {"name": "conv", "kernel_size": [2, 2], "strides": [2, 2]}}]}}
    f.attrs["model_config"] = np.bytes_(json.dumps(config))
    f.attrs["layer_names"] = np.array([b"conv"])
    g = f.create_group("conv/conv")
    f["conv"].attrs["weight_names"] = ["conv/kernel:0"]
    g.create_dataset("spare", data=values((2,)))
    kernel = np.arange(16, dtype="<f4").reshape(2, 2, 2, 2)
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((2, 2, 2, 2))
    plist.set_filter(h5py.h5z.FILTER_NBIT)
    h5py.h5d.create(g.id, b"kernel:0", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(kernel.shape), plist).write(
        h5py.h5s.ALL, h5py.h5s.ALL, kernel)


def put_plain(f):
    f.create_dataset("plain", data=values((6,)))
    return values((6,))


def hostile():
    make("shape-bomb.h5", lambda f: f.create_dataset("w", (1 << 20, 1 << 20), "<f4", chunks=(1024, 1024)))

    def chunk_bomb(f):
        d = f.create_dataset("w", (1 << 20, 900), "<f4", chunks=(1 << 20, 900), compression=9)
        d.id.write_direct_chunk((0, 0), zlib.compress(bytes(1000)))

    make("chunk-bomb.h5", chunk_bomb)

    def link_bomb(f):
        d = f.create_dataset("w", (1 << 20,), "<f4", chunks=(1 << 20,), compression=9)
        d.id.write_direct_chunk((0,), zlib.compress(bytes(1 << 22), 9))
        for i in range(10, 80):
            f[f"w{i}"] = d

    make("link-bomb.h5", link_bomb)
    make("overflow.h5", lambda f: f.create_dataset("w", (1 << 40, 1 << 40), "<f4", chunks=(8, 8)))

    def direct(chunk, **how):
        def body(f):
            d = f.create_dataset("w", (16,), "<f4", chunks=(16,), **how)
            d.id.write_direct_chunk((0,), chunk)
        return body

    make("deflate-bomb.h5", direct(zlib.compress(bytes(1 << 20)), compression=9))
    make("deflate-short.h5", direct(zlib.compress(bytes(60)), compression=9))
    make("deflate-damaged.h5", direct(b"\x78\x9c not deflate at all", compression=9))
    make("fletcher32.h5", direct(bytes(64) + b"\x01\x02\x03\x04", fletcher32=True))
    make("long-chunk.h5", direct(bytes(4096), compression=9))

    def damaged(name, change):
        """A file of four chunks of 16 floats, whose index `change` alters: it is given the bytes of the file, the place
        of the first key, and the distance of keys. A key has a size and a mask, 4 bytes each, the first element and
        byte, 8 each; the address of the chunk follows."""
        with h5py.File(f"{OUT}/{name}", "w", libver=VERSIONS["earliest"]) as f:
            f.create_dataset("w", data=values((64,)), chunks=(16,))
        with open(f"{OUT}/{name}", "r+b") as f:
            data = bytearray(f.read())
            change(data, data.index(b"TREE\x01") + 24, 32)
            f.seek(0)
            f.write(data)

    def put_number(data, at, value):
        data[at:at + 8] = value.to_bytes(8, "little")

    damaged("chunk-at-superblock.h5", lambda data, key, step: put_number(data, key + step + 24, 0))
    damaged("chunks-overlap.h5", lambda data, key, step: put_number(
        data, key + step + 24, int.from_bytes(data[key + 24:key + 32], "little") + 60))
    damaged("chunk-keys-descend.h5", lambda data, key, step: put_number(data, key + step + 8, 48))
    damaged("chunk-key-end.h5", lambda data, key, step: put_number(data, key + 4 * step + 8, 32))
    damaged("chunk-key-byte.h5", lambda data, key, step: put_number(data, key + step + 16, 2))

    def nul(f):
        plist = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
        plist.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED)
        h5py.Group(h5py.h5g.create(f.id, b"g", gcpl=plist))["a name"] = values((2,))

    make("nul-in-name.h5", nul)
    with open(f"{OUT}/nul-in-name.h5", "r+b") as f:
        data = f.read()
        f.seek(0)
        f.write(data.replace(b"a name", b"a\0name"))

    def deep(f):
        g = f
        for _ in range(120):
            g = g.create_group("g")
        g.create_dataset("w", data=values((2,)))

    make("deep.h5", deep)
    make("twice.h5", lambda f: (f.create_dataset("a.w", data=values((2,))), f.create_dataset("a/w", data=values((2,)))))
    with h5py.File(f"{OUT}/no-numbers.h5", "w") as f:
        f["text"] = "nothing else"
    with h5py.File(f"{OUT}/empty.h5", "w"):
        pass
    with h5py.File(f"{OUT}/family-%d.h5", "w", driver="family", memb_size=1 << 20) as f:
        f["w"] = values((3,))
    os.rename(f"{OUT}/family-0.h5", f"{OUT}/family.h5")

    def legacy(f, weight_names=("conv/kernel:0",), layer_names=("conv",), make=None):
        f.attrs["layer_names"] = list(layer_names)
        g = f.create_group("conv")
        g.attrs["weight_names"] = list(weight_names)
        (make or (lambda g: g.create_dataset("conv/kernel:0", data=values((1, 1, 2, 2)))))(g)

    def keras(name, **how):
        with h5py.File(f"{OUT}/{name}", "w") as f:
            attrs = how.pop("attrs", {})
            legacy(f, **how)
            for key, value in attrs.items():
                f.attrs[key] = value

    keras("keras-no-layer.h5", layer_names=("conv", "dense"))
    keras("keras-no-weight.h5", weight_names=("conv/kernel:0", "conv/bias:0"))
    keras("keras-no-weights.h5", weight_names=())
    keras("keras-text-weight.h5", make=lambda g: g.create_dataset("conv/kernel:0", data="a text"))
    keras("keras-empty-weight.h5", make=lambda g: g.create_dataset("conv/kernel:0", data=h5py.Empty("<f4")))
    keras("keras-elsewhere.h5", make=lambda g: g.__setitem__("conv/kernel:0", h5py.ExternalLink("secrets.h5", "/w")))
    keras("keras-numbers-for-names.h5", layer_names=(1.0, 2.0))
    keras("keras-broken-config.h5", attrs={"model_config": '{"class_name": "Sequential", "config": ['})
    keras("keras-deep-config.h5", attrs={"model_config": "[" * 1000 + "]" * 1000})
    keras("keras-twice.h5", weight_names=("conv/kernel:0", "kernel:1"), make=lambda g: (
        g.create_dataset("conv/kernel:0", data=values((1,))), g.create_dataset("kernel:1", data=values((1,)))))


os.makedirs(OUT, exist_ok=True)
for name in os.listdir(OUT):
    if name not in ("refusals.tsv", "notes.tsv"):
        os.remove(f"{OUT}/{name}")
sound()
odd()
hostile()
for name, rows in (("files.tsv", ROWS), ("ignored.tsv", IGNORED)):
    if name == "ignored.tsv":
        rows = rows + [("types-v114.h5", n, w) for f, n, w in rows if f == "types.h5"]
        rows = sorted(set(rows))
    with open(f"{OUT}/{name}", "w") as f:
        for row in rows:
            f.write("\t".join(row) + "\n")
