extension RandomAccessCollection<UInt8> where Index == Int {
  /// The unsigned little-endian integer of `width` bytes at `offset`, counted from the first byte.
  ///
  /// - Precondition: the bytes are there, and the value fits an `Int` if `width` is 8.
  @inlinable package func littleEndian(at offset: Int, width: Int) -> Int {
    Int(littleEndian64(at: offset, width: width))
  }

  /// The same without the restriction on 8 bytes.
  @inlinable package func littleEndian64(at offset: Int, width: Int = 8) -> UInt64 {
    var value: UInt64 = 0
    for index in (0..<width).reversed() {
      value = value << 8 | UInt64(self[startIndex + offset + index])
    }
    return value
  }
}

extension [UInt8] {
  /// Appends the lowest `width` bytes of `value`, least significant first.
  package mutating func appendLittleEndian(_ value: Int, width: Int) {
    for index in 0..<width {
      append(UInt8(truncatingIfNeeded: value >> (8 * index)))
    }
  }
}
