internal import Checksums
internal import Tensors

/// Writes a zip archive of stored members whose bytes can be mapped in place.
///
/// By hand, because libzip can neither align a member's bytes nor write them in one pass (let alone
/// several members at a time), and computes their checksum with zlib, at a third of the speed.
///
/// Per member: a local header (see `LocalHeader`), with flag bit 11 (UTF-8 name) and real sizes and
/// CRC, so no data descriptor; extra field 0x0001 with two u64 sizes if they need 64 bits; extra field
/// 0x4246 (`FB`, as PyTorch pads) with as many `Z` as bring the member's bytes to a multiple of
/// `alignment`; the bytes. Then the directory and the end records (see `ZipEndRecord`), with the zip64
/// ones if anything needs 64 bits. The date is the first that DOS can express, so that the same
/// members give the same bytes.
///
/// <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, 4.3 to 4.5.
struct StoredZipWriter {
  private struct Entry {
    var name: [UInt8]
    /// The bytes of the member before those of the tensor.
    var prefix: [UInt8]
    var tensor: OutputTensor?
    var crc: CRC32
    var size: Int
    var headerOffset: Int
  }

  private struct MemberChecksum: TensorChecksum {
    var crc: CRC32

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
      unsafe crc.update(bytes)
    }
  }

  private let file: OutputFile
  private let alignment: Int
  /// From here on sizes and offsets take 64 bits, and so does the number of members.
  private let wideSize: Int
  private let wideCount: Int
  private var entries: [Entry] = []
  /// Where the next member begins.
  private var end = 0

  /// - Parameters:
  ///   - file: empty so far.
  ///   - wideSize, wideCount: lowered by tests, which cannot write archives of 4 GiB.
  init(
    _ file: OutputFile, alignment: Int = 64, wideSize: Int = 0xFFFF_FFFF, wideCount: Int = 0xFFFF
  ) {
    precondition(file.count == 0)
    self.file = file
    self.alignment = alignment
    self.wideSize = wideSize
    self.wideCount = wideCount
  }

  /// Adds a member that holds `prefix` and, if not nil, the elements of `tensor`. `finish` writes it.
  mutating func add(_ name: String, _ prefix: [UInt8] = [], tensor: OutputTensor? = nil) {
    let entry = Entry(
      name: Array(name.utf8), prefix: prefix, tensor: tensor, crc: CRC32(prefix),
      size: prefix.count + (tensor?.byteCount ?? 0), headerOffset: end)
    precondition(entry.name.count <= 0xFFFF)
    end += localHeader(of: entry).count + entry.size
    entries.append(entry)
  }

  /// Writes all members, the directory and the end records.
  consuming func finish(threads: Threads = .all) throws {
    try file.reserve(end)
    try writeTensors(threads: threads)
    var directory: [UInt8] = []
    for entry in entries {
      try file.overwrite(localHeader(of: entry) + entry.prefix, at: entry.headerOffset)
      directory += directoryEntry(of: entry)
    }
    try file.append(directory + endRecords(start: end, size: directory.count))
  }

  private mutating func writeTensors(threads: Threads) throws {
    let entries = entries
    let indices = entries.indices.filter { entries[$0].tensor != nil }
    let checksums = try file.write(
      indices.map { entries[$0].tensor! },
      at: indices.map { index in
        let entry = entries[index]
        return entry.headerOffset + localHeader(of: entry).count + entry.prefix.count
      }, threads: threads
    ) { MemberChecksum(crc: entries[indices[$0]].crc) }
    for (index, checksum) in zip(indices, checksums) { self.entries[index].crc = checksum.crc }
  }

  private func localHeader(of entry: Entry) -> [UInt8] {
    let isWide = entry.size >= wideSize
    var extra: [UInt8] = []
    if isWide {
      extra.appendLittleEndian(0x0001, width: 2)
      extra.appendLittleEndian(16, width: 2)
      extra.appendLittleEndian(entry.size, width: 8)
      extra.appendLittleEndian(entry.size, width: 8)
    }
    let unpadded = entry.headerOffset + 30 + entry.name.count + extra.count + 4
    let padding = (alignment - unpadded % alignment) % alignment
    extra.appendLittleEndian(0x4246, width: 2)
    extra.appendLittleEndian(padding, width: 2)
    extra += [UInt8](repeating: UInt8(ascii: "Z"), count: padding)

    var bytes: [UInt8] = [0x50, 0x4B, 0x03, 0x04]
    let version = isWide ? 45 : 20
    appendCommonFields(
      of: entry, version: version, isWide: isWide, extraLength: extra.count, to: &bytes)
    return bytes + entry.name + extra
  }

  private func directoryEntry(of entry: Entry) -> [UInt8] {
    let hasWideSize = entry.size >= wideSize
    let hasWideOffset = entry.headerOffset >= wideSize
    var wide: [UInt8] = []
    if hasWideSize {
      wide.appendLittleEndian(entry.size, width: 8)
      wide.appendLittleEndian(entry.size, width: 8)
    }
    if hasWideOffset { wide.appendLittleEndian(entry.headerOffset, width: 8) }
    var extra: [UInt8] = []
    if !wide.isEmpty {
      extra.appendLittleEndian(0x0001, width: 2)
      extra.appendLittleEndian(wide.count, width: 2)
      extra += wide
    }

    var bytes: [UInt8] = [0x50, 0x4B, 0x01, 0x02]
    let version = wide.isEmpty ? 20 : 45
    bytes.appendLittleEndian(version, width: 2)  // made by: the same, on MS-DOS
    appendCommonFields(
      of: entry, version: version, isWide: hasWideSize, extraLength: extra.count, to: &bytes)
    bytes.appendLittleEndian(0, width: 2)  // comment
    bytes.appendLittleEndian(0, width: 2)  // disk
    bytes.appendLittleEndian(0, width: 2)  // internal attributes
    bytes.appendLittleEndian(0, width: 4)  // external attributes
    bytes.appendLittleEndian(hasWideOffset ? 0xFFFF_FFFF : entry.headerOffset, width: 4)
    return bytes + entry.name + extra
  }

  /// The 26 bytes that local headers and directory entries have in common, from `version needed` on.
  private func appendCommonFields(
    of entry: Entry, version: Int, isWide: Bool, extraLength: Int, to bytes: inout [UInt8]
  ) {
    bytes.appendLittleEndian(version, width: 2)  // 4.5 for zip64, 2.0 otherwise
    bytes.appendLittleEndian(1 << 11, width: 2)  // the name is UTF-8
    bytes.appendLittleEndian(0, width: 2)  // stored
    bytes.appendLittleEndian(0, width: 2)  // midnight
    bytes.appendLittleEndian(1 << 5 | 1, width: 2)  // 1 January 1980
    bytes.appendLittleEndian(Int(entry.crc.value), width: 4)
    bytes.appendLittleEndian(isWide ? 0xFFFF_FFFF : entry.size, width: 4)
    bytes.appendLittleEndian(isWide ? 0xFFFF_FFFF : entry.size, width: 4)
    bytes.appendLittleEndian(entry.name.count, width: 2)
    bytes.appendLittleEndian(extraLength, width: 2)
  }

  private func endRecords(start: Int, size: Int) -> [UInt8] {
    let isWide = start >= wideSize || size >= wideSize
    let hasWideCount = entries.count >= wideCount
    var bytes: [UInt8] = []
    if isWide || hasWideCount {
      bytes += [0x50, 0x4B, 0x06, 0x06]
      bytes.appendLittleEndian(44, width: 8)
      bytes.appendLittleEndian(45, width: 2)
      bytes.appendLittleEndian(45, width: 2)
      bytes.appendLittleEndian(0, width: 8)  // disks
      bytes.appendLittleEndian(entries.count, width: 8)
      bytes.appendLittleEndian(entries.count, width: 8)
      bytes.appendLittleEndian(size, width: 8)
      bytes.appendLittleEndian(start, width: 8)
      bytes += [0x50, 0x4B, 0x06, 0x07]
      bytes.appendLittleEndian(0, width: 4)
      bytes.appendLittleEndian(start + size, width: 8)
      bytes.appendLittleEndian(1, width: 4)
    }
    bytes += [0x50, 0x4B, 0x05, 0x06]
    bytes.appendLittleEndian(0, width: 4)  // disks
    bytes.appendLittleEndian(hasWideCount ? 0xFFFF : entries.count, width: 2)
    bytes.appendLittleEndian(hasWideCount ? 0xFFFF : entries.count, width: 2)
    bytes.appendLittleEndian(size >= wideSize ? 0xFFFF_FFFF : size, width: 4)
    bytes.appendLittleEndian(start >= wideSize ? 0xFFFF_FFFF : start, width: 4)
    bytes.appendLittleEndian(0, width: 2)
    return bytes
  }
}
