internal import Checkpoints
internal import Pickle
internal import Tensors

/// What is in a pickle of PyTorch's, however it was packed.
func torchCheckpoint(
  _ graph: ObjectGraph, _ tensors: TorchTensors, path: String, container: String, byteCount: Int,
  notes: [String]
) throws(ReadError) -> Checkpoint {
  var objects = TorchObjects(tensors)
  let found = try PickledStateDicts(in: graph, as: &objects)
  guard !found.stateDicts.isEmpty else {
    throw .notACheckpoint(
      graph.source.location,
      what: "the file holds no named tensors, but one \(graph.description(of: graph.root))",
      remedy: "Save the weights with torch.save(model.state_dict(), ...).")
  }
  var notes = notes + found.notes
  for path in objects.boundMethods {
    notes.append(
      "\(path.isEmpty ? "The file" : "'\(path)'") was saved without calling state_dict(): it holds "
        + "the method, and with it the whole module. The module's tensors were taken.")
  }
  let getattr = graph.globals.first { $0.qualifiedName == "builtins.getattr" }
  let isExplained = getattr.map { $0.calls == objects.boundMethods.count } ?? false
  return Checkpoint(
    path: path, container: container, family: "pytorch", byteCount: byteCount,
    stateDicts: found.stateDicts,
    globals: ExpectedGlobals.report(of: [graph], known: isExplained ? ["builtins.getattr"] : []),
    notes: notes)
}

/// What the objects in a pickle of PyTorch's mean.
private struct TorchObjects: PickledFramework {
  private let graph: ObjectGraph
  private let tensors: TorchTensors
  private let modules: TorchModules
  /// Paths of methods that stand for their module.
  private(set) var boundMethods: [Name] = []

  init(_ tensors: TorchTensors) {
    graph = tensors.graph
    self.tensors = tensors
    modules = TorchModules(graph: tensors.graph, tensors: tensors)
  }

  func tensor(_ handle: ObjectGraph.Handle, name: Name) throws(ReadError) -> Tensor? {
    try tensors.tensor(handle, name: name)
  }

  mutating func module(
    _ handle: ObjectGraph.Handle, name: Name, _ reached: inout ReachBudget
  ) throws(ReadError) -> StateDict? {
    if modules.isModule(handle) { return try modules.stateDict(handle, name: name, &reached) }
    // `model.state_dict` without the parentheses pickles as `getattr(model, "state_dict")`.
    guard let (function, object) = graph.call(handle), function == "builtins.getattr",
      object.arguments.count == 2, graph.isString(object.arguments[1], "state_dict"),
      modules.isModule(object.arguments[0])
    else { return nil }
    boundMethods.append(name)
    return try modules.stateDict(object.arguments[0], name: name, &reached)
  }

  /// `state_dict()` lists every module with its version in an attribute of the dict, `_metadata`. What
  /// people make of such a dict has it or not, so names say whether it is that of these tensors.
  func modulePaths(of handle: ObjectGraph.Handle) -> Set<Name>? {
    guard let list = graph.attributes(handle)?["_metadata"], let entries = graph.entries(list)
    else { return nil }
    return Set(entries.compactMap { graph.string($0.key) })
  }

  func key(_ handle: ObjectGraph.Handle) throws(ReadError) -> Name? {
    try graph.name(handle)
  }

  func description(of handle: ObjectGraph.Handle) -> String {
    graph.description(of: handle)
  }
}
