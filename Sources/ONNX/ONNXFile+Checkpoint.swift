package import Checkpoints
internal import Tensors

extension ONNXFile {
  /// The file's tensors: initializers, and constants of nodes that may be weights, under the names of their
  /// values.
  package var checkpoint: Checkpoint {
    var dict = StateDict(tensors: [])
    var notes: [String] = []
    for stored in initializers {
      if let tensor = stored.tensor {
        // Shapes and axes, which nodes take, are no weights.
        guard tensor.elementType != .int64 || tensor.shape.rank > 1 else {
          dict.ignored.append((stored.name, "integers that nodes take"))
          continue
        }
        dict.tensors.append(NamedTensor(stored.name, tensor))
      } else {
        dict.ignored.append((stored.name, "a tensor of \(stored.typeName), which is not read"))
      }
    }
    for node in nodes where node.operation == "Constant" && node.domain.isEmpty {
      guard let name = node.outputs.first, case .tensor(let stored)? = node.attributes["value"],
        let tensor = stored.tensor, tensor.isWeight, tensor.shape.rank > 0
      else { continue }
      dict.tensors.append(NamedTensor(name, tensor))
    }
    let others = Set(nodes.map(\.domain)).filter { !$0.isEmpty }.sorted()
    notes.append(
      "\(nodes.count) nodes, operator set \(operatorSet)"
        + (producer.isEmpty ? "" : ", by \(printable(producer))"))
    if !others.isEmpty {
      notes.append("Operations of \(others.map { "'\(printable($0))'" }.joined(separator: ", "))")
    }
    let hasGraphs = nodes.contains { node in
      node.attributes.values.contains { if case .other("a graph") = $0 { true } else { false } }
    }
    if hasGraphs { notes.append("Graphs inside nodes (If, Loop) were not entered.") }
    if functionCount > 0 { notes.append("Functions of the model were not entered.") }
    if sparseCount > 0 {
      notes.append("\(sparseCount) sparse initializers were not read.")
    }
    var model: ModelDescription?
    switch network(of: dict.tensors) {
    case .success(let network):
      model = ModelDescription(graph: network.graph)
      dict.tensors = network.tensors
    case .failure(let problem): notes.append("The graph cannot be run: \(problem.reason).")
    }
    if dict.tensors.isEmpty { notes.append("The file holds no tensors.") }
    return Checkpoint(
      path: location.path, container: "ONNX", family: "onnx", byteCount: byteCount,
      stateDicts: dict.tensors.isEmpty ? [] : [dict], notes: notes,
      model: model)
  }
}
