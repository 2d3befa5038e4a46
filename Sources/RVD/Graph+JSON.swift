internal import Graphs
internal import JSON
internal import Tensors

extension Operand.Layout {
  /// The manifest's `layout` of a tensor; of vectors it says nothing.
  var inManifest: String? { self == .vector ? nil : rawValue }
}

extension Operand {
  /// The manifest's `role` of a tensor that is one.
  var role: String { layout == .kernel ? "kernel" : name }
}

extension Graph.Node {
  /// The operands that it has, with their tensors.
  var tensors: [(operand: Operand, tensor: Int)] {
    zip(kind.operands, operands).compactMap { operand, tensor in tensor.map { (operand, $0) } }
  }

  var json: JSONValue {
    func integers(_ values: [Int]) -> JSONValue { .array(values.map(JSONValue.integer)) }
    var members: [JSONValue.Member] = [
      .init("op", .string(kind.name)), .init("inputs", integers(inputs)),
    ]
    members += tensors.map { .init(Name($0.operand.name), .integer($0.tensor)) }
    members += zip(kind.attributes, attributes).map { attribute, values in
      .init(Name(attribute.name), attribute.count == 1 ? .integer(values[0]) : integers(values))
    }
    if let epsilon { members.append(.init("epsilon", .number(epsilon))) }
    if let block { members.append(.init("block", .string(block.text))) }
    return .object(members)
  }

  init(_ fields: Fields) throws(ManifestProblem) {
    let name = try fields.string("op")
    guard let kind = NodeKind(named: name) else {
      throw .unsupported(place: fields.place("op"), what: "the graph has the operation '\(name)'")
    }
    var operands: [Int?] = []
    for operand in kind.operands {
      let isAbsent = operand.isOptional && !fields.has(Name(operand.name))
      operands.append(isAbsent ? nil : try fields.integer(Name(operand.name)))
    }
    var attributes: [[Int]] = []
    for attribute in kind.attributes {
      attributes.append(
        attribute.count == 1
          ? [try fields.integer(Name(attribute.name))] : try fields.integers(Name(attribute.name)))
    }
    self.init(
      kind, inputs: try fields.integers("inputs"), operands: operands, attributes: attributes,
      epsilon: kind.hasEpsilon ? try fields.number("epsilon") : nil,
      block: try fields.string(ifPresent: "block").map { Name($0) })
  }
}
