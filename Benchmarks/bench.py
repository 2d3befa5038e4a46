#!/usr/bin/env python3
"""Times repconv against `cp` and against the programs it replaces, and prints tables. Needs NumPy, for the inputs.

    bench.py REPCONV [--folder F] [--runs N] [--torch PYTHON] [--large]

Every command is run in turn with `cp` of the same file, so that both see the same machine; figures are medians. Wall
and CPU time and peak memory are those of the whole process, as the kernel accounts them.
--torch names a Python with PyTorch: the official way (load, fuse in float32, save) is timed too. --large adds a network
of 4 GB.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# Run as a program of its own: a process's peak memory begins at that of the one that started it.
CHECKPOINTS = [sys.executable, os.path.join(HERE, "checkpoints.py")]

# Wall time against `cp` of the input, and peak memory in MB.
BUDGETS = {"fuse .pth": (1.3, 56), "fuse .rvd": (2.0, 56), "import": (1.3, 56), "inspect": (None, 36)}

OFFICIAL_WAY = """
import sys, torch
state = torch.load(sys.argv[1], weights_only=True)
def fold(kernel, p):
    t = state[p + "weight"] / (state[p + "running_var"] + 1e-5).sqrt()
    return kernel * t.reshape(-1, 1, 1, 1), state[p + "bias"] - state[p + "running_mean"] * t
out = {k: v for k, v in state.items() if ".rbr_" not in k}
for k in [k for k in state if k.endswith("rbr_dense.conv.weight")]:
    p = k[:-len("rbr_dense.conv.weight")]
    kernel, bias = fold(state[k], p + "rbr_dense.bn.")
    k1, b1 = fold(torch.nn.functional.pad(state[p + "rbr_1x1.conv.weight"], [1] * 4), p + "rbr_1x1.bn.")
    kernel, bias = kernel + k1, bias + b1
    if p + "rbr_identity.weight" in state:
        eye = torch.zeros_like(state[k]); n = eye.shape[1]
        for i in range(eye.shape[0]): eye[i, i % n, 1, 1] = 1
        ki, bi = fold(eye, p + "rbr_identity.")
        kernel, bias = kernel + ki, bias + bi
    out[p + "rbr_reparam.weight"], out[p + "rbr_reparam.bias"] = kernel, bias
torch.save(out, sys.argv[2])
"""


def run(command):
    """Seconds of wall and CPU time, and peak memory in MB, of one process."""
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"bench: {' '.join(command)}: status {os.waitstatus_to_exitcode(status)}")
    scale = 1 if sys.platform == "darwin" else 1024
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e6


def in_turn(commands, runs):
    """Medians of each command's figures over runs in turn, after one run of each that does not count."""
    results = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, (command, output) in commands.items():
            if output and os.path.exists(output):
                os.remove(output)
            figures = run(command)
            if number:
                results[name].append(figures)
    return {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}


def make_input(folder, network, kind):
    path = os.path.join(folder, f"{network}.{kind}")
    if not os.path.exists(path):
        print(f"bench: making {path}", file=sys.stderr)
        subprocess.run([*CHECKPOINTS, network, kind, path + ".new"], check=True)
        os.rename(path + ".new", path)
    return path


def commands_for(repconv, source, folder, torch=None):
    def out(name):
        return os.path.join(folder, name)

    commands = {
        "cp": (["cp", source, out("copy")], out("copy")),
        "fuse .pth": ([repconv, "fuse", "-q", source, out("o.pth")], out("o.pth")),
        "fuse .rvd": ([repconv, "fuse", "-q", source, out("o.rvd")], out("o.rvd")),
        "fuse .rvd --no-source-digest": (
            [repconv, "fuse", "-q", "--no-source-digest", source, out("n.rvd")], out("n.rvd")),
        "import": ([repconv, "import", "-q", source, "-o", out("i.pth")], out("i.pth")),
        "inspect": ([repconv, "inspect", "--json", source], None),
    }
    if torch:
        commands["PyTorch: load, fuse, save"] = ([torch, "-c", OFFICIAL_WAY, source, out("t.pth")], out("t.pth"))
    return commands


def times(options, folder):
    print("| input | command | wall | CPU | against cp | peak memory | budget |\n|---|---|---|---|---|---|---|")
    kinds = subprocess.run([*CHECKPOINTS, "--formats"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    inputs = [(n, k) for n in ("A0", "B1", "B3") for k in kinds if n != "B1" or k == "pytorch"]
    if options.large:
        inputs.append(("4GB", "pytorch"))
    for network, kind in inputs:
        source = make_input(folder, network, kind)
        torch = options.torch if kind == "pytorch" and network != "4GB" else None
        runs = options.runs if network != "4GB" else min(options.runs, 3)
        results = in_turn(commands_for(options.repconv, source, folder, torch), runs)
        size = os.path.getsize(source) / 1e6
        for name, (wall, cpu, memory) in results.items():
            ratio = wall / results["cp"][0]
            verdict = ""
            if name in BUDGETS:
                most, most_memory = BUDGETS[name]
                holds = (most is None or ratio <= most) and memory <= most_memory
                verdict = "holds" if holds else "**exceeded**"
            print(f"| {network} {kind}, {size:.0f} MB | {name} | {wall:.3f} s | {cpu:.3f} s | {ratio:.2f} | "
                  f"{memory:.1f} MB | {verdict} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repconv", type=os.path.abspath)
    parser.add_argument("--folder", default=".build/bench")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--torch")
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    if options.large and shutil.disk_usage(options.folder).free < 20e9:
        sys.exit("bench: --large needs 20 GB of free disk")
    times(options, options.folder)


if __name__ == "__main__":
    main()
