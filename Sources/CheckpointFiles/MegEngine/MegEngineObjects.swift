internal import Checkpoints
internal import Pickle
internal import Tensors

/// What the objects in a MegEngine pickle mean: arrays of NumPy, tensors and modules.
///
/// A tensor is `Parameter(array, dtype, device, ...)`, or `Tensor` for a buffer; files older than
/// MegEngine 1.0 have the array in the state, under `data`. A module is an object whose state is its
/// `__dict__`, with tensors, other modules and containers of both as plain attributes.
struct MegEngineObjects: PickledFramework {
  let graph: ObjectGraph
  private var arrays: PickledArrays
  /// Paths of modules that were found as `getattr(module, "state_dict")`.
  private(set) var boundMethods: [Name] = []
  /// Objects that turned out to be no modules.
  private var otherObjects: Set<Handle> = []
  /// Attributes looked at in modules.
  private var steps = 0

  typealias Handle = ObjectGraph.Handle

  init(_ graph: ObjectGraph) {
    self.graph = graph
    arrays = PickledArrays(graph)
  }

  func key(_ handle: Handle) throws(ReadError) -> Name? {
    try graph.name(handle) ?? arrays.string(handle)
  }

  mutating func description(of handle: Handle) -> String {
    arrays.scalarDescription(handle) ?? graph.description(of: handle)
  }
}

// Tensors.
extension MegEngineObjects {
  private func isTensor(_ handle: Handle) -> Bool {
    guard let name = graph.call(handle)?.name, name.hasPrefix("megengine.") else { return false }
    return name.hasSuffix(".Tensor") || name.hasSuffix(".Parameter") || name.hasSuffix(".Buffer")
  }

  mutating func tensor(_ handle: Handle, name: Name) throws(ReadError) -> Tensor? {
    guard isTensor(handle), let (className, object) = graph.call(handle) else {
      return try arrays.tensor(handle, name: name)
    }
    let data = object.arguments.first ?? graph.attributes(handle)?["data"]
    guard let data, let tensor = try arrays.tensor(data, name: name) else {
      throw .malformed(
        graph.location(of: handle),
        expected: "the array of '\(printable(name))', a \(printable(className))",
        found: data.map { graph.description(of: $0) } ?? "none", remedy: fetchAgain)
    }
    // The tensor's own type can be a quantised one, of which the array holds the integers.
    if object.arguments.count > 1, arrays.isType(object.arguments[1]) {
      let type = try arrays.elementType(object.arguments[1], of: handle, name)
      guard type.elementType == tensor.elementType else {
        throw .unsupported(
          graph.location(of: handle),
          what: "'\(printable(name))' is of type \(type.elementType.rawValue), but its values are "
            + tensor.elementType.rawValue,
          remedy: "Load it with MegEngine and save its state_dict().")
      }
    }
    return tensor
  }
}

// Modules.
extension MegEngineObjects {
  /// The state dict of a module, or of the module in `getattr(module, "state_dict")`: what results from
  /// `save(model.state_dict)`, where `save(model.state_dict())` was meant.
  mutating func module(
    _ handle: Handle, name: Name, _ reached: inout ReachBudget
  ) throws(ReadError) -> StateDict? {
    if moduleAttributes(handle) != nil { return try stateDict(of: handle, name: name, &reached) }
    guard let (function, object) = graph.call(handle), function == "builtins.getattr",
      object.arguments.count == 2, graph.isString(object.arguments[1], "state_dict"),
      moduleAttributes(object.arguments[0]) != nil
    else { return nil }
    boundMethods.append(name)
    return try stateDict(of: object.arguments[0], name: name, &reached)
  }

  /// The `__dict__` of a module. PyTorch's modules keep their parts in dicts of their own.
  private mutating func moduleAttributes(_ handle: Handle) -> [Name: Handle]? {
    guard case .object = graph[handle], !otherObjects.contains(handle) else { return nil }
    guard let attributes = graph.attributes(handle), let training = attributes["training"],
      case .bool = graph[training], attributes["_forward_hooks"] != nil,
      attributes["_parameters"] == nil
    else {
      otherObjects.insert(handle)
      return nil
    }
    return attributes
  }

  /// The tensors of a module and of those inside it under the names, and in the order, of MegEngine's
  /// `Module.state_dict()`: attributes sorted by name, a module's tensors before its children's.
  ///
  /// Shapes are the live ones: BatchNorm's are (1,C,1,1), which `state_dict()` would flatten.
  private mutating func stateDict(
    of root: Handle, name: Name, _ reached: inout ReachBudget
  ) throws(ReadError) -> StateDict {
    enum Step {
      case enter(Handle, path: Name)
      case leave(Handle)
    }
    var result = StateDict(tensors: [])
    var ancestors: Set<Handle> = []
    var pending = [Step.enter(root, path: "")]
    while let step = pending.popLast() {
      switch step {
      case .leave(let module): ancestors.remove(module)
      case .enter(let module, let path):
        guard ancestors.insert(module).inserted else { continue }
        guard ancestors.count <= graph.source.limits[.moduleDepth] else {
          throw graph.source.exceeded(
            .moduleDepth, at: graph.location(of: module), found: String(ancestors.count))
        }
        try reached.take(path.utf8.count)
        try reached.takeModule()
        let attributes = moduleAttributes(module) ?? [:]
        let members = try members(of: module, attributes, &reached)
        let prefix = path.isEmpty ? "" : path + "."
        for (key, handle) in members.tensors {
          try reached.take(prefix.utf8.count + key.utf8.count)
          let fullName = (name.isEmpty ? "" : name + ".") + prefix + key
          if let tensor = try tensor(handle, name: fullName) {
            try reached.takeTensor()
            result.tensors.append(NamedTensor(prefix + key, tensor))
          }
        }
        result.modules[path] = described(module, attributes)
        for (key, _) in members.modules { try reached.take(prefix.utf8.count + key.utf8.count) }
        pending.append(.leave(module))
        pending += members.modules.reversed().map { .enter($0.handle, path: prefix + $0.key) }
      }
    }
    return result
  }

  private struct Members {
    var tensors: [(key: Name, handle: Handle)] = []
    var modules: [(key: Name, handle: Handle)] = []
  }

  /// A module's tensors and children. Lists, tuples and dicts are searched, with dots between the keys;
  /// what is reachable by two names has the first.
  private mutating func members(
    of module: Handle, _ attributes: [Name: Handle], _ reached: inout ReachBudget
  ) throws(ReadError) -> Members {
    var members = Members()
    var seen: Set = [module]
    var pending = MegEngineObjects.sorted(attributes.map { ($0.key, $0.value) }, prefix: "")
    while let (key, handle) = pending.popLast() {
      steps += 1
      guard steps <= graph.source.limits[.moduleAttributes] else {
        throw graph.source.exceeded(
          .moduleAttributes, at: graph.location(of: module), found: "\(steps) or more")
      }
      guard seen.insert(handle).inserted else { continue }
      try reached.take(key.utf8.count)
      try reached.take(entriesOf: handle, in: graph)
      switch graph[handle] {
      case .list(let elements), .tuple(let elements):
        pending += elements.enumerated().reversed().map { ("\(key).\($0.offset)", $0.element) }
      case .dictionary, .object:
        if isTensor(handle) {
          members.tensors.append((key, handle))
        } else if moduleAttributes(handle) != nil {
          members.modules.append((key, handle))
        } else if let entries = graph.entries(handle) {
          let named = entries.compactMap { entry in
            graph.string(entry.key).map { ($0, entry.value) }
          }
          pending += MegEngineObjects.sorted(named, prefix: key + ".")
        }
      default: break
      }
    }
    return members
  }

  /// The last in Python's order of strings first, since they are taken from the end.
  private static func sorted(
    _ entries: [(key: Name, handle: Handle)], prefix: Name
  ) -> [(key: Name, handle: Handle)] {
    // Code points are in the same order as their bytes in UTF-8.
    entries.sorted { $1.key < $0.key }
      .map { (prefix + $0.key, $0.handle) }
  }

  private func described(_ module: Handle, _ attributes: [Name: Handle]) -> ModuleAttributes {
    func pair(_ name: Name) -> [Int]? {
      guard let handle = attributes[name] else { return nil }
      if let both = graph.integer(handle) { return [both, both] }
      guard let elements = graph.elements(handle) else { return nil }
      let integers = elements.compactMap { graph.integer($0) }
      return integers.count == elements.count ? integers : nil
    }
    var result = ModuleAttributes(className: graph.call(module)?.name.text ?? "")
    result.epsilon = attributes["eps"].flatMap { graph.real($0) }
    result.stride = pair("stride")
    result.padding = pair("padding")
    result.dilation = pair("dilation")
    result.groups = attributes["groups"].flatMap { graph.integer($0) }
    return result
  }
}
