public import Checkpoints
internal import Checksums
internal import Graphs
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
/// Opening reads the header and the manifest and checks every rule about them, and the scales of int8
/// tensors. The other tensors' bytes are read, and decoded, when they are asked for; `verify` compares all
/// of them with the checksums.
public struct RVDFile: Sendable {
  /// The first bytes of every `.rvd` file.
  public static let magic = Header.magic

  /// The edition of the specification that the file follows.
  public let version: Int
  /// All tensors as the manifest describes them, in the file's order, scales of others among them.
  public let storedTensors: [StoredTensor]
  /// The tensors that are no scales of others, lazily, in the same order. An int8 tensor with scales has
  /// them. A tensor's source verifies its CRC-32.
  public let tensors: [NamedTensor]
  /// What the file says of the network, as far as it knows it; the operands of its graph are indices into
  /// `tensors`. The content digest is always there, and `verify` computes it.
  public let model: ModelDescription
  /// Bytes of the file.
  public var byteCount: Int { source.count }

  let source: any ByteSource
  /// In the order of `storedTensors`.
  private let opened: [OpenedTensor]

  /// Opens a file for use: after verifying all of it, unless told not to.
  ///
  /// - Throws: `ReadError`; a damaged tensor is named as the member of the location.
  public static func open(path: String, verify: Bool = true) throws(ReadError) -> RVDFile {
    let file = try RVDFile(path: path)
    if verify { try file.verify() }
    return file
  }

  /// Reads the header, the manifest and the scales of a file, and checks them. The other tensors are not
  /// verified.
  public init(path: String) throws(ReadError) {
    try self.init(source: InputFile(path: path))
  }

  /// Reads the header, the manifest and the scales, and checks them. The other tensors are not verified.
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
    let opened = try manifest.tensors.map { (stored) throws(ReadError) in
      try OpenedTensor(stored, in: source)
    }
    self.opened = opened
    let logical = manifest.logicalTensors
    tensors = try logical.map { (index) throws(ReadError) in
      let stored = manifest.tensors[index]
      var tensor = opened[index].tensor
      if let scales = stored.scales { tensor = tensor.scaled(by: try opened[scales].scales()) }
      var named = NamedTensor(stored.name, tensor)
      named.storage = TensorStorage(codec: stored.codec, byteCount: stored.storedByteCount)
      return named
    }
    var model = manifest.model
    let places = Dictionary(uniqueKeysWithValues: logical.enumerated().map { ($1, $0) })
    model.graph = model.graph?.renumbered { places[$0] }
    self.model = model
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

  /// Reads the whole file once and checks what opening did not: every tensor's checksum and codes, the
  /// zeros between the tensors, and the content digest.
  ///
  /// With what opening checks, no byte of a file can change unnoticed.
  public func verify() throws(ReadError) {
    let digests = try verifyTensors()
    for stored in storedTensors { try checkPadding(after: stored) }
    let manifest = Manifest(tensors: storedTensors, model: model)
    let computed = manifest.contentDigest(of: digests)
    guard let recorded = model.contentSHA256, recorded == computed else {
      throw .malformed(
        source.location,
        expected: "tensors with the content SHA-256 \(model.contentSHA256 ?? "that is recorded")",
        found: "tensors with \(computed)", remedy: writersFault)
    }
  }

  /// Compares all tensors with their checksums.
  ///
  /// - Returns: the digest of each.
  private func verifyTensors() throws(ReadError) -> [ElementDigest] {
    let threads = Threads.all
    let checks = opened.map { InTurn(TensorCheck($0.description)) }
    let pieces = opened.piecesSideBySide(threads.count)
    let buffers = Pool { PieceBuffer() }
    // The pieces of a tensor are read and decoded side by side, and hashed in turn.
    try forEachIndex(below: pieces.count, threads: threads) { (index, _) throws(ReadError) in
      let (tensor, number) = pieces[index]
      try buffers.withObject { (buffer) throws(ReadError) in
        let read = Result { () throws(ReadError) in try buffer.read(number, of: opened[tensor]) }
        try checks[tensor].take(number) { (check) throws(ReadError) in
          try read.get()
          buffer.update(&check)
        }
      }
    }
    for (opened, check) in zip(opened, checks) { try opened.compareChecksum(check.final.crc) }
    return checks.map(\.final.digest)
  }

  /// Checks the zeros between a tensor and what follows it.
  private func checkPadding(after stored: StoredTensor) throws(ReadError) {
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
