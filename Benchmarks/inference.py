#!/usr/bin/env python3
"""Times `repconv run` of both forms of RepVGGs, and PyTorch doing the same, and prints a table. Needs NumPy.

    inference.py REPCONV [--folder F] [--runs N] [--peers PYTHON] [--networks A0,B1g4,B1]

16 images of 224 x 224 pixels at a time, two threads, float32. The programs are run in turn; each runs a batch to warm up
and then four, of which the median counts; figures are medians over the runs. Reading files and starting up do not count.
--peers names a Python that has PyTorch, whose network is that of Tests/Fixtures/repvgg_torch.py.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from bench import HERE, make_input

BATCH, BATCHES, THREADS = 16, 5, 2


def torch_seconds(form, network, checkpoint, images):
    """Seconds of each batch in PyTorch."""
    sys.path[:0] = [os.path.join(HERE, "..", "Tests", "Fixtures"), os.path.join(HERE, "..", "Tests", "Interop")]
    import numpy as np
    import torch
    import torch.nn.functional as F
    from checkpoints import NETWORKS
    from deploy_network import forward
    from repvgg_torch import RepVGG

    torch.set_num_threads(THREADS)
    state = torch.load(checkpoint, weights_only=True)
    if form == "train":
        blocks, widths, groups = NETWORKS[network]
        model = RepVGG(blocks, widths, groups={layer: groups for layer in range(2, sum(blocks) + 1, 2)})
        model.load_state_dict(state)
        model.eval()
    else:
        class functions:
            conv = staticmethod(lambda x, w, b, stride, padding, groups: F.conv2d(x, w, b, stride, padding, 1, groups))
            relu, sigmoid = torch.relu, torch.sigmoid
            pool = staticmethod(lambda x: x.mean((2, 3), keepdim=True))
            linear = staticmethod(lambda x, w, b: F.linear(x.flatten(1), w, b))
        model = lambda x: forward(state, x, functions)  # noqa: E731
    batches = torch.from_numpy(np.load(images)).split(BATCH)
    seconds = []
    with torch.inference_mode():
        for batch in batches:
            start = time.perf_counter()
            model(batch)
            seconds.append(time.perf_counter() - start)
    return seconds


def output_of(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def make_inputs(repconv, folder, network):
    import numpy as np
    train = make_input(repconv, folder, network, "pytorch")
    images, deploy = (os.path.join(folder, name) for name in ("images.npy", f"{network}.deploy.pth"))
    if not os.path.exists(images):
        shape = (BATCH * BATCHES, 3, 224, 224)
        np.save(images, np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    subprocess.run([repconv, "fuse", "-q", "--force", train, deploy], check=True)
    return images, {"train": train, "deploy": deploy}


def main():
    if sys.argv[1:2] == ["--torch"]:
        return print(json.dumps(torch_seconds(*sys.argv[2:])))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repconv", type=os.path.abspath)
    parser.add_argument("--folder", default=".build/bench")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--networks", default="A0,B1g4,B1")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    if options.peers and "torch-load" not in output_of([options.peers, os.path.join(HERE, "peers.py"), "--list"]):
        options.peers = None

    print("| network | form | repconv | PyTorch | repconv against PyTorch |\n|---|---|---|---|---|")
    for network in options.networks.split(","):
        images, files = make_inputs(options.repconv, options.folder, network)
        seconds = {}
        for _ in range(options.runs):
            for form, file in files.items():
                ours = output_of([options.repconv, "run", file, "--input", images, "--json", "--batch", str(BATCH),
                                  "--threads", str(THREADS)])["secondsPerBatch"]
                seconds.setdefault(("repconv", form), []).append(statistics.median(ours[1:]))
                if options.peers:
                    theirs = output_of([options.peers, os.path.abspath(__file__), "--torch", form, network, file, images])
                    seconds.setdefault(("PyTorch", form), []).append(statistics.median(theirs[1:]))
        for form in files:
            rates = {who: BATCH / statistics.median(all) for (who, f), all in seconds.items() if f == form}
            theirs = f"{rates['PyTorch']:.1f} images/s | {rates['repconv'] / rates['PyTorch']:.2f}" \
                if "PyTorch" in rates else " | "
            print(f"| RepVGG-{network} | {form} | {rates['repconv']:.1f} images/s | {theirs} |", flush=True)


if __name__ == "__main__":
    main()
