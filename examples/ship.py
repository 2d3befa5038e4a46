#!/usr/bin/env python3
"""Fuses a training checkpoint, proves that the result is the same network, and says who it is, as a release script
would. It needs the program repconv, on PATH or named by the variable REPCONV, and Python's standard library.

usage: ship.py CHECKPOINT DEPLOY.rvd [OPTION OF repconv fuse...]
"""

import json
import os
import subprocess
import sys


def repconv(command, *arguments):
    """Runs a command and returns its report, whose keys formats/json.md lists.

    Ends the script with the status of repconv if there is none; repconv has said why on standard error. Status 1
    with a report is a check that failed, which the report tells of.
    """
    done = subprocess.run(
        [os.environ.get("REPCONV", "repconv"), command, *arguments, "--json"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    if not done.stdout:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    checkpoint, deploy, *options = sys.argv[1:]

    fused = repconv("fuse", checkpoint, deploy, "--strict", "--force", *options)
    proof = repconv("verify", checkpoint, deploy)

    print("network    ", fused["source"]["architecture"])
    print("parameters ", fused["trainParameters"], "before,", fused["deployParameters"], "after")
    print("bytes      ", fused["output"]["bytes"])
    print("digest     ", fused["output"]["content"])
    print("proof      ", "the same network" if proof["same"] else "NOT the same network")
    sys.exit(0 if proof["same"] else 1)


if __name__ == "__main__":
    main()
