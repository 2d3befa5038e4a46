import Checksums
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct StoredZipWriterTests {
  private static let members: [(name: String, bytes: [UInt8])] = [
    ("r/empty", []), ("r/a", Array("some text".utf8)), ("r/ä", [UInt8](repeating: 7, count: 1000)),
    ("r/a much longer name than all the others, so that padding changes", [1, 2, 3]),
  ]

  private static func write(wideSize: Int, wideCount: Int) throws -> TemporaryFile {
    try TemporaryFile { file in
      var archive = StoredZipWriter(file, wideSize: wideSize, wideCount: wideCount)
      for (name, bytes) in members { archive.add(name, bytes) }
      try archive.finish()
    }
  }

  @Test(arguments: [
    (0xFFFF_FFFF, 0xFFFF), (100, 0xFFFF), (1, 0xFFFF), (0xFFFF_FFFF, 4), (0, 0),
  ])
  func `what is written reads, aligned, with and without 64-bit fields`(
    wideSize: Int, wideCount: Int
  ) throws {
    let written = try Self.write(wideSize: wideSize, wideCount: wideCount)
    let archive = try ZipArchive(try InputFile(path: written.path))
    #expect(archive.notes == [])
    #expect(archive.members.map(\.name) == Self.members.map(\.name))
    for (member, expected) in zip(archive.members, Self.members) {
      #expect(member.payloadOffset.isMultiple(of: 64))
      let contents = try archive.contents(of: member)
      #expect(try contents.allBytes() == expected.bytes)
      try contents.verify()
    }
  }

  @Test(arguments: [1, 2])
  func `a member can hold a tensor behind a prefix, whatever the number of threads`(
    threads: Int
  ) throws {
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
    let source = MemoryBytes(bytes, location: Location(path: "t"))
    let tensor = OutputTensor(
      name: "t", try Tensor(.uint8, shape: [3000, 1000], in: source, name: "t"))
    let written = try TemporaryFile { file in
      var archive = StoredZipWriter(file)
      archive.add("r/a", [1, 2, 3], tensor: tensor)
      archive.add("r/b", [4])
      archive.add("r/c", tensor: tensor)
      try archive.finish(threads: Threads(threads))
    }
    let archive = try ZipArchive(try InputFile(path: written.path))
    for (name, expected) in [("r/a", [1, 2, 3] + bytes), ("r/b", [4]), ("r/c", bytes)] {
      let contents = try archive.contents(of: try #require(archive.member(Name(name))))
      #expect(try contents.allBytes() == expected)
      try contents.verify()
    }
  }

  @Test func `the same members give the same bytes`() throws {
    let written = try Self.write(wideSize: 0xFFFF_FFFF, wideCount: 0xFFFF)
    let bytes = try InputFile(path: written.path).allBytes()
    var hash = SHA256()
    hash.update(bytes)
    #expect(
      hash.finalize().hexadecimal
        == "48b0142b679d31aaa02fd5d075f9d2911f5010f812689aa9c46a5a1c86fea904")
  }
}
