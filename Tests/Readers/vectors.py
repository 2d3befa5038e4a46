"""Reads files with examples/python/rvd.py, and prints what came of each: ExampleTests.swift compares it.

    python3 vectors.py FILE...

A line `FILE: CONDITION` for each file that is refused; `FILE: valid` for one that is not, and a line
`NAME TYPE SHAPE SHA-256` for each tensor, with the name in hexadecimal and the digest of its decoded
elements. `needs-zstd` is a file that cannot be read without a decoder for Zstandard.
"""

import hashlib
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "python"))
import rvd  # noqa: E402


def main():
    for path in sys.argv[1:]:
        lines = []
        try:
            with rvd.open(path) as file:
                file.verify()
                small = all(len(tensor.shape) <= 32 for tensor in file.tensors)  # NumPy 1 has no more axes
                for tensor in file.tensors:
                    content = tensor.raw().tobytes() if small else bytes(tensor.stored())
                    digest = hashlib.sha256(content).hexdigest()
                    shape = "x".join(map(str, tensor.shape))
                    lines.append(f"{tensor.name.encode().hex()} {tensor.type} {shape} {digest}")
            if small:
                scales = [tensor.scales for tensor in file.tensors if tensor.scales]
                assert len(rvd.load(path)) == len(file) - len(scales)
            condition = "valid"
        except rvd.Error as error:
            condition, lines = error.condition, []
            assert str(path) in str(error)
        except ImportError as error:
            assert "pip install zstandard" in str(error)
            condition, lines = "needs-zstd", []
        print(f"{path}: {condition}")
        for line in lines:
            print(line)


if __name__ == "__main__":
    main()
