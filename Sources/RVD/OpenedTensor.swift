internal import Checksums
internal import Tensors

/// A stored tensor and the bytes that are stored of it.
struct OpenedTensor: Sendable {
  let description: StoredTensor
  /// Without the scales that it may have.
  let tensor: Tensor
  private let source: any ByteSource
  /// What errors call the tensor.
  private let location: Location
  /// The elements, where they are not stored as they are.
  fileprivate let framed: FramedBytes?

  init(_ description: StoredTensor, in source: any ByteSource) throws(ReadError) {
    var location = source.location
    location.member = printable(description.name)
    location.offset = nil
    let stored = try ByteRegion(
      of: source, start: description.offset, count: description.storedByteCount,
      field: "tensor '\(printable(description.name))'", location: location, crc: description.crc32)
    guard let codec = Codec(named: description.codec) else {
      preconditionFailure("the manifest was checked")
    }
    framed = codec.planes.map {
      FramedBytes(stored, frames: description.frames ?? [], count: description.byteCount, $0)
    }
    tensor = try Tensor(
      description.elementType, shape: description.shape, in: framed ?? stored,
      name: description.name)
    self.description = description
    self.source = source
    self.location = location
  }

  /// Throws unless `crc`, of all stored bytes, is what the file records.
  func compareChecksum(_ crc: CRC32) throws(ReadError) {
    guard crc.value == description.crc32 else {
      throw .checksumMismatch(location, recorded: description.crc32, computed: crc.value)
    }
  }

  /// Its elements as the scales of another tensor, with their checksum compared.
  func scales() throws(ReadError) -> [Float] {
    var values = [Float](repeating: 0, count: tensor.shape.elementCount)
    try tensor.readNumbers(0..<values.count, into: &values)
    try tensor.source.verify()
    if let index = values.firstIndex(where: { !($0.isFinite && $0 > 0) }) {
      throw .malformed(
        location, expected: "finite scales above 0", found: "\(values[index]) at index \(index)",
        remedy: writersFault)
    }
    return values
  }
}

// MARK: Verifying

/// What is computed of a tensor's bytes to verify it.
struct TensorCheck: Sendable {
  var crc = CRC32()
  var digest: ElementDigest

  init(_ stored: StoredTensor) {
    digest = ElementDigest(name: stored.name, stored.elementType, stored.shape)
  }
}

extension OpenedTensor {
  /// Elements that are verified at a time, in bytes: what stays in a processor's own cache.
  fileprivate static let pieceByteCount = 2 * Frames.byteCount

  fileprivate var pieceCount: Int {
    (description.byteCount + OpenedTensor.pieceByteCount - 1) / OpenedTensor.pieceByteCount
  }

  fileprivate func piece(_ number: Int) -> Range<Int> {
    let start = number * OpenedTensor.pieceByteCount
    return start..<min(start + OpenedTensor.pieceByteCount, description.byteCount)
  }

  /// Reads stored bytes from the file, whatever has been read of the tensor before.
  fileprivate func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(ReadError) {
    try unsafe source.read(into: buffer, at: description.offset + offset)
  }

  /// The error for codes that cannot be decoded; where bytes changed, that.
  fileprivate func cause(of error: ReadError) -> ReadError {
    do throws(ReadError) {
      try OpenedTensor(description, in: source).tensor.source.verify()
      return error
    } catch {
      return error
    }
  }
}

extension [OpenedTensor] {
  /// All pieces, each tensor's in their order, in an order in which `count` threads that take one after
  /// the other work on as many tensors, the largest first.
  func piecesSideBySide(_ count: Int) -> [(tensor: Int, number: Int)] {
    let sizes = map(\.pieceCount)
    var waiting = indices.sorted { (sizes[$1], $0) < (sizes[$0], $1) }[...]
    var taken: [(tensor: Int, number: Int)] = []
    var result: [(tensor: Int, number: Int)] = []
    result.reserveCapacity(sizes.reduce(0, +))
    while true {
      while taken.count < count, let tensor = waiting.popFirst() {
        if sizes[tensor] > 0 { taken.append((tensor, 0)) }
      }
      if taken.isEmpty { return result }
      result += taken
      taken = taken.map { ($0.tensor, $0.number + 1) }.filter { $0.number < sizes[$0.tensor] }
    }
  }
}

/// Memory for a piece of a tensor, stored and decoded.
///
/// `@unchecked Sendable`: used by one thread at a time, which a `Pool` sees to.
final class PieceBuffer: @unchecked Sendable {
  private var stored = [UInt8](repeating: 0, count: OpenedTensor.pieceByteCount)
  private var decoded: [UInt8] = []
  /// Of the piece that was read last.
  private var storedCount = 0
  private var decodedCount: Int?

  /// Reads a piece and decodes it, if elements are not stored as they are.
  func read(_ number: Int, of tensor: OpenedTensor) throws(ReadError) {
    let piece = tensor.piece(number)
    guard let framed = tensor.framed else {
      (storedCount, decodedCount) = (piece.count, nil)
      return try unsafe stored.withMutableBytes { (all) throws(ReadError) in
        try unsafe tensor.read(into: .init(rebasing: all[..<piece.count]), at: piece.lowerBound)
      }
    }
    if decoded.isEmpty {
      decoded = [UInt8](repeating: 0, count: OpenedTensor.pieceByteCount)
    }
    let frames =
      piece.lowerBound / Frames.byteCount..<Frames.count(ofBytes: piece.upperBound)
    // No more than the elements take.
    let place = framed.place(of: frames)
    (storedCount, decodedCount) = (place.count, piece.count)
    try unsafe stored.withMutableBytes { (all) throws(ReadError) in
      let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: all[..<place.count])
      try unsafe tensor.read(into: bytes, at: place.lowerBound)
      try unsafe decoded.withMutableBytes { (all) throws(ReadError) in
        do throws(ReadError) {
          try unsafe framed.decode(
            frames, from: UnsafeRawBufferPointer(bytes),
            into: .init(rebasing: all[..<piece.count]))
        } catch {
          throw tensor.cause(of: error)
        }
      }
    }
  }

  /// Feeds the piece that was read last.
  func update(_ check: inout TensorCheck) {
    unsafe stored.withBytes {
      unsafe check.crc.update(UnsafeRawBufferPointer(rebasing: $0[..<storedCount]))
    }
    let (elements, count) = decodedCount.map { (decoded, $0) } ?? (stored, storedCount)
    unsafe elements.withBytes {
      unsafe check.digest.update(UnsafeRawBufferPointer(rebasing: $0[..<count]))
    }
  }
}
