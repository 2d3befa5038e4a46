"""Damaged files that repconv accepts hold what the formats' own libraries read in them.

usage: check_mutants.py REPCONV [FILES]

FILES (20,000 if not given) small files of PyTorch, safetensors, NumPy, HDF5 and ONNX are changed in some bytes, with
the checksums and lengths repaired in most, and read by both. Both may refuse; what repconv accepts the library has to
accept, with the same values, types and shapes under all names that repconv gives: the content digest is computed here
again (formats/rvd.md). The library reads in a process of its own: that of HDF5 does not survive all of them.

Where repconv accepts what a library refuses on purpose (`EXCEPTIONS`), its own answer stands; formats/differences.md
tells of each.
"""
import collections
import hashlib
import io
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile
from concurrent.futures import ProcessPoolExecutor

import h5py
import numpy as np
import onnx
import safetensors
import safetensors.torch
import torch

from check_hdf5 import numbers
from hdf5_seals import sealed, seals
from interop import FIXTURES

# What a library does not take although what repconv reads in it is well formed, by kind of file and message.
EXCEPTIONS = {
    "a name in the pickle that PyTorch does not know; repconv reports it and leaves it alone":
        ("torch", r"Unsupported (global|class)|Can only (build|create|REDUCE|NEWOBJ)|Can not find|expected dict, got"),
    "an opcode that this reader of PyTorch's lacks":
        ("torch", r"Unsupported operand|Trying to (append|set|call)|pickle protocol|Unsupported pickle"),
    "Python's own rules for a value that names nothing repconv takes":
        ("torch", r"codec can't|invalid literal|Unknown type|unhashable|expected at most 1 arguments"),
    "memory that PyTorch itself does not fill: other values each time":
        ("torch", r"^unsteady"),
    "a gradient of integers, which PyTorch does not compute":
        ("torch", r"only Tensors of floating point and complex dtype can require gradients"),
    "a dataset that was never written, and no fill value: repconv has 0, and says so":
        ("h5", r"dataset doesn't exist, no data can be read"),
    "lengths that the HDF5 library compares from version 2.0 on, not the older one of repconv-hdf5":
        ("h5", r"filter returned failure during read.*read with the HDF5 library|ran off end.*read with the HDF5 library"),
}


SEED, CHUNK = 20_260_101, 500


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


KINDS = {".pth": "torch", ".pt": "torch", ".safetensors": "safetensors", ".npz": "npz", ".h5": "h5", ".onnx": "onnx"}


def of_torch(tensors):
    def data(tensor):
        if tensor.dtype == torch.bool:  # bytes as they are stored; copying makes 1 of all but 0
            tensor = tensor.view(torch.uint8)
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
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        # save_model stores a tensor once; its other names are keys of the metadata.
        tensors |= {name: tensors[kept] for name, kept in (file.metadata() or {}).items() if kept in tensors}
        return of_torch(tensors)


def of_numpy(arrays):
    return {
        name: (a.dtype.newbyteorder("=").name, a.shape, np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")).tobytes())
        for name, a in arrays.items()}


def shown(name):
    """A name as repconv has it; a library gives the bytes of one that is no UTF-8."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def read_npz(path, keys):
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if "names" in arrays and arrays["names"].dtype.kind == "U":  # of Objax: arrays are numbered
        arrays = {name: arrays[str(index)] for index, name in enumerate(arrays["names"])}
    return of_numpy({name: array for name, array in arrays.items() if array.dtype.kind in "fiubc"})


def read_h5(path, keys):
    failures = {}
    with h5py.File(path) as file:
        arrays = of_numpy({name: np.asarray(array) for name, array in numbers(file, failures).items()})
    return {shown(name.encode("utf-8", "surrogateescape")): value for name, value in (failures | arrays).items()}


def read_onnx(path, keys):
    initializers = onnx.load(path).graph.initializer
    tensors = {}
    for tensor in initializers:
        try:
            tensors |= of_numpy({shown(tensor.name): onnx.numpy_helper.to_array(tensor)})
        except Exception as error:
            tensors[shown(tensor.name)] = error
    return tensors


READERS = {"torch": read_torch, "safetensors": read_safetensors, "npz": read_npz, "h5": read_h5, "onnx": read_onnx}


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
    for folder in ("TorchFiles", "Safetensors", "NumPy", "HDF5Files", "ONNXVectors", "ONNX"):
        for name in sorted(os.listdir(os.path.join(FIXTURES, folder))):
            path, kind = os.path.join(FIXTURES, folder, name), KINDS.get(os.path.splitext(name)[1])
            if kind and os.path.getsize(path) < 20_000:
                with open(path, "rb") as file:
                    yield kind, file.read()


def apart(work):
    """What `work` returns, in a process of its own; 'died: ...' if that does not survive."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            signal.alarm(60)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            with os.fdopen(writing, "w") as answer:
                answer.write(work())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    status = os.waitpid(child, 0)[1]
    return f"died: {os.strsignal(os.WTERMSIG(status))}" if os.WIFSIGNALED(status) else text


def theirs(kind, path, keys, names):
    """The content digest of what the library reads under these names, or why it does not."""
    def read():
        try:
            tensors = READERS[kind](path, keys)
            missing = [name for name in names if name not in tensors]
            if missing:
                return f"without {missing[:3]}"
            for name in names:
                if isinstance(tensors[name], Exception):
                    raise tensors[name]
            return content({name: tensors[name] for name in names})
        except Exception as error:
            text = " ".join(str(error).split()).rpartition("WeightsUnpickler error: ")[2]
            return f"refused: {type(error).__name__} {text[:300]!r}"

    return apart(read)


def changed(data, chance, moving=True):
    """Changed in one place or some; if `moving`, bytes may also be put in or left out."""
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        if not data:
            break
        at = chance.randrange(len(data))
        end = min(len(data), at + chance.randint(1, 8))
        match chance.randrange(6 if moving else 4):
            case 0: data[at] ^= 1 << chance.randrange(8)
            case 1: data[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, 0x88, 0x89])
            case 2: data[at] = (data[at] + chance.choice([-1, 1])) % 256
            case 3: data[at] = chance.randrange(256)
            case 4: del data[at:end]
            case 5: data[at:at] = data[at:end]
    return bytes(data)


def mutant(kind, data, chance):
    """Changed anywhere; or in one part, with what vouches for that part made right again."""
    if chance.random() < 0.2:
        return changed(data, chance)
    if kind == "safetensors":
        length, = struct.unpack("<Q", data[:8])
        header = changed(data[8:8 + length], chance)
        return struct.pack("<Q", len(header)) + header + data[8 + length:]
    if kind == "h5":
        return sealed(changed(data, chance, moving=False), seals(data))
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return changed(data, chance)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as copy:
        infos = archive.infolist()
        pickle = [info for info in infos if info.filename.endswith("data.pkl")]
        victim = pickle[0] if pickle and chance.random() < 0.8 else chance.choice(infos)
        for info in infos:
            contents = archive.read(info)
            if info is victim:
                # The header of an array is at its start.
                head = len(contents) if kind == "torch" else min(128, len(contents))
                contents = changed(contents[:head], chance) + contents[head:]
            copy.writestr(info.filename, contents)
    return out.getvalue()


def ask(repconv, paths):
    """What repconv says of each that it reads: the content digest and the path of the state dict."""
    result = subprocess.run([repconv, "digest", "--json", *paths], capture_output=True, text=True)
    if result.returncode not in (0, 1, 2):
        sys.exit(f"repconv ended with {result.returncode}: {result.stderr[-2000:]}")
    found = json.loads(result.stdout)
    return {file["file"]: file for file in found["files"] if file.get("content")}


def inspect(repconv, path):
    """The names of the tensors, and what else is to be said of the file."""
    found = json.loads(subprocess.run([repconv, "inspect", "--json", path], capture_output=True, text=True).stdout)
    return [tensor["name"] for tensor in found["tensors"]], [note["text"] for note in found["notes"]]


def judge(repconv, path, kind, report):
    """None if the library reads what repconv reads; else what it does, and whether that is an exception."""
    keys = [key for key in report["stateDict"].split(".") if key]
    names, notes = inspect(repconv, path)
    answer = theirs(kind, path, keys, names)
    if answer == report["content"]:
        return None
    if answer != theirs(kind, path, keys, names):
        answer = "unsteady"
    said = " ".join([answer, *notes])
    return answer, next((why for why, (of, what) in EXCEPTIONS.items() if of == kind and re.search(what, said)), None)


def check(repconv, originals, chunk, count):
    """Makes `count` damaged files, the same for each chunk in every run, and judges those that repconv reads."""
    chance = random.Random(SEED + chunk)
    made, accepted, excepted, wrong = collections.Counter(), collections.Counter(), collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        batch = {}
        for index in range(chunk * CHUNK, chunk * CHUNK + count):
            kind, data = originals[index % len(originals)]
            batch[write(folder, index, kind, mutant(kind, data, chance))] = kind
            made[kind] += 1
        for path, report in ask(repconv, list(batch)).items():
            kind = batch[path]
            accepted[kind] += 1
            match judge(repconv, path, kind, report):
                case None: continue
                case answer, None:
                    kept = os.path.join(tempfile.gettempdir(), "mutant-" + os.path.basename(path))
                    os.replace(path, kept)
                    wrong.append(kept)
                    print(f"  {kept}: {report['content'][:16]}, the library: {answer}", flush=True)
                case _, reason: excepted[kind, reason] += 1
    return made, accepted, excepted, wrong


def write(folder, number, kind, data):
    path = os.path.join(folder, f"{number}.{kind}")
    with open(path, "wb") as file:
        file.write(data)
    return path


def sound(repconv):
    """Of the sound files, those that both read, and alike; the others are what other checks are about."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, data) in enumerate(seeds()):
            path = write(folder, number, kind, data)
            report = ask(repconv, [path]).get(path)
            if report and judge(repconv, path, kind, report) is None:
                yield kind, data


def main():
    repconv = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    originals = list(sound(repconv))
    made, accepted, excepted, wrong = collections.Counter(), collections.Counter(), collections.Counter(), []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        chunks = [pool.submit(check, repconv, originals, number, min(CHUNK, count - start))
                  for number, start in enumerate(range(0, count, CHUNK))]
        for chunk in chunks:
            for total, part in zip((made, accepted, excepted, wrong), chunk.result()):
                total += part
    print(f"{len(originals)} sound files; {count} damaged, {accepted.total()} of them accepted, {len(wrong)} read otherwise")
    for kind in made:
        print(f"  {kind}: {made[kind]} damaged, {accepted[kind]} accepted")
    for (kind, reason), number in sorted(excepted.items()):
        print(f"  {kind}: {number} with {reason}")
    sys.exit(1 if wrong or accepted.total() < count / 100 else 0)


if __name__ == "__main__":
    main()
