internal import Blocks
internal import Checkpoints
internal import Tensors

/// What tells the blocks of a file where names do not: the classes of pickled modules, the shapes of
/// kernels, and the blocks of a network whose other form the file may be.
struct BlockEvidence {
  enum Verdict {
    /// As a class says, or the other form.
    case isBlock
    case isNone
    /// Nothing but names and shapes tells.
    case unknown
  }

  /// What a file has that could be of one block.
  struct Candidate {
    var block: BlockAddress
    var tensors: [ParameterAddress: Tensor] = [:]
  }

  /// The classes of modules, without what they are defined in, by the paths that names have.
  private var classes: [Name: String] = [:]
  /// The families of the other form's blocks, by their paths; nil if there is no other form.
  private var expected: [Name: BlockFamily]?

  /// - Parameters:
  ///   - modules: of the file, by their paths there.
  ///   - prefix: what all names had in front.
  ///   - names: of the tensors, without that.
  ///   - other: the other form.
  init(
    _ dialect: Dialect, modules: [Name: ModuleAttributes], prefix: Name, names: [Name],
    _ other: Network?
  ) {
    if dialect.tables.contains(where: { !$0.classes.isEmpty }) {
      for (path, attributes) in modules {
        guard let path = path.dropping(prefix: prefix) else { continue }
        classes[path] = attributes.ownClassName
      }
    }
    if let other, dialect.tables.contains(where: \.isShared) {
      expected = BlockEvidence.families(of: other.blocks, in: names, dialect.separator)
    }
  }

  /// The families of blocks by the paths that they have in another file: below a name that all have in
  /// common, or with one more, as some code puts all of a network below a name.
  private static func families(
    of blocks: [Block], in names: [Name], _ separator: Name
  ) -> [Name: BlockFamily] {
    let known = SortedNames(names)
    let paths = blocks.map { $0.path.parts() }
    guard let first = paths.first else { return [:] }
    var shared = 0
    while shared < first.count - 1,
      paths.allSatisfy({ $0.count > shared + 1 && $0[shared] == first[shared] })
    {
      shared += 1
    }
    let prefixes = known.prefixes(
      before: separator + blocks[0].path + separator, limit: maximumPrefixes)
    // As it is before all others.
    var best: (count: Int, families: [Name: BlockFamily]) = (0, [:])
    for (removed, added) in (0...min(shared, maximumPrefixes)).map({ ($0, Name("")) })
      + prefixes.map({ (0, $0 + separator) })
    {
      let families = Dictionary(
        zip(paths, blocks).map { path, block in
          (added + path[removed...].joined(separator: "."), block.family)
        }, uniquingKeysWith: { first, _ in first })
      let count = families.keys.count { known.count(withPrefix: $0 + separator) > 0 }
      if count > best.count { best = (count, families) }
    }
    return best.families
  }

  /// Names in front of all of a network that are tried: of its own modules, and of those around it.
  private static let maximumPrefixes = 32

  /// What is known of a block beside names and shapes.
  ///
  /// - Parameter path: in the file.
  func verdict(on block: BlockAddress, at path: Name, _ table: BlockTable) -> Verdict {
    if let expected, table.isShared {
      if expected[block.path] == block.family { return .isBlock }
      if block.family.standsBesideOthers { return .isNone }
    }
    // A block that a layer's name numbers is part of the module that its layers are in.
    let module =
      table.numbersBlocks ? path.module ?? "" : path
    if !table.classes.isEmpty, let found = classes[module] {
      return table.classes.contains(found) ? .isBlock : .isNone
    }
    return .unknown
  }

  /// Whether a candidate is a block.
  func tells(
    _ candidate: Candidate, at path: Name, _ table: BlockTable, _ layouts: Layouts
  ) -> Bool {
    switch verdict(on: candidate.block, at: path, table) {
    case .isBlock: true
    case .isNone: false
    case .unknown where table.isShared: candidate.isWhole(of: table, layouts)
    case .unknown: candidate.hasKernel
    }
  }

  /// Tells of a path in the file whether all below it is of one block.
  static func alone(
    _ names: [Name], _ splits: some Sequence<Name?>, separator: Name
  ) -> (Name) -> Bool {
    let known = SortedNames(names)
    var own: [Name: Int] = [:]
    for case let path? in splits { own[path, default: 0] += 1 }
    return { known.count(withPrefix: $0.isEmpty ? $0 : $0 + separator) == own[$0] ?? 0 }
  }
}

extension BlockEvidence.Candidate {
  /// Whether a kernel is there that by its name is of a block.
  fileprivate var hasKernel: Bool { tensors.keys.contains { $0.part == .weight } }

  /// Whether the names and the shapes are those of a block: something of every layer that it cannot be
  /// without, and kernels of the sizes that the family says, of as many channels. What else is missing is
  /// an error, and none to be silent about.
  fileprivate func isWhole(of table: BlockTable, _ layouts: Layouts) -> Bool {
    let family = table.family
    func shape(_ address: ParameterAddress) -> Shape? {
      tensors[address].flatMap { layouts.canonical($0, as: .kernel)?.shape }
    }
    // Where a block can be anywhere, a deploy kernel could be any convolution's.
    if !table.takesAnyPath, let fused = shape(.fused(.weight)) {
      return family.deployKernels.fits(fused)
    }
    // A parameter by itself is of no other layer.
    let parameters = family.layers.filter { $0.weightForm == .parameter && !$0.isOptional }
      .map(\.name)
    if tensors.keys.contains(where: { parameters.contains($0.layer.name) }) { return true }
    var kernels: [Shape] = []
    var sizedChannels: Set<[Int]> = []
    for layer in family.layers {
      let present = tensors.keys.filter { $0.layer.name == layer.name }
      if present.isEmpty && !layer.isOptional { return false }
      for address in present where address.part == .weight && layer.weightForm == .kernel {
        guard let shape = shape(address) else { return false }
        kernels.append(shape)
        guard let size = layer.kernelSize else { continue }
        if shape[2] != size || shape[3] != size { return false }
        sizedChannels.insert([shape[0], shape[1]])
      }
    }
    guard let largest = kernels.max(by: { $0[2] * $0[3] < $1[2] * $1[3] }) else { return false }
    let hasNorm =
      !family.layers.contains(where: \.hasBatchNorm)
      || tensors.keys.contains { Part.ofBatchNorm.contains($0.part) }
    // The deploy kernel is like the largest, if that is not what is missing.
    let size = family.layers.compactMap(\.kernelSize).max() ?? 0
    let fits = largest[2] < size || family.deployKernels.fits(largest)
    return hasNorm && sizedChannels.count <= 1 && fits
  }
}

extension ModuleAttributes {
  /// `RepConv` of `ultralytics.nn.modules.conv.RepConv`; nil if the class is not known.
  var ownClassName: String? {
    guard let last = className.split(separator: ".").last, last != "?" else { return nil }
    return String(last)
  }
}

extension StateDict {
  /// Whether it says of modules that they are of the classes of a dialect's blocks, not counting blocks
  /// that are looked for only beside others.
  func hasClasses(of dialect: Dialect) -> Bool {
    let classes = Set(dialect.tables.filter { !$0.family.standsBesideOthers }.flatMap(\.classes))
    return !classes.isEmpty
      && modules.values.contains { $0.ownClassName.map(classes.contains) ?? false }
  }
}
