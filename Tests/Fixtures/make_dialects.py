"""Writes Dialects/: two tiny RepVGGs as each project names, shapes and wraps them, in training and deploy form.

    make_dialects.py      needs PyTorch, safetensors and NumPy; written with 2.15, 0.8 and 2.5

`groups` has 2 groups in every second block, `se` has Squeeze-and-Excitation before the ReLU, ratio 2. The names are
written out from the projects' code: the function `block` of each class below is one block, `head` the classifier.
`MODEL-fused.npz` has the deploy kernels in float32, computed in float64 with an epsilon of 1e-5, and all that is not
fused, under the official names. `Dialects/files.tsv` lists the files: dialect, model, form, file.
"""
import os
import pickle
from collections import OrderedDict

import numpy as np
import torch
from safetensors.torch import save_file

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Dialects")
WIDTHS = (2, 2, 4, 4, 6)
DEPTHS = (1, 2, 2, 1, 1)
random = np.random.default_rng(2101_03697)


def places():
    """Stage, index, channels in and out, number of the block."""
    channels, number = 3, 0
    for stage, (depth, width) in enumerate(zip(DEPTHS, WIDTHS)):
        for index in range(depth):
            yield stage, index, channels, width, number
            channels, number = width, number + 1


def values(*shape):
    return random.normal(0, 1, shape).astype("f4")


def norm(channels):
    return {"gamma": values(channels), "beta": values(channels), "mean": values(channels),
            "variance": random.uniform(0.1, 2, channels).astype("f4"), "counter": np.array(100, "i8")}


def network(grouped, attention):
    blocks = []
    for stage, index, i, o, number in places():
        groups = 2 if grouped and number % 2 == 0 and number else 1
        b = {"stage": stage, "index": index, "groups": groups, "dense": values(o, i // groups, 3, 3), "dense bn": norm(o),
             "pointwise": values(o, i // groups, 1, 1), "pointwise bn": norm(o)}
        if index > 0:
            b["identity"] = norm(o)
        if attention:
            b["se"] = values(o // 2, o, 1, 1), values(o // 2), values(o, o // 2, 1, 1), values(o)
        blocks.append(fuse(b))
    return {"blocks": blocks, "head": (values(5, WIDTHS[-1]), values(5))}


def fuse(b):
    kernel, bias = 0.0, 0.0
    for name in ("dense", "pointwise", "identity"):
        if name == "identity":
            if name not in b:
                continue
            bn, w = b[name], np.zeros(b["dense"].shape)
            for o in range(w.shape[0]):
                w[o, o % w.shape[1], 1, 1] = 1
        else:
            bn, w = b[name + " bn"], b[name].astype("f8")
            if name == "pointwise":
                w = np.pad(w, ((0, 0), (0, 0), (1, 1), (1, 1)))
        bn = {k: v.astype("f8") for k, v in bn.items()}
        scale = bn["gamma"] / np.sqrt(bn["variance"] + 1e-5)
        kernel = kernel + w * scale[:, None, None, None]
        bias = bias + bn["beta"] - bn["mean"] * scale
    b["fused"] = kernel.astype("f4"), bias.astype("f4")
    return b


class Official:
    name = "official"
    fields = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var",
              "counter": "num_batches_tracked"}
    deploy_keeps_branches = False

    def path(self, stage, index):
        return "stage0" if stage == 0 else f"stage{stage}.{index}"

    def kernel(self, w, groups):
        return w

    def vector(self, v):
        return v

    def bias(self, v):
        return v

    def norm(self, d, name, bn):
        for key, field in self.fields.items():
            d[f"{name}.{field}"] = bn[key] if key == "counter" else self.vector(bn[key])

    dense, pointwise, identity, fused = "rbr_dense.conv", "rbr_1x1.conv", "rbr_identity", "rbr_reparam"
    dense_bn, pointwise_bn = "rbr_dense.bn", "rbr_1x1.bn"
    squeeze, excite, linear = "se.down", "se.up", "linear"
    weight, linear_bias = "weight", "bias"

    def attention(self, d, path, se):
        down, down_bias, up, up_bias = se
        d[f"{path}.{self.squeeze}.weight"], d[f"{path}.{self.squeeze}.bias"] = down, self.bias(down_bias)
        d[f"{path}.{self.excite}.weight"], d[f"{path}.{self.excite}.bias"] = up, self.bias(up_bias)

    def deployed(self, d, path, kernel, bias, groups):
        d[f"{path}.{self.fused}.{self.weight}"] = self.kernel(kernel, groups)
        d[f"{path}.{self.fused}.{self.linear_bias}"] = self.bias(bias)

    def head(self, d, weight, bias):
        d[f"{self.linear}.weight"], d[f"{self.linear}.bias"] = weight, bias

    def state(self, net, form):
        d = OrderedDict()
        for b in net["blocks"]:
            path, groups = self.path(b["stage"], b["index"]), b["groups"]
            if "se" in b:
                self.attention(d, path, b["se"])
            if form == "train" or self.deploy_keeps_branches:
                if "identity" in b:
                    self.norm(d, f"{path}.{self.identity}", b["identity"])
                d[f"{path}.{self.dense}.{self.weight}"] = self.kernel(b["dense"], groups)
                self.norm(d, f"{path}.{self.dense_bn}", b["dense bn"])
                d[f"{path}.{self.pointwise}.{self.weight}"] = self.kernel(b["pointwise"], groups)
                self.norm(d, f"{path}.{self.pointwise_bn}", b["pointwise bn"])
            if form == "deploy":
                self.deployed(d, path, *b["fused"], groups)
        self.head(d, *net["head"])
        return d

    extension = ".pth"

    def wrap(self, d):
        return d

    def save(self, d, path):
        tensors = OrderedDict((k, torch.from_numpy(np.array(v))) for k, v in d.items())
        torch.save(self.wrap(tensors), path, _use_new_zipfile_serialization=False)


class Timm(Official):
    name, extension = "timm", ".safetensors"
    dense, pointwise, identity, fused = "conv_kxk.conv", "conv_1x1.conv", "identity", "reparam_conv"
    dense_bn, pointwise_bn = "conv_kxk.bn", "conv_1x1.bn"
    squeeze, excite, linear = "attn.fc1", "attn.fc2", "head.fc"

    def path(self, stage, index):
        return "stem" if stage == 0 else f"stages.{stage - 1}.{index}"

    def save(self, d, path):
        save_file({k: torch.from_numpy(np.array(v)) for k, v in d.items()}, path, metadata={"format": "pt"})


class MMPretrain(Official):
    name = "mmpretrain"
    dense, pointwise, identity, fused = "branch_3x3.conv", "branch_1x1.conv", "branch_norm", "branch_reparam"
    dense_bn, pointwise_bn = "branch_3x3.norm", "branch_1x1.norm"
    squeeze, excite, linear = "se_layer.conv1.conv", "se_layer.conv2.conv", "head.fc"

    def path(self, stage, index):
        return "backbone.stem" if stage == 0 else f"backbone.stage_{stage}.{index}"

    def wrap(self, d):
        return {"meta": {"epoch": 120, "mmcls_version": "0.23"}, "state_dict": d}


class ZCls(Official):
    """Sequential(block, attention, activation); the deploy convolution is the block itself."""
    name, linear = "zcls", "head.fc"

    def path(self, stage, index):
        return "backbone.stage0.0" if stage == 0 else f"backbone.stage{stage}.{index}.0"

    def attention(self, d, path, se):
        beside = path[:-1] + "1"
        down, down_bias, up, up_bias = se
        d[f"{beside}.excitation.0.weight"], d[f"{beside}.excitation.0.bias"] = down[:, :, 0, 0], down_bias
        d[f"{beside}.excitation.2.weight"], d[f"{beside}.excitation.2.bias"] = up[:, :, 0, 0], up_bias

    def deployed(self, d, path, kernel, bias, groups):
        d[f"{path}.weight"], d[f"{path}.bias"] = kernel, bias

    def wrap(self, d):
        return {"model": d}


class PaddleClas(Official):
    name, extension = "paddleclas", ".pdparams"
    fields = {"gamma": "weight", "beta": "bias", "mean": "_mean", "variance": "_variance"}
    deploy_keeps_branches = True

    def head(self, d, weight, bias):
        d["linear.weight"], d["linear.bias"] = np.ascontiguousarray(weight.T), bias

    def save(self, d, path):
        own = {k: f"param_{i}" for i, k in enumerate(d)}
        with open(path, "wb") as file:
            pickle.dump({**d, "StructuredToParameterName@@": own}, file, protocol=4)


class BaseCls(Official):
    name, extension, linear = "basecls", ".pkl", "head.fc"
    fields = {k: v for k, v in Official.fields.items() if k != "counter"}
    squeeze, excite = "se.f_ex.0", "se.f_ex.2"
    deploy_keeps_branches = True

    def kernel(self, w, groups):
        return w if groups == 1 else w.reshape(groups, -1, *w.shape[1:])

    def bias(self, v):
        return v.reshape(1, -1, 1, 1)

    def save(self, d, path):
        with open(path, "wb") as file:
            pickle.dump(d, file, protocol=4)


class RenamedMegEngine(BaseCls):
    name, linear = "repvgg-megengine", "linear"
    dense, pointwise, identity, fused = "dense.conv", "pointwise.conv", "identity", "reparam"
    dense_bn, pointwise_bn = "dense.bn", "pointwise.bn"
    squeeze, excite = "se.down", "se.up"
    deploy_keeps_branches = False


class Objax(Official):
    name, extension = "objax", ".npz"
    fields = {"mean": "running_mean", "variance": "running_var", "beta": "beta", "gamma": "gamma"}
    dense, pointwise = "rbr_dense(Sequential)[0](Conv2D)", "rbr_1x1(Sequential)[0](Conv2D)"
    dense_bn, pointwise_bn = "rbr_dense(Sequential)[1](BatchNorm2D)", "rbr_1x1(Sequential)[1](BatchNorm2D)"
    identity, fused = "rbr_identity(BatchNorm2D)", "rbr_reparam(Conv2D)"
    weight, linear_bias = "w", "b"

    def path(self, stage, index):
        if stage == 0:
            return "(RepVGG).stage0(RepVGGBlock)"
        return f"(RepVGG).stage{stage}(Sequential)[{index}](RepVGGBlock)"

    def kernel(self, w, groups):
        return w.transpose(2, 3, 1, 0)

    def vector(self, v):
        return v.reshape(1, -1, 1, 1)

    def bias(self, v):
        return v.reshape(-1, 1, 1)

    def head(self, d, weight, bias):
        d["(RepVGG).linear(Linear).b"], d["(RepVGG).linear(Linear).w"] = bias, weight.T

    def save(self, d, path):
        np.savez(path, names=np.array(list(d)), **{str(i): v for i, v in enumerate(d.values())})


def main():
    os.makedirs(OUT, exist_ok=True)
    models = {"groups": network(True, False), "se": network(False, True)}
    rows = []
    for model, net in models.items():
        fused = {k: v for k, v in Official().state(net, "deploy").items()}
        np.savez(f"{OUT}/{model}-fused.npz", **fused)
        for project in (Official(), Timm(), MMPretrain(), ZCls(), PaddleClas(), BaseCls(), RenamedMegEngine(), Objax()):
            if model == "se" and project.name == "objax":
                continue
            for form in ("train", "deploy"):
                file = f"{project.name}-{model}-{form}{project.extension}"
                project.save(project.state(net, form), f"{OUT}/{file}")
                rows.append((project.name, model, form, file))
    with open(f"{OUT}/files.tsv", "w") as table:
        for row in rows:
            print(*row, sep="\t", file=table)


main()
