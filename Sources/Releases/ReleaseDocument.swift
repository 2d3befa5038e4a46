internal import Reporting

/// A document of a release, made of what is known when all model files are there.
struct ReleaseDocument: Sendable {
  /// Of the file.
  let name: String
  let contents: @Sendable (ReleaseFacts) throws -> [UInt8]

  /// All of them, in the order in which they are made: each knows the files before it. To add one, write its
  /// function and name it here, before those that tell the digests of all others.
  static let all = [
    ReleaseDocument(name: "README.md", contents: modelCard),
    ReleaseDocument(name: "report.html", contents: page),
    ReleaseDocument(name: billName, contents: billOfMaterials),
    ReleaseDocument(name: provenanceName, contents: provenanceStatement),
    ReleaseDocument(name: checksumsName, contents: checksums),
  ]

  /// What a folder has to have to be a release.
  static let checksumsName = "SHA256SUMS"
  static let billName = "bom.cdx.json"
  static let provenanceName = "provenance.intoto.json"
}

/// The network drawn, its weights and its proof, as `report` tells them.
@Sendable
private func page(_ facts: ReleaseFacts) throws -> [UInt8] {
  let (train, model, options) = facts.readable
  return Array(try report(model, training: train, options: options).html.utf8)
}

/// The digests of all files before it, as `sha256sum` prints them and `sha256sum -c` reads them.
@Sendable
private func checksums(_ facts: ReleaseFacts) -> [UInt8] {
  Array(facts.files.map { "\($0.sha256)  \($0.name)\n" }.joined().utf8)
}
