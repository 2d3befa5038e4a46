"""Writes digits.npz: the first sixty validation digits of the example network, as pixels.

    python3 make_digits.py    # NumPy

`images` is uint8, N x 3 x 32 x 32, red first; `labels` are the digits. They were trained on as
(pixel / 255 - mean) / deviation, which is undone here.
"""
import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
validation = np.load(here.parent / "Tests" / "Fixtures" / "Expected" / "digits-validation.npz")
mean = np.array([.485, .456, .406]).reshape(3, 1, 1)
deviation = np.array([.229, .224, .225]).reshape(3, 1, 1)

pixels = (validation["images"][:60].astype(np.float64) * deviation + mean) * 255
np.savez_compressed(here / "digits.npz", images=pixels.round().clip(0, 255).astype(np.uint8),
                    labels=validation["labels"][:60])
