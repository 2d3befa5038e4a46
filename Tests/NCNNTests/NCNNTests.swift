import Checkpoints
import Graphs
import Tensors
import TestSupport
import Testing

@testable import NCNN

/// The two files of ncnn, against what its description says of them; that ncnn computes what it should is the
/// matter of `make interop`.
@Suite struct NCNNWriterTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @discardableResult
  func write(
    _ model: DeployModel, as name: String = "a.param", replace: Bool = false,
    size: (height: Int, width: Int) = (10, 12), threads: Threads = .all
  ) throws -> NCNNWriter.Summary {
    let file = try OutputFile(path: folder.file(name), replace: replace)
    let summary = try NCNNWriter.write(model, to: file, imageSize: size, threads: threads)
    try file.commit()
    return summary
  }

  func text(_ name: String = "a.param") throws -> String {
    String(decoding: try folder.read(name), as: UTF8.self)
  }

  static func bytes(_ tensor: OutputTensor) throws -> [UInt8] {
    var (result, workspace, buffer) = ([UInt8](), Workspace(), [UInt8]())
    try unsafe tensor.forEachPiece(workspace: &workspace, buffer: &buffer) {
      unsafe result += $0
    }
    return result
  }

  @Test func `a chain is lines of layers, and weights behind their tags`() throws {
    let model = try vector("chain")
    for threads in [Threads(1), Threads(3)] {
      let summary = try write(model, replace: true, threads: threads)
      #expect(
        try text() == """
          7767517
          9 9
          Input input 0 1 input 0=12 1=10 2=3
          Convolution stem/Convolution 1 1 input stem/Convolution 0=4 1=3 2=1 3=2 4=1 5=1 6=108 11=3 12=1 13=2 14=1
          ReLU stem/ReLU 1 1 stem/Convolution stem/ReLU
          ConvolutionDepthWise body/ConvolutionDepthWise 1 1 stem/ReLU body/ConvolutionDepthWise 0=4 1=1 2=1 3=1 4=0 5=1 6=24 7=2 11=3 12=2 13=2 14=2
          ReLU body/ReLU 1 1 body/ConvolutionDepthWise body/ReLU
          Pooling Pooling 1 1 body/ReLU Pooling 0=1 4=1
          Reshape Reshape 1 1 Pooling Reshape 0=1 1=1 2=4
          Flatten Flatten 1 1 Reshape Flatten
          InnerProduct InnerProduct 1 1 Flatten output 0=5 1=1 2=20

          """)
      let zero: [UInt8] = [0, 0, 0, 0]
      var expected: [UInt8] = []
      for (index, tensor) in model.tensors.enumerated() {
        expected += try (index.isMultiple(of: 2) ? zero : []) + Self.bytes(tensor)
      }
      #expect(try folder.read("a.bin") == expected)
      #expect(summary.weightsPath == folder.file("a.bin"))
      #expect(summary.weightsByteCount == expected.count)
    }
    #expect(try folder.names() == ["a.bin", "a.param"])
  }

  @Test func `in float16 kernels are tagged and padded, and biases stay float32`() throws {
    var graph = Graph()
    graph.convolution(Graph.input, weight: 0, bias: 1)
    func tensor(_ name: Name, _ numbers: [Float], _ shape: Shape) throws -> OutputTensor {
      OutputTensor(
        name: name, shape: shape, try Tensor(float32: numbers, shape: shape, name: name),
        as: .float16)
    }
    let model = DeployModel(
      tensors: [try tensor("w", [1, 2, -2], [1, 3, 1, 1]), try tensor("b", [1.5], [1])],
      ModelDescription(graph: graph))
    try write(model, as: "Net.PARAM")
    #expect(
      try folder.read("Net.bin")
        == [0x47, 0x6B, 0x30, 0x01, 0x00, 0x3C, 0x00, 0x40, 0x00, 0xC0, 0, 0, 0, 0, 0xC0, 0x3F])
  }

  @Test func `a value that several layers take is copied for each`() throws {
    try write(vector("residual"))
    let lines = try text().split(separator: "\n").dropFirst(2).map { $0.split(separator: " ") }
    var given: Set<Substring> = []
    for line in lines {
      let (inputs, outputs) = (Int(line[2])!, Int(line[3])!)
      for value in line[4..<4 + inputs] { #expect(given.remove(value) != nil, "\(line)") }
      for value in line[4 + inputs..<4 + inputs + outputs] {
        #expect(given.insert(value).inserted)
      }
    }
    #expect(given == ["output"])
    #expect(lines.filter { $0[0] == "Split" }.map { $0[3] } == ["3", "2"])
    let counts = try text().split(separator: "\n")[1]
    #expect(counts == "\(lines.count) \(lines.reduce(0) { $0 + Int($1[3])! })")
  }

  @Test func `every kind of node has a row, and every row is one of a kind`() {
    #expect(LayerRow.all.map(\.kind.name).sorted() == NodeKind.all.map(\.name).sorted())
  }

  @Test func `of two files none is there if one cannot be`() throws {
    try folder.write([4], to: "a.bin")
    #expect(throws: WriteError.exists(path: folder.file("a.bin"))) {
      try write(vector("chain"))
    }
    #expect(try folder.names() == ["a.bin"] && folder.read("a.bin") == [4])
  }

  @Test func `what ncnn cannot express is refused, with what to do`() throws {
    let error = #expect(throws: WriteError.self) { try write(vector("quantized")) }
    #expect(
      error?.description
        == "\(folder.file("a.param")): 'body.weight' is int8, in which ncnn has no weights.\n  Choose another type, such as float32 or float16."
    )
    let small = #expect(throws: WriteError.self) {
      try write(vector("operations"), size: (1, 1))
    }
    #expect(small?.description.contains("the network does not take images of 1x1: ") == true)
    #expect(try folder.names() == [])
  }
}
