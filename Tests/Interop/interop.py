"""What the scripts of this folder share: running repconv, the fixtures and their answers, and keeping count.

Needs NumPy only, so that every framework's environment can use it.
"""
import contextlib
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIXTURES = os.path.join(ROOT, "Tests", "Fixtures")
EXAMPLES = os.path.join(ROOT, "examples")
sys.path[:0] = [FIXTURES, EXAMPLES, os.path.join(EXAMPLES, "python")]
from make_fixtures import fused, load_npz  # noqa: E402

# The logits of the fixtures are up to 17; the same network in another framework or fused differs by some 1e-5.
LOGITS_TOLERANCE = 1e-4

# Which of several state dicts in a file is meant.
OPTIONS = {"plain-swin-style.pth": ["--key", "model_ema"]}


def bfloat16(v):
    """Rounds float32 to the nearest bfloat16, ties to even, and back."""
    bits = np.ascontiguousarray(v, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32).reshape(v.shape)


# Fixtures that hold the trained weights at less than their own precision.
STORED_AS = {"plain-half.pth": np.float16, "plain-bfloat16.pth": bfloat16}


class Fixture:
    """One training checkpoint, and what it must turn into at the precision it was stored in."""

    def __init__(self, path, model=None):
        self.path = path
        self.name = os.path.basename(path)
        self.model = model or self.name.split("-")[0]
        self.options = OPTIONS.get(self.name, [])
        store = STORED_AS.get(self.name, np.asarray)
        self.state = {
            k: (np.float32(store(v)) if v.dtype == np.float32 else v)
            for k, v in load_npz(f"{FIXTURES}/Expected/{self.model}-state.npz").items()}
        self.exact = store is np.asarray

    def fused(self):
        """The deploy tensors in float64."""
        return load_npz(f"{FIXTURES}/Expected/{self.model}-fused64.npz") if self.exact else fused(self.state)

    def images_and_logits(self):
        z = load_npz(f"{FIXTURES}/Expected/{self.model}-logits.npz")
        return z["images"], z["logits"]


def fixtures(*folders):
    """The training checkpoints below `Tests/Fixtures`, in order of their names."""
    for folder in folders:
        names = sorted(os.listdir(os.path.join(FIXTURES, folder)))
        paths = [os.path.join(FIXTURES, folder, n) for n in names
                 if n.endswith((".pth", ".pkl", ".ckpt", ".tar")) and not n.startswith("not-a-checkpoint")]
        if not paths:
            raise FileNotFoundError(f"no fixtures in {folder}")
        for path in paths:
            yield Fixture(path)


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def expect_equal(got, wanted):
    """Two dicts of tensors hold the same values, to the bit. The first may lack the counters of BatchNorm layers."""
    missing = [k for k in wanted if k not in got and not k.endswith("num_batches_tracked")]
    unexpected = [k for k in got if k not in wanted]
    expect(not missing and not unexpected, f"missing {missing[:3]}, unexpected {unexpected[:3]}")
    for k in got:
        expect(got[k].shape == wanted[k].shape, f"{k} is {got[k].shape}, not {wanted[k].shape}")
        expect((np.asarray(got[k], wanted[k].dtype) == wanted[k]).all(), f"{k} differs")


def expect_rounded(got, exact):
    """A dict of deploy tensors is the float64 one, each value rounded to the nearest float32.

    That is half a unit in the last place, and a little more for what float64 sums may differ by in another order.
    Tensors that are not fused may keep the element type they had.
    """
    expect(set(got) == set(exact), f"names differ: {sorted(set(got) ^ set(exact))[:4]}")
    for k, wanted in exact.items():
        expect(got[k].dtype == np.float32 or ".rbr_reparam." not in k, f"{k} is {got[k].dtype}")
        expect(got[k].shape == wanted.shape, f"{k} is {got[k].shape}, not {wanted.shape}")
        allowed = np.spacing(np.abs(np.float32(wanted))).astype(np.float64) / 2 + 2e-15
        wrong = np.abs(got[k].astype(np.float64) - wanted) > allowed
        expect(not wrong.any(), f"{k}: {int(wrong.sum())} of {wrong.size} values are not the nearest float32")


def expect_logits(got, wanted):
    difference = float(np.abs(np.asarray(got) - wanted).max())
    expect(difference <= LOGITS_TOLERANCE, f"logits differ by {difference:.2g}")


def read_pth(path):
    """The state dict of a zip `.pth` without PyTorch: dense tensors of whole storages, all a state dict needs."""
    types = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8"}
    with zipfile.ZipFile(path) as archive:
        expect(archive.testzip() is None, f"{path} has a member with a wrong CRC")
        [index] = [n for n in archive.namelist() if n.endswith("/data.pkl")]

        def rebuild(storage, offset, size, stride, *_):
            item = storage.itemsize
            return np.lib.stride_tricks.as_strided(storage[offset:], size, [s * item for s in stride]).copy()

        class Reader(pickle.Unpickler):
            def find_class(self, module, name):
                if module == "torch" and name in types:
                    return types[name]
                return {"_rebuild_tensor_v2": rebuild, "OrderedDict": dict}[name]

            def persistent_load(self, pid):
                _, dtype, key, _, count = pid
                data = archive.read(index.replace("data.pkl", f"data/{key}"))
                return np.frombuffer(data, dtype, count)

        return Reader(archive.open(index)).load()


class Checks:
    """Runs checks, prints a line for each, and ends the script with their count."""

    def __init__(self):
        if len(sys.argv) != 2:
            sys.exit(f"usage: {os.path.basename(sys.argv[0])} REPCONV")
        self.program = os.path.abspath(sys.argv[1])
        self.passed = self.failed = 0
        self.folder = tempfile.TemporaryDirectory()

    def repconv(self, *arguments):
        """Runs it, and returns what it printed."""
        run = subprocess.run([self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        command = " ".join(os.path.basename(a) for a in arguments)
        expect(run.returncode == 0, f"repconv {command}: exit {run.returncode}: {run.stderr.decode().strip()}")
        return run.stdout.decode()

    def imported(self, fixture, *options):
        """The path of what `repconv import` makes of a fixture."""
        out = self.output(fixture.name + ".imported.pth")
        self.repconv("import", fixture.path, "-o", out, *fixture.options, *options)
        return out

    def fused(self, fixture, extension, imported=False):
        """The path of what `repconv fuse` makes of a fixture, or of what was imported from it."""
        source, options = (self.imported(fixture), []) if imported else (fixture.path, fixture.options)
        out = self.output(fixture.name + ".fused" + extension)
        self.repconv("fuse", source, out, *options)
        return out

    def output(self, name):
        """A path in the temporary folder at which there is no file."""
        path = os.path.join(self.folder.name, name)
        if os.path.exists(path):
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        return path

    @contextlib.contextmanager
    def check(self, title):
        try:
            yield
        except Exception as error:
            self.failed += 1
            print(f"FAIL  {title}: {type(error).__name__}: {' '.join(str(error).split())}", flush=True)
        else:
            self.passed += 1
            print(f"ok    {title}", flush=True)

    def finish(self):
        self.folder.cleanup()
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(self.failed > 0 or self.passed == 0)
