import Checksums
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct ZipArchiveTests {
  @Test(arguments: try! Fixtures.table("Archives/payloads.tsv"))
  func `members lie where Python's zipfile finds them`(row: [String]) throws {
    let file = try InputFile(path: Fixtures.path("Archives/\(row[0])"))
    let archive = try ZipArchive(file)
    let member = try #require(archive.member(Name(row[1])))
    #expect(member.payloadOffset == Int(row[2]))
    #expect(member.size == Int(row[3]))
    #expect((member.crc ?? 0).hexadecimal == row[4])

    let contents = try archive.contents(of: member)
    var hash = SHA256()
    hash.update(try contents.allBytes())
    #expect(hash.finalize().hexadecimal == row[5])
    try contents.verify()
  }

  @Test(arguments: [
    ("sound-trailing-bytes", "9 bytes follow the end of the archive and were left alone."),
    (
      "sound-no-checksums",
      "2 of 2 members of the archive record no checksum; damage to them cannot be noticed."
    ),
  ])
  func `what is harmless but odd is noted`(name: String, note: String) throws {
    let archive = try ZipArchive(try InputFile(path: Fixtures.path("Archives/\(name).zip")))
    #expect(archive.notes == [note])
  }

  @Test(
    arguments: try! Fixtures.table("Archives/refusals.tsv").filter { $0[0].hasPrefix("hostile") })
  func `an archive that could be read in two ways, or not at all, is refused`(row: [String]) throws
  {
    let file = try InputFile(path: Fixtures.path("Archives/\(row[0])"))
    let error = #expect(throws: ReadError.self) { _ = try ZipArchive(file) }
    #expect(
      Fixtures.description(of: try #require(error)) == "Archives/\(row[0])\(row[1])\n  \(row[2])")
  }

  @Test(
    arguments: try! Fixtures.table("Archives/refusals.tsv").filter { $0[0].hasPrefix("corrupt") })
  func `damage inside a member is found when it is read`(row: [String]) throws {
    let archive = try ZipArchive(try InputFile(path: Fixtures.path("Archives/\(row[0])")))
    let contents = try archive.contents(of: try #require(archive.member("r/a")))
    let error = #expect(throws: ReadError.self) {
      _ = try contents.allBytes()
      try contents.verify()
    }
    #expect(
      Fixtures.description(of: try #require(error)) == "Archives/\(row[0])\(row[1])\n  \(row[2])")
  }

  @Test func `a member on another disk is refused`() throws {
    var bytes = try Fixtures.bytes("Archives/sound-deflated.zip")
    let entry = try #require(
      bytes.indices.first { bytes[$0...].starts(with: [0x50, 0x4B, 0x01, 0x02]) })
    bytes[entry + 34] = 1
    let error = #expect(throws: ReadError.self) {
      _ = try ZipArchive(MemoryBytes(bytes, location: Location(path: "w.zip")))
    }
    #expect(
      Fixtures.description(of: try #require(error)).hasPrefix(
        "w.zip at byte \(entry): expected a member on the archive's only disk, 0, found disk 1."))
  }

  @Test func `opening an archive reads its directory and headers, not its members`() throws {
    let file = RecordingSource(try InputFile(path: Fixtures.path("PyTorch/plain-train.pth")))
    let archive = try ZipArchive(file)
    #expect(archive.members.count == 119)
    // The end of the file is searched for the end record, by us and by libzip.
    let inside = file.reads.filter { $0.upperBound < file.count - 0xFFFF - 42 }
    #expect(inside.count > archive.members.count / 2)
    #expect(inside.allSatisfy { $0.count <= 160 })
  }

  @Test(arguments: ["stored", "deflated", "like-torch", "zip64"])
  func `an archive cut short anywhere is refused`(name: String) throws {
    let bytes = try InputFile(path: Fixtures.path("Archives/sound-\(name).zip")).allBytes()
    for length in 0..<bytes.count {
      let file = MemoryBytes(Array(bytes.prefix(length)), location: Location(path: name))
      #expect(throws: ReadError.self) { _ = try ZipArchive(file) }
    }
  }

  @Test(arguments: ["stored", "deflated", "like-torch", "zip64"])
  func `a flipped bit is noticed or leaves the contents as they were`(name: String) throws {
    let bytes = try InputFile(path: Fixtures.path("Archives/sound-\(name).zip")).allBytes()
    func contents(_ bytes: [UInt8]) throws -> [String: [UInt8]] {
      let archive = try ZipArchive(MemoryBytes(bytes, location: Location(path: name)))
      var all: [String: [UInt8]] = [:]
      for member in archive.members {
        // Without its checksum, which a flip can erase only by chance, a member is not compared.
        if member.crc == nil { continue }
        let source = try archive.contents(of: member)
        all[member.name] = try source.allBytes()
        try source.verify()
      }
      return all
    }
    let sound = try contents(bytes)
    for index in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[index] ^= 1 << bit
        do {
          for (name, value) in try contents(damaged) {
            // A name may be damaged in both headers only by two flips.
            #expect(sound[name] == value, "byte \(index), bit \(bit)")
          }
        } catch is ReadError {}
      }
    }
  }

  @Test func `a compressed member can be read in any order, and by several threads`() async throws {
    let archive = try ZipArchive(try InputFile(path: Fixtures.path("Archives/sound-deflated.zip")))
    let source = try archive.contents(of: try #require(archive.member("r/b")))
    let other = try archive.contents(of: try #require(archive.member("r/a")))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for offset in [1000, 3, 700, 0, 256] {
        group.addTask {
          let expected = (offset..<offset + 20).map { UInt8(truncatingIfNeeded: $0) }
          let (part, word) = try (
            source.bytes(offset..<offset + 20, field: "a part"), other.bytes(4..<9, field: "a part")
          )
          #expect(part == expected)
          #expect(word == Array("first".utf8))
        }
      }
      try await group.waitForAll()
    }
    try source.verify()
  }
}

/// A source that writes down what is read of it.
private final class RecordingSource: ByteSource, @unchecked Sendable {  // used by one thread
  let source: any ByteSource
  var reads: [Range<Int>] = []

  init(_ source: any ByteSource) { self.source = source }
  var count: Int { source.count }
  var location: Location { source.location }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    reads.append(offset..<offset + buffer.count)
    try unsafe source.read(into: buffer, at: offset)
  }
}
