import Tensors
import TestSupport
import Testing

@testable import HDF5

/// Files that were damaged.
@Suite struct HDF5DamageTests {
  /// Files with every kind of structure.
  static let samples = [
    "HDF5Files/types.h5", "HDF5Files/types-v114.h5", "HDF5Files/ordered-v110.h5",
    "HDF5Files/user-block-512.h5", "HDF5Files/user-block-v110.h5", "HDF5Files/layouts-v110.h5",
    "HDF5Files/growing.h5", "HDF5Files/soft-links-v110.h5", "HDF5Files/unwritten-earliest.h5",
    "HDF5Files/lzf.h5", "HDF5Files/layouts-earliest.h5", "HDF5Files/crowd-earliest.h5",
    "HDF5Files/crowd-v108.h5",
    "KerasFiles/network-weights.h5", "KerasFiles/network.weights.h5", "KerasFiles/keras2.h5",
  ]

  private static func bytes(_ name: String) throws -> [UInt8] {
    try Fixtures.bytes(name)
  }

  @Test(arguments: samples)
  func `a file cut short anywhere is refused`(name: String) throws {
    let bytes = try Self.bytes(name)
    // At some thousand lengths, with every remainder.
    for length in stride(from: 0, to: bytes.count, by: bytes.count / 2000 | 1) {
      let file = MemoryBytes(Array(bytes.prefix(length)), location: Location(path: name))
      guard let start = try HDF5File.superblock(of: file) else { continue }
      #expect(throws: ReadError.self, "\(length)") {
        _ = try HDF5Tree(HDF5File(file, superblockAt: start))
      }
    }
  }

  /// One byte each, half of them with the checksums of structures made right again.
  @Test func `what the HDF5 library refuses is not read`() throws {
    let rows = try Fixtures.table("HDF5Files/damage.tsv")
    #expect(rows.count > 100)
    for row in rows {
      var bytes = try Self.bytes("HDF5Files/\(row[0])")
      for change in row[1].split(separator: " ") {
        let parts = change.split(separator: "=")
        bytes[Int(parts[0], radix: 16)!] = UInt8(parts[1], radix: 16)!
      }
      let source = MemoryBytes(bytes, location: Location(path: row[0]))
      do {
        let isRead = try Self.isRead(row[2], in: source)
        #expect(!isRead, "\(row)")
      } catch is ReadError {}
    }
  }

  /// Whether a dataset is read; of a file that is refused as a whole, whether anything is.
  private static func isRead(_ dataset: String, in source: any ByteSource) throws -> Bool {
    guard let start = try HDF5File.superblock(of: source) else { return false }
    let file = try HDF5File(source, superblockAt: start)
    let found = try tensors(in: HDF5Tree(file).root, of: file)
    if dataset.isEmpty { return true }
    guard let object = found.first(where: { $0.path.replacing("/", with: ".") == dataset })
    else { return false }
    _ = try object.tensor.bytes()
    return true
  }

  @Test func `a file cut short says how much is missing`() throws {
    let bytes = try Self.bytes("HDF5Files/user-block-512.h5")
    let file = MemoryBytes(Array(bytes.prefix(3000)), location: Location(path: "w.h5"))
    let error = #expect(throws: ReadError.self) { _ = try HDF5File(file, superblockAt: 512) }
    #expect(
      Fixtures.description(of: try #require(error)) == """
        w.h5: the file ends inside the data that the superblock announces: 6712 bytes expected, \
        2488 there.
          It is cut short, as by an interrupted download or a full disk; fetch or save it again.
        """)
  }

  @Test(arguments: samples)
  func `whatever bytes are changed, reading ends with tensors or an error`(name: String) throws {
    let original = try Self.bytes(name)
    var generator = SeededGenerator(seed: UInt64(original.count))
    let values: [UInt8] = [0, 1, 2, 4, 8, 0x7F, 0x80, 0xFF]
    let words: [UInt64] = [
      0, 1 << 32, 1 << 63 - 1, 1 << 63, .max - 1, .max, UInt64(original.count),
    ]
    var refused = 0
    let rounds = min(300, 4_000_000 / original.count)
    for _ in 0..<rounds {
      var bytes = original
      for _ in 0...Int.random(in: 0...2, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0...3, using: &generator) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        case 1: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
        case 2 where place + 8 <= bytes.count:
          let word = words.randomElement(using: &generator)!
          for byte in 0..<8 { bytes[place + byte] = UInt8(truncatingIfNeeded: word >> (8 * byte)) }
        default: bytes[place] = values.randomElement(using: &generator)!
        }
      }
      let file = MemoryBytes(bytes, location: Location(path: name))
      do {
        try readAll(file)
      } catch is ReadError {
        refused += 1
      }
    }
    #expect(refused > 0)
  }
}
