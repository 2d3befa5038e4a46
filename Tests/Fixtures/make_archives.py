"""Writes Archives/: zip archives, sound and hostile, each a few hundred bytes. Python 3.8 or later.

Usage: make_archives.py

Every archive is put together by hand from the records of APPNOTE.TXT, since no zip program writes the
hostile ones. `Archives/payloads.tsv` lists what Python's zipfile reads from the sound ones: archive,
member, offset of its bytes in the file, size, CRC-32, SHA-256 of its contents.
"""
import hashlib
import io
import os
import struct
import zipfile
import zlib

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Archives")

A = b"the first member, which is stored"
B = bytes(range(256)) * 4


def deflate(data):
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush()


class Archive:
    """An archive under construction. Keywords of `add` replace fields, in the local header with
    `local_`, in the directory with `central_`, in both without."""

    def __init__(self):
        self.body, self.directory, self.count = b"", b"", 0

    def add(self, name, data, method=0, **k):
        stored = k.get("stored", deflate(data) if method == 8 else data)

        def field(side, key, default):
            return k.get(f"{side}_{key}", k.get(key, default))

        def common(side):
            return struct.pack(
                "<HHHHHIII", 20, field(side, "flags", 0x800), field(side, "method", method), 0, 0x21,
                field(side, "crc", zlib.crc32(data)), field(side, "compressed", len(stored)),
                field(side, "size", len(data)))

        at = field("central", "offset", len(self.body))
        local_name, central_name = field("local", "name", name), field("central", "name", name)
        local_extra, central_extra = k.get("local_extra", b""), k.get("central_extra", b"")
        self.body += (k.get("signature", b"PK\3\4") + common("local")
                      + struct.pack("<HH", len(local_name), len(local_extra)) + local_name + local_extra
                      + stored + k.get("descriptor", b""))
        self.directory += (b"PK\1\2" + struct.pack("<H", 20) + common("central")
                           + struct.pack("<HHHHHII", len(central_name), len(central_extra), 0, 0, 0,
                                         k.get("attributes", 0), at) + central_name + central_extra)
        self.count += 1
        return self

    def end(self, comment=b"", zip64=None, **k):
        at = k.get("offset", len(self.body))
        size = k.get("size", len(self.directory))
        count = k.get("count", self.count)
        data = self.body + self.directory
        if zip64 is not None:
            record = dict(count=self.count, size=len(self.directory), offset=len(self.body), disk=0)
            record.update(zip64)
            place = len(data)
            data += b"PK\6\6" + struct.pack(
                "<QHHIIQQQQ", 44, 45, 45, record["disk"], 0, record["count"], record["count"],
                record["size"], record["offset"])
            data += b"PK\6\7" + struct.pack("<IQI", 0, place, 1)
        disk = k.get("disk", 0)
        data += b"PK\5\6" + struct.pack("<HHHHIIH", disk, disk, count, count, size, at, len(comment))
        return data + comment


def two():
    return Archive().add(b"r/a", A).add(b"r/b", B)


def sound():
    """Archives that are read."""
    yield "stored", two().end()
    yield "deflated", Archive().add(b"r/a", A, method=8).add(b"r/b", B, method=8).end()
    yield "empty-members", Archive().add(b"r/", b"").add(b"r/a", b"").add(b"r/b", B).end()
    yield "comment", two().end(comment=b"made by hand")
    yield "trailing-bytes", two().end() + b"left over"
    yield "no-checksums", Archive().add(b"r/a", A, crc=0).add(b"r/b", B, crc=0).end()
    yield "symlink", Archive().add(b"r/a", A, attributes=0xA1FF0000).add(b"r/b", B).end()
    # As PyTorch writes: sizes and CRC only behind the bytes, padding in front, an unneeded zip64 record.
    torch = dict(local_flags=0x808, central_flags=0x808, local_crc=0, local_compressed=0, local_size=0)
    yield "like-torch", (
        Archive()
        .add(b"r/a", A, local_extra=b"FB\3\0ZZZ", descriptor=b"PK\7\x08" + struct.pack("<III", zlib.crc32(A), len(A), len(A)), **torch)
        .add(b"r/b", B, local_extra=b"FB\0\0", descriptor=b"PK\7\x08" + struct.pack("<III", zlib.crc32(B), len(B), len(B)), **torch)
        .end(zip64={}))
    # As NumPy writes: 64-bit sizes in every local header, 32-bit ones in the directory.
    wide = struct.pack("<HHQQ", 1, 16, len(A), len(A))
    yield "like-numpy", Archive().add(
        b"r/a", A, local_compressed=0xFFFFFFFF, local_size=0xFFFFFFFF, local_extra=wide).end()
    # Everything that can be saturated is.
    central = struct.pack("<HHQQQ", 1, 24, len(A), len(A), 0)
    yield "zip64", Archive().add(
        b"r/a", A, compressed=0xFFFFFFFF, size=0xFFFFFFFF, central_offset=0xFFFFFFFF, local_extra=wide,
        central_extra=central).end(zip64={}, count=0xFFFF, size=0xFFFFFFFF, offset=0xFFFFFFFF)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as z:
        z.writestr(zipfile.ZipInfo("inner"), b"x")
    yield "archive-in-archive", Archive().add(b"r/a", A).add(b"r/b.zip", inner.getvalue()).end()


def hostile():
    """Archives that are refused."""
    yield "duplicate", two().add(b"r/a", A).end()
    yield "duplicate-but-for-case", two().add(b"R/A", A).end()
    yield "name-traversal", Archive().add(b"r/../../etc/a", A).end()
    yield "name-absolute", Archive().add(b"/etc/a", A).end()
    yield "name-backslash", Archive().add(b"r\\a", A).end()
    yield "name-drive", Archive().add(b"C:a", A).end()
    yield "name-nul", Archive().add(b"r/a\0.txt", A).end()
    yield "name-control", Archive().add(b"r/\x1b[31ma", A, flags=0).end()
    yield "name-empty", Archive().add(b"", A).end()
    yield "local-name", Archive().add(b"r/a", A, local_name=b"r/x").end()
    yield "local-method", Archive().add(b"r/a", A, local_method=8).end()
    yield "local-encryption", Archive().add(b"r/a", A, local_flags=0x801).end()
    yield "local-size", Archive().add(b"r/a", A, local_size=5, local_compressed=5).end()
    yield "local-compressed-size", Archive().add(b"r/a", A, method=8, local_compressed=5).end()
    yield "local-crc", Archive().add(b"r/a", A, local_crc=0x12345678).end()
    yield "local-signature", Archive().add(b"r/a", A, signature=b"PK\0\0").end()
    yield "local-outside", two().add(b"r/c", b"", central_offset=0x7FFFFFFF).end()
    yield "encrypted", Archive().add(b"r/a", A, flags=0x801).end()
    yield "bzip2", Archive().add(b"r/a", A, method=12).end()
    yield "unknown-method", Archive().add(b"r/a", A, method=77).end()
    yield "stored-sizes", Archive().add(b"r/a", A, size=5).end()
    yield "overlap", Archive().add(b"r/a", A, size=50, compressed=50).add(b"r/b", B).end()
    yield "same-bytes-twice", two().add(b"r/c", A, local_name=b"r/a", central_offset=0).end()
    yield "into-directory", Archive().add(b"r/a", A, size=50, compressed=50).end()
    yield "beyond-the-file", Archive().add(b"r/a", A, size=10**6, compressed=10**6).end()
    yield "bomb", Archive().add(b"r/a", A, method=8, size=300 << 20).end()
    yield "multi-disk", two().end(disk=1)
    yield "multi-disk-zip64", two().end(zip64=dict(disk=1))
    yield "too-many-members", two().end(zip64=dict(count=10**12), count=0xFFFF)
    yield "wrong-count", two().end(count=1)
    yield "zip64-disagrees", two().end(zip64=dict(offset=0))
    yield "directory-misplaced", two().end(offset=7)
    yield "directory-beyond", two().end(offset=10**6)
    data = two().end()
    yield "bytes-missing", data[:100] + data[200:]
    yield "no-end-record", two().body
    yield "two-end-records", two().end(comment=Archive().end(offset=0))
    appended = Archive()
    appended.body = two().end()
    yield "two-archives", appended.add(b"r/c", A).end()
    signed = two()
    signed.directory += b"PK\5\5\0\0"
    yield "directory-signature", signed.end()
    place = dict(central_offset=0xFFFFFFFF)
    yield "zip64-two-places", two().add(
        b"r/c", A, central_extra=struct.pack("<HHQHHQ", 1, 8, 66 + len(A) + len(B), 1, 8, 0), **place).end()
    yield "zip64-no-place", two().add(b"r/c", A, central_extra=struct.pack("<HH", 1, 0), **place).end()
    yield "zip64-place-outside", two().add(b"r/c", A, central_extra=struct.pack("<HHQ", 1, 8, 2**64 - 1), **place).end()
    # Info-ZIP's field with the name in Unicode, which some programs prefer.
    other = b"\1" + struct.pack("<I", zlib.crc32(b"r/a")) + b"r/x"
    yield "other-name", Archive().add(
        b"r/a", A, flags=0, central_extra=struct.pack("<HH", 0x7075, len(other)) + other).end()
    yield "directory-entry-cut", two().end(size=len(two().directory) - 1)


def corrupt():
    """Archives that open, but whose member r/a cannot be read."""
    yield "stored-damaged", Archive().add(b"r/a", A, stored=A[:-1] + b"X").end()
    yield "deflated-damaged", Archive().add(b"r/a", B, method=8, stored=deflate(B)[:4] + b"\xff" + deflate(B)[5:]).end()
    yield "deflated-other-bytes", Archive().add(b"r/a", A, method=8, stored=deflate(A[:-1] + b"X")).end()
    yield "deflated-longer", Archive().add(b"r/a", A, method=8, stored=deflate(A + b"more")).end()
    yield "deflated-shorter", Archive().add(b"r/a", A, method=8, stored=deflate(A[:-4])).end()
    yield "deflated-cut", Archive().add(b"r/a", B, method=8, stored=deflate(B)[:-8]).end()


def payloads(name, data):
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        for info in z.infolist():
            if info.is_dir():
                continue
            contents = z.read(info) if info.CRC or not info.file_size else None
            at = info.header_offset
            at += 30 + sum(struct.unpack_from("<HH", data, at + 26))
            if contents is None:  # zipfile insists on the checksum
                contents = data[at:at + info.file_size]
            yield (name, info.filename, at, info.file_size, f"{info.CRC:08x}",
                   hashlib.sha256(contents).hexdigest())


def main():
    os.makedirs(OUT, exist_ok=True)
    rows = []
    for folder, archives in (("sound", sound()), ("hostile", hostile()), ("corrupt", corrupt())):
        for name, data in archives:
            path = f"{folder}-{name}.zip"
            with open(os.path.join(OUT, path), "wb") as f:
                f.write(data)
            if folder == "sound":
                rows += payloads(path, data)
    with open(os.path.join(OUT, "payloads.tsv"), "w") as f:
        for row in rows:
            f.write("\t".join(map(str, row)) + "\n")


main()
