"""Reads the documents of `repconv release` with the libraries of their formats: CycloneDX's schema, in-toto's
statements, Hugging Face's model cards, and sha256sum. Needs cyclonedx-python-lib[json-validation],
in-toto-attestation, huggingface_hub and NumPy.
"""
import hashlib
import json
import os
import subprocess

import google.protobuf.json_format
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from huggingface_hub import EvalResult, ModelCard
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1.statement import Statement
from interop import FIXTURES, ROOT, Checks, expect

TRAIN = os.path.join(FIXTURES, "PyTorch", "plain-train.pth")
DIGITS = os.path.join(FIXTURES, "Digits", "digits.npz")
HOSTILE = "x](javascript:1) <b>|`a`\x1b[31m & \u202e# \"*b*\" ---\n---\nlicense: evil\\ \U0001f600\x85\ufeff"

# Each with what its card says of the license.
RELEASES = {
    "all formats": (["--formats", "rvd,onnx,safetensors,pth,npz,h5,pkl,wts,mlpackage,param", "--license", "MIT",
                     "--size", "32", "--eval", DIGITS], "mit"),
    "half precision": (["--dtype", "float16", "--license", "CC-BY-NC-4.0", "--name", "half.v1"], "cc-by-nc-4.0"),
    "int8": (["--dtype", "int8", "--formats", "rvd,onnx", "--license", "GPL-3.0-only OR LicenseRef-ours"], "other"),
    "nothing said": (["--formats", "rvd"], None),
    "hostile text": (["--formats", "rvd", "--meta", "authors=" + HOSTILE, "--meta", "task=" + HOSTILE, "--meta",
                      HOSTILE.replace("=", "") + "=" + HOSTILE, "--meta", "homepage=https://example.org/a?b=c#d",
                      "--license", "LicenseRef-x"], "other"),
}


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def digests(folder):
    """What hashlib finds, of every file that SHA256SUMS lists."""
    found = {}
    for line in read(folder, "SHA256SUMS").splitlines():
        with open(os.path.join(folder, line[66:]), "rb") as file:
            found[line[66:]] = hashlib.sha256(file.read()).hexdigest()
    return found


def check_checksums(folder):
    run = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True)
    expect(run.returncode == 0, run.stderr.decode())
    listed = set(digests(folder)) | {"SHA256SUMS"}
    there = {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}
    expect(listed == there, f"listed and there differ: {sorted(listed ^ there)}")


def check_bill(folder):
    text = read(folder, "bom.cdx.json")
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    expect(problem is None, f"{problem}")
    bom = Bom.from_json(json.loads(text))
    model = bom.metadata.component
    expect(model.type.value == "machine-learning-model", model.type)
    expect(bom.serial_number.version == 8 or bom.serial_number.hex[12] == "8", bom.serial_number)
    expect("timestamp" not in json.loads(text)["metadata"], "it has a time")
    found = digests(folder)
    files = {c.name: next(iter(c.hashes)).content for c in model.components}
    expect(files and all(found[name] == digest for name, digest in files.items()), "digests of files differ")


def check_statement(folder):
    text = read(folder, "provenance.intoto.json")
    statement = Statement.copy_from_pb(google.protobuf.json_format.Parse(text, Statement([], "", {}).pb))
    statement.validate()
    found = digests(folder)
    subjects = {s.name: s.digest["sha256"] for s in statement.pb.subject}
    expect(subjects == {k: v for k, v in found.items() if k != "provenance.intoto.json"}, "subjects differ")
    expect(statement.pb.predicate_type == "https://slsa.dev/provenance/v1", statement.pb.predicate_type)
    # Unknown fields are errors.
    predicate = google.protobuf.json_format.Parse(
        json.dumps(json.loads(text)["predicate"]), provenance_pb2.Provenance())
    expect(predicate.build_definition.build_type and predicate.run_details.builder.id, "something is not said")
    with open(TRAIN, "rb") as file:
        train = hashlib.sha256(file.read()).hexdigest()
    expect(predicate.build_definition.resolved_dependencies[0].digest["sha256"] == train, "another checkpoint")


def check_card(folder, license, evaluates):
    card = ModelCard.load(os.path.join(folder, "README.md"))
    expect(card.data.license == license, card.data.license)
    expect(card.data.library_name == "repconv", card.data.library_name)
    results = card.data.eval_results or []
    expect(all(isinstance(r, EvalResult) for r in results), results)
    # Written again, they are what they were.
    expect(ModelCard(str(card)).data.to_dict() == card.data.to_dict(), "it does not come back")
    if not evaluates:
        expect(not results and "model-index" not in str(card), results)
        return
    accuracies = {r.metric_name: r.metric_value for r in results}
    expect(accuracies == {"Top-1 accuracy": 39 / 40, "Top-5 accuracy": 1.0}, accuracies)
    expect(results[0].task_type == "image-classification" and results[0].dataset_name == "digits.npz", results)


def check_own_bill():
    text = subprocess.run([os.path.join(ROOT, "scripts", "sbom")], check=True, capture_output=True, text=True).stdout
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    expect(problem is None, f"{problem}")
    names = {component.name for component in Bom.from_json(json.loads(text)).components}
    expect({"swift", "swift-argument-parser", "swift-crypto", "libzip", "libdeflate", "zstd"} <= names, names)


def main():
    checks = Checks()
    with checks.check("the program itself: CycloneDX 1.6, strictly"):
        check_own_bill()
    for name, (options, license) in RELEASES.items():
        folder = checks.output(name)
        with checks.check(f"{name}: it is released"):
            checks.repconv("release", TRAIN, "-o", folder, *options)
        with checks.check(f"{name}: sha256sum"):
            check_checksums(folder)
        with checks.check(f"{name}: CycloneDX 1.6, strictly"):
            check_bill(folder)
        with checks.check(f"{name}: in-toto statement, SLSA provenance"):
            check_statement(folder)
        with checks.check(f"{name}: model card"):
            check_card(folder, license, "--eval" in options)
    checks.finish()


if __name__ == "__main__":
    main()
