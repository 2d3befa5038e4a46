"""Writes arrays as NumPy pickles them, and what they hold.

    python3 make_arrays.py      needs numpy 2 and ml_dtypes; written with 2.4.6 and 0.6.0

`arrays-0.pkl` ... `arrays-5.pkl`: one dict under every protocol; `arrays.tsv`: for each of its entries the
element type, the shape and the bytes, row-major and little-endian. `refused.pkl`: arrays of other things
than numbers.
"""
import os
import pickle

import ml_dtypes
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
count = np.arange(24).reshape(2, 3, 4)

arrays = {}
for code in "f8 f4 f2 i8 i4 i2 i1 u8 u4 u2 u1 b1 c8 c16".split():
    arrays[code] = (count * 37 - 111).astype(code)
    if np.dtype(code).itemsize > 1:
        arrays["big " + code] = arrays[code].astype(">" + code)
for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
    arrays[name] = count.astype(getattr(ml_dtypes, name))
base = count.astype("f4")
read_only = base.copy()
read_only.flags.writeable = False
arrays.update({
    "scalar": np.array(2.5, "f4"),
    "empty": np.zeros((3, 0, 2), "f4"),
    "one": np.array([1], "f4"),
    "Fortran": np.asfortranarray(base),
    "Fortran big": np.asfortranarray(base).astype(">f4"),
    "Fortran matrix": np.asfortranarray(base[0]),
    "permuted": base.transpose(1, 0, 2),
    "reversed": base[::-1],
    "every second": base[:, ::2, 1:],
    "repeated": np.broadcast_to(base[0, 0], (5, 4)),
    "read-only": read_only,
    "all bytes": np.arange(256, dtype="u1"),
})
shared = np.arange(3, dtype="f4")
arrays["shared"], arrays["again"] = shared, shared

refused = {
    "object": np.array([1, "two", None], dtype=object),
    "structure": np.zeros(2, dtype=[("left", "f4"), ("right", "i4")]),
    "text": np.array(["a", "bc"]),
    "bytes": np.array([b"a", b"bc"]),
    "date": np.array(["2021-01-11"], dtype="M8[D]"),
    "long double": np.zeros(2, np.longdouble),
    "masked": np.ma.array([1.0, 2.0], mask=[0, 1]),
    "quantised": np.zeros(2, np.dtype("i1", metadata={"mgb_dtype": {"name": "QuantizedS8", "scale": 0.1}})),
    "float8_e8m0fnu": np.ones(2, ml_dtypes.float8_e8m0fnu),
}

values = dict(arrays)
values["scalars"] = {"w": shared, "acc1": np.float32(72.25), np.str_("clé"): np.ones(1, "f4")}
for protocol in range(6):
    with open(os.path.join(here, "arrays-%d.pkl" % protocol), "wb") as file:
        pickle.dump(values, file, protocol)
with open(os.path.join(here, "refused.pkl"), "wb") as file:
    pickle.dump(refused, file, 4)
with open(os.path.join(here, "arrays.tsv"), "w") as file:
    for name, array in arrays.items():
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
        shape = "x".join(map(str, array.shape)) or "scalar"
        print(name, array.dtype.name, shape, little.tobytes().hex(), sep="\t", file=file)
