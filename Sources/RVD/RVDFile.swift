public import Checkpoints
internal import Checksums
internal import JSON
public import Tensors

/// A `.rvd` file, open for reading: a model in deploy form that describes and checks itself.
///
/// The layout; `formats/rvd.md` is the specification.
///
///     0          header     64 bytes: magic, versions, the manifest's place, checksums; see `Header`
///     64         tensors    in the manifest's order, each at a multiple of 64, zeros between them
///                zeros      up to a multiple of 64
///                manifest   canonical JSON: tensors, graph, input, provenance; see `Manifest`
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
  /// What the file says of the network, as far as it knows it; the content digest is always there, and
  /// `verify` computes it.
  public let model: ModelDescription
  /// Bytes of the file.
  public var byteCount: Int { source.count }

  private let source: any ByteSource

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
    guard header.manifestOffset == manifest.offset else {
      throw .malformed(
        source.location(at: 24),
        expected: "the manifest at the first multiple of 64 behind the tensors, \(manifest.offset)",
        found: "\(header.manifestOffset)", remedy: writersFault)
    }
    self.source = source
    version = Int(header.version)
    storedTensors = manifest.tensors
    model = manifest.model
    tensors = try manifest.tensors.map { (stored) throws(ReadError) in
      try stored.open(in: source).named
    }
  }

  private static func manifest(
    in source: any ByteSource, _ header: Header
  ) throws(ReadError) -> Manifest {
    let text = try source.bytes(header.manifestOffset..<source.count, field: "the manifest")
    let place = source.location(at: header.manifestOffset)
    let computed = CRC32(text).value
    guard computed == header.manifestCRC else {
      throw .checksumMismatch(place, recorded: header.manifestCRC, computed: computed)
    }

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

  /// Reads the whole file once and checks what opening did not: every tensor's checksum, the zeros
  /// between the tensors, and the content digest.
  ///
  /// With what opening checks, no byte of a file can change unnoticed.
  public func verify() throws(ReadError) {
    // Tensors are independent of each other, in the digest too, so all processors take part.
    let digests = try concurrentMap(of: Array(storedTensors.indices)) {
      (index, _) throws(ReadError) in try verifyTensor(index)
    }
    try checkPadding(after: storedTensors.last)
    var content = ContentDigest()
    for (stored, digest) in zip(storedTensors, digests) { content.add(stored.name, digest) }
    let computed = content.hexadecimal
    guard let recorded = model.contentSHA256, recorded == computed else {
      throw .malformed(
        source.location,
        expected: "tensors with the content SHA-256 \(model.contentSHA256 ?? "that is recorded")",
        found: "tensors with \(computed)", remedy: writersFault)
    }
  }

  /// Checks one tensor and the zeros before it.
  ///
  /// - Returns: the hash of its part of the content digest.
  private func verifyTensor(_ index: Int) throws(ReadError) -> SHA256 {
    let stored = storedTensors[index]
    if index > 0 { try checkPadding(after: storedTensors[index - 1]) }
    // Opened for this alone, whatever has been read of the tensor before.
    let (named, region) = try stored.open(in: source)
    let (elements, byteCount) = (named.tensor.source, stored.byteCount)
    var hash = ContentDigest.begin(name: stored.name, stored.elementType, stored.shape)
    var buffer = [UInt8](repeating: 0, count: min(1 << 18, byteCount))
    var next = 0
    while next < byteCount {
      let size = min(buffer.count, byteCount - next)
      try unsafe buffer.withMutableBytes { (bytes) throws(ReadError) in
        let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<size])
        try unsafe elements.read(into: piece, at: next)
        unsafe hash.update(UnsafeRawBufferPointer(piece))
      }
      next += size
    }
    try region.verify()
    return hash
  }

  /// Checks the zeros between a tensor and what follows it.
  private func checkPadding(after stored: StoredTensor?) throws(ReadError) {
    guard let stored else { return }
    let range = stored.offset + stored.storedByteCount..<Manifest.place(after: stored)
    guard !range.isEmpty else { return }
    let bytes = try source.bytes(range, field: "padding")
    if let index = bytes.firstIndex(where: { $0 != 0 }) {
      throw .malformed(
        source.location(at: range.lowerBound + index), expected: "zero in the padding",
        found: "the byte \(bytes[index])", remedy: fetchAgain)
    }
  }
}

extension StoredTensor {
  /// The tensor in a file, and the bytes that are stored of it, whose checksum `verify` compares.
  fileprivate func open(
    in source: any ByteSource
  ) throws(ReadError) -> (named: NamedTensor, stored: ByteRegion) {
    var place = source.location
    place.member = name
    place.offset = nil
    let region = try ByteRegion(
      of: source, start: offset, count: storedByteCount, field: "tensor '\(name)'",
      location: place, crc: crc32)
    guard let codec = Codec(named: codec) else { preconditionFailure("the manifest was checked") }
    let tensor = try Tensor(
      elementType, shape: shape, in: codec.decoded(region, byteCount), name: name)
    return (NamedTensor(name, tensor), region)
  }
}

extension RVDFile {
  /// The file as every reader of checkpoints presents its own.
  public var checkpoint: Checkpoint {
    Checkpoint(
      path: source.location.path, container: "RVD \(version)", family: "rvd",
      byteCount: byteCount, stateDicts: [StateDict(tensors: tensors)], model: model
    ) { () throws(ReadError) in try verify() }
  }

  /// The model, to be written again.
  public var deployModel: DeployModel {
    DeployModel(tensors: tensors.map { OutputTensor(name: $0.name, $0.tensor) }, model)
  }
}
