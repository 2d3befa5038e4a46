internal import Checkpoints
internal import Checksums
internal import Conversion
internal import Inference
internal import JSON
internal import Tensors

// A bill of materials of CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/: the model with its card, the files
// that it consists of, and the training checkpoint as its ancestor. No time, and a serial number that follows
// from all else, so that the same release has the same bytes.

/// What the release consists of.
@Sendable
func billOfMaterials(_ facts: ReleaseFacts) throws -> [UInt8] {
  func bill(serialNumber: JSONValue?) -> JSONValue {
    .object(present: [
      "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
      "bomFormat": "CycloneDX", "specVersion": "1.6",
      "serialNumber": serialNumber,
      "version": 1,
      "metadata": [
        "tools": [
          "components": [
            [
              "type": "application", "name": "repconv", "version": .string(repconvVersion),
            ]
          ]
        ],
        "component": model(facts),
      ],
    ])
  }
  var hash = SHA256()
  hash.update(try bill(serialNumber: nil).canonical())
  let serialNumber = JSONValue.string("urn:uuid:\(uuid(of: hash.finalize()))")
  return Array(try bill(serialNumber: serialNumber).indented().utf8)
}

/// A UUID of version 8 (RFC 9562, section 5.8): the first 122 bits of a digest.
private func uuid(of digest: [UInt8]) -> String {
  var bytes = Array(digest.prefix(16))
  bytes[6] = bytes[6] & 0x0F | 0x80
  bytes[8] = bytes[8] & 0x3F | 0x80
  let digits = bytes.hexadecimal
  var groups: [Substring] = []
  var rest = digits[...]
  for count in [8, 4, 4, 4, 12] {
    groups.append(rest.prefix(count))
    rest = rest.dropFirst(count)
  }
  return groups.joined(separator: "-")
}

private func hashes(_ sha256: String) -> JSONValue {
  [["alg": "SHA-256", "content": .string(sha256)]]
}

private func model(_ facts: ReleaseFacts) -> JSONValue {
  let metadata = facts.metadata
  // That of the file which stands for it; a package of several has none.
  let main = facts.files.first { $0.name == facts.outputs[0].name }
  let properties = KeyValuePairs<String, String?>(
    dictionaryLiteral: ("repconv:content-sha256", facts.contentDigest),
    ("repconv:dtype", facts.weightType.rawValue),
    ("repconv:parameters", "\(facts.fusion.deployParameters)"))
  return .object(present: [
    "type": "machine-learning-model", "bom-ref": "model", "name": .string(facts.name),
    "authors": metadata.authors.isEmpty
      ? nil : .array(metadata.authors.map { ["name": .string($0)] }),
    "hashes": main.map { hashes($0.sha256) },
    "licenses": metadata.license.map { [["expression": .string($0)]] },
    // Whatever a file calls its homepage, this has to be an address.
    "externalReferences": metadata.homepage.flatMap { url in
      url.wholeMatch(of: #/[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:\/?#@!$&'()*+,;=%]+/#).map { _ in
        [["type": "website", "url": .string(url)]]
      }
    },
    "pedigree": [
      "ancestors": [
        [
          "type": "machine-learning-model", "bom-ref": "training-checkpoint",
          "name": .string(facts.train.name), "hashes": hashes(facts.train.digest),
        ]
      ]
    ],
    "components": .array(
      facts.files.filter { $0.format != nil }.map { file in
        .object(present: [
          "type": "file", "bom-ref": .string("file:\(file.name)"), "name": .string(file.name),
          "description": file.format.map(JSONValue.string), "hashes": hashes(file.sha256),
        ])
      }),
    "properties": .array(
      properties.compactMap { name, value in
        value.map { ["name": .string(name), "value": .string($0)] }
      }),
    "modelCard": card(facts),
  ])
}

private func card(_ facts: ReleaseFacts) -> JSONValue {
  let input = facts.fusion.input?.convention.description
  let metrics = facts.evaluation.map { report in
    let share = report.evaluation
    return [("top-1 accuracy", share.top1), ("top-5 accuracy", share.top5)].map {
      (type, value) -> JSONValue in
      [
        "type": .string(type), "value": .string("\(value)"),
        "slice": .string("\(share.images) images of \(facts.evaluationName)"),
      ]
    }
  }
  return .object(present: [
    "modelParameters": .object(present: [
      "task": facts.task.map(JSONValue.string),
      "architectureFamily": facts.fusion.source.blockFamily.map(JSONValue.string),
      "modelArchitecture": .string(facts.network),
      "inputs": input.map { [["format": .string("image: \($0)")]] },
      "outputs": facts.classes.map { [["format": .string("\($0) logits, one for each class")]] },
    ]),
    "quantitativeAnalysis": metrics.map { ["performanceMetrics": .array($0)] },
  ])
}
