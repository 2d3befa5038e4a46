"""Writes small pictures of many kinds beside itself, and expected.npz: what Pillow and NumPy make of them.

    python make_images.py     # Pillow 11.3, NumPy

`NAME` is the decoded picture, `NAME/WxH` the picture resized (bilinear), `NAME/size` and `NAME/size/resize` the square
that torchvision's Resize and CenterCrop make of it.
"""
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)


def picture(width, height):
    """A photograph-like picture: gradients, an edge, some noise."""
    y, x = np.mgrid[:height, :width]
    a = np.stack([x * 255 / width, y * 255 / height, 128 + 100 * np.sin(x / 5) * np.cos(y / 4)], -1)
    a[height // 3:, width // 2:] = 255 - a[height // 3:, width // 2:]
    return (a + rng.normal(0, 6, a.shape)).clip(0, 255).astype(np.uint8)


def write_png(name, rows, depth, color_type, *chunks, interlace=0):
    """`rows`: the bytes of the image's lines, each with its filter."""
    height, width = rows[0]
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlace)
    (here / name).write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*c) for c in chunks)
        + chunk(b"IDAT", zlib.compress(rows[1], 9)) + chunk(b"IEND", b""))


def lines(a):
    """Lines of an array of bytes, unfiltered."""
    return b"".join(b"\0" + a[y].tobytes() for y in range(a.shape[0]))


landscape, portrait = picture(37, 26), picture(23, 41)
image = Image.fromarray(landscape)
alpha = Image.fromarray(np.indices(landscape.shape[:2]).sum(0).astype(np.uint8) * 4)
transparent = image.copy()
transparent.putalpha(alpha)
image.save(here / "rgb.png", optimize=True)
transparent.save(here / "rgba.png", optimize=True)
image.convert("L").save(here / "grey.png", optimize=True)
transparent.convert("LA").save(here / "grey-alpha.png", optimize=True)
image.convert("1").save(here / "one-bit.png", optimize=True)
image.quantize(32).save(here / "palette.png", transparency=3, optimize=True)
Image.fromarray(portrait).save(here / "portrait.png", optimize=True)

# Kinds that Pillow does not write.
deep = landscape.astype(">u2") * 257 // 2 + 77
write_png("sixteen-bit.png", ((26, 37), lines(deep.astype(">u2"))), 16, 2)
adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
write_png(
    "interlaced.png", ((26, 37), b"".join(lines(landscape[y::dy, x::dx]) for y, x, dy, dx in adam7)), 8, 2,
    (b"gAMA", struct.pack(">I", 100000)), interlace=1)

image.save(here / "420.jpg", quality=90)
image.save(here / "444.jpg", quality=85, subsampling=0)
image.save(here / "progressive.jpg", quality=85, progressive=True)
image.convert("L").save(here / "grey.jpg", quality=85)
image.convert("CMYK").save(here / "cmyk.jpg", quality=90)
exif = Image.Exif()
exif[0x0112] = 6  # turned by 90 degrees: not applied
Image.fromarray(portrait).save(here / "portrait.jpg", quality=90, exif=exif)


def square(image, size, resize):
    width, height = image.size
    shorter, longer = sorted(image.size)
    new = (resize, int(resize * longer / shorter)) if width <= height else (int(resize * longer / shorter), resize)
    image = image.resize(new, Image.BILINEAR)
    left, top = int(round((new[0] - size) / 2)), int(round((new[1] - size) / 2))
    return image.crop((left, top, left + size, top + size))


expected = {}
for path in sorted([*here.glob("*.png"), *here.glob("*.jpg")]):
    expected[path.name] = np.asarray(Image.open(path).convert("RGB"))
for name in ["rgb.png", "portrait.jpg"]:
    image = Image.open(here / name).convert("RGB")
    for size in [(37, 13), (11, 26), (9, 7), (74, 60), (100, 5), (1, 1), (38, 27)]:
        expected["%s/%dx%d" % (name, *size)] = np.asarray(image.resize(size, Image.BILINEAR))
    for size, resize in [(16, 16), (16, 18), (21, 24), (28, 32), (5, 8)]:
        expected["%s/%d/%d" % (name, size, resize)] = np.asarray(square(image, size, resize))
np.savez(here / "expected.npz", **expected)
