import Checkpoints
import Foundation
import Graphs
import RVD
import Tensors
import TestSupport
import Testing

@Suite struct WriterTests {
  @Test func `models of any types and shapes come back`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("round trip seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<60 {
      let model = try randomModel(&generator)
      let (bytes, summary) = try write(model)
      let file = try open(bytes)
      #expect(bytes.count == summary.byteCount && file.byteCount == bytes.count)
      #expect(file.model.contentSHA256 == summary.contentSHA256)
      #expect(file.model.architecture == model.description.architecture)
      #expect(file.model.classes == model.description.classes)
      #expect(file.model.input == model.description.input)
      #expect(file.model.provenance == model.description.provenance)
      #expect(file.tensors.count == model.tensors.count)
      for (read, given) in zip(file.tensors, model.tensors) {
        #expect(read.name == given.name && read.tensor.shape == given.shape)
        #expect(read.tensor.elementType == given.elementType)
        #expect(try read.tensor.bytes() == (given.contents as! Tensor).bytes())
      }
      for stored in file.storedTensors {
        #expect(stored.offset.isMultiple(of: 64) && stored.byteCount == stored.storedByteCount)
      }
      // The same again, from what was given and from what was read.
      #expect(try write(model).bytes == bytes, "seed \(seed)")
      #expect(try write(file.deployModel).bytes == bytes, "seed \(seed)")
      // Another order is another file of the same content.
      var shuffled = model
      shuffled.tensors.shuffle(using: &generator)
      #expect(try write(shuffled).summary.contentSHA256 == summary.contentSHA256)
    }
  }

  @Test func `large tensors are written in pieces`() throws {
    /// Elements that count up, computed in rows of 1000.
    struct Counting: TensorContents {
      var granularity: Int { 1000 }
      func read(
        _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
      ) throws(ReadError) {
        precondition(range.lowerBound % 1000 == 0 && range.count <= 1 << 18)
        for (index, number) in range.enumerated() {
          unsafe buffer.storeBytes(of: Int32(number), toByteOffset: 4 * index, as: Int32.self)
        }
      }
    }
    let shape: Shape = [1001, 1000]
    let model = DeployModel(
      tensors: [
        OutputTensor(name: "counted", elementType: .int32, shape: shape, contents: Counting()),
        try zeros("after", [3]),
      ], someDescription)
    let (bytes, summary) = try write(model)
    let file = try open(bytes)
    let expected = (0..<UInt32(shape.elementCount)).flatMap { number in
      [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: number >> $0) }
    }
    #expect(try file.tensors[0].tensor.bytes() == expected)
    #expect(
      try write(
        DeployModel(
          tensors: [try tensor("counted", .int32, shape, expected), try zeros("after", [3])],
          someDescription)
      ).summary == summary)
  }

  @Test(arguments: [0, 1, 4_999_999, 5_000_000])
  func `an error while a tensor is fetched ends the writing`(failsAt: Int) throws {
    let tensor = OutputTensor(
      name: "a", elementType: .uint8, shape: [5_000_000], contents: Failing(failsAt: failsAt))
    let model = DeployModel(tensors: [tensor], someDescription)
    if failsAt < 5_000_000 {
      #expect(throws: Failing.error) { try write(model) }
    } else {
      #expect(try open(write(model).bytes).byteCount > 5_000_000)
    }
  }

  @Test func `the content digest depends on name, type, shape and elements`() throws {
    func digest(_ tensors: OutputTensor...) throws -> String {
      try write(DeployModel(tensors: tensors, someDescription)).summary.contentSHA256
    }
    let digests = try [
      digest(zeros("a", [4])), digest(zeros("b", [4])), digest(zeros("a", [2, 2])),
      digest(zeros("a", [4], .int32)), digest(zeros("a", [2], .float64)),
      digest(tensor("a", .uint8, [4], [0, 0, 0, 1])),
      digest(tensor("a", .uint8, [4], [0, 0, 1, 0])),
      digest(zeros("a", [0])), digest(zeros("a", [])), digest(zeros("a", [1])), digest(),
      digest(zeros("a", [4]), zeros("b", [4])),
    ]
    #expect(Set(digests).count == digests.count)
    // SHA-256 of no bytes.
    #expect(digests[10] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test func `the file is a checkpoint like any other`() throws {
    let (bytes, _) = try write(
      DeployModel(tensors: [try zeros("a", [2])], someDescription))
    let checkpoint = try open(bytes).checkpoint
    #expect(checkpoint.container == "RVD 1" && checkpoint.family == "rvd")
    #expect(checkpoint.path == "model.rvd" && checkpoint.byteCount == bytes.count)
    #expect(checkpoint.stateDicts.count == 1)
    #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["a"])
    #expect(checkpoint.model?.provenance == someProvenance)
    #expect(checkpoint.model?.contentSHA256?.count == 64)
    try checkpoint.verifyWhole?()

    // A byte of the padding, which no tensor's checksum covers.
    var damaged = bytes
    damaged[100] = 1
    let other = try RVDFile(
      source: MemoryBytes(damaged, location: Location(path: "model.rvd"))
    ).checkpoint
    try other.stateDicts[0].tensors[0].tensor.source.verify()
    let verify = try #require(other.verifyWhole)
    #expect(throws: ReadError.self) { try verify() }
  }

  @Test func `a model that the format cannot hold is refused before anything is written`() throws {
    let kernel = try zeros("k", [4, 3, 3, 3])
    let bias = try zeros("b", [4])
    let node = Graph.Node(
      .convolution, inputs: [0], operands: [0, 1], attributes: [[1, 1], [1, 1], [1, 1], [1]])
    var wrong: [(DeployModel, String)] = []
    func add(_ expected: String, _ change: (inout DeployModel) throws -> Void) rethrows {
      var model = DeployModel(tensors: [kernel, bias], someDescription)
      model.description.graph = Graph([node])
      try change(&model)
      wrong.append((model, expected))
    }
    func addNode(_ expected: String, _ change: (inout Graph.Node) -> Void) {
      add(expected) { change(&$0.description.graph!.nodes[0]) }
    }
    add("tensors[1].name ('k'): expected a name of its own, found that of a tensor before") {
      $0.tensors[1].name = "k"
    }
    add("tensors[0].name (''): expected a name, found none") { $0.tensors[0].name = "" }
    add("graph: expected at least one node, found none") { $0.description.graph = Graph() }
    addNode("graph[0].weight: expected the index of one of the 2 tensors, found 2") {
      $0.operands[0] = 2
    }
    addNode("graph[0].op: expected 2 operands and 4 attributes, found 1 and 4") {
      $0.operands.removeLast()
    }
    addNode("graph[0].inputs: expected values of earlier nodes, from 0 to 0, found 1") {
      $0.inputs = [1]
    }
    try add("graph[0].bias: expected a tensor of 4, found tensor 1, 5") {
      $0.tensors[1] = try zeros("b", [5])
    }
    try add("graph[0].weight: expected a floating-point tensor, found tensor 0 of type int8") {
      $0.tensors[0] = try zeros("k", [4, 3, 3, 3], .int8)
    }
    addNode("graph[0].stride: expected two numbers from 1 to 2^31 - 1, found [0, 1]") {
      $0.attributes[0] = [0, 1]
    }
    try add("graph[1].weight: expected a matrix for 4 channels, found 2x3") {
      $0.tensors.append(try zeros("w", [2, 3]))
      $0.description.graph?.linear(1, weight: 2, bias: 1)
    }
    add("graph[0].op: expected a later node that takes its result, found none") {
      $0.description.graph?.append(.relu, Graph.input)
    }
    add("classes: expected at least 1, found 0") { $0.description.classes = 0 }
    add("input.scale: expected a positive number, found nan") {
      $0.description.input = InputConvention(
        channelOrder: .rgb, scale: .nan, mean: [0, 0, 0], standardDeviation: [1, 1, 1])
    }
    add("provenance.epsilons: expected numbers from 0 on, ascending, each once, found [0.1, 0.01]")
    {
      $0.description.provenance?.epsilons = [0.1, 0.01]
    }
    add("provenance.sourceSHA256: expected 64 lower-case hexadecimal digits, found 'unknown'") {
      $0.description.provenance?.sourceSHA256 = "unknown"
    }
    for (model, expected) in wrong {
      let error = #expect(throws: WriteError.self) { try write(model) }
      guard case .cannotExpress(_, let what, _)? = error else {
        Issue.record("\(String(describing: error)) instead of \(expected)")
        continue
      }
      #expect(what == "an RVD file cannot hold this model: \(expected)")
    }
  }

  @Test func `tensors too large for the format are refused`() throws {
    struct Nothing: TensorContents {
      var granularity: Int { 1 }
      func read(
        _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
      ) throws(ReadError) {
        Issue.record("read")
      }
    }
    for (shape, elementType): (Shape, ElementType) in [
      ([1 << 53], .uint8), ([1 << 60, 4], .complex128), ([1 << 53, 0], .uint8),
    ] {
      let tensor = OutputTensor(
        name: "huge", elementType: elementType, shape: shape, contents: Nothing())
      #expect(throws: WriteError.self) {
        try write(DeployModel(tensors: [tensor], someDescription))
      }
    }
  }
}

private func randomModel(_ generator: inout SeededGenerator) throws -> DeployModel {
  var tensors: [OutputTensor] = []
  for index in 0..<Int.random(in: 0...6, using: &generator) {
    let shape = Shape(
      (0..<Int.random(in: 0...5, using: &generator)).map { _ in
        Int.random(in: 0...5, using: &generator)
      })
    let elementType = ElementType.allCases.randomElement(using: &generator)!
    let bytes = (0..<shape.elementCount * elementType.byteCount).map { _ in
      UInt8.random(in: 0...255, using: &generator)
    }
    let name = String((0..<3).map { _ in "aé\"\n\\😀\u{301}.".randomElement(using: &generator)! })
    tensors.append(try tensor("\(index)\(name)", elementType, shape, bytes))
  }
  var model = DeployModel(tensors: tensors, someDescription)
  if Bool.random(using: &generator) { model.description.architecture = "Näme \u{1}\"" }
  if Bool.random(using: &generator) {
    model.description.classes = .random(in: 1...1000, using: &generator)
  }
  if Bool.random(using: &generator) {
    func three(_ range: ClosedRange<Double>) -> [Double] {
      (0..<3).map { _ in .random(in: range, using: &generator) }
    }
    model.description.input = InputConvention(
      channelOrder: .bgr, scale: 255, mean: three(-200...200),
      standardDeviation: three(1e-9...1e-3), size: Bool.random(using: &generator) ? 224 : nil)
  }
  return model
}
