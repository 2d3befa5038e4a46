internal import Tensors

/// The header in front of a member's bytes.
///
///     0  4  50 4B 03 04           18 4  compressed size
///     4  2  version needed        22 4  size
///     6  2  flags                 26 2  length of the name
///     8  2  method                28 2  length of the extra fields
///     10 4  time and date         30    name, extra fields
///     14 4  CRC-32
///
/// Flag bit 0 is encryption; bit 3 says that CRC and sizes follow the bytes in a data descriptor, so
/// that they are zero here. PyTorch sets bit 3 for every member that is not empty, NumPy saturates the
/// sizes (all bits set, the real ones in extra field 0x0001), and only the directory can be trusted.
struct LocalHeader {
  var name: [UInt8]
  var method: Int
  var isEncrypted: Bool
  var hasDescriptor: Bool
  var crc: UInt32
  /// Nil where saturated.
  var size: Int?
  var compressedSize: Int?
  /// Where the member's bytes begin.
  var end: Int

  private static let fixedLength = 30
  /// Enough for the header of every member that PyTorch writes: names are short, and padding to 64
  /// bytes follows. So one read fetches it.
  private static let usualLength = 160

  /// - Parameter member: the place of the member, for errors.
  init(at offset: Int, in file: any ByteSource, member: Location) throws(ReadError) {
    guard offset >= 0, offset <= file.count - Self.fixedLength else {
      throw .malformed(
        member, expected: "a local header inside the file",
        found: "one at byte \(offset) of \(file.count)", remedy: fetchAgain)
    }
    var bytes = try file.bytes(
      offset..<min(offset + Self.usualLength, file.count), field: "a local header")
    guard bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) else {
      throw .malformed(
        member, expected: "its local header at byte \(offset)", found: "other bytes there",
        remedy: fetchAgain)
    }
    let flags = bytes.littleEndian(at: 6, width: 2)
    isEncrypted = flags & 1 != 0
    hasDescriptor = flags & 8 != 0
    method = bytes.littleEndian(at: 8, width: 2)
    crc = UInt32(bytes.littleEndian(at: 14, width: 4))
    func unlessSaturated(_ value: Int) -> Int? { value == 0xFFFF_FFFF ? nil : value }
    compressedSize = unlessSaturated(bytes.littleEndian(at: 18, width: 4))
    size = unlessSaturated(bytes.littleEndian(at: 22, width: 4))
    let nameEnd = Self.fixedLength + bytes.littleEndian(at: 26, width: 2)
    end = offset + nameEnd + bytes.littleEndian(at: 28, width: 2)
    if bytes.count < nameEnd {
      bytes = try file.bytes(offset..<offset + nameEnd, field: "the name in a local header")
    }
    name = Array(bytes[Self.fixedLength..<nameEnd])
  }
}
