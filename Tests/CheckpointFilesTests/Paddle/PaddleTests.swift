import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct PaddleTests {
  @Test(arguments: ["state-2", "state-3", "state-4", "sliced-2", "sliced-3", "nested"])
  func `every tensor is as Paddle loads it`(name: String) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("Paddle/\(name).pdparams"))
    #expect(checkpoint.family == "paddle")
    #expect(checkpoint.container == "Paddle pickle (protocol \(name.last!.wholeNumberValue ?? 4))")
    #expect(checkpoint.notes == [])
    #expect(checkpoint.globals.filter { !$0.isExpected }.isEmpty)
    let path: [Name] = name == "nested" ? ["model"] : []
    let dict = try #require(checkpoint.stateDicts.first { $0.path == path })
    let rows = try Fixtures.table("Paddle/states.tsv").filter { $0[0] == "\(name).pdparams" }
    try expect(dict, holds: rows.map { Array($0.dropFirst()) })
    if path.isEmpty {
      #expect(
        dict.ignored.map { "\($0.name): \($0.what)" } == [
          "StructuredToParameterName@@: Paddle's own names of the parameters"
        ])
    } else {
      #expect(checkpoint.stateDicts.map(\.path) == [[], ["model"]])
      #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["one"])
      #expect(
        checkpoint.stateDicts[0].ignored.map { "\($0.name): \($0.what)" }.contains("epoch: int"))
    }
  }

  @Test func `what may be bfloat16 is noted`() throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("Paddle/bfloat16.pdparams"))
    #expect(checkpoint.stateDicts[0].tensors[0].tensor.elementType == .uint16)
    #expect(
      checkpoint.notes == [
        "Tensors of uint16 may be of bfloat16, which Paddle saves under that type; they are taken as "
          + "integers."
      ])
  }

  @Test(arguments: [
    "Paddle/state-2.pdparams", "Paddle/nested.pdparams", "MegEngine/plain-basecls.pkl",
    "MegEngine/g2-whole-module.pkl", "NumPy/arrays-4.pkl",
  ])
  func `Paddle's pickles are told from others`(name: String) throws {
    #expect(PaddleCheckpoint.matches(try parse(fixture: name)) == name.hasPrefix("Paddle"))
  }

  // Slices, as pickles of protocol 0.

  private static func array(_ count: Int, code: String = "f4") -> String {
    PickledArrayTests.frombuffer(
      "C\(Character(UnicodeScalar(UInt8(4 * count))))"
        + String(repeating: "\u{1}", count: 4 * count),
      "(I\(count)\nt"
    ).replacing("'f4'", with: "'\(code)'")
  }

  private static func read(_ arrays: String, _ info: String) throws -> Checkpoint {
    let stream = "\u{80}\u{2}(\(arrays)S'UnpackBigParamInfor@@'\n(\(info)dd."
    let file = try TemporaryFile(stream.latin1)
    return try readCheckpoint(path: file.path)
  }

  private static func info(_ shape: String, _ slices: String...) -> String {
    "S'w'\n(S'OriginShape'\n(\(shape)tS'slices'\n(" + slices.map { "S'\($0)'\n" }.joined() + "ld"
  }

  private static let two =
    "S'w@@.0'\n\(array(4))S'v'\n\(array(1))S'w@@.1'\n\(array(2))"

  @Test func `slices are put together where the first one was`() throws {
    let dict = try Self.read(Self.two, Self.info("I2\nI3\n", "w@@.0", "w@@.1")).stateDicts[0]
    #expect(dict.tensors.map(\.name) == ["w", "v"])
    #expect(dict.tensors[0].tensor.shape == [2, 3])
    #expect(try dict.tensors[0].tensor.bytes() == [UInt8](repeating: 1, count: 24))
    #expect(dict.ignored.isEmpty)
    let reversed = try Self.read(Self.two, Self.info("I6\n", "w@@.1", "w@@.0")).stateDicts[0]
    #expect(reversed.tensors.map(\.name) == ["w", "v"])
  }

  @Test func `any part of the slices can be read`() throws {
    let dict = try Self.read(Self.two, Self.info("I6\n", "w@@.0", "w@@.1")).stateDicts[0]
    let source = dict.tensors[0].tensor.source
    for start in 0..<24 {
      for end in start...24 {
        #expect(try source.bytes(start..<end, field: "a part").count == end - start)
      }
    }
    #expect(throws: ReadError.self) { try source.bytes(20..<25, field: "a part") }
  }

  @Test(arguments: [
    (
      two, info("I6\n", "w@@.0", "w@@.2"),
      "expected the slice 'w@@.2' of 'w', for it alone, found none."
    ),
    (
      two, info("I6\n", "w@@.0", "w@@.0"),
      "expected the slice 'w@@.0' of 'w', for it alone, found none."
    ),
    (
      two, info("I7\n", "w@@.0", "w@@.1"), "expected 7 elements in the slices of 'w' (7), found 6."
    ),
    (two, info("I-6\n", "w@@.0", "w@@.1"), "expected the shape and the slices of 'w', found dict."),
    (two, info("S'6'\n", "w@@.0"), "expected the shape and the slices of 'w', found dict."),
    (two, info("I6\n"), "expected the shape and the slices of 'w', found dict."),
    (two, "S'w'\nI1\n", "expected the shape and the slices of 'w', found int."),
    (
      two + "S'w'\n\(array(1))", info("I6\n", "w@@.0", "w@@.1"),
      "expected 'w' or slices of it, found both."
    ),
    (
      "S'w@@.0'\n\(array(4))S'w@@.1'\n\(array(1, code: "i4"))", info("I5\n", "w@@.0", "w@@.1"),
      "expected slices of 'w' that are vectors of one type, found others."
    ),
  ])
  func `slices that do not fit are refused`(arrays: String, info: String, message: String) throws {
    let error = #expect(throws: ReadError.self) { try Self.read(arrays, info) }
    #expect(String(describing: try #require(error)).contains(": \(message)\n"), "\(error!)")
  }

  @Test func `a pickle without arrays is no checkpoint`() throws {
    let file = try TemporaryFile("\u{80}\u{2}(S'StructuredToParameterName@@'\n(dd.".latin1)
    let error = #expect(throws: ReadError.self) { try readCheckpoint(path: file.path) }
    guard case .notACheckpoint(_, let what, _)? = error else { return }
    #expect(what == "the pickle holds no named arrays (its root: dict)")
  }

  @Test func `an array of objects is refused by name`() throws {
    let arrays = "S'v'\n\(Self.array(1))S'w'\n\(Self.array(1, code: "O8"))"
    let error = #expect(throws: ReadError.self) { try Self.read(arrays, "") }
    #expect(error?.description.contains("'w' has the dtype object (O8)") == true)
  }

  @Test func `flipped bits never trap`() throws {
    let original = try Fixtures.bytes("Paddle/sliced-3.pdparams")
    var random = SeededGenerator(seed: 3)
    for _ in 0..<500 {
      var damaged = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        damaged[Int.random(in: 0..<damaged.count, using: &random)] ^=
          UInt8(1 << Int.random(in: 0..<8, using: &random))
      }
      let source = MemoryBytes(damaged, location: Location(path: "w.pdparams"))
      guard let graph = try? parse(damaged), PaddleCheckpoint.matches(graph),
        let checkpoint = try? PaddleCheckpoint.read(graph, file: source)
      else { continue }
      for named in checkpoint.stateDicts.flatMap(\.tensors) { _ = try? named.tensor.bytes() }
    }
  }
}
