"""Writes digits.npz: the first sixty validation digits of the example network, as pixels; and twenty as pictures.

    python3 make_digits.py    # NumPy, Pillow

`images` is uint8, N x 3 x 32 x 32, red first; `labels` are the digits. They were trained on as
(pixel / 255 - mean) / deviation, which is undone here. digits/7-1.png is the second of the sevens.
"""
import pathlib

import numpy as np
from PIL import Image

here = pathlib.Path(__file__).parent
validation = np.load(here.parent / "Tests" / "Fixtures" / "Expected" / "digits-validation.npz")
mean = np.array([.485, .456, .406]).reshape(3, 1, 1)
deviation = np.array([.229, .224, .225]).reshape(3, 1, 1)

pixels = (validation["images"][:60].astype(np.float64) * deviation + mean) * 255
images, labels = pixels.round().clip(0, 255).astype(np.uint8), validation["labels"][:60]
np.savez_compressed(here / "digits.npz", images=images, labels=labels)
for digit in range(10):
    for number, index in enumerate(np.flatnonzero(labels == digit)[:2]):
        Image.fromarray(images[index].transpose(1, 2, 0)).save(here / "digits" / f"{digit}-{number}.png", optimize=True)
