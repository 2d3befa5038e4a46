internal import Checkpoints
internal import Conversion
internal import Inference
internal import Proof

// A model card as Hugging Face's hub reads it, https://huggingface.co/docs/hub/model-cards: metadata in YAML
// between two lines of `---`, then Markdown. Whatever is from a file is escaped.

/// `README.md`: what the files are, how to run them, what was proven and measured.
@Sendable
func modelCard(_ facts: ReleaseFacts) -> [UInt8] {
  let sections = [
    introduction, files, usage, input, classes, proof, evaluation, origin, terms,
  ]
  let lines =
    ["---"] + frontMatter(facts) + ["---", ""]
    + sections.flatMap { section in
      let lines = section(facts)
      return lines.isEmpty ? [] : lines + [""]
    }
  return Array((lines.dropLast().joined(separator: "\n") + "\n").utf8)
}

// MARK: Metadata

private func frontMatter(_ facts: ReleaseFacts) -> [String] {
  var lines: [String] = []
  if let license = facts.metadata.license { lines += licenseLines(license) }
  lines.append("library_name: repconv")
  if let task = facts.task { lines.append("pipeline_tag: \(yamlQuoted(task))") }
  let tags =
    [facts.task, facts.fusion.source.blockFamily?.lowercased(), "reparameterization"]
    + facts.outputs.map { $0.format.hubTag }
  lines.append("tags:")
  var seen: Set<String> = []
  for tag in tags.compactMap({ $0 }) where seen.insert(tag).inserted {
    lines.append("- \(yamlQuoted(tag))")
  }
  guard let evaluation = facts.evaluation?.evaluation else { return lines }
  let data = yamlQuoted(facts.evaluationName)
  lines += [
    "model-index:",
    "- name: \(yamlQuoted(facts.name))",
    "  results:",
    "  - task:",
    "      type: \(yamlQuoted(facts.task ?? "image-classification"))",
    "    dataset:",
    "      name: \(data)",
    "      type: \(data)",
    "    metrics:",
  ]
  for (name, value) in [("Top-1", evaluation.top1), ("Top-5", evaluation.top5)] {
    lines += ["    - type: accuracy", "      name: \(name) accuracy", "      value: \(value)"]
  }
  return lines
}

/// What the hub calls a license of SPDX's list; any other is `other`, with its name.
private func licenseLines(_ expression: String) -> [String] {
  let lowercased = expression.lowercased()
  let bare = lowercased.hasSuffix("-only") ? String(lowercased.dropLast("-only".count)) : lowercased
  let id = hubSpellings[bare] ?? bare
  return hubLicenses.contains(id)
    ? ["license: \(id)"] : ["license: other", "license_name: \(yamlQuoted(expression))"]
}

private let hubSpellings = [
  "gfdl-1.3": "gfdl", "odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl",
  "c-uda-1.0": "c-uda",
]

/// Those of the hub's list, <https://huggingface.co/docs/hub/repositories-licenses>, that SPDX has as well.
private let hubLicenses: Set = [
  "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause",
  "bsd-3-clause-clear", "bsl-1.0", "c-uda", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
  "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0",
  "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0",
  "cc-by-sa-4.0", "cc0-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0",
  "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "gfdl", "gpl-2.0",
  "gpl-3.0", "isc", "lgpl-2.1", "lgpl-3.0", "lppl-1.3c", "mit", "mpl-2.0", "ms-pl", "ncsa",
  "odbl", "odc-by", "ofl-1.1", "osl-3.0", "pddl", "postgresql", "unlicense", "wtfpl", "zlib",
]

extension OutputFormat {
  /// The tag of a library that reads the format, in the hub's words; nil if it has none.
  fileprivate var hubTag: String? {
    [
      "onnx": "onnx", "safetensors": "safetensors", "pth": "pytorch", "mlpackage": "coreml",
      "param": "ncnn",
    ][name]
  }

  /// How a file of the format is used; empty if there is no usual way.
  fileprivate func usage(_ file: String) -> (language: String, lines: [String])? {
    let usages: [String: (String, [String])] = [
      "rvd": ("sh", ["repconv run \(file) photo.jpg"]),
      "onnx": (
        "python",
        [
          "import onnxruntime",
          "session = onnxruntime.InferenceSession(\"\(file)\")",
          "[logits] = session.run(None, {session.get_inputs()[0].name: images})",
        ]
      ),
      "safetensors": (
        "python",
        ["import safetensors.torch", "state = safetensors.torch.load_file(\"\(file)\")"]
      ),
      "pth": (
        "python", ["import torch", "state = torch.load(\"\(file)\", weights_only=True)"]
      ),
      "npz": ("python", ["import numpy", "state = numpy.load(\"\(file)\")"]),
      "mlpackage": (
        "python", ["import coremltools", "model = coremltools.models.MLModel(\"\(file)\")"]
      ),
      "param": (
        "python",
        [
          "import ncnn", "network = ncnn.Net()", "network.load_param(\"\(file)\")",
          "network.load_model(\"\(file.dropLast("param".count))bin\")",
        ]
      ),
    ]
    return usages[name].map { ($0.0, $0.1) }
  }
}

// MARK: Sections

private func introduction(_ facts: ReleaseFacts) -> [String] {
  let fusion = facts.fusion
  let what =
    "\(markdown(facts.network)) in its deploy form: each of its \(fusion.blocks) blocks is one convolution."
  return [
    "# \(markdown(facts.name))", "",
    what
      + " Fused from a training checkpoint by repconv \(repconvVersion), in float64 and rounded once to \(facts.weightType.rawValue).",
    "", "Parameters: \(fusion.trainParameters) in training, \(fusion.deployParameters) here.",
  ]
}

private func files(_ facts: ReleaseFacts) -> [String] {
  let rows = facts.files.filter { $0.format != nil }.map { file in
    ["`\(file.name)`", markdown(file.format!), "\(file.byteCount)", "`\(file.sha256)`"]
  }
  return ["## Files", ""] + markdownTable(["file", "format", "bytes", "SHA-256"], rows)
    + (facts.contentDigest.map {
      ["", "SHA-256 over the tensors, whatever the container: `\($0)`"]
    } ?? []) + [
      "",
      "`sha256sum -c \(ReleaseDocument.checksumsName)` checks them all; `bom.cdx.json` is a bill of materials (CycloneDX), `\(ReleaseDocument.provenanceName)` says what they were made from (in-toto, SLSA).",
    ]
}

private func usage(_ facts: ReleaseFacts) -> [String] {
  let usages = facts.outputs.compactMap { $0.format.usage($0.name) }
  guard !usages.isEmpty else { return [] }
  return ["## How to run it", ""]
    + usages.map { usage in
      (["```\(usage.language)"] + usage.lines + ["```"]).joined(separator: "\n")
    }.flatMap { [$0, ""] }.dropLast()
}

private func input(_ facts: ReleaseFacts) -> [String] {
  guard let input = facts.fusion.input?.convention else { return [] }
  func list(_ values: [Double]) -> String { values.map { "\($0)" }.joined(separator: ", ") }
  let rows = [
    ["order of the colours", input.channelOrder.rawValue],
    ["white before normalising", "\(input.scale)"],
    ["mean of each channel", list(input.mean)],
    ["standard deviation of each channel", list(input.standardDeviation)],
    ["height and width in pixels", input.size.map { "\($0)" } ?? "not said"],
  ]
  return [
    "## Input", "", "Images as `N x C x H x W`, each value `(value - mean) / deviation`.", "",
  ] + markdownTable(["", ""], rows)
}

private func classes(_ facts: ReleaseFacts) -> [String] {
  let labels = facts.metadata.labels
  guard !labels.isEmpty else {
    return facts.classes.map { ["## Classes", "", "\($0), whose names are not known."] } ?? []
  }
  return ["## Classes", ""]
    + markdownTable(
      ["class", "name"], labels.enumerated().map { ["\($0.offset)", markdown($0.element)] })
}

private func proof(_ facts: ReleaseFacts) -> [String] {
  let rows = facts.proofs.map { proof in
    [
      "`\(proof.file)`", "\(proof.verification.blocks.count)",
      proof.verification.blocks.isEmpty ? "none" : proof.verification.grade.name,
      "\(proof.verification.tensors.count)", proof.networks.summary,
    ]
  }
  let proven = Set(facts.proofs.map(\.file))
  let unread = facts.outputs.map(\.name).filter { !proven.contains($0) }.map { "`\($0)`" }
  return [
    "## What was proven", "",
    "Every block was recomputed from the training checkpoint, by other code than that which fused it, and every other tensor compared; both forms were run on the same random images.",
    "",
  ]
    + markdownTable(
      [
        "file", "blocks", "against float64", "other tensors, equal", "both forms run, in float64",
      ], rows)
    + (unread.isEmpty
      ? []
      : [
        "",
        "Not read back, as repconv only writes \(unread.count == 1 ? "its format" : "their formats"): \(unread.joined(separator: ", ")), made of the same tensors.",
      ])
}

extension NetworkProof {
  fileprivate var summary: String {
    switch self {
    case .leftOut(let reason): "not run: \(markdown(reason))"
    case .compared(let comparison, _):
      // To a power of ten: the last bits of sums are those of a processor.
      comparison.outcomes[0].relative == 0
        ? "equal logits"
        : "logits differ by less than 1e\(exponent(above: comparison.outcomes[0].relative)) of the largest"
    }
  }
}

/// The exponent of the first power of ten above a number that is neither 0 nor tiny.
private func exponent(above number: Double) -> Int {
  var exponent = -20
  while exponent < 0, Double("1e\(exponent)")! <= number { exponent += 1 }
  return exponent
}

private func evaluation(_ facts: ReleaseFacts) -> [String] {
  guard let evaluation = facts.evaluation?.evaluation, let file = facts.evaluatedFile else {
    return []
  }
  func row(_ name: String, _ right: Int, _ share: Double) -> [String] {
    [name, "\((share * 10_000).rounded() / 100) %", "\(right) of \(evaluation.images)"]
  }
  return [
    "## Evaluation", "",
    "`\(file)` on \(evaluation.images) images of \(markdown(facts.evaluationName)):",
    "",
  ]
    + markdownTable(
      ["", "accuracy", "right"],
      [
        row("top-1", evaluation.top1Right, evaluation.top1),
        row("top-5", evaluation.top5Right, evaluation.top5),
      ])
}

private func origin(_ facts: ReleaseFacts) -> [String] {
  let source = facts.fusion.source
  let epsilons = facts.fusion.epsilons.map { "\($0)" }.joined(separator: ", ")
  let rows = [
    ["training checkpoint", markdown(facts.train.name)],
    ["SHA-256", "`\(facts.train.digest)`"],
    ["container", markdown(source.container)],
    ["names", markdown(source.dialect ?? "none")],
    ["BatchNorm's epsilon", epsilons.isEmpty ? "no block has BatchNorm" : epsilons],
  ]
  return ["## Where it comes from", ""] + markdownTable(["", ""], rows)
}

private func terms(_ facts: ReleaseFacts) -> [String] {
  let metadata = facts.metadata
  let rows =
    [
      metadata.license.map { ["license", markdown($0)] },
      metadata.authors.isEmpty
        ? nil : ["authors", metadata.authors.map(markdown).joined(separator: "; ")],
      metadata.homepage.map { ["homepage", markdown($0)] },
    ].compactMap { $0 } + metadata.custom.map { [markdown($0.key), markdown($0.value)] }
  return rows.isEmpty ? [] : ["## Terms", ""] + markdownTable(["", ""], rows)
}
