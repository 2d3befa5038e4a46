import Foundation
import TestSupport
import Testing

/// Damage of many kinds, always the same.
@Suite struct MutationTests {
  /// Small files of every format.
  static let seeds: [String] = [
    "Pickle", "MegEngine", "NumPy", "Safetensors", "TorchFiles", "TorchArchives", "Archives", "WTS",
    "Paddle", "HDF5Files", "KerasFiles", "ONNXVectors", "Hostile",
  ].flatMap { folder in
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: Fixtures.path(folder))) ?? []
    return names.sorted().filter { name in
      let size =
        try? FileManager.default.attributesOfItem(
          atPath: Fixtures.path("\(folder)/\(name)"))[.size] as? Int
      return !name.hasSuffix(".py") && !name.hasSuffix(".tsv") && (1...20_000).contains(size ?? 0)
    }.map { "\(folder)/\($0)" }
  }

  @Test func `damaged files are read or refused`() throws {
    let folder = try TemporaryFolder()
    let seed: UInt64 = 20_260_101
    var random = SeededGenerator(seed: seed)
    #expect(Self.seeds.count > 200)
    for name in Self.seeds {
      let original = try Fixtures.bytes(name)
      for round in 0..<2 {
        let damaged = mutated(original, using: &random)
        let bytes = round % 4 == 0 ? damaged : repaired(damaged)
        FuzzTarget.checkpoint.run(bytes, scratch: folder.file("file"))
      }
    }
  }

  @Test(arguments: [FuzzTarget.dialect, .rename])
  func `damaged texts are read or refused`(target: FuzzTarget) throws {
    var random = SeededGenerator(seed: 7)
    for text in texts(for: target) {
      for _ in 0..<1000 { target.run(mutated(Array(text.utf8), using: &random), scratch: "") }
    }
  }

  private func texts(for target: FuzzTarget) -> [String] {
    guard target == .dialect else {
      return ["*.{s}.*={s}.*.*\nstage.1.conv.weight\na.b.c\n1", "encoder.*=*\nencoder.a\nencoder."]
    }
    return [
      """
      name: mine
      source: a page
      like: official
      block: stage{s}.{b} = stages.{s-1}.{b}
      other: linear.* = head.*
      """
    ]
  }

  /// With some bytes changed, removed, doubled or moved.
  private func mutated(_ original: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let end = min(bytes.count, place + Int.random(in: 1...16, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random)!
      case 2: bytes.removeSubrange(place..<end)
      case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
      case 4:
        let to = Int.random(in: 0...bytes.count - (end - place), using: &random)
        bytes.replaceSubrange(to..<to + (end - place), with: bytes[place..<end])
      default: bytes[place] = UInt8.random(in: 0...255, using: &random)
      }
    }
    return bytes
  }
}
