"""Damage in HDF5 files that the HDF5 library refuses: HDF5Files/damage.tsv.

One byte of a file is changed, half of the time with the checksums of the structures made right again; the library reads
all of it, in a process of its own. A line for each damage that it refuses: file, changed bytes (PLACE=VALUE, in hex),
the first object that cannot be read (none: the file), what the library says of it. At most two of each kind in each file.

Needs h5py 3.16 (with HDF5 2.0) and NumPy 2.5.
"""
import collections
import os
import random
import re
import sys

import h5py

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "Interop"))
from check_hdf5 import numbers  # noqa: E402
from hdf5_seals import sealed, seals  # noqa: E402

FILES = ["types.h5", "ordered.h5", "ordered-v110.h5", "unwritten-v110.h5", "user-block-v110.h5", "user-block-512.h5"]
TRIES = 300
FOLDER = os.path.join(HERE, "HDF5Files")
# Types that are no numbers in NumPy, what the library's own cache complains of when it closes the file, and messages
# of which some, as the time of a change, are of no use to a reader.
NOT_DAMAGE = r"No NumPy equivalent|Insufficient precision|Unsupported (integer|float)|Pinned entry|ran off end of input"


def refusal(data):
    """What h5py does not read of it and why; empty if it reads all."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        failures = {}
        try:
            with h5py.File.in_memory(bytes(data)) as file:
                numbers(file, failures)
            text = next((f"{name}\t{error}" for name, error in failures.items()), "")
        except Exception as error:
            text = f"\t{error}"
        os.write(writing, text.replace("\n", " ").encode()[:300])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        text = answer.read().decode()
    return "\tdied" if os.waitpid(child, 0)[1] else text


def main():
    chance = random.Random(1)
    lines = []
    for file_name in FILES:
        with open(os.path.join(FOLDER, file_name), "rb") as file:
            sound = file.read()
        places, kinds = seals(sound), collections.Counter()
        assert not refusal(sound)
        used = [at for at, byte in enumerate(sound) if byte]  # most of a file is empty
        for _ in range(TRIES):
            damaged = bytearray(sound)
            at = chance.choice(used)
            damaged[at] = chance.choice([0, 1, 2, 0x80, 0xFF, damaged[at] ^ 1 << chance.randrange(8)])
            if chance.random() < 0.5:
                damaged = sealed(damaged, places)
            said = refusal(damaged) if damaged != sound else ""
            name, _, said = said.partition("\t")
            [*_, reason] = re.findall(r"\((.*)\)", said) or [said]
            kind = re.sub(r"[0-9a-fx]*\d[0-9a-fx]*", "N", reason)
            if said and kinds[kind] < 2 and not re.search(NOT_DAMAGE, said):
                kinds[kind] += 1
                changes = " ".join(f"{at:x}={new:02x}" for at, (old, new) in enumerate(zip(sound, damaged)) if old != new)
                lines.append(f"{file_name}\t{changes}\t{name}\t{reason}\n")
    with open(os.path.join(FOLDER, "damage.tsv"), "w") as file:
        file.writelines(lines)
    print(f"{len(lines)} of {TRIES * len(FILES)}")


if __name__ == "__main__":
    main()
