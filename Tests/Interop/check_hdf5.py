"""Files that h5py writes, of every version, layout, filter, type and kind of link, are read by repconv as h5py reads
them, by itself or with the HDF5 library; what leads out of a file is not. What repconv writes is read by h5py and by
the HDF5 library. Damaged files end in an error, without a crash, a wait or a rest.

usage: check_hdf5.py REPCONV    (repconv-hdf5 beside it)
"""
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np

from interop import Checks, expect

VERSIONS = {"earliest": ("earliest", "v108"), "v108": ("v108", "v108"), "v110": ("v110", "v110"),
            "v114": ("v114", "v114"), "latest": ("latest", "latest")}
MUTANTS = 60  # of each file
SECONDS, KILOBYTES = 60, 1 << 20  # that reading one may take


def values(shape, dtype="<f4", seed=0):
    dtype, count = np.dtype(dtype), int(np.prod(shape))
    if dtype.kind == "f":
        a = np.sin(np.arange(count) * 0.7 + seed) * 3
    elif dtype.kind == "c":
        a = np.arange(count) * (1 - 0.5j)
    else:
        a = (np.arange(count) * 37 + 11 + seed) % 120
    return a.reshape(shape).astype(dtype)


def creation(chunks=None, layout=None, filters=(), early=False, fill=None):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if layout is not None:
        plist.set_layout(layout)
    if chunks:
        plist.set_chunk(chunks)
    for number, *numbers in filters:
        plist.set_filter(number, 0, tuple(numbers))
    if early:
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    if fill is not None:
        plist.set_fill_value(np.array(fill))
    return plist


def create(f, name, a, plist, type=None, maxshape=None, write=True):
    type = type or h5py.h5t.py_create(a.dtype, logical=True)
    d = h5py.h5d.create(f.id, name.encode(), type, h5py.h5s.create_simple(a.shape, maxshape or a.shape), plist)
    if write:
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(a))
    return h5py.Dataset(d)


def block():
    """A block of RepVGG: what `repconv export` does not write files without."""
    a = {}
    for branch, size in (("rbr_dense", 3), ("rbr_1x1", 1)):
        a[f"{branch}.conv.weight"] = values((2, 2, size, size))
        for name in ("weight", "bias", "running_mean", "running_var"):
            a[f"{branch}.bn.{name}"] = np.abs(values((2,))) + 1
    return {f"body.{name}": value for name, value in a.items()}


# One function for each kind of file; each takes an open file and the version.

def types(f, version):
    for order in "<>":
        for code in "i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16".split():
            f[f"{order == '<'}.{code}"] = values((3, 5), order + code)
    f["bool"] = np.array([True, False, True])
    f["scalar"] = np.float64(-2.5)
    f["empty"] = np.zeros((0, 3), "<i8")


def no_numbers(f, version):
    f["w"] = values((4,))
    f["text"] = ["one", "two"]
    f["fixed"] = np.array([b"one", b"two"])
    f["record"] = np.zeros(2, [("a", "<f4"), ("b", "<i4")])
    f["opaque"] = np.zeros(3, "V5")
    f["reference"] = f.ref
    f["nothing"] = h5py.Empty("<f4")
    f["type"] = np.dtype("<f8")
    f.create_dataset("ragged", data=np.array([np.arange(2.0), np.arange(3.0)], object), dtype=h5py.vlen_dtype("<f8"))
    f.create_dataset("enumeration", data=np.zeros(2, "i1"), dtype=h5py.enum_dtype({"RED": 0, "BLUE": 1}, "i1"))


def odd_numbers(f, version):
    f["w"] = values((4,))
    f["long double"] = np.zeros(3, np.longdouble)
    narrow = h5py.h5t.STD_I32LE.copy()
    narrow.set_precision(24)
    create(f, "narrow", values((5,), "<i4"), creation(), narrow)
    tiny = h5py.h5t.IEEE_F16LE.copy()
    tiny.set_fields(7, 3, 4, 0, 3)
    tiny.set_precision(8)
    tiny.set_size(1)
    tiny.set_ebias(7)
    create(f, "tiny", values((5,)), creation(), tiny)


def layouts(f, version):
    create(f, "compact", values((4, 5)), creation(layout=h5py.h5d.COMPACT))
    create(f, "contiguous", values((4, 5), ">f8"), creation())
    create(f, "single", values((4, 5)), creation((4, 5)))
    create(f, "single.deflate", values((4, 5)), creation((4, 5), filters=[(1, 6)]))
    create(f, "implicit", values((9, 7)), creation((4, 3), early=True))
    create(f, "fixed", values((9, 70)), creation((4, 3)))
    create(f, "fixed.pages", values((1200, 2)), creation((1, 1)))
    create(f, "edges", values((9, 70), ">i8"), creation((4, 64), filters=[(2, 8), (1, 1)]))


def growing(f, version):
    for name, filters in (("", []), (".deflate", [(2, 4), (1, 4)]), (".fletcher", [(3,)])):
        create(f, "rows" + name, values((70, 5)), creation((2, 3), filters=filters), maxshape=(h5py.h5s.UNLIMITED, 5))
        create(f, "columns" + name, values((5, 70, 2)), creation((2, 3, 2), filters=filters),
               maxshape=(9, h5py.h5s.UNLIMITED, 4))
        create(f, "both" + name, values((25, 17)), creation((2, 3), filters=filters),
               maxshape=(h5py.h5s.UNLIMITED, h5py.h5s.UNLIMITED))
    sparse = f.create_dataset("sparse", (150_000,), "i1", chunks=(1,), maxshape=(None,))
    for i in (2, 5, 400, 140_000, 149_999):
        sparse[i] = 7
    shrunk = f.create_dataset("shrunk", data=values((40, 6)), chunks=(3, 3), maxshape=(None, None))
    shrunk.resize((7, 4))
    shrunk.resize((9, 5))


def filters(f, version):
    for shuffle in (False, True):
        for fletcher in (False, True):
            for compression in (None, "gzip", "lzf"):
                f.create_dataset(f"{shuffle}.{fletcher}.{compression}", data=values((30, 11)), chunks=(7, 4),
                                 shuffle=shuffle, fletcher32=fletcher, compression=compression)


def scale_offset(f, version):
    f.create_dataset("ints", data=values((30, 11), "<i4"), chunks=(7, 4), scaleoffset=0)
    f.create_dataset("floats", data=values((30, 11)), chunks=(7, 4), scaleoffset=3, shuffle=True)


def n_bit(f, version):
    create(f, "w", values((50,), "<i4"), creation((16,), filters=[(5,)]))
    create(f, "big", values((50,), ">f8"), creation((16,), filters=[(5,), (3,)]))


def szip(f, version):
    f.create_dataset("w", data=values((70, 3)), chunks=(32, 3), compression="szip", compression_opts=("nn", 8))
    f.create_dataset("ec", data=values((70, 3), "<i2"), chunks=(32, 3), compression="szip", compression_opts=("ec", 16))


def deflate_twice(f, version):
    create(f, "w", np.zeros(100_000, "<f4"), creation((100_000,), filters=[(1, 6), (1, 6)]))


def fill_values(f, version):
    for chunks in (None, (3, 2)):
        for fill in (None, -1.5):
            for dtype in ("<f4", ">f8"):
                f.create_dataset(f"{chunks}.{fill}.{dtype}", (8, 5), dtype, chunks=chunks, fillvalue=fill)
    f.create_dataset("some", (20, 5), ">i4", chunks=(3, 2), fillvalue=9)[4:9] = 1
    f.create_dataset("some.deflate", (20, 5), "<f2", chunks=(3, 2), fillvalue=0.5, compression="gzip")[4:9, 1] = 1


def links(f, version):
    f["a/b/w"] = values((3,))
    f["hard"] = f["a/b/w"]
    f["soft"] = h5py.SoftLink("/a/b/w")
    f["a/soft"] = h5py.SoftLink("b/w")
    f["nowhere"] = h5py.SoftLink("/a/c")
    f["circle"] = h5py.SoftLink("circle")
    f["a/up"] = f["/"]


def out_of_the_file(f, version):
    f["w"] = values((3,))
    f["external link"] = h5py.ExternalLink("other.h5", "w")
    f.create_dataset("external storage", (4,), "<f4", external=[("/etc/passwd", 0, 16)])


def virtual(f, version):
    f["a"] = values((3, 4))
    if version in ("earliest", "v108"):
        return
    layout = h5py.VirtualLayout((2, 3, 4), "<f4")
    layout[0] = h5py.VirtualSource(f["a"])
    layout[1, :, 1:3] = h5py.VirtualSource(f["a"])[:, 1:3]
    f.create_virtual_dataset("inside", layout, fillvalue=-1)


def virtual_outside(f, version):
    f["w"] = values((3,))
    if version in ("earliest", "v108"):
        return
    layout = h5py.VirtualLayout((4,), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "w", (4,))
    f.create_virtual_dataset("outside", layout)


def crowd(f, version):
    for i in range(150):
        f[f"layers/{i * 7919 % 150:03}.weight"] = values((i % 4 + 1,))
    for i in range(40):
        f.attrs[f"attribute {i}"] = "text" * i


def ordered(f, version):
    group = f.create_group("group", track_order=True)
    for name in ("stem", "block.10", "block.9", "head"):
        group[name] = values((3,))


def mixture(f, version):
    """What the library is for beside what is not."""
    n_bit(f, version)
    create(f, "plain", values((4, 5), ">f8"), creation())
    create(f, "chunks", values((90, 70)), creation((40, 30), filters=[(2, 4), (1, 1)]))
    f["group/bool"] = np.array([True, False])
    f["group/soft"] = h5py.SoftLink("bool")
    f["group/hard"] = f["plain"]
    f["text"] = "text"
    f.create_dataset("unwritten", (3, 4), ">u2", fillvalue=7)


KINDS = [types, no_numbers, odd_numbers, layouts, growing, filters, scale_offset, n_bit, szip, deflate_twice,
         fill_values, links, out_of_the_file, virtual, virtual_outside, crowd, ordered, mixture]

# What takes the HDF5 library, which may be older than what h5py has.
LIBRARY = [scale_offset, n_bit, szip, deflate_twice, virtual, virtual_outside, mixture]

# What h5py reads as numbers and no tensor has, or may not be read; repconv names these.
LEFT_OUT = {"odd_numbers": {"long double", "narrow", "tiny"}, "no_numbers": {"enumeration"},
            "out_of_the_file": {"external link", "external storage"}, "virtual_outside": {"outside"}}


def numbers(f, failures=None):
    """Every dataset of numbers that h5py reads, by the name that repconv gives it.

    Of a damaged file, what can be read; what cannot is put into `failures`, by name and error.
    """
    found, groups = {}, set()

    def visit(group, prefix):
        groups.add(h5py.h5g.get_objinfo(group.id).objno)
        for key in group:
            # Bytes, if it is no UTF-8.
            name = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
            try:
                link, item = group.id.links.get_info(name.encode("utf-8", "surrogateescape")), group[key]
            except (KeyError, OSError, RuntimeError, UnicodeError) as error:  # leads to nothing, or out of the file
                if failures is not None:
                    failures[prefix + name] = error
                continue
            try:
                if isinstance(item, h5py.Dataset):
                    if item.dtype.kind in "iufcb" and item.shape is not None:
                        found[prefix + name] = item[()]
                elif isinstance(item, h5py.Group) and link.type != h5py.h5l.TYPE_SOFT:
                    if h5py.h5g.get_objinfo(item.id).objno not in groups:
                        visit(item, f"{prefix}{name}.")
            except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
                if failures is None:
                    raise
                failures[prefix + name] = error

    visit(f, "")
    return found


def exported(checks, path):
    out = checks.output("exported.npz")
    checks.repconv("export", path, out)
    with np.load(out, allow_pickle=False) as z:
        return {k: z[k] for k in z.files}


def check_reading(checks, path, kind):
    with h5py.File(path) as f:
        wanted = {k: v for k, v in numbers(f).items() if k not in LEFT_OUT.get(kind, ())}
    got = exported(checks, path)
    expect(set(got) == set(wanted), f"names differ: {sorted(set(got) ^ set(wanted))[:4]}")
    for k, a in wanted.items():
        a = np.asarray(a)
        same = a.astype(a.dtype.newbyteorder("<")).tobytes() == got[k].astype(got[k].dtype.newbyteorder("<")).tobytes()
        expect(got[k].shape == a.shape and got[k].dtype.newbyteorder("<") == a.dtype.newbyteorder("<") and same,
               f"{k} differs")
    listed = checks.repconv("inspect", "--all", path)
    for name in LEFT_OUT.get(kind, ()):
        with h5py.File(path) as f:
            expect(f.get(name, getlink=True) is None or name in listed, f"{name} is not listed")


def check_writing(checks):
    a = {f"{code}.{len(shape)}": values(shape, "<" + code)
         for code in "i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split() for shape in ((), (7,), (0, 3), (2, 3, 4))}
    a |= block() | {"a/b": np.array([True, False]), "schlüssel": values((2,)), "long" * 200: values((3,))}
    a |= {f"many.{i}": values((2,), seed=i) for i in range(2000)}
    source, written = checks.output("source.npz"), checks.output("written.h5")
    np.savez(source, **a)
    checks.repconv("export", source, written)

    def expect_all(path):
        with h5py.File(path) as f:
            expect({k.replace("+", "/") for k in f} == set(a), "names differ")
            for k, wanted in a.items():
                got = f[k.replace("/", "+")][()]
                expect(np.array_equal(got, wanted) and np.asarray(got).dtype == wanted.dtype, f"{k} differs")

    expect_all(written)
    # The HDF5 library that repconv-hdf5 has, an older one perhaps.
    again, report = checks.output("again.h5"), checks.output("report")
    program = os.path.join(os.path.dirname(checks.program), "repconv-hdf5")
    with open(written, "rb") as source, open(again, "w+b") as output, open(report, "wb") as log:
        status = subprocess.run([program], stdin=source, stdout=output, stderr=log).returncode
    with open(report, "rb") as log:
        expect(status == 0 and not log.read(), f"repconv-hdf5 ends with {status}")
    expect_all(again)


def mutant(data, chance):
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(data))
        how = chance.randrange(4)
        if how == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            data[at] = chance.choice((0, 1, 2, 4, 8, 0x7F, 0x80, 0xFF))
        elif how == 2:
            data[at] = chance.randrange(256)
        else:
            number = chance.choice((0, 1 << 32, (1 << 63) - 1, (1 << 64) - 2, (1 << 64) - 1, len(data)))
            data[at:at + 8] = number.to_bytes(8, "little")[:len(data) - at]
    return data


def read_mutant(checks, folder, number, data):
    """What went wrong with it, or None; and whether the HDF5 library was asked."""
    path = os.path.join(folder, f"{number}.h5")
    with open(path, "wb") as f:
        f.write(data)
    limited = ["timeout", str(SECONDS), "sh", "-c", f'ulimit -v {KILOBYTES}; exec "$@"', "sh"]
    run = subprocess.run([*limited, checks.program, "check", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=os.environ | {"TMPDIR": os.path.join(folder, "temporary")})
    text = run.stdout.decode(errors="replace")
    asked = "HDF5 library" in text
    if run.returncode not in (0, 1, 2) or "Fatal" in text:
        return f"{path}: exit {run.returncode}: {text}", asked
    os.remove(path)
    return None, asked


def check_damage(checks, paths, seed):
    folder = checks.output("mutants")
    os.makedirs(os.path.join(folder, "temporary"))
    chance = random.Random(seed)
    jobs = []
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        jobs += [mutant(data, chance) for _ in range(MUTANTS)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: read_mutant(checks, folder, *job), enumerate(jobs)))
    asked = sum(result[1] for result in results)
    print(f"      {len(jobs)} damaged files of seed {seed}, {asked} of them through the HDF5 library", flush=True)
    wrong = [what for what, _ in results if what]
    expect(not wrong, f"{len(wrong)} of them: {wrong[:2]}")
    left = os.listdir(os.path.join(folder, "temporary"))
    expect(not left, f"{len(left)} files are left")
    expect(asked > 0, "none went through the HDF5 library")


def main():
    checks = Checks()
    print(f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, NumPy {np.__version__}")
    folder = checks.output("files")
    os.makedirs(folder)
    paths = []
    for kind in KINDS:
        for version, libver in VERSIONS.items():
            if kind in LIBRARY and version in ("v114", "latest"):
                continue
            path = os.path.join(folder, f"{kind.__name__}-{version}.h5")
            with h5py.File(path, "w", libver=libver, userblock_size=512 if kind is layouts else 0) as f:
                for name, a in block().items():
                    f[name] = a
                kind(f, version)
            paths.append(path)
            with checks.check(f"{kind.__name__}, {version}"):
                check_reading(checks, path, kind.__name__)
    with checks.check("what repconv writes, h5py and the HDF5 library read"):
        check_writing(checks)
    with checks.check("damaged files end in an error"):
        check_damage(checks, paths, int(os.environ.get("SEED", "1")))
    checks.finish()


if __name__ == "__main__":
    main()
