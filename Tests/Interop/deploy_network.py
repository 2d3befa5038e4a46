"""A fused RepVGG, run from nothing but its tensors: what a deploy runtime has to do, in any framework."""


def forward(tensors, x, f):
    """The logits of images `x`, from deploy tensors under their official names.

    `f` has a framework's `conv(x, weight, bias, stride, padding, groups)`, `relu`, `sigmoid`, `pool` (mean over the
    image, kept as 1x1) and `linear(x, weight, bias)`.
    """
    def tensor(name):
        return tensors.pop(name + ".weight"), tensors.pop(name + ".bias")

    def squeeze_and_excite(name, x):
        if name + ".down.weight" not in tensors:
            return x
        s = f.relu(f.conv(f.pool(x), *tensor(name + ".down"), 1, 0, 1))
        return x * f.sigmoid(f.conv(s, *tensor(name + ".up"), 1, 0, 1))

    tensors = dict(tensors)
    channels = 3
    for name in [k[:-len(".rbr_reparam.weight")] for k in tensors if k.endswith(".rbr_reparam.weight")]:
        weight, bias = tensor(name + ".rbr_reparam")
        first_of_stage = name == "stage0" or name.endswith(".0") and not name.startswith("stage3_second")
        x = f.conv(x, weight, bias, 2 if first_of_stage else 1, 1, channels // weight.shape[1])
        channels = weight.shape[0]
        x = squeeze_and_excite(name + ".post_se", f.relu(squeeze_and_excite(name + ".se", x)))
    x = f.linear(f.pool(x), *tensor("linear"))
    assert not tensors, f"not used: {sorted(tensors)}"
    return x
