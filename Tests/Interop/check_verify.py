"""Deploy files that PyTorch fused, in float32 as people do it, are told from wrong ones by `repconv verify`.

usage: check_verify.py REPCONV
"""
import json
import subprocess

import torch
from torch.nn.utils.fusion import fuse_conv_bn_weights

from interop import Checks, expect, fixtures


def fuse(state, epsilon=1e-5):
    """The deploy tensors, by PyTorch's own folding of BatchNorm."""
    def fold(kernel, norm):
        fields = [state[f"{norm}.{f}"] for f in ("running_mean", "running_var", "weight", "bias")]
        mean, variance, gamma, beta = fields
        weight, bias = fuse_conv_bn_weights(kernel, None, mean, variance, epsilon, gamma, beta)
        return weight.detach(), bias.detach()

    result = {}
    for name, value in state.items():
        if name.endswith(".rbr_dense.conv.weight"):
            block = name[:-len(".rbr_dense.conv.weight")]
            weight, bias = fold(value, block + ".rbr_dense.bn")
            pointwise = torch.nn.functional.pad(state[block + ".rbr_1x1.conv.weight"], [1, 1, 1, 1])
            branches = [fold(pointwise, block + ".rbr_1x1.bn")]
            if block + ".rbr_identity.weight" in state:
                identity = torch.zeros_like(value)
                for output in range(value.shape[0]):
                    identity[output, output % value.shape[1], 1, 1] = 1
                branches.append(fold(identity, block + ".rbr_identity"))
            for other, other_bias in branches:
                weight, bias = weight + other, bias + other_bias
            result[block + ".rbr_reparam.weight"], result[block + ".rbr_reparam.bias"] = weight, bias
        elif ".rbr_" not in name and "_aux." not in name:
            result[name] = value
    return result


def verify(checks, train, tensors, *options):
    path = checks.output("deploy.pth")
    torch.save(tensors, path)
    run = subprocess.run([checks.program, "verify", train, path, "--json", "--size", "32", *options],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    expect(run.returncode in (0, 1), f"exit {run.returncode}: {run.stderr.decode().strip()}")
    report = json.loads(run.stdout)
    expect(report["same"] == (run.returncode == 0), "the exit code is not that of the report")
    return report


def main():
    checks = Checks()
    print(f"PyTorch {torch.__version__}")
    for fixture in fixtures("PyTorch"):
        if not fixture.name.endswith("-train.pth"):
            continue
        state = torch.load(fixture.path, weights_only=True)
        with checks.check(f"{fixture.name}, fused by PyTorch, verifies within float32 rounding"):
            report = verify(checks, fixture.path, fuse(state))
            expect(report["same"] and report["algebra"]["grade"] == "float32 rounding", f"it is {report['algebra']['grade']}")
            expect(report["networks"]["same"], "the logits differ")
        with checks.check(f"{fixture.name}, fused by PyTorch, is not what exact arithmetic gives"):
            expect(not verify(checks, fixture.path, fuse(state), "--tolerance", "exact")["same"], "it verifies")
        with checks.check(f"{fixture.name}, fused by PyTorch in float64, verifies"):
            double = {k: v.double() if v.is_floating_point() else v for k, v in state.items()}
            rounded = {k: v.float() if ".rbr_reparam." in k else state[k] for k, v in fuse(double).items()}
            report = verify(checks, fixture.path, rounded)
            expect(report["same"] and report["algebra"]["grade"] == "exact", f"it is {report['algebra']['grade']}")
        with checks.check(f"{fixture.name}, fused by PyTorch with another epsilon, does not verify"):
            report = verify(checks, fixture.path, fuse(state, epsilon=1e-3))
            expect(not report["same"], "it verifies")
            causes = {b["cause"]["kind"] for b in report["algebra"]["blocks"]}
            expect(causes == {"epsilon"}, f"the causes are {causes}")
    checks.finish()


if __name__ == "__main__":
    main()
