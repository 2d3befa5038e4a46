import Checkpoints
import Foundation
import Graphs
import Tensors
import TestSupport
import Testing

@testable import ONNX

/// Files against those that ONNX's own library wrote (`Tests/Fixtures/make_onnx.py`), and what it refuses.
@Suite struct ONNXWriterTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  static func options(_ version: Int = 13) -> ONNXOptions {
    var options = ONNXOptions(imageSize: (10, 12), producer: ("make_onnx.py", "1"))
    options.operatorSet = version
    return options
  }

  /// What is written of a network, and what is said of it.
  func write(
    _ model: DeployModel, _ options: ONNXOptions, as name: String = "a.onnx",
    threads: Threads = .all
  ) throws -> (bytes: [UInt8], summary: ONNXWriter.Summary) {
    let file = try OutputFile(path: folder.file(name), replace: true)
    let summary = try ONNXWriter.write(model, to: file, options: options, threads: threads)
    try file.commit()
    return (try folder.read(name), summary)
  }

  @Test(
    arguments: [
      "chain-13", "metadata-17", "residual-13", "quantized-13", "operations-11", "operations-13",
      "operations-20",
    ])
  func `a network is written as ONNX's own library writes it`(name: String) throws {
    let parts = name.split(separator: "-")
    let model = try vector(String(parts[0]))
    let expected = try Fixtures.bytes("ONNXVectors/\(name).onnx")
    for threads in [Threads(1), Threads(3)] {
      let (bytes, summary) = try write(model, Self.options(Int(parts[1])!), threads: threads)
      #expect(bytes == expected)
      #expect(summary.contentSHA256 == model.description.contentSHA256)
      #expect(summary.externalData == nil)
    }
  }

  @Test func `every kind of node has a row, and every row is one of a kind`() {
    #expect(OperationRow.all.map(\.kind.name).sorted() == NodeKind.all.map(\.name).sorted())
  }

  @Test func `channels are turned to the end where softmax is over all that follows`() throws {
    var graph = Graph()
    graph.append(.softmax, graph.append(.relu, Graph.input))
    var model = DeployModel(tensors: [], ModelDescription(graph: graph))
    model.description.input = InputConvention(
      channelOrder: .rgb, scale: 1, mean: [0, 0, 0], standardDeviation: [1, 1, 1])
    func operations(_ version: Int) throws -> [String] {
      try Lowering(
        graph, shapes: graph.shapes(ofInput: .map(channels: 3, height: 2, width: 2), tensors: []),
        tensors: [], elementType: .float32, operatorSet: version
      ).result.nodes.map(\.operation)
    }
    #expect(try operations(12) == ["Relu", "Transpose", "Softmax", "Transpose"])
    #expect(try operations(13) == ["Relu", "Softmax"])
  }

  @Test func `a fixed number of images stands where the symbol does otherwise`() throws {
    var options = Self.options()
    options.batch = 300
    let (fixed, _) = try write(vector("chain"), options)
    let any = try Fixtures.bytes("ONNXVectors/chain-13.onnx")
    // A dimension: of a field of text, 0x12 0x01 "N"; or of a number, 0x08 and 300 as a varint.
    #expect(occurrences(of: [0x0A, 0x03, 0x12, 0x01, 0x4E], in: any) == 2)
    #expect(occurrences(of: [0x0A, 0x03, 0x08, 0xAC, 0x02], in: fixed) == 2)
    #expect(fixed.count == any.count)
  }

  // MARK: Two files

  @Test func `tensors of a file that is too large are in a second one, each mappable`() throws {
    let model = try Self.large()
    let (whole, inside) = try write(model, Self.options())
    var options = Self.options()
    options.largestMessage = whole.count
    #expect(try write(model, options).bytes == whole)
    options.largestMessage -= 1
    let (small, outside) = try write(model, options, as: "b.onnx")
    #expect(outside.contentSHA256 == inside.contentSHA256)
    let external = try #require(outside.externalData)
    #expect(external.path == folder.file("b.onnx.data"))
    let data = try folder.read("b.onnx.data")
    #expect(external.byteCount == data.count)
    #expect(try folder.names() == ["a.onnx", "b.onnx", "b.onnx.data"])

    // The kernels, of 2304 bytes each, are at multiples of 4096; what is smaller has stayed.
    let kernels = try model.tensors.filter { $0.shape.rank == 4 }.map(Self.bytes)
    #expect(kernels.map(\.count) == [2304, 2304] && data.count == 4096 + 2304)
    #expect(Array(data[..<2304]) == kernels[0] && Array(data[4096...]) == kernels[1])
    #expect(data[2304..<4096].allSatisfy { $0 == 0 })
    for kernel in kernels {
      #expect(occurrences(of: kernel, in: whole) == 1 && occurrences(of: kernel, in: small) == 0)
    }
    let bias = try Self.bytes(#require(model.tensors.first { $0.name == "bias" }))
    #expect(occurrences(of: bias, in: small) == 1)
    #expect(occurrences(of: entry("location", "b.onnx.data"), in: small) == 2)
    #expect(occurrences(of: entry("offset", "4096"), in: small) == 1)
    #expect(occurrences(of: entry("length", "2304"), in: small) == 2)
  }

  @Test func `of two files none is there if one cannot be`() throws {
    var options = Self.options()
    options.largestMessage = 100
    let model = try Self.large()
    // A folder in the way of the first, after both are complete.
    let file = try OutputFile(path: folder.file("a.onnx"), replace: true)
    _ = try ONNXWriter.write(model, to: file, options: options)
    try FileManager.default.createDirectory(
      atPath: folder.file("a.onnx"), withIntermediateDirectories: false)
    try folder.write([1, 2, 3], to: "a.onnx.data")
    #expect(throws: WriteError.self) { try file.commit() }
    #expect(try folder.names() == ["a.onnx", "a.onnx.data"])
    #expect(try folder.read("a.onnx.data") == [1, 2, 3])

    // The second is there already, and may not be replaced.
    #expect(throws: WriteError.exists(path: folder.file("b.onnx.data"))) {
      try folder.write([4], to: "b.onnx.data")
      let file = try OutputFile(path: folder.file("b.onnx"), replace: false)
      _ = try ONNXWriter.write(model, to: file, options: options)
    }
    #expect(try folder.names() == ["a.onnx", "a.onnx.data", "b.onnx.data"])
  }

  /// Two convolutions of 8 channels.
  static func large() throws -> DeployModel {
    var graph = Graph()
    let first = graph.convolution(Graph.input, weight: 0, bias: 2, padding: [1, 1])
    graph.convolution(first, weight: 1, bias: 2, padding: [1, 1])
    func tensor(_ name: Name, _ shape: Shape, from start: Float) throws -> OutputTensor {
      let numbers = (0..<shape.elementCount).map { start + Float($0) }
      return OutputTensor(name: name, try Tensor(float32: numbers, shape: shape, name: name))
    }
    return DeployModel(
      tensors: [
        try tensor("one", [8, 8, 3, 3], from: 1), try tensor("two", [8, 8, 3, 3], from: 1000),
        try tensor("bias", [8], from: 5000),
      ], ModelDescription(graph: graph))
  }

  static func bytes(_ tensor: OutputTensor) throws -> [UInt8] {
    var (result, workspace, buffer) = ([UInt8](), Workspace(), [UInt8]())
    try unsafe tensor.forEachPiece(workspace: &workspace, buffer: &buffer) {
      unsafe result += $0
    }
    return result
  }

  // MARK: What is refused

  @Test func `what ONNX cannot express is refused, with what to do`() throws {
    func message(_ model: DeployModel, _ options: ONNXOptions = ONNXWriterTests.options()) throws
      -> String
    {
      let error = #expect(throws: WriteError.self) { try write(model, options) }
      #expect(try folder.names() == [])
      guard case .cannotExpress(_, let what, let remedy)? = error else { return "" }
      return "\(what). \(remedy)"
    }
    var withoutGraph = try vector("chain")
    withoutGraph.description.graph = nil
    #expect(
      try message(withoutGraph)
        == "an ONNX file says how tensors are used, which is not known for these. Write another format."
    )
    #expect(
      try message(vector("squeeze-excitation"))
        == "its tensors are bfloat16 and float16 and float32 and float64, and a network of ONNX computes in one type. Choose one type for all of them, such as float32."
    )
    #expect(
      try message(vector("quantized"), Self.options(12))
        == "'body.weight' is int8 with a scale for each channel, which operator set 12 has no place for. Choose operator set 13 or a later one, or another type."
    )
    var small = Self.options()
    small.imageSize = (1, 1)
    #expect(
      try message(vector("operations"), small).hasPrefix(
        "the network does not take images of 1x1: node "))
    var unknown = try vector("chain")
    var graph = Graph()
    graph.append(.relu, Graph.input)
    unknown.description = ModelDescription(graph: graph)
    #expect(
      try message(unknown)
        == "how many channels the images have is not known. Say what the network expects as input.")
    var twice = try vector("chain")
    twice.tensors[1].name = twice.tensors[0].name
    #expect(
      try message(twice) == "two tensors are called 'stem.weight'. Rename one of them.")
  }

  @Test func `bfloat16 needs the operators that have it`() throws {
    var model = try Self.large()
    model.tensors = model.tensors.map {
      OutputTensor(
        name: $0.name, shape: $0.shape, $0.contents as! Tensor, as: .bfloat16)
    }
    let error = #expect(throws: WriteError.self) { try write(model, Self.options(21)) }
    #expect(
      error?.description
        == "\(folder.file("a.onnx")): convolutions of operator set 21 are not of bfloat16.\n  Choose operator set 22 or a later one, or another type."
    )
    #expect(try write(model, Self.options(22)).summary.elementByteCount == 2 * (2 * 576 + 8))
  }
}

/// What a protobuf message says of a key and its value: `StringStringEntryProto`.
private func entry(_ key: String, _ value: String) -> [UInt8] {
  [0x0A, UInt8(key.utf8.count)] + key.utf8 + [0x12, UInt8(value.utf8.count)] + value.utf8
}

private func occurrences(of part: [UInt8], in whole: [UInt8]) -> Int {
  guard part.count <= whole.count else { return 0 }
  return (0...whole.count - part.count).count { start in
    whole[start] == part[0] && whole[start..<start + part.count].elementsEqual(part)
  }
}
