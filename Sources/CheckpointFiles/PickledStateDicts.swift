internal import Checkpoints
internal import Pickle
internal import Tensors

/// What the objects of one framework mean. `PickledStateDicts` asks, and knows no framework itself.
protocol PickledFramework {
  /// The tensor that an object is; nil if it is none.
  ///
  /// - Parameter name: what to call it in an error: its path in the file.
  /// - Throws: `ReadError.unsupported` if it is a tensor of a kind that cannot be converted.
  mutating func tensor(_ handle: ObjectGraph.Handle, name: Name) throws(ReadError) -> Tensor?

  /// The state dict of a pickled module with its tensors in the order of the framework's own
  /// `state_dict()`; its path is ignored. Nil if the object is no module.
  ///
  /// - Parameters:
  ///   - name: what to call it in an error: its path in the file.
  ///   - reached: what its names and tensors are counted in.
  mutating func module(
    _ handle: ObjectGraph.Handle, name: Name, _ reached: inout ReachBudget
  ) throws(ReadError) -> StateDict?

  /// Paths of the modules that a dict of tensors was taken from, if it says so itself.
  func modulePaths(of handle: ObjectGraph.Handle) -> Set<Name>?

  /// The text of a key; nil if it is none.
  ///
  /// - Throws: `ReadError` if it is a text that cannot be a name.
  func key(_ handle: ObjectGraph.Handle) throws(ReadError) -> Name?

  /// What an object is that is neither tensor nor module, in a few words.
  mutating func description(of handle: ObjectGraph.Handle) -> String
}

extension PickledFramework {
  func modulePaths(of handle: ObjectGraph.Handle) -> Set<Name>? { nil }
}

/// Finds the state dicts of a pickled checkpoint: every dict with tensors under string keys, and every
/// module, at the root or in dicts below it.
///
/// Each object is looked at once, so cycles end and shared objects cost nothing; a state dict that is
/// reachable by several paths is listed under each.
struct PickledStateDicts<Framework: PickledFramework> {
  /// In the order of the file.
  private(set) var stateDicts: [StateDict] = []
  /// What a user should know about them.
  private(set) var notes: [String] = []

  private let graph: ObjectGraph
  /// The state dicts found, with the first path to each.
  private var found: [ObjectGraph.Handle: StateDict] = [:]
  private var visited: Set<ObjectGraph.Handle> = []
  /// Errors of tensors in dicts that hold nothing else.
  private var refusals: [ReadError] = []

  private var reached: ReachBudget

  /// Searches from `root`, by default the root of the graph.
  ///
  /// - Throws: `ReadError`, if an object contradicts itself; `unsupported` if a tensor beside others, or
  ///   all tensors there are, cannot be converted.
  init(
    in graph: ObjectGraph, from root: ObjectGraph.Handle? = nil, as framework: inout Framework
  ) throws(ReadError) {
    self.graph = graph
    reached = ReachBudget(graph.source)
    var pending: [(handle: ObjectGraph.Handle, path: [Name])] = [(root ?? graph.root, [])]
    while let (handle, path) = pending.popLast() {
      if let known = found[handle] {
        // Not if it is reached through itself.
        if !path.starts(with: known.path) { try add(known, at: path) }
        continue
      }
      guard visited.insert(handle).inserted else { continue }
      guard path.count <= graph.source.limits[.dictDepth] else {
        throw graph.source.exceeded(.dictDepth, at: graph.location(of: handle))
      }
      try reached.take(entriesOf: handle, in: graph)
      if let module = try framework.module(handle, name: path.joined(separator: "."), &reached) {
        if !module.tensors.isEmpty { try add(module, at: path, of: handle) }
      } else if let entries = graph.entries(handle) {
        try scan(handle, entries, path, &pending, &framework)
      }
    }
    guard !stateDicts.isEmpty || refusals.isEmpty else { throw refusals[0] }
    for case .unsupported(_, let what, _) in refusals {
      notes.append("Left out, as it cannot be converted: \(what).")
    }
  }

  /// Takes the tensors out of one dict, and adds the dicts and modules it holds to `pending`.
  private mutating func scan(
    _ handle: ObjectGraph.Handle, _ entries: [ObjectGraph.Entry], _ path: [Name],
    _ pending: inout [(handle: ObjectGraph.Handle, path: [Name])], _ framework: inout Framework
  ) throws(ReadError) {
    var stateDict = StateDict(tensors: [])
    var children: [(handle: ObjectGraph.Handle, path: [Name])] = []
    var refusal: ReadError?
    let prefix = path.isEmpty ? "" : path.joined(separator: ".") + "."
    for entry in entries {
      guard let key = try framework.key(entry.key) else {
        let name = Name(
          graph.integer(entry.key).map(String.init) ?? graph.description(of: entry.key))
        let what = framework.description(of: entry.value)
        stateDict.ignored.append((name, "\(what), under a key that is not a string"))
        continue
      }
      try reached.take(key.utf8.count)
      do throws(ReadError) {
        if let tensor = try framework.tensor(entry.value, name: prefix + key) {
          try reached.takeTensor()
          stateDict.tensors.append(NamedTensor(key, tensor))
          continue
        }
      } catch {
        guard case .unsupported = error else { throw error }
        refusal = refusal ?? error
        continue
      }
      stateDict.ignored.append((key, framework.description(of: entry.value)))
      switch graph[entry.value] {
      case .dictionary, .object:
        try reached.take(prefix.utf8.count + MemoryLayout<String>.stride * path.count)
        children.append((entry.value, path + [key]))
      default: break
      }
    }
    pending += children.reversed()
    if let refusal {
      // Among tensors it may be one that is needed; to leave it out could change the network.
      guard stateDict.tensors.isEmpty else { throw refusal }
      refusals.append(refusal)
    }
    guard !stateDict.tensors.isEmpty else { return }
    stateDict.modulePaths = framework.modulePaths(of: handle)
    try add(stateDict, at: path, of: handle)
    let repeated = graph.repeatedKeys(handle)
    if !repeated.isEmpty {
      notes.append(
        "\(stateDicts.last!.pathDescription) names \(repeated.count) of its entries twice; the "
          + "later ones count, as in Python: "
          + repeated.prefix(5).map(printable).joined(separator: ", ")
          + (repeated.count > 5 ? ", ..." : ""))
    }
  }

  /// - Parameter handle: whose state dict it is, if it is new.
  private mutating func add(
    _ stateDict: StateDict, at path: [Name], of handle: ObjectGraph.Handle? = nil
  ) throws(ReadError) {
    guard stateDicts.count < graph.source.limits[.stateDicts] else {
      throw graph.source.exceeded(.stateDicts)
    }
    if handle == nil {
      for named in stateDict.tensors {
        try reached.take(named.name.utf8.count)
        try reached.takeTensor()
      }
    }
    var stateDict = stateDict
    stateDict.path = path
    stateDicts.append(stateDict)
    if let handle { found[handle] = stateDict }
  }
}
