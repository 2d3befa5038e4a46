internal import Checksums
internal import Tensors

/// The first 64 bytes of an `.rvd` file, all numbers little-endian:
///
///     offset  size
///          0     8  magic: 89 52 56 44 0D 0A 1A 0A ("\x89RVD\r\n\x1a\n")
///          8     4  format version: the edition of the specification that the writer followed
///         12     4  minimum reader version: the oldest edition that suffices to read the file
///         16     8  flags: zero
///         24     8  manifest offset: where it begins, a multiple of 64
///         32     8  manifest length in bytes; the file ends with it
///         40     4  CRC-32 of the manifest
///         44    16  reserved: zero
///         60     4  CRC-32 of bytes 0..<60
///
/// The magic shows the damage that careless transfers do, as PNG's does: the first byte is lost when
/// only seven bits survive, the line ends change in text mode, and 1A stops an old `type`.
struct Header: Equatable {
  /// The edition of `formats/rvd.md` that this code writes, and the newest that it reads.
  static let version: UInt32 = 1
  static let byteCount = 64
  /// What every tensor and the manifest begin at a multiple of: a cache line, and more than any vector
  /// instruction asks for.
  static let alignment = 64
  static let magic: [UInt8] = [0x89, 0x52, 0x56, 0x44, 0x0D, 0x0A, 0x1A, 0x0A]
  /// The longest manifest: room for some hundred thousand tensors.
  static let maximumManifestLength = 1 << 24

  var version = Header.version
  var minimumReaderVersion = Header.version
  var manifestOffset: Int
  var manifestLength: Int
  var manifestCRC: UInt32

  init(manifestOffset: Int, manifestLength: Int, manifestCRC: UInt32) {
    self.manifestOffset = manifestOffset
    self.manifestLength = manifestLength
    self.manifestCRC = manifestCRC
  }

  /// The next multiple of the alignment, or `offset` itself if it is one.
  static func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }

  var bytes: [UInt8] {
    var bytes = Header.magic
    bytes.appendLittleEndian(version)
    bytes.appendLittleEndian(minimumReaderVersion)
    bytes.appendLittleEndian(UInt64(0))
    bytes.appendLittleEndian(UInt64(manifestOffset))
    bytes.appendLittleEndian(UInt64(manifestLength))
    bytes.appendLittleEndian(manifestCRC)
    bytes.append(contentsOf: repeatElement(0, count: 16))
    bytes.appendLittleEndian(CRC32(bytes).value)
    return bytes
  }

  /// Reads the header of `source` and compares the manifest's place in it with the file's end.
  init(of source: any ByteSource) throws(ReadError) {
    let start = try source.bytes(0..<min(source.count, Header.byteCount), field: "the header")
    try Header.checkMagic(start, at: source.location(at: 0))
    try source.check(0, Header.byteCount, field: "the header")

    let recorded: UInt32 = start.littleEndian(at: 60)
    let computed = CRC32(start[..<60]).value
    guard recorded == computed else {
      throw .checksumMismatch(source.location(at: 0), recorded: recorded, computed: computed)
    }

    func refuse(_ offset: Int, _ expected: String, _ found: String) throws(ReadError) -> Never {
      throw .malformed(
        source.location(at: offset), expected: expected, found: found, remedy: writersFault)
    }
    version = start.littleEndian(at: 8)
    minimumReaderVersion = start.littleEndian(at: 12)
    guard minimumReaderVersion >= 1, minimumReaderVersion <= version else {
      try refuse(
        12, "a minimum reader version from 1 to the format version, \(version)",
        "\(minimumReaderVersion)")
    }
    guard minimumReaderVersion <= Header.version else {
      throw .unsupported(
        source.location(at: 12),
        what: "the file needs a reader of RVD version \(minimumReaderVersion), and this one reads "
          + "version \(Header.version)",
        remedy: "Update repconv.")
    }
    let flags: UInt64 = start.littleEndian(at: 16)
    guard flags == 0 else { try refuse(16, "no flags", "the flags 0x\(String(flags, radix: 16))") }
    if let offset = (44..<60).first(where: { start[$0] != 0 }) {
      try refuse(offset, "zero in a reserved byte", "\(start[offset])")
    }

    let offset: UInt64 = start.littleEndian(at: 24)
    guard offset >= UInt64(Header.byteCount), offset.isMultiple(of: UInt64(Header.alignment)) else {
      try refuse(24, "a manifest at a multiple of 64 behind the header", "one at \(offset)")
    }
    let length: UInt64 = start.littleEndian(at: 32)
    guard length <= UInt64(Header.maximumManifestLength) else {
      throw .limitExceeded(
        source.location(at: 32), what: "the length of the manifest",
        limit: Header.maximumManifestLength, found: "\(length) bytes")
    }
    let size = UInt64(source.count)
    guard offset <= size, length <= size - offset else {
      throw .truncated(
        source.location(at: source.count), field: "the tensors and the manifest",
        needed: Int(clamping: offset), available: source.count)
    }
    guard length == size - offset else {
      try refuse(
        Int(offset + length), "the end of the file", "\(size - offset - length) more bytes")
    }
    manifestOffset = Int(offset)
    manifestLength = Int(length)
    manifestCRC = start.littleEndian(at: 40)
  }

  private static func checkMagic(_ start: [UInt8], at place: Location) throws(ReadError) {
    if start.starts(with: magic) { return }
    if start.count < magic.count && magic.starts(with: start) && !start.isEmpty {
      throw .truncated(place, field: "the magic", needed: magic.count, available: start.count)
    }
    if start.dropFirst().starts(with: "RVD".utf8) {
      throw .malformed(
        place, expected: "the magic 89 52 56 44 0D 0A 1A 0A",
        found: start.prefix(8).map { byte in
          (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined(separator: " "),
        remedy: "A transfer that treats files as text does this; fetch it again in binary mode.")
    }
    throw .notACheckpoint(
      place, what: start.isEmpty ? "the file is empty" : "it does not begin as an RVD file does",
      remedy: "Name a file that `repconv fuse` wrote.")
  }
}

extension [UInt8] {
  mutating func appendLittleEndian<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
    for byte in 0..<Number.bitWidth / 8 {
      append(UInt8(truncatingIfNeeded: number >> Number(8 * byte)))
    }
  }

  func littleEndian<Number: FixedWidthInteger & UnsignedInteger>(at offset: Int) -> Number {
    self[offset..<offset + Number.bitWidth / 8].reversed().reduce(0) { $0 << 8 | Number($1) }
  }
}
