import Tensors
import TestSupport
import Testing

@testable import HDF5

@Suite struct HDF5FileTests {
  /// The values that lookup3.c itself gives as examples.
  @Test(arguments: [("", 0xDEAD_BEEF), ("Four score and seven years ago", 0x1777_0551)])
  func `the checksum of metadata is the hash of Bob Jenkins`(text: String, hash: UInt32) {
    #expect(lookup3(Array(text.utf8)[...]) == hash)
  }

  @Test(arguments: [("types.h5", 0), ("user-block-512.h5", 512), ("user-block-4096.h5", 4096)])
  func `the superblock is found behind a user block`(name: String, start: Int) throws {
    let source = try InputFile(path: Fixtures.path("HDF5Files/\(name)"))
    #expect(try HDF5File.superblock(of: source) == start)
  }

  @Test func `other files have no superblock`() throws {
    let source = MemoryBytes(
      [UInt8](repeating: 0x89, count: 3000), location: Location(path: "w.h5"))
    #expect(try HDF5File.superblock(of: source) == nil)
  }
}
