internal import Checkpoints
public import Naming
public import Tensors

/// What fusing a network will do with each of its tensors, decided before any weight is read.
///
/// Every tensor of the input is either in a step or in `dropped`; what cannot be decided is an error.
public struct FusionPlan: Sendable {
  public enum Step: Sendable {
    case fuse(RepVGGBlock)
    case pass(Parameter)
  }

  public let network: Network
  /// In execution order if the structure is known, else in the file's.
  public let steps: [Step]
  /// Names that do not become part of the deploy form, and why.
  public let dropped: [(name: String, reason: String)]
  /// The whole network, or why it is not known.
  public let structure: Result<RepVGGStructure, RepVGGStructure.Deviation>
  /// Blocks that have a deploy kernel beside their branches: compared, never trusted.
  public let doubled: [Block]
  /// What should be said.
  public let notes: [String]

  /// The BatchNorm epsilons used, each once, ascending.
  public var epsilons: [Double] {
    Set(blocks.flatMap(\.epsilons)).sorted()
  }

  public var blocks: [RepVGGBlock] {
    steps.compactMap { if case .fuse(let block) = $0 { block } else { nil } }
  }

  /// - Parameters:
  ///   - architecture: what the network must be, down to every shape.
  ///   - epsilon: BatchNorm's, for files that do not say it; by default the dialect's.
  /// - Throws: `FusionError`, `NamingError`, `ReadError`.
  public init(
    _ network: Network, architecture: Architecture? = nil, epsilon: Double? = nil
  ) throws {
    guard network.stage != .deploy else {
      throw FusionError.alreadyFused(path: network.path, blocks: network.blocks.count)
    }
    try network.requireKnownBlocks()
    if let architecture { try FusionPlan.require(architecture, of: network) }
    self.network = network
    let structure = Result { () throws(RepVGGStructure.Deviation) in
      try RepVGGStructure(of: network)
    }
    self.structure = structure

    var notes: [String] = []
    var blocks: [String: RepVGGBlock] = [:]
    for block in network.blocks where block.hasBranches {
      blocks[block.path] = try RepVGGBlock(
        block, of: network, epsilon: epsilon ?? network.dialect.epsilon)
    }
    let used = Set(blocks.values.flatMap(\.epsilons))
    if let epsilon, used != [epsilon] {
      notes.append("--bn-eps \(epsilon) is not used where the file's own modules say otherwise")
    }
    if network.stateDict.modules.values.contains(where: { $0.epsilon != nil }) {
      notes.append("epsilon, stride and padding are those of the modules in the file")
    }
    doubled = network.blocks.filter { $0.hasBranches && $0.hasFused }
    let alone = network.blocks.count { !$0.hasBranches }
    if alone > 0 {
      notes.append(
        "\(alone) block\(alone == 1 ? " is" : "s are") in deploy form already and passed through")
    }
    if case .failure(let deviation) = structure, architecture == nil {
      notes.append("not a whole RepVGG (\(deviation.reason)): no graph is stored")
    }

    var steps: [Step] = []
    var dropped: [(String, String)] = []
    var done: Set<String> = []
    for name in network.counters { dropped.append((name, "a counter of the wrapper")) }
    for parameter in network.parameters {
      switch parameter.role {
      case .block(let path, let role):
        guard let block = blocks[path] else {
          steps.append(.pass(parameter))
          continue
        }
        switch role {
        case .squeeze, .excite:
          steps.append(.pass(parameter))
        case .fused:
          dropped.append((parameter.originalName, "a deploy kernel beside live branches"))
        case .batchNorm(_, .batchesTracked):
          dropped.append((parameter.originalName, "BatchNorm's step counter"))
          fallthrough
        default:
          if done.insert(path).inserted { steps.append(.fuse(block)) }
        }
      case .auxiliary:
        dropped.append((parameter.originalName, "an auxiliary head, for training only"))
      case .classifier, .other:
        steps.append(.pass(parameter))
      }
    }
    for (name, what) in network.stateDict.ignored { dropped.append((name, what)) }
    self.dropped = dropped
    self.notes = notes
    self.steps = (try? structure.get()).map { FusionPlan.inExecutionOrder(steps, $0) } ?? steps
  }

  private static func inExecutionOrder(_ steps: [Step], _ structure: RepVGGStructure) -> [Step] {
    var byRole: [Role: Step] = [:]
    for step in steps {
      switch step {
      case .fuse(let block): byRole[.block(path: block.path, .fused(.weight))] = step
      case .pass(let parameter): byRole[parameter.role] = step
      }
    }
    let ordered = structure.deployParameters.compactMap { byRole[$0.role] }
    precondition(ordered.count == steps.count, "a structure accounts for all parameters")
    return ordered
  }

  /// Throws unless every parameter of the training form is there with its shape, and no other.
  private static func require(
    _ architecture: Architecture, of network: Network
  ) throws(FusionError) {
    let classes = network[.classifier(.weight)]?.tensor.shape.dimensions.first ?? 1000
    let expected = architecture.structure(classes: classes)
    var differences: [String] = []
    var roles: Set<Role> = []
    var shapes: [Role: Shape] = [:]
    for parameter in network.parameters { shapes[parameter.role] = parameter.tensor.shape }
    let names = network.parameters.map { network.dialect.label(of: $0.role) }
    // Blocks already in deploy form are held to the deploy form's shapes.
    let deployed = Set(network.blocks.filter { !$0.hasBranches }.map(\.path))
    func isDeployed(_ role: Role) -> Bool {
      if case .block(let path, _) = role { deployed.contains(path) } else { false }
    }
    let wanted =
      expected.trainParameters.filter { !isDeployed($0.role) }
      + expected.deployParameters.filter { isDeployed($0.role) }
    for (role, shape) in wanted {
      roles.insert(role)
      let name = network.dialect.label(of: role)
      if let found = shapes[role] {
        if found != shape { differences.append("'\(name)' is \(found), not \(shape)") }
      } else {
        let nearest = differences.count < 6 ? nearestNames(to: name, in: names, limit: 1) : []
        differences.append(
          "'\(name)' is missing" + (nearest.first.map { " (nearest: '\($0)')" } ?? ""))
      }
    }
    for parameter in network.parameters where !roles.contains(parameter.role) {
      switch parameter.role {
      case .block(_, .batchNorm(_, .batchesTracked)), .block(_, .fused),
        .block(_, .convolutionBias):
        // Allowed beside the branches of a block that is expected.
        if case .block(let path, _) = parameter.role,
          expected.layers.contains(where: { $0.path == path })
        {
          continue
        }
      case .auxiliary where architecture.isPlus: continue
      default: break
      }
      differences.append("'\(parameter.originalName)' is unexpected")
    }
    guard !differences.isEmpty else { return }
    let actual: String
    do throws(RepVGGStructure.Deviation) {
      actual = "By its shapes it is a \(try RepVGGStructure(of: network).description)."
    } catch {
      actual = "By its shapes it is no whole RepVGG: \(error.reason)."
    }
    throw .wrongArchitecture(
      path: network.path, asked: architecture.name, differences: differences, actual: actual)
  }

  /// The deploy form's tensors, called and, if `isShaped`, shaped as `dialect` does. Weights of fused
  /// and passed-through floating point tensors become float32; all other types stay as they are.
  ///
  /// - Throws: `NamingError` if the dialect cannot express one.
  public func outputTensors(
    names dialect: Dialect, isShaped: Bool = true
  ) throws(NamingError) -> [OutputTensor] {
    let structure = try? structure.get()
    var result: [OutputTensor] = []
    func append(_ tensor: OutputTensor, _ role: Role) throws(NamingError) {
      let groups = network.groups(of: role, in: structure)
      let output = try dialect.output(tensor, as: role, groups: groups, isShaped: isShaped)
      if let output { result.append(output) }
    }
    for step in steps {
      switch step {
      case .fuse(let block):
        try append(
          OutputTensor(
            name: "", elementType: .float32, shape: block.kernel.shape,
            contents: FusedWeights(block.kernel)), .block(path: block.path, .fused(.weight)))
        try append(
          OutputTensor(
            name: "", elementType: .float32, shape: [block.kernel.shape[0]],
            contents: FusedBias(block.kernel)), .block(path: block.path, .fused(.bias)))
      case .pass(let parameter):
        let tensor = parameter.tensor
        try append(
          tensor.elementType.isWeightType && tensor.elementType != .float32
            ? OutputTensor(
              name: "", elementType: .float32, shape: tensor.shape,
              contents: Float32Contents(tensor))
            : OutputTensor(name: "", tensor), parameter.role)
      }
    }
    return result
  }
}
