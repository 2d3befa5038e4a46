internal import Checkpoints
internal import Pickle
internal import Tensors

/// Walks pickled modules the way `state_dict()` does, without their classes.
///
/// A module is an object whose attributes have `_parameters`, `_buffers` and `_modules`, all three
/// dicts. Its state dict is: the parameters that are not None; the buffers that are not None and not
/// in the set `_non_persistent_buffers_set`; then each module that is not None, under its name and a
/// dot. What is reachable twice appears twice.
struct TorchModules {
  let graph: ObjectGraph
  let tensors: TorchTensors

  /// Whether `handle` is a module.
  func isModule(_ handle: ObjectGraph.Handle) -> Bool {
    guard let attributes = graph.attributes(handle), let parameters = attributes["_parameters"],
      let modules = attributes["_modules"]
    else { return false }
    return graph.entries(parameters) != nil && graph.entries(modules) != nil
  }

  /// The state dict of the module that `handle` is.
  ///
  /// - Parameter name: the module's path in the file, for errors.
  func stateDict(
    _ handle: ObjectGraph.Handle, name path: Name, _ reached: inout ReachBudget
  ) throws(ReadError) -> StateDict {
    let limits = graph.source.limits
    var result = StateDict(tensors: [])
    let start: Name = path.isEmpty ? "" : "\(path)."
    var open: Set<ObjectGraph.Handle> = []
    var count = 0
    // What is shared is reached again and again.
    var known: [ObjectGraph.Handle: Contents?] = [:]

    func walk(
      _ handle: ObjectGraph.Handle, _ module: Contents, _ prefix: Name, _ depth: Int
    ) throws(ReadError) {
      count += 1
      guard count <= limits[.modules] else {
        throw graph.source.exceeded(.modules, found: String(count))
      }
      guard depth <= limits[.moduleDepth] else {
        throw graph.source.exceeded(.moduleDepth, found: String(depth))
      }
      try reached.take(prefix.utf8.count)
      try reached.takeModule()
      guard open.insert(handle).inserted else {
        throw .malformed(
          graph.location(of: handle), expected: "modules in a tree",
          found: "'\(printable((start + prefix).module ?? ""))' inside itself",
          remedy: fetchAgain)
      }
      defer { open.remove(handle) }
      result.modules[prefix.module ?? ""] = module.attributes

      for (name, value) in module.tensors {
        try reached.take(prefix.utf8.count + name.utf8.count)
        if let tensor = try tensors.tensor(value, name: start + prefix + name) {
          try reached.takeTensor()
          result.tensors.append(NamedTensor(prefix + name, tensor))
        } else {
          try reached.takeOther()
          result.ignored.append((prefix + name, graph.description(of: value)))
        }
      }
      for (name, value) in module.modules {
        if known[value] == nil {
          try reached.take(entriesOf: value, in: graph)
          known[value] = .some(try contents(ofModule: value))
        }
        if let inner = known[value]! {
          try walk(value, inner, "\(prefix)\(name).", depth + 1)
        } else {
          try reached.take(prefix.utf8.count + name.utf8.count)
          try reached.takeOther()
          result.ignored.append((prefix + name, graph.description(of: value)))
        }
      }
    }
    if let module = try contents(ofModule: handle) { try walk(handle, module, "", 0) }
    return result
  }

  /// What a module adds to the state dict, without what is None.
  private struct Contents {
    var attributes: ModuleAttributes
    /// Parameters, then buffers.
    var tensors: [(name: Name, value: ObjectGraph.Handle)]
    var modules: [(name: Name, value: ObjectGraph.Handle)]
  }

  /// Nil if `handle` is no module.
  private func contents(ofModule handle: ObjectGraph.Handle) throws(ReadError) -> Contents? {
    guard isModule(handle), let attributes = graph.attributes(handle) else { return nil }
    func members(_ group: Name) throws(ReadError) -> [(name: Name, value: ObjectGraph.Handle)] {
      var members: [(name: Name, value: ObjectGraph.Handle)] = []
      for entry in attributes[group].flatMap({ graph.entries($0) }) ?? [] {
        guard let name = try graph.name(entry.key), !graph.isNone(entry.value) else { continue }
        members.append((name, entry.value))
      }
      return members
    }
    let transient = attributes["_non_persistent_buffers_set"].flatMap { graph.elements($0) } ?? []
    let transientNames = Set(transient.compactMap { graph.string($0) })
    return Contents(
      attributes: moduleAttributes(handle, attributes),
      tensors: try members("_parameters")
        + members("_buffers").filter { !transientNames.contains($0.name) },
      modules: try members("_modules"))
  }

  private func moduleAttributes(
    _ handle: ObjectGraph.Handle, _ attributes: [Name: ObjectGraph.Handle]
  ) -> ModuleAttributes {
    var result = ModuleAttributes(className: className(handle)?.text ?? "?")
    result.epsilon = attributes["eps"].flatMap { graph.real($0) }
    result.stride = attributes["stride"].flatMap(pair)
    result.padding = attributes["padding"].flatMap(pair)
    result.dilation = attributes["dilation"].flatMap(pair)
    result.groups = attributes["groups"].flatMap { graph.integer($0) }
    return result
  }

  /// The class of a module. Legacy files wrap it where it first appears, to carry its source code:
  /// the persistent id `("module", class, path, source)`.
  private func className(_ handle: ObjectGraph.Handle) -> Name? {
    if let (name, _) = graph.call(handle) { return name }
    guard case .object(let index) = graph[handle],
      case .persistentID(let id) = graph[graph.objects[index].callable],
      let parts = graph.elements(id), parts.count > 1
    else { return nil }
    return graph.globalName(parts[1])
  }

  /// `(2, 1)`, or `2` for `(2, 2)`. Nil for `"same"` and what is not two-dimensional.
  private func pair(_ handle: ObjectGraph.Handle) -> [Int]? {
    if let integer = graph.integer(handle) { return [integer, integer] }
    guard let elements = graph.elements(handle), elements.count == 2,
      let first = graph.integer(elements[0]), let second = graph.integer(elements[1])
    else { return nil }
    return [first, second]
  }
}
