"""The small RepVGG networks of the fixtures, in PyTorch, with the parameter names of the official release.

`MODELS` makes each of them, untrained. Works with PyTorch 1.13 and later; `digits` and `fit` also need scikit-learn.
`plain-whole-module.pth` refers to the classes of this module by name.
"""
import torch
from torch import nn


def conv_bn(i, o, k, stride, pad, groups):
    m = nn.Sequential()
    m.add_module("conv", nn.Conv2d(i, o, k, stride, pad, groups=groups, bias=False))
    m.add_module("bn", nn.BatchNorm2d(o))
    return m


class SE(nn.Module):
    def __init__(self, c, hidden):
        super().__init__()
        self.down = nn.Conv2d(c, hidden, 1)
        self.up = nn.Conv2d(hidden, c, 1)

    def forward(self, x):
        s = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.up(torch.relu(self.down(s))))


class Block(nn.Module):
    """`se` and `post_se` are the ratios of a Squeeze-and-Excitation before and after the ReLU."""

    def __init__(self, i, o, stride, groups=1, se=None, post_se=None):
        super().__init__()
        self.rbr_identity = nn.BatchNorm2d(i) if i == o and stride == 1 else None
        self.rbr_dense = conv_bn(i, o, 3, stride, 1, groups)
        self.rbr_1x1 = conv_bn(i, o, 1, stride, 0, groups)
        self.se = SE(o, o // se) if se else nn.Identity()
        self.post_se = SE(o, o // post_se) if post_se else nn.Identity()

    def forward(self, x):
        y = self.rbr_dense(x) + self.rbr_1x1(x)
        if self.rbr_identity is not None:
            y = y + self.rbr_identity(x)
        return self.post_se(torch.relu(self.se(y)))


class RepVGG(nn.Module):
    """Blocks per stage, width multipliers, classes, {layer index: groups}, ratio of an SE before the ReLU."""

    def __init__(self, blocks, width, classes=1000, groups=None, se=None):
        super().__init__()
        groups = groups or {}
        c = [int(w * b) for w, b in zip(width, (64, 128, 256, 512))]
        p = min(64, c[0])
        self.stage0 = Block(3, p, 2, se=se)
        index = 1
        for s in range(4):
            stage = nn.ModuleList()
            for b in range(blocks[s]):
                stage.append(Block(p, c[s], 2 if b == 0 else 1, groups.get(index, 1), se=se))
                p = c[s]
                index += 1
            setattr(self, f"stage{s + 1}", stage)
        self.linear = nn.Linear(p, classes)

    def forward(self, x):
        x = self.stage0(x)
        for s in range(1, 5):
            for b in getattr(self, f"stage{s}"):
                x = b(x)
        return self.linear(x.mean((2, 3)))


class PlusStage(nn.Module):
    def __init__(self, p, c, n, stride):
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(p if b == 0 else c, c, stride if b == 0 else 1, post_se=4) for b in range(n))

    def forward(self, x):
        for b in self.blocks:
            x = b(x)
        return x


def aux(c, classes):
    d = conv_bn(c, c, 3, 2, 1, 1)
    d.add_module("relu", nn.ReLU())
    return nn.Sequential(d, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))


class RepVGGplus(nn.Module):
    """SE after the ReLU, stage 3 in two halves, and three auxiliary heads that only training uses."""

    def __init__(self, blocks, width, classes=1000):
        super().__init__()
        c = [int(w * b) for w, b in zip(width, (64, 128, 256, 512))]
        p = min(64, c[0])
        self.stage0 = Block(3, p, 2, post_se=4)
        self.stage1 = PlusStage(p, c[0], blocks[0], 2)
        self.stage2 = PlusStage(c[0], c[1], blocks[1], 2)
        self.stage3_first = PlusStage(c[1], c[2], blocks[2] // 2, 2)
        self.stage3_second = PlusStage(c[2], c[2], blocks[2] - blocks[2] // 2, 1)
        self.stage4 = PlusStage(c[2], c[3], blocks[3], 2)
        self.linear = nn.Linear(c[3], classes)
        self.stage1_aux = aux(c[0], classes)
        self.stage2_aux = aux(c[1], classes)
        self.stage3_first_aux = aux(c[2], classes)

    def forward(self, x):
        x = self.stage2(self.stage1(self.stage0(x)))
        x = self.stage4(self.stage3_second(self.stage3_first(x)))
        return self.linear(x.mean((2, 3)))


BLOCKS = [2, 2, 2, 1]
WIDTH = [.25, .25, .25, .125]
CLASSES = 10
MODELS = {
    "plain": lambda: RepVGG(BLOCKS, WIDTH, CLASSES),
    "g2": lambda: RepVGG(BLOCKS, WIDTH, CLASSES, groups={2: 2, 4: 2, 6: 2}),
    "g4": lambda: RepVGG(BLOCKS, WIDTH, CLASSES, groups={2: 4, 4: 4, 6: 4}),
    "se": lambda: RepVGG(BLOCKS, WIDTH, CLASSES, se=4),
    "plus": lambda: RepVGGplus(BLOCKS, WIDTH, CLASSES),
}


def digits(size):
    """The 1,797 UCI hand-written digits as (N,3,size,size) float32 in 0..1, and their labels."""
    from sklearn.datasets import load_digits
    d = load_digits()
    x = torch.tensor(d.images, dtype=torch.float32)[:, None] / 16
    x = nn.functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
    return x.repeat(1, 3, 1, 1).contiguous(), torch.tensor(d.target)


def fit(model, size, epochs, seed=0, lr=.1, wd=1e-4, batch=64, holdout=300):
    """Trains on all digits but the last `holdout`; returns the optimizer, the accuracy on those, and those."""
    torch.manual_seed(seed)
    x, y = digits(size)
    mean = torch.tensor([.485, .456, .406]).view(1, 3, 1, 1)
    std = torch.tensor([.229, .224, .225]).view(1, 3, 1, 1)
    x = (x - mean) / std
    tx, ty, vx, vy = x[:-holdout], y[:-holdout], x[-holdout:], y[-holdout:]
    opt = torch.optim.SGD(model.parameters(), lr, momentum=.9, weight_decay=wd)
    steps = epochs * (len(tx) // batch)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, steps)
    for e in range(epochs):
        model.train()
        perm = torch.randperm(len(tx))
        for i in range(len(tx) // batch):
            j = perm[i * batch:(i + 1) * batch]
            loss = nn.functional.cross_entropy(model(tx[j]), ty[j])
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
        model.eval()
        with torch.no_grad():
            acc = (torch.cat([model(c) for c in vx.split(100)]).argmax(1) == vy).float().mean().item()
        print(f"epoch {e} loss {loss.item():.3f} acc {acc:.4f}", flush=True)
    return opt, acc, (vx, vy)
