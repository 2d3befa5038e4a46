"""Writes some of the validation digits as pictures in class folders, and what PyTorch makes of them.

    python make_digits.py pictures    # Pillow, NumPy: the folders 0 to 9, and digits.npz with the pixels
    python make_digits.py logits      # PyTorch 2.15, NumPy: adds the logits of `plain` to digits.npz

digits.npz has `images` (uint8, N x 3 x 32 x 32), `labels` and `logits64` in the order of the pictures' paths.
"""
import pathlib
import sys

import numpy as np

here = pathlib.Path(__file__).parent
mean = np.array([.485, .456, .406]).reshape(3, 1, 1)
deviation = np.array([.229, .224, .225]).reshape(3, 1, 1)


def pictures():
    from PIL import Image
    data = np.load(here.parent / "Expected" / "digits-validation.npz")
    images, labels = [], []
    for digit in range(10):
        (here / str(digit)).mkdir(exist_ok=True)
        for number, index in enumerate(np.flatnonzero(data["labels"] == digit)[:4]):
            x = data["images"][index].astype(np.float64) * deviation + mean
            x = (x * 255).round().clip(0, 255).astype(np.uint8)
            # They are grey; a little red lets a wrong order of colours be seen.
            x[0] = (x[0] * .9 + 20).astype(np.uint8)
            Image.fromarray(x.transpose(1, 2, 0)).save(here / str(digit) / f"{number}.png", optimize=True)
            images.append(x)
            labels.append(digit)
    np.savez(here / "digits.npz", images=np.stack(images), labels=np.array(labels))


def logits():
    import torch
    sys.path.insert(0, str(here.parent))
    from repvgg_torch import MODELS
    model = MODELS["plain"]()
    model.load_state_dict(torch.load(here.parent / "PyTorch" / "plain-train.pth", weights_only=True))
    model.double().eval()
    data = dict(np.load(here / "digits.npz"))
    x = (data["images"] / 255 - mean) / deviation
    with torch.no_grad():
        data["logits64"] = model(torch.from_numpy(x)).numpy()
    right = (data["logits64"].argmax(1) == data["labels"]).sum()
    five = sum(label in row.argsort()[-5:] for row, label in zip(data["logits64"], data["labels"]))
    print(f"{right} of {len(x)} right, {five} in five")
    np.savez(here / "digits.npz", **data)


{"pictures": pictures, "logits": logits}[sys.argv[1]]()
