"""Writes KerasFiles/: small models that are nested, shared, of custom layers, of odd types, as Keras 3
saves them, and as Keras 2 did.

Usage: KERAS_BACKEND=jax make_keras_files.py. Needs Keras 3 (written by 3.15 on JAX) and h5py.

KerasFiles/tensors.tsv says what they must read as, by way of Keras' own objects: file, name, element
type, shape, SHA-256 of the little-endian row-major bytes.
"""
import hashlib
import os

import h5py
import keras
import numpy as np
from keras import layers as L
from keras.src.legacy.saving import legacy_h5_format

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "KerasFiles")
ROWS = []


def note(file, name, a):
    a = np.asarray(a)
    kind = str(a.dtype.newbyteorder("=")) if a.dtype.name != "bfloat16" else "bfloat16"
    shape = "x".join(map(str, a.shape)) or "scalar"
    ROWS.append((file, name, kind, shape, hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()))


@keras.saving.register_keras_serializable("fixtures")
class Block(L.Layer):
    """A layer of layers: by attribute, and in a list."""

    def __init__(self, width, **how):
        super().__init__(**how)
        self.width = width
        self.rbr_dense = L.Conv2D(width, 3, padding="same", use_bias=False)
        self.rbr_norm = L.BatchNormalization(epsilon=1e-4)
        self.branches = [L.Conv2D(width, 1), L.Conv2D(width, 1, name="mine"), L.BatchNormalization()]

    def call(self, x):
        y = self.rbr_norm(self.rbr_dense(x))
        for branch in self.branches:
            y = branch(y)
        return y

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def network():
    keras.utils.set_random_seed(1)
    inner_in = L.Input((8, 8, 4))
    x = L.Conv2D(6, 3, strides=(2, 1), padding="same", dilation_rate=1, groups=2, name="conv")(inner_in)
    x = L.BatchNormalization(epsilon=2e-5, scale=False, name="norm")(x)
    inner = keras.Model(inner_in, L.PReLU(name="slope")(x), name="backbone")
    tail = keras.Sequential(
        [L.Input((6,)), L.Dropout(0.5, seed=3), L.Dense(5, name="fc"), L.BatchNormalization(center=False, name="bn")],
        name="tail")

    image = L.Input((8, 8, 3))
    x = L.ZeroPadding2D(1, name="pad")(image)
    x = L.Conv2D(4, 3, strides=1, name="stem")(x)
    x = L.BatchNormalization(name="stem_norm", epsilon=1e-3)(x)
    x = L.DepthwiseConv2D(5, padding="same", dilation_rate=2, name="depthwise")(x)
    x = L.SeparableConv2D(4, 3, padding="same", name="separable")(x)
    x = Block(4, name="block")(x)
    x = inner(x)
    x = L.GlobalAveragePooling2D()(x)
    model = keras.Model(image, tail(x), name="network")
    model.compile("adam", "mse")
    model.fit(np.ones((2, 8, 8, 3), "f4"), np.zeros((2, 5), "f4"), verbose=0)
    return model


def numbers(layer):
    """Names and values of the layer's own variables."""
    return [(v.name, np.asarray(v.value)) for v in layer._trainable_variables + layer._non_trainable_variables]


def note_layers(file, model, prefix="", numbered=()):
    """Weights alone do not say which three of its four variables a BatchNorm has: these are numbered."""
    for layer in model.layers:
        path = prefix + layer.name
        if hasattr(layer, "layers"):
            note_layers(file, layer, path + ".", numbered)
        for i, (name, value) in enumerate(numbers(layer)):
            note(file, f"{path}.{i if path in numbered else name}", value)
        if isinstance(layer, Block):
            parts = {"rbr_dense": layer.rbr_dense, "rbr_norm": layer.rbr_norm, "branches.conv2d": layer.branches[0],
                     "branches.mine": layer.branches[1], "branches.batch_normalization": layer.branches[2]}
            for part, inner in parts.items():
                for name, value in numbers(inner):
                    note(file, f"{path}.{part}.{name}", value)


def note_legacy(file, model):
    """Names as the variables' paths have them, below the layer they belong to."""
    for layer in model.layers:
        for v in layer.weights:
            if "seed_generator" in v.path:
                continue
            parts = v.path.split("/")
            if layer.name in parts:
                parts = parts[parts.index(layer.name) + 1:]
            note(file, ".".join([layer.name] + parts), np.asarray(v.value))


def keras3():
    model = network()
    model.save(f"{OUT}/network.keras")
    note_layers("network.keras", model)
    model.save_weights(f"{OUT}/network.weights.h5")
    note_layers("network.weights.h5", model, numbered=("backbone.norm", "tail.bn"))
    model.save(f"{OUT}/network.h5")
    note_legacy("network.h5", model)
    with h5py.File(f"{OUT}/network-weights.h5", "w") as f:
        legacy_h5_format.save_weights_to_hdf5_group(f, model)
    note_legacy("network-weights.h5", model)

    keras.config.set_dtype_policy("bfloat16")
    keras.utils.set_random_seed(2)
    half = keras.Sequential([L.Input((3,)), L.Dense(4, name="fc"), L.BatchNormalization(name="bn")])
    half.save_weights(f"{OUT}/bfloat16.weights.h5")
    note_layers("bfloat16.weights.h5", half)
    keras.config.set_dtype_policy("float32")

    # So many bytes of names that Keras splits the list.
    keras.utils.set_random_seed(3)
    long = keras.Sequential([L.Input((2,))] + [L.Dense(2, name=f"fc{i}_" + "n" * 13100) for i in range(5)])
    with h5py.File(f"{OUT}/long-names.h5", "w") as f:
        legacy_h5_format.save_weights_to_hdf5_group(f, long)
        assert "layer_names1" in f.attrs and "layer_names" not in f.attrs
    note_legacy("long-names.h5", long)

    lambdas = keras.Sequential([L.Input((2,)), L.Lambda(lambda x: x * 2, name="code"), L.Dense(1, name="fc")])
    lambdas.save(f"{OUT}/lambda.keras")
    note_layers("lambda.keras", lambdas)


def keras2():
    """As TensorFlow 2.15 lays it out: ":0" behind names, models of models by their own names."""
    a = np.arange(24, dtype="<f4").reshape(1, 2, 3, 4)
    layers = {
        "conv": ["conv/kernel:0", "conv/bias:0"],
        "dw": ["dw/depthwise_kernel:0"],
        "model": ["inner_conv/kernel:0", "inner_bn/gamma:0", "inner_bn/moving_variance:0"],
        "relu": [],
        "my/odd": ["my/odd/alpha:0"],
    }
    config = """{"class_name": "Functional", "config": {"name": "m", "layers": [
      {"class_name": "InputLayer", "config": {"name": "input_1"}, "name": "input_1", "inbound_nodes": []},
      {"class_name": "ZeroPadding2D", "config": {"name": "pad", "padding": [[2, 2], [1, 1]]}, "name": "pad",
       "inbound_nodes": [[["input_1", 0, 0, {}]]]},
      {"class_name": "Conv2D", "config": {"name": "conv", "kernel_size": [5, 3], "strides": [2, 2],
       "padding": "valid", "dilation_rate": [1, 1], "groups": 3}, "name": "conv",
       "inbound_nodes": [[["pad", 0, 0, {}]]]},
      {"class_name": "DepthwiseConv2D", "config": {"name": "dw", "kernel_size": [3, 3], "strides": [1, 1],
       "padding": "same", "dilation_rate": [1, 1], "groups": 1}, "name": "dw",
       "inbound_nodes": [[["conv", 0, 0, {}]]]},
      {"class_name": "Sequential", "config": {"name": "model", "layers": [
        {"class_name": "Conv2D", "config": {"name": "inner_conv", "kernel_size": [1, 1], "strides": [1, 1],
         "padding": "valid"}},
        {"class_name": "BatchNormalization", "config": {"name": "inner_bn", "epsilon": 0.00123}}]},
       "name": "model", "inbound_nodes": [[["dw", 0, 0, {}]]]}]}}"""
    for file, whole in (("keras2.h5", True), ("keras2-weights.h5", False)):
        with h5py.File(f"{OUT}/{file}", "w") as f:
            g = f
            if whole:
                f.attrs["keras_version"] = b"2.15.0"
                f.attrs["backend"] = b"tensorflow"
                f.attrs["model_config"] = config.encode()
                f.create_group("optimizer_weights").create_dataset("iter:0", data=3)
                g = f.create_group("model_weights")
            g.attrs["layer_names"] = np.array([n.encode() for n in layers])
            for layer, weights in sorted(layers.items()):
                lg = g.create_group(layer)
                lg.attrs["weight_names"] = np.array([w.encode() for w in weights]) if weights else []
                for i, w in enumerate(weights):
                    lg.create_dataset(w, data=a + i)
            g.create_group("top_level_model_weights").attrs["weight_names"] = ["scale:0"]
            g["top_level_model_weights/scale:0"] = np.float32(7)
            g["conv/forgotten"] = a
        for layer, weights in layers.items():
            for i, w in enumerate(weights):
                w = w.removesuffix(":0").removeprefix(layer + "/").replace("/", ".")
                note(file, f"{layer.replace('/', '.')}.{w}", a + i)
        note(file, "scale", np.float32(7))


def keras213():
    """As TensorFlow 2.13 lays out .weights.h5: another group at the root, no names, no empty groups."""
    file = "keras-2.13.weights.h5"
    with h5py.File(f"{OUT}/{file}", "w") as f:
        def put(path, name, shape):
            a = np.arange(np.prod(shape), dtype="<f4").reshape(shape) + len(path)
            f[f"_layer_checkpoint_dependencies/{path}"] = a
            note(file, name, a)

        put("conv2d/vars/0", "conv2d.kernel", (3, 3, 2, 4))
        put("conv2d_1/vars/0", "conv2d_1.kernel", (1, 1, 4, 4))
        put("conv2d_1/vars/1", "conv2d_1.bias", (4,))
        for i, part in enumerate(("gamma", "beta", "moving_mean", "moving_variance")):
            put(f"batch_normalization/vars/{i}", f"batch_normalization.{part}", (4,))
            put(f"rep_block/norm/vars/{i}", f"rep_block.norm.{part}", (4,))
        put("rep_block/dense/vars/0", "rep_block.dense.kernel", (1, 1, 4, 4))
        put("my_layer/vars/0", "my_layer.0", (4,))
        f["_layer_checkpoint_dependencies/dropout/seed_generator/vars/0"] = np.zeros(2, "<u4")


os.makedirs(OUT, exist_ok=True)
for name in os.listdir(OUT):
    os.remove(f"{OUT}/{name}")
keras3()
keras213()
keras2()
with open(f"{OUT}/tensors.tsv", "w") as f:
    for row in ROWS:
        f.write("\t".join(row) + "\n")
