public import Blocks
internal import Checkpoints
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
  /// Names that do not become part of the deploy form, and why.
  public let dropped: [(name: String, reason: String)]
  /// The whole network, or why it is not known.
  public let structure: Result<Structure, Deviation>
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

  /// Those that are fused, in the order of the steps.
  public var blocks: [FusedBlock] {
    steps.compactMap { if case .fuse(let block) = $0 { block } else { nil } }
  }

  /// - Parameters:
  ///   - architecture: what the network must be, down to every shape.
  ///   - epsilon: BatchNorm's, for files that do not say it; by default the dialect's.
  /// - Throws: `FusionError`, `NamingError`, `ReadError`.
  public init(
    _ network: Network, architecture: Architecture? = nil, epsilon: Double? = nil
  ) throws {
    // Before anything is believed of a block: a deploy kernel beside unknown branches can be noise.
    try network.requireKnownBlocks()
    guard network.form != .deploy else {
      throw FusionError.alreadyFused(path: network.path, blocks: network.blocks.count)
    }
    if let architecture { try FusionPlan.require(architecture, of: network) }
    let pruning = try Pruning(of: network)
    let network = pruning.network
    self.network = network
    let structure = Result { () throws(Deviation) in try Structure(of: network) }
    self.structure = structure

    var blocks: [String: FusedBlock] = [:]
    for block in network.blocks where block.hasBranches {
      blocks[block.path] = try FusedBlock(
        block, of: network, epsilon: epsilon ?? network.dialect.epsilon)
    }
    let families = Set(blocks.values.map(\.address.family.name))
    assumptions = BlockFamily.all.filter { families.contains($0.name) }.compactMap { family in
      guard let assumption = family.assumption,
        !network.facts.decide(assumption)
      else { return nil }
      return (family.name, assumption)
    }
    notes =
      FusionPlan.notes(
        network, blocks, epsilon: epsilon, structure: architecture == nil ? structure : nil)
      + pruning.notes
    blocksWithBoth = network.blocks.filter { $0.hasBranches && $0.hasFused }

    var steps: [Step] = []
    var dropped: [(String, String)] = []
    var done: Set<String> = []
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
          if place.part == .batchesTracked { dropped.append((name, "BatchNorm's step counter")) }
          if done.insert(address.path).inserted { steps.append(.fuse(block)) }
          if address.family.keepsBranches { steps.append(.pass(parameter)) }
          continue
        }
      }
      steps.append(.pass(parameter))
    }
    for (name, what) in network.stateDict.ignored { dropped.append((name, what)) }
    self.dropped = dropped
    self.steps = (try? structure.get()).map { FusionPlan.inExecutionOrder(steps, $0) } ?? steps
  }

  private static func notes(
    _ network: Network, _ blocks: [String: FusedBlock], epsilon: Double?,
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
    let alone = network.blocks.count { !$0.hasBranches && !$0.family.standsBesideOthers }
    if alone > 0 {
      notes.append(
        "\(alone) block\(alone == 1 ? " is" : "s are") in deploy form already and passed through")
    }
    if case .failure(let deviation)? = structure {
      notes.append("not known as a whole (\(deviation.reason)), so there is no graph of it")
    }
    return notes
  }

  private static func inExecutionOrder(_ steps: [Step], _ structure: Structure) -> [Step] {
    var byRole: [Role: Step] = [:]
    for step in steps {
      switch step {
      case .fuse(let block): byRole[.block(block.address, .fused(.weight))] = step
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
    let names = network.parameters.map { network.dialect.label(of: $0.role) }
    // Blocks already in deploy form are held to the deploy form's shapes.
    let deployed = Set(network.blocks.filter { !$0.hasBranches }.map(\.path))
    func isDeployed(_ role: Role) -> Bool {
      if case .block(let block, _) = role { deployed.contains(block.path) } else { false }
    }
    let wanted =
      expected.trainParameters.filter { !isDeployed($0.role) }
      + expected.deployParameters.filter { isDeployed($0.role) }
    for (role, shape) in wanted.map({ ($0.role, $0.shape) }) {
      let name = network.dialect.label(of: role)
      if let found = network[role]?.tensor.shape {
        if found != shape { differences.append("'\(name)' is \(found), not \(shape)") }
      } else {
        let nearest = differences.count < 6 ? nearestNames(to: name, in: names, limit: 1) : []
        differences.append(
          "'\(name)' is missing" + (nearest.first.map { " (nearest: '\($0)')" } ?? ""))
      }
    }
    let roles = Set(wanted.map(\.role))
    for parameter in network.parameters where !roles.contains(parameter.role) {
      if case .block(let block, let place) = parameter.role {
        if block.family.isForTrainingOnly, expected.hasAuxiliaryHeads { continue }
        // Allowed beside the branches of a block that is expected.
        let isExtra =
          place.part == .batchesTracked || place.layer == .fused || place.part == .bias
        let squeezes = !block.family.isOwn(place.layer) && place.layer != .fused
        if isExtra, !squeezes, expected.blocks.contains(where: { $0.address == block }) { continue }
      }
      differences.append("'\(parameter.originalName)' is unexpected")
    }
    guard !differences.isEmpty else { return }
    let actual: String
    do throws(Deviation) {
      actual = "By its shapes it is a \(try Structure(of: network).description)."
    } catch {
      actual = "By its shapes it is no whole \(network.dialect.family.name): \(error.reason)."
    }
    throw .wrongArchitecture(
      path: network.path, asked: architecture.name, differences: differences, actual: actual)
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
