import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// The directory as it is read here, also where libzip would refuse it first.
@Suite struct ZipDirectoryTests {
  private static func entries(_ name: String) throws -> [ZipDirectory.Entry] {
    let file = try InputFile(path: Fixtures.path("Archives/\(name).zip"))
    return try ZipDirectory.entries(of: ZipEndRecord.find(in: file), in: file)
  }

  @Test(arguments: ["sound-stored", "sound-zip64"])
  func `an entry says what the member is and where`(name: String) throws {
    let first = try #require(try Self.entries(name).first)
    // By zlib.crc32 of Python.
    #expect(
      first
        == ZipDirectory.Entry(
          name: Array("r/a".utf8), size: 33, compressedSize: 33, method: 0, crc: 0x2AED_14A3,
          isEncrypted: false, headerOffset: 0))
  }

  @Test(arguments: [
    ("hostile-zip64-no-place", "the place of a member in 64 bits", "an extra field without it"),
    (
      "hostile-zip64-place-outside", "a place no larger than a file can be",
      "18446744073709551615"
    ),
    ("hostile-zip64-two-places", "one extra field with 64-bit values", "two"),
    ("hostile-directory-signature", "2 entries to fill the directory", "6 more bytes"),
    ("hostile-wrong-count", "1 entries to fill the directory", "49 more bytes"),
    (
      "hostile-directory-entry-cut", "an entry of 49 bytes or more in the directory",
      "its end after 48"
    ),
  ])
  func `a directory that contradicts itself is refused`(
    name: String, expected: String, found: String
  ) throws {
    let error = #expect(throws: ReadError.self) { try Self.entries(name) }
    guard case .malformed(_, expected, found, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
