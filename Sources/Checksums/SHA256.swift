internal import Crypto

/// A running SHA-256 (FIPS 180-4), computed by swift-crypto.
public struct SHA256: Sendable {
  private var hash = Crypto.SHA256()

  public init() {}

  /// Feeds `bytes`, which follow those fed before.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    unsafe hash.update(bufferPointer: bytes)
  }

  /// Feeds `bytes`, which follow those fed before.
  public mutating func update(_ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes { unsafe update($0) }
  }

  /// The 32 bytes of the digest of all bytes fed so far.
  public func finalize() -> [UInt8] {
    Array(hash.finalize())
  }
}
