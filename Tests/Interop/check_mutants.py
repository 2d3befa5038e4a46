"""Damaged files that repconv accepts hold what the formats' own libraries read in them.

usage: check_mutants.py REPCONV [FILES]

FILES (20,000 if not given) small files of PyTorch, safetensors and NumPy are changed in some bytes, with the checksums
and lengths repaired in most, and read by both. Both may refuse; what repconv accepts the library has to accept, with
the same names, types, shapes and values: the content digest is computed here again (formats/rvd.md).

Where repconv accepts what a library refuses on purpose (`EXCEPTIONS`), its own answer stands.
"""
import hashlib
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile

import numpy as np
import safetensors
import safetensors.torch
import torch

from interop import FIXTURES

# What torch.load(weights_only=True) does not take although it is well formed, by its message.
EXCEPTIONS = {
    "a name in the pickle that PyTorch does not know; repconv reports it and leaves it alone":
        r"Unsupported global|Unsupported class|unsupported global|Can only (build|create|REDUCE|NEWOBJ)|Can not find",
    "an opcode that this reader of PyTorch's lacks":
        r"Unsupported operand|Trying to (append|set|call)|pickle protocol|Unsupported pickle",
    "Python's own limits of a text that names nothing repconv takes":
        r"codec can't|invalid literal|Unknown type|unhashable",
}

def content(tensors):
    """The content digest of {name: (type, shape, bytes)}."""
    digests = []
    for name in sorted(tensors, key=lambda text: text.encode("utf-8", "surrogatepass")):
        kind, shape, data = tensors[name]
        text, kind = name.encode("utf-8", "surrogatepass"), kind.encode()
        head = struct.pack("<Q", len(text)) + text + struct.pack("<Q", len(kind)) + kind
        head += struct.pack(f"<{len(shape) + 1}Q", len(shape), *shape)
        digests.append(hashlib.sha256(head + data).digest())
    return hashlib.sha256(b"".join(digests)).hexdigest()


def of_torch(tensors):
    def data(tensor):
        flat = tensor.detach().clone(memory_format=torch.contiguous_format).reshape(-1)
        return bytes(flat.untyped_storage())[:flat.numel() * flat.element_size()]

    return {name: (str(t.dtype).removeprefix("torch."), tuple(t.shape), data(t)) for name, t in tensors.items()}


def read_torch(path, keys):
    found = torch.load(path, weights_only=True, map_location="cpu")
    for key in keys:
        found = found[key]
    return of_torch({k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, torch.Tensor)})


def read_safetensors(path, keys):
    with safetensors.safe_open(path, "pt") as file:
        return of_torch({name: file.get_tensor(name) for name in file.keys()})


def of_numpy(arrays):
    return {
        name: (a.dtype.newbyteorder("=").name, a.shape, np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")).tobytes())
        for name, a in arrays.items()}


def read_npz(path, keys):
    with np.load(path, allow_pickle=False) as archive:
        return of_numpy({name: archive[name] for name in archive.files if archive[name].dtype.kind in "fiub"})


READERS = {"torch": read_torch, "safetensors": read_safetensors, "npz": read_npz}


def seeds():
    """Small sound files, by reader."""
    values = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = {"a.weight": values, "a.view": values[:, 1:, ::2], "a.bias": torch.ones(3, dtype=torch.float16),
             "n": torch.tensor(7), "empty": torch.zeros(0, 3)}
    for legacy in (False, True):
        for wrap in (lambda s: s, lambda s: {"state_dict": s, "epoch": 3}):
            out = io.BytesIO()
            torch.save(wrap(state), out, _use_new_zipfile_serialization=not legacy)
            yield "torch", out.getvalue()
    yield "safetensors", safetensors.torch.save({k: v.contiguous() for k, v in state.items()}, {"format": "pt"})
    for save in (np.savez, np.savez_compressed):
        out = io.BytesIO()
        save(out, a=values.numpy(), f=np.asfortranarray(values.numpy()), big=np.arange(4, dtype=">i4"))
        yield "npz", out.getvalue()
    for folder, kind in (("TorchFiles", "torch"), ("Safetensors", "safetensors"), ("NumPy", "npz")):
        for name in sorted(os.listdir(os.path.join(FIXTURES, folder))):
            path = os.path.join(FIXTURES, folder, name)
            if name.endswith((".pth", ".pt", ".safetensors", ".npz")) and os.path.getsize(path) < 20_000:
                with open(path, "rb") as file:
                    yield kind, file.read()


def readable(kind, data):
    """Whether the library itself reads a file with nothing changed."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            READERS[kind](file.name, [])
        except Exception:
            return False
    return True


def changed(data, chance):
    data = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        if not data:
            break
        at = chance.randrange(len(data))
        end = min(len(data), at + chance.randint(1, 8))
        match chance.randrange(6):
            case 0: data[at] ^= 1 << chance.randrange(8)
            case 1: data[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, 0x88, 0x89])
            case 2: del data[at:end]
            case 3: data[at:at] = data[at:end]
            case 4: data[at] = (data[at] + chance.choice([-1, 1])) % 256
            case 5: data[at] = chance.randrange(256)
    return bytes(data)


def mutant(kind, data, chance):
    """Changed anywhere; or in one part, with what vouches for that part made right again."""
    if chance.random() < 0.2:
        return changed(data, chance)
    if kind == "safetensors":
        length, = struct.unpack("<Q", data[:8])
        header = changed(data[8:8 + length], chance)
        return struct.pack("<Q", len(header)) + header + data[8 + length:]
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return changed(data, chance)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as copy:
        infos = archive.infolist()
        victim = next((i for i in infos if i.filename.endswith("data.pkl")), None) or chance.choice(infos)
        for info in infos:
            contents = archive.read(info)
            if info is victim:
                # The header of an array is at its start.
                head = len(contents) if kind == "torch" else min(128, len(contents))
                contents = changed(contents[:head], chance) + contents[head:]
            copy.writestr(info.filename, contents)
    return out.getvalue()


def ask(repconv, paths):
    """What repconv says of each: the digest and the path of the state dict."""
    result = subprocess.run([repconv, "digest", "--json", *paths], capture_output=True, text=True)
    if result.returncode not in (0, 1, 2):
        sys.exit(f"repconv ended with {result.returncode}: {result.stderr[-2000:]}")
    found = json.loads(result.stdout)
    return {file["file"]: file for file in found["files"] if file.get("content")}


def main():
    repconv = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    chance = random.Random(20_260_101)
    warnings.simplefilter("ignore")
    originals = [seed for seed in seeds() if readable(*seed)]
    accepted, excepted, wrong = 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, count, 500):
            batch = {}
            for index in range(start, min(count, start + 500)):
                kind, data = originals[index % len(originals)]
                path = os.path.join(folder, f"{index}.{kind}")
                with open(path, "wb") as file:
                    file.write(mutant(kind, data, chance))
                batch[path] = kind
            for path, report in ask(repconv, list(batch)).items():
                accepted += 1
                keys = [key for key in report["stateDict"].split(".") if key]
                try:
                    theirs = content(READERS[batch[path]](path, keys))
                except Exception as error:
                    if any(re.search(pattern, str(error)) for pattern in EXCEPTIONS.values()):
                        excepted += 1
                        continue
                    theirs = f"refused: {type(error).__name__} {str(error)[:150]!r}"
                if theirs != report["content"]:
                    kept = os.path.join(tempfile.gettempdir(), "mutant-" + os.path.basename(path))
                    os.replace(path, kept)
                    wrong.append((kept, theirs))
                    print(f"  {kept}: {report['content'][:16]}, the library: {theirs}")
            for path in batch:
                if os.path.exists(path):
                    os.remove(path)
    print(f"{count} files, {accepted} accepted, {excepted} of these refused on purpose by the library, {len(wrong)} wrong")
    sys.exit(1 if wrong or accepted < count / 100 else 0)


if __name__ == "__main__":
    main()
