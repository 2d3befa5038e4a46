import Tensors
import Testing

@Suite struct MemoryTests {
  @Test func `what has no room among all addresses is refused before it is asked for`() throws {
    #expect(hasMemory(for: 0) && hasMemory(for: 1 << 21))
    for count in [1 << 50, .max / 2, .max] {
      #expect(!hasMemory(for: count))
      let error = #expect(throws: ReadError.self) {
        try requireMemory(for: count, Double.self, at: Location(path: "a.pth"))
      }
      #expect(error?.isCorruption == false)
    }
    #expect(clampedByteCount(of: 3, Double.self) == 24)
    #expect(clampedByteCount(of: .max / 4, Double.self) == .max)
    #expect(
      "\(ReadError.noMemory(Location(path: "a.pth"), byteCount: 410_000_001))" == """
        a.pth: not enough memory: it takes 411 MB at once.
          Raise the limit of this process (ulimit -v), or use a machine with more memory.
        """)
  }
}
