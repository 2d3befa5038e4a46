import Graphs
import Tensors
import Testing

/// The table of operations: what shapes each takes and gives.
@Suite struct ShapeTests {
  /// A node with its tensors and the input it is given, and what comes out: a shape, or the member that
  /// does not fit.
  struct Case: Sendable, CustomTestStringConvertible {
    var kind: NodeKind
    var tensors: [Shape] = []
    var attributes: [[Int]] = []
    var epsilon: Double?
    var input: ValueShape
    var expected: ValueShape?
    var member = ""

    var testDescription: String { "\(kind) \(tensors) \(attributes) of \(input)" }
  }

  static func map(_ channels: Int?, _ height: Int?, _ width: Int?) -> ValueShape {
    .map(channels: channels, height: height, width: width)
  }
  static func vector(_ channels: Int?) -> ValueShape { .vector(channels: channels) }

  static let cases: [Case] = [
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3], [8]],
      attributes: [[2, 2], [1, 1], [1, 1], [1]],
      input: map(3, 32, 31), expected: map(8, 16, 16)),
    // floor((9 + 2*2 - 2*(5-1) - 1) / 3) + 1 = 2, floor((10 + 0 - 1*(2-1) - 1) / 2) + 1 = 5
    Case(
      kind: .convolution, tensors: [[6, 2, 5, 2]], attributes: [[3, 2], [2, 0], [2, 1], [3]],
      input: map(6, 9, 10), expected: map(6, 2, 5)),
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3], [8]],
      attributes: [[1, 1], [0, 0], [1, 1], [1]],
      input: map(nil, nil, 3), expected: map(8, nil, 1)),
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3], [8]],
      attributes: [[1, 1], [0, 0], [1, 1], [1]],
      input: map(3, 2, 3), member: "inputs"),
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3], [8]],
      attributes: [[1, 1], [0, 0], [1, 1], [1]],
      input: map(4, 9, 9), member: "weight"),
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3], [7]],
      attributes: [[1, 1], [0, 0], [1, 1], [1]],
      input: map(3, 9, 9), member: "bias"),
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3]], attributes: [[1, 1], [0, 0], [1, 1], [3]],
      input: map(9, 9, 9), member: "groups"),
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3]], attributes: [[0, 1], [0, 0], [1, 1], [1]],
      input: map(3, 9, 9), member: "stride"),
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3]], attributes: [[1, 1], [0], [1, 1], [1]],
      input: map(3, 9, 9), member: "padding"),
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3]],
      attributes: [[1, 1], [0, 0], [1, 1 << 31], [1]],
      input: map(3, 9, 9), member: "dilation"),
    Case(
      kind: .convolution, tensors: [[8, 27]], attributes: [[1, 1], [0, 0], [1, 1], [1]],
      input: map(3, 9, 9), member: "weight"),
    Case(
      kind: .convolution, tensors: [[8, 3, 3, 3]], attributes: [[1, 1], [0, 0], [1, 1], [1]],
      input: vector(3), member: "inputs"),
    Case(kind: .linear, tensors: [[5, 4], [5]], input: vector(4), expected: vector(5)),
    Case(kind: .linear, tensors: [[5, 4]], input: vector(nil), expected: vector(5)),
    Case(kind: .linear, tensors: [[5, 4]], input: vector(3), member: "weight"),
    Case(kind: .linear, tensors: [[5, 4], [4]], input: vector(4), member: "bias"),
    Case(kind: .linear, tensors: [[5, 4]], input: map(4, 2, nil), expected: map(5, 2, nil)),
    Case(kind: .linear, tensors: [[5, 4]], input: map(3, 1, 1), member: "weight"),
    Case(
      kind: .layerNorm, tensors: [[4], [4]], epsilon: 1e-6, input: map(nil, 2, nil),
      expected: map(4, 2, nil)),
    Case(kind: .layerNorm, tensors: [[4], [4]], epsilon: 1, input: vector(4), expected: vector(4)),
    Case(kind: .layerNorm, tensors: [[4], [1]], epsilon: 1, input: vector(4), member: "beta"),
    Case(kind: .layerNorm, tensors: [[4]], epsilon: 1, input: vector(4), member: "beta"),
    Case(kind: .layerNorm, tensors: [[4], [4]], input: vector(4), member: "epsilon"),
    Case(
      kind: .globalResponseNorm, tensors: [[4]], epsilon: 1e-6, input: map(4, 2, 3),
      expected: map(4, 2, 3)),
    Case(
      kind: .globalResponseNorm, tensors: [[4], [4]], epsilon: 1e-6, input: map(nil, 2, nil),
      expected: map(4, 2, nil)),
    Case(kind: .globalResponseNorm, tensors: [[4]], epsilon: 1, input: vector(4), member: "inputs"),
    Case(
      kind: .globalResponseNorm, tensors: [[3]], epsilon: 1, input: map(4, 2, 3), member: "gamma"),
    Case(
      kind: .globalResponseNorm, tensors: [[4], [3]], epsilon: 1, input: map(4, 2, 3),
      member: "beta"),
    Case(
      kind: .attention, attributes: [[2]], input: map(12, nil, 3), expected: map(4, nil, 3)),
    Case(
      kind: .attention, attributes: [[2]], input: map(nil, 2, 3), expected: map(nil, 2, 3)),
    Case(kind: .attention, attributes: [[4]], input: map(18, 2, 3), member: "heads"),
    Case(kind: .attention, attributes: [[0]], input: map(18, 2, 3), member: "heads"),
    Case(kind: .attention, attributes: [[1]], input: vector(3), member: "inputs"),
    Case(kind: .scale, tensors: [[4]], input: map(4, 2, 3), expected: map(4, 2, 3)),
    Case(kind: .scale, tensors: [[1], [4]], input: vector(nil), expected: vector(4)),
    Case(kind: .scale, tensors: [[4], [1]], input: map(nil, 2, nil), expected: map(4, 2, nil)),
    Case(kind: .scale, tensors: [[3]], input: map(4, 2, 3), member: "factor"),
    Case(kind: .scale, tensors: [[4], [3]], input: map(nil, 2, 3), member: "shift"),
    Case(
      kind: .batchNorm, tensors: [[4], [4], [4], [4]], epsilon: 1e-5, input: map(nil, 2, nil),
      expected: map(4, 2, nil)),
    Case(
      kind: .batchNorm, tensors: [[4], [4], [4], [4]], epsilon: 1, input: vector(4),
      expected: vector(4)),
    Case(
      kind: .batchNorm, tensors: [[1], [1], [1], [1]], epsilon: 1e-5, input: map(4, 2, 3),
      member: "gamma"),
    Case(
      kind: .batchNorm, tensors: [[4], [4], [3], [4]], epsilon: 1e-5, input: map(4, 2, 3),
      member: "mean"),
    Case(
      kind: .batchNorm, tensors: [[4], [4], [4], [4]], input: map(4, 2, 3), member: "epsilon"),
    Case(
      kind: .batchNorm, tensors: [[4], [4], [4], [4]], epsilon: 0, input: map(4, 2, 3),
      member: "epsilon"),
    Case(
      kind: .batchNorm, tensors: [[4], [4], [4], [4]], epsilon: .nan, input: map(4, 2, 3),
      member: "epsilon"),
    Case(kind: .relu, epsilon: 1e-5, input: map(4, 2, 3), member: "epsilon"),
    Case(kind: .flatten, input: map(4, 2, 3), expected: vector(24)),
    Case(kind: .flatten, input: map(4, nil, 3), expected: vector(nil)),
    Case(kind: .flatten, input: vector(4), member: "inputs"),
    Case(kind: .flatten, input: map(1 << 40, 1 << 20, 1), member: "op"),
    Case(kind: .globalAveragePool, input: map(4, nil, 3), expected: map(4, 1, 1)),
    Case(kind: .globalAveragePool, input: vector(4), member: "inputs"),
    // floor((5 + 2 - 3) / 2) + 1 = 3
    Case(
      kind: .averagePool, attributes: [[3, 2], [2, 2], [1, 0]], input: map(4, 5, 5),
      expected: map(4, 3, 2)),
    Case(
      kind: .maxPool, attributes: [[3, 3], [1, 1], [0, 0]], input: map(nil, nil, 3),
      expected: map(nil, nil, 1)),
    Case(
      kind: .maxPool, attributes: [[3, 3], [1, 1], [0, 0]], input: map(4, 2, 3), member: "inputs"),
    Case(
      kind: .maxPool, attributes: [[2, 3], [1, 1], [2, 0]], input: map(4, 9, 9), member: "padding"),
    Case(
      kind: .upsampleNearest, attributes: [[2, 3]], input: map(4, 5, nil),
      expected: map(4, 10, nil)),
    Case(
      kind: .upsampleNearest, attributes: [[1 << 30, 1]], input: map(4, 1 << 30, 1), member: "op"),
    Case(kind: .pixelShuffle, attributes: [[3]], input: map(18, 5, 6), expected: map(2, 15, 18)),
    Case(kind: .pixelShuffle, attributes: [[3]], input: map(17, 5, 6), member: "factor"),
    Case(kind: .prelu, tensors: [[4]], input: map(4, 2, 3), expected: map(4, 2, 3)),
    Case(kind: .prelu, tensors: [[1]], input: vector(4), expected: vector(4)),
    Case(kind: .prelu, tensors: [[2]], input: vector(4), member: "slope"),
  ]

  @Test(arguments: cases)
  func `a kind gives the shape that its formula says, or refuses`(test: Case) {
    var node = Graph.Node(
      test.kind, inputs: [0], operands: test.tensors.indices.map { $0 },
      attributes: test.attributes, epsilon: test.epsilon)
    while node.operands.count < test.kind.operands.count { node.operands.append(nil) }
    let tensors = test.tensors.map { TensorType(.float32, $0) }
    do {
      let shapes = try Graph([node]).shapes(ofInput: test.input, tensors: tensors)
      #expect(shapes.count == 2 && shapes[1] == test.expected)
    } catch {
      #expect(test.expected == nil && error.member == test.member, "\(error)")
      #expect(error.node == 0 && error.kind == test.kind)
    }
  }

  @Test func `every kind has a case, or changes no shape`() {
    let unchanged: [NodeKind] = [
      .relu, .relu6, .sigmoid, .silu, .tanh, .gelu, .geluTanh, .hardSigmoid, .hardSwish, .softmax,
    ]
    for kind in unchanged {
      for shape in [Self.map(3, nil, 2), Self.vector(4)] {
        #expect(
          try! Graph([Graph.Node(kind, inputs: [0])]).shapes(ofInput: shape, tensors: [])
            == [shape, shape])
      }
    }
    let covered = Set(Self.cases.map(\.kind)).union(unchanged)
    #expect(Set(NodeKind.all).subtracting(covered) == [.add, .multiply, .concatenate])
    #expect(Set(NodeKind.all.map(\.name)).count == NodeKind.all.count)
    for kind in NodeKind.all { #expect(NodeKind(named: kind.name) == kind) }
    #expect(NodeKind(named: "squeeze-excitation") == nil)
  }

  // MARK: Two inputs

  /// A graph whose last node takes two values made from one input of 8 x 12 x 12: some channels, and some
  /// of the area, of each.
  func joined(
    _ kind: NodeKind, _ a: (channels: Int, pooled: Bool), _ b: (channels: Int, pooled: Bool),
    size: Int? = 12
  ) throws(GraphProblem) -> ValueShape {
    var graph = Graph()
    var tensors: [TensorType] = []
    var values: [Int] = []
    for (channels, pooled) in [a, b] {
      tensors.append(TensorType(.float16, [channels, 8, 1, 1]))
      var value = graph.convolution(Graph.input, weight: tensors.count - 1, bias: nil)
      if pooled { value = graph.append(.globalAveragePool, value) }
      values.append(value)
    }
    graph.append(Graph.Node(kind, inputs: values))
    return try graph.shapes(
      ofInput: .map(channels: 8, height: size, width: size), tensors: tensors
    ).last!
  }

  @Test(arguments: [NodeKind.add, .multiply])
  func `values of one shape go together, and channels with maps`(kind: NodeKind) throws {
    #expect(try joined(kind, (4, false), (4, false)) == Self.map(4, 12, 12))
    #expect(try joined(kind, (4, true), (4, false)) == Self.map(4, 12, 12))
    #expect(try joined(kind, (4, false), (4, true)) == Self.map(4, 12, 12))
    #expect(try joined(kind, (4, true), (4, true)) == Self.map(4, 1, 1))
    #expect(try joined(kind, (4, true), (4, false), size: nil) == Self.map(4, nil, nil))
    for pooled in [false, true] {
      #expect(throws: GraphProblem.self) { try joined(kind, (4, false), (5, pooled)) }
    }
  }

  @Test func `rows are not used for maps`() throws {
    var graph = Graph()
    let rows = graph.pool(.averagePool, Graph.input, kernel: [12, 1], stride: [1, 1])
    graph.append(.add, Graph.input, rows)
    let problem = #expect(throws: GraphProblem.self) {
      try graph.shapes(ofInput: Self.map(3, 12, 12), tensors: [])
    }
    #expect(
      problem?.description
        == "node 1 (add), inputs: expected values of one shape, or one of N x C x 1 x 1, "
        + "found N x 3 x 12 x 12 and N x 3 x 1 x 12")
    // Of an image of one column they are.
    #expect(
      try graph.shapes(ofInput: Self.map(3, 12, 1), tensors: []).last == Self.map(3, 12, 1))
  }

  @Test func `concatenating adds channels`() throws {
    #expect(try joined(.concatenate, (4, false), (5, false)) == Self.map(9, 12, 12))
    #expect(try joined(.concatenate, (4, true), (5, true)) == Self.map(9, 1, 1))
    #expect(try joined(.concatenate, (4, false), (5, false), size: nil) == Self.map(9, nil, nil))
    #expect(throws: GraphProblem.self) { try joined(.concatenate, (4, true), (5, false)) }
    var graph = Graph()
    graph.append(.concatenate, Graph.input, Graph.input, Graph.input)
    #expect(
      try graph.shapes(ofInput: Self.map(3, 2, nil), tensors: []).last == Self.map(9, 2, nil))
  }
}
