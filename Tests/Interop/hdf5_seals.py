"""Where an HDF5 file has structures with a checksum, and how to make the checksums right after a change.

Only the structures whose length can be told without reading the rest of the file; addresses and lengths of 8 bytes.
"""
import struct

LENGTHS = {b"BTHD": 34, b"FRHP": 142, b"FAHD": 24, b"EAHD": 68}
SUPERBLOCK = b"\x89HDF\r\n\x1a\n"


def lookup3(data):
    """The hash of Bob Jenkins."""
    def rotated(value, count):
        return (value << count | value >> 32 - count) & 0xFFFFFFFF

    v = [0xDEADBEEF + len(data) & 0xFFFFFFFF] * 3
    if not data:
        return v[2]
    words = struct.unpack(f"<{-(-len(data) // 12) * 3}I", bytes(data) + bytes(-len(data) % 12))
    for at in range(0, len(words), 3):
        v = [value + word & 0xFFFFFFFF for value, word in zip(v, words[at:at + 3])]
        if at + 3 < len(words):
            for i, count in enumerate((4, 6, 8, 16, 19, 4)):
                a, b, c = i % 3, (i + 1) % 3, (i + 2) % 3
                v[a] = (v[a] - v[c] ^ rotated(v[c], count)) & 0xFFFFFFFF
                v[c] = v[c] + v[b] & 0xFFFFFFFF
    for i, count in enumerate((14, 11, 25, 16, 4, 14, 24)):
        a, c = (i + 2) % 3, (i + 1) % 3
        v[a] = (v[a] ^ v[c]) - rotated(v[c], count) & 0xFFFFFFFF
    return v[2]


def checksum(data, start, end, place):
    """Of the structure from `start` to `end`, whose checksum is at `place`: behind it, or inside and taken as 0."""
    covered = bytearray(data[start:end])
    if place < end:
        covered[place - start:place - start + 4] = bytes(4)
    return lookup3(covered)


def seals(data):
    """Start, end and place of the checksum of structures in a sound file."""
    base = max(0, data.find(SUPERBLOCK))
    found = []

    def add(start, end, place=None):
        place = end if place is None else place
        if place + 4 <= len(data) and checksum(data, start, end, place) == int.from_bytes(data[place:place + 4], "little"):
            found.append((start, end, place))

    if data[base + 8] in (2, 3):
        add(base, base + 44)
    for signature in (b"OHDR", *LENGTHS):
        start = data.find(signature)
        while start >= 0:
            if signature == b"OHDR":
                flags = data[start + 5]
                size = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
                prefix = size + (1 << (flags & 3))
                add(start, prefix + int.from_bytes(data[size:prefix], "little"))
            else:
                add(start, start + LENGTHS[signature])
            if signature == b"BTHD":
                width, depth = struct.unpack_from("<HH", data, start + 10)
                root, count = struct.unpack_from("<QH", data, start + 16)
                if depth == 0 and count:
                    add(base + root, base + root + 6 + width * count)
            if signature == b"FRHP":
                size, = struct.unpack_from("<Q", data, start + 112)
                bits, = struct.unpack_from("<H", data, start + 128)
                root, rows = struct.unpack_from("<QH", data, start + 132)
                if rows == 0 and root < len(data):
                    add(base + root, base + root + size, base + root + 13 + (bits + 7) // 8)
            start = data.find(signature, start + 1)
    return found


def sealed(data, places):
    """The changed file with the checksums at these places made right."""
    data = bytearray(data)
    for start, end, place in places:
        data[place:place + 4] = checksum(data, start, end, place).to_bytes(4, "little")
    return bytes(data)
