public import Checkpoints
internal import Tensors

extension Network {
  /// Chooses the state dict of `checkpoint` that has the most parameters of known roles, and gives
  /// each its role.
  ///
  /// - Parameters:
  ///   - key: the path of the state dict to use, or its last part, instead.
  ///   - renames: rules that names go through first, each by the first that matches.
  /// - Throws: `NamingError`: nothing recognised, several equally good, names that collide, tensors
  ///   that cannot be what their names say.
  public init(
    recognising checkpoint: Checkpoint, key: String? = nil, dialects: [Dialect] = Dialect.all,
    renames: [Correspondence] = []
  ) throws(NamingError) {
    let path = checkpoint.path
    let describe: (StateDict) -> String = { "\($0.pathDescription) (\($0.tensors.count) tensors)" }
    var candidates = checkpoint.stateDicts
    if let key {
      candidates = candidates.filter { $0.path.joined(separator: ".") == key }
      if candidates.isEmpty { candidates = checkpoint.stateDicts.filter { $0.path.last == key } }
      guard !candidates.isEmpty else {
        throw .noSuchKey(path: path, key: key, candidates: checkpoint.stateDicts.map(describe))
      }
    }
    let renamed = try RenamingRules(renames).apply(to: candidates, path: path)
    let recognitions = zip(candidates, renamed).compactMap { stateDict, names in
      Recognition(of: stateDict, names: names, family: checkpoint.family, dialects: dialects)
    }
    guard let best = recognitions.map(\.score).max() else {
      let names = candidates.max { $0.tensors.count < $1.tensors.count }?.tensors.prefix(4).map(
        \.name)
      throw .noBlocks(path: path, found: names ?? [])
    }
    let leaders = recognitions.filter { $0.score == best }
    guard leaders.count == 1 else {
      throw .ambiguous(path: path, candidates: leaders.map { describe($0.stateDict) })
    }
    try self.init(leaders[0], path: path)
    let others = candidates.count - 1
    if !stateDict.path.isEmpty || others > 0 {
      notes.insert(
        "used \(describe(stateDict))"
          + (others > 0
            ? "; \(others) other dict\(others == 1 ? "" : "s") of tensors left alone" : ""),
        at: 0)
    }
  }

  private init(_ recognition: Recognition, path: String) throws(NamingError) {
    self.path = path
    stateDict = recognition.stateDict
    dialect = recognition.dialect
    prefix = recognition.wrapped.prefix
    counters = []
    unknownInBlocks = []
    notes = []
    parameters = []
    if recognition.renamedCount > 0 {
      notes.append("renamed \(recognition.renamedCount) tensors by rule")
    }
    if !prefix.isEmpty { notes.append("took '\(prefix)' off every name") }
    if recognition.wrapped.removedCompiled {
      notes.append("took '\(Wrapper.compiled).' out of names")
    }

    var seen: [Role: String] = [:]
    var blocksByPath: [String: Block] = [:]
    for path in recognition.blockPaths.values { blocksByPath[path] = Block(path: path) }
    for (named, role) in zip(stateDict.tensors, recognition.roles) {
      if Wrapper.counters.contains(named.name) {
        counters.append(named.name)
        continue
      }
      if let first = seen.updateValue(named.name, forKey: role) {
        throw .collision(path: path, first: first, second: named.name)
      }
      let form = Form(role)
      let tensor = recognition.layouts.inside(
        recognition.withShape(named.tensor, as: role), as: form)
      guard let tensor, form == .any || tensor.elementType.isWeightType else {
        throw .misfit(
          path: path, name: named.name,
          role: tensor == nil
            ? recognition.layouts.expectation(form)
            : "a tensor of float32, float16, bfloat16 or float64",
          found: "\(named.tensor.elementType.rawValue) \(named.tensor.shape)")
      }
      let parameter = Parameter(role: role, originalName: named.name, tensor: tensor)
      parameters.append(parameter)
      if case .block(let path, let blockRole) = role {
        blocksByPath[path]!.parameters[blockRole] = parameter
      }
    }
    blocks = blocksByPath.values.sorted { naturallyPrecedes($0.path, $1.path) }

    var unknown: [String: [String]] = [:]
    for case .other(let name) in parameters.map(\.role) {
      if let block = recognition.block(around: name) { unknown[block, default: []].append(name) }
    }
    unknownInBlocks = unknown.sorted { naturallyPrecedes($0.key, $1.key) }.map {
      ($0.key, $0.value)
    }
    sortCanonically()
  }

  /// Puts parameters in the order of the official code if every one of them has a known role.
  private mutating func sortCanonically() {
    let order = Dictionary(
      uniqueKeysWithValues: BlockRole.all.enumerated().map { ($1, $0) })
    let auxiliaryOrder = Dictionary(
      uniqueKeysWithValues: AuxiliaryRole.all.enumerated().map { ($1, $0) })
    var keyed: [(group: Int, path: String, index: Int, parameter: Parameter)] = []
    for parameter in parameters {
      switch parameter.role {
      case .block(let path, let role): keyed.append((0, path, order[role]!, parameter))
      case .classifier(let field): keyed.append((1, "", field == .weight ? 0 : 1, parameter))
      case .auxiliary(let path, let role): keyed.append((2, path, auxiliaryOrder[role]!, parameter))
      case .other: return
      }
    }
    keyed.sort { a, b in
      if a.group != b.group { return a.group < b.group }
      if a.path != b.path { return naturallyPrecedes(a.path, b.path) }
      return a.index < b.index
    }
    parameters = keyed.map(\.parameter)
  }
}

/// A state dict seen through the dialect that explains most of its names.
private struct Recognition {
  let stateDict: StateDict
  let dialect: Dialect
  /// The shapes of the file: the dialect's, but for `.rvd`, which has its own whatever the names.
  let layouts: Layouts
  let wrapped: Wrapper.Result
  /// Names that rules changed.
  let renamedCount: Int
  /// The official paths of blocks, by the paths that the file has.
  private(set) var blockPaths: [String: String] = [:]
  /// Of every tensor; none if there is no block.
  private(set) var roles: [Role] = []
  /// Tensors with a role other than `.other`, and whether the dialect is usual in such containers.
  private(set) var score = Score(tensors: 0, isUsual: false)

  struct Score: Comparable {
    var tensors: Int
    var isUsual: Bool
    static func < (a: Score, b: Score) -> Bool {
      a.tensors != b.tensors ? a.tensors < b.tensors : !a.isUsual && b.isUsual
    }
  }

  private let suffixes: SuffixTable
  /// Whether the image's block is there: other parts of a RepVGG are named beside it only.
  private var hasStem = false
  /// The file's paths of blocks, by their parents; for names beside a block.
  private var pathsByParent: [String: String] = [:]
  /// Elements of biases, by role; only of files without shapes.
  private var biasCounts: [Role: Int] = [:]

  /// - Parameter names: of the tensors, after any rules.
  init?(of stateDict: StateDict, names: [String], family: String, dialects: [Dialect]) {
    let renamedCount = zip(names, stateDict.tensors).count { $0 != $1.name }
    let names = Wrapper.Names(names)
    let attempts =
      dialects
      .map { Recognition(of: stateDict, names: names, renamedCount, family: family, as: $0) }
      .filter { $0.score.tensors > 0 }
    // `max` would return the last of equals; the first is wanted.
    guard let best = attempts.map(\.score).max() else { return nil }
    self = attempts.first { $0.score == best }!
  }

  private init(
    of stateDict: StateDict, names: Wrapper.Names, _ renamedCount: Int, family: String,
    as dialect: Dialect
  ) {
    self.stateDict = stateDict
    self.dialect = dialect
    layouts = family == "rvd" ? Layouts() : dialect.layouts
    self.renamedCount = renamedCount
    var suffixes = SuffixTable(of: dialect)
    wrapped = names.bare { suffixes.split($0)?.official == "stage0" }
    let splits = wrapped.names.map { suffixes.split($0) }
    self.suffixes = suffixes
    for case (let path, let official, let role)? in splits where Recognition.marksBlock(role) {
      if blockPaths.updateValue(official, forKey: path) == nil {
        pathsByParent[Recognition.parent(of: path)] = path
      }
    }
    guard !blockPaths.isEmpty else { return }
    hasStem = blockPaths.values.contains("stage0")
    roles = zip(wrapped.names, splits).map { role(of: $0, $1) }
    score = Score(
      tensors: roles.count { if case .other = $0 { false } else { true } },
      isUsual: dialect.families.contains(family))
    if stateDict.tensors.allSatisfy({ $0.tensor.shape.rank == 1 }) {
      for (role, named) in zip(roles, stateDict.tensors) {
        biasCounts[role] = named.tensor.shape.elementCount
      }
    }
  }

  private static func parent(of path: String) -> String {
    path.split(separator: ".").dropLast().joined(separator: ".")
  }

  /// Whether a suffix says by itself that here is a block. `identity.weight` and `se.down.weight`
  /// could be anything.
  private static func marksBlock(_ role: BlockRole) -> Bool {
    switch role {
    case .kernel, .batchNorm(.dense, _), .batchNorm(.pointwise, _), .fused(.weight): true
    default: false
    }
  }

  /// - Parameter split: of this name.
  private func role(of name: String, _ split: SuffixTable.Split?) -> Role {
    if let split, blockPaths[split.path] != nil {
      return .block(path: split.official, split.role)
    }
    if let (parent, role) = suffixes.splitBeside(name), let path = pathsByParent[parent] {
      return .block(path: blockPaths[path]!, role)
    }
    if hasStem {
      for field in LayerField.allCases where name == dialect.name(of: .classifier(field)) {
        return .classifier(field)
      }
      if let (path, role) = suffixes.splitAuxiliary(name) { return .auxiliary(path: path, role) }
    }
    return .other(name: name)
  }

  /// A weight without a shape (`.wts` has none) in the shape that its layer's bias implies: 3x3 for the
  /// deploy convolution, which is all that RepVGG has.
  func withShape(_ tensor: Tensor, as role: Role) -> Tensor {
    let form = Form(role)
    guard tensor.shape.rank == 1, form == .kernel || form == .squeezeExcitation || form == .matrix,
      let biasRole = role.biasBeside, let outputs = biasCounts[biasRole], outputs > 0
    else { return tensor }
    let area = form == .kernel ? 9 : 1
    let count = tensor.shape.elementCount
    guard count > 0, count.isMultiple(of: outputs * area) else { return tensor }
    let inputs = count / (outputs * area)
    let isHWIO = layouts.kernel == .hwio
    switch form {
    case .kernel:
      return tensor.reshaped(to: isHWIO ? [3, 3, inputs, outputs] : [outputs, inputs, 3, 3])
    case .squeezeExcitation where layouts.squeezeExcitation == .outIn:
      return tensor.reshaped(to: [outputs, inputs])
    case .squeezeExcitation:
      return tensor.reshaped(to: isHWIO ? [1, 1, inputs, outputs] : [outputs, inputs, 1, 1])
    default:
      return tensor.reshaped(to: layouts.linear == .inOut ? [inputs, outputs] : [outputs, inputs])
    }
  }

  /// The official path of the block that a name lies inside of.
  func block(around name: String) -> String? {
    blockPaths.first { path, _ in !path.isEmpty && name.hasPrefix(path + dialect.separator) }?.value
  }
}

extension Role {
  /// The bias of the layer whose weight this is.
  fileprivate var biasBeside: Role? {
    switch self {
    case .block(let path, .fused(.weight)): .block(path: path, .fused(.bias))
    case .block(let path, .squeeze(let placement, .weight)):
      .block(path: path, .squeeze(placement, .bias))
    case .block(let path, .excite(let placement, .weight)):
      .block(path: path, .excite(placement, .bias))
    case .classifier(.weight): .classifier(.bias)
    default: nil
    }
  }
}

/// The suffixes of a dialect, by the last part of the names that have them.
private struct SuffixTable {
  /// The path of a block in the file, its official path, and what the rest of a name means.
  typealias Split = (path: String, official: String, role: BlockRole)

  private let dialect: Dialect
  private var inside: [Substring: [(suffix: String, role: BlockRole)]] = [:]
  private var beside: [Substring: [(suffix: String, role: BlockRole)]] = [:]
  private var auxiliary: [Substring: [(suffix: String, role: AuxiliaryRole)]] = [:]
  /// Official paths by those in the file, as far as they were asked for: a block has many parameters.
  private var officialPaths: [String: String?] = [:]

  init(of dialect: Dialect) {
    self.dialect = dialect
    for role in BlockRole.all {
      guard let suffix = dialect.suffix(of: role) else { continue }
      if suffix.hasPrefix("../") {
        beside[Self.last(suffix), default: []].append((String(suffix.dropFirst(3)), role))
      } else {
        inside[Self.last(suffix), default: []].append((suffix, role))
      }
    }
    // `weight` alone may be a suffix too, so longer ones are tried first.
    for key in inside.keys { inside[key]!.sort { $0.suffix.utf8.count > $1.suffix.utf8.count } }
    for role in AuxiliaryRole.all {
      guard let suffix = dialect.suffix(of: role) else { continue }
      auxiliary[Self.last(suffix), default: []].append((suffix, role))
    }
  }

  private static func last(_ name: String) -> Substring {
    let dot = name.utf8.lastIndex(of: UInt8(ascii: "."))
    return name[(dot.map(name.utf8.index(after:)) ?? name.startIndex)...]
  }

  /// What stands before `suffix`, less the separator.
  private func path(of name: String, before suffix: String, _ separator: String) -> String? {
    let (bytes, end) = (name.utf8, suffix.utf8.count + separator.utf8.count)
    guard bytes.count >= end else { return name == suffix ? "" : nil }
    guard name.hasSuffix(suffix) else { return nil }
    let path = bytes.dropLast(suffix.utf8.count)
    guard path.suffix(separator.utf8.count).elementsEqual(separator.utf8) else { return nil }
    return String(Substring(path.dropLast(separator.utf8.count)))
  }

  mutating func split(_ name: String) -> Split? {
    for (suffix, role) in inside[Self.last(name)] ?? [] {
      if let path = path(of: name, before: suffix, dialect.separator),
        let official = officialPath(of: path)
      {
        return (path, official, role)
      }
    }
    return nil
  }

  private mutating func officialPath(of path: String) -> String? {
    if let known = officialPaths[path] { return known }
    let official = dialect.officialPath(of: path)
    officialPaths[path] = .some(official)
    return official
  }

  func splitBeside(_ name: String) -> (parent: String, role: BlockRole)? {
    for (suffix, role) in beside[Self.last(name)] ?? [] {
      if let parent = path(of: name, before: suffix, ".") { return (parent, role) }
    }
    return nil
  }

  func splitAuxiliary(_ name: String) -> (path: String, role: AuxiliaryRole)? {
    guard let pathSuffix = dialect.auxiliary?.pathSuffix else { return nil }
    for (suffix, role) in auxiliary[Self.last(name)] ?? [] {
      if let path = path(of: name, before: suffix, dialect.separator), path.hasSuffix(pathSuffix) {
        return (path, role)
      }
    }
    return nil
  }
}
