"""Writes the pickles beside this script with MegEngine itself.

    python3 make_megengine.py EXPECTED      needs megengine 1.13.0, on Python 3.8

EXPECTED is the folder of `plain-state.npz` and `g2-state.npz`: the weights of two small RepVGGs as PyTorch
trained them, under the official names. `g2` has two groups in the second block of stages 1 to 3.

`basecls` are the names of BaseCls, `renamed` those of RepVGG-MegEngine. The training checkpoint, tensors
in place of arrays, BatchNorm's vectors with four axes as before MegEngine 1.1, and other protocols are of
`plain` only. `module-state` is what the module's own state_dict() returns; `whole-module` the module;
`bound-method` what is written where the parentheses are missing: save(module.state_dict).
"""
import collections
import os
import sys

import megengine
import megengine.functional as F
import megengine.module as M
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
grouped = {"stage1.1": 2, "stage2.1": 2, "stage3.1": 2}
renamed = {"rbr_1x1": "pointwise", "rbr_dense": "dense", "rbr_identity": "identity"}


def megengine_state(state, groups, head="head.fc.", four_axes=False, names={}):
    """The state dict as MegEngine would have it."""
    result = collections.OrderedDict()
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        count = groups.get(name.split(".rbr_")[0], 1)
        if value.ndim == 4 and count > 1:
            value = value.reshape(count, value.shape[0] // count, *value.shape[1:])
        if four_axes and value.ndim == 1 and ("bn." in name or "rbr_identity" in name):
            value = value.reshape(1, -1, 1, 1)
        if name.startswith("linear."):
            name = name.replace("linear.", head)
        for old, new in names.items():
            name = name.replace(old, new)
        result[name] = np.ascontiguousarray(value)
    return result


class Block(M.Module):
    def __init__(self, i, o, stride, groups):
        super().__init__()
        self.rbr_identity = M.BatchNorm2d(i) if i == o and stride == 1 else None
        self.rbr_dense = M.ConvBn2d(i, o, 3, stride, 1, groups=groups, bias=False)
        self.rbr_1x1 = M.ConvBn2d(i, o, 1, stride, 0, groups=groups, bias=False)

    def forward(self, x):
        y = self.rbr_dense(x) + self.rbr_1x1(x)
        return F.relu(y if self.rbr_identity is None else y + self.rbr_identity(x))


class Head(M.Module):
    def __init__(self, i, o):
        super().__init__()
        self.fc = M.Linear(i, o)

    def forward(self, x):
        return self.fc(x.mean(axis=(2, 3)))


class Net(M.Module):
    def __init__(self, state, groups):
        super().__init__()
        width = state["stage0.rbr_dense.conv.weight"].shape[0]
        self.stage0 = Block(3, width, 2, 1)
        for stage in range(1, 5):
            channels = state["stage%d.0.rbr_dense.conv.weight" % stage].shape[0]
            count = 1 + max(int(k.split(".")[1]) for k in state if k.startswith("stage%d." % stage))
            blocks = []
            for index in range(count):
                name = "stage%d.%d" % (stage, index)
                blocks.append(Block(width, channels, 1 if index else 2, groups.get(name, 1)))
                width = channels
            setattr(self, "stage%d" % stage, M.Sequential(*blocks))
        self.head = Head(width, state["linear.weight"].shape[0])

    def forward(self, x):
        return self.head(self.stage4(self.stage3(self.stage2(self.stage1(self.stage0(x))))))


def save(value, name, **options):
    megengine.save(value, os.path.join(here, name + ".pkl"), **options)


for model, groups in [("plain", {}), ("g2", grouped)]:
    with np.load(os.path.join(sys.argv[1], model + "-state.npz")) as file:
        state = collections.OrderedDict((name, file[name]) for name in file.files)
    basecls = megengine_state(state, groups)
    save(basecls, model + "-basecls")
    save(megengine_state(state, groups, head="linear.", names=renamed), model + "-renamed")

    net = Net(state, groups)
    shapes = net.state_dict()
    assert set(shapes) == set(basecls)
    net.load_state_dict({name: basecls[name].reshape(shapes[name].shape) for name in shapes})
    net.eval()
    save(net, model + "-whole-module")
    save(net.state_dict, model + "-bound-method")
    if model == "g2":
        save(net.state_dict(), "g2-module-state")
        continue
    for protocol in (2, 3, 5):
        save(basecls, "plain-basecls-protocol%d" % protocol, pickle_protocol=protocol)
    save(megengine_state(state, groups, four_axes=True), "plain-basecls-bn4d")
    save({"epoch": 119, "state_dict": basecls, "acc1": np.float32(72.25)}, "plain-training-checkpoint")
    save(collections.OrderedDict((k, megengine.Parameter(v)) for k, v in basecls.items()), "plain-tensors")
