internal import Graphs
internal import Tensors

/// A graph with its parameters in memory.
struct Program<Number: NetworkNumber>: Sendable {
  /// Channels, or classes, that come out at the end.
  let outputChannels: Int

  private let graph: Graph
  private let tensors: [TensorType]
  private let limits: ReadingLimits
  private var steps: [Step] = []
  /// The blocks whose results values are.
  private let blockOfValue: [Int: Name]
  /// For each value the step that is the last to take it.
  private var lastUse: [Int]

  private struct Step: Sendable {
    let layer: Layer<Number>
    /// Values.
    let inputs: [Int]
    var result: Int
    /// Whether it does the ReLU behind it in passing.
    var hasReLU = false
  }

  /// Checks the graph and loads its parameters.
  ///
  /// - Parameter channels: of the input, if they are known.
  init(_ graph: Graph, _ parameters: Parameters, channels: Int?) throws {
    self.graph = graph
    tensors = parameters.types
    limits = parameters.limits
    let shapes: [ValueShape]
    do throws(GraphProblem) {
      shapes = try graph.shapes(
        ofInput: .map(channels: channels, height: nil, width: nil), tensors: tensors)
    } catch {
      throw InferenceError.invalidGraph(error)
    }
    outputChannels = shapes.last?.channels ?? 0

    let values = graph.nodes.indices.map { $0 + 1 }
    let ofBlocks = zip(graph.nodes, values).compactMap { node, value in
      node.block.map { ($0, value) }
    }
    let lastOfBlock = Dictionary(ofBlocks, uniquingKeysWith: { _, last in last })
    blockOfValue = Dictionary(uniqueKeysWithValues: lastOfBlock.map { ($1, $0) })

    lastUse = [Int](repeating: 0, count: graph.nodes.count + 1)
    var uses = lastUse
    for value in graph.nodes.lazy.flatMap(\.inputs) { uses[value] += 1 }
    let kinds = Dictionary(uniqueKeysWithValues: LayerKind<Number>.all.map { ($0.kind, $0) })
    for (node, value) in zip(graph.nodes, values) {
      // A ReLU that alone takes what is computed right before it is done in passing.
      if node.kind == .relu, let last = steps.last, last.layer.takesReLU, !last.hasReLU,
        node.inputs == [last.result], uses[last.result] == 1, blockOfValue[last.result] == nil
      {
        steps[steps.count - 1].hasReLU = true
        steps[steps.count - 1].result = value
        continue
      }
      guard let kind = kinds[node.kind] else { preconditionFailure("no layer for \(node.kind)") }
      let layer = try kind.make(NodeParameters(node: node, parameters: parameters))
      steps.append(Step(layer: layer, inputs: node.inputs, result: value))
    }
    for (index, step) in steps.enumerated() {
      for value in step.inputs { lastUse[value] = index }
    }
  }
}

// MARK: Running

extension Program {
  /// Computes the result, and those of the blocks in `kept`.
  ///
  /// - Throws: `InferenceError` if the images do not fit.
  func run(
    _ input: FeatureMap<Number>, _ pool: WorkerPool<Number>, keeping kept: Set<Name>,
    _ keep: (_ block: Name, FeatureMap<Number>) -> Void
  ) throws(InferenceError) -> FeatureMap<Number> {
    let shapes = try graph.sizes(of: input, tensors: tensors, limits: limits)
    var values = [FeatureMap<Number>?](repeating: nil, count: shapes.count)
    values[Graph.input] = input
    for (index, step) in steps.enumerated() {
      let inputs = step.inputs.map { values[$0]! }
      let isOnce = Set(step.inputs).count == step.inputs.count
      let isSpare = step.inputs.map { isOnce && lastUse[$0] == index }
      let (channels, height, width) = shapes[step.result]
      // Branches are several results, and a layer may copy what it takes.
      try requireMemory(
        for: inputs.reduce(0) { $0 + $1.channels * $1.positions }
          + 3 * channels * input.images * height * width, Number.self,
        "\(input.images) images of \(input.height)x\(input.width) pixels")
      let result = step.layer.apply(
        LayerCall(
          inputs: inputs, isSpare: isSpare, channels: channels, height: height, width: width,
          pool: pool, hasReLU: step.hasReLU))
      for value in Set(step.inputs) where lastUse[value] == index {
        if values[value]!.buffer !== result.buffer { pool.reuse(values[value]!) }
        values[value] = nil
      }
      values[step.result] = result
      if let block = blockOfValue[step.result], kept.contains(block) { keep(block, result) }
    }
    return values[graph.result]!
  }
}
