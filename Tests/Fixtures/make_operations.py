#!/usr/bin/env python3
"""Computes what the graphs of formats/vectors give, value by value, in float64: Expected/operations.npz.

    python3 make_operations.py

Every operation is written as the formula of formats/rvd.md has it, one number of the result at a time or nearly so.
Needs NumPy (2.4.6 was used), and shares no code with repconv. For the graph of `NAME.rvd`, `NAME.0` is the input and
`NAME.k` what the node with index k - 1 gives.
"""
import math
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "examples" / "python"))
sys.dont_write_bytecode = True
import rvd  # noqa: E402

GRAPHS = {"chain": (2, 3, 9, 11), "squeeze-excitation": (2, 3, 4, 5), "residual": (2, 3, 6, 5),
          "operations": (2, 3, 9, 11)}


def channels(vector, x):
    """One number for each channel, or one for all, beside x."""
    return np.broadcast_to(vector, x.shape[1]).reshape((1, -1) + (1,) * (x.ndim - 2))


def padded(x, padding, value):
    return np.pad(x, [(0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2], constant_values=value)


def positions(x, kernel, stride, dilation=(1, 1)):
    """The places where a window of this size begins on x, which has its padding already."""
    for axis in (0, 1):
        assert x.shape[2 + axis] > dilation[axis] * (kernel[axis] - 1)
    return [range(0, x.shape[2 + axis] - dilation[axis] * (kernel[axis] - 1), stride[axis]) for axis in (0, 1)]


def convolution(x, weight, stride, padding, dilation, groups, bias=None):
    x = padded(x, padding, 0)
    outputs, inputs, height, width = weight.shape
    rows, columns = positions(x, (height, width), stride, dilation)
    y = np.zeros((len(x), outputs, len(rows), len(columns)))
    for o in range(outputs):
        first = o // (outputs // groups) * inputs
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                seen = x[:, first:first + inputs, row:row + dilation[0] * (height - 1) + 1:dilation[0],
                         column:column + dilation[1] * (width - 1) + 1:dilation[1]]
                y[:, o, i, j] = (seen * weight[o]).sum((1, 2, 3)) + (0 if bias is None else bias[o])
    return y


def pool(x, kernel, stride, padding, outside, function):
    x = padded(x, padding, outside)
    rows, columns = positions(x, kernel, stride)
    return np.stack([np.stack([function(x[:, :, i:i + kernel[0], j:j + kernel[1]], axis=(2, 3)) for j in columns], -1)
                     for i in rows], -2)


def pixel_shuffle(x, factor):
    n, c, h, w = x.shape
    y = np.zeros((n, c // factor**2, h * factor, w * factor))
    for k in range(y.shape[1]):
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                y[:, k, i, j] = x[:, k * factor**2 + i % factor * factor + j % factor, i // factor, j // factor]
    return y


def upsample(x, factor):
    n, c, h, w = x.shape
    rows = [i // factor[0] for i in range(h * factor[0])]
    columns = [j // factor[1] for j in range(w * factor[1])]
    return x[:, :, rows][:, :, :, columns]


def softmax(x):
    powers = np.exp(x)
    return powers / powers.sum(1, keepdims=True)


def linear(x, weight, bias=None):
    y = np.moveaxis(np.moveaxis(x, 1, -1) @ weight.T, -1, 1)
    return y if bias is None else y + channels(bias, y)


def response_norm(x, gamma, epsilon, beta=0):
    lengths = np.sqrt((x * x).sum((2, 3), keepdims=True))
    shares = lengths / (lengths.mean(1, keepdims=True) + epsilon)
    return (channels(gamma, x) * shares + 1) * x + channels(beta, x)


def attention(x, heads):
    n, c, h, w = x.shape
    size = c // (3 * heads)
    y = np.zeros((n, c // 3, h * w))
    queries, keys, values = x.reshape(n, 3, heads, size, h * w).swapaxes(0, 1)
    for image in range(n):
        for head in range(heads):
            for p in range(h * w):
                powers = np.exp([queries[image, head, :, p] @ keys[image, head, :, q] / math.sqrt(size)
                                 for q in range(h * w)])
                for k in range(size):
                    y[image, head * size + k, p] = (powers * values[image, head, k]).sum() / powers.sum()
    return y.reshape(n, c // 3, h, w)


def each(function):
    return np.vectorize(function, otypes=[np.float64])


def six(x):
    return min(max(0, x), 6)


OPERATIONS = {
    "convolution": convolution,
    "linear": linear,
    "scale": lambda x, factor, shift=0: x * channels(factor, x) + channels(shift, x),
    "batch-norm": lambda x, gamma, beta, mean, variance, epsilon: (
        (x - channels(mean, x)) / np.sqrt(channels(variance, x) + epsilon) * channels(gamma, x) + channels(beta, x)),
    "layer-norm": lambda x, gamma, beta, epsilon: (
        (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + epsilon) * channels(gamma, x)
        + channels(beta, x)),
    "global-response-norm": response_norm,
    "attention": attention,
    "prelu": lambda x, slope: np.where(x >= 0, x, x * channels(slope, x)),
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "concatenate": lambda *values: np.concatenate(values, 1),
    "flatten": lambda x: x.reshape(len(x), -1),
    "upsample-nearest": upsample,
    "pixel-shuffle": pixel_shuffle,
    "global-average-pool": lambda x: x.mean((2, 3), keepdims=True),
    "average-pool": lambda x, kernel, stride, padding: pool(x, kernel, stride, padding, 0, np.mean),
    "max-pool": lambda x, kernel, stride, padding: pool(x, kernel, stride, padding, -np.inf, np.max),
    "relu": each(lambda x: max(0, x)),
    "relu6": each(six),
    "sigmoid": each(lambda x: 1 / (1 + math.exp(-x))),
    "silu": each(lambda x: x / (1 + math.exp(-x))),
    "tanh": each(lambda x: (math.exp(x) - math.exp(-x)) / (math.exp(x) + math.exp(-x))),
    "gelu": each(lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    "gelu-tanh": each(lambda x: x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2),
    "hard-sigmoid": each(lambda x: six(x + 3) / 6),
    "hard-swish": each(lambda x: x * six(x + 3) / 6),
    "softmax": softmax,
}
OPERANDS = {"weight", "bias", "factor", "shift", "slope", "gamma", "beta", "mean", "variance"}


def run(graph, tensors, x):
    values = [x]
    for node in graph:
        members = {}
        for key, value in node.items():
            # `factor` is a tensor of `scale`, and an attribute elsewhere.
            if key in OPERANDS and (key != "factor" or node["op"] == "scale"):
                members[key] = tensors[value]
            elif key not in ("op", "inputs", "block"):
                members[key] = value
        values.append(OPERATIONS[node["op"]](*[values[v] for v in node["inputs"]], **members))
    return values


def main():
    answers = {}
    for name, shape in GRAPHS.items():
        file = rvd.open(HERE.parent.parent / "formats" / "vectors" / "valid" / f"{name}.rvd")
        parameters = [tensor.values().astype(np.float64) for tensor in file.tensors]
        x = np.random.default_rng(5).integers(-32, 33, shape) / 16
        for k, value in enumerate(run(file.graph, parameters, x)):
            answers[f"{name}.{k}"] = value
    np.savez(HERE / "Expected" / "operations.npz", **answers)


if __name__ == "__main__":
    main()
