public import Tensors

extension Network {
  /// Chooses the state dict of `checkpoint` that has the most parameters of known roles, and gives
  /// each its role.
  ///
  /// - Parameter key: the path of the state dict to use, or its last part, instead.
  /// - Throws: `NamingError`: nothing recognised, several equally good, names that collide, tensors
  ///   that cannot be what their names say.
  public init(
    recognising checkpoint: Checkpoint, key: String? = nil, dialects: [Dialect] = Dialect.all
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
    let recognitions = candidates.compactMap { Recognition(of: $0, dialects: dialects) }
    guard let best = recognitions.map(\.score).max() else {
      let names = candidates.max { $0.tensors.count < $1.tensors.count }?.tensors.prefix(4).map(\.name)
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
          + (others > 0 ? "; \(others) other dict\(others == 1 ? "" : "s") of tensors left alone" : ""),
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
    if !prefix.isEmpty { notes.append("took '\(prefix)' off every name") }
    if recognition.wrapped.removedCompiled { notes.append("took '\(Wrapper.compiled).' out of names") }

    var seen: [Role: String] = [:]
    var blocksByPath: [String: Block] = [:]
    for path in recognition.blockPaths { blocksByPath[path] = Block(path: path) }
    for (named, bareName) in zip(stateDict.tensors, recognition.wrapped.names) {
      if Wrapper.counters.contains(named.name) {
        counters.append(named.name)
        continue
      }
      let role = recognition.role(of: bareName)
      if let first = seen.updateValue(named.name, forKey: role) {
        throw .collision(path: path, first: first, second: named.name)
      }
      let parameter = Parameter(
        role: role, originalName: named.name,
        tensor: try normalised(named, for: role, path: path))
      parameters.append(parameter)
      if case .block(let path, let blockRole) = role {
        blocksByPath[path]!.parameters[blockRole] = parameter
      }
    }
    blocks = blocksByPath.values.sorted { naturallyPrecedes($0.path, $1.path) }

    var unknown: [String: [String]] = [:]
    for case .other(let name) in parameters.map(\.role) {
      var end = name.endIndex
      while let dot = name[..<end].lastIndex(of: ".") {
        end = dot
        if blocksByPath[String(name[..<dot])] != nil {
          unknown[String(name[..<dot]), default: []].append(name)
          break
        }
      }
    }
    unknownInBlocks = unknown.sorted { naturallyPrecedes($0.key, $1.key) }.map { ($0.key, $0.value) }
    sortCanonically()
  }

  /// Puts parameters in the order of the official code if every one of them has a known role.
  private mutating func sortCanonically() {
    let order = Dictionary(
      uniqueKeysWithValues: Dialect.official.blockSuffixes.enumerated().map { ($1.role, $0) })
    let auxiliaryOrder = Dictionary(
      uniqueKeysWithValues: Dialect.official.auxiliarySuffixes.enumerated().map { ($1.role, $0) })
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
  var stateDict: StateDict
  var dialect: Dialect
  var wrapped: Wrapper.Result
  var blockPaths: Set<String> = []
  /// Tensors with a role other than `.other`.
  var score = 0

  private let blockRoles: [String: BlockRole]
  private let auxiliaryRoles: [String: AuxiliaryRole]
  private let longestSuffix: Int

  init?(of stateDict: StateDict, dialects: [Dialect]) {
    let attempts = dialects.map { Recognition(of: stateDict, as: $0) }.filter { $0.score > 0 }
    // `max` would return the last of equals; the first is wanted.
    guard let best = attempts.map(\.score).max() else { return nil }
    self = attempts.first { $0.score == best }!
  }

  private init(of stateDict: StateDict, as dialect: Dialect) {
    self.stateDict = stateDict
    self.dialect = dialect
    let blockSuffixes = dialect.blockSuffixes
    blockRoles = Dictionary(uniqueKeysWithValues: blockSuffixes.map { ($0.suffix, $0.role) })
    auxiliaryRoles = Dictionary(
      uniqueKeysWithValues: dialect.auxiliarySuffixes.map { ($0.suffix, $0.role) })
    longestSuffix = blockSuffixes.map { $0.suffix.split(separator: ".").count }.max()!
    let roles = blockRoles
    wrapped = Wrapper.remove(from: stateDict.tensors.map(\.name)) { name in
      name.hasPrefix("stage0.") && roles[String(name.dropFirst(7))] != nil
    }
    for name in wrapped.names {
      if case (let path, let role)? = split(name), Recognition.marksBlock(role) {
        blockPaths.insert(path)
      }
    }
    guard !blockPaths.isEmpty else { return }
    score = wrapped.names.count { name in
      if case .other = role(of: name) { false } else { true }
    }
  }

  /// Whether a suffix says by itself that here is a block. `identity.weight` and `se.down.weight`
  /// could be anything.
  private static func marksBlock(_ role: BlockRole) -> Bool {
    switch role {
    case .kernel, .batchNorm(.dense, _), .batchNorm(.pointwise, _), .fused(.weight): true
    default: false
    }
  }

  /// The longest known suffix of a name, with what stands before it.
  private func split(_ name: String) -> (path: String, role: BlockRole)? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    for count in stride(from: min(longestSuffix, parts.count), through: 1, by: -1) {
      if let role = blockRoles[parts.suffix(count).joined(separator: ".")] {
        return (parts.dropLast(count).joined(separator: "."), role)
      }
    }
    return nil
  }

  func role(of name: String) -> Role {
    if let (path, role) = split(name), blockPaths.contains(path) {
      return .block(path: path, role)
    }
    if blockPaths.contains("stage0") {
      for field in LayerField.allCases where name == dialect.classifier + field.rawValue {
        return .classifier(field)
      }
      if let dot = name.firstIndex(of: "."), name[..<dot].hasSuffix(dialect.auxiliary.pathSuffix),
        let role = auxiliaryRoles[String(name[name.index(after: dot)...])]
      {
        return .auxiliary(path: String(name[..<dot]), role)
      }
    }
    return .other(name: name)
  }
}

/// A tensor in the shape that its role asks for. All changes keep the row-major order of elements.
private func normalised(
  _ named: NamedTensor, for role: Role, path: String
) throws(NamingError) -> Tensor {
  enum Form { case vector, kernel, matrix, any }
  let form: Form =
    switch role {
    case .block(_, .batchNorm(_, .batchesTracked)), .auxiliary(_, .batchNorm(.batchesTracked)), .other: .any
    case .block(_, .kernel), .block(_, .fused(.weight)), .auxiliary(_, .kernel),
      .block(_, .squeeze(_, .weight)), .block(_, .excite(_, .weight)):
      .kernel
    case .classifier(.weight), .auxiliary(_, .classifier(.weight)): .matrix
    default: .vector
    }
  let tensor = named.tensor
  let sizes = tensor.shape.dimensions
  func misfit(_ wanted: String) -> NamingError {
    .misfit(
      path: path, name: named.name, role: wanted,
      found: "\(tensor.elementType.rawValue) \(tensor.shape)")
  }
  if form != .any, !tensor.elementType.isWeightType {
    throw misfit("a tensor of float32, float16, bfloat16 or float64")
  }
  switch form {
  case .any:
    return tensor
  case .vector:  // MegEngine: BatchNorm [1, C, 1, 1], bias [1, O, 1, 1]
    guard sizes.count >= 1, sizes.allSatisfy({ $0 > 0 }), sizes.count(where: { $0 > 1 }) <= 1 else {
      throw misfit("a vector of one value for each channel")
    }
    return tensor.reshaped(to: [tensor.shape.elementCount])
  case .matrix:
    guard sizes.count == 2, sizes.allSatisfy({ $0 > 0 }) else { throw misfit("a matrix [out, in]") }
    return tensor
  case .kernel:
    guard sizes.allSatisfy({ $0 > 0 }) else { throw misfit("a kernel") }
    switch sizes.count {
    case 4: return tensor
    case 5:  // MegEngine: [groups, O / groups, I / groups, kh, kw]
      return tensor.reshaped(to: Shape([sizes[0] * sizes[1]] + sizes[2...]))
    case 2 where isSqueezeExcitation(role):  // linear layers instead of 1x1 convolutions
      return tensor.reshaped(to: Shape(sizes + [1, 1]))
    default: throw misfit("a kernel [out, in, height, width], or MegEngine's of five axes")
    }
  }
}

private func isSqueezeExcitation(_ role: Role) -> Bool {
  switch role {
  case .block(_, .squeeze), .block(_, .excite): true
  default: false
  }
}
