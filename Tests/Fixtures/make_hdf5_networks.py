"""Writes HDF5/: the trained networks of Expected/ as h5py and Keras save them.

    make_hdf5_networks.py h5py [FOLDER]    h5py, NumPy; written by h5py 3.14
    make_hdf5_networks.py keras [FOLDER]   Keras 3, NumPy; written by 3.15 on TensorFlow 2.21

FOLDER is where to write, HDF5/ beside this script by default. `make_hdf5_table.py` says what is in the files.
"""
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def load(name):
    with np.load(f"{HERE}/Expected/{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


def with_h5py(out):
    import h5py
    os.makedirs(out, exist_ok=True)
    state = load("plain-state")
    with h5py.File(f"{out}/plain-flat.hdf5", "w") as f:
        for k, v in state.items():
            f.create_dataset(k, data=v)
    with h5py.File(f"{out}/plain-nested-gzip.h5", "w") as f:
        for k, v in state.items():
            kw = dict(compression="gzip", shuffle=True, chunks=True) if v.ndim else {}
            f.create_dataset(k.replace(".", "/"), data=v, **kw)
    with h5py.File(f"{out}/plain-bigendian-f64.h5", "w") as f:
        for k, v in state.items():
            f.create_dataset(k, data=v.astype(">f8") if v.dtype == np.float32 else v.astype(">i8"))
    with h5py.File(f"{out}/plain-float16.h5", "w") as f:
        for k, v in state.items():
            f.create_dataset(k, data=v.astype(np.float16) if v.dtype == np.float32 else v)


def with_keras(out):
    """The same network in Keras 3 with official block names; HWIO kernels; legacy .h5, .weights.h5 and .keras."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    from keras import layers as L
    os.makedirs(out, exist_ok=True)
    for name in ("plain", "g2"):
        state = load(f"{name}-state")
        groups = {f"stage{s}.1": 2 for s in (1, 2, 3)} if name == "g2" else {}
        x = inp = L.Input((32, 32, 3))
        values = {}

        def conv_bn(x, base, k, stride, g):
            w = state[f"{base}.conv.weight"]
            y = L.ZeroPadding2D(1, name=f"{base}.pad".replace(".", "_"))(x) if k == 3 else x
            n = f"{base}.conv".replace(".", "_")
            y = L.Conv2D(w.shape[0], k, strides=stride, padding="valid", groups=g, use_bias=False, name=n)(y)
            values[n] = [w.transpose(2, 3, 1, 0)]
            return bn(y, f"{base}.bn")

        def bn(x, base):
            n = base.replace(".", "_")
            values[n] = [state[f"{base}.{s}"] for s in ("weight", "bias", "running_mean", "running_var")]
            return L.BatchNormalization(epsilon=1e-5, name=n)(x)

        blocks = ["stage0"] + [f"stage{s}.{b}" for s in range(1, 5) for b in range(9) if f"stage{s}.{b}.rbr_dense.conv.weight" in state]
        for b in blocks:
            stride = 2 if b == "stage0" or b.endswith(".0") else 1
            g = groups.get(b, 1)
            y = [conv_bn(x, f"{b}.rbr_dense", 3, stride, g), conv_bn(x, f"{b}.rbr_1x1", 1, stride, g)]
            if f"{b}.rbr_identity.weight" in state:
                y.append(bn(x, f"{b}.rbr_identity"))
            x = L.ReLU(name=f"{b}.relu".replace(".", "_"))(L.Add(name=f"{b}.add".replace(".", "_"))(y))
        x = L.GlobalAveragePooling2D(name="gap")(x)
        x = L.Dense(state["linear.weight"].shape[0], name="linear")(x)
        values["linear"] = [state["linear.weight"].T, state["linear.bias"]]
        m = keras.Model(inp, x)
        for n, v in values.items():
            m.get_layer(n).set_weights(v)
        ref = load(f"{name}-logits")
        got = m.predict(ref["images"].transpose(0, 2, 3, 1), verbose=0)
        print(name, "keras vs torch max abs diff", float(np.abs(got - ref["logits"]).max()))
        m.save(f"{out}/{name}-keras-legacy.h5")
        m.save_weights(f"{out}/{name}-keras3.weights.h5")
        m.save(f"{out}/{name}-keras3.keras")


if __name__ == "__main__":
    stages = {"h5py": with_h5py, "keras": with_keras}
    stages[sys.argv[1]](sys.argv[2] if len(sys.argv) > 2 else f"{HERE}/HDF5")
