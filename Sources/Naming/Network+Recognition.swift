internal import Blocks
public import Checkpoints
internal import Tensors

extension Network {
  /// Chooses the state dict of `checkpoint` that has the most parameters of known roles, and gives
  /// each its role.
  ///
  /// - Parameters:
  ///   - key: the path of the state dict to use, or its last part, instead.
  ///   - renames: rules that names go through first, each by the first that matches.
  ///   - other: a network whose other form this may be. Where names alone do not tell a block, those of
  ///     `other` do.
  /// - Throws: `NamingError`: nothing recognised, several equally good, names that collide, tensors
  ///   that cannot be what their names say.
  public init(
    recognising checkpoint: Checkpoint, key: String? = nil, dialects: [Dialect] = Dialect.usual,
    renames: [Correspondence] = [], asFormOf other: Network? = nil
  ) throws(NamingError) {
    if checkpoint.stateDicts.contains(where: { !$0.unreadable.isEmpty }) {
      try Network.requireUnneeded(
        checkpoint, key: key, dialects: dialects, renames: renames, asFormOf: other)
    }
    let path = checkpoint.path
    let candidates = try checkpoint.stateDicts(called: key)
    let renamed = try renames.renaming(candidates, path: path)
    let recognitions = zip(candidates, renamed).compactMap { stateDict, names in
      Recognition(
        of: stateDict, names: names, container: checkpoint.family, dialects: dialects,
        asFormOf: other)
    }
    guard let best = recognitions.map(\.score).max() else {
      let names = candidates.max { $0.tensors.count < $1.tensors.count }?.tensors.map(\.name) ?? []
      let family = ForeignFamily.named(by: names)
      if let family, !family.isNetwork { throw .noNetwork(path: path, what: family.name) }
      throw .noBlocks(path: path, found: Array(names.prefix(4)), resembles: family?.name)
    }
    var leaders = recognitions.filter { $0.score == best }
    let preferred = recognitions.filter { $0.dialect == leaders[0].dialect && $0.isPreferred }
    if let best = preferred.map(\.score).max(), preferred.count < recognitions.count {
      leaders = preferred.filter { $0.score == best }
    }
    guard leaders.count == 1 else {
      throw .ambiguous(path: path, candidates: leaders.map(\.stateDict.label))
    }
    var notes: [String] = []
    let (chosen, others) = (leaders[0].stateDict, candidates.count - 1)
    if !chosen.path.isEmpty || others > 0 {
      notes.append(
        "used \(chosen.label)"
          + (leaders[0].isPreferred && recognitions.count > 1
            ? ", as the project's own code does where it is there" : "")
          + (others > 0
            ? "; \(others) other dict\(others == 1 ? "" : "s") of tensors left alone" : ""))
    }
    try self.init(leaders[0], path: path, notes: notes)
  }

  /// Throws if the network needs a tensor that cannot be read: without it a block may look like a smaller
  /// one. By its name it is needed if it had a role were it there.
  private static func requireUnneeded(
    _ checkpoint: Checkpoint, key: String?, dialects: [Dialect], renames: [Correspondence],
    asFormOf other: Network?
  ) throws(NamingError) {
    var whole = checkpoint
    for (index, stateDict) in checkpoint.stateDicts.enumerated() {
      whole.stateDicts[index].unreadable = []
      for (name, _) in stateDict.unreadable {
        do throws(ReadError) {
          let tensor = try Tensor(float32: [], shape: [0], name: name)
          whole.stateDicts[index].tensors.append(NamedTensor(name, tensor))
        } catch {
          throw .unreadable(error)
        }
      }
    }
    var needed: Set<Name> = []
    do throws(NamingError) {
      let network = try Network(
        recognising: whole, key: key, dialects: dialects, renames: renames, asFormOf: other)
      for parameter in network.parameters {
        if case .other = parameter.role { continue }
        needed.insert(parameter.originalName)
      }
      needed.formUnion(network.unknownInBlocks.flatMap(\.names))
    } catch {
      switch error {
      case .misfit(_, let name, _, _), .noShape(_, let name, _): needed.insert(name)
      default: throw error
      }
    }
    let unreadable = checkpoint.stateDicts.flatMap(\.unreadable)
    if let (_, error) = unreadable.first(where: { needed.contains($0.name) }) {
      throw .unreadable(error)
    }
  }

  private init(
    _ recognition: Recognition, path: String, notes: [String]
  ) throws(NamingError) {
    var notes = notes
    if recognition.renamedCount > 0 {
      notes.append("renamed \(recognition.renamedCount) tensors by rule")
    }
    let prefix = recognition.wrapped.prefix
    if !prefix.isEmpty { notes.append("took '\(printable(prefix))' off every name") }
    if recognition.wrapped.removedCompiled {
      notes.append("took '\(printable(Wrapper.compiled)).' out of names")
    }

    var wrapperCounters: [Name] = []
    var parameters: [Parameter] = []
    var seen: [Role: Name] = [:]
    var unknown: [Name: [Name]] = [:]
    var blocks = Dictionary(
      recognition.blocks.values.map { ($0.path, Block(address: $0)) },
      uniquingKeysWith: { first, _ in first })
    for (index, named) in recognition.stateDict.tensors.enumerated() {
      let role = recognition.roles[index]
      if Wrapper.counters.contains(named.name) {
        wrapperCounters.append(named.name)
        continue
      }
      if let first = seen.updateValue(named.name, forKey: role) {
        throw .collision(path: path, first: first, second: named.name)
      }
      let form = recognition.dialect.form(of: role)
      let tensor = recognition.layouts.canonical(
        recognition.withShape(named.tensor, as: role), as: form)
      if tensor == nil, form == .kernel, recognition.isShapeless,
        let family = role.family, family.deployKernels.usualSize == nil
      {
        throw .noShape(path: path, name: named.name, family: family.name)
      }
      guard let tensor, form == .any || tensor.isWeight else {
        throw .misfit(
          path: path, name: named.name,
          role: tensor == nil
            ? recognition.layouts.expectation(form)
            : "a tensor of float32, float16, bfloat16 or float64",
          found: "\(named.tensor.elementType.rawValue) \(named.tensor.shape)")
      }
      let parameter = Parameter(role: role, originalName: named.name, tensor: tensor)
      parameters.append(parameter)
      switch role {
      case .block(let block, let address): blocks[block.path]!.parameters[address] = parameter
      case .other:
        if let block = recognition.block(around: recognition.wrapped.names[index]) {
          unknown[block, default: []].append(named.name)
        }
      case .classifier: break
      }
    }
    self.path = path
    stateDict = recognition.stateDict
    dialect = recognition.dialect
    self.prefix = prefix
    self.parameters = Network.sortedCanonically(parameters)
    let sorted = blocks.values.sorted { naturallyPrecedes($0.path, $1.path) }
    self.blocks = sorted.filter { !$0.family.isForTrainingOnly }
    trainingBlocks = sorted.filter { $0.family.isForTrainingOnly }
    self.wrapperCounters = wrapperCounters
    unknownInBlocks = unknown.sorted { naturallyPrecedes($0.key, $1.key) }.map {
      (blocks[$0.key]!.address, $0.value)
    }
    self.notes = notes
    indexOfRole = Dictionary(
      self.parameters.enumerated().map { ($1.role, $0) }, uniquingKeysWith: { first, _ in first })
    indexOfBlock = Dictionary(
      self.blocks.enumerated().map { ($1.path, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The order of the family's first project if every parameter has a known role, else as they are.
  private static func sortedCanonically(_ parameters: [Parameter]) -> [Parameter] {
    typealias Place = (layer: Int, address: LayerAddress, part: Int)
    var places: [(group: Int, path: Name, inBlock: Place, parameter: Parameter)] = []
    for parameter in parameters {
      switch parameter.role {
      case .block(let block, let address):
        let layer = block.family.allLayers.firstIndex { $0.name == address.layer.name }!
        let part = Part.allCases.firstIndex(of: address.part)!
        // Of several alike, one stands after the other, each whole.
        let inBlock = (layer, address.layer, part)
        places.append((block.family.isForTrainingOnly ? 2 : 0, block.path, inBlock, parameter))
      case .classifier(let part):
        places.append((1, "", (0, "", part == .weight ? 0 : 1), parameter))
      case .other: return parameters
      }
    }
    places.sort { a, b in
      if a.group != b.group { return a.group < b.group }
      return a.path == b.path ? a.inBlock < b.inBlock : naturallyPrecedes(a.path, b.path)
    }
    return places.map(\.parameter)
  }
}

/// A state dict seen through the dialect that explains most of its names.
private struct Recognition {
  let stateDict: StateDict
  private(set) var dialect: Dialect
  /// The shapes of the file: the dialect's, but for `.rvd`, which has its own whatever the names.
  let layouts: Layouts
  let wrapped: Wrapper.Result
  /// Names that rules changed.
  let renamedCount: Int
  /// Blocks by the paths that the file has.
  private(set) var blocks: [Name: BlockAddress] = [:]
  /// How long these paths are, in bytes.
  private var pathLengths: Set<Int> = []
  /// Of every tensor; none if there is no block.
  private(set) var roles: [Role] = []
  private(set) var score = Score()

  /// Whether its path is one that counts before others.
  var isPreferred: Bool { stateDict.path.contains(where: dialect.preferred.contains) }

  /// How well a dialect explains a file.
  struct Score: Comparable {
    /// Tensors with a role other than `.other`.
    var tensors = 0
    /// Whether a text is there that only files of this dialect have.
    var isMarked = false
    /// Deploy kernels of shapes that its family has: names may be those of several.
    var fittingKernels = 0
    /// Whether the dialect is usual in such containers.
    var isUsual = false

    static func < (a: Score, b: Score) -> Bool { a.order < b.order }
    private var order: (Int, Int, Int, Int) {
      (tensors, isMarked ? 1 : 0, fittingKernels, isUsual ? 1 : 0)
    }
  }

  private var suffixes: SuffixTable
  /// What tells blocks whose names other layers have, too.
  private let evidence: BlockEvidence
  /// Whether the block that takes the image is there: other parts of a whole network are known beside it
  /// only.
  private var hasRoot = false
  /// The file's paths of blocks, by their parents and families; for names beside a block. Empty if there
  /// are several.
  private var pathsByParent: [Parent: Name] = [:]
  /// Elements of biases, by role; only of files without shapes.
  private var biasCounts: [Role: Int] = [:]
  /// Whether the file has no shapes.
  var isShapeless: Bool { !biasCounts.isEmpty }

  /// - Parameter names: of the tensors, after any rules.
  init?(
    of stateDict: StateDict, names: [Name], container: String, dialects: [Dialect],
    asFormOf other: Network?
  ) {
    let renamedCount = zip(names, stateDict.tensors).count { $0 != $1.name }
    let wrapped = Wrapper.Names(names)
    var best: Recognition?
    for dialect in dialects {
      guard
        dialect.markers.isEmpty || dialect == other?.dialect || stateDict.hasClasses(of: dialect)
          || dialect.markers.contains(where: { marker in
            names.contains { $0.prefix(before: marker) != nil }
          })
      else { continue }
      if let best, best.explainsAll, !dialect.mayOutdo(best, container) { continue }
      let attempt = Recognition(
        of: stateDict, names: wrapped, renamedCount, container: container, as: dialect,
        asFormOf: other)
      if attempt.score.tensors > 0, best == nil || best!.score < attempt.score { best = attempt }
    }
    guard let best else { return nil }
    self = best
  }

  private init(
    of stateDict: StateDict, names: Wrapper.Names, _ renamedCount: Int, container: String,
    as table: Dialect, asFormOf other: Network?
  ) {
    var dialect = table
    self.stateDict = stateDict
    layouts = container == "rvd" ? Layouts() : dialect.layouts
    self.renamedCount = renamedCount
    var suffixes = SuffixTable(of: dialect)
    // Of most dialects no name tells of a block, and that is soon seen.
    guard names.whole.contains(where: suffixes.mayMarkBlock) else {
      self.dialect = dialect
      wrapped = Wrapper.Result(names: [], prefix: "", removedCompiled: false)
      self.suffixes = suffixes
      evidence = BlockEvidence(dialect, modules: [:], prefix: "", names: [], nil)
      return
    }
    let roots =
      dialect.root.map { root in dialect.tables.flatMap { $0.paths(ofBlock: root) } } ?? []
    var wrapped = names.bare { name in
      roots.contains { name.hasPrefix($0) }
        && suffixes.split(name)?.block.path == table.root
    }
    if dialect.numbering != nil || dialect.sequence != nil {
      dialect = dialect.numbered(reading: wrapped.names)
      wrapped.names = wrapped.names.map(dialect.inRow)
      suffixes = SuffixTable(of: dialect)
    }
    self.dialect = dialect
    self.wrapped = wrapped
    self.suffixes = suffixes
    // Rules have changed the names of tensors, and not those of modules.
    evidence = BlockEvidence(
      dialect, modules: renamedCount > 0 ? [:] : stateDict.modules, prefix: wrapped.prefix,
      names: wrapped.names, other)
    let needsEvidence = dialect.tables.filter(\.needsEvidence).map(\.family)
    var splits = wrapped.names.map { self.suffixes.split($0) { !needsEvidence.contains($1) } }
    findBlocks(&splits, byEvidence: needsEvidence)
    guard !blocks.isEmpty else { return }
    roles = zip(wrapped.names, splits).map { role(of: $0, $1) }
    score.tensors = roles.count { if case .other = $0 { false } else { true } }
    score.isMarked = !dialect.markers.isEmpty
    score.isUsual = dialect.containers.contains(container)
    for (role, named) in zip(roles, stateDict.tensors) {
      if case .block(let block, .fused(.weight)) = role,
        block.family.deployKernels.fits(
          layouts.canonical(named.tensor, as: .kernel)?.shape ?? named.tensor.shape)
      {
        score.fittingKernels += 1
      }
    }
    if stateDict.tensors.allSatisfy({ $0.tensor.shape.rank == 1 }) {
      for (role, named) in zip(roles, stateDict.tensors) {
        biasCounts[role] = named.tensor.shape.elementCount
      }
    }
  }

  /// Finds where blocks are. Families without branches have blocks only beside those that have some, and
  /// only whole ones; those for training only beside a whole network.
  ///
  /// - Parameter families: those that need more than names, whose splits are missing so far.
  private mutating func findBlocks(
    _ splits: inout [SuffixTable.Split?], byEvidence families: [BlockFamily]
  ) {
    for case let split? in splits
    where split.marksBlock && !split.block.family.standsBesideOthers {
      add(split)
    }
    for family in families where !family.standsBesideOthers { findBlocks(of: family) }
    guard !blocks.isEmpty else { return }
    // What would be of a block that is not there may be of one beside others.
    let found = blocks
    func isFound(_ path: Name, _ family: BlockFamily) -> Bool { found[path]?.family == family }
    for (index, name) in wrapped.names.enumerated() {
      if families.isEmpty {
        guard let split = splits[index], !split.block.family.standsBesideOthers,
          !isFound(split.path, split.block.family)
        else { continue }
      }
      splits[index] =
        suffixes.split(name, where: isFound)
        ?? suffixes.split(name) { $1.standsBesideOthers }
    }
    var present: [Name: Set<ParameterAddress>] = [:]
    let watched = dialect.tables.filter { $0.family.isPlain || $0.layerInPlace != nil }.map(
      \.family)
    for case let split? in splits where watched.contains(split.block.family) {
      present[split.path, default: []].insert(split.address)
    }
    func isWhole(_ split: SuffixTable.Split, _ weight: Tensor) -> Bool {
      let family = split.block.family
      let parts = Set((present[split.path] ?? []).map(\.part))
      let norms = parts.intersection(Part.ofBatchNorm)
      let inPlace = dialect.table(of: family)?.layerInPlace ?? .fused
      return
        (norms.isEmpty
        ? [.fused, inPlace].contains(split.address.layer)
        : norms.isSuperset(of: Part.ofBatchNorm.dropLast()))
        && parts.contains(.weight)
        && (family.hasMatrices ? weight.shape.rank == 2 : weight.shape.rank >= 4)
    }
    hasRoot = blocks.values.contains { $0.path == dialect.root }
    let isAlone: (Name) -> Bool =
      families.isEmpty
      ? { _ in true }
      : BlockEvidence.alone(wrapped.names, splits.map { $0?.path }, separator: dialect.separator)
    for (index, split) in splits.enumerated() {
      guard let split, split.block.family.standsBesideOthers else { continue }
      if split.block.family.isForTrainingOnly {
        if hasRoot, split.marksBlock { add(split) }
      } else if blocks[split.path] == nil, split.address.part == .weight,
        block(around: split.path) == nil
      {
        let weight = stateDict.tensors[index].tensor
        let table = dialect.table(of: split.block.family)!
        if table.needsEvidence {
          switch evidence.verdict(on: split.block, at: split.path, table) {
          case .isBlock where weight.shape.rank >= 4: break
          case .unknown where isWhole(split, weight) && (!table.isShared || isAlone(split.path)):
            break
          default: continue
          }
        } else if !isWhole(split, weight) {
          continue
        }
        add(split)
      }
    }
    let isTrained = splits.contains { split in
      guard let split, blocks[split.path]?.family == split.block.family else { return false }
      return Part.ofBatchNorm.contains(split.address.part)
    }
    let isFolded =
      !isTrained
      && blocks.values.contains { !$0.family.layers.contains { $0.weightForm == .parameter } }
    // A convolution without anything else of its block is the deploy form, under the same name.
    for (index, split) in splits.enumerated() {
      guard var split, let inPlace = dialect.table(of: split.block.family)?.layerInPlace,
        split.address.layer == inPlace, blocks[split.path]?.family == split.block.family,
        (present[split.path] ?? []).allSatisfy({
          $0.layer == inPlace && Part.ofConvolution.contains($0.part)
            || !split.block.family.isOwn($0.layer)
            // Left behind by code that has folded them, in a network without any BatchNorm.
            || $0.part == .value && isFolded
        })
      else { continue }
      split.address.layer = .fused
      splits[index] = split
    }
  }

  /// Finds the blocks of a family that needs more than names.
  private mutating func findBlocks(of family: BlockFamily) {
    let table = dialect.table(of: family)!
    var candidates: [Name: BlockEvidence.Candidate] = [:]
    for (index, name) in wrapped.names.enumerated() {
      for split in suffixes.all(name, of: family) {
        candidates[split.path, default: .init(block: split.block)]
          .tensors[split.address] = stateDict.tensors[index].tensor
      }
    }
    for (path, candidate) in candidates.sorted(by: { $0.key < $1.key })
    where blocks[path] == nil && block(around: path) == nil
      && evidence.tells(candidate, at: path, table, layouts)
    {
      add(candidate.block, at: path)
    }
  }

  private mutating func add(_ split: SuffixTable.Split) { add(split.block, at: split.path) }

  private mutating func add(_ block: BlockAddress, at path: Name) {
    guard blocks[path] == nil else { return }
    blocks[path] = block
    pathLengths.insert(path.utf8.count)
    // Beside several blocks, a name says not which it belongs to.
    let parent = Parent(path: path.module ?? "", family: block.family.name)
    pathsByParent[parent] = pathsByParent[parent] == nil ? path : ""
  }

  /// What blocks of one family stand in.
  private struct Parent: Hashable {
    var path: Name
    var family: String
  }

  /// - Parameter split: of this name.
  private func role(of name: Name, _ split: SuffixTable.Split?) -> Role {
    if let split, let block = blocks[split.path], block.family == split.block.family {
      return .block(block, split.address)
    }
    if let (parent, family, address) = suffixes.splitBeside(name),
      let path = pathsByParent[Parent(path: parent, family: family.name)],
      let block = blocks[path], block.family == family
    {
      return .block(block, address)
    }
    if hasRoot {
      for part in Part.ofConvolution where name == dialect.name(of: .classifier(part)) {
        return .classifier(part)
      }
    }
    return .other(name: dialect.canonicalName(ofOther: name))
  }

  /// A weight without a shape (`.wts` has none) in the shape that its layer's bias implies, if the family
  /// has deploy kernels of one size only.
  func withShape(_ tensor: Tensor, as role: Role) -> Tensor {
    let form = ShapeForm(role)
    guard tensor.shape.rank == 1, [.kernel, .squeezeExcitation, .matrix].contains(form),
      let biasRole = role.biasBeside, let outputs = biasCounts[biasRole], outputs > 0,
      let size = form == .kernel ? role.family?.deployKernels.usualSize : 1
    else { return tensor }
    let (inputs, rest) = tensor.shape.elementCount.quotientAndRemainder(
      dividingBy: outputs * size * size)
    guard inputs > 0, rest == 0 else { return tensor }
    return tensor.reshaped(to: layouts.stored(outputs, inputs, size: size, as: form))
  }

  /// The canonical path of the block with branches that a name lies inside of.
  func block(around name: Name) -> Name? {
    let separator = Array(dialect.separator.utf8)
    let bytes = Array(name.utf8)
    var end = bytes.count - separator.count
    while end > 0 {
      if pathLengths.contains(end), bytes[end...].starts(with: separator),
        let block = blocks[Name(decoding: bytes[..<end])],
        !block.family.standsBesideOthers
      {
        return block.path
      }
      end -= 1
    }
    return nil
  }
}

extension Recognition {
  /// Whether every tensor is of a block in training form, or of the classifier: then no other dialect
  /// explains more.
  fileprivate var explainsAll: Bool {
    func isFused(_ role: Role) -> Bool {
      if case .block(_, let place) = role { place.layer == .fused } else { false }
    }
    return score.tensors == stateDict.tensors.count && !roles.contains(where: isFused)
  }
}

extension Dialect {
  /// Whether it counts before a recognition that explains all.
  fileprivate func mayOutdo(_ best: Recognition, _ container: String) -> Bool {
    !markers.isEmpty || containers.contains(container) && !best.score.isUsual
  }
}

/// The suffixes of a dialect, by the last part of the names that have them.
private struct SuffixTable {
  struct Split {
    /// The path of the block in the file.
    var path: Name
    var block: BlockAddress
    var address: ParameterAddress
    /// Whether the suffix says by itself that here is a block.
    var marksBlock: Bool
  }

  /// How names of one parameter end. Where layers have numbers, each stands after a head.
  private struct Suffix {
    var heads: [Name]
    var tail: Name
    var table: Int
    var address: ParameterAddress
    /// Whether it says by itself that here is a block. `identity.weight` and `se.down.weight` could be
    /// anything.
    var marksBlock: Bool
    var length: Int { heads.reduce(tail.utf8.count) { $0 + $1.utf8.count } }
  }

  private let dialect: Dialect
  private var within: [Name: [Suffix]] = [:]
  private var beside: [Name: [Suffix]] = [:]
  /// Of each table, whether blocks are numbered by their layers' names.
  private let numbersBlocks: [Bool]
  /// Canonical paths by those in the file, as far as they were asked for, for each table: a block has
  /// many parameters.
  private var canonicalPaths: [[Name: Name?]]

  init(of dialect: Dialect) {
    self.dialect = dialect
    canonicalPaths = dialect.tables.map { _ in [:] }
    numbersBlocks = dialect.tables.map(\.numbersBlocks)
    for (index, table) in dialect.tables.enumerated() {
      for layer in table.family.allLayers {
        // Where a layer becomes the deploy convolution in its own place, names are the layer's.
        if layer.name == LayerAddress.fused.name, table.layerInPlace != nil { continue }
        for part in layer.parts {
          guard let pattern = dialect.pattern(of: layer.name, part, in: table) else { continue }
          add(pattern, ParameterAddress(LayerAddress(layer.name), part), index)
        }
      }
    }
    // `weight` alone may be a suffix too, so longer ones are tried first.
    for key in within.keys {
      within[key]!.sort { ($1.length, $0.table) < ($0.length, $1.table) }
    }
  }

  private mutating func add(_ pattern: String, _ address: ParameterAddress, _ table: Int) {
    if let tail = Name(pattern).dropping(prefix: "../") {
      let suffix = Suffix(
        heads: [], tail: tail, table: table, address: address, marksBlock: false)
      beside[tail.lastPart, default: []].append(suffix)
      return
    }
    let literals = literals(of: pattern).map { Name($0) }
    let suffix = Suffix(
      heads: literals.dropLast(), tail: literals.last!, table: table, address: address,
      marksBlock: SuffixTable.marksBlock(address, of: dialect.tables[table].family))
    within[suffix.tail.lastPart, default: []].append(suffix)
  }

  private static func marksBlock(_ address: ParameterAddress, of family: BlockFamily) -> Bool {
    if address.layer == .fused { return address.part == .weight }
    let layer = family.layers.first { $0.name == address.layer.name }
    return layer.map { $0.tells && address.part != .bias } ?? false
  }

  /// Whether a name ends as one does that tells of a block which needs no other beside it.
  func mayMarkBlock(_ name: Name) -> Bool {
    within[name.lastPart]?.contains {
      $0.marksBlock && !dialect.tables[$0.table].family.standsBesideOthers
        && name.hasSuffix($0.tail)
    } ?? false
  }

  /// What stands before `suffix`, whose tail `name` has, less the separator, and the numbers in between.
  private func path(
    of name: Name, before suffix: Suffix, _ separator: Name
  ) -> (path: Name, numbers: [Int])? {
    var rest = name.utf8.dropLast(suffix.tail.utf8.count)
    var numbers: [Int] = []
    for head in suffix.heads.reversed() {
      let digits = rest.reversed().prefix { $0 >= 0x30 && $0 <= 0x39 }.count
      let number = rest.suffix(digits)
      // Without leading zeros, so that the way back gives the same text.
      guard digits > 0, digits == 1 || number.first != 0x30, let value = Int(Substring(number))
      else { return nil }
      numbers.insert(value, at: 0)
      rest = rest.dropLast(digits)
      guard rest.suffix(head.utf8.count).elementsEqual(head.utf8) else { return nil }
      rest = rest.dropLast(head.utf8.count)
    }
    if rest.isEmpty { return ("", numbers) }
    guard rest.count > separator.utf8.count,
      rest.suffix(separator.utf8.count).elementsEqual(separator.utf8)
    else { return nil }
    return (Name(Substring(rest.dropLast(separator.utf8.count))), numbers)
  }

  /// - Parameter isWanted: whether a family's block at a path in the file may have it.
  mutating func split(
    _ name: Name, where isWanted: (Name, BlockFamily) -> Bool = { _, _ in true }
  ) -> Split? {
    guard let suffixes = within[name.lastPart] else { return nil }
    // By index, so that only what fits is copied.
    for place in suffixes.indices where name.hasSuffix(suffixes[place].tail) {
      if let split = split(name, by: suffixes[place], where: isWanted) { return split }
    }
    return nil
  }

  /// Everything that a name can be in blocks of a family.
  mutating func all(_ name: Name, of family: BlockFamily) -> [Split] {
    guard let suffixes = within[name.lastPart] else { return [] }
    return suffixes.indices.compactMap { place in
      name.hasSuffix(suffixes[place].tail)
        ? split(name, by: suffixes[place]) { $1 == family } : nil
    }
  }

  private mutating func split(
    _ name: Name, by suffix: Suffix, where isWanted: (Name, BlockFamily) -> Bool
  ) -> Split? {
    let family = dialect.tables[suffix.table].family
    guard var (path, numbers) = path(of: name, before: suffix, dialect.separator) else {
      return nil
    }
    if numbersBlocks[suffix.table] {
      path =
        path + (path.isEmpty ? "" : dialect.separator) + Name(numbers.map(String.init).joined())
      numbers = []
    }
    guard isWanted(path, family), let canonical = canonicalPath(of: path, suffix.table) else {
      return nil
    }
    var address = suffix.address
    address.layer.numbers = numbers
    return Split(
      path: path, block: BlockAddress(family, canonical), address: address,
      marksBlock: suffix.marksBlock)
  }

  private mutating func canonicalPath(of path: Name, _ table: Int) -> Name? {
    if let known = canonicalPaths[table][path] { return known }
    let canonical = dialect.canonicalPath(of: path, in: dialect.tables[table])
    canonicalPaths[table][path] = .some(canonical)
    return canonical
  }

  func splitBeside(_ name: Name) -> (parent: Name, BlockFamily, ParameterAddress)? {
    for suffix in beside[name.lastPart] ?? [] where name.hasSuffix(suffix.tail) {
      if let (parent, _) = path(of: name, before: suffix, ".") {
        return (parent, dialect.tables[suffix.table].family, suffix.address)
      }
    }
    return nil
  }
}
