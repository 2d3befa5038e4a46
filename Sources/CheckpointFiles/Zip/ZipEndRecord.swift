internal import Tensors

/// The record at the end of a zip archive, which says where its directory is.
///
/// Read here, ahead of libzip, for what libzip does not tell: how a file was cut, where the archive
/// ends, and whether the file could be read as two different archives.
///
///     end record, 22 bytes + comment          zip64 record, 56 bytes or more
///     0  4  50 4B 05 06                       0  4  50 4B 06 06
///     4  2  number of this disk               4  8  size of the rest of this record
///     6  2  disk where the directory starts   12 4  versions
///     8  2  entries on this disk              16 4  number of this disk
///     10 2  entries                           20 4  disk where the directory starts
///     12 4  size of the directory             24 8  entries on this disk
///     16 4  offset of the directory           32 8  entries
///     20 2  length of the comment             40 8  size of the directory
///     22    comment                           48 8  offset of the directory
///
/// If the 20 bytes before the end record are a locator (`50 4B 06 07`, disk u32, offset u64 of the
/// zip64 record, disks u32), the values of the zip64 record count; those of the end record must be
/// the same or saturated (all bits set). PyTorch writes a zip64 record into every archive. All numbers of
/// disks are 0 where there is one, as PyTorch's reader demands.
struct ZipEndRecord: Equatable {
  /// Where the record is.
  var offset: Int
  /// The first byte behind it and its comment.
  var end: Int
  var directoryOffset: Int
  var directorySize: Int
  var entryCount: Int
  /// Whether the archive is spread over several files.
  var isSplit: Bool

  private static let length = 22
  private static let locatorLength = 20
  private static let zip64Length = 56
  /// A comment has at most 65,535 bytes, so the record starts no earlier than this from the end.
  private static let searchLength = length + 0xFFFF

  /// The only end record of `file`; bytes may follow it.
  static func find(in file: any ByteSource) throws(ReadError) -> ZipEndRecord {
    let start = max(0, file.count - searchLength)
    let tail = try file.bytes(start..<file.count, field: "the end of the archive")
    var valid: [ZipEndRecord] = []
    var unusable: ZipEndRecord?
    var position = 0
    while position + length <= tail.count {
      if tail[position] == 0x50,
        tail[position..<position + 4].elementsEqual([0x50, 0x4B, 0x05, 0x06]),
        let record = try parse(tail[position...], at: start + position, in: file)
      {
        if try record.leadsToDirectory(in: file) { valid.append(record) } else { unusable = record }
      }
      position += 1
    }
    if let record = valid.first {
      guard valid.count == 1 else {
        let offsets = valid.map { String($0.offset) }.joined(separator: " and ")
        throw .malformed(
          file.location, expected: "one archive in the file",
          found: "end records of \(valid.count), at bytes \(offsets)",
          remedy: ZipArchive.distrust)
      }
      return record
    }
    if let record = unusable {
      if record.isSplit {
        throw .unsupported(
          file.location(at: record.offset), what: "the archive is one part of several",
          remedy: "Join the parts and unpack them with a zip program first.")
      }
      throw .malformed(
        file.location(at: record.offset),
        expected:
          "the directory that ends here (\(record.directorySize) bytes at byte \(record.directoryOffset))",
        found: "something else there; bytes are missing from the file or were added to it",
        remedy: fetchAgain)
    }
    throw .truncated(
      file.location(at: file.count), field: "the zip archive (it has no end record)",
      needed: length,
      available: 0)
  }

  /// The end record that `bytes`, which lie at `offset` of the file, begin with; nil if they only look
  /// like one.
  private static func parse(
    _ bytes: ArraySlice<UInt8>, at offset: Int, in file: any ByteSource
  ) throws(ReadError) -> ZipEndRecord? {
    let commentLength = bytes.littleEndian(at: 20, width: 2)
    guard commentLength <= bytes.count - length else { return nil }
    var disks = bytes.littleEndian(at: 4, width: 4)
    var entriesHere = UInt64(bytes.littleEndian(at: 8, width: 2))
    var entries = UInt64(bytes.littleEndian(at: 10, width: 2))
    var size = UInt64(bytes.littleEndian(at: 12, width: 4))
    var start = UInt64(bytes.littleEndian(at: 16, width: 4))

    if let record = try zip64Record(before: offset, in: file) {
      let wide = (
        entries: record.littleEndian64(at: 32), size: record.littleEndian64(at: 40),
        start: record.littleEndian64(at: 48)
      )
      guard entries == 0xFFFF || entries == wide.entries,
        size == 0xFFFF_FFFF || size == wide.size, start == 0xFFFF_FFFF || start == wide.start
      else {
        throw .malformed(
          file.location(at: offset), expected: "an end record that agrees with the zip64 record",
          found: "another number of entries or another place of the directory", remedy: fetchAgain)
      }
      if disks == 0xFFFF_FFFF { disks = 0 }
      disks |= record.littleEndian(at: 16, width: 4) | record.littleEndian(at: 20, width: 4)
      entriesHere = record.littleEndian64(at: 24)
      (entries, size, start) = wide
    }
    guard entries <= UInt64(file.limits[.zipMembers]) else {
      throw file.exceeded(
        .zipMembers, at: file.location(at: offset), what: "members of the archive",
        found: String(entries))
    }
    guard let size = Int(exactly: size), let start = Int(exactly: start) else { return nil }
    return ZipEndRecord(
      offset: offset, end: offset + length + commentLength, directoryOffset: start,
      directorySize: size, entryCount: Int(entries),
      isSplit: disks != 0 || entriesHere != entries)
  }

  /// The zip64 record that the locator in front of the end record at `offset` points to.
  private static func zip64Record(
    before offset: Int, in file: any ByteSource
  ) throws(ReadError) -> [UInt8]? {
    let place = offset - locatorLength
    guard place >= 0 else { return nil }
    let locator = try file.bytes(place..<offset, field: "the zip64 locator")
    guard locator.starts(with: [0x50, 0x4B, 0x06, 0x07]),
      let start = Int(exactly: locator.littleEndian64(at: 8)), start <= place - zip64Length
    else { return nil }
    let record = try file.bytes(start..<start + zip64Length, field: "the zip64 end record")
    return record.starts(with: [0x50, 0x4B, 0x06, 0x06]) ? record : nil
  }

  /// Whether there is a directory where the record says, in front of the record.
  private func leadsToDirectory(in file: any ByteSource) throws(ReadError) -> Bool {
    guard !isSplit, directoryOffset <= offset, directorySize <= offset - directoryOffset else {
      return false
    }
    if entryCount == 0 { return directorySize == 0 }
    guard directorySize >= 46 * entryCount else { return false }
    let signature = try file.bytes(directoryOffset..<directoryOffset + 4, field: "the directory")
    return signature == [0x50, 0x4B, 0x01, 0x02]
  }
}
