internal import Tensors

/// The directory of a zip archive: what it says of each member, and where the member is, which libzip
/// does not tell. One record a member, one behind the other:
///
///     0  4  50 4B 01 02           28 2  length of the name
///     4  4  versions              30 2  length of the extra fields
///     8  2  flags                 32 2  length of the comment
///     10 2  method                34 2  disk
///     12 4  time and date         36 6  attributes
///     16 4  CRC-32                42 4  offset of the local header
///     20 4  compressed size       46    name, extra fields, comment
///     24 4  size
///
/// Extra fields have an id (2) and a size (2) each. Where size, compressed size or offset are saturated
/// (all bits set), field 0x0001 has them, with 8 bytes each, in this order.
enum ZipDirectory {
  struct Entry: Equatable {
    var name: [UInt8]
    var size: Int
    var compressedSize: Int
    /// 0 is stored, 8 deflated.
    var method: Int
    var crc: UInt32
    var isEncrypted: Bool
    /// Where its local header is in the file.
    var headerOffset: Int
  }

  /// All entries, in their order.
  ///
  /// - Parameter end: the record that says where the directory is; inside the file.
  static func entries(
    of end: ZipEndRecord, in file: any ByteSource
  ) throws(ReadError) -> [Entry] {
    // Here and in libzip an entry takes several times as much as in the file.
    try requireMemory(
      for: 8 * end.directorySize, UInt8.self, at: file.location(at: end.directoryOffset))
    var window = Window(
      file: file, position: end.directoryOffset, end: end.directoryOffset + end.directorySize)
    var entries: [Entry] = []
    for _ in 0..<end.entryCount { entries.append(try window.entry()) }
    guard window.position == window.end else {
      throw window.malformed(
        expected: "\(end.entryCount) entries to fill the directory",
        found: "\(window.end - window.position) more bytes")
    }
    return entries
  }

  /// Moves over the directory, of which it holds a part: a hostile one may be as long as the file.
  private struct Window {
    let file: any ByteSource
    /// In the file.
    private(set) var position: Int
    let end: Int
    private var part: [UInt8] = []
    private var partStart = 0

    /// Room for the entries of some thousand members.
    private static let usualLength = 1 << 18

    init(file: any ByteSource, position: Int, end: Int) {
      self.file = file
      self.position = position
      self.end = end
    }

    func malformed(expected: String, found: String) -> ReadError {
      .malformed(
        file.location(at: position), expected: expected, found: found, remedy: fetchAgain)
    }

    /// The next `count` bytes; the position stays.
    private mutating func peek(_ count: Int) throws(ReadError) -> ArraySlice<UInt8> {
      guard count <= end - position else {
        throw malformed(
          expected: "an entry of \(count) bytes or more in the directory",
          found: "its end after \(end - position)")
      }
      if position + count > partStart + part.count {
        let length = min(max(count, Self.usualLength), end - position)
        part = try file.bytes(position..<position + length, field: "the directory")
        partStart = position
      }
      return part[(position - partStart)..<(position - partStart + count)]
    }

    mutating func entry() throws(ReadError) -> Entry {
      let fixed = try peek(46)
      guard fixed.starts(with: [0x50, 0x4B, 0x01, 0x02]) else {
        throw malformed(expected: "an entry of the directory", found: "other bytes")
      }
      let disk = fixed.littleEndian(at: 34, width: 2)
      guard disk == 0 else {
        throw malformed(expected: "a member on the archive's only disk, 0", found: "disk \(disk)")
      }
      let nameEnd = 46 + fixed.littleEndian(at: 28, width: 2)
      let extraEnd = nameEnd + fixed.littleEndian(at: 30, width: 2)
      let length = extraEnd + fixed.littleEndian(at: 32, width: 2)
      let record = try peek(length)
      let start = record.startIndex
      var wide = try wideFields(record[(start + nameEnd)..<(start + extraEnd)])
      func value(_ what: String, at offset: Int) throws(ReadError) -> Int {
        let narrow = record.littleEndian(at: offset, width: 4)
        guard narrow == 0xFFFF_FFFF, let field = wide else { return narrow }
        guard field.count >= 8 else {
          throw malformed(
            expected: "the \(what) of a member in 64 bits", found: "an extra field without it")
        }
        wide = field.dropFirst(8)
        guard let value = Int(exactly: field.littleEndian64(at: 0)) else {
          throw malformed(
            expected: "a \(what) no larger than a file can be",
            found: String(field.littleEndian64(at: 0)))
        }
        return value
      }
      let size = try value("size", at: 24)
      let compressedSize = try value("compressed size", at: 20)
      let headerOffset = try value("place", at: 42)
      position += length
      return Entry(
        name: Array(record[(start + 46)..<(start + nameEnd)]), size: size,
        compressedSize: compressedSize, method: record.littleEndian(at: 10, width: 2),
        crc: UInt32(record.littleEndian(at: 16, width: 4)),
        isEncrypted: record.littleEndian(at: 8, width: 2) & 1 != 0, headerOffset: headerOffset)
    }

    /// What the extra field 0x0001 holds; nil if there is none.
    private func wideFields(_ extra: ArraySlice<UInt8>) throws(ReadError) -> ArraySlice<UInt8>? {
      var rest = extra
      var found: ArraySlice<UInt8>?
      while rest.count >= 4 {
        let count = rest.littleEndian(at: 2, width: 2)
        guard count <= rest.count - 4 else { break }
        if rest.littleEndian(at: 0, width: 2) == 0x0001 {
          guard found == nil else {
            throw malformed(expected: "one extra field with 64-bit values", found: "two")
          }
          found = rest.dropFirst(4).prefix(count)
        }
        rest = rest.dropFirst(4 + count)
      }
      return found
    }
  }
}
