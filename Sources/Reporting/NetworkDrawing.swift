internal import Graphs
public import Tensors

/// A network in the order in which it computes, with what only changes values written where they come from,
/// and like parts that follow each other told once.
public struct NetworkDrawing: Encodable, Equatable, Sendable {
  /// What computes a value, and what is done to that right away.
  public struct Step: Encodable, Equatable, Sendable {
    /// A node's kind: `convolution`; `input` of the first.
    public var operation: String
    /// Height and width of its kernel or window.
    public var kernel: [Int]?
    /// Vertical and horizontal.
    public var stride: [Int]?
    /// Of its kernel's channels.
    public var groups: Int?
    /// Kinds of the nodes behind it that take nothing else: `relu`.
    public var then: [String]
    /// Before and after; nil where they are not known.
    public var inputChannels, outputChannels: Int?
    /// Of the result; nil of a vector, or where it is not known.
    public var height, width: Int?
    /// The path of the block that it belongs to.
    public var block: Name?
    /// Of its weight; empty if it has none.
    public var weight: Name
    /// Steps that it takes, by their places in `steps`.
    public var inputs: [Int]

    /// Whether every channel is filtered by itself.
    var isDepthwise: Bool { groups.map { $0 > 1 && $0 == inputChannels } ?? false }

    private enum CodingKeys: String, CodingKey {
      case operation, kernel, stride, groups, then, inputChannels, outputChannels, height, width
      case block, inputs
    }
  }

  /// Steps that stand for several like them.
  public struct Repetition: Encodable, Equatable, Sendable {
    /// The first step, by its place in `steps`.
    public var first: Int
    /// How many steps.
    public var steps: Int
    /// How often they follow each other.
    public var times: Int
  }

  /// The first is the network's input.
  public private(set) var steps: [Step]
  /// In the order of the steps; no step is in two.
  public private(set) var repetitions: [Repetition]
}

extension NetworkDrawing {
  /// A tensor that a node takes.
  struct Weight {
    var name: Name
    var shape: Shape
  }

  /// - Parameters:
  ///   - weights: the tensors that operands refer to.
  ///   - shapes: of the values of the graph, if they are known.
  init(_ graph: Graph, weights: [Weight], shapes: [ValueShape]?) {
    var uses = [Int](repeating: 0, count: graph.nodes.count + 1)
    for node in graph.nodes { for value in node.inputs { uses[value] += 1 } }
    let types = weights.map { TensorType(.float32, $0.shape) }
    let input =
      shapes?[Graph.input]
      ?? .map(channels: graph.inputChannels(tensors: types), height: nil, width: nil)
    var steps = [Step(input: input)]
    /// The step that gives each value.
    var places = [0]
    for (index, node) in graph.nodes.enumerated() {
      let source = node.inputs[0]
      let isBehindLast = source == index && index > 0 && uses[source] == 1
      if node.isAppendix, isBehindLast {
        steps[steps.count - 1].then.append(node.kind.name)
      } else {
        steps.append(
          Step(
            node, weight: node.weightOperands.first.map { weights[$0] }, input: shapes?[source],
            inputs: node.inputs.map { places[$0] }))
      }
      steps[steps.count - 1].take(shapes?[index + 1])
      places.append(steps.count - 1)
    }
    self.init(folding: steps)
  }
}

extension Graph.Node {
  /// Whether it takes one value, has no settings that have to be told, and so can be written behind what it
  /// takes.
  fileprivate var isAppendix: Bool {
    inputs.count == 1 && weightOperands.isEmpty && kind.attributes.isEmpty
      && kind != .globalAveragePool
  }
}

extension NetworkDrawing.Step {
  fileprivate init(input shape: ValueShape) {
    self.init(operation: "input", then: [], outputChannels: shape.channels, weight: "", inputs: [])
    take(shape)
  }

  fileprivate init(
    _ node: Graph.Node, weight: NetworkDrawing.Weight?, input: ValueShape?, inputs: [Int]
  ) {
    let groups = node.setting("groups")?[0]
    self.init(
      operation: node.kind.name,
      kernel: node.kind == .convolution
        ? weight.map { Array($0.shape.dimensions.suffix(2)) } : node.setting("kernel"),
      stride: node.setting("stride"), groups: groups, then: [],
      inputChannels: weight.map { $0.shape[1] * (groups ?? 1) } ?? input?.channels,
      outputChannels: weight.map { $0.shape[0] }, block: node.block, weight: weight?.name ?? "",
      inputs: inputs)
  }

  fileprivate mutating func take(_ output: ValueShape?) {
    guard let output else { return }
    outputChannels = output.channels
    (height, width) = (nil, nil)
    if case .map(_, let height, let width) = output { (self.height, self.width) = (height, width) }
  }

  /// Whether two steps compute the same of steps that are as far before them.
  fileprivate func isLike(_ other: Self, _ distance: Int) -> Bool {
    var (a, b) = (self, other)
    (a.block, b.block, a.weight, b.weight) = (nil, nil, "", "")
    b.inputs = b.inputs.map { $0 - distance }
    return a == b
  }
}

extension NetworkDrawing {
  /// Most steps that are folded together.
  private static let longestPeriod = 48

  /// Tells once what follows itself: from the first step on, what saves most steps.
  fileprivate init(folding all: [Step]) {
    steps = []
    repetitions = []
    /// The last step that takes each.
    var lastUse = Array(all.indices)
    for (index, step) in all.enumerated() { for input in step.inputs { lastUse[input] = index } }
    /// Where each of all steps is told.
    var places: [Int] = []
    var next = 0
    func tell(_ index: Int) {
      places.append(steps.count)
      var step = all[index]
      step.inputs = step.inputs.map { places[$0] }
      steps.append(step)
    }
    while next < all.count {
      var best = (period: 1, times: 1)
      for period in 1...max(1, min(Self.longestPeriod, (all.count - next) / 2)) {
        let times = Self.repetitions(of: next..<next + period, in: all, lastUse)
        if period * (times - 1) > best.period * (best.times - 1) { best = (period, times) }
      }
      if best.times > 1 {
        repetitions.append(
          Repetition(first: steps.count, steps: best.period, times: best.times))
      }
      for index in next..<next + best.period { tell(index) }
      for _ in 1..<best.times {
        // What the others give is what the first gives, as far as the drawing goes.
        places += places.suffix(best.period)
      }
      next += best.period * best.times
    }
  }

  /// How often steps follow each other such that nothing behind takes what a repetition gives but the next
  /// one, and, of the last, anything.
  private static func repetitions(of first: Range<Int>, in all: [Step], _ lastUse: [Int]) -> Int {
    let period = first.count
    var times = 1
    while true {
      let next = first.lowerBound + times * period
      guard next + period <= all.count,
        first.allSatisfy({ all[$0].isLike(all[$0 + times * period], times * period) }),
        (next - period..<next).allSatisfy({ lastUse[$0] < next + period })
      else { return times }
      times += 1
    }
  }
}
