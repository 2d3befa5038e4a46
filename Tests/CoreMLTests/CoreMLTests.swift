import Checkpoints
import Foundation
import Graphs
import Tensors
import TestSupport
import Testing

@testable import CoreML

/// Packages against those of coremltools' own classes (`Tests/Fixtures/make_coreml.py`), and what is refused.
@Suite struct CoreMLWriterTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  static let files = [
    "Manifest.json", "Data/com.apple.CoreML/model.mlmodel",
    "Data/com.apple.CoreML/weights/weight.bin",
  ]

  @discardableResult
  func write(
    _ model: DeployModel, as name: String = "a.mlpackage", replace: Bool = false,
    size: (height: Int, width: Int) = (10, 12), threads: Threads = .all
  ) throws -> CoreMLWriter.Summary {
    let output = try OutputFolder(
      path: folder.file(name), replace: replace, marker: CoreMLWriter.manifestName)
    let summary = try CoreMLWriter.write(model, to: output, imageSize: size, threads: threads)
    try output.commit(sync: false)
    return summary
  }

  @Test(arguments: ["chain", "quantized"])
  func `a package is the one that coremltools' classes make`(name: String) throws {
    let model = try vector(name)
    for threads in [Threads(1), Threads(3)] {
      let summary = try write(model, replace: true, threads: threads)
      #expect(summary.contentSHA256 == model.description.contentSHA256)
      for file in Self.files {
        #expect(
          try folder.read("a.mlpackage/\(file)")
            == Fixtures.bytes("CoreML/\(name).mlpackage/\(file)"), "\(file)")
      }
    }
    #expect(try folder.names() == ["a.mlpackage"])
  }

  @Test func `every kind of node has a row, and every row is one of a kind`() {
    #expect(OperationRow.all.map(\.kind.name).sorted() == NodeKind.all.map(\.name).sorted())
  }

  @Test func `names are what MIL takes, and none is given twice`() throws {
    var model = try vector("operations")
    for (index, name) in (["1/a", "_1/a", "ü.ü", "input"] as [Name]).enumerated() {
      model.tensors[index].name = name
    }
    let shapes = try model.shapes(ofImages: (10, 12), for: "", path: "")
    let program = Lowering(
      model.description.graph!, shapes: shapes, tensors: model.tensors, .float32
    ).result
    let names = program.operations.map(\.output)
    #expect(Set(names).count == names.count && !names.contains("input"))
    #expect(names.last == "output")
    #expect(names.allSatisfy { $0.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil })
    // What an operation takes was given before.
    var given: Set = ["input"]
    for operation in program.operations {
      #expect(given.isSuperset(of: operation.inputs.values.joined()))
      given.insert(operation.output)
    }
  }

  @Test func `in float16 images and results stay float32`() throws {
    var model = try vector("chain")
    model.tensors = model.tensors.map {
      OutputTensor(name: $0.name, shape: $0.shape, $0.contents as! Tensor, as: .float16)
    }
    let shapes = try model.shapes(ofImages: (10, 12), for: "", path: "")
    let program = Lowering(
      model.description.graph!, shapes: shapes, tensors: model.tensors, .float16
    ).result
    #expect(program.input.type == Program.ValueType(dataType: .float32, shape: [1, 3, 10, 12]))
    #expect(program.output.type == Program.ValueType(dataType: .float32, shape: [1, 5]))
    let casts = program.operations.filter { $0.type == "cast" }.map(\.outputType.dataType)
    #expect(casts == [.float16, .float32])
    #expect(
      program.operations.filter { !["const", "cast"].contains($0.type) }
        .allSatisfy { $0.outputType.dataType == .float16 })
    try write(model)
    let weights = try folder.read("a.mlpackage/\(Self.files[2])")
    // The first record: the mark, the type, the bytes of 4 x 3 x 3 x 3 halves, where they begin.
    #expect(
      Array(weights[64..<88])
        == [0xEF, 0xBE, 0xAD, 0xDE, 1, 0, 0, 0, 216, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func `a folder appears as a whole or not at all, and replaces none but its like`() throws {
    let model = try vector("chain")
    do {
      let output = try OutputFolder(
        path: folder.file("a.mlpackage"), replace: false, marker: CoreMLWriter.manifestName)
      _ = try CoreMLWriter.write(model, to: output, imageSize: (10, 12))
      #expect(try folder.names().count == 1 && folder.names() != ["a.mlpackage"])
    }
    #expect(try folder.names() == [])
    try write(model)
    #expect(throws: WriteError.exists(path: folder.file("a.mlpackage"))) { try write(model) }
    try folder.write([1], to: "a.mlpackage/more")
    try write(model, replace: true)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.file("a.mlpackage")).sorted()
        == ["Data", "Manifest.json"])
    #expect(try folder.names() == ["a.mlpackage"])

    try folder.write([1], to: "b.mlpackage/mine", makingFolders: true)
    try folder.write([1], to: "c.mlpackage")
    for (name, message) in [
      (
        "b.mlpackage",
        "it is a folder without 'Manifest.json', so of another kind than this format.\n  Name another one."
      ),
      (
        "c.mlpackage",
        "it is there already, and not a folder, which this format is.\n  Name another one."
      ),
    ] {
      let error = #expect(throws: WriteError.self) { try write(model, as: name, replace: true) }
      #expect(error?.description == "\(folder.file(name)): \(message)")
    }
    // An input inside would be lost.
    try folder.write([1], to: "a.mlpackage/source.pth")
    let source = folder.file("a.mlpackage/source.pth")
    #expect(throws: WriteError.isInput(path: folder.file("a.mlpackage"), input: source)) {
      _ = try OutputFolder(
        path: folder.file("a.mlpackage"), replace: true, marker: "Manifest.json", from: [source])
    }
    #expect(try folder.read("a.mlpackage/source.pth") == [1])
    #expect(try folder.names() == ["a.mlpackage", "b.mlpackage", "c.mlpackage"])
  }

  @Test func `what was left behind by a process that was killed is removed`() throws {
    try folder.write([1], to: ".a.mlpackage.1.partial/Data/x", makingFolders: true)
    try folder.write([1], to: ".b.mlpackage.1.partial/Data/x", makingFolders: true)
    try write(vector("chain"))
    #expect(try folder.names() == [".b.mlpackage.1.partial", "a.mlpackage"])
  }

  @Test func `what Core ML cannot express is refused, with what to do`() throws {
    func message(_ model: DeployModel, size: (Int, Int) = (10, 12)) throws -> String {
      let error = #expect(throws: WriteError.self) { try write(model, size: size) }
      #expect(try folder.names() == [])
      guard case .cannotExpress(_, let what, let remedy)? = error else { return "" }
      return "\(what). \(remedy)"
    }
    var model = try vector("chain")
    model.tensors = model.tensors.map {
      OutputTensor(name: $0.name, shape: $0.shape, $0.contents as! Tensor, as: .bfloat16)
    }
    #expect(
      try message(model)
        == "its tensors are bfloat16, in which Core ML has no weights. Choose another type for them, such as float32 or float16."
    )
    #expect(
      try message(vector("squeeze-excitation"))
        == "its tensors are bfloat16 and float16 and float32 and float64, and a network of Core ML computes in one type. Choose one type for all of them, such as float32."
    )
    #expect(
      try message(vector("operations"), size: (1, 1)).hasPrefix(
        "the network does not take images of 1x1: node "))
    model.description.graph = nil
    #expect(
      try message(model)
        == "a Core ML package says how tensors are used, which is not known for these. Write another format."
    )
  }
}
