import Checksums
import Foundation
import RVD
import Tensors
import TestSupport
import Testing

@Suite struct DamageTests {
  @Test(arguments: Vector.valid)
  func `a file cut short anywhere is refused on opening`(vector: Vector) throws {
    let bytes = try vector.bytes()
    for length in 0..<bytes.count {
      #expect(throws: ReadError.self, "\(length) of \(bytes.count) bytes") {
        try RVDFile(source: MemoryBytes(Array(bytes[..<length]), location: Location(path: "cut")))
      }
    }
  }

  /// Every byte is under some check. In small files every bit is tried, in others two of each byte. Those of a
  /// file whose tensors are a thousand times its size are left out: opening it 3500 times takes a minute.
  @Test(arguments: Vector.valid.filter { $0.file != "valid/compressed-frames.rvd" })
  func `a file with any byte changed is refused`(vector: Vector) throws {
    var bytes = try vector.bytes()
    for index in bytes.indices {
      for mask: UInt8 in [1, 2, 4, 8, 16, 32, 64, 128, 255]
      where bytes.count < 1000 || mask == 1 || mask == 128 {
        bytes[index] ^= mask
        #expect(throws: ReadError.self, "byte \(index), bits \(mask)") { try open(bytes) }
        bytes[index] ^= mask
      }
    }
    try open(bytes)
  }

  /// Manifests that someone made wrong, with checksums to match: no trap, whatever they say.
  @Test func `a manifest changed at random is refused or read, and never traps`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("manifest seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let vectors = try Vector.valid.map { try $0.bytes() }
    let words = [
      "0", "1", "-1", "9007199254740991", "9007199254740992", "9223372036854775807", "1e+300",
      "null",
      "true", "\"\"", "\"b\"", "[]", "{}", "[0]", "[4294967296,4294967296]", "[1,1]", "\"int8\"",
    ]
    var refused = 0
    for _ in 0..<3000 {
      let original = vectors.randomElement(using: &generator)!
      let start = Int(original[24]) | Int(original[25]) << 8
      var text = Array(original[start...])
      for _ in 0..<Int.random(in: 1...3, using: &generator) where !text.isEmpty {
        switch Int.random(in: 0..<3, using: &generator) {
        case 0:
          text[Int.random(in: 0..<text.count, using: &generator)] = .random(
            in: 0...255, using: &generator)
        case 1: text.remove(at: Int.random(in: 0..<text.count, using: &generator))
        default:  // another value in place of one
          let starts = text.indices.filter { text[$0] == UInt8(ascii: ":") }
          guard let colon = starts.randomElement(using: &generator) else { break }
          let end = text[(colon + 1)...].firstIndex { ",}]".utf8.contains($0) } ?? text.endIndex
          text.replaceSubrange(
            (colon + 1)..<end, with: Array(words.randomElement(using: &generator)!.utf8))
        }
      }
      do {
        try open(file(text, Array(original[64..<start])))
      } catch {
        refused += 1
        #expect(!error.description.isEmpty)
      }
    }
    #expect(refused > 1500, "seed \(seed)")
  }

  @Test func `the manifest's place in the header is compared before it is used`() throws {
    func refused(_ offset: UInt64, _ length: UInt64) -> ReadError? {
      #expect(throws: ReadError.self) {
        try open(file([], [], manifestOffset: offset, manifestLength: length))
      }
    }
    guard case .limitExceeded(let place, _, 16_777_216, _, _)? = refused(64, 1 << 24 + 1) else {
      Issue.record("no limit")
      return
    }
    #expect(place.offset == 32)
    for number: UInt64 in [1, 64, 128, 1 << 24, 1 << 31, 1 << 63, .max, .max - 63] {
      _ = refused(64, number)
      _ = refused(number, 0)
      _ = refused(number, number)
    }
  }

  @Test func `the error names the damaged tensor`() throws {
    var bytes = try #require(Vector.valid.first { $0.file == "valid/chain.rvd" }).bytes()
    let whole = try open(bytes)
    let weight = try #require(whole.storedTensors.first { $0.name == "head.weight" })
    bytes[weight.offset + 3] ^= 1
    let error = try #require(throws: ReadError.self) { try open(bytes) }
    #expect(
      error.description.starts(with: "model.rvd(head.weight): the CRC-32 of the bytes is "),
      "\(error)")

    // Opening alone does not read the tensors; the tensor itself verifies.
    let file = try RVDFile(source: MemoryBytes(bytes, location: Location(path: "model.rvd")))
    for named in file.tensors {
      if named.name == "head.weight" {
        #expect(throws: error) { try named.tensor.source.verify() }
      } else {
        try named.tensor.source.verify()
      }
    }
  }

  @Test func `errors say where, what was expected, what was found, and what to do`() throws {
    let expected = [
      "zip": """
      model.rvd at byte 0: it does not begin as an RVD file does.
        Name an .rvd file.
      """,
      "text-mode": """
      model.rvd at byte 0: expected the magic 89 52 56 44 0D 0A 1A 0A, found 89 52 56 44 0A 1A 0A 01.
        A transfer that treats files as text does this; fetch it again in binary mode.
      """,
      "needs-version-2": """
      model.rvd at byte 12: the file needs a reader of RVD version 2, and this one reads version 1.
        Update repconv.
      """,
      "codec-unknown": """
      model.rvd at byte 128: tensor 'b' is stored with the codec 'planes-deflate', which this version does not know.
        Update repconv, or ask the file's author for one with less in it.
      """,
      "overlap": """
      model.rvd at byte 192: expected tensors[1].offset ('b') in the manifest to be 192, the first multiple of 64 behind what is before it, found 128, which overlaps that.
        The program that wrote the file does not follow the format; report it to that program's authors.
      """,
      "groups-other": """
      model.rvd at byte 960: expected graph[2].weight in the manifest to be a kernel for 4 channels, found 4x2x3x1 and groups 1.
        The program that wrote the file does not follow the format; report it to that program's authors.
      """,
      "hole-before-manifest": """
      model.rvd at byte 24: expected the manifest at the first multiple of 64 behind the tensors, 256, found 320.
        The program that wrote the file does not follow the format; report it to that program's authors.
      """,
      "value-unused": """
      model.rvd at byte 960: expected graph[6].op in the manifest to be a later node that takes its result, found none.
        The program that wrote the file does not follow the format; report it to that program's authors.
      """,
      "keys-unsorted": """
      model.rvd at byte 243: expected keys in the order of their UTF-16 code units, each once, found the key 'bytes' after 'codec'.
        The program that wrote the file does not follow the format; report it to that program's authors.
      """,
    ]
    for (name, text) in expected {
      let vector = try #require(Vector.invalid.first { $0.file == "invalid/\(name).rvd" })
      let error = #expect(throws: ReadError.self) { try open(vector.bytes()) }
      #expect(error?.description == text)
    }
  }
}

/// A file of any manifest text and data, with checksums to match.
func file(
  _ text: [UInt8], _ data: [UInt8], manifestOffset: UInt64? = nil, manifestLength: UInt64? = nil
) -> [UInt8] {
  func little(_ number: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
  var bytes = RVDFile.magic + little(1, 4) + little(1, 4) + little(0, 8)
  bytes += little(manifestOffset ?? UInt64(64 + data.count), 8)
  bytes += little(manifestLength ?? UInt64(text.count), 8)
  bytes += little(UInt64(CRC32(text).value), 4) + [UInt8](repeating: 0, count: 16)
  bytes += little(UInt64(CRC32(bytes).value), 4)
  return bytes + data + text
}
