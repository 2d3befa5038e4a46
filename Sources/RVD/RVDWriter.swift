internal import Checksums
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
  /// Every length is known before the first element is: the manifest is laid out with zeros for the
  /// checksums, the tensors are fetched and written once, piece by piece, and the header and manifest
  /// are put in place last. The same model gives the same bytes, on any number of threads.
  ///
  /// - Parameter sourceSHA256: computed while tensors are written, to take the place of the one in
  ///   `model.provenance`, which must be there.
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
    if sourceSHA256 != nil { manifest.provenance?.sourceSHA256 = unknownDigest }
    let placeholder = try text(of: manifest, path: file.path)
    guard placeholder.count <= Header.maximumManifestLength else {
      throw cannotExpress(
        "the manifest takes \(placeholder.count) bytes, more than \(Header.maximumManifestLength)",
        file.path)
    }
    let dataStart = Header.aligned(Header.byteCount + placeholder.count)
    try file.reserve(dataStart + manifest.dataLength)
    let digest = Mutex<String?>(nil)
    let checksums = try file.write(
      model.tensors, at: manifest.tensors.map { dataStart + $0.offset }, threads: threads,
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

    manifest.contentSHA256 = content.hexadecimal
    if let digest = digest.withLock({ $0 }) { manifest.provenance?.sourceSHA256 = digest }
    let text = try text(of: manifest, path: file.path)
    precondition(text.count == placeholder.count)
    let header = Header(
      manifestLength: text.count, dataLength: manifest.dataLength, manifestCRC: CRC32(text).value)
    try file.overwrite(header.bytes + text, at: 0)
    return RVDSummary(contentSHA256: manifest.contentSHA256, byteCount: file.count)
  }

  /// What stands in the place of a digest that is yet to be computed.
  private static let unknownDigest = String(repeating: "0", count: 64)

  /// The manifest of `model`, complete but for the checksums, which are zeros.
  private static func layOut(_ model: DeployModel, path: String) throws(WriteError) -> Manifest {
    var roles: [[UInt8]: TensorRole] = [:]
    for operation in model.graph ?? [] {
      for (_, name, role) in operation.references { roles[Array(name.utf8)] = role }
    }
    var tensors: [StoredTensor] = []
    var end = 0
    for tensor in model.tensors {
      let (bytes, overflow) = tensor.shape.elementCount
        .multipliedReportingOverflow(by: tensor.elementType.byteCount)
      guard !overflow, bytes <= JSONValue.largestInteger, end <= JSONValue.largestInteger else {
        throw cannotExpress("the tensors up to '\(tensor.name)' take 2^53 bytes or more", path)
      }
      let role = roles[Array(tensor.name.utf8)]
      tensors.append(
        StoredTensor(
          name: tensor.name, elementType: tensor.elementType, shape: tensor.shape,
          role: role?.rawValue, layout: role?.layout, codec: StoredTensor.raw,
          offset: Header.aligned(end), storedByteCount: bytes, crc32: 0))
      end = Header.aligned(end) + bytes
    }
    let manifest = Manifest(
      tensors: tensors, graph: model.graph, architecture: model.architecture,
      classes: model.classes, input: model.input, provenance: model.provenance,
      contentSHA256: unknownDigest)
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
