import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct NPZWriterTests {
  @Test func `members are NumPy's own, byte for byte, and aligned`() throws {
    let path = Fixtures.path("NumPy/stored.npz")
    let tensors = try readCheckpoint(path: path).stateDicts[0].tensors
    let written = try TemporaryFile { file in
      try NPZWriter.write(tensors.map { OutputTensor(name: $0.name, $0.tensor) }, to: file)
    }
    let ours = try ZipArchive(try InputFile(path: written.path))
    let theirs = try ZipArchive(try InputFile(path: path))
    #expect(ours.members.map(\.name) == theirs.members.map(\.name).filter { $0 != "text.npy" })
    for member in ours.members {
      #expect(member.payloadOffset.isMultiple(of: 64))
      let bytes = try ours.contents(of: member).allBytes()
      let expected = try theirs.contents(of: try #require(theirs.member(member.name))).allBytes()
      // Ours are row-major and little-endian always.
      if member.name.hasPrefix("Fortran") || member.name.hasPrefix("big.") {
        #expect(bytes.count == expected.count)
      } else {
        #expect(bytes == expected, "\(member.name)")
      }
    }
  }

  @Test(arguments: [
    ("a", ElementType.bfloat16, "'a' is bfloat16, which NumPy has no type for"),
    ("a", .float8e5m2, "'a' is float8_e5m2, which NumPy has no type for"),
    ("a/../b", .float32, "'a/../b' is not a valid name for a member of an archive ('..' in it)"),
    ("/a", .float32, "'/a' is not a valid name for a member of an archive (an absolute one)"),
    ("a\\b", .float32, "'a\\b' is not a valid name for a member of an archive (a backslash in it)"),
    (
      "a\n", .float32,
      "'a\\u{a}' is not a valid name for a member of an archive (a control character in it)"
    ),
    (
      "b.npy", .float32,
      "'b.npy' is not a valid name for a member of an archive ('.npy' at its end)"
    ),
    ("B", .float32, "'B' and 'b' differ only in case, which archives do not tell apart"),
    ("b", .float32, "two tensors are called 'b'"),
  ])
  func `what an archive cannot hold is refused by name`(
    name: String, type: ElementType, message: String
  ) throws {
    let bytes = MemoryBytes([UInt8](repeating: 0, count: 16), location: Location(path: ""))
    let outputs = [
      OutputTensor(name: "b", try Tensor(.float32, shape: [], in: bytes, name: "b")),
      OutputTensor(name: name, try Tensor(type, shape: [], in: bytes, name: name)),
    ]
    let error = #expect(throws: WriteError.self) {
      _ = try TemporaryFile { try NPZWriter.write(outputs, to: $0) }
    }
    guard case .cannotExpress(_, let what, _)? = error else { return }
    #expect(what == message)
  }
}
