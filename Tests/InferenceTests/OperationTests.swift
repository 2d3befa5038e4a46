import Checkpoints
import Foundation
import Graphs
import Inference
import RVD
import Tensors
import TestSupport
import Testing

/// Every operation against what its formula in `formats/rvd.md` gives, computed by NumPy
/// (Tests/Fixtures/make_operations.py), and small ones by hand.
@Suite struct OperationTests {
  static let answers = try! readNPZ(Fixtures.path("Expected/operations.npz"))

  static func vector(_ name: String) throws -> RVDFile {
    try RVDFile.open(path: Fixtures.vectorPath(name))
  }

  static func images(_ name: String) throws -> ImageBatch {
    let array = try #require(answers["\(name).0"])
    return ImageBatch(array.doubles, shape: Shape(array.shape))
  }

  @Test(
    arguments: ["chain", "squeeze-excitation", "residual", "operations"],
    [(Arithmetic.float64, 1e-12), (.float32, 2e-4)])
  func `every value of a graph is what the formulas say`(
    name: String, arithmetic: (kind: Arithmetic, tolerance: Double)
  ) throws {
    let file = try Self.vector(name)
    let tensors = file.tensors.map(\.tensor)
    var graph = try #require(file.model.graph)
    // A block of each node, so that its result can be kept.
    for index in graph.nodes.indices { graph.nodes[index].block = "\(index + 1)" }
    let network = try RunnableNetwork(graph, tensors: tensors, arithmetic: arithmetic.kind)
    #expect(network.blocks.count == graph.nodes.count && network.inputChannels == 3)
    let images = try Self.images(name)
    let result = try network.run(images, keeping: Set(network.blocks))
    for block in network.blocks {
      let expected = try #require(Self.answers["\(name).\(block)"])
      let found = try #require(result.blocks[block])
      let (shape, kind) = (found.shape.dimensions, graph.nodes[Int(block.text)! - 1].kind)
      #expect(shape.prefix(expected.shape.count).elementsEqual(expected.shape), "\(kind)")
      let largest = expected.doubles.map(\.magnitude).max() ?? 0
      #expect(
        largestDifference(found.numbers, expected.doubles)
          <= arithmetic.tolerance * max(1, largest), "\(block): \(kind)")
    }
    // As it is, with what can be computed in passing, memory used again, and one image at a time.
    let last = try #require(Self.answers["\(name).\(graph.result)"])
    let plain = try RunnableNetwork(
      #require(file.model.graph), tensors: tensors, arithmetic: arithmetic.kind)
    for batch in [1, 2] {
      let logits = try plain.run(images, batch: batch).logits.flatMap { $0 }
      let largest = last.doubles.map(\.magnitude).max() ?? 0
      #expect(
        largestDifference(logits, last.doubles) <= arithmetic.tolerance * max(1, largest))
    }
  }

  @Test func `the answers cover every operation`() throws {
    let kinds = try ["chain", "squeeze-excitation", "residual", "operations"].flatMap {
      try Self.vector($0).model.graph?.nodes.map(\.kind) ?? []
    }
    #expect(Set(kinds) == Set(NodeKind.all))
  }

  // MARK: By hand

  /// What one node makes of one image, given as channels of rows.
  private func run(
    _ kind: NodeKind, of image: [[[Double]]], attributes: [[Int]] = [], tensors: [[Double]] = [],
    inputs: [Int] = [0], arithmetic: Arithmetic = .float64
  ) throws -> [Double] {
    var graph = Graph()
    graph.append(
      Graph.Node(
        kind, inputs: inputs,
        operands: kind.operands.indices.map { $0 < tensors.count ? $0 : nil },
        attributes: attributes))
    let network = try RunnableNetwork(
      graph, tensors: tensors.map { try Tensor(float64: $0, shape: [$0.count], name: "vector") },
      arithmetic: arithmetic)
    let batch = ImageBatch(
      image.flatMap { $0.flatMap { $0 } },
      shape: [1, image.count, image[0].count, image[0][0].count])
    return try network.run(batch).logits[0]
  }

  @Test func `pooling counts the zeros of its padding, or leaves them out`() throws {
    let image: [[[Double]]] = [[[-1, -2, -3], [-4, -5, -6]]]
    // Windows of 2 x 2 at rows -1 and 1, columns -1 and 1.
    let means: [Double] = [-0.25, -1.25, -1, -2.75]
    #expect(try run(.averagePool, of: image, attributes: [[2, 2], [2, 2], [1, 1]]) == means)
    #expect(
      try run(.maxPool, of: image, attributes: [[2, 2], [2, 2], [1, 1]]) == [-1, -2, -4, -5])
    #expect(
      try run(.maxPool, of: [[[1, .nan, 3, 4]]], attributes: [[1, 2], [1, 2], [0, 0]])
        .map(\.isNaN) == [true, false])
    #expect(try run(.globalAveragePool, of: image) == [-3.5])
  }

  @Test func `numbers are rearranged in the order of channels, rows and columns`() throws {
    let image: [[[Double]]] = [[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]]
    #expect(try run(.flatten, of: image) == [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(
      try run(.pixelShuffle, of: image, attributes: [[2]]) == [1, 3, 2, 4, 5, 7, 6, 8])
    #expect(
      try run(.upsampleNearest, of: [[[1, 2], [3, 4]]], attributes: [[1, 3]]) == [
        1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4,
      ])
    #expect(
      try run(.concatenate, of: [[[1, 2]], [[3, 4]]], inputs: [0, 0]) == [1, 2, 3, 4, 1, 2, 3, 4])
  }

  @Test func `a value that is taken twice stays what it was`() throws {
    #expect(try run(.add, of: [[[1, -2]]], inputs: [0, 0]) == [2, -4])
    #expect(try run(.multiply, of: [[[3, -2]]], inputs: [0, 0]) == [9, 4])
    var graph = Graph()
    let positive = graph.append(.relu, Graph.input)
    graph.append(.add, positive, Graph.input)
    let network = try RunnableNetwork(graph, tensors: [])
    #expect(
      try network.run(ImageBatch([1, -2] as [Float], shape: [1, 1, 1, 2])).logits == [[2, -2]])
  }

  @Test func `slopes and factors are of a channel or of all`() throws {
    let image: [[[Double]]] = [[[-1, 1]], [[-2, 2]]]
    #expect(try run(.prelu, of: image, tensors: [[0.5, 3]]) == [-0.5, 1, -6, 2])
    #expect(try run(.prelu, of: image, tensors: [[0.5]]) == [-0.5, 1, -1, 2])
    #expect(try run(.scale, of: image, tensors: [[2, 3]]) == [-2, 2, -6, 6])
    #expect(try run(.scale, of: image, tensors: [[2], [10, 20]]) == [8, 12, 16, 24])
  }

  /// Of functions that have values known by heart, or from tables.
  @Test(arguments: Arithmetic.allCases)
  func `activations have the values of tables`(arithmetic: Arithmetic) throws {
    let x: [Double] = [-4, -1, 0, 1, 4, 7]
    let table: [(NodeKind, [Double])] = [
      (.relu, [0, 0, 0, 1, 4, 7]),
      (.relu6, [0, 0, 0, 1, 4, 6]),
      (
        .sigmoid,
        [
          0.01798620996209156, 0.2689414213699951, 0.5, 0.7310585786300049, 0.9820137900379085,
          0.9990889488055994,
        ]
      ),
      (
        .tanh,
        [
          -0.999329299739067, -0.7615941559557649, 0, 0.7615941559557649, 0.999329299739067,
          0.9999983369439447,
        ]
      ),
      // x times Phi(x): Phi(1) = 0.8413447460685429, Phi(-4) = 3.167124183311992e-05.
      (
        .gelu,
        [
          -1.2668496733247968e-4, -0.15865525393145707, 0, 0.8413447460685429,
          3.999873315032667, 6.999999999991043,
        ]
      ),
      (.hardSigmoid, [0, 1 / 3, 0.5, 2 / 3, 1, 1]),
      (.hardSwish, [0, -1 / 3, 0, 2 / 3, 4, 7]),
    ]
    for (kind, expected) in table {
      let found = try run(kind, of: [[x]], arithmetic: arithmetic)
      #expect(
        largestDifference(found, expected) < (arithmetic == .float64 ? 1e-13 : 1e-6), "\(kind)")
    }
    for kind in table.map(\.0) + [.silu, .geluTanh, .softmax] {
      #expect(try run(kind, of: [[[.nan]]], arithmetic: arithmetic)[0].isNaN, "\(kind)")
    }
    // Large differences of channels, too, give shares.
    #expect(
      try run(.softmax, of: [[[1000]], [[1000]], [[-1000]]], arithmetic: arithmetic) == [
        0.5, 0.5, 0,
      ])
  }
}
