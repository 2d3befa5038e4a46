public import Blocks
internal import Checkpoints
public import Naming
public import Tensors

/// A block of the training form and the convolution it amounts to.
public struct FusedBlock: Sendable {
  /// Where it stands, and of which family it is.
  public let address: BlockAddress
  /// What it computes in training.
  public let branch: Branch
  /// The equivalent convolution.
  public let kernel: Kernel
  /// The name in the file of the kernel that the fused one is said to come from.
  public let sourceName: Name

  /// In the numbering of the family's first project.
  public var path: Name { address.path }
  /// Whether an identity is among its branches.
  public var hasIdentity: Bool { branch.hasIdentity }
  /// The BatchNorm epsilons used, in the order of the branches.
  public var epsilons: [Double] { branch.epsilons }

  /// Reads the BatchNorm vectors of `block`, but no kernel.
  ///
  /// - Parameters:
  ///   - network: what the block is part of, for names and module attributes.
  ///   - epsilon: where the file does not say it.
  /// - Throws: `FusionError` for missing, mis-shaped or non-finite parameters; `ReadError`.
  public init(_ block: Block, of network: Network, epsilon: Double) throws {
    let messages = BlockMessages(block: block, network: network)
    do {
      branch = try block.branch(in: network, epsilon: epsilon)
      kernel = try Kernel(branch, groups: network.statedGroups(of: block))
    } catch let problem as BlockProblem {
      throw messages.error(of: problem)
    } catch let problem as KernelProblem {
      throw messages.mismatch(problem.what)
    }
    address = block.address
    sourceName = block.mainKernel!.originalName
    try messages.requireFinite(branch)
    if network.facts.hasNoBatchNorm, !branch.epsilons.isEmpty {
      throw FusionError.hasBatchNorm(path: network.path, block: block.path)
    }
  }
}

extension Block {
  /// What it computes in training.
  ///
  /// - Throws: `BlockProblem`, `ReadError`.
  public func branch(in network: Network, epsilon: Double) throws -> Branch {
    var epsilons: [LayerAddress: Double] = [:]
    for (address, parameter) in parameters where address.part == .gamma {
      epsilons[address.layer] = network.module(of: parameter)?.epsilon ?? epsilon
    }
    return try family.branch(
      of: BlockParameters(
        parameters.mapValues(\.tensor), facts: network.facts,
        epsilon: { [epsilons] in epsilons[$0] ?? epsilon }
      ) { layer in
        network.listsModule(layer, of: self)
          ?? (layer.hasSuffix("identity")
            ? network.keepsShape(self, groups: network.statedGroups(of: self)) : nil)
      })
  }
}

/// Errors that name a block's parameters as the file does.
private struct BlockMessages {
  let block: Block
  let network: Network

  func mismatch(_ what: String) -> FusionError {
    .mismatchedShapes(
      path: network.path, block: block.path, family: block.family.name, what: what)
  }

  private func label(_ address: ParameterAddress) -> Name {
    block[address]?.originalName ?? network.dialect.label(of: .block(block.address, address))
  }

  func error(of problem: BlockProblem) -> FusionError {
    switch problem {
    case .mismatch(let what): mismatch(what)
    case .unknownMap(let area):
      .unknownMap(path: network.path, block: block.path, area: area, ratio: network.facts.mapRatio)
    case .vectorLength(let address, let found, let channels):
      mismatch("'\(label(address))' has \(found) values for \(channels) channels")
    case .missing(let addresses): incomplete(addresses)
    case .notOne(let what):
      .notOneConvolution(
        path: network.path, block: block.path, family: block.family.name, what: what)
    case .undecided(let layer):
      .undecided(
        path: network.path, block: block.path, family: block.family.name, layer: layer,
        variants: BlockFamily.variants.filter {
          $0.base == block.family.name && $0.settled[layer] != nil
        }.map(\.name))
    }
  }

  private func incomplete(_ addresses: [ParameterAddress]) -> FusionError {
    // Layers of which nothing is there.
    let present = Set(block.parameters.keys.map(\.layer))
    let layers = Set(addresses.map(\.layer))
    let absent = layers.isDisjoint(with: present) ? layers.sorted().map(\.description) : []
    let missing = addresses.map(label)
    let names = network.parameters.compactMap { parameter -> Name? in
      if case .other(let name) = parameter.role { name } else { nil }
    }
    var nearest: [Name] = []
    for name in missing.prefix(4) {
      nearest += nearestNames(to: name, in: names, limit: 2).filter { !nearest.contains($0) }
    }
    return .incompleteBlock(
      path: network.path, block: block.path, layers: absent, missing: missing, nearest: nearest)
  }

  /// Throws unless every BatchNorm gives finite numbers.
  func requireFinite(_ branch: Branch, in layer: LayerAddress? = nil) throws(FusionError) {
    switch branch {
    case .layer(let address, let branch): try requireFinite(branch, in: address)
    case .batchNorm(let inner, let norm):
      if let channel = norm.firstInvalidChannel {
        let address = layer.map { ParameterAddress($0, .runningVariance) }
        throw .invalidBatchNorm(
          path: network.path, name: address.map(label) ?? block.path, channel: channel)
      }
      try requireFinite(inner, in: layer)
    default:
      for child in branch.children { try requireFinite(child, in: layer) }
    }
  }
}
