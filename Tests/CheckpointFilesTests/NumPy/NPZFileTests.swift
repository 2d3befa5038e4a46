import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// What NumPy writes, and what else an archive may hold.
@Suite struct NPZFileTests: NumPySamples {
  @Test(arguments: ["stored.npz", "deflated.npz", "versions.npz", "objax.npz"])
  func `every array is as NumPy loads it`(file: String) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("NumPy/\(file)"))
    #expect(checkpoint.family == "numpy")
    #expect(
      checkpoint.container == (file == "objax.npz" ? "NumPy archive of Objax" : "NumPy archive"))
    #expect(checkpoint.notes == [])
    let rows = try Fixtures.table("NumPy/archives.tsv").filter { $0[0] == file }.map {
      Array($0.dropFirst())
    }
    #expect(checkpoint.stateDicts.count == 1 && checkpoint.stateDicts[0].path == [])
    try expect(checkpoint.stateDicts[0], holds: rows)
    let hasText = ["stored.npz", "deflated.npz"].contains(file)
    #expect(
      checkpoint.stateDicts[0].ignored.map { "\($0.name): \($0.what)" }
        == (hasText ? ["text: an array of strings"] : []))
  }

  @Test func `an array's member is checked while it is read`() throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("NumPy/stored.npz"))
    let tensor = try #require(checkpoint.stateDicts[0].tensors.first).tensor
    // A damaged copy, with the same directory.
    var bytes = try Fixtures.bytes("NumPy/stored.npz")
    bytes[(tensor.source.location.offset ?? 0) + 200] ^= 1
    let damaged = try TemporaryFile(bytes)
    let read = try readCheckpoint(path: damaged.path).stateDicts[0].tensors[0].tensor
    _ = try read.bytes()
    let error = #expect(throws: ReadError.self) { try read.source.verify() }
    guard case .checksumMismatch(let place, _, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(place.member == "f8.npy")
  }

  @Test(arguments: [
    (
      "bfloat16.npz(w.npy)",
      "'w' has the dtype V2: its elements are raw bytes, as NumPy saves bfloat16 and other types "
        + "that are not its own"
    ),
    ("object.npz(w.npy)", "'w' has the dtype object (O): its elements are Python objects"),
    ("structure.npz(w.npy)", "'w' has the dtype of a structure"),
  ])
  func `an array of no plain numbers is refused by name`(place: String, message: String) throws {
    let file = "NumPy/" + place.prefix { $0 != "(" }
    let error = #expect(throws: ReadError.self) { try readCheckpoint(path: Fixtures.path(file)) }
    #expect(
      Fixtures.description(of: try #require(error)) == """
        NumPy/\(place): \(message).
          Save the arrays again with plain numbers, such as float32, in its place.
        """)
  }

  @Test func `a single array has no name`() throws {
    func message(_ file: String) throws -> String {
      Fixtures.description(
        of:
          try #require(
            #expect(throws: ReadError.self) { try readCheckpoint(path: Fixtures.path(file)) }))
    }
    #expect(
      try message("NumPy/single.npy") == """
        NumPy/single.npy: the file holds a single array without a name, of float32 2x3x4.
          Weights need names: numpy.savez("weights.npz", **{name: array, ...}), and convert that.
        """)
    #expect(
      try message("NumPy/dict.npy") == """
        NumPy/dict.npy: the file holds a single array without a name, of dtype object (O): its \
        elements are Python objects.
          Load it with numpy.load(file, allow_pickle=True), save the arrays in it with numpy.savez, \
        and convert that.
        """)
  }

  @Test func `members that are no arrays are left alone`() throws {
    let checkpoint = try Self.read([("w.npy", Self.one), ("more.npy", Self.one)])
    #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["w", "more"])
    #expect(checkpoint.stateDicts[0].ignored.isEmpty)
    // Then it is no archive of arrays.
    let message = try Self.refusal([("w.npy", Self.one), ("readme.txt", [0x41])])
    #expect(
      message
        == ": the file is a zip archive without a checkpoint's data.pkl ('w.npy', 'readme.txt').")
  }

  @Test func `bytes behind an array are noted`() throws {
    let checkpoint = try Self.read([("w.npy", Self.array(Self.header(), data: 9))])
    #expect(
      checkpoint.notes == [
        "Arrays with bytes behind them, which were left alone (1): 1 behind 'w'."
      ])
    #expect(checkpoint.stateDicts[0].tensors[0].tensor.byteCount == 8)
  }
}
