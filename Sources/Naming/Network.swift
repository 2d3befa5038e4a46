public import Checkpoints
public import Tensors

/// A tensor whose role is known.
public struct Parameter: Sendable {
  public var role: Role
  /// Its name in the file, prefixes included.
  public var originalName: String
  /// In the shape its role asks for: BatchNorm and biases `[C]`, kernels OIHW.
  public var tensor: Tensor
}

/// The parameters of one re-parameterizable block.
public struct Block: Sendable {
  public var path: String
  public var parameters: [BlockRole: Parameter] = [:]

  public subscript(role: BlockRole) -> Parameter? { parameters[role] }

  /// Whether any parameter of a train-time branch is there.
  public var hasBranches: Bool {
    parameters.keys.contains { $0.branch != nil }
  }

  /// Whether the deploy kernel or its bias is there.
  public var hasFused: Bool {
    LayerField.allCases.contains { parameters[.fused($0)] != nil }
  }
}

/// A state dict with the role of each of its tensors: the result of naming.
public struct Network: Sendable {
  /// The file, as the user gave it.
  public var path: String
  public var stateDict: StateDict
  public var dialect: Dialect
  /// What every name had in front: `module.`; empty if nothing.
  public var prefix: String
  /// All tensors but counters. In canonical order (blocks by path, then the classifier and auxiliary
  /// heads) if all of them belong to a RepVGG, else in the file's.
  public var parameters: [Parameter]
  /// In natural order of their paths.
  public var blocks: [Block]
  /// Names of wrappers' counters, which are not part of the network.
  public var counters: [String]
  /// Names inside blocks that RepVGG blocks do not have, by block path.
  public var unknownInBlocks: [(block: String, names: [String])]
  /// What was taken off or chosen, in words.
  public var notes: [String]

  /// How far training form has become deploy form.
  public enum Stage: String, Sendable {
    case train, deploy, mixed
  }

  public var stage: Stage {
    let (branches, fused) = (
      blocks.contains(where: \.hasBranches), blocks.contains(where: \.hasFused)
    )
    return branches ? (fused ? .mixed : .train) : .deploy
  }

  public subscript(role: Role) -> Parameter? {
    parameters.first { $0.role == role }
  }

  /// Attributes of the module that owned a parameter, if the file holds whole modules.
  public func module(of parameter: Parameter) -> ModuleAttributes? {
    let name = parameter.originalName
    guard let dot = name.lastIndex(of: ".") else { return stateDict.modules[""] }
    return stateDict.modules[String(name[..<dot])]
  }

  /// Throws if a block has parameters whose meaning is not known.
  public func requireKnownBlocks() throws(NamingError) {
    guard let (block, names) = unknownInBlocks.first else { return }
    let known = BlockRole.all.compactMap(dialect.suffix)
    let path = dialect.path(ofBlock: block) ?? block
    let tail = String(names[0].dropFirst(path.count + dialect.separator.count))
    throw .unknownInBlock(
      path: self.path, block: block, names: names, known: nearestNames(to: tail, in: known))
  }
}
