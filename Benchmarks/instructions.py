#!/usr/bin/env python3
"""Counts the instructions of repconv's commands on RepVGG-A0, and compares them with those recorded in instructions.tsv.

    instructions.py REPCONV [--folder F] [--record]

Unlike times, counts are the same whatever else the machine does: one thread, valgrind's callgrind. They depend on the
Swift toolchain and, in libraries that look for it, on the processor. Ends with status 1 if a command takes more than
5 % more than recorded; --record writes what was counted.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

from bench import HERE, make_input

RECORD = os.path.join(HERE, "instructions.tsv")
MARGIN = 1.05
# What is run: the container of its input, its arguments. `{}` is the input, `{fused}` a deploy file of it.
COMMANDS = {
    "inspect": ("pytorch", "inspect {}"),
    "fuse to .pth": ("pytorch", "fuse -q --force --threads 1 {} {out}.pth"),
    "fuse to .rvd --no-source-digest": ("pytorch", "fuse -q --force --threads 1 --no-source-digest {} {out}.rvd"),
    "fuse to .wts": ("pytorch", "fuse -q --force --threads 1 {} {out}.wts"),
    "fuse from MegEngine": ("megengine", "fuse -q --force --threads 1 {} {out}.pth"),
    "fuse from Keras": ("hdf5-keras", "fuse -q --force --threads 1 {} {out}.pth"),
    "import": ("pytorch", "import -q --force --threads 1 {} -o {out}.pth"),
    "import from Keras": ("hdf5-keras", "import -q --force --threads 1 {} -o {out}.pth"),
    "verify": ("pytorch", "verify --algebra-only --threads 1 {} {fused}"),
    "check": ("pytorch", "check --threads 1 {}"),
}


def count(program, arguments, folder):
    result = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.out", program, *arguments],
        capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", result.stderr)
    if not found or result.returncode not in (0, 1):  # 1: `check` has found something.
        sys.exit(f"instructions: {' '.join(arguments)}: status {result.returncode}\n{result.stderr}")
    return int(found.group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repconv", type=os.path.abspath)
    parser.add_argument("--folder", default=".build/bench")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        return print("instructions: not counted, for valgrind is not installed", file=sys.stderr)
    os.makedirs(options.folder, exist_ok=True)
    with open(RECORD) as file:
        recorded = dict(line.rstrip("\n").split("\t") for line in file)

    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        # Without debug information, of which valgrind cannot read all that the compiler writes.
        program = os.path.join(folder, "repconv")
        subprocess.run(["strip", "-g", "-o", program, options.repconv], check=True)
        fused = os.path.join(folder, "fused.rvd")
        source = make_input(options.repconv, options.folder, "A0", "pytorch")
        subprocess.run([options.repconv, "fuse", "-q", source, fused], check=True)
        size = os.path.getsize(source)
        print("| RepVGG-A0 | instructions | for each byte | recorded | |\n|---|---|---|---|---|")
        for name, (container, line) in COMMANDS.items():
            source = make_input(options.repconv, options.folder, "A0", container)
            places = {"out": os.path.join(folder, "out"), "fused": fused}
            counts[name] = count(program, [part.format(source, **places) for part in line.split()], folder)
            before = int(recorded.get(name, 0))
            verdict = f"{counts[name] / before - 1:+.1%}" if before else "new"
            if before and counts[name] > before * MARGIN:
                verdict = f"**{verdict}**"
            print(f"| {name} | {counts[name]:,} | {counts[name] / size:.1f} | {before:,} | {verdict} |", flush=True)
    if options.record:
        with open(RECORD, "w") as file:
            file.writelines(f"{name}\t{number}\n" for name, number in counts.items())
    elif any(counts[name] > int(number) * MARGIN for name, number in recorded.items() if name in counts):
        sys.exit("instructions: a command takes more than 5 % more than recorded")


if __name__ == "__main__":
    main()
