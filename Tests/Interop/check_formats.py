"""What repconv writes in other formats and under other names loads in the libraries they belong to: safetensors, NumPy,
h5py, timm and Keras.

usage: check_formats.py REPCONV
"""
import os

os.environ["KERAS_BACKEND"] = "torch"

import h5py
import keras
import numpy as np
import timm
import torch
from keras import layers as L
from safetensors.numpy import load_file
from timm.utils.model import reparameterize_model

from interop import Checks, expect, expect_equal, expect_logits, fixtures

# A fused float32 weight of timm's own arithmetic may be off by a few units in the last place of the largest summand.
FUSION_TOLERANCE = 4e-7


def exported(checks, source, extension, *options):
    out = checks.output("exported" + extension)
    checks.repconv("export", source, out, *options)
    return out


def check_safetensors(checks, fixture):
    expect_equal(load_file(exported(checks, fixture.path, ".safetensors", *fixture.options)), fixture.state)


def check_npz(checks, fixture):
    with np.load(exported(checks, fixture.path, ".npz", *fixture.options), allow_pickle=False) as z:
        expect_equal({k: z[k] for k in z.files}, fixture.state)


def check_h5(checks, fixture):
    with h5py.File(exported(checks, fixture.path, ".h5", *fixture.options)) as f:
        expect_equal({k.replace("+", "/"): f[k][()] for k in f}, fixture.state)


def timm_network(seed):
    """A random RepVGG-A0 of timm whose BatchNorm layers have random statistics, too."""
    torch.manual_seed(seed)
    network = timm.create_model("repvgg_a0", pretrained=False)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-.5, .5)
            module.running_var.uniform_(.5, 1.5)
            module.weight.data.uniform_(.5, 1.5)
            module.bias.data.uniform_(-.5, .5)
    return network.eval()


def check_timm(checks):
    network = timm_network(0)
    source = checks.output("timm.pth")
    torch.save(network.state_dict(), source)

    official = checks.output("official.pth")
    checks.repconv("import", source, "-o", official)
    names = torch.load(official, weights_only=True)
    expect(len(names) == 351 and "stage1.1.rbr_identity.running_var" in names, "it has not the official names")

    back = checks.output("timm.safetensors")
    checks.repconv("import", official, "--names", "timm", "-o", back)
    again = timm_network(1)
    again.load_state_dict({k: torch.from_numpy(v) for k, v in load_file(back).items()}, strict=True)
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expect(torch.equal(network(x), again(x)), "the network computes something else")

    deploy = checks.output("deploy.pth")
    checks.repconv("fuse", source, deploy, "--names", "timm", "-a", "repvgg_a0")
    fused = torch.load(deploy, weights_only=True)
    theirs = reparameterize_model(network).state_dict()
    expect(set(fused) == set(theirs), f"names differ: {sorted(set(fused) ^ set(theirs))[:4]}")
    for k, wanted in theirs.items():
        difference, largest = float((fused[k] - wanted).abs().max()), float(wanted.abs().max())
        expect(difference <= FUSION_TOLERANCE * largest, f"{k} differs by {difference:.2g} of {largest:.2g}")


def keras_network(state):
    """The plain network in Keras, its layers called as the official modules with `_` for the dots."""
    blocks = ["stage0"] + [f"stage{s}.{b}" for s in range(1, 5) for b in range(9)
                           if f"stage{s}.{b}.rbr_dense.conv.weight" in state]
    x = inputs = L.Input((32, 32, 3))

    def name(*parts):
        return "_".join(parts).replace(".", "_")

    for block in blocks:
        stride = 1 if block + ".rbr_identity.weight" in state else 2
        branches = []
        for branch, size in (("rbr_dense", 3), ("rbr_1x1", 1)):
            filters = state[f"{block}.{branch}.conv.weight"].shape[0]
            y = L.ZeroPadding2D(size // 2)(x)
            y = L.Conv2D(filters, size, stride, use_bias=False, name=name(block, branch, "conv"))(y)
            branches.append(L.BatchNormalization(epsilon=1e-5, name=name(block, branch, "bn"))(y))
        if stride == 1:
            branches.append(L.BatchNormalization(epsilon=1e-5, name=name(block, "rbr_identity"))(x))
        x = L.ReLU()(L.Add()(branches))
    return keras.Model(inputs, L.Dense(10, name="linear")(L.GlobalAveragePooling2D()(x)))


def check_keras(checks, fixture):
    network = keras_network(fixture.state)
    with h5py.File(exported(checks, fixture.path, ".h5", "--names", "keras")) as f:
        for layer in network.layers:
            if layer.weights:
                layer.set_weights([f[f"{layer.name}.{w.name}"][()] for w in layer.weights])
    images, logits = fixture.images_and_logits()
    expect_logits(network.predict(images.transpose(0, 2, 3, 1), verbose=0), logits)


def main():
    checks = Checks()
    print(f"timm {timm.__version__}, Keras {keras.__version__}, h5py {h5py.__version__}, NumPy {np.__version__}")
    chosen = [f for f in fixtures("PyTorch") if f.name.endswith("-train.pth")]
    chosen += [f for f in fixtures("MegEngine") if f.name.endswith("-renamed.pkl")]
    for fixture in chosen:
        for title, check in (("safetensors", check_safetensors), ("NumPy", check_npz), ("h5py", check_h5)):
            with checks.check(f"{fixture.name}, exported, is what {title} reads"):
                check(checks, fixture)
    with checks.check("timm's repvgg_a0 is imported, written back, and fused as timm does"):
        check_timm(checks)
    with checks.check("plain-train.pth, exported under Keras names, runs in Keras"):
        check_keras(checks, next(f for f in chosen if f.name == "plain-train.pth"))
    checks.finish()


if __name__ == "__main__":
    main()
