/// Bytes with the checksums and lengths made right again that a mutation broke, so that readers get past
/// them: those of zip archives, of `.rvd` and the length of a safetensors header.
func repaired(_ bytes: [UInt8]) -> [UInt8] {
  var file = ChangedFile(bytes: bytes)
  if bytes.starts(with: Array("PK".utf8)) {
    file.repairZip()
  } else if bytes.starts(with: Array("RVD".utf8))
    || bytes.dropFirst().starts(with: Array("RVD".utf8))
  {
    file.repairRVD()
  } else if bytes.count > 9, bytes[8] == UInt8(ascii: "{") {
    file.repairSafetensors()
  }
  return file.bytes
}

private struct ChangedFile {
  var bytes: [UInt8]

  /// A little-endian number; nil if it is not there, or larger than any place in a file.
  private func number(at offset: Int, width: Int) -> Int? {
    guard offset >= 0, offset <= bytes.count - width else { return nil }
    let number = bytes[offset..<offset + width].reversed().reduce(UInt64(0)) {
      $0 << 8 | UInt64($1)
    }
    return number > UInt64(Int32.max) ? nil : Int(number)
  }

  private mutating func set(_ value: Int, at offset: Int, width: Int) {
    guard offset >= 0, offset <= bytes.count - width else { return }
    for byte in 0..<width { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
  }

  /// Sets the CRC-32 of every stored member, in its local header and in the directory.
  mutating func repairZip() {
    for entry in offsets(of: [0x50, 0x4B, 0x01, 0x02]) {
      guard let header = number(at: entry + 42, width: 4),
        let size = number(at: entry + 20, width: 4),
        let nameLength = number(at: header + 26, width: 2),
        let extraLength = number(at: header + 28, width: 2),
        number(at: entry + 10, width: 2) == 0
      else { continue }
      let start = header + 30 + nameLength + extraLength
      guard start <= bytes.count, size <= bytes.count - start else { continue }
      let crc = crc32(bytes[start..<start + size])
      set(crc, at: entry + 16, width: 4)
      if let flags = number(at: header + 6, width: 2), flags & 8 == 0 {
        set(crc, at: header + 14, width: 4)
      }
    }
  }

  /// Sets the checksums of the manifest and of the header.
  mutating func repairRVD() {
    if let offset = number(at: 24, width: 8), let length = number(at: 32, width: 8),
      offset <= bytes.count, length <= bytes.count - offset
    {
      set(crc32(bytes[offset..<offset + length]), at: 40, width: 4)
    }
    if bytes.count >= 64 { set(crc32(bytes[..<60]), at: 60, width: 4) }
  }

  /// Has the header end where its last brace is.
  mutating func repairSafetensors() {
    if let end = bytes.lastIndex(of: UInt8(ascii: "}")) { set(end - 7, at: 0, width: 8) }
  }

  private func offsets(of mark: [UInt8]) -> [Int] {
    bytes.indices.filter { bytes[$0] == mark[0] && bytes[$0...].starts(with: mark) }
  }
}

/// The checksum of zip and PNG, bit by bit: nothing here is to depend on what is tested.
private func crc32(_ bytes: ArraySlice<UInt8>) -> Int {
  var crc = ~UInt32(0)
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 0 ? 0 : 0xEDB8_8320) }
  }
  return Int(~crc)
}
