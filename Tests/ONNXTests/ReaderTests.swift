import Checkpoints
import Foundation
import Graphs
import ONNX
import Tensors
import TestSupport
import Testing

/// ONNX files as they are read: tensors by NumPy's account, and files that nobody should believe.
@Suite struct ReaderTests {
  private static func read(_ bytes: [UInt8]) throws(ReadError) -> ONNXFile {
    try ONNXFile(MemoryBytes(bytes, location: Location(path: "model.onnx")))
  }

  private static func read(path: String) throws(ReadError) -> ONNXFile {
    try ONNXFile(InputFile(path: path))
  }

  private static func tensor(_ name: String, in file: ONNXFile) throws -> Tensor {
    try #require(file.checkpoint.stateDicts.first?.tensors.first { $0.name == name }?.tensor)
  }

  /// Raw, in typed fields, in another file, by both exporters and by a simplifier.
  @Test(arguments: [
    "repvgg-deploy-torchscript.onnx", "repvgg-deploy-dynamo.onnx", "repvgg-external.onnx",
    "repvgg-typed-fields.onnx", "repvgg-onnxsim.onnx", "repvgg-opset9.onnx",
  ])
  func `tensors are NumPy's`(_ name: String) throws {
    let file = try Self.read(path: Fixtures.path("ONNX/\(name)"))
    let expected = try readNPZ(Fixtures.path("ONNX/repvgg-fused64.npz"))
    #expect(expected.count == 14)
    for (key, array) in expected {
      let (block, part) = (key.prefix { $0 != "." }, key.split(separator: ".").last!)
      let path = key.dropLast(part.count + 1)
      #expect(!block.isEmpty)
      let tensor = try Self.tensor("\(path).rbr_reparam.\(part)", in: file)
      #expect(tensor.shape.dimensions == array.shape)
      #expect(try tensor.doubles() == array.doubles.map { Double(Float($0)) })
    }
  }

  @Test func `half precision is read`() throws {
    let file = try Self.read(path: Fixtures.path("ONNX/repvgg-float16.onnx"))
    let expected = try #require(
      try readNPZ(Fixtures.path("ONNX/repvgg-fused64.npz"))["stage0.weight"])
    let tensor = try Self.tensor("stage0.rbr_reparam.weight", in: file)
    #expect(tensor.elementType == .float16)
    for (found, wanted) in zip(try tensor.doubles(), expected.doubles) {
      #expect(abs(found - wanted) <= abs(wanted) * 0x1p-11 + 0x1p-25)
    }
  }

  @Test func `the model is told`() throws {
    let file = try Self.read(path: Fixtures.path("ONNX/repvgg-qoperator.onnx"))
    #expect(file.producer == "onnx.quantize 0.1.0" && file.irVersion == 9)
    #expect(file.operatorSet == 20 && file.operatorSets["com.microsoft"] == 1)
    #expect(file.nodes.count == 14 && file.inputs.map(\.name) == ["input"])
    #expect(file.inputs.first?.sizes == [nil, 3, 32, 32])
    #expect(file.nodes[2].operation == "QLinearConv")
    #expect(file.nodes[2].integers("strides") == [2, 2])
    #expect(file.nodes.last { $0.operation == "QGemm" }?.domain == "com.microsoft")
  }

  @Test func `every file is known by its first bytes`() throws {
    for name in Fixtures.names(in: "ONNX", suffixes: [".onnx"]) {
      #expect(ONNXFile.matches(Array(try Fixtures.bytes("ONNX/\(name)").prefix(64))))
    }
    for name in Fixtures.names(in: "PyTorch", suffixes: [".pth"]) {
      #expect(!ONNXFile.matches(Array(try Fixtures.bytes("PyTorch/\(name)").prefix(64))))
    }
  }

  // MARK: Damage

  /// Reads everything there is, down to the last weight.
  private static func readAll(_ bytes: [UInt8]) throws {
    let file = try read(bytes)
    for dict in file.checkpoint.stateDicts {
      for tensor in dict.tensors { _ = try tensor.tensor.bytes() }
    }
  }

  @Test func `a damaged file is read or refused`() throws {
    let bytes = try Fixtures.bytes("ONNX/mobileone-deploy-dynamo.onnx")
    var refused = 0
    for place in bytes.indices {
      var damaged = bytes
      for bits in [UInt8(0xFF), 0x01] {
        damaged[place] = bytes[place] ^ bits
        do { try Self.readAll(damaged) } catch {
          #expect(error is ReadError)
          refused += 1
        }
      }
    }
    #expect(refused > 1000)
  }

  @Test func `a file that is cut short is refused, wherever`() throws {
    let bytes = try Fixtures.bytes("ONNX/mobileone-deploy-dynamo.onnx")
    // The operator sets stand behind the graph, and a model without them is one of version 1.
    let graphEnd = bytes.count - 6
    for count in 0..<graphEnd {
      #expect(throws: ReadError.self) { try Self.readAll(Array(bytes.prefix(count))) }
    }
  }

  // MARK: Files made by hand

  /// A field of wire type 2.
  private static func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] {
    varint(UInt64(number << 3 | 2)) + varint(UInt64(bytes.count)) + bytes
  }

  private static func field(_ number: Int, _ text: String) -> [UInt8] {
    field(number, Array(text.utf8))
  }

  private static func field(_ number: Int, _ value: UInt64) -> [UInt8] {
    varint(UInt64(number << 3)) + varint(value)
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    repeat {
      bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
      rest >>= 7
    } while rest > 0
    return bytes
  }

  private static func model(_ graph: [UInt8]) -> [UInt8] {
    field(1, 8) + field(8, field(2, 17)) + field(7, graph)
  }

  /// Of FLOAT.
  private static func initializer(
    _ name: String, _ sizes: [UInt64], _ rest: [UInt8]
  ) -> [UInt8] {
    field(5, sizes.flatMap { field(1, $0) } + field(2, 1) + field(8, name) + rest)
  }

  private static func raw(_ count: Int) -> [UInt8] {
    field(9, [UInt8](repeating: 0, count: count))
  }

  private static func node(_ inputs: [String], _ outputs: [String]) -> [UInt8] {
    field(1, inputs.flatMap { field(1, $0) } + outputs.flatMap { field(2, $0) } + field(4, "Relu"))
  }

  private static let input = field(11, field(1, "x"))

  private static func refusal(_ graph: [UInt8]) -> String {
    do {
      try readAll(model(graph))
      return "none"
    } catch { return "\(error)".components(separatedBy: "\n")[0] }
  }

  @Test func `contradictions are refused in words`() {
    let table: [([UInt8], String)] = [
      (
        Self.initializer("w", [2, 2], Self.raw(12)),
        "model.onnx at byte 8: expected 16 bytes for 'w' (FLOAT 2x2), found 12."
      ),
      (
        Self.initializer("w", [1 << 40, 1 << 40], Self.raw(12)),
        "model.onnx at byte 8: expected a shape of 'w' with a number of elements below 2^63, found 1099511627776x1099511627776."
      ),
      (
        Self.initializer("w", [UInt64(bitPattern: -4)], Self.raw(12)),
        "model.onnx at byte 8: expected a shape of 'w' with a number of elements below 2^63, found -4."
      ),
      (
        Self.initializer("w", [1], Self.raw(4)) + Self.initializer("w", [1], Self.raw(4)),
        "model.onnx at byte 23: expected every initializer's name once, found 'w' twice."
      ),
      (
        Self.input + Self.node(["y"], ["z"]) + Self.node(["x"], ["y"]),
        "model.onnx at byte 13: expected nodes that take what is there before them, found 'y', which no node, input or initializer before is called."
      ),
      (
        Self.input + Self.node(["z"], ["z"]),
        "model.onnx at byte 13: expected nodes that take what is there before them, found 'z', which no node, input or initializer before is called."
      ),
      (
        Self.input + Self.node(["x"], ["y"]) + Self.node(["x"], ["y"]),
        "model.onnx at byte 27: expected every value's name once, found 'y' twice."
      ),
      (
        Self.initializer("w", [1], Self.field(4, [0, 0, 0])),
        "model.onnx at byte 8: expected 4 bytes for 'w' (FLOAT 1), found 3."
      ),
      (
        Self.initializer("w", [1], Self.field(5, 1)),
        "model.onnx at byte 8: expected the elements of 'w' in the field of FLOAT, found another."
      ),
      (
        [0x0A, 0x7F],
        "model.onnx at byte 9: the file ends inside the graph: 127 bytes expected, 0 there."
      ),
      (
        [0x0B],
        "model.onnx at byte 8: expected a field of wire type 0, 1, 2 or 5 in the graph, found 3."
      ),
      (
        // In what nobody asks for: the type of a value between nodes.
        Self.field(13, [0x12, 0x7F]) + Self.input,
        "model.onnx at byte 11: expected a length of at most 0, what is left of a message, found 127."
      ),
      (
        // In a graph of an attribute.
        Self.field(1, Self.field(5, Self.field(6, [0x0F]))) + Self.input,
        "model.onnx at byte 14: expected a field of wire type 0, 1, 2 or 5 in a message, found 7."
      ),
      (
        [0x00, 0x00],
        "model.onnx at byte 8: expected a field's number from 1 on in the graph, found 0."
      ),
      (
        [UInt8](repeating: 0xFF, count: 11),
        "model.onnx at byte 8: expected a number of at most 32 bits in the graph, found more."
      ),
    ]
    for (graph, message) in table { #expect(Self.refusal(graph) == message) }
  }

  @Test func `messages without end are refused`() {
    // Empty nodes take two bytes in the file, and in memory 320, as do the graph and the operator set: the
    // 203rd is one too many.
    let graph = [[UInt8]](repeating: [0x0A, 0x00], count: 1000).flatMap(\.self)
    func file(_ limits: ReadingLimits) throws {
      _ = try ONNXFile(
        MemoryBytes(Self.model(graph), location: Location(path: "model.onnx"), limits: limits))
    }
    #expect(throws: Never.self) { try file(ReadingLimits()) }
    var limits = ReadingLimits()
    limits[.onnxMemory] = 1 << 16
    #expect(
      throws: ReadError.limitExceeded(
        Location(path: "model.onnx", offset: 413),
        what: "bytes of memory for messages, numbers and names of an ONNX file", limit: 1 << 16,
        found: "at least 65600", name: "onnx-memory")
    ) { try file(limits) }
  }

  // MARK: Other files

  private static func external(_ entries: [(String, String)]) -> [UInt8] {
    model(
      initializer(
        "w", [4],
        entries.flatMap { field(13, field(1, $0.0) + field(2, $0.1)) } + field(14, 1)))
  }

  @Test func `weights of another file lie in the model's folder`() throws {
    let outer = try TemporaryFolder()
    let numbers = [UInt8](0..<64)
    try outer.write(numbers, to: "outside.bin")
    try outer.write(numbers, to: "model/inside.bin", makingFolders: true)
    try outer.write(numbers, to: "model/data/deeper.bin", makingFolders: true)
    try FileManager.default.createSymbolicLink(
      atPath: outer.file("model/link.bin"), withDestinationPath: outer.file("outside.bin"))
    func read(_ entries: [(String, String)]) throws -> [UInt8] {
      let path = try outer.write(Self.external(entries), to: "model/model.onnx")
      let file = try Self.read(path: path)
      return try #require(file.checkpoint.stateDicts.first?.tensors.first).tensor.bytes()
    }
    #expect(try read([("location", "inside.bin")]) == Array(0..<16))
    #expect(
      try read([("location", "data/deeper.bin"), ("offset", "48"), ("length", "16")])
        == Array(48..<64))
    for entries in [
      [("location", "../outside.bin")], [("location", outer.file("outside.bin"))],
      [("location", "data/../../outside.bin")], [("location", "link.bin")],
      [("location", "absent.bin")], [("location", "")], [],
      [("location", "inside.bin"), ("offset", "49")],
      [("location", "inside.bin"), ("offset", "-1")],
      [("location", "inside.bin"), ("length", "15")],
      [("location", "inside.bin"), ("offset", "9223372036854775807")],
    ] {
      #expect(throws: ReadError.self) { try read(entries) }
    }
  }

  // MARK: Graphs

  @Test func `graphs are in this program's operations`() throws {
    let file = try Self.read(path: Fixtures.path("ONNX/repvgg-deploy-torchscript.onnx"))
    let graph = try #require(file.checkpoint.model?.graph)
    let kinds: [NodeKind] = [.convolution, .relu]
    #expect(
      graph.nodes.map(\.kind)
        == (0..<7).flatMap { _ in kinds } + [.globalAveragePool, .flatten, .linear])
    #expect(
      graph.nodes[4].attribute("groups") == [2] && graph.nodes[4].attribute("stride") == [1, 1])
    let unfused = try Self.read(path: Fixtures.path("ONNX/repvgg-unfused-torchscript.onnx"))
    let kinds2 = try #require(unfused.checkpoint.model?.graph).nodes.map(\.kind)
    #expect(kinds2.count { $0 == .batchNorm } == 2 && kinds2.count { $0 == .add } == 9)
    let repvit = try Self.read(path: Fixtures.path("ONNX/repvit-deploy-timm.onnx"))
    #expect(
      try #require(repvit.checkpoint.model?.graph).nodes.contains { $0.kind == .gelu })
  }
}
