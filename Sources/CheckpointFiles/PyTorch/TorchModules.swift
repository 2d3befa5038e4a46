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
    _ handle: ObjectGraph.Handle, name path: Name, _ names: inout NameBudget
  ) throws(ReadError) -> StateDict {
    let limits = graph.source.limits
    var result = StateDict(tensors: [])
    let start: Name = path.isEmpty ? "" : "\(path)."
    var open: Set<ObjectGraph.Handle> = []
    var count = 0

    func walk(_ handle: ObjectGraph.Handle, _ prefix: Name, _ depth: Int) throws(ReadError) {
      count += 1
      guard count <= limits[.modules] else {
        throw graph.source.exceeded(.modules, found: String(count))
      }
      guard depth <= limits[.moduleDepth] else {
        throw graph.source.exceeded(.moduleDepth, found: String(depth))
      }
      try names.take(prefix.utf8.count)
      guard open.insert(handle).inserted else {
        throw .malformed(
          graph.location(of: handle), expected: "modules in a tree",
          found: "'\(printable((start + prefix).module ?? ""))' inside itself",
          remedy: fetchAgain)
      }
      defer { open.remove(handle) }
      guard let attributes = graph.attributes(handle) else { return }
      result.modules[prefix.module ?? ""] = moduleAttributes(handle, attributes)

      let transient = attributes["_non_persistent_buffers_set"].flatMap { graph.elements($0) } ?? []
      let transientNames = Set(transient.compactMap { graph.string($0) })
      for (group, skipped) in [("_parameters", []), ("_buffers", transientNames)]
        as [(Name, Set<Name>)]
      {
        for entry in attributes[group].flatMap({ graph.entries($0) }) ?? [] {
          guard let name = try graph.name(entry.key), !graph.isNone(entry.value),
            !skipped.contains(name)
          else { continue }
          try names.take(prefix.utf8.count + name.utf8.count)
          if let tensor = try tensors.tensor(entry.value, name: start + prefix + name) {
            result.tensors.append(NamedTensor(prefix + name, tensor))
          } else {
            result.ignored.append((prefix + name, graph.description(of: entry.value)))
          }
        }
      }
      for entry in attributes["_modules"].flatMap({ graph.entries($0) }) ?? [] {
        guard let name = try graph.name(entry.key), !graph.isNone(entry.value) else { continue }
        guard isModule(entry.value) else {
          result.ignored.append((prefix + name, graph.description(of: entry.value)))
          continue
        }
        try walk(entry.value, "\(prefix)\(name).", depth + 1)
      }
    }
    try walk(handle, "", 0)
    return result
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
