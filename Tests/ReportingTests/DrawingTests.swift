import Graphs
import Tensors
import Testing

@testable import Reporting

/// What of a graph is told once, what stands behind what, and that drawings have words for everything.
@Suite struct DrawingTests {
  /// A graph in the making, with the kernels it takes.
  struct Sketch {
    var graph = Graph()
    var weights: [NetworkDrawing.Weight] = []

    mutating func convolution(_ value: Int, _ inputs: Int, _ outputs: Int, size: Int = 3) -> Int {
      weights.append(.init(name: "w\(weights.count)", shape: [outputs, inputs, size, size]))
      return graph.convolution(
        value, weight: weights.count - 1, bias: nil, padding: [size / 2, size / 2])
    }

    func drawing(size: Int = 8) throws -> NetworkDrawing {
      let shapes = try graph.shapes(
        ofInput: .map(channels: nil, height: size, width: size),
        tensors: weights.map { TensorType(.float32, $0.shape) })
      return NetworkDrawing(graph, weights: weights, shapes: shapes)
    }
  }

  @Test func `what follows itself is told once`() throws {
    var sketch = Sketch()
    var value = sketch.graph.append(.relu, sketch.convolution(Graph.input, 3, 4))
    for _ in 0..<5 { value = sketch.graph.append(.relu, sketch.convolution(value, 4, 4)) }
    sketch.graph.append(.globalAveragePool, value)
    let drawing = try sketch.drawing()
    #expect(
      drawing.steps.map(\.operation)
        == ["input", "convolution", "convolution", "global-average-pool"])
    #expect(drawing.steps.map(\.then) == [[], ["relu"], ["relu"], []])
    #expect(drawing.repetitions == [.init(first: 2, steps: 1, times: 5)])
    #expect(drawing.steps.map(\.inputs) == [[], [0], [1], [2]])
    #expect(drawing.steps.map(\.outputChannels) == [3, 4, 4, 4])
    #expect(drawing.steps.map(\.height) == [8, 8, 8, 1])
  }

  @Test func `residual blocks are told once, with what they add`() throws {
    var sketch = Sketch()
    var value = sketch.convolution(Graph.input, 3, 4)
    for _ in 0..<3 {
      let inner = sketch.graph.append(.relu, sketch.convolution(value, 4, 8, size: 1))
      value = sketch.graph.append(.add, value, sketch.convolution(inner, 8, 4, size: 1))
    }
    sketch.graph.append(.globalAveragePool, value)
    let drawing = try sketch.drawing()
    #expect(drawing.repetitions == [.init(first: 2, steps: 3, times: 3)])
    #expect(drawing.steps.map(\.inputs) == [[], [0], [1], [2], [1, 3], [4]])
  }

  @Test func `what something behind takes from the middle is not told once`() throws {
    var sketch = Sketch()
    var values = [sketch.convolution(Graph.input, 3, 4)]
    for _ in 0..<4 { values.append(sketch.convolution(values.last!, 4, 4)) }
    sketch.graph.append(.add, values[2], values[4])
    let drawing = try sketch.drawing()
    let taken = try #require(drawing.steps.last?.inputs)
    #expect(taken[0] < taken[1], "two values, not one of a repetition")
    #expect(drawing.repetitions.allSatisfy { $0.times == 2 && $0.steps == 1 })
    #expect(drawing.repetitions.map(\.first).contains(taken[0]))
  }

  @Test func `what is taken twice keeps what follows apart`() throws {
    var sketch = Sketch()
    let value = sketch.convolution(Graph.input, 3, 4)
    let gate = sketch.graph.append(.sigmoid, value)
    sketch.graph.append(.multiply, value, gate)
    let drawing = try sketch.drawing()
    #expect(drawing.steps.map(\.operation) == ["input", "convolution", "sigmoid", "multiply"])
    #expect(drawing.steps[3].inputs == [1, 2])
  }

  @Test func `every operation has a word`() {
    #expect(NodeKind.all.filter { operationWords[$0] == nil } == [])
  }

  @Test func `many steps are a short page, made at once`() throws {
    var sketch = Sketch()
    var value = Graph.input
    // Each of another width, so that nothing is told once.
    for width in 1...300 { value = sketch.convolution(value, width == 1 ? 3 : width - 1, width) }
    let drawing = try sketch.drawing()
    #expect(drawing.steps.count == 301 && drawing.repetitions == [])
    #expect(drawing.svg(title: "many").utf8.count < 400_000)
  }

  @Test(arguments: [
    (0.4951, "50 %"), (0.0123, "1.2 %"), (-0.0049, "-0.5 %"), (0, "0 %"), (-0.31, "-31 %"),
    (1, "100 %"),
  ])
  func `shares are short`(share: Double, text: String) {
    #expect(wholePercent(share) == text)
  }

  @Test(arguments: [
    (640, "640"), (1000, "1 k"), (885_376, "885 k"), (1_362_000_000, "1.36 G"),
    (24_700, "24.7 k"), (999_999, "1000 k"),
  ])
  func `large numbers are short`(number: Int, text: String) {
    #expect(short(number) == text)
  }
}
