"""What repconv makes of MegEngine checkpoints is what MegEngine itself reads in them, and runs there fused.

usage: check_megengine.py REPCONV
"""
import types

import megengine as mge
import megengine.functional as F
import numpy as np

from deploy_network import forward
from interop import Checks, expect_equal, expect_logits, fixtures, read_pth
from make_fixtures import megengine_module, megengine_state


def conv(x, weight, bias, stride, padding, groups):
    if groups > 1:
        weight = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    return F.conv2d(x, weight, bias.reshape(1, -1, 1, 1), stride, padding, groups=groups)


OPERATIONS = types.SimpleNamespace(
    conv=conv, relu=F.relu, sigmoid=F.sigmoid, pool=lambda x: x.mean(axis=(2, 3), keepdims=True),
    linear=lambda x, w, b: F.linear(x.reshape(x.shape[0], -1), w, b))


def read_by_megengine(path):
    """The arrays that `mge.load` finds in a checkpoint, whichever way it holds them."""
    found = mge.load(path)
    if callable(found) and not isinstance(found, mge.module.Module):
        found = found()
    elif isinstance(found, mge.module.Module):
        found = found.state_dict()
    found = found.get("state_dict", found)
    return {k: np.asarray(v.numpy() if isinstance(v, mge.Tensor) else v) for k, v in found.items()}


def without_counters(tensors):
    """MegEngine keeps no `num_batches_tracked`."""
    return {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}


def expect_equal_values(got, wanted):
    """Equal under the same names, while grouped kernels and biases may have four axes or five."""
    expect_equal({k: v.reshape(wanted[k].shape) if k in wanted else v for k, v in got.items()}, wanted)


def check_import(checks, fixture):
    imported = without_counters(read_pth(checks.imported(fixture)))
    got = megengine_state(imported, fixture.model, basecls="-renamed" not in fixture.name)
    expect_equal_values(got, read_by_megengine(fixture.path))


def check_names(checks, fixture):
    got = without_counters(read_pth(checks.imported(fixture, "--names", "basecls")))
    expect_equal_values(got, read_by_megengine(fixture.path))


def check_network(checks, fixture):
    """The imported tensors, set as the parameters of MegEngine modules, give the logits."""
    network = megengine_module(read_pth(checks.imported(fixture)), fixture.model)
    images, logits = fixture.images_and_logits()
    expect_logits(network(mge.tensor(images)).numpy(), logits)


def check_export(checks, fixture):
    """What repconv writes as `.pkl` is loaded by a module's own `load_state_dict`, grouped kernels too."""
    out = checks.output(fixture.name + ".exported.pkl")
    checks.repconv("export", fixture.path, out, *fixture.options)
    network = megengine_module(fixture.state, fixture.model)
    network.load_state_dict({k: np.zeros_like(v) for k, v in network.state_dict().items()})
    network.load_state_dict(mge.load(out))
    images, logits = fixture.images_and_logits()
    expect_logits(network(mge.tensor(images)).numpy(), logits)


def check_fuse(checks, fixture):
    tensors = {k: mge.tensor(np.float32(v)) for k, v in read_pth(checks.fused(fixture, ".pth")).items()}
    images, logits = fixture.images_and_logits()
    expect_logits(forward(tensors, mge.tensor(images), OPERATIONS).numpy(), logits)


def main():
    checks = Checks()
    print(f"MegEngine {mge.__version__}")
    for model in ("plain", "g2"):  # leaves the classes that their whole-module pickles name in `__main__`
        megengine_module(next(f for f in fixtures("MegEngine") if f.model == model).state, model)
    for fixture in fixtures("MegEngine"):
        with checks.check(f"{fixture.name}, imported, is what MegEngine reads"):
            check_import(checks, fixture)
        if "-basecls" in fixture.name:
            with checks.check(f"{fixture.name}, imported with --names basecls, keeps its names"):
                check_names(checks, fixture)
        if fixture.model != "se":  # the modules of make_fixtures.py have no Squeeze-and-Excitation
            with checks.check(f"{fixture.name}, imported, runs in MegEngine"):
                check_network(checks, fixture)
            with checks.check(f"{fixture.name}, exported as .pkl, is loaded by load_state_dict"):
                check_export(checks, fixture)
        with checks.check(f"{fixture.name}, fused, runs in MegEngine"):
            check_fuse(checks, fixture)
    checks.finish()


if __name__ == "__main__":
    main()
