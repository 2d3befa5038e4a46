internal import HDF5

extension Mutator {
  /// What structures begin with that end with a checksum: object headers and their continuations, fractal
  /// heaps, version 2 trees, fixed and extensible arrays.
  private static let signatures = Set(
    [
      "OHDR", "OCHK", "FRHP", "FHDB", "FHIB", "BTHD", "BTIN", "BTLF", "FAHD", "FADB",
      "EAHD", "EAIB", "EASB", "EADB",
    ].map { Array($0.utf8) })
  /// The longest structure whose checksum is looked for.
  private static let longest = 1024

  /// Changes bytes in place, for addresses hold wherever something stands, and sets the checksums that
  /// held before.
  mutating func mutatedHDF5(_ bytes: [UInt8]) -> [UInt8]? {
    var result = changedInPlace(bytes)
    for place in checksums(in: bytes) {
      result.set(Int(lookup3(result[place])), at: place.upperBound, width: 4)
    }
    return result
  }

  /// What is covered by each checksum, which stands behind it.
  private func checksums(in bytes: [UInt8]) -> [Range<Int>] {
    var places: [Range<Int>] = []
    // A superblock of version 2 or 3 with addresses of 8 bytes.
    if bytes.count > 48, bytes[8] >= 2 { places.append(0..<44) }
    for start in bytes.indices.dropLast(8) where bytes[start] > 0x40 && bytes[start + 1] > 0x40 {
      guard Self.signatures.contains(Array(bytes[start..<start + 4])) else { continue }
      let ends =
        headerEnd(in: bytes, at: start).map { $0..<$0 + 1 } ?? start + 8..<start + Self.longest
      let end = ends.clamped(to: 0..<bytes.count - 3).first {
        bytes.number32(at: $0) == lookup3(bytes[start..<$0])
      }
      if let end { places.append(start..<end) }
    }
    return places
  }

  /// Where the checksum of an object header is: those are many, and say how long they are.
  private func headerEnd(in bytes: [UInt8], at start: Int) -> Int? {
    guard bytes[start...].starts(with: Array("OHDR".utf8)) else { return nil }
    let flags = bytes[start + 5]
    let width = 1 << Int(flags & 3)
    let size = start + 6 + (flags & 0x20 == 0 ? 0 : 16) + (flags & 0x10 == 0 ? 0 : 4)
    return bytes.number(at: size, width: width).map { size + width + $0 }
  }
}

extension [UInt8] {
  fileprivate func number32(at offset: Int) -> UInt32 {
    (0..<4).reversed().reduce(0) { $0 << 8 | UInt32(self[offset + $1]) }
  }
}
