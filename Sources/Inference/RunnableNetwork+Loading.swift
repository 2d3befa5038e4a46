public import Conversion
public import Naming
public import RVD
public import Reparameterization
public import Tensors

extension RunnableNetwork {
  /// Loads the network of any file that can be read: `.rvd` files by their graph, after verifying them;
  /// others by what their names and shapes say.
  ///
  /// - Parameters:
  ///   - epsilon: BatchNorm's, for files that do not say it; by default the dialect's.
  /// - Throws: `ReadError`, `NamingError`, `ConversionError`, `FusionError`, `InferenceError`.
  public static func open(
    path: String, options: ReadingOptions = ReadingOptions(), precision: Precision = .float32,
    epsilon: Double? = nil
  ) throws -> RunnableNetwork {
    let checkpoint = try openCheckpoint(path, family: options.family)
    if checkpoint.family == "rvd" {
      return try RunnableNetwork(
        try RVDFile.open(path: path), path: path, precision: precision)
    }
    let network = try Network(recognising: checkpoint, options)
    return try RunnableNetwork(network, precision: precision, epsilon: epsilon)
  }

  /// The network of an `.rvd` file, as its graph has it.
  ///
  /// - Parameter path: what to call the file in errors.
  /// - Throws: `InferenceError.notANetwork` if the file has no graph; `ReadError`.
  public init(_ file: RVDFile, path: String, precision: Precision = .float32) throws {
    guard let graph = file.graph else {
      throw InferenceError.notANetwork(
        path: path, reason: "the file holds tensors, but no graph that says how they are used")
    }
    var paths: [String: String] = [:]
    let network = try? Network(recognising: file.checkpoint)
    for parameter in network?.parameters ?? [] {
      if case .block(let path, .fused(.weight)) = parameter.role {
        paths[parameter.originalName] = path
      }
    }
    var tensors: [String: Tensor] = [:]
    for named in file.tensors { tensors[named.name] = named.tensor }
    let structure = network.flatMap { try? RepVGGStructure(of: $0) }
    try self.init(
      form: .deploy, precision: precision, input: file.input,
      architecture: file.architecture ?? structure?.description,
      GraphBuilder(graph: graph, blockNames: paths) { name in
        tensors[name].map { .tensor($0) }
      })
  }

  /// A network in deploy form: a list of operations, and the tensors that it names.
  ///
  /// - Throws: `InferenceError.invalidGraph` if a tensor is missing or of a shape that does not fit;
  ///   `ReadError`.
  public init(
    graph: [Operation], tensors: [NamedTensor], input: InputConvention? = nil,
    precision: Precision = .float32
  ) throws {
    var byName: [String: Tensor] = [:]
    for named in tensors { byName[named.name] = named.tensor }
    try self.init(
      form: .deploy, precision: precision, input: input,
      GraphBuilder(graph: graph, blockNames: [:]) { name in byName[name].map { .tensor($0) } })
  }

  /// The network of a checkpoint in training or deploy form, or partly fused: blocks that have branches
  /// are run with them, whatever deploy kernel stands beside.
  ///
  /// - Parameter epsilon: BatchNorm's, for files that do not say it; by default the dialect's.
  /// - Throws: `InferenceError.notANetwork` if it is not a whole RepVGG; `NamingError`, `FusionError`,
  ///   `ReadError`.
  public init(
    _ network: Network, precision: Precision = .float32, epsilon: Double? = nil
  ) throws {
    try network.requireKnownBlocks()
    let structure = try RepVGGStructure(runnable: network)
    var blocks: [String: Block] = [:]
    for block in network.blocks { blocks[block.path] = block }
    var sources: [Role: ParameterSource] = [:]
    for parameter in network.parameters { sources[parameter.role] = .tensor(parameter.tensor) }
    try self.init(
      form: network.blocks.contains(where: \.hasBranches) ? .train : .deploy,
      precision: precision, input: network.dialect.input, architecture: structure.description,
      notes: network.notes,
      StructureBuilder(path: network.path, structure: structure) {
        sources[$0]
      } branches: { layer in
        try blocks[layer.path].flatMap { block in
          block.hasBranches
            ? try TrainingBlock(
              block, layer, of: network, epsilon: epsilon ?? network.dialect.epsilon) : nil
        }
      })
  }

  /// The deploy form that a plan would write, with kernels as they are computed: in float64 not rounded
  /// at all, in float32 rounded once.
  ///
  /// - Throws: `InferenceError.notANetwork` if it is not a whole RepVGG; `ReadError`.
  public init(fusing plan: FusionPlan, precision: Precision = .float32) throws {
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
      form: .deploy, precision: precision, input: plan.network.dialect.input,
      architecture: structure.description,
      StructureBuilder(path: plan.network.path, structure: structure) { sources[$0] })
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

/// Builds a program from a list of operations.
private struct GraphBuilder: ProgramBuilder {
  var graph: [Operation]
  /// The name of the block that begins with a convolution, by its weight.
  var blockNames: [String: String]
  var source: (String) -> ParameterSource?

  func program<Number: NetworkNumber>() throws -> Program<Number> {
    var program = Program<Number>()
    for (index, operation) in graph.enumerated() {
      func parameter(_ name: String) throws(InferenceError) -> ParameterSource {
        guard let source = source(name) else {
          throw .invalidGraph(operation: index, what: "there is no tensor '\(name)'")
        }
        if case .tensor(let tensor) = source, !tensor.elementType.isWeightType {
          throw .invalidGraph(
            operation: index, what: "the tensor '\(name)' is of \(tensor.elementType.rawValue)")
        }
        return source
      }
      switch operation {
      case .convolution(let convolution):
        program.begin(blockNames[convolution.weight] ?? moduleName(of: convolution.weight))
        try program.append(
          convolution, weight: try parameter(convolution.weight),
          bias: try parameter(convolution.bias))
      case .squeezeExcitation(let layers):
        try program.append(
          squeeze: (try parameter(layers.squeezeWeight), try parameter(layers.squeezeBias)),
          excite: (try parameter(layers.exciteWeight), try parameter(layers.exciteBias)))
      case .relu: program.appendReLU()
      case .globalAveragePool: try program.appendPooling()
      case .linear(let weight, let bias):
        try program.append(linear: try parameter(weight), bias: try parameter(bias))
      }
    }
    try program.finish()
    return program
  }

  /// `features.0` of `features.0.weight`.
  private func moduleName(of weight: String) -> String {
    weight.hasSuffix(".weight") ? String(weight.dropLast(".weight".count)) : weight
  }
}

/// Builds a program from the structure of a RepVGG.
private struct StructureBuilder: ProgramBuilder {
  /// The file, for errors.
  var path: String
  var structure: RepVGGStructure
  var source: (Role) -> ParameterSource?
  /// The branches of a block; nil if it is a deploy block.
  var branches: (RepVGGStructure.Layer) throws -> TrainingBlock? = { _ in nil }

  func program<Number: NetworkNumber>() throws -> Program<Number> {
    var program = Program<Number>()
    for layer in structure.layers {
      func parameter(_ role: BlockRole) throws(InferenceError) -> ParameterSource {
        try self.parameter(.block(path: layer.path, role))
      }
      func appendSqueezeExcitation(_ placement: Placement) throws {
        guard structure.squeezeExcitation == placement, layer.squeezed != nil else { return }
        try program.append(
          squeeze: (
            try parameter(.squeeze(placement, .weight)), try parameter(.squeeze(placement, .bias))
          ),
          excite: (
            try parameter(.excite(placement, .weight)), try parameter(.excite(placement, .bias))
          ))
      }
      program.begin(layer.path)
      if let block = try branches(layer) {
        try program.append(block)
      } else {
        let padding = layer.kernelSize / 2
        try program.append(
          Convolution(
            weight: "", bias: "", stride: [layer.stride, layer.stride],
            padding: [padding, padding], groups: layer.groups),
          weight: try parameter(.fused(.weight)), bias: try parameter(.fused(.bias)))
      }
      try appendSqueezeExcitation(.beforeActivation)
      program.appendReLU()
      try appendSqueezeExcitation(.afterActivation)
    }
    try program.appendPooling()
    try program.append(
      linear: try parameter(.classifier(.weight)), bias: try parameter(.classifier(.bias)))
    try program.finish()
    return program
  }

  private func parameter(_ role: Role) throws(InferenceError) -> ParameterSource {
    guard let source = source(role) else {
      let name = Dialect.official.name(of: role) ?? "a parameter"
      throw .notANetwork(path: path, reason: "'\(name)' (as the official code calls it) is missing")
    }
    return source
  }
}

extension TrainingBlock {
  /// - Parameter epsilon: BatchNorm's, where the file does not say it.
  fileprivate init(
    _ block: Block, _ layer: RepVGGStructure.Layer, of network: Network, epsilon: Double
  ) throws {
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
      identity: layer.hasIdentity ? try norm(.identity) : nil, groups: layer.groups,
      stride: layer.stride)
  }
}
