internal import Blocks
public import Checkpoints
public import Conversion
public import Graphs
public import Naming
public import Reparameterization
public import Tensors
internal import Topologies

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
    let checkpoint = try openCheckpoint(path, family: options.family, limits: options.limits)
    guard var model = checkpoint.model, model.graph != nil else {
      let network = try Network(recognising: checkpoint, options)
      try checkpoint.verifyWhole?()
      return try RunnableNetwork(
        network, describedBy: checkpoint.model, arithmetic: arithmetic, epsilon: epsilon)
    }
    try checkpoint.verifyWhole?()
    if model.architecture == nil {
      let network = try? Network(recognising: checkpoint)
      model.architecture = network.flatMap { try? Structure(of: $0) }?.description
    }
    return try RunnableNetwork(
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
      labels: model.metadata.labels, graph, Parameters(tensors))
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
      form: .deploy, arithmetic: arithmetic, input: input, graph, Parameters(tensors))
  }

  /// The network of a checkpoint in training or deploy form, or partly fused: blocks that have branches
  /// are run with them, whatever deploy kernel stands beside.
  ///
  /// - Parameters:
  ///   - model: what its file says of it; its graph is left alone.
  ///   - epsilon: BatchNorm's, for files that do not say it; by default the dialect's.
  /// - Throws: `InferenceError.notANetwork` if how it is put together is not known; `NamingError`, `FusionError`,
  ///   `ReadError`.
  public init(
    _ network: Network, describedBy model: ModelDescription? = nil,
    arithmetic: Arithmetic = .float32, epsilon: Double? = nil
  ) throws {
    try network.requireKnownBlocks()
    let structure = try Structure(runnable: network, epsilon: epsilon)
    var sources: [Role: Parameters.Source] = [:]
    for parameter in network.parameters { sources[parameter.role] = .tensor(parameter.tensor) }
    for block in network.blocks where block.hasBranches {
      sources[.block(block.address, .fused(.weight))] = .branch(
        try FusedBlock(block, of: network, epsilon: epsilon ?? network.dialect.epsilon).branch)
    }
    try self.init(
      form: network.form == .deploy ? .deploy : .train, network, structure,
      sources, arithmetic, describedBy: model, notes: network.notes)
  }

  /// The deploy form that a plan would write, with kernels as they are computed: in float64 not rounded
  /// at all, in float32 rounded once.
  ///
  /// - Throws: `InferenceError.notANetwork` if how it is put together is not known; `ReadError`.
  public init(fusing plan: FusionPlan, arithmetic: Arithmetic = .float32) throws {
    let structure = try plan.structure.mapError {
      InferenceError.notANetwork(path: plan.network.path, reason: $0.reason)
    }.get()
    var sources: [Role: Parameters.Source] = [:]
    for step in plan.steps {
      switch step {
      case .fuse(let block):
        sources[.block(block.address, .fused(.weight))] = .weights(block.kernel)
        sources[.block(block.address, .fused(.bias))] = .bias(block.kernel)
      case .pass(let parameter): sources[parameter.role] = .tensor(parameter.tensor)
      }
    }
    for block in plan.blocksLeft {
      sources[.block(block.address, .fused(.weight))] = .branch(
        try FusedBlock(block, of: plan.network, epsilon: plan.epsilon).branch)
    }
    try self.init(form: .deploy, plan.network, structure, sources, arithmetic)
  }

  private init(
    form: Form, _ network: Network, _ structure: Structure, _ sources: [Role: Parameters.Source],
    _ arithmetic: Arithmetic, describedBy model: ModelDescription? = nil, notes: [String] = []
  ) throws {
    let parameters = structure.deployParameters
    try self.init(
      form: form, arithmetic: arithmetic, input: model?.input ?? network.dialect.input,
      architecture: structure.description, labels: model?.metadata.labels ?? [], notes: notes,
      structure.graph,
      Parameters(
        // Of whatever type the tensors are: naming has seen to it that they are numbers.
        types: parameters.map { TensorType(.float32, $0.shape) },
        sources: parameters.map { sources[$0.role] ?? .missing($0.role, path: network.path) },
        limits: network.stateDict.tensors.map(\.tensor).limits))
  }
}

extension Structure {
  /// The structure of `network`, or an error that says why it cannot be run.
  fileprivate init(
    runnable network: Network, epsilon: Double? = nil
  ) throws(InferenceError) {
    do throws(Deviation) {
      try self.init(of: network, epsilon: epsilon)
    } catch {
      throw .notANetwork(path: network.path, reason: error.reason)
    }
  }
}
