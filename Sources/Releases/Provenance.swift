internal import Conversion
internal import JSON
internal import Tensors

// An in-toto statement, version 1, with SLSA's provenance, version 1, as its predicate:
//   https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
//   https://slsa.dev/spec/v1.0/provenance
// It has no dates and no paths, and nobody signed it: that is for the tools made for it.

/// What was released, and from what.
@Sendable
func provenanceStatement(_ facts: ReleaseFacts) throws -> [UInt8] {
  let statement: JSONValue = [
    "_type": "https://in-toto.io/Statement/v1",
    "subject": .array(
      facts.files.map { ["name": .string($0.name), "digest": ["sha256": .string($0.sha256)]] }),
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": provenancePredicate(
      materials: facts.materials, parameters: facts.parameters, builder: facts.builder),
  ]
  return Array(try statement.indented().utf8)
}

/// All that decides the bytes of a release, and so is known before it is made.
func provenancePredicate(
  materials: [Material], parameters: [JSONValue.Member], builder: String
) -> JSONValue {
  [
    "buildDefinition": [
      // See formats/release.md.
      "buildType": "urn:repconv:release:1",
      "externalParameters": .object(parameters),
      "resolvedDependencies": .array(materials.map(\.descriptor)),
    ],
    "runDetails": [
      "builder": ["id": .string(builder), "version": ["repconv": .string(repconvVersion)]]
    ],
  ]
}
