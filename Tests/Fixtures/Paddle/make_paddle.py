"""Writes a small model as Paddle saves it, and what it holds.

    python3 make_paddle.py      needs paddlepaddle and numpy; written with 2.6.2 and 2.4.6

`state-2.pdparams` ... `state-4.pdparams`: `paddle.save(state_dict, protocol=...)`. `sliced-2.pdparams`,
`sliced-3.pdparams`: the same with arrays cut into slices as Paddle cuts those of 2^30 bytes, but of 100.
`nested.pdparams`: the state dict inside another, where tensors have their own names beside them.
`bfloat16.pdparams`. `states.tsv`: for each tensor, in the order of the file, the file, name (percent-encoded), element
type, shape and bytes as `paddle.load(return_numpy=True)` has them.
"""
import inspect
import os
from urllib.parse import quote

import numpy as np
import paddle
from paddle.framework import io, io_utils

here = os.path.dirname(os.path.abspath(__file__))
paddle.seed(1)
model = paddle.nn.Sequential(
    ("conv", paddle.nn.Conv2D(3, 4, 3)), ("bn", paddle.nn.BatchNorm2D(4)), ("linear", paddle.nn.Linear(4, 2)))
model.bn._variance.set_value(np.arange(4, dtype="f4"))


def path(name):
    return os.path.join(here, name)


for protocol in (2, 3, 4):
    paddle.save(model.state_dict(), path("state-%d.pdparams" % protocol), protocol=protocol)
paddle.save(
    {"model": model.state_dict(), "one": model.linear.bias, "epoch": 3}, path("nested.pdparams"))
paddle.save({"w": paddle.ones([2], dtype="bfloat16")}, path("bfloat16.pdparams"))

whole = io_utils._unpack_saved_dict
source = inspect.getsource(whole)
assert "2**30 - 1" in source
exec(source.replace("2**30 - 1", "100"), io_utils.__dict__)
io._unpack_saved_dict = io_utils._unpack_saved_dict
for protocol in (2, 3):
    paddle.save(model.state_dict(), path("sliced-%d.pdparams" % protocol), protocol=protocol)

with open(path("states.tsv"), "w") as table:
    for file in sorted(os.listdir(here)):
        if file.endswith(".pdparams"):
            state = paddle.load(path(file), return_numpy=True)
            for name, array in state.get("model", state).items():
                if isinstance(array, np.ndarray):
                    shape = "x".join(map(str, array.shape)) or "scalar"
                    print(file, quote(name), array.dtype.name, shape, array.tobytes().hex(), sep="\t", file=table)
