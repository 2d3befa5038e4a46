internal import Checksums
internal import Dispatch
internal import JSON
internal import Synchronization
public import Tensors

/// A `.rvd` file, open for reading: a model in deploy form that describes and checks itself.
///
/// The layout; `formats/rvd.md` is the specification.
///
///     0          header     64 bytes: magic, versions, lengths, checksums; see `Header`
///     64         manifest   canonical JSON: tensors, graph, input, provenance; see `Manifest`
///                zeros      up to a multiple of 64
///     dataStart  data       the tensors in the manifest's order, each at a multiple of 64, zeros
///                           between them, nothing after the last
///
/// Opening reads the header and the manifest and checks every rule about them. The tensors' bytes are
/// read when they are asked for; `verify` compares all of them with the checksums.
public struct RVDFile: Sendable {
  /// The first bytes of every `.rvd` file.
  public static let magic = Header.magic

  /// The edition of the specification that the file follows.
  public let version: Int
  /// The tensors as the manifest describes them, in the file's order.
  public let storedTensors: [StoredTensor]
  /// The same tensors, lazily, in the same order. A tensor's source verifies its CRC-32.
  public let tensors: [NamedTensor]
  /// The network, if the file knows it.
  public let graph: [Operation]?
  public let architecture: String?
  public let classes: Int?
  public let input: InputConvention?
  public let provenance: Provenance?
  /// The content digest that the file records; `verify` computes it.
  public let contentSHA256: String
  /// Bytes of the file.
  public var byteCount: Int { source.count }

  private let source: any ByteSource
  private let dataStart: Int

  /// Opens a file for use: after verifying all of it, unless told not to.
  ///
  /// - Throws: `ReadError`; a damaged tensor is named as the member of the location.
  public static func open(path: String, verify: Bool = true) throws(ReadError) -> RVDFile {
    let file = try RVDFile(path: path)
    if verify { try file.verify() }
    return file
  }

  /// Reads the header and the manifest of a file, and checks them. The tensors are not verified.
  public init(path: String) throws(ReadError) {
    try self.init(source: InputFile(path: path))
  }

  /// Reads the header and the manifest, and checks them. The tensors are not verified.
  public init(source: any ByteSource) throws(ReadError) {
    let header = try Header(of: source)
    let manifest = try RVDFile.manifest(in: source, header)
    guard manifest.dataLength == header.dataLength else {
      throw .malformed(
        source.location(at: 32),
        expected: "the length of the tensors and their padding, \(manifest.dataLength)",
        found: "\(header.dataLength)", remedy: writersFault)
    }
    self.source = source
    version = Int(header.version)
    dataStart = header.dataStart
    storedTensors = manifest.tensors
    graph = manifest.graph
    architecture = manifest.architecture
    classes = manifest.classes
    input = manifest.input
    provenance = manifest.provenance
    contentSHA256 = manifest.contentSHA256

    var tensors: [NamedTensor] = []
    for stored in manifest.tensors {
      let region = try RVDFile.region(of: stored, in: source, dataStart)
      tensors.append(
        NamedTensor(
          stored.name,
          try Tensor(stored.elementType, shape: stored.shape, in: region, name: stored.name)))
    }
    self.tensors = tensors
  }

  private static func manifest(
    in source: any ByteSource, _ header: Header
  ) throws(ReadError) -> Manifest {
    let end = Header.byteCount + header.manifestLength
    let text = try source.bytes(Header.byteCount..<end, field: "the manifest")
    let place = source.location(at: Header.byteCount)
    let computed = CRC32(text).value
    guard computed == header.manifestCRC else {
      throw .checksumMismatch(place, recorded: header.manifestCRC, computed: computed)
    }
    try checkZeros(end..<header.dataStart, of: source)

    let json = try JSONValue(canonical: text, at: place)
    do {
      let manifest = try Manifest(json)
      try manifest.check()
      return manifest
    } catch {
      switch error {
      case .invalid(let member, let expected, let found):
        throw .malformed(
          place, expected: "\(member) in the manifest to be \(expected)", found: found,
          remedy: writersFault)
      case .unsupported(_, let what):
        throw .unsupported(
          place, what: "\(what), which this version does not know",
          remedy: "Update repconv, or ask the file's author for one with less in it.")
      }
    }
  }

  private static func region(
    of stored: StoredTensor, in source: any ByteSource, _ dataStart: Int
  ) throws(ReadError) -> ByteRegion {
    var place = source.location
    place.member = stored.name
    place.offset = nil
    return try ByteRegion(
      of: source, start: dataStart + stored.offset, count: stored.storedByteCount,
      field: "tensor '\(stored.name)'", location: place, crc: stored.crc32)
  }

  /// Reads the whole file once and checks what opening did not: every tensor's checksum, the zeros
  /// between the tensors, and the content digest.
  ///
  /// With what opening checks, no byte of a file can change unnoticed.
  public func verify() throws(ReadError) {
    // Tensors are independent of each other, in the digest too, so all processors take part.
    let results = Mutex([Result<SHA256, ReadError>?](repeating: nil, count: storedTensors.count))
    DispatchQueue.concurrentPerform(iterations: storedTensors.count) { index in
      let result = Result { () throws(ReadError) in try verifyTensor(index) }
      results.withLock { $0[index] = result }
    }
    var content = ContentDigest()
    for (stored, result) in zip(storedTensors, results.withLock { $0 }) {
      content.add(stored.name, try result!.get())
    }
    let computed = content.hexadecimal
    guard computed == contentSHA256 else {
      throw .malformed(
        source.location, expected: "tensors with the content SHA-256 \(contentSHA256)",
        found: "tensors with \(computed)", remedy: writersFault)
    }
  }

  /// Checks one tensor and the zeros before it.
  ///
  /// - Returns: the hash of its part of the content digest.
  private func verifyTensor(_ index: Int) throws(ReadError) -> SHA256 {
    let stored = storedTensors[index]
    let end =
      index == 0 ? 0 : storedTensors[index - 1].offset + storedTensors[index - 1].storedByteCount
    try RVDFile.checkZeros(dataStart + end..<dataStart + stored.offset, of: source)
    // A region of its own, whatever has been read of the tensor before.
    let region = try RVDFile.region(of: stored, in: source, dataStart)
    var hash = ContentDigest.begin(name: stored.name, stored.elementType, stored.shape)
    var buffer = [UInt8](repeating: 0, count: min(1 << 18, region.count))
    var next = 0
    while next < region.count {
      let size = min(buffer.count, region.count - next)
      try unsafe buffer.withMutableBytes { (bytes) throws(ReadError) in
        let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<size])
        try unsafe region.read(into: piece, at: next)
        unsafe hash.update(UnsafeRawBufferPointer(piece))
      }
      next += size
    }
    try region.verify()
    return hash
  }

  /// Checks padding, which is shorter than the alignment.
  private static func checkZeros(
    _ range: Range<Int>, of source: any ByteSource
  ) throws(ReadError) {
    guard !range.isEmpty else { return }
    let bytes = try source.bytes(range, field: "padding")
    if let index = bytes.firstIndex(where: { $0 != 0 }) {
      throw .malformed(
        source.location(at: range.lowerBound + index), expected: "zero in the padding",
        found: "the byte \(bytes[index])", remedy: fetchAgain)
    }
  }
}

extension RVDFile {
  /// The file as every reader of checkpoints presents its own.
  public var checkpoint: Checkpoint {
    Checkpoint(
      path: source.location.path, container: "RVD \(version)", family: "rvd",
      byteCount: byteCount, stateDicts: [StateDict(tensors: tensors)])
  }

  /// The model, to be written again.
  ///
  /// - Parameter provenance: where it comes from now; the file's own is optional.
  public func deployModel(provenance: Provenance) -> DeployModel {
    DeployModel(
      tensors: tensors.map { OutputTensor(name: $0.name, $0.tensor) }, graph: graph,
      architecture: architecture, classes: classes, input: input, provenance: provenance)
  }
}
