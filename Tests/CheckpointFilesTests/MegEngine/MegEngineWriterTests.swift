import Checkpoints
import Checksums
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct MegEngineWriterTests {
  @Test(arguments: ["plain-basecls", "g2-basecls"])
  func `a state dict of MegEngine is written as it was`(name: String) throws {
    let saved = try megEngineCheckpoint("MegEngine/\(name).pkl").stateDicts[0]
    let written = try TemporaryFile { file in
      try MegEngineWriter.write(
        saved.tensors.map { OutputTensor(name: $0.name, $0.tensor) }, to: file)
    }
    let checkpoint = try readCheckpoint(path: written.path)
    #expect(checkpoint.container == "MegEngine pickle (protocol 4)" && checkpoint.notes == [])
    #expect(
      checkpoint.globals.map(\.name) == [
        "collections.OrderedDict", "numpy.core.multiarray._reconstruct", "numpy.dtype",
        "numpy.ndarray",
      ])
    let tensors = checkpoint.stateDicts[0].tensors
    try #require(tensors.map(\.name) == saved.tensors.map(\.name))
    for (ours, theirs) in zip(tensors, saved.tensors) {
      #expect(ours.tensor.shape == theirs.tensor.shape, "\(ours.name)")
      #expect(try ours.tensor.bytes() == theirs.tensor.bytes(), "\(ours.name)")
    }
    // Shapes of five axes are there as such.
    #expect(tensors.contains { $0.tensor.shape.rank == 5 } == (name == "g2-basecls"))
  }

  @Test func `the stream is what it should be`() throws {
    let bytes = MemoryBytes([0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 7], location: Location(path: ""))
    let outputs = [
      OutputTensor(name: "w", try Tensor(.float32, shape: [2], in: bytes, name: "w")),
      OutputTensor(name: "n", try Tensor(.int8, shape: [], in: bytes, at: 8, name: "n")),
      OutputTensor(name: "v", try Tensor(.float32, shape: [1, 0], in: bytes, name: "v")),
    ]
    let written = try TemporaryFile { try MegEngineWriter.write(outputs, to: $0) }
    let stream = String(
      String.UnicodeScalarView(
        try InputFile(path: written.path).allBytes().map { UnicodeScalar($0) }))
    let state = "\u{89}\u{88}tR(K\u{3}X\u{1}\0\0\0"
    let rest = "NNNJ\u{FF}\u{FF}\u{FF}\u{FF}J\u{FF}\u{FF}\u{FF}\u{FF}K\0tb"
    #expect(
      stream == "\u{80}\u{4}ccollections\nOrderedDict\n)R("
        + "X\u{1}\0\0\0wcnumpy.core.multiarray\n_reconstruct\nq\0(cnumpy\nndarray\nq\u{1}"
        + "(K\0tC\u{1}btR(K\u{1}(K\u{2}tcnumpy\ndtype\n(X\u{2}\0\0\0f4\(state)<\(rest)q\u{2}"
        + "\u{89}C\u{8}\0\0\u{80}?\0\0\0@tb"
        + "X\u{1}\0\0\0nh\0(h\u{1}(K\0tC\u{1}btR(K\u{1}(tcnumpy\ndtype\n(X\u{2}\0\0\0i1\(state)|\(rest)q\u{3}"
        + "\u{89}C\u{1}\u{7}tb"
        + "X\u{1}\0\0\0vh\0(h\u{1}(K\0tC\u{1}btR(K\u{1}(K\u{1}K\0th\u{2}\u{89}C\0tbu.")
  }

  @Test(arguments: [ElementType.bfloat16, .float8e4m3fn, .float8e5m2])
  func `an element type that NumPy does not have is refused`(type: ElementType) throws {
    let bytes = MemoryBytes([0, 0], location: Location(path: ""))
    let error = #expect(throws: WriteError.self) {
      _ = try TemporaryFile { file in
        try MegEngineWriter.write(
          [OutputTensor(name: "w", try Tensor(type, shape: [1], in: bytes, name: "w"))], to: file)
      }
    }
    guard case .cannotExpress(_, let what, let remedy)? = error else { return }
    #expect(what == "'w' is \(type.rawValue), which NumPy has no type for")
    #expect(remedy == "Write it as float32, or use .safetensors.")
  }
}
