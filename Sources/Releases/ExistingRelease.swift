internal import Checksums
internal import Conversion
internal import JSON
internal import Tensors

/// What a folder has of the release that is to be there.
package enum ExistingRelease: Sendable {
  /// There is no such folder.
  case absent
  /// All of it, file by file.
  case complete(ReleaseReport)
  /// It, but not all files are there as its checksums say.
  case damaged
  /// The release of another training checkpoint, or one with other parameters, of another version.
  case other

  /// Compares the digests of all files in the folder with its checksums, and what its provenance says with
  /// the digests of what would be read and with `options`.
  ///
  /// - Throws: `ReadError` if what would be read cannot be.
  package init(_ train: String, in folder: String, _ options: ReleaseOptions) throws {
    guard isFolder(folder) else {
      self = .absent
      return
    }
    guard let files = try? files(of: folder) else {
      self = .damaged
      return
    }
    let materials = try options.materials(of: train)
    let expected = try provenancePredicate(
      materials: materials, parameters: options.parameters, builder: options.builder
    ).canonical()
    let statement = try? JSONValue(folder: folder, ReleaseDocument.provenanceName)
    guard try statement?["predicate"]?.canonical() == expected else {
      self = .other
      return
    }
    var report = ReleaseReport(
      name: options.name, folder: folder, train: train, outputs: options.outputs.map(\.name))
    report.status = .unchanged
    report.trainDigest = materials[0].digest
    report.files = files
    report.read(try JSONValue(folder: folder, ReleaseDocument.billName))
    self = .complete(report)
  }
}

extension ReleaseReport {
  /// Takes what a bill of materials says of the model.
  fileprivate mutating func read(_ bill: JSONValue) {
    let model = bill["metadata"]?["component"]
    let card = model?["modelCard"]
    network = card?["modelParameters"]?["modelArchitecture"]?.string
    let metrics = card?["quantitativeAnalysis"]?["performanceMetrics"]?.elements ?? []
    top1 = metrics.first { $0["type"]?.string == "top-1 accuracy" }?["value"]?.string.flatMap {
      Double($0)
    }
    let content = model?["properties"]?.elements?.first {
      $0["name"]?.string == "repconv:content-sha256"
    }
    contentDigest = content?["value"]?.string
  }
}

/// The files that the checksums of a release list, each with the right digest, and the checksums themselves.
///
/// - Throws: `ReadError` if one of them is not as it should be.
private func files(of folder: String) throws -> [ReleasedFile] {
  func file(_ name: String, expecting digest: String? = nil) throws -> ReleasedFile {
    let path = "\(folder)/\(name)"
    let found = try fileDigest(path)
    guard digest == nil || digest == found else {
      throw ReadError.malformed(
        Location(path: path), expected: "the file that the checksums list", found: "another",
        remedy: "Release it again.")
    }
    return ReleasedFile(
      name: name, byteCount: try InputFile(path: path).count, sha256: found, format: nil)
  }
  let list = try InputFile(path: "\(folder)/\(ReleaseDocument.checksumsName)")
  let text = String(decoding: try list.bytes(0..<list.count, field: "the checksums"), as: UTF8.self)
  return try text.split(separator: "\n").map { line in
    let digits = 64
    return try file(String(line.dropFirst(digits + 2)), expecting: String(line.prefix(digits)))
  } + [try file(ReleaseDocument.checksumsName)]
}

extension JSONValue {
  /// A document of a folder.
  fileprivate init(folder: String, _ name: String) throws {
    let file = try InputFile(path: "\(folder)/\(name)")
    self = try JSONValue(
      try file.bytes(0..<file.count, field: "the document"), at: Location(path: file.path))
  }
}
