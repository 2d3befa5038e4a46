import Graphs
import Tensors
import Testing

/// Rules about whole graphs.
@Suite struct GraphTests {
  let tensors = [
    TensorType(.float32, [4, 3, 3, 3]), TensorType(.bfloat16, [4]), TensorType(.float64, [4, 4]),
    TensorType(.int8, [4, 3, 3, 3]), TensorType(.float32, [0, 3, 3, 3]),
  ]

  @Test func `a residual network with channel attention has the shapes of its layers`() throws {
    var graph = Graph()
    let stem = graph.convolution(
      Graph.input, weight: 0, bias: 1, stride: [2, 2], padding: [1, 1], block: "stem")
    let pooled = graph.append(.globalAveragePool, stem, block: "stem")
    let gates = graph.append(.sigmoid, pooled, block: "stem")
    let scaled = graph.append(.multiply, stem, gates, block: "stem")
    let sum = graph.append(.add, scaled, stem, block: "sum")
    let flat = graph.append(.flatten, graph.append(.globalAveragePool, sum))
    let result = graph.linear(flat, weight: 2, bias: nil)
    #expect(graph.result == result && result == 8)
    #expect(graph.blocks == ["stem", "sum"])
    #expect(
      try graph.shapes(
        ofInput: .map(channels: 3, height: 7, width: 10), tensors: tensors
      ).map(\.description) == [
        "N x 3 x 7 x 10", "N x 4 x 4 x 5", "N x 4 x 1 x 1", "N x 4 x 1 x 1", "N x 4 x 4 x 5",
        "N x 4 x 4 x 5", "N x 4 x 1 x 1", "N x 4", "N x 4",
      ])
    #expect(try graph.shapes(tensors: tensors)[1].description == "N x 4 x H x W")
    #expect(graph.nodes[0].operand("bias") == 1 && graph.nodes[7].operand("bias") == nil)
    #expect(graph.nodes[0].attribute("padding") == [1, 1])
  }

  @Test func `the first convolution says how many channels the input has`() throws {
    var graph = Graph()
    let left = graph.append(.globalAveragePool, Graph.input)
    #expect(graph.inputChannels(tensors: tensors) == nil)
    let right = graph.convolution(Graph.input, weight: 0, bias: nil, groups: 2)
    #expect(graph.inputChannels(tensors: tensors) == 6)
    graph.append(.concatenate, right, graph.append(.upsampleNearest, left, attributes: [[2, 2]]))
    #expect(try graph.shapes(tensors: tensors).last == .map(channels: 10, height: 2, width: 2))
    // Of 4 channels made of 6: the sum is no sum.
    graph.nodes.removeLast(2)
    graph.append(.add, left, right)
    let problem = #expect(throws: GraphProblem.self) { try graph.shapes(tensors: tensors) }
    #expect(problem?.node == 2 && problem?.member == "inputs")
  }

  @Test func `a graph is renumbered with its tensors, unless one is gone`() throws {
    var graph = Graph()
    graph.convolution(graph.append(.relu, Graph.input), weight: 0, bias: 1)
    #expect(graph.renumbered { 5 - $0 }?.nodes[1].operands == [5, 4])
    #expect(graph.renumbered { $0 == 1 ? nil : $0 } == nil)
    graph.nodes[1].operands[1] = nil
    #expect(graph.renumbered { $0 == 1 ? nil : $0 } == graph)
  }

  @Test func `what breaks a rule is said, with the node`() {
    func convolution(_ weight: Int?, inputs: [Int] = [0]) -> Graph.Node {
      Graph.Node(
        .convolution, inputs: inputs, operands: [weight, nil],
        attributes: [[1, 1], [1, 1], [1, 1], [1]])
    }
    let relu = Graph.Node(.relu, inputs: [0])
    let wrong: [([Graph.Node], String)] = [
      ([], "the graph: expected at least one node, found none"),
      ([Graph.Node(.relu, inputs: [])], "node 0 (relu), inputs: expected 1 value, found 0"),
      ([Graph.Node(.add, inputs: [0])], "node 0 (add), inputs: expected 2 values, found 1"),
      (
        [Graph.Node(.concatenate, inputs: [0])],
        "node 0 (concatenate), inputs: expected at least 2 values, found 1"
      ),
      (
        [Graph.Node(.relu, inputs: [1])],
        "node 0 (relu), inputs: expected values of earlier nodes, from 0 to 0, found 1"
      ),
      (
        [relu, Graph.Node(.relu, inputs: [2])],
        "node 1 (relu), inputs: expected values of earlier nodes, from 0 to 1, found 2"
      ),
      (
        [relu, Graph.Node(.relu, inputs: [-1])],
        "node 1 (relu), inputs: expected values of earlier nodes, from 0 to 1, found -1"
      ),
      ([relu, relu], "node 0 (relu), op: expected a later node that takes its result, found none"),
      ([convolution(nil)], "node 0 (convolution), weight: expected a tensor, found none"),
      (
        [convolution(5)],
        "node 0 (convolution), weight: expected the index of one of the 5 tensors, found 5"
      ),
      (
        [convolution(-1)],
        "node 0 (convolution), weight: expected the index of one of the 5 tensors, found -1"
      ),
      (
        [convolution(3)],
        "node 0 (convolution), weight: expected a floating-point tensor, found tensor 3 of type int8"
      ),
      (
        [convolution(4)],
        "node 0 (convolution), weight: expected a tensor with elements and 4 axes, found tensor 4, 0x3x3x3"
      ),
      (
        [relu, convolution(0, inputs: [1]), convolution(0, inputs: [2])],
        "node 2 (convolution), weight: expected a kernel for 4 channels, found 4x3x3x3 and groups 1"
      ),
      (
        [Graph.Node(.relu, inputs: [0], operands: [0])],
        "node 0 (relu), op: expected 0 operands and 0 attributes, found 1 and 0"
      ),
    ]
    for (nodes, expected) in wrong {
      let problem = #expect(throws: GraphProblem.self) { try Graph(nodes).shapes(tensors: tensors) }
      #expect(problem?.description == expected)
    }
  }

  @Test func `images that are too small for a kernel, or too large for numbers, are told apart`() {
    var graph = Graph()
    graph.pool(.maxPool, Graph.input, kernel: [4, 3], stride: [2, 2], padding: [1, 0])
    func cause(_ height: Int, _ width: Int) -> GraphProblem.Cause? {
      do {
        _ = try graph.shapes(
          ofInput: .map(channels: 1, height: height, width: width), tensors: [])
        return nil
      } catch { return error.cause }
    }
    #expect(cause(2, 3) == nil && cause(1, 3) == .tooSmall && cause(2, 2) == .tooSmall)
    graph.append(.upsampleNearest, graph.result, attributes: [[Attribute.largest, 1]])
    graph.append(.upsampleNearest, graph.result, attributes: [[Attribute.largest, 1]])
    #expect(cause(2, 3) == .tooLarge)
    #expect(throws: Never.self) { try graph.shapes(tensors: []) }
  }
}
