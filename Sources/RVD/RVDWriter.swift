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
  /// Bytes of all elements, as they are.
  public var elementByteCount: Int
  /// Bytes that they take in the file.
  public var storedByteCount: Int
}

/// Writes `.rvd` files, version 1.
public enum RVDWriter {
  /// Writes `model` to `file`, which the caller commits.
  ///
  /// Tensors are fetched and written once, piece by piece, several at a time; what they turn out to be
  /// is in the manifest, which follows them, and where that is, in the header, which is set last. The
  /// same model gives the same bytes, on any number of threads; compressed, with the same libzstd.
  ///
  /// The scales of an int8 tensor are stored behind it, under its name and `_scale`.
  ///
  /// - Parameters:
  ///   - compression: how small the tensors are made; nil to store them as they are, so that they can be
  ///     mapped. What a tensor holds is the same in any case, and the content digest, too.
  ///   - sourceSHA256: computed while tensors are written, to take the place of the one in the model's
  ///     provenance, which must be there.
  /// - Precondition: nothing has been written to `file`.
  /// - Throws: `WriteError.cannotExpress` if the model breaks a rule of the format (an empty or
  ///   repeated name, a graph that does not fit its tensors), before anything is written; what
  ///   `file` or the tensors throw.
  public static func write(
    _ model: DeployModel, to file: OutputFile, compression: Compression? = nil,
    threads: Threads = .all, sourceSHA256: (@Sendable () throws -> String)? = nil
  ) throws -> RVDSummary {
    precondition(file.count == 0)
    let stored = try StoredModel(model, path: file.path)
    var manifest = try layOut(stored, path: file.path)
    // Compressed tensors take no more.
    try file.reserve(manifest.offset)
    let digest = Mutex<String?>(nil)
    let aside = { @Sendable in
      let computed = try sourceSHA256?()
      digest.withLock { $0 = computed }
    }
    let digests: [ElementDigest]
    if let compression {
      let written = try file.write(
        stored.tensors, codec: .planesZstd, compression, threads: threads, aside: aside)
      for (index, tensor) in written.tensors.enumerated() { manifest.tensors[index].take(tensor) }
      digests = written.digests
      try file.truncate(to: manifest.offset)
    } else {
      let checksums = try file.write(
        stored.tensors, at: manifest.tensors.map(\.offset), threads: threads, aside: aside,
        checksum: { RVDChecksum(of: stored.tensors[$0]) })
      for (index, checksum) in checksums.enumerated() {
        manifest.tensors[index].crc32 = checksum.crc.value
      }
      digests = checksums.map(\.digest)
    }
    manifest.model.contentSHA256 = manifest.contentDigest(of: digests)
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
    return RVDSummary(
      contentSHA256: manifest.model.contentSHA256!, byteCount: file.count,
      elementByteCount: manifest.tensors.reduce(0) { $0 + $1.byteCount },
      storedByteCount: manifest.tensors.reduce(0) { $0 + $1.storedByteCount })
  }

  /// The manifest of `model` as far as it is known before the tensors are, which are stored as they are:
  /// without checksums and content digest.
  private static func layOut(_ model: StoredModel, path: String) throws(WriteError) -> Manifest {
    var operands = [Operand?](repeating: nil, count: model.tensors.count)
    for (operand, tensor) in model.description.graph?.nodes.lazy.flatMap(\.tensors) ?? []
    where operands.indices.contains(tensor) {
      operands[tensor] = operands[tensor] ?? operand
    }
    var tensors: [StoredTensor] = []
    for (index, tensor) in model.tensors.enumerated() {
      let offset = Manifest.place(after: tensors.last)
      let (bytes, overflow) = tensor.shape.elementCount
        .multipliedReportingOverflow(by: tensor.elementType.byteCount)
      guard !overflow, bytes <= JSONValue.largestInteger, offset <= JSONValue.largestInteger
      else {
        throw cannotExpress(
          "the tensors up to '\(printable(tensor.name))' take 2^53 bytes or more", path)
      }
      tensors.append(
        StoredTensor(
          name: tensor.name, elementType: tensor.elementType, shape: tensor.shape,
          role: operands[index]?.role, layout: operands[index]?.layout.inManifest,
          codec: Codec.raw.name, scales: model.scales[index], offset: offset,
          storedByteCount: bytes, crc32: 0))
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

  fileprivate static func cannotExpress(_ what: String, _ path: String) -> WriteError {
    .cannotExpress(
      path: path, what: "an RVD file cannot hold this model: \(what)",
      remedy: "Write another format, or correct the model.")
  }
}

/// Both checksums of a tensor: the file's and the model's.
private struct RVDChecksum: TensorChecksum {
  var crc = CRC32()
  var digest: ElementDigest

  init(of tensor: OutputTensor) { digest = ElementDigest(of: tensor) }

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    unsafe crc.update(bytes)
    unsafe digest.update(bytes)
  }
}

/// A model as a file stores it: each tensor's scales, if it has some, are a tensor behind it.
private struct StoredModel {
  var tensors: [OutputTensor] = []
  var description: ModelDescription
  /// The index of each tensor's scales.
  var scales: [Int?] = []

  init(_ model: DeployModel, path: String) throws {
    description = model.description
    let names = Set(model.tensors.map(\.name))
    var places: [Int] = []
    for var tensor in model.tensors {
      places.append(tensors.count)
      let values = tensor.scales
      tensor.scales = nil
      tensors.append(tensor)
      scales.append(values == nil ? nil : tensors.count)
      guard let values else { continue }
      let name = tensor.name + "_scale"
      guard !names.contains(name) else {
        throw RVDWriter.cannotExpress(
          "the scales of '\(printable(tensor.name))' are to be called '\(printable(name))', which another tensor is",
          path
        )
      }
      tensors.append(
        OutputTensor(name: name, try Tensor(float32: values, shape: [values.count], name: name)))
      scales.append(nil)
    }
    // An index that is none stays one, to be refused with the rest of the graph.
    let count = tensors.count
    description.graph = description.graph?.renumbered {
      [places] in places.indices.contains($0) ? places[$0] : count
    }
  }
}

extension StoredTensor {
  /// Takes over what became of a tensor in the file.
  fileprivate mutating func take(_ written: WrittenTensor) {
    codec = written.codec.name
    frames = written.codec.planes == nil ? nil : written.frames
    offset = written.offset
    storedByteCount = written.byteCount
    crc32 = written.crc.value
  }
}

extension Manifest {
  /// The content digest in hexadecimal.
  ///
  /// - Parameter digests: one for each tensor, fed its elements.
  func contentDigest(of digests: [ElementDigest]) -> String {
    var scales: [Int: Int] = [:]
    for (index, tensor) in tensors.enumerated() { scales[index] = tensor.scales }
    return ContentDigest(of: digests, scales: scales).hexadecimal
  }
}
