public import Blocks
internal import Checkpoints
public import Graphs
public import Naming
public import Tensors
public import Topologies

/// What fusing a network will do with each of its tensors, decided before any weight is read.
///
/// Every tensor of the input is either in a step or in `dropped`; what cannot be decided is an error.
public struct FusionPlan: Sendable {
  /// What becomes of a block, or of a tensor outside the blocks.
  public enum Step: Sendable {
    /// A block becomes a convolution.
    case fuse(FusedBlock)
    /// A tensor outside the blocks stays as it is.
    case pass(Parameter)
  }

  /// The training form.
  public let network: Network
  /// In execution order if the structure is known, else in the file's.
  public let steps: [Step]
  /// BatchNorm's epsilon, for files that do not say it.
  public let epsilon: Double
  /// Names that do not become part of the deploy form, and why.
  public let dropped: [(name: Name, reason: String)]
  /// The whole network, or why it is not known.
  public let structure: Result<Structure, Deviation>
  /// Blocks that the project's own deploy code leaves as they are, and so does this plan: its tensors are
  /// not those of the structure's graph.
  public let blocksLeft: [Block]
  /// Blocks that have a deploy kernel beside their branches: compared, never trusted.
  public let blocksWithBoth: [Block]
  /// What should be said.
  public let notes: [String]
  /// What is taken for granted of blocks that were fused, by what their families are called.
  public let assumptions: [(family: String, Assumption)]

  /// The BatchNorm epsilons used, each once, ascending.
  public var epsilons: [Double] {
    Set(blocks.flatMap(\.epsilons)).sorted()
  }

  /// What the tensors of the deploy form are used for, if that is known.
  public var graph: Graph? { blocksLeft.isEmpty ? try? structure.get().graph : nil }

  /// Those that are fused, in the order of the steps.
  public var blocks: [FusedBlock] {
    steps.compactMap { if case .fuse(let block) = $0 { block } else { nil } }
  }

  /// - Parameters:
  ///   - architecture: what the network must be, down to every shape.
  ///   - epsilon: BatchNorm's, for files that do not say it; by default the dialect's.
  ///   - keepsBranches: whether branches stay beside the convolution where the project's own deploy form
  ///     has them.
  ///   - isForGraph: whether a network that is known as a whole becomes a graph, so that blocks are folded
  ///     which the project's own deploy code leaves.
  /// - Throws: `FusionError`, `NamingError`, `ReadError`.
  public init(
    _ network: Network, architecture: Architecture? = nil, epsilon: Double? = nil,
    keepingBranches keepsBranches: Bool = false, isForGraph: Bool = false
  ) throws {
    // Before anything is believed of a block: a deploy kernel beside unknown branches can be noise.
    try network.requireKnownBlocks()
    // What the project's own deploy form leaves can still become a graph.
    guard network.form != .deploy || isForGraph && !network.blocksLeftByProject.isEmpty else {
      throw FusionError.alreadyFused(path: network.path, blocks: network.blocks.count)
    }
    if let architecture { try FusionPlan.require(architecture, of: network) }
    let pruning = try Pruning(of: network)
    let network = pruning.network
    self.network = network
    self.epsilon = epsilon ?? network.dialect.epsilon
    let structure = Result { () throws(Deviation) in try Structure(of: network, epsilon: epsilon) }
    self.structure = structure

    if case .success = structure, isForGraph {
      blocksLeft = []
    } else {
      blocksLeft = network.blocksLeftByProject
    }
    let left = Set(blocksLeft.map(\.path))

    var blocks: [Name: FusedBlock] = [:]
    for block in network.blocks where block.hasBranches && !left.contains(block.path) {
      blocks[block.path] = try FusedBlock(
        block, of: network, epsilon: self.epsilon)
    }
    let families = Set(blocks.values.map(\.address.family.name))
    assumptions = BlockFamily.all.filter { families.contains($0.name) }.compactMap { family in
      guard let assumption = family.assumption,
        !network.facts.decide(assumption)
      else { return nil }
      // Where the file tells, nothing is taken for granted.
      let isTold = family.assumedLayer.map { layer in
        network.blocks.filter { $0.family == family && $0.hasBranches }
          .allSatisfy { network.listsModule(layer, of: $0) != nil }
      }
      if isTold == true { return nil }
      return (family.name, assumption)
    }
    // A network that is known as a whole has nothing beside its graph.
    let keeping =
      keepsBranches && (try? structure.get()) == nil
      ? network.dialect.tables.filter(\.keepsBranches).map(\.family) : []
    notes =
      FusionPlan.notes(
        network, blocks, epsilon: epsilon, structure: architecture == nil ? structure : nil)
      + (blocks.values.contains { keeping.contains($0.address.family) }
        ? ["the branches stay beside the convolutions: the project's own code asks for both"] : [])
      + pruning.notes
    blocksWithBoth = network.blocks.filter {
      $0.hasBranches && $0.hasFused && blocks[$0.path] != nil && !$0.family.hasNoiseBesideBranches
    }

    var steps: [Step] = []
    var dropped: [(Name, String)] = []
    var done: Set<Name> = []
    for name in network.wrapperCounters { dropped.append((name, "a counter of the wrapper")) }
    for parameter in network.parameters {
      let name = parameter.originalName
      if case .block(let address, let place) = parameter.role {
        if address.family.isForTrainingOnly {
          dropped.append((name, "an auxiliary head, for training only"))
          continue
        }
        let block = blocks[address.path]
        if block != nil, place.layer == .fused {
          dropped.append((name, "a deploy kernel beside live branches"))
          continue
        }
        if let block, address.family.isOwn(place.layer) {
          if done.insert(address.path).inserted { steps.append(.fuse(block)) }
          if keeping.contains(address.family) {
            steps.append(.pass(parameter))
          } else if place.part == .batchesTracked {
            dropped.append((name, "BatchNorm's step counter"))
          }
          continue
        }
      }
      steps.append(.pass(parameter))
    }
    for (name, what) in network.stateDict.ignored { dropped.append((name, what)) }
    self.dropped = dropped
    self.steps =
      (try? structure.get()).map { FusionPlan.inExecutionOrder(steps, $0, leaving: left) } ?? steps
  }

  private static func notes(
    _ network: Network, _ blocks: [Name: FusedBlock], epsilon: Double?,
    structure: Result<Structure, Deviation>?
  ) -> [String] {
    var notes: [String] = []
    let used = Set(blocks.values.flatMap(\.epsilons))
    if let epsilon, used != [epsilon] {
      notes.append(
        "the epsilon given, \(epsilon), is not used where the file's own modules say otherwise")
    }
    if network.stateDict.modules.values.contains(where: { $0.epsilon != nil }) {
      notes.append("epsilon, stride and padding are those of the modules in the file")
    }
    if let remark = network.dialect.remark { notes.append(remark) }
    for name in network.auxiliaryClasses {
      notes.append(
        "\(name) has parts for training only, which the project takes off by other code; they are kept"
      )
    }
    let isPlaced = network.blocks.contains { block in
      block.hasBranches && !block.hasIdentity
        && block.family.layers.contains {
          $0.isModule && $0.name.hasSuffix("identity")
            && network.listsModule($0.name, of: block) == nil
        } && network.keepsShape(block, groups: network.statedGroups(of: block)) != nil
    }
    if isPlaced {
      notes.append(
        "which blocks have an identity is taken from where they stand, as in networks of \(network.dialect.project): the file does not list its modules"
      )
    }
    let noisy = network.blocks.count {
      $0.hasBranches && $0.hasFused && $0.family.hasNoiseBesideBranches
    }
    if noisy > 0 {
      notes.append(
        "\(noisy) deploy kernel\(noisy == 1 ? "" : "s") beside live branches left out: \(network.dialect.project) keeps them there untrained"
      )
    }
    let alone = network.blocks.count { !$0.hasBranches && !$0.family.standsBesideOthers }
    if alone > 0 {
      notes.append(
        "\(alone) block\(alone == 1 ? " is" : "s are") in deploy form already and passed through")
    }
    if case .failure(let deviation)? = structure, deviation.isForeign {
      notes.append("not known as a whole (\(deviation.reason)), so there is no graph of it")
    }
    return notes
  }

  /// - Parameter left: paths of blocks that are left as they are: all of one stands in the place of its
  ///   convolution.
  private static func inExecutionOrder(
    _ steps: [Step], _ structure: Structure, leaving left: Set<Name>
  ) -> [Step] {
    var byRole: [Role: [Step]] = [:]
    for step in steps {
      switch step {
      case .fuse(let block): byRole[.block(block.address, .fused(.weight))] = [step]
      case .pass(let parameter):
        var role = parameter.role
        if case .block(let block, let place) = role, left.contains(block.path),
          block.family.isOwn(place.layer)
        {
          role = .block(block, .fused(.weight))
        }
        byRole[role, default: []].append(step)
      }
    }
    let ordered = structure.deployParameters.flatMap { byRole[$0.role] ?? [] }
    // Behind them the counters of BatchNorms that deploy form has.
    let roles = Set(structure.deployParameters.map(\.role))
    let counters = steps.filter {
      if case .pass(let parameter) = $0 { parameter.role.isStepCounter(amid: roles) } else { false }
    }
    precondition(
      ordered.count + counters.count == steps.count, "a structure accounts for all parameters")
    return ordered + counters
  }

  /// Throws unless every parameter of the training form is there with its shape, and no other.
  private static func require(
    _ architecture: Architecture, of network: Network
  ) throws(FusionError) {
    let expected = architecture.structure(
      classes: architecture.classes(of: network) ?? Architecture.usualClasses)
    let differences = expected.differences(from: network)
    guard !differences.isEmpty else { return }
    let actual: String
    do throws(Deviation) {
      actual = "By its shapes it is a \(try Structure(of: network).description)."
    } catch {
      actual = "Its shapes do not make a whole \(network.dialect.family.name): \(error.reason)."
    }
    throw .wrongArchitecture(
      path: network.path, asked: architecture.name, differences: differences.map(\.text),
      actual: actual)
  }

  /// The deploy form's tensors, in the order of the steps: a fused block's weight and then its bias.
  public var deployTensors: [DeployTensor] {
    steps.flatMap { step in
      switch step {
      case .fuse(let block):
        [
          DeployTensor(
            role: .block(block.address, .fused(.weight)),
            shape: block.address.family.hasMatrices
              ? Shape(Array(block.kernel.shape.dimensions.prefix(2))) : block.kernel.shape,
            contents: .numbers(FusedWeights(block.kernel))),
          DeployTensor(
            role: .block(block.address, .fused(.bias)), shape: [block.kernel.shape[0]],
            contents: .numbers(FusedBias(block.kernel))),
        ]
      case .pass(let parameter):
        [DeployTensor(parameter.tensor, role: parameter.role)]
      }
    }
  }

  /// The deploy form's tensors, called and, if `isShaped`, shaped as `dialect` does.
  ///
  /// - Parameters:
  ///   - tensors: those of `deployTensors`, changed or not.
  ///   - format: what their numbers are rounded to.
  /// - Throws: `NamingError` if the dialect cannot express one.
  public func outputTensors(
    _ tensors: [DeployTensor]? = nil, names dialect: Dialect, as format: NumberFormat = .float32,
    isShaped: Bool = true
  ) throws(NamingError) -> [OutputTensor] {
    let groups = ConvolutionGroups(of: network, in: try? structure.get())
    var result: [OutputTensor] = []
    for tensor in tensors ?? deployTensors {
      let output = try dialect.output(
        tensor.output(as: format), as: tensor.role, groups: groups.groups(of: tensor.role),
        isShaped: isShaped)
      if let output { result.append(output) }
    }
    return result
  }
}
