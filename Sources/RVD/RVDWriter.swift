public import Checkpoints
internal import Checksums
internal import Graphs
internal import JSON
internal import Synchronization
public import Tensors

/// What was written.
public struct RVDSummary: Equatable, Sendable {
  /// The content digest: who the model is, whatever its order, storage and metadata.
  public var contentSHA256: String
  /// Bytes of the file.
  public var byteCount: Int
}

/// Writes `.rvd` files, version 1.
public enum RVDWriter {
  /// Writes `model` to `file`, which the caller commits.
  ///
  /// Tensors are fetched and written once, piece by piece, several at a time; what they turn out to be
  /// is in the manifest, which follows them, and where that is, in the header, which is set last. The
  /// same model gives the same bytes, on any number of threads.
  ///
  /// - Parameter sourceSHA256: computed while tensors are written, to take the place of the one in the
  ///   model's provenance, which must be there.
  /// - Precondition: nothing has been written to `file`.
  /// - Throws: `WriteError.cannotExpress` if the model breaks a rule of the format (an empty or
  ///   repeated name, a graph that does not fit its tensors), before anything is written; what
  ///   `file` or the tensors throw.
  public static func write(
    _ model: DeployModel, to file: OutputFile, threads: Threads = .all,
    sourceSHA256: (@Sendable () throws -> String)? = nil
  ) throws -> RVDSummary {
    precondition(file.count == 0)
    var manifest = try layOut(model, path: file.path)
    try file.reserve(manifest.offset)
    let digest = Mutex<String?>(nil)
    let checksums = try file.write(
      model.tensors, at: manifest.tensors.map(\.offset), threads: threads,
      aside: {
        let computed = try sourceSHA256?()
        digest.withLock { $0 = computed }
      }
    ) { RVDChecksum(of: model.tensors[$0]) }
    var content = ContentDigest()
    for (index, checksum) in checksums.enumerated() {
      manifest.tensors[index].crc32 = checksum.crc.value
      content.add(model.tensors[index].name, checksum.hash)
    }
    manifest.model.contentSHA256 = content.hexadecimal
    if let digest = digest.withLock({ $0 }) { manifest.model.provenance?.sourceSHA256 = digest }

    let text = try text(of: manifest, path: file.path)
    guard text.count <= Header.maximumManifestLength else {
      throw cannotExpress(
        "the manifest takes \(text.count) bytes, more than \(Header.maximumManifestLength)",
        file.path)
    }
    try file.append(text)
    let header = Header(
      manifestOffset: manifest.offset, manifestLength: text.count, manifestCRC: CRC32(text).value)
    try file.overwrite(header.bytes, at: 0)
    return RVDSummary(contentSHA256: content.hexadecimal, byteCount: file.count)
  }

  /// The manifest of `model` as far as it is known before the tensors are: without checksums and content
  /// digest.
  private static func layOut(_ model: DeployModel, path: String) throws(WriteError) -> Manifest {
    var operands = [Operand?](repeating: nil, count: model.tensors.count)
    for (operand, tensor) in model.description.graph?.nodes.lazy.flatMap(\.tensors) ?? []
    where operands.indices.contains(tensor) {
      operands[tensor] = operands[tensor] ?? operand
    }
    let codec = Codec.raw
    var tensors: [StoredTensor] = []
    for (tensor, operand) in zip(model.tensors, operands) {
      let offset = Manifest.place(after: tensors.last)
      let (bytes, overflow) = tensor.shape.elementCount
        .multipliedReportingOverflow(by: tensor.elementType.byteCount)
      guard !overflow, bytes <= JSONValue.largestInteger, offset <= JSONValue.largestInteger,
        let stored = codec.storedByteCount(bytes)
      else {
        throw cannotExpress("the tensors up to '\(tensor.name)' take 2^53 bytes or more", path)
      }
      tensors.append(
        StoredTensor(
          name: tensor.name, elementType: tensor.elementType, shape: tensor.shape,
          role: operand?.role, layout: operand?.layout.inManifest, codec: codec.name,
          offset: offset, storedByteCount: stored, crc32: 0))
    }
    var manifest = Manifest(tensors: tensors, model: model.description)
    manifest.model.contentSHA256 = nil
    do {
      try manifest.check()
    } catch {
      switch error {
      case .invalid(let place, let expected, let found):
        throw cannotExpress("\(place): expected \(expected), found \(found)", path)
      case .unsupported(_, let what): throw cannotExpress(what, path)
      }
    }
    return manifest
  }

  private static func text(of manifest: Manifest, path: String) throws(WriteError) -> [UInt8] {
    do {
      return try manifest.json.canonical()
    } catch {
      throw cannotExpress(error.description, path)
    }
  }

  private static func cannotExpress(_ what: String, _ path: String) -> WriteError {
    .cannotExpress(
      path: path, what: "an RVD file cannot hold this model: \(what)",
      remedy: "Write another format, or correct the model.")
  }
}

/// Both checksums of a tensor: the file's and the model's.
private struct RVDChecksum: TensorChecksum {
  var crc = CRC32()
  var hash: SHA256

  init(of tensor: OutputTensor) {
    hash = ContentDigest.begin(name: tensor.name, tensor.elementType, tensor.shape)
  }

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    unsafe crc.update(bytes)
    unsafe hash.update(bytes)
  }
}
