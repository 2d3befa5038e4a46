internal import CDeflate

/// A running CRC-32 with the polynomial of zip and PNG (reflected `0xEDB88320`, initial value and
/// final xor all ones). Computed by libdeflate, which uses carry-less multiplication where the
/// processor has it.
public struct CRC32: Equatable, Sendable {
  /// The checksum of the bytes fed so far; 0 for none.
  public private(set) var value: UInt32 = 0

  public init() {}

  public init(_ bytes: some Sequence<UInt8>) {
    unsafe update(Array(bytes).span.bytes)
  }

  /// Feeds `bytes`, which follow those fed before.
  public mutating func update(_ bytes: borrowing RawSpan) {
    unsafe bytes.withUnsafeBytes { unsafe update($0) }
  }

  /// Feeds `bytes`, which follow those fed before.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    // Safe: libdeflate reads exactly `count` bytes from `baseAddress`.
    guard let start = bytes.baseAddress else { return }
    value = unsafe libdeflate_crc32(value, start, bytes.count)
  }
}
