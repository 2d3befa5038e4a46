#!/usr/bin/env python3
"""Times `repconv run` of whole networks, and PyTorch doing the same, and prints a table. Needs NumPy.

    inference.py REPCONV [--folder F] [--runs N] [--peers PYTHON] [--networks A0,B1] [--forms deploy] [--batches 16,1]
                 [--threads N]

Images of 224 x 224 pixels, float32, two threads if not told otherwise. The programs are run in turn; each runs a batch to
warm up and then more, of which the median counts; figures are medians over the runs. Reading files and starting up do not
count. --peers names a Python that has PyTorch. It runs deploy forms from the graph of the .rvd file, training forms as
Tests/Fixtures/repvgg_torch.py, each with images and weights as they come and in the memory format channels_last.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

from bench import HERE, make_input

# Images at a time: how many batches are timed, after the first.
BATCHES = {16: 4, 1: 24}
FORMATS = ("default", "channels_last")


def torch_program(form, network, file):
    """A module that computes the network of a file."""
    sys.path[:0] = [os.path.join(HERE, "..", "Tests", folder) for folder in ("Fixtures", "Interop")]
    import torch
    from checkpoints import NETWORKS
    if form == "train":
        from repvgg_torch import RepVGG
        blocks, widths, groups = NETWORKS[network]
        model = RepVGG(blocks, widths, groups={layer: groups for layer in range(2, sum(blocks) + 1, 2)})
        model.load_state_dict(torch.load(file, weights_only=True))
        return model.eval()

    from rvd_network import OPERANDS, OPERATIONS, read
    manifest, values = read(file)

    class Deploy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = torch.nn.ParameterList(
                torch.nn.Parameter(torch.tensor(values[entry["name"]]), requires_grad=False)
                for entry in manifest["tensors"])
            self.last = {value: index for index, node in enumerate(manifest["graph"]) for value in node["inputs"]}

        def forward(self, x):
            results = {0: x}
            for index, node in enumerate(manifest["graph"]):
                members = {key: value for key, value in node.items() if key not in ("op", "inputs", "block")}
                members |= {key: self.parts[members[key]] for key in OPERANDS.get(node["op"], ()) if key in members}
                inputs = [results[value] for value in node["inputs"]]
                results[index + 1] = OPERATIONS[node["op"]](*inputs, **members)
                # Memory that is not needed any more is used again.
                for value in node["inputs"]:
                    if self.last[value] == index:
                        results.pop(value, None)
            return results[len(manifest["graph"])]

    return Deploy()


def torch_seconds(form, network, file, images, size, threads, format):
    """Seconds of each batch in PyTorch, and processor seconds of an image."""
    import numpy as np
    import torch
    torch.set_num_threads(int(threads))
    options = {"memory_format": torch.channels_last} if format == "channels_last" else {}
    model = torch_program(form, network, file).to(**options)
    batches = [batch.contiguous(**options) for batch in torch.from_numpy(np.load(images)).split(int(size))]
    seconds = []
    with torch.inference_mode():
        model(batches[0])
        processor = time.process_time()
        for batch in batches[1:]:
            start = time.perf_counter()
            model(batch)
            seconds.append(time.perf_counter() - start)
    return seconds, (time.process_time() - processor) / len(seconds) / int(size)


def output_of(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def repconv_seconds(repconv, file, folder, size, threads):
    """The same of repconv; processor seconds are those of all images less those of a run with one batch."""
    def run(images):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = output_of([repconv, "run", file, "--input", os.path.join(folder, images), "--json",
                            "--batch", str(size), "--threads", str(threads)])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return output["secondsPerBatch"], after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    _, first = run(f"images{size}-1.npy")
    seconds, all = run(f"images{size}.npy")
    return seconds[1:], (all - first) / BATCHES[size] / size


def make_inputs(repconv, folder, network):
    import numpy as np
    for size, count in BATCHES.items():
        for name, batches in ((f"images{size}", count + 1), (f"images{size}-1", 1)):
            path = os.path.join(folder, name + ".npy")
            if not os.path.exists(path):
                shape = (size * batches, 3, 224, 224)
                np.save(path, np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    train = make_input(repconv, folder, network, "pytorch")
    deploy = os.path.join(folder, f"{network}.rvd")
    subprocess.run([repconv, "fuse", "-q", "--force", train, deploy], check=True)
    return {"train": train, "deploy": deploy}


def main():
    if sys.argv[1:2] == ["--torch"]:
        return print(json.dumps(torch_seconds(*sys.argv[2:])))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repconv", type=os.path.abspath)
    parser.add_argument("--folder", default=".build/bench")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--networks", default="A0,B1,B1g4,MobileOne-S1")
    parser.add_argument("--forms", default="deploy,train")
    parser.add_argument("--batches", default="16,1")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    if options.peers and "torch-load" not in output_of([options.peers, os.path.join(HERE, "peers.py"), "--list"]):
        options.peers = None

    print("Images a second, in brackets milliseconds of processor time for an image; last the ratios of both.\n")
    print("| network | form | batch | repconv | PyTorch | PyTorch, channels_last | repconv against the better |")
    print("|---|---|---|---|---|---|---|")
    for network in options.networks.split(","):
        files = make_inputs(options.repconv, options.folder, network)
        for form in options.forms.split(","):
            # Of MobileOne there is no training form in PyTorch here.
            formats = FORMATS if options.peers and (form == "deploy" or not network.startswith("MobileOne")) else ()
            for size in map(int, options.batches.split(",")):
                measured = {}
                for _ in range(options.runs):
                    measured.setdefault("repconv", []).append(
                        repconv_seconds(options.repconv, files[form], options.folder, size, options.threads))
                    for format in formats:
                        images = os.path.join(options.folder, f"images{size}.npy")
                        measured.setdefault(format, []).append(output_of(
                            [options.peers, os.path.abspath(__file__), "--torch", form, network, files[form], images,
                             str(size), str(options.threads), format]))
                rates = {who: size / statistics.median(statistics.median(seconds) for seconds, _ in runs)
                         for who, runs in measured.items()}
                cells = [f"{rates[who]:.1f} ({1000 * statistics.median(cpu for _, cpu in measured[who]):.1f})"
                         if who in rates else "" for who in ("repconv", *FORMATS)]
                ratio = ""
                if formats:
                    cost = {who: statistics.median(cpu for _, cpu in runs) for who, runs in measured.items()}
                    ratio = f"{rates['repconv'] / max(rates[f] for f in formats):.2f} " \
                        f"({min(cost[f] for f in formats) / cost['repconv']:.2f})"
                name = network if network.startswith("MobileOne") else f"RepVGG-{network}"
                print(f"| {name} | {form} | {size} | {' | '.join(cells)} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
