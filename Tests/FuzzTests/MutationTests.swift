import FuzzTargets
import TestSupport
import Testing

/// Damage of many kinds, always the same: a second of what `make fuzz` does for as long as it is told.
@Suite struct MutationTests {
  /// Bytes that each target is given beside one mutation of every seed.
  private static let byteCount = 300_000
  private static let largestCount = 500

  @Test(arguments: FuzzTarget.all)
  func `damaged input is read or refused`(target: FuzzTarget) throws {
    let seeds = try target.seeds()
    try #require(!seeds.isEmpty)
    let size = seeds.map(\.count).reduce(0, +) / seeds.count
    let count = max(seeds.count, min(Self.byteCount / max(1, size), Self.largestCount))
    let folder = try TemporaryFolder()
    var mutator = Mutator(seed: 20_260_101)
    for index in 0..<count {
      let seed = seeds[index % seeds.count]
      let bytes = target.mutated(seed, by: &mutator, capacity: seed.count + 64)
      target.run(bytes, scratch: folder.file("file"))
    }
  }
}
