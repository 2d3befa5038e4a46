internal import Blocks
internal import Checkpoints
internal import Conversion
internal import Graphs
internal import Naming
internal import ONNX
internal import Proof
internal import Reparameterization
internal import Tensors
internal import Topologies

/// A network as it is deployed: what a file holds, or what it amounts to when it is fused.
struct DeployForm {
  /// A tensor of it.
  struct Entry: Sendable {
    /// In the file; of what is fused, as the dialect of the file would call it.
    var name: Name
    var shape: Shape
    /// Nil of what are no weights.
    var numbers: (any NumberSource)?
    /// As the file has it; nil of what is computed.
    var elementType: ElementType?
    /// The path of the block that it is fused from.
    var block: Name?
  }

  private(set) var entries: [Entry]
  /// Operands are indices into `entries`; nil if the network is not known as a whole.
  private(set) var graph: Graph?
  /// What fusing it does; nil of what is fused, or has no blocks.
  private(set) var plan: FusionPlan?
  /// Why there is no graph, in words without a full stop.
  private(set) var reason: String?

  /// The types of the entries, for the rules of shapes.
  var types: [TensorType] { entries.map { TensorType(.float32, $0.shape) } }

  /// The entries, to be drawn.
  var weights: [NetworkDrawing.Weight] { entries.map { .init(name: $0.name, shape: $0.shape) } }

  /// - Parameters:
  ///   - epsilon: BatchNorm's, for files that do not say it.
  ///   - matched: the layers of an ONNX file that a proof found, whose weights may be computed in its graph.
  /// - Throws: `NamingError`, `FusionError`, `ReadError`.
  init(
    of checkpoint: Checkpoint, _ reading: ReadingOptions, epsilon: Double?, matched: Network?
  ) throws {
    let tensors = checkpoint.stateDicts.first?.tensors ?? []
    if let graph = checkpoint.model?.graph {
      self.graph = graph
      entries = tensors.map { Entry($0.name, $0.tensor) }
      return
    }
    if checkpoint.family == "onnx" {
      let file = try InputFile(path: checkpoint.path, limits: reading.limits)
      switch try ONNXFile(file).network(of: tensors) {
      case .success(let network):
        graph = network.graph
        entries = network.tensors.map { Entry($0.name, $0.tensor) }
      case .failure(let problem):
        reason = problem.reason
        entries =
          matched?.parameters.map { Entry($0.originalName, $0.tensor) }
          ?? tensors.map { Entry($0.name, $0.tensor) }
      }
      return
    }
    let recognised = Result { () throws(NamingError) in
      try Network(recognising: checkpoint, reading)
    }
    switch recognised {
    case .failure(let error):
      let dict = try checkpoint.stateDicts(called: reading.key)
        .max { $0.tensors.count < $1.tensors.count }
      entries = (dict?.tensors ?? []).map { Entry($0.name, $0.tensor) }
      reason = firstLine(error.description, of: checkpoint.path)
      if reason?.last == "." { reason?.removeLast() }
    case .success(let network) where !network.unknownInBlocks.isEmpty:
      entries = network.parameters.map { Entry($0.originalName, $0.tensor) }
      reason = "blocks have parameters whose meaning is not known"
    case .success(let network)
    where network.form == .deploy && network.blocksLeftByProject.isEmpty:
      entries = network.parameters.map { Entry($0.originalName, $0.tensor) }
      take(
        Result { () throws(Deviation) in try Structure(of: network, epsilon: epsilon) },
        roles: network.parameters.map(\.role))
    case .success(let network):
      let plan = try FusionPlan(network, epsilon: epsilon, isForGraph: true)
      let blocks = Dictionary(
        uniqueKeysWithValues: plan.blocks.map {
          (Role.block($0.address, .fused(.weight)), $0.path)
        })
      let tensors = plan.deployTensors
      entries = tensors.map {
        Entry($0, name: network.dialect.label(of: $0.role), block: blocks[$0.role])
      }
      self.plan = plan
      take(plan.structure, roles: tensors.map(\.role))
    }
  }

  /// Takes over the graph of a structure, whose tensors are the entries of the same roles.
  private mutating func take(_ structure: Result<Structure, Deviation>, roles: [Role]) {
    switch structure {
    case .success(let structure):
      let places = Dictionary(
        roles.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
      graph = structure.graph.renumbered { places[structure.deployParameters[$0].role] }
    case .failure(let deviation): reason = deviation.reason
    }
  }
}

extension DeployForm.Entry {
  fileprivate init(_ name: Name, _ tensor: Tensor) {
    self.init(
      name: name, shape: tensor.shape, numbers: tensor.isWeight ? tensor : nil,
      elementType: tensor.elementType)
  }

  fileprivate init(_ tensor: DeployTensor, name: Name, block: Name?) {
    self.init(name: name, shape: tensor.shape, block: block)
    switch tensor.contents {
    case .numbers(let numbers), .steps(let numbers, _):
      self.numbers = numbers
      elementType = (numbers as? Tensor)?.elementType
    case .others(let tensor): elementType = tensor.elementType
    }
  }

  /// Whether it is a kernel or a matrix with elements.
  fileprivate var isMatrix: Bool {
    numbers != nil && shape.rank >= 2 && shape.elementCount > 0
  }
}

// MARK: Layers

extension DeployForm {
  /// The shapes of all values of the graph for square images; nil if there is no graph.
  ///
  /// - Throws: the rule that is broken, if it does not take them.
  func shapes(imageSize: Int) throws(GraphProblem) -> [ValueShape]? {
    try graph?.shapes(
      ofInput: .map(channels: nil, height: imageSize, width: imageSize), tensors: types)
  }

  /// Multiplications for one image; nil if one is not known.
  func multiplyAdds(_ shapes: [ValueShape]) -> Int? {
    guard let graph else { return nil }
    var sum = 0
    for (index, node) in graph.nodes.enumerated() {
      guard
        let cost = node.multiplyAdds(
          input: shapes[node.inputs[0]], output: shapes[index + 1], weight: weight(of: node))
      else { return nil }
      sum += cost
    }
    return sum
  }

  /// The shape of the kernel or matrix of a node, if it has one.
  private func weight(of node: Graph.Node) -> Shape? {
    node.weightOperands.first.map { entries[$0].shape }
  }

  /// Every kernel and matrix with what there is to say of it.
  ///
  /// - Parameters:
  ///   - plan: of the training form that it is fused from.
  ///   - proof: which weight of a deploy file is of which block.
  ///   - shapes: of the values of the graph.
  func layers(
    fusedFrom plan: FusionPlan?, _ proof: Verification?, shapes: [ValueShape]?, threads: Threads
  ) throws -> [ReportedLayer] {
    let blocks = Dictionary(uniqueKeysWithValues: (plan?.blocks ?? []).map { ($0.path, $0) })
    let proven = Dictionary(
      (proof?.blocks ?? []).map { ($0.weightName, $0.path) }, uniquingKeysWith: { a, _ in a })
    return try concurrentMap(
      of: places, largestFirst: \.size, threads: threads
    ) { place, worker in
      let entry = self.entries[place.entry]
      let node = place.node.map { self.graph!.nodes[$0] }
      let path = entry.block ?? proven[entry.name]
      let trained = path.flatMap { blocks[$0]?.trainedKernels }
      let (weights, before) = try measure(entry, trained, &worker.workspace)
      let output = place.node.flatMap { shapes?[$0 + 1] }
      let bias = node?.kind.operands.firstIndex { $0.name == "bias" }
        .flatMap { node!.operands[$0] }.map { self.entries[$0].shape.elementCount }
      return ReportedLayer(
        name: entry.name, block: path, shape: entry.shape, elementType: entry.elementType,
        node: node, output: output, parameters: entry.shape.elementCount + (bias ?? 0),
        multiplyAdds: output.flatMap { output in
          node?.multiplyAdds(
            input: shapes![node!.inputs[0]], output: output, weight: entry.shape)
        }, weights: weights, trained: before)
    }
  }

  /// Where a kernel or matrix is.
  private struct Place: Sendable {
    /// Its place among the entries.
    var entry: Int
    /// The node that takes it, if there is a graph.
    var node: Int?
    /// How many elements it has.
    var size: Int
  }

  /// Kernels and matrices: of a graph those that nodes take, in their order, each once.
  private var places: [Place] {
    func place(_ entry: Int, _ node: Int?) -> Place? {
      entries[entry].isMatrix
        ? Place(entry: entry, node: node, size: entries[entry].shape.elementCount) : nil
    }
    guard let graph else { return entries.indices.compactMap { place($0, nil) } }
    var seen: Set<Int> = []
    return graph.nodes.enumerated().flatMap { index, node in
      node.weightOperands.filter { seen.insert($0).inserted }.compactMap { place($0, index) }
    }
  }
}

/// Bars of a histogram.
let histogramParts = 48

/// The statistics of a weight and of the kernels it is fused from, counted over the same range.
private func measure(
  _ entry: DeployForm.Entry, _ trained: [Tensor]?, _ workspace: inout Workspace
) throws(ReadError) -> (WeightStatistics, TrainedWeights?) {
  let numbers = entry.numbers!
  let extent = try WeightExtent(of: numbers, shape: entry.shape, workspace: &workspace)
  var before: TrainedWeights?
  for kernel in trained ?? [] {
    let extent = try WeightExtent(of: kernel, shape: kernel.shape, workspace: &workspace)
    let range = union(before?.range, extent.range)
    before = TrainedWeights(
      count: (before?.count ?? 0) + extent.count, smallest: range?.lowerBound,
      largest: range?.upperBound)
  }
  let range = union(extent.range, before?.range)
  let weights = try WeightStatistics(
    of: numbers, shape: entry.shape, extent, range: range, parts: histogramParts,
    workspace: &workspace)
  if let range, before != nil {
    var histogram = Histogram(over: range, parts: histogramParts)
    for kernel in trained ?? [] {
      try histogram.add(kernel, count: kernel.shape.elementCount, workspace: &workspace)
    }
    before!.histogram = histogram
  }
  return (weights, before)
}

extension TrainedWeights {
  fileprivate var range: ClosedRange<Double>? {
    guard let smallest, let largest else { return nil }
    return smallest...largest
  }
}

private func union(
  _ a: ClosedRange<Double>?, _ b: ClosedRange<Double>?
) -> ClosedRange<Double>? {
  guard let a, let b else { return a ?? b }
  return min(a.lowerBound, b.lowerBound)...max(a.upperBound, b.upperBound)
}

extension Graph.Node {
  /// Multiplications for one image: of convolutions, linear layers and attention, which are nearly all; 0 of
  /// other kinds. Nil where sizes are not known.
  ///
  /// - Parameter weight: the shape of its kernel or matrix.
  func multiplyAdds(input: ValueShape, output: ValueShape, weight: Shape?) -> Int? {
    switch kind {
    case .convolution, .linear:
      guard let positions = output.positions, let weight else { return nil }
      return weight.elementCount * positions
    case .attention:
      // Queries times keys, and what they give times values.
      guard let positions = output.positions, let channels = output.channels else { return nil }
      return 2 * positions * positions * channels
    default: return 0
    }
  }
}

extension ValueShape {
  /// Height times width; 1 of a vector.
  fileprivate var positions: Int? {
    switch self {
    case .map(_, let height?, let width?): height * width
    case .map: nil
    case .vector: 1
    }
  }
}
