"""Writes archives of arrays as NumPy and Objax do, and what they hold.

    python3 make_archives.py    needs numpy 2 and ml_dtypes; written with 2.4.6 and 0.6.0

`stored.npz`, `deflated.npz`: the same arrays by `savez` and `savez_compressed`. `objax.npz`: as Objax'
`save_var_collection` calls `savez`. `versions.npz`: arrays in versions 1 to 3 of the format, with headers as other
programs and Python 2 spell them. `archives.tsv`: for each tensor the file, name (percent-encoded), element type,
shape and bytes, row-major and little-endian. `bfloat16.npz`, `object.npz`, `structure.npz`: arrays of other things than
numbers. `single.npy`, `dict.npy`: by `save`.
"""
import io
import os
import struct
import zipfile
from urllib.parse import quote

import ml_dtypes
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
count = np.arange(24).reshape(2, 3, 4)

arrays = {}
for code in "f8 f4 f2 i8 i4 i2 i1 u8 u4 u2 u1 b1 c8 c16".split():
    arrays[code] = (count * 37 - 111).astype(code)
    if np.dtype(code).itemsize > 1:
        arrays["big." + code] = arrays[code].astype(">" + code)
base = count.astype("f4")
arrays.update({
    "stage0.rbr_dense/conv": base,
    "clé": np.ones(1, "f4"),
    "a b": np.ones(2, "f4"),
    "scalar": np.array(2.5, "f4"),
    "empty": np.zeros((3, 0, 2), "f4"),
    "Fortran": np.asfortranarray(base),
    "Fortran.big": np.asfortranarray(base).astype(">f4"),
    "permuted": base.transpose(1, 0, 2),
    "every.second": base[:, ::2, 1:],
    "constant": np.zeros((16, 16), "f4"),
})
text = np.array(["a", "bc"])


def path(name):
    return os.path.join(here, name)


def header(version, text):
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text


data = np.arange(6, dtype="f4").tobytes()
versions = {
    "two": header(2, b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }      \n") + data,
    "three": header(3, b"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }\n") + data,
    "python2": header(1, b"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }\n") + data,
    "other": header(1, b' { "shape" : (3,2) ,"fortran_order":True,"descr":"<f4"}') + data,
    "comma": header(1, b"{'shape': (3, 2,), 'descr': '<f4', 'fortran_order': False,}\n") + data,
}

np.savez(path("stored.npz"), **arrays, text=text)
np.savez_compressed(path("deflated.npz"), **arrays, text=text)
names = ["(RepVGG).stage0(RepVGGBlock).rbr_dense(Sequential)[0](Conv2D).w", "(RepVGG).linear(Linear).b"]
names += ["(RepVGG).é%d" % index for index in range(10)]
objax = {name: np.full((1, index), index, "f4") for index, name in enumerate(names)}
np.savez(path("objax.npz"), names=np.array(names), **{str(i): v for i, v in enumerate(objax.values())})
with zipfile.ZipFile(path("versions.npz"), "w") as archive:
    for name, content in versions.items():
        archive.writestr(zipfile.ZipInfo(name + ".npy"), content)

np.savez(path("bfloat16.npz"), w=np.ones(2, ml_dtypes.bfloat16))
np.savez(path("object.npz"), w=np.array([1, "two", None], dtype=object))
np.savez(path("structure.npz"), w=np.zeros(2, dtype=[("left]", "f4", (2,)), ("right", [("x", "i4")])]))
np.save(path("single.npy"), base)
np.save(path("dict.npy"), {"w": base})

with open(path("archives.tsv"), "w") as table:
    def add(file, contents):
        for name, array in contents.items():
            little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
            shape = "x".join(map(str, array.shape)) or "scalar"
            print(file, quote(name), array.dtype.name, shape, little.tobytes().hex(), sep="\t", file=table)

    for file in ("stored.npz", "deflated.npz", "versions.npz"):
        with np.load(path(file)) as archive:
            add(file, {name: archive[name] for name in archive.files if name != "text"})
    add("objax.npz", objax)
