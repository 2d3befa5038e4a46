import Checksums
import Foundation
import Testing

@testable import Tensors

@Suite struct ByteSourceTests {
  let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

  /// A decoder that counts how often it is started.
  final class Counter: @unchecked Sendable { var starts = 0 }
  struct Forward: ByteStream {
    let bytes: [UInt8]
    var position = 0
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ReadError) {
      unsafe buffer.copyBytes(from: bytes[position..<position + buffer.count])
      position += buffer.count
    }
    mutating func finish() throws(ReadError) {}
  }

  @Test func `a stream is read forward in one pass, and backwards in two`() throws {
    let counter = Counter()
    let source = StreamedBytes(count: bytes.count, location: Location(path: "t")) { [bytes] in
      counter.starts += 1
      return Forward(bytes: bytes)
    }
    #expect(try source.bytes(10..<20, field: "x") == Array(bytes[10..<20]))
    #expect(try source.bytes(500..<9000, field: "x") == Array(bytes[500..<9000]))
    #expect(counter.starts == 1)
    for start in [8000, 3, 9990, 0] {
      #expect(try source.bytes(start..<start + 10, field: "x") == Array(bytes[start..<start + 10]))
    }
    #expect(counter.starts == 2)
  }

  @Test func `a checksum is verified whether or not the bytes were read in order`() throws {
    let parent = MemoryBytes(bytes, location: Location(path: "t"))
    let crc = CRC32(bytes[100..<5100]).value
    for reads in [[], [0..<5000], [0..<100, 100..<200], [3000..<4000, 0..<10]] {
      let region = try ByteRegion(of: parent, start: 100, count: 5000, field: "x", crc: crc)
      for range in reads { _ = try region.bytes(range, field: "x") }
      try region.verify()
      let wrong = try ByteRegion(of: parent, start: 100, count: 5000, field: "x", crc: crc ^ 1)
      for range in reads { _ = try wrong.bytes(range, field: "x") }
      #expect(
        throws: ReadError.checksumMismatch(
          Location(path: "t", offset: 100), recorded: crc ^ 1, computed: crc)
      ) { try wrong.verify() }
    }
  }

  @Test func `a region outside its parent is refused`() {
    let parent = MemoryBytes(bytes, location: Location(path: "t"))
    for (start, count) in [(9_999, 2), (-1, 1), (0, 10_001), (5, -1), (10_001, 0), (1, Int.max)] {
      #expect(throws: ReadError.self) {
        try ByteRegion(of: parent, start: start, count: count, field: "x")
      }
    }
  }

  @Test func `a missing file, a folder and a device are told apart`() throws {
    func reason(_ path: String) -> String {
      do throws(ReadError) {
        _ = try InputFile(path: path)
        return "opened"
      } catch {
        return error.description
      }
    }
    #expect(
      reason("/no/such/file")
        == "/no/such/file: no such file or directory.\n  Check the spelling and the current folder."
    )
    #expect(reason("/") == "/: it is a folder.\n  Name a checkpoint file inside it.")
    #expect(reason("/dev/null").hasPrefix("/dev/null: it is not a regular file."))
  }

  @Test func `a named pipe is refused at once, not waited for`() throws {
    let path = NSTemporaryDirectory() + "repconv-tests-\(UUID().uuidString)"
    try #require(unsafe mkfifo(path, 0o600) == 0)
    defer { unsafe unlink(path) }
    let error = #expect(throws: ReadError.self) { try InputFile(path: path) }
    #expect(
      error?.description == """
        \(path): it is not a regular file.
          Save the stream to a file first: checkpoints are read in any order.
        """)
  }
}

@Suite struct MappingTests {
  @Test func `a file's bytes are mapped wherever they begin`() throws {
    let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    let path = FileManager.default.temporaryDirectory
      .appending(path: "repconv-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(bytes).write(to: URL(filePath: path))
    let file = try InputFile(path: path)
    let region = try ByteRegion(of: file, start: 100, count: 19_000, field: "a region")
    let memory = MemoryBytes(bytes, location: Location(path: "memory"))
    for range in [0..<0, 0..<1, 0..<19_000, 4095..<4097, 4096..<8192, 18_999..<19_000, 7..<12_345] {
      func check(_ source: any ByteSource, from start: Int) throws {
        try unsafe source.withMappedBytes(range) { found in
          let expected = bytes[start + range.lowerBound..<start + range.upperBound]
          #expect(unsafe found.elementsEqual(expected), "\(range)")
        }
      }
      try check(file, from: 0)
      try check(region, from: 100)
      try check(memory, from: 0)
    }
    #expect(throws: ReadError.self) { try unsafe file.withMappedBytes(0..<20_001) { _ in } }
    #expect(throws: ReadError.self) { try unsafe region.withMappedBytes(0..<19_001) { _ in } }
    // Cut short while it is open.
    try Data(bytes[..<5000]).write(to: URL(filePath: path), options: [])
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.truncate(atOffset: 10)
    let other = try InputFile(path: path)
    try handle.truncate(atOffset: 5)
    #expect(throws: ReadError.self) { try unsafe other.withMappedBytes(0..<10) { _ in } }
  }
}
