"""What repconv writes loads in this PyTorch, and computes what the trained network computed.

usage: check_pytorch.py REPCONV
"""
import json
import types
import zipfile

import numpy as np
import torch
import torch.nn.functional as F

from deploy_network import forward
from interop import (EXAMPLES, FIXTURES, Checks, Fixture, expect, expect_equal, expect_logits, expect_rounded,
                     fixtures, load_npz)
from repvgg_torch import MODELS

OPERATIONS = types.SimpleNamespace(
    conv=lambda x, w, b, stride, padding, groups: F.conv2d(x, w, b, stride, padding, groups=groups),
    pool=lambda x: x.mean((2, 3), keepdim=True), linear=lambda x, w, b: F.linear(x.flatten(1), w, b),
    relu=torch.relu, sigmoid=torch.sigmoid)

# How far logits move at least when a network is given the colours in the wrong order.
LEAST_COLOUR_EFFECT = .1


def load(path):
    tensors = torch.load(path, weights_only=True)
    expect(all(type(v) is torch.Tensor for v in tensors.values()), "it is not a dict of tensors")
    if torch.__version__ >= "2.1":
        mapped = torch.load(path, weights_only=True, mmap=True)
        expect(all(torch.equal(mapped[k], v) for k, v in tensors.items()), "it is other values with mmap=True")
    return tensors


def arrays(tensors):
    """As NumPy arrays; NumPy has no bfloat16."""
    return {k: v.float().numpy() if v.dtype is torch.bfloat16 else v.numpy() for k, v in tensors.items()}


def network(model, tensors):
    m = MODELS[model]()
    m.load_state_dict(tensors, strict=True)
    return m.eval()


def deployed(tensors, x):
    return forward({k: v.float() for k, v in tensors.items()}, x, OPERATIONS)


def run(function, images):
    with torch.no_grad():
        return function(torch.from_numpy(images)).numpy()


def wanted_logits(fixture):
    """The images of a fixture's model, and what its training weights make of them."""
    images, logits = fixture.images_and_logits()
    if not fixture.exact:
        state = {k: torch.from_numpy(np.asarray(v)) for k, v in fixture.state.items()}
        logits = run(network(fixture.model, state), images)
    return images, logits


def check_import(checks, fixture):
    tensors = load(checks.imported(fixture))
    expect_equal(arrays(tensors), fixture.state)
    images, logits = wanted_logits(fixture)
    expect_logits(run(network(fixture.model, tensors), images), logits)


def check_fuse(checks, fixture):
    tensors = load(checks.fused(fixture, ".pth"))
    expect_rounded(arrays(tensors), fixture.fused())
    images, logits = wanted_logits(fixture)
    expect_logits(run(lambda x: deployed(tensors, x), images), logits)


def check_imported_fuses_alike(checks, fixture):
    directly = load(checks.fused(fixture, ".pth"))
    expect_equal(arrays(load(checks.fused(fixture, ".pth", imported=True))), arrays(directly))


def check_channels(checks, fixture):
    """The stem of a BGR network, flipped by `--channels rgb`, takes the same images as RGB."""
    images, logits = fixture.images_and_logits()
    m = network(fixture.model, load(checks.imported(fixture, "--from", "megengine", "--channels", "rgb")))
    expect(np.abs(run(m, images) - logits).max() > LEAST_COLOUR_EFFECT, "the stem was not changed")
    expect_logits(run(m, np.ascontiguousarray(images[:, ::-1])), logits)


def check_description(checks, fixture):
    """What a file says of its network is a member that PyTorch takes no notice of, in either form."""
    said = ["--license", "MIT", "--meta", "authors=Jane Döe", "--size", "32"]
    for command in (["import", fixture.path, "-o"], ["fuse", fixture.path]):
        path = checks.output(f"{command[0]}.described.pth")
        checks.repconv(*command, path, *fixture.options, *said)
        with zipfile.ZipFile(path) as archive:
            expect(archive.testzip() is None, "a member has a wrong CRC")
            [member] = [m for m in archive.infolist() if "/extra/" in m.filename]
            expect(member.filename == "archive/extra/repconv.json", f"it is called {member.filename}")
            expect(member.compress_type == zipfile.ZIP_STORED, "it is compressed")
            about = json.loads(archive.read(member))
        expect(about["metadata"] == {"authors": ["Jane Döe"], "license": "MIT"}, f"it says {about['metadata']}")
        expect(about["version"] == 1 and about["input"]["size"] == 32, f"it says {about}")
        record = torch._C.PyTorchFileReader(path).get_record("extra/repconv.json")
        expect(json.loads(record) == about, "PyTorch's own reader finds something else")

        tensors = load(path)
        expect(not any("extra" in k for k in tensors), "it is among the tensors")
        if command[0] == "import":
            expect_equal(arrays(tensors), fixture.state)
            network(fixture.model, tensors)
            if torch.__version__ >= "2.1":
                network(fixture.model, torch.load(path, weights_only=True, mmap=True))
        else:
            expect_rounded(arrays(tensors), fixture.fused())
        # Saved by PyTorch again, it says nothing, and holds the same.
        again = checks.output("again.pth")
        torch.save(tensors, again)
        expect(checks.repconv("digest", again).split()[0] == checks.repconv("digest", path).split()[0],
               "the digest is not that of what PyTorch read")


def check_digits(checks):
    digits = Fixture(f"{EXAMPLES}/digits_repvgg.pkl", model="plain")
    validation = load_npz(f"{FIXTURES}/Expected/digits-validation.npz")
    tensors = load(checks.fused(digits, ".pth"))
    logits = run(lambda x: deployed(tensors, x), validation["images"].astype(np.float32))
    accuracy = (logits.argmax(1) == validation["labels"]).mean()
    expect(accuracy >= .93, f"{accuracy:.1%} of the validation digits are right, not 93 %")


def main():
    checks = Checks()
    print(f"PyTorch {torch.__version__}")
    for fixture in fixtures("PyTorch", "MegEngine"):
        with checks.check(f"{fixture.name}, imported, is the trained network"):
            check_import(checks, fixture)
        with checks.check(f"{fixture.name}, fused, is the exact deploy network"):
            check_fuse(checks, fixture)
        with checks.check(f"{fixture.name}, imported and then fused, is no other network"):
            check_imported_fuses_alike(checks, fixture)
        if fixture.name == "plain-basecls.pkl":
            with checks.check(f"{fixture.name}, imported with --channels rgb, takes RGB images"):
                check_channels(checks, fixture)
        if fixture.name == "plain-train.pth":
            with checks.check(f"{fixture.name}, described, is to PyTorch what it is without"):
                check_description(checks, fixture)
    with checks.check("the network of examples/, fused, reads the validation digits"):
        check_digits(checks)
    checks.finish()


if __name__ == "__main__":
    main()
