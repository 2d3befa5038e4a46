"""The network of an `.rvd` file, run in PyTorch from nothing but its manifest and tensors, node by node: what a runtime
for the format has to do.
"""
import torch
import torch.nn.functional as F

from interop import EXAMPLES  # noqa: F401, which puts rvd.py on the path
import rvd

# Each takes the values that the node takes, and the node's operands and attributes by name.
OPERATIONS = {
    "convolution": lambda x, weight, stride, padding, dilation, groups, bias=None: F.conv2d(
        x, weight, bias, stride, padding, dilation, groups),
    "linear": lambda x, weight, bias=None: F.linear(x.movedim(1, -1), weight, bias).movedim(-1, 1),
    "scale": lambda x, factor, shift=torch.zeros(1): x * along(factor, x) + along(shift, x),
    "batch-norm": lambda x, gamma, beta, mean, variance, epsilon: F.batch_norm(
        x, mean, variance, gamma, beta, eps=epsilon),
    "layer-norm": lambda x, gamma, beta, epsilon: F.layer_norm(
        x.movedim(1, -1), gamma.shape, gamma, beta, epsilon).movedim(-1, 1),
    "global-response-norm": lambda x, gamma, epsilon, beta=torch.zeros(1): response_norm(x, gamma, beta, epsilon),
    "attention": lambda x, heads: attention(x, heads),
    "prelu": lambda x, slope: F.prelu(x, slope),
    "add": torch.add,
    "multiply": torch.mul,
    "concatenate": lambda *values: torch.cat(values, 1),
    "flatten": lambda x: x.flatten(1),
    "upsample-nearest": lambda x, factor: F.interpolate(x, scale_factor=tuple(map(float, factor)), mode="nearest"),
    "pixel-shuffle": lambda x, factor: F.pixel_shuffle(x, factor),
    "global-average-pool": lambda x: x.mean((2, 3), keepdim=True),
    "average-pool": lambda x, kernel, stride, padding: F.avg_pool2d(x, kernel, stride, padding),
    "max-pool": lambda x, kernel, stride, padding: F.max_pool2d(x, kernel, stride, padding),
    "relu": torch.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "hard-sigmoid": F.hardsigmoid,
    "hard-swish": F.hardswish,
    "softmax": lambda x: F.softmax(x, 1),
}
OPERANDS = {"convolution": ("weight", "bias"), "linear": ("weight", "bias"), "scale": ("factor", "shift"),
            "prelu": ("slope",), "batch-norm": ("gamma", "beta", "mean", "variance"),
            "layer-norm": ("gamma", "beta"), "global-response-norm": ("gamma", "beta")}


def along(vector, x):
    """One number for each channel, or one for all, beside x."""
    return vector.reshape((1, -1) + (1,) * (x.dim() - 2))


def response_norm(x, gamma, beta, epsilon):
    lengths = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
    shares = lengths / (lengths.mean(1, keepdim=True) + epsilon)
    return (along(gamma, x) * shares + 1) * x + along(beta, x)


def attention(x, heads):
    n, c, h, w = x.shape
    queries, keys, values = x.reshape(n, 3, heads, c // (3 * heads), h * w).transpose(3, 4).unbind(1)
    return F.scaled_dot_product_attention(queries, keys, values).transpose(2, 3).reshape(n, c // 3, h, w)


def run_graph(graph, tensors, x):
    """What the nodes of formats/rvd.md compute, in PyTorch."""
    values = [x]
    for node in graph:
        members = {key: value for key, value in node.items() if key not in ("op", "inputs", "block")}
        for key in OPERANDS.get(node["op"], ()):
            if key in members:
                members[key] = tensors[members[key]]
        values.append(OPERATIONS[node["op"]](*[values[v] for v in node["inputs"]], **members))
    return values[-1]


def read(path):
    """The manifest and the values of all tensors by name, of a file that is sound."""
    with rvd.open(path) as file:
        file.verify()
        return file.manifest, {tensor.name: tensor.values() for tensor in file.tensors}


def run(manifest, tensors, images, type=torch.float32):
    """What the network makes of images, both NumPy arrays, computed in a type of PyTorch."""
    with torch.no_grad():
        weights = [torch.tensor(tensors[entry["name"]]).to(type) for entry in manifest["tensors"]]
        return run_graph(manifest["graph"], weights, torch.from_numpy(images).to(type)).numpy()
