public import Blocks
public import Checkpoints
public import Tensors

/// A tensor whose role is known.
public struct Parameter: Sendable {
  /// What it is for.
  public var role: Role
  /// Its name in the file, prefixes included.
  public var originalName: Name
  /// In the shape its role asks for: BatchNorm and biases `[C]`, kernels OIHW.
  public var tensor: Tensor
}

/// The parameters of one re-parameterizable block.
public struct Block: Sendable {
  /// Where it stands, and of which family it is.
  public var address: BlockAddress
  /// Those of both forms that the file has.
  public var parameters: [ParameterAddress: Parameter] = [:]

  /// A block of which nothing is there yet.
  public init(address: BlockAddress) { self.address = address }

  /// In the numbering of the family's first project.
  public var path: Name { address.path }
  /// Which layers it can have, and what they compute.
  public var family: BlockFamily { address.family }

  /// The parameter at an address; nil if the file does not have it.
  public subscript(address: ParameterAddress) -> Parameter? { parameters[address] }

  /// Whether any parameter of the training form is there; not those that some code leaves behind beside
  /// the deploy kernel, without the layers that they belong to.
  public var hasBranches: Bool {
    let own = parameters.keys.filter { family.isOwn($0.layer) }
    guard hasFused, own.allSatisfy({ $0.part == .value }) else { return !own.isEmpty }
    return !own.isEmpty
      && family.layers.allSatisfy { $0.isOptional || $0.weightForm == .parameter }
  }

  /// Whether the deploy kernel or its bias is there.
  public var hasFused: Bool { parameters.keys.contains { $0.layer == .fused } }

  /// Whether it has the BatchNorm of an identity, which only blocks have that keep their shape.
  public var hasIdentity: Bool {
    family.layers.contains { layer in
      layer.weightForm == nil && !layer.isAfterOthers
        && self[ParameterAddress(LayerAddress(layer.name), .gamma)] != nil
    }
  }

  /// The first kernel of the training form in the order of the family's layers, else the deploy form's.
  public var mainKernel: Parameter? {
    for layer in family.layers where layer.weightForm != nil {
      let part = layer.parts[0]
      if part == .value, !layer.tells { continue }
      if let parameter = self[ParameterAddress(layer.address, part)] { return parameter }
    }
    return self[.fused(.weight)]
  }
}

/// A state dict with the role of each of its tensors: the result of naming.
public struct Network: Sendable {
  /// The file, as the user gave it.
  public var path: String
  /// The one that was chosen, with its names as they are in the file.
  public var stateDict: StateDict
  /// The table that gave the names their roles.
  public var dialect: Dialect
  /// What every name had in front: `module.`; empty if nothing.
  public var prefix: Name
  /// All tensors but wrappers' counters. In canonical order (blocks by path, then the classifier and
  /// what is for training only) if all of them belong to a network of the dialect, else in the file's.
  public var parameters: [Parameter]
  /// In natural order of their paths; those that deployed networks can have.
  public var blocks: [Block]
  /// The others, which are for training only.
  public var trainingBlocks: [Block]
  /// Names of wrappers' counters, which are not part of the network.
  public var wrapperCounters: [Name]
  /// Names inside blocks that blocks of their family do not have, by block path.
  public var unknownInBlocks: [(block: BlockAddress, names: [Name])]
  /// What was taken off or chosen, in words.
  public var notes: [String]
  /// What no tensor shows of its blocks, and somebody said.
  public var facts = BlockFacts()
  let indexOfRole: [Role: Int]
  let indexOfBlock: [Name: Int]

  /// How far the training form has become the deploy form.
  public enum Form: String, Sendable {
    /// Mixed: some blocks have branches, some a deploy kernel, or one both.
    case train, deploy, mixed
  }

  /// Of the re-parameterizable blocks; plain convolutions beside them do not count.
  public var form: Form {
    let counting = blocks.filter { !$0.family.standsBesideOthers }
    let (branches, fused) = (
      counting.contains(where: \.hasBranches),
      counting.contains { $0.hasFused && !($0.hasBranches && $0.family.hasNoiseBesideBranches) }
    )
    return branches ? (fused ? .mixed : .train) : .deploy
  }

  /// Whether every re-parameterizable block has a deploy kernel, with branches beside it or without.
  public var isFused: Bool {
    blocks.contains { !$0.family.standsBesideOthers }
      && blocks.allSatisfy { $0.family.standsBesideOthers || $0.hasFused }
  }

  /// The classes of modules, as the file says, that have parts for training only.
  public var auxiliaryClasses: [String] {
    guard !dialect.auxiliaryClasses.isEmpty else { return [] }
    let classes = Set(stateDict.modules.values.compactMap(\.ownClassName))
    return dialect.auxiliaryClasses.filter(classes.contains)
  }

  /// The families of its blocks, each once, the one it is known by first.
  public var families: [BlockFamily] {
    dialect.tables.map(\.family).filter { family in blocks.contains { $0.family == family } }
  }

  /// The family that is known by the names in `unknownInBlocks`, and not fused: `OREPA`.
  public var resembles: String? {
    ForeignFamily.named(by: unknownInBlocks.flatMap(\.names))?.name
  }

  /// The tensor with a role; nil if the file does not have it.
  public subscript(role: Role) -> Parameter? { indexOfRole[role].map { parameters[$0] } }

  /// The block at a path.
  public func block(at path: Name) -> Block? { indexOfBlock[path].map { blocks[$0] } }

  /// Blocks with branches that the project's own deploy form has, too.
  public var blocksLeftByProject: [Block] {
    blocks.filter { $0.hasBranches && folding(of: $0) == .graph }
  }

  /// Whether blocks are folded that the project's own deploy code leaves.
  public var foldsMoreThanProject: Bool {
    blocks.contains { !$0.hasBranches && folding(of: $0) == .graph }
  }

  private func folding(of block: Block) -> BlockTable.Folding? {
    dialect.table(of: block.family)?.folding
  }

  /// The block that takes the image, if there is one.
  public var rootBlock: Block? { dialect.root.flatMap { block(at: $0) } }

  /// Attributes of the module that owned a parameter, if the file holds whole modules.
  public func module(of parameter: Parameter) -> ModuleAttributes? {
    stateDict.modules[parameter.originalName.module ?? ""]
  }

  /// Whether a block has a layer without parameters, by the modules that the file lists; nil if it lists
  /// none, or not those that the block's parameters belong to, so that the list is of other tensors.
  public func listsModule(_ layer: String, of block: Block) -> Bool? {
    guard stateDict.modulePaths != nil || !stateDict.modules.isEmpty,
      let table = dialect.table(of: block.family),
      let name = table.moduleName(of: layer).map({ Name($0) }),
      let path = pathInFile(of: block, table),
      block.parameters.values.allSatisfy({ parameter in
        parameter.originalName.module.map { stateDict.hasModule(at: $0) == true } ?? true
      })
    else { return nil }
    guard let beside = name.dropping(prefix: "../") else {
      return stateDict.hasModule(at: path.isEmpty ? name : path + dialect.separator + name)
    }
    return stateDict.hasModule(at: path.module.map { "\($0).\(beside)" } ?? beside)
  }

  /// A block's path in the file, prefixes included; nil if names were changed before they were recognised.
  private func pathInFile(of block: Block, _ table: BlockTable) -> Name? {
    guard let kernel = block.mainKernel, case .block(_, let address) = kernel.role,
      let suffix = dialect.suffix(of: address, in: table)
    else { return nil }
    if kernel.originalName == suffix { return "" }
    return kernel.originalName.dropping(suffix: dialect.separator + suffix)
  }

  /// Whether a block of the project's own networks adds its input, by where it stands: it keeps the
  /// resolution, and as many channels come out as go in. Nil if that cannot be told.
  ///
  /// - Parameter groups: of its convolution, if a module says so.
  public func keepsShape(_ block: Block, groups: Int?) -> Bool? {
    guard let table = dialect.table(of: block.family),
      let keepsResolution = table.keepsResolution(block.path)
    else { return nil }
    guard keepsResolution else { return false }
    guard let kernel = block.mainKernel?.tensor.shape, kernel.rank == 4 else { return nil }
    if let groups = groups ?? table.groups { return kernel[0] == kernel[1] * groups }
    // Of networks that are one block after the other, the one before tells what comes in.
    guard rootBlock != nil, let index = indexOfBlock[block.path], index > 0,
      table.keepsResolution(blocks[index - 1].path) != nil,
      let before = blocks[index - 1].mainKernel?.tensor.shape
    else { return nil }
    return kernel[0] == before[0]
  }

  /// Whether a block adds its input to what it computes, as far as names, modules and its place tell.
  public func hasIdentity(_ block: Block) -> Bool {
    // Or factors of one.
    if block.hasIdentity
      || block.parameters.keys.contains(where: { $0.layer.name == "identity factors" })
    {
      return true
    }
    guard block.hasBranches,
      let layer = block.family.layers.first(where: { $0.isModule && $0.name.hasSuffix("identity") })
    else { return false }
    return listsModule(layer.name, of: block) ?? keepsShape(block, groups: nil) ?? false
  }

  /// Throws if a block has parameters whose meaning is not known: it is of another family than it seems,
  /// and neither its branches nor its deploy kernel can be believed.
  public func requireKnownBlocks() throws(NamingError) {
    guard let (block, names) = unknownInBlocks.first else { return }
    let table = dialect.table(of: block.family)!
    let known = block.family.allLayers.flatMap { layer in
      layer.parts.compactMap { part in
        dialect.suffix(of: ParameterAddress(layer.address, part), in: table)
      }
    }
    let path = dialect.path(ofBlock: block.path, in: table) ?? block.path
    let tail = Name(
      Substring(names[0].utf8.dropFirst((prefix + path + dialect.separator).utf8.count)))
    throw .unknownInBlock(
      path: self.path, block: block.path, family: block.family.name, names: names,
      known: nearestNames(to: tail, in: known), resembles: resembles)
  }
}
