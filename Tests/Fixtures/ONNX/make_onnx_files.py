"""Writes the ONNX files of this folder: three tiny networks, exported, simplified, quantised and spoilt by the tools that people use.

    python make_onnx_files.py

By PyTorch 2.15, timm 1.0.31, onnx 1.23.2, onnxruntime 1.31.1, onnxscript 0.7.2, onnxslim 0.1.98, onnxsim 0.8.1.

`NAME-train.pth` is a training checkpoint, with the averaged weights of an EMA beside it, `NAME-fused64.npz` its kernels and biases as NumPy fuses them in float64, block by block. What `verify` has to say of each file is in `verdicts.tsv`, which is kept by hand.
"""
import copy
import os
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import onnxruntime.quantization as ortq
import torch
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import repvgg_torch  # noqa: E402

warnings.filterwarnings("ignore")
torch.manual_seed(20)
SIZE = 32


def path(name):
    return os.path.join(HERE, name)


def randomise(network):
    """Statistics such as training leaves: variances small enough for epsilon to count."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            n = module.num_features
            module.weight.data = torch.rand(n) * 1.5 + 0.25
            module.bias.data = torch.randn(n) * 0.3
            module.running_mean = torch.randn(n) * 0.2
            module.running_var = torch.rand(n) * 0.5 + 0.02
            module.num_batches_tracked += 7


def fold(weight, bn, eps):
    scale = bn["weight"] / np.sqrt(bn["running_var"] + eps)
    return weight * scale[:, None, None, None], bn["bias"] - bn["running_mean"] * scale


def fuse_repvgg(state, eps=1e-5, identity=True, place=(1, 1)):
    """`{block: (kernel, bias)}` in float64: RepVGG, arXiv:2101.03697, 3.3."""
    state = {k: v.double().numpy() for k, v in state.items()}

    def sub(prefix):
        return {k[len(prefix):]: v for k, v in state.items() if k.startswith(prefix)}

    fused = {}
    for block in sorted({k.split(".rbr_")[0] for k in state if ".rbr_" in k}):
        kernel, bias = fold(state[f"{block}.rbr_dense.conv.weight"], sub(f"{block}.rbr_dense.bn."), eps)
        point, more = fold(state[f"{block}.rbr_1x1.conv.weight"], sub(f"{block}.rbr_1x1.bn."), eps)
        kernel = kernel.copy()
        kernel[:, :, place[0], place[1]] += point[:, :, 0, 0]
        bias = bias + more
        norm = sub(f"{block}.rbr_identity.")
        if norm and identity:
            o, i = kernel.shape[:2]
            unit = np.zeros((o, i, 1, 1))
            unit[np.arange(o), np.arange(o) % i] = 1
            unit, more = fold(unit, norm, eps)
            kernel[:, :, 1, 1] += unit[:, :, 0, 0]
            bias = bias + more
        fused[block] = (kernel, bias)
    return fused


class DeployBlock(torch.nn.Module):
    def __init__(self, block, kernel, bias):
        super().__init__()
        dense = block.rbr_dense.conv
        self.rbr_reparam = torch.nn.Conv2d(
            dense.in_channels, dense.out_channels, 3, dense.stride, 1, groups=dense.groups)
        self.rbr_reparam.weight.data = torch.from_numpy(kernel).float()
        self.rbr_reparam.bias.data = torch.from_numpy(bias).float()
        self.se = block.se

    def forward(self, x):
        return torch.relu(self.se(self.rbr_reparam(x)))


def deployed(network, fused):
    result = copy.deepcopy(network).eval()
    for name, block in list(network.named_modules()):
        if isinstance(block, repvgg_torch.Block):
            parent = result.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], DeployBlock(result.get_submodule(name), *fused[name]))
    return result


def export(network, name, dynamo, batch=1, **more):
    x = torch.randn(batch, 3, SIZE, SIZE)
    if dynamo:
        program = torch.onnx.export(network, (x,), dynamo=True, verbose=False, external_data=False, **more)
        program.save(path(name), external_data=False)
    else:
        torch.onnx.export(network, (x,), path(name), dynamo=False, input_names=["input"], output_names=["logits"],
                          dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}}, **more)
    return slim(name)


def slim(name):
    """The file without what only says where in Python a node is from, which is most of a tiny network's."""
    model = onnx.load(path(name))
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in list(model.graph.value_info) + list(model.graph.input) + list(model.graph.output) + list(model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    onnx.save(model, path(name))
    return model


def quantise(source):
    class Images(ortq.CalibrationDataReader):
        def __init__(self, name):
            rng = np.random.default_rng(3)
            self.rows = iter([{name: rng.standard_normal((1, 3, SIZE, SIZE)).astype(np.float32)} for _ in range(4)])

        def get_next(self):
            return next(self.rows, None)

    name = onnx.load(path(source)).graph.input[0].name
    for label, form, per_channel, weights in [
        ("qdq", ortq.QuantFormat.QDQ, True, ortq.QuantType.QInt8),
        ("qdq-uint8", ortq.QuantFormat.QDQ, False, ortq.QuantType.QUInt8),
        ("qoperator", ortq.QuantFormat.QOperator, True, ortq.QuantType.QInt8),
    ]:
        ortq.quantize_static(path(source), path(f"repvgg-{label}.onnx"), Images(name), quant_format=form,
                             per_channel=per_channel, weight_type=weights, activation_type=ortq.QuantType.QUInt8)
    ortq.quantize_dynamic(path(source), path("repvgg-dynamic.onnx"), weight_type=ortq.QuantType.QUInt8)


def edited(source, name, change):
    model = onnx.load(path(source))
    arrays = {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}
    change(arrays)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(arrays[tensor.name], tensor.name))
    onnx.save(model, path(name))


def repvgg():
    network = repvgg_torch.RepVGG([2, 2, 1, 1], [0.0625, 0.0625, 0.03125, 0.015625], classes=10, groups={2: 2})
    randomise(network)
    network.eval()
    average = copy.deepcopy(network)
    for key, value in average.state_dict().items():
        if value.is_floating_point():
            value += 0.05 * torch.randn_like(value).abs()
    torch.save({"state_dict": network.state_dict(), "state_dict_ema": average.state_dict()}, path("repvgg-train.pth"))
    fused = fuse_repvgg(network.state_dict())
    np.savez(path("repvgg-fused64.npz"), **{f"{k}.{p}": v for k, kb in fused.items() for p, v in zip(("weight", "bias"), kb)})
    deploy = deployed(network, fused)

    # What exporters make of a network that is right.
    for dynamo, label in [(False, "torchscript"), (True, "dynamo")]:
        export(deploy, f"repvgg-deploy-{label}.onnx", dynamo)
        export(network, f"repvgg-unfused-{label}.onnx", dynamo)
    export(network, "repvgg-unfolded.onnx", False, do_constant_folding=False,
           training=torch.onnx.TrainingMode.PRESERVE)
    export(deploy, "repvgg-opset9.onnx", False, opset_version=9)
    model = onnx.load(path("repvgg-deploy-torchscript.onnx"))
    onnx.save(model, path("repvgg-external.onnx"), save_as_external_data=True, location="repvgg-external.data", size_threshold=64)
    typed = onnx.load(path("repvgg-deploy-torchscript.onnx"))
    for tensor in typed.graph.initializer:
        values = numpy_helper.to_array(tensor)
        tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, tensor.data_type, values.shape, values.flatten()))
    onnx.save(typed, path("repvgg-typed-fields.onnx"))
    import onnxsim
    import onnxslim
    onnx.save(onnxslim.slim(path("repvgg-unfused-torchscript.onnx")), path("repvgg-unfused-onnxslim.onnx"))
    onnx.save(onnxsim.simplify(onnx.load(path("repvgg-deploy-dynamo.onnx")))[0], path("repvgg-onnxsim.onnx"))
    from onnxruntime.transformers.float16 import convert_float_to_float16
    onnx.save(convert_float_to_float16(onnx.load(path("repvgg-deploy-torchscript.onnx"))), path("repvgg-float16.onnx"))
    quantise("repvgg-deploy-torchscript.onnx")

    # Eight faults.
    export(deployed(network, fuse_repvgg(network.state_dict(), eps=1e-3)), "fault-epsilon.onnx", False)
    export(copy.deepcopy(network).train(), "fault-training-mode.onnx", False, training=torch.onnx.TrainingMode.TRAINING,
           do_constant_folding=False, batch=2)
    export(average, "fault-unfused-ema.onnx", False)
    export(deployed(average, fuse_repvgg(average.state_dict())), "fault-ema.onnx", False)
    export(deployed(network, fuse_repvgg(network.state_dict(), identity=False)), "fault-no-identity.onnx", False)
    export(deployed(network, fuse_repvgg(network.state_dict(), place=(0, 0))), "fault-misplaced.onnx", False)

    def flip(arrays):
        bits = arrays["stage2.0.rbr_reparam.weight"].view(np.uint32)
        bits[3, 1, 2, 0] ^= 1 << 27

    def swap(arrays):
        for part in ("weight", "bias"):
            a, b = f"stage3.0.rbr_reparam.{part}", f"stage2.1.rbr_reparam.{part}"
            arrays[a], arrays[b] = arrays[b], arrays[a]

    edited("repvgg-deploy-torchscript.onnx", "fault-flipped-bit.onnx", flip)
    edited("repvgg-deploy-torchscript.onnx", "fault-swapped.onnx", swap)


def timm_networks():
    import timm
    from timm.models.byobnet import ByoBlockCfg, ByobNet, ByoModelCfg
    from timm.models.repvit import RepVit
    from timm.utils.model import reparameterize_model
    from timm.utils.onnx import onnx_export

    blocks = tuple(ByoBlockCfg(type="one", d=1, c=c, s=2, gs=1 if c == 4 else 0, block_kwargs=dict(num_conv_branches=2))
                   for c in (4, 8, 8))
    mobileone = ByobNet(ByoModelCfg(blocks=blocks, stem_type="one", stem_chs=4, num_features=0), num_classes=5)
    repvit = RepVit(embed_dim=(8, 16), depth=(1, 1), mlp_ratio=2, num_classes=5, kernel_size=3)
    for name, network in [("mobileone", mobileone), ("repvit", repvit)]:
        randomise(network)
        network.eval()
        torch.save(network.state_dict(), path(f"{name}-train.pth"))
        fused = reparameterize_model(network) if name == "mobileone" else copy.deepcopy(network)
        if name == "repvit":
            fused.fuse()
        x = torch.randn(1, 3, SIZE, SIZE)
        for label, which in [("deploy", fused), ("unfused", network)]:
            onnx_export(which, path(f"{name}-{label}-timm.onnx"), example_input=x, training=False, check=False)
            slim(f"{name}-{label}-timm.onnx")
            export(which, f"{name}-{label}-dynamo.onnx", True)


def unfolded():
    """`repvit` with a BatchNorm behind every convolution, as PyTorch leaves it without constant folding."""
    from timm.models.repvit import RepVit

    network = RepVit(embed_dim=(8, 16), depth=(1, 1), mlp_ratio=2, num_classes=5, kernel_size=3)
    network.load_state_dict(torch.load(path("repvit-train.pth")))
    export(network.eval(), "repvit-unfolded.onnx", False, do_constant_folding=False,
           training=torch.onnx.TrainingMode.PRESERVE)


def logits():
    """What onnxruntime makes of the files whose operations are known here, one image after the other."""
    images = np.random.default_rng(5).standard_normal((2, 3, SIZE, SIZE)).astype(np.float32)
    answers = {"images": images}
    for name in sorted(os.listdir(HERE)):
        if not name.endswith(".onnx") or any(part in name for part in ("q", "dynamic", "float16", "onnxsim", "training-mode")):
            continue
        session = onnxruntime.InferenceSession(path(name), providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0].name
        answers[name] = np.concatenate([session.run(None, {entry: image[None]})[0] for image in images])
    np.savez(path("logits.npz"), **answers)


if __name__ == "__main__":
    repvgg()
    timm_networks()
    unfolded()
    logits()
