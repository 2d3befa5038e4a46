/// Bytes that can be read in any order, without knowing where they come from: a part of a file, a
/// decompressed archive member, or memory.
public protocol ByteSource: AnyObject, Sendable {
  /// Bytes there are.
  var count: Int { get }

  /// Bytes of the file that these may be made of: what memory should be in proportion to.
  var storedCount: Int { get }

  /// The place of byte 0, for errors.
  var location: Location { get }

  /// How much a file may ask for that these bytes are of.
  var limits: ReadingLimits { get }

  /// Fills `buffer` with the bytes from `offset` on.
  ///
  /// - Throws: `ReadError.truncated` if there are not that many, or what the medium reports.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError)

  /// Runs `body` with the bytes of `range`, which are valid only during the call: mapped into memory
  /// instead of copied, where the medium allows it.
  ///
  /// - Throws: `ReadError.truncated` if there are not that many, what the medium reports, and what `body`
  ///   throws.
  func withMappedBytes(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void) throws

  /// Compares all the bytes with the checksum recorded for them, if there is one; what has been read
  /// in order already is not read again.
  ///
  /// - Throws: `ReadError.checksumMismatch`.
  func verify() throws(ReadError)
}

extension ByteSource {
  /// As many as there are.
  public var storedCount: Int { count }

  /// The usual ones.
  public var limits: ReadingLimits { ReadingLimits() }

  /// With a copy.
  public func withMappedBytes(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try unsafe bytes(range, field: "a read").withBytes(body)
  }

  /// Nothing: no checksum is recorded.
  public func verify() throws(ReadError) {}

  /// The place of the byte at `offset`.
  public func location(at offset: Int) -> Location {
    location.at((location.offset ?? 0) + offset)
  }

  /// Throws `truncated` unless `range` lies inside the bytes.
  public func check(_ offset: Int, _ length: Int, field: String) throws(ReadError) {
    guard offset >= 0, length >= 0, offset <= count, length <= count - offset else {
      throw .truncated(
        location(at: max(0, min(offset, count))), field: field, needed: length,
        available: max(0, count - offset))
    }
  }

  /// The bytes of `range` in memory.
  ///
  /// - Parameter field: what they are, for the error if they are not all there.
  public func bytes(_ range: Range<Int>, field: String) throws(ReadError) -> [UInt8] {
    try check(range.lowerBound, range.count, field: field)
    try requireMemory(for: range.count, UInt8.self, at: location(at: range.lowerBound))
    var result = [UInt8](repeating: 0, count: range.count)
    try unsafe result.withMutableBytes { (buffer) throws(ReadError) in
      try unsafe read(into: buffer, at: range.lowerBound)
    }
    return result
  }
}

/// Bytes in memory.
public final class MemoryBytes: ByteSource {
  public let location: Location
  public let limits: ReadingLimits
  private let storage: [UInt8]

  public init(_ bytes: [UInt8], location: Location, limits: ReadingLimits = ReadingLimits()) {
    storage = bytes
    self.location = location
    self.limits = limits
  }

  public var count: Int { storage.count }

  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    unsafe storage.withBytes { (bytes) in
      unsafe buffer.copyMemory(from: .init(rebasing: bytes[offset..<offset + buffer.count]))
    }
  }
}
