public import Checkpoints
public import Conversion
public import Graphs
public import Naming
public import Reparameterization
public import Tensors

extension RunnableNetwork {
  /// Loads the network of any file that can be read: of files that describe their network by its graph,
  /// after verifying them; of others by what their names and shapes say.
  ///
  /// - Parameters:
  ///   - epsilon: BatchNorm's, for files that do not say it; by default the dialect's.
  /// - Throws: `ReadError`, `NamingError`, `ConversionError`, `FusionError`, `InferenceError`.
  public static func open(
    path: String, options: ReadingOptions = ReadingOptions(), arithmetic: Arithmetic = .float32,
    epsilon: Double? = nil
  ) throws -> RunnableNetwork {
    let checkpoint = try openCheckpoint(path, family: options.family)
    if checkpoint.model != nil {
      try checkpoint.verifyWhole?()
      return try RunnableNetwork(checkpoint, arithmetic: arithmetic)
    }
    let network = try Network(recognising: checkpoint, options)
    return try RunnableNetwork(network, arithmetic: arithmetic, epsilon: epsilon)
  }

  /// The network of a file that describes it, as its graph has it. The file is not verified.
  ///
  /// - Throws: `InferenceError.notANetwork` if the file has no graph; `ReadError`.
  public init(_ checkpoint: Checkpoint, arithmetic: Arithmetic = .float32) throws {
    var model = checkpoint.model ?? ModelDescription()
    if model.architecture == nil {
      model.architecture =
        (try? Network(recognising: checkpoint))
        .flatMap { try? RepVGGStructure(of: $0) }?.description
    }
    try self.init(
      model, tensors: checkpoint.stateDicts.first?.tensors.map(\.tensor) ?? [],
      path: checkpoint.path, arithmetic: arithmetic)
  }

  /// The network that a file describes.
  ///
  /// - Parameters:
  ///   - tensors: those that the graph's operands are indices into.
  ///   - path: what to call the file in errors.
  /// - Throws: `InferenceError.notANetwork` if the file has no graph; `ReadError`.
  public init(
    _ model: ModelDescription, tensors: [Tensor], path: String, arithmetic: Arithmetic = .float32
  ) throws {
    guard let graph = model.graph else {
      throw InferenceError.notANetwork(
        path: path, reason: "the file holds tensors, but no graph that says how they are used")
    }
    try self.init(
      form: .deploy, arithmetic: arithmetic, input: model.input, architecture: model.architecture,
      graph, TensorProvider(tensors))
  }

  /// A network in deploy form.
  ///
  /// - Parameter tensors: those that the graph's operands are indices into.
  /// - Throws: `InferenceError.invalidGraph` if they do not fit each other; `ReadError`.
  public init(
    _ graph: Graph, tensors: [Tensor], input: InputConvention? = nil,
    arithmetic: Arithmetic = .float32
  ) throws {
    try self.init(
      form: .deploy, arithmetic: arithmetic, input: input, graph, TensorProvider(tensors))
  }

  /// The network of a checkpoint in training or deploy form, or partly fused: blocks that have branches
  /// are run with them, whatever deploy kernel stands beside.
  ///
  /// - Parameter epsilon: BatchNorm's, for files that do not say it; by default the dialect's.
  /// - Throws: `InferenceError.notANetwork` if it is not a whole RepVGG; `NamingError`, `FusionError`,
  ///   `ReadError`.
  public init(
    _ network: Network, arithmetic: Arithmetic = .float32, epsilon: Double? = nil
  ) throws {
    try network.requireKnownBlocks()
    let structure = try RepVGGStructure(runnable: network)
    var branched: [String: Block] = [:]
    for block in network.blocks where block.hasBranches { branched[block.path] = block }
    var sources: [Role: ParameterSource] = [:]
    for parameter in network.parameters { sources[parameter.role] = .tensor(parameter.tensor) }
    let graph = structure.graph
    // Of the convolutions of a block the fused one is the first.
    var blocks: [Int: Block] = [:]
    for (index, node) in graph.nodes.enumerated() {
      if let path = node.block { blocks[index] = branched.removeValue(forKey: path) }
    }
    try self.init(
      form: blocks.isEmpty ? .deploy : .train,
      arithmetic: arithmetic, input: network.dialect.input, architecture: structure.description,
      notes: network.notes, graph,
      RepVGGProvider(path: network.path, structure, sources) { [blocks] node in
        try blocks[node].map {
          try TrainingBlock($0, of: network, epsilon: epsilon ?? network.dialect.epsilon)
        }
      })
  }

  /// The deploy form that a plan would write, with kernels as they are computed: in float64 not rounded
  /// at all, in float32 rounded once.
  ///
  /// - Throws: `InferenceError.notANetwork` if it is not a whole RepVGG; `ReadError`.
  public init(fusing plan: FusionPlan, arithmetic: Arithmetic = .float32) throws {
    let structure = try RepVGGStructure(runnable: plan.network)
    var sources: [Role: ParameterSource] = [:]
    for step in plan.steps {
      switch step {
      case .fuse(let block):
        sources[.block(path: block.path, .fused(.weight))] = .weights(block.kernel)
        sources[.block(path: block.path, .fused(.bias))] = .bias(block.kernel)
      case .pass(let parameter): sources[parameter.role] = .tensor(parameter.tensor)
      }
    }
    try self.init(
      form: .deploy, arithmetic: arithmetic, input: plan.network.dialect.input,
      architecture: structure.description, structure.graph,
      RepVGGProvider(path: plan.network.path, structure, sources))
  }
}

extension RepVGGStructure {
  /// The structure of `network`, or an error that says why it cannot be run.
  fileprivate init(runnable network: Network) throws(InferenceError) {
    do throws(Deviation) {
      try self.init(of: network)
    } catch {
      throw .notANetwork(path: network.path, reason: error.reason)
    }
  }
}

/// The parameters of a RepVGG, by their roles.
private struct RepVGGProvider: ParameterProvider {
  /// The file, for errors.
  let path: String
  let tensors: [TensorType]
  private let roles: [Role]
  private let sources: [Role: ParameterSource]
  private let block: @Sendable (_ node: Int) throws -> TrainingBlock?

  init(
    path: String, _ structure: RepVGGStructure, _ sources: [Role: ParameterSource],
    block: @escaping @Sendable (_ node: Int) throws -> TrainingBlock? = { _ in nil }
  ) {
    self.path = path
    let parameters = structure.deployParameters
    // Of whatever type the tensors are: naming has seen to it that they are numbers.
    tensors = parameters.map { TensorType(.float32, $0.shape) }
    roles = parameters.map(\.role)
    self.sources = sources
    self.block = block
  }

  func parameter(_ tensor: Int) throws -> ParameterSource {
    guard let source = sources[roles[tensor]] else {
      let name = Dialect.official.name(of: roles[tensor]) ?? "a parameter"
      throw InferenceError.notANetwork(
        path: path, reason: "'\(name)' (as the official code calls it) is missing")
    }
    return source
  }

  func trainingBlock(for node: Int) throws -> TrainingBlock? { try block(node) }
}

extension TrainingBlock {
  /// - Parameter epsilon: BatchNorm's, where the file does not say it.
  fileprivate init(_ block: Block, of network: Network, epsilon: Double) throws {
    // Checks that all is there and of fitting shapes, with errors that say what is not.
    _ = try RepVGGBlock(block, of: network, epsilon: epsilon)
    func vector(_ role: BlockRole) throws -> [Double] { try block[role]!.tensor.doubles() }
    func norm(_ branch: Naming.Branch) throws -> BatchNorm {
      BatchNorm(
        gamma: try vector(.batchNorm(branch, .gamma)), beta: try vector(.batchNorm(branch, .beta)),
        runningMean: try vector(.batchNorm(branch, .runningMean)),
        runningVariance: try vector(.batchNorm(branch, .runningVariance)),
        epsilon: network.module(of: block[.batchNorm(branch, .gamma)]!)?.epsilon ?? epsilon)
    }
    func branch(_ branch: Naming.Branch) throws -> Branch {
      Branch(
        weight: block[.kernel(branch)]!.tensor,
        bias: block[.convolutionBias(branch)] == nil ? nil : try vector(.convolutionBias(branch)),
        norm: try norm(branch))
    }
    self.init(
      dense: try branch(.dense), pointwise: try branch(.pointwise),
      identity: block[.batchNorm(.identity, .gamma)] == nil ? nil : try norm(.identity))
  }
}
