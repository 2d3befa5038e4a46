#!/usr/bin/env python3
"""Times repconv against `cp` and against the programs it replaces, and prints a table. Needs NumPy, for the inputs.

    bench.py REPCONV [--folder F] [--runs N] [--peers PYTHON] [--large] [--only TEXT]

Every command is run in turn with `cp` of the same file, so that both see the same machine; figures are medians. Wall
and CPU time and peak memory are those of the whole process, as the kernel accounts them.
--peers names a Python whose libraries (PyTorch, safetensors, h5py) are to do the same with the same file; see peers.py.
--large adds a network of 4 GB; --only keeps the inputs whose name has TEXT in it.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# Run as a program of its own: a process's peak memory begins at that of the one that started it.
CHECKPOINTS = [sys.executable, os.path.join(HERE, "checkpoints.py")]
PEERS = os.path.join(HERE, "peers.py")

# Containers that checkpoints.py writes, and those that repconv makes of its first: how the file ends, more options.
CONTAINERS = {
    "pytorch": None,
    "pytorch-legacy": None,
    "megengine": None,
    "safetensors": (".safetensors", []),
    "npz": (".npz", []),
    "hdf5": (".h5", []),
    "hdf5-keras": (".h5", ["--names", "keras"]),
}
EVERY_CONTAINER = ("A0", "B3")
OUTPUTS = ("pth", "rvd", "safetensors", "npz", "h5", "pkl", "wts")

# Wall time against `cp` of the input, and peak memory in MB; of RepVGG-B3, for smaller ones are ruled by start-up.
MEMORY = 56
BUDGETS = {f"fuse to .{output}": (1.3, MEMORY) for output in OUTPUTS} | {
    "fuse to .rvd": (None, MEMORY),
    "fuse to .rvd --no-source-digest": (2.0, MEMORY),
    "fuse to .rvd --compress": (3.0, 64),
    "fuse to .wts": (None, MEMORY),
    "import": (1.3, MEMORY),
    "inspect --json": (None, 36),
}


def run(command):
    """Seconds of wall and CPU time, peak memory in MB, and the output, of one process."""
    reader, writer = os.pipe()
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_CLOSE, reader)])
    os.close(writer)
    with open(reader, "rb") as pipe:
        output = pipe.read()
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"bench: {' '.join(command)}: status {os.waitstatus_to_exitcode(status)}")
    scale = 1 if sys.platform == "darwin" else 1024
    return (wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e6), output


def in_turn(commands, runs):
    """Medians of each command's figures over runs in turn, after one run of each that does not count."""
    results = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, (command, target) in commands.items():
            if target and os.path.exists(target):
                os.remove(target)
            os.sync()  # Or a command pays for what another left to write to the disk.
            figures, _ = run(command)
            if number:
                results[name].append(figures)
    for _, target in commands.values():
        if target and os.path.exists(target):
            os.remove(target)
    return {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}


def make_input(repconv, folder, network, container):
    ending = CONTAINERS[container][0] if CONTAINERS[container] else ""
    path = os.path.join(folder, f"{network}.{container}{ending}")
    if os.path.exists(path):
        return path
    print(f"bench: making {path}", file=sys.stderr)
    if CONTAINERS[container]:
        source = make_input(repconv, folder, network, "pytorch")
        subprocess.run([repconv, "import", "-q", source, "-o", path, *CONTAINERS[container][1]], check=True)
    else:
        subprocess.run([*CHECKPOINTS, network, container, path + ".new"], check=True)
        os.rename(path + ".new", path)
    return path


def commands_for(repconv, source, folder, outputs):
    """What is run on an input: a command and the file it writes, by name."""
    def writing(arguments, name):
        target = os.path.join(folder, name)
        return [*arguments, target], target

    commands = {"cp": writing(["cp", source], "copy")}
    for output in outputs:
        commands[f"fuse to .{output}"] = writing([repconv, "fuse", "-q", source], f"fused.{output}")
        if output == "rvd":
            commands["fuse to .rvd --no-source-digest"] = writing(
                [repconv, "fuse", "-q", "--no-source-digest", source], "bare.rvd")
            commands["fuse to .rvd --compress"] = writing(
                [repconv, "fuse", "-q", "--compress", source], "small.rvd")
    commands["import"] = writing([repconv, "import", "-q", source, "-o"], "imported.pth")
    commands["inspect --json"] = ([repconv, "inspect", "--json", source], None)
    return commands


def peers_for(python, source, folder):
    """What the libraries of another Python do with the input, by name."""
    _, listed = run([python, PEERS, "--list"])
    return {about: ([python, PEERS, task, source, os.path.join(folder, f"peer.{task}")],
                    os.path.join(folder, f"peer.{task}"))
            for task, (_, about) in json.loads(listed).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repconv", type=os.path.abspath)
    parser.add_argument("--folder", default=".build/bench")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", default="", metavar="TEXT")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    if options.large and shutil.disk_usage(options.folder).free < 20e9:
        sys.exit("bench: --large needs 20 GB of free disk")

    inputs = [(network, container) for network in EVERY_CONTAINER for container in CONTAINERS]
    inputs.insert(len(CONTAINERS), ("B1", "pytorch"))
    if options.large:
        inputs.append(("4GB", "pytorch"))
    print("| input | command | wall | CPU | against cp | peak memory | budget |\n|---|---|---|---|---|---|---|")
    for network, container in inputs:
        if options.only not in f"{network} {container}":
            continue
        source = make_input(options.repconv, options.folder, network, container)
        is_main = container == "pytorch"
        commands = commands_for(
            options.repconv, source, options.folder, OUTPUTS if is_main and network == "B3" else OUTPUTS[:2])
        results = in_turn(commands, options.runs if network != "4GB" else min(options.runs, 3))
        if options.peers and is_main and network in EVERY_CONTAINER:
            # By themselves: they leave the machine's memory in disorder. No more than three runs, which take a minute.
            results |= in_turn(peers_for(options.peers, source, options.folder), min(options.runs, 3))
        size = os.path.getsize(source) / 1e6
        for name, (wall, cpu, memory) in results.items():
            ratio = wall / results["cp"][0]
            verdict = ""
            if name in BUDGETS:
                most, most_memory = BUDGETS[name]
                in_time = most is None or network != "B3" or ratio <= most
                verdict = "holds" if in_time and memory <= most_memory else "**exceeded**"
            print(f"| {network} {container}, {size:.0f} MB | {name} | {wall:.3f} s | {cpu:.3f} s | {ratio:.2f} | "
                  f"{memory:.1f} MB | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
