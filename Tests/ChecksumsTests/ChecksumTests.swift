import Checksums
import Testing

@Suite struct ChecksumTests {
  @Test(arguments: [
    ("", 0x0000_0000 as UInt32), ("123456789", 0xCBF4_3926), ("a", 0xE8B7_BE43),
  ])
  func `CRC-32 gives the values of zlib`(text: String, expected: UInt32) {
    #expect(CRC32(text.utf8).value == expected)
  }

  @Test func `CRC-32 of pieces is that of the whole`() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    var pieces = CRC32()
    for start in stride(from: 0, to: 1000, by: 7) {
      unsafe Array(bytes[start..<min(start + 7, 1000)]).withUnsafeBytes { unsafe pieces.update($0) }
    }
    #expect(pieces == CRC32(bytes))
  }

  /// The examples of FIPS 180-4.
  @Test(arguments: [
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
  ])
  func `SHA-256 gives the values of the standard`(text: String, expected: String) {
    var hash = SHA256()
    hash.update(Array(text.utf8))
    #expect(hash.finalize().hexadecimal == expected)
  }

  @Test func `hexadecimal keeps leading zeros`() {
    #expect([0, 1, 0xAB].hexadecimal == "0001ab")
    #expect((0x00C0_FFEE as UInt32).hexadecimal == "00c0ffee")
  }
}
